package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/reason"
	"atoll/crypto/tlog"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/source"
	"atoll/node/witness"

	"github.com/spf13/cobra"
)

func statusCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "status",
		Short: cli.Both("显示成员节点的状态", "Say how a member's node is"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var s node.Status
			if err := local(cmd.Context(), dir, api.Status, api.Nothing{}, &s); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.status/v1", s)
			}
			return printStatus(t, dir, &s)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("成员的文件夹", "the member's folder"))
	return cli.Needs(cmd, "dir")
}

func printStatus(p *cli.Printer, dir string, s *node.Status) error {
	in := p.In
	leader, member := s.Leader, s.Standing == node.StandingMember
	switch {
	case leader == "" && !member: // nobody shows it the log: that says nothing about the network
		leader = in("未知", "none known")
	case leader == "":
		leader = in("未知：此时日志无法增加条目；", "none known: nothing can be added to the log; ") + majorityLine(s, in)
	}
	t := cli.NewTable()
	name := s.Name
	if len(s.Roles) > 0 {
		name = fmt.Sprintf(in("%s（%s）", "%s (%s)"), s.Name, duties(&node.Duty{Roles: s.Roles}, in))
	}
	t.Row(in("成员", "member"), name)
	if line := standingLine(s, in); line != "" {
		t.Row(in("成员资格", "membership"), line)
	}
	t.Row(in("网络", "network"), s.Network)
	t.Row(in("日志名", "origin"), s.Origin)
	t.Row(in("领导者", "leader"), leader)
	if s.Scout != nil && member {
		t.Row(in("探查", "scouting"), scoutLine(s.Scout, in))
	}
	t.Row(in("日志", "log"), fmt.Sprintf(in("%d 个条目，根 %s", "%d entries, root %s"), s.Size, s.Root))
	t.Row(in("终局", "final"), fmt.Sprintf(in("%d 个条目（共签人 %[3]s 中的 %[2]d 位）", "%d entries (%d of the cosigners %s)"), s.Final, s.Quorum, strings.Join(s.Cosigners, " ")))
	t.Row(in("信任策略", "policy"), tlog.Spoken(s.Policy))
	if s.NotFinal != nil && member {
		t.Row(in("未终局", "not final"), lackLine(s.NotFinal, in))
	}
	for _, o := range s.Witnesses {
		t.Row(in("见证者", "witness"), witnessLine(o, in))
	}
	acknowledged := 0
	for i := range s.Alarms {
		if s.Alarms[i].Acknowledged != nil {
			acknowledged++
			continue
		}
		t.Row(in("警报", "ALARM"), alarmLine(&s.Alarms[i], in))
		t.Row(in("处理", "do"), alarmAction(&s.Alarms[i], dir, in))
	}
	if acknowledged > 0 {
		t.Row(in("已确认", "acknowledged"), fmt.Sprintf(in("%d 个警报：atoll alarm list", "%d alarms: atoll alarm list"), acknowledged))
	}
	if s.Catalog != nil {
		t.Row(in("目录", "catalog"), catalogLine(s.Catalog, in))
	}
	if s.Maintenance != nil {
		t.Row(in("维护", "maintenance"), maintenanceLine(s.Maintenance, in))
	}
	if s.Opens != "" {
		t.Row(in("工作时间", "hours"), fmt.Sprintf(in("现不应答，%s 起应答", "closed now, answers from %s on"), s.Opens))
	}
	if s.Pending > 0 {
		t.Row(in("待批准", "pending"), fmt.Sprintf(in("%d 个查询：atoll pending list", "%d queries: atoll pending list"), s.Pending))
	}
	for i := range s.Endings {
		t.Row(in("警告", "warning"), endingLine(&s.Endings[i], in))
	}
	if line := predicateLine(s.Predicates, in); line != "" {
		t.Row(in("核验", "verify"), line)
	}
	for i := range s.Registers {
		t.Row(in("数据源", "source"), registerLine(&s.Registers[i], in))
	}
	for _, line := range accountLines(s.Registers, in) {
		t.Row(in("警告", "warning"), line)
	}
	if line := clockLine(&s.Clock, in); line != "" {
		t.Row(in("警报", "ALARM"), line)
	}
	if len(s.Clock.Waits) > 0 {
		t.Row(in("等待", "waits"), fmt.Sprintf(in("网络时间落后，等待久未发言的成员：%s；无需操作，数小时内自行恢复", "network time is behind, waiting for members that have been silent for long: %s; it goes on within hours by itself"), strings.Join(s.Clock.Waits, " ")))
	}
	t.Row(in("时间", "time"), fmt.Sprintf(in("%s（网络时间）；本机时钟 %s", "%s (network time); this machine's clock %s"), cmp.Or(s.Time, in("未知", "none yet")), s.Clock.Time))
	t.Row(in("磁盘", "disk"), fmt.Sprintf(in("已用 %d %%", "%d %% used"), s.DiskUsed))
	t.Row(in("检查", "checked"), fmt.Sprintf(in("磁盘上的全部日志：%s", "all of the log on disk: %s"), cmp.Or(s.Checked, in("启动以来尚未完成", "not yet since the start"))))
	p.Table(t)
	p.Say("", "")
	t = p.Columns(cli.Text{Chinese: "全体成员", English: "all members"}, cli.Text{Chinese: "连接", English: "connection"}, cli.Text{Chinese: "职责", English: "duties"})
	for i := range s.Duties {
		d := &s.Duties[i]
		state := in("无法连通", "cannot be reached") // the node has just tried to connect
		if d.Member == s.Name {
			state = in("本成员", "this member")
		} else if d.Reached {
			state = in("已连接", "connected")
		}
		t.Row(d.Member, state, duties(d, in))
	}
	p.Table(t)
	return p.Err()
}

// standingLine says what a node waits for, or has lost, that is of no member; "" if
// it is of one.
func standingLine(s *node.Status, in func(chinese, english string) string) string {
	switch s.Standing {
	case node.StandingAwaited:
		return in("等待获准：其他成员批准（atoll member approve）且成为终局之后，各节点才与本节点连接", "waits for its admission: nodes connect to this one once enough members have approved (atoll member approve) and that is final")
	case node.StandingLeft:
		line := in("已被移出网络：不与任何节点连接，不提交任何内容", "REMOVED from the network: it connects to nobody and submits nothing")
		if s.Left != nil {
			line += fmt.Sprintf(in("（条目 %d，%s）", " (entry %d of %s)"), s.Left.Entry, s.Left.Time)
		}
		return line
	case node.StandingTaken:
		return in("网络中已有同代号而密钥不同的成员", "another member has this name, with other keys")
	}
	return ""
}

// scoutLine says what a node does, or has found, that hears no leader.
func scoutLine(s *node.Scout, in func(chinese, english string) string) string {
	switch s.State {
	case node.ScoutReplaying:
		return fmt.Sprintf(in("久未听到领导者：正在核对 %s 的日志，共 %d 个条目，以得知现由谁保管日志", "no leader has been heard for a while: the log of %s, of %d entries, is being verified to learn who keeps it now"), s.Member, s.Size)
	case node.ScoutFound:
		return fmt.Sprintf(in("已由 %s 的日志得知 %d 个条目处的全体成员；本机日志达到该处之前以此为准", "the members at %[2]d entries are known from the log of %[1]s; they count until the log here is as long"), s.Member, s.Size)
	}
	return in("久未听到领导者：能连通的成员均没有比本机更新的终局；会自动再查。若始终无一成员可以连通，其地址可能都已变更：见 atoll member refresh", "no leader has been heard for a while, and no member that answers has a newer final head; it is tried again by itself. If no member can be reached at all, their addresses may have changed: see atoll member refresh")
}

// predicateLine says why this agency answers no predicate now; "" if it does.
func predicateLine(p *node.PredicateStatus, in func(chinese, english string) string) string {
	switch {
	case p == nil:
		return ""
	case p.Blocked != "":
		return fmt.Sprintf(in("有一条本机构自己的放行无法读回，在 %s 之前不再答复条件", "an own release cannot be read back: no condition is answered before %s"), p.Blocked)
	case !p.Counted:
		return fmt.Sprintf(in("正在从日志读回已答复的条件（%d/%d 个条目），读完后才答复", "reading back from the log which conditions were answered (%d of %d entries); none is answered before that is done"), p.Read, p.Of)
	}
	return ""
}

// registerLine describes the state of a dataset of this agency, and why it
// cannot be answered.
func registerLine(r *node.Register, in func(chinese, english string) string) string {
	line := fmt.Sprintf(in("%s：%d 行", "%s: %d rows"), r.Dataset, r.Rows)
	switch {
	case r.Checked == "":
		line = fmt.Sprintf(in("%s：首次检查尚未完成", "%s: the first check is not done"), r.Dataset)
	case r.Live:
		line += in("，实时", ", live")
	case r.AsOf != "":
		line += fmt.Sprintf(in("，截至 %s", ", as of %s"), r.AsOf)
	}
	if r.Checking != "" {
		line += fmt.Sprintf(in("；自 %s 起正在检查全部代码", "; its keys are being checked since %s"), r.Checking)
	}
	if r.Mended > 0 {
		line += fmt.Sprintf(in("；%d 行的代码书写不规范，照常计入", "; %d keys written otherwise, which count"), r.Mended)
	}
	if r.Others > 0 {
		line += fmt.Sprintf(in("；%d 行属于其他主体", "; %d rows of others"), r.Others)
	}
	if r.Aside > 0 {
		line += fmt.Sprintf(in("；%d 行代码无法识别，已登记搁置", "; %d rows of unknown owner set aside"), r.Aside)
	}
	if r.Problem != "" {
		line += in("；无法作答：", "; CANNOT ANSWER: ") + failureWords(r.Problem, r.ProblemError, in)
	}
	if r.Failed > 0 {
		line += fmt.Sprintf(in("；启动以来 %d 次查询失败，最近一次 %s：%s", "; %d questions failed since the start, the last at %s: %s"), r.Failed, r.LastAt, failureWords(r.Last, r.LastError, in))
	}
	return line
}

// accountLines says of each source that this node could write to, by what right,
// and of each that does not show the queries of an answer one state.
func accountLines(registers []node.Register, in func(chinese, english string) string) (lines []string) {
	said, mixed := map[string]bool{}, map[string]bool{}
	for _, r := range registers {
		if r.Straddles != nil && !mixed[r.Source] {
			mixed[r.Source] = true
			lines = append(lines, fmt.Sprintf(in("数据源 %s 不能让一次作答的各次查询看到同一时点：%s", "the source %s does not show the queries of an answer one state: %s"), r.Source, in(r.Straddles.Chinese(), r.Straddles.Error())))
		}
		if r.Account != nil && !said[r.Source] {
			said[r.Source] = true
			lines = append(lines, fmt.Sprintf(in("本节点可以改写数据源 %s：%s", "this node could write to the source %s: %s"), r.Source, in(r.Account.Chinese(), r.Account.Error())))
		}
	}
	return lines
}

// failureWords describes why a dataset could not be answered: the source's
// error, or the reason of an answer.
func failureWords(text string, e *source.Error, in func(chinese, english string) string) string {
	if e != nil {
		return in(e.Chinese(), e.Error())
	}
	if words, ok := reason.Says(text); ok {
		text = in(words.Chinese, words.English) + in("（"+text+"）", " ("+text+")")
	}
	return text
}

// clockLine describes what is wrong with the time and what to do; "" if nothing
// is wrong.
func clockLine(c *node.ClockStatus, in func(chinese, english string) string) string {
	switch c.Problem {
	case "":
		return ""
	case node.ClockRefused:
		return fmt.Sprintf(in("日志拒绝本成员报时（%s）：本机时钟为 %s，自 %s 起；请校准时钟", "the log refuses this member's time (%s): its clock says %s, since %s; set it right"), c.Verdict, c.Time, c.Since)
	case node.ClockAhead:
		return fmt.Sprintf(in("本成员的时钟快于其他成员：%s，自 %s 起；请校准时钟", "this member's clock is ahead of the others': %s, since %s; set it right"), c.Time, c.Since)
	case node.ClockBehind:
		return fmt.Sprintf(in("本成员的时钟慢于网络时间：%s，自 %s 起；请校准时钟", "this member's clock is behind network time: %s, since %s; set it right"), c.Time, c.Since)
	case node.NetworkAhead:
		return fmt.Sprintf(in("网络时间快于多数成员的时钟（本机 %s），自 %s 起：多数投票者的时钟有误；他们校准后一天内恢复", "network time is ahead of most members' clocks (this one's says %s), since %s: those of a majority of the voters are wrong; it is right a day after they are"), c.Time, c.Since)
	}
	return c.Problem
}

// majorityLine describes which voters this member is connected to, and how many
// of them the log needs.
func majorityLine(s *node.Status, in func(chinese, english string) string) string {
	var seen []string
	for _, v := range s.Voters {
		if v == s.Name || slices.Contains(s.Connected, v) {
			seen = append(seen, v)
		}
	}
	return fmt.Sprintf(in("投票者 %s 中须有 %d 个，可见：%s", "of the voters %s it takes %d, and this member sees %s"),
		strings.Join(s.Voters, " "), len(s.Voters)/2+1, cmp.Or(strings.Join(seen, " "), in("无", "none")))
}

// lackLine describes since when nothing has become final, and which cosigners
// are waited for.
func lackLine(l *node.NotFinal, in func(chinese, english string) string) string {
	line := in("尚无终局", "nothing is final yet")
	if l.Since != "" {
		line = fmt.Sprintf(in("自 %s 起没有新的终局", "nothing is final since %s"), l.Since)
	}
	if len(l.Missing) == 0 {
		return line
	}
	line += fmt.Sprintf(in("，缺少：%s", ", missing: %s"), strings.Join(l.Missing, " "))
	if l.Handover {
		line += in("；交接尚未终局，原共签人仍须运行", "; the handover is not final, and those who cosigned before still have to run")
	}
	return line + fmt.Sprintf(in("（共签人 %[2]s 中须有 %[1]d 位签署）", " (%d of %s have to sign)"), l.Quorum, strings.Join(l.Of, " "))
}

// witnessLine describes the state of an outside witness. If it has cosigned
// before and does not now, the line contains both.
func witnessLine(s witness.State, in func(chinese, english string) string) string {
	line := s.Name
	if s.Required {
		line += in("（必需）", " (required)")
	}
	if s.Size > 0 {
		line += fmt.Sprintf(in("：%d 个条目，%s", ": %d entries at %s"), s.Size, s.Time)
	} else {
		line += in("：尚无共签", ": nothing yet")
	}
	if s.Error != "" {
		line += in("；最近一次尝试：", "; last attempt: ") + s.Error
	}
	return line
}
