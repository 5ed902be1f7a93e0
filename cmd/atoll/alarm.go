package main

import (
	"fmt"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func alarmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alarm",
		Short: cli.Both("查看和确认警报", "List alarms and acknowledge them"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(alarmListCommand(), alarmAcknowledgeCommand())
	return cmd
}

func alarmListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出成员的全部警报，包括已确认的", "List a member's alarms, those that are acknowledged too"),
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
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.alarms/v1", s.Alarms)
			}
			if len(s.Alarms) == 0 {
				t.Say("没有警报", "no alarms")
			}
			for i := range s.Alarms {
				t.Say("%s\n  %s", "%s\n  %s", alarmLine(&s.Alarms[i], t.In), alarmAction(&s.Alarms[i], dir, t.In))
			}
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

func alarmAcknowledgeCommand() *cobra.Command {
	var dir string
	var in api.AcknowledgeIn
	cmd := &cobra.Command{
		Use:   "acknowledge ID",
		Short: cli.Both("确认警报：记下何人已见、如何处理", "Note who has seen an alarm, and what was done"),
		Long: cli.Both(`记下何人已见某警报、如何处理。不删除任何内容：警报、证据和记录都留在成员的文件夹，
由 atoll alarm list 显示；此后 status 只计其数，不再逐条显示。

没有编号的警报会自行结束，无需确认。`, `Notes who has seen an alarm and what was done about it. Nothing is deleted: alarm,
evidence and note stay in the member's folder, and atoll alarm list shows them.
Status then counts the alarm instead of showing it.

An alarm without an id ends by itself and is not acknowledged.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.ID = args[0]
			var got node.Alarm
			if err := local(cmd.Context(), dir, api.AlarmAcknowledge, in, &got); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.alarm/v1", got, "已记录：%s 于 %s 确认警报 %s\n证据仍在 %s", "noted: %s acknowledged alarm %[3]s at %[2]s\nthe evidence stays in %[4]s",
				in.Body.By, got.Acknowledged.At, got.ID, got.Evidence)
		},
	}
	cmd.Flags().StringVar(&in.Body.By, "by", "", cli.Both("何人已见", "who has seen it"))
	cmd.Flags().StringVar(&in.Body.Note, "note", "", cli.Both("查明的情况或所做的处理", "what was found or done"))
	memberFlags(cmd, &dir)
	return cli.Needs(cmd, "by", "note")
}

// alarmWords are the Chinese texts of alarms, by kind: what is wrong and what
// to do.
var alarmWords = map[string]saying{
	node.AlarmHistories: {"日志出现两种历史", "保留证据；与其他成员电话核对该条目数下的根，并告知监管方"},
	node.AlarmForgotten: {"本成员签署过自己不记得的日志头", "此文件夹是旧副本，或另有节点使用其密钥：请停止该节点；切勿从备份恢复成员的记忆；磁盘丢失后只以备份重新启动的，属预期之事"},
	node.AlarmLiar:      {"某成员发来诚实成员不会发送的内容", "保留证据；联系该成员的运维人员，并告知监管方"},
	node.AlarmTwin:      {"另有节点在用本成员的密钥", "找到另一个节点（本文件夹的副本、恢复的备份、另一台机器）并停止它：保留名片所列地址上、文件夹完整的那一个；并无另一个节点的，密钥已被盗：请其他成员移出本成员（atoll member remove --trust-end 条目），另以新代号加入"},
	node.AlarmClock:     {"本机时钟与网络时间曾不一致", "用时间服务器校准本机时钟"},
	node.AlarmEvidence:  {"有证据文件无法读取", "查看所列文件；用副本放回，或注明其内容"},
	node.AlarmMachine:   {"本机资源不足", "补足所缺资源；警报会自行解除"},
	node.AlarmCatalog:   {"本机构的目录不在日志上", "按所示信息处理；目录进入日志后警报自行解除"},
	node.AlarmUnled:     {"领导者联系不到本节点", "在另一成员处运行 atoll status；那里的日志仍在增加的，查明是否另有节点在用本成员的密钥（本文件夹的副本、另一台机器）并停止它，并核对领导者能否连到名片所列地址；警报会自行解除"},
	node.AlarmOutside:   {"本节点不属于网络的任何现任成员", "询问其他成员由谁批准（在其处运行 atoll member show 成员）；代号和密钥只用一次：要重新加入，须以另一代号申请"},
	node.AlarmOperators: {"经办人日志的文件已损坏", "保留所列文件，审计方可能需要；以 atoll operators verify 查看尚存的记录；检查磁盘，并告知监管方"},
	node.AlarmTokens:    {"令牌文件曾损坏", "重新制作令牌；或停止节点，放回 tokens.json 的副本：此后收回的令牌仍然无效"},
	node.AlarmEndings:   {"无法得知哪些角色即将到期", "查看节点日志；若持续，重启节点"},
}

// alarmLine returns what is wrong, since when, and where the evidence is.
func alarmLine(a *node.Alarm, in func(chinese, english string) string) string {
	what, _ := cli.InWords(a.What, consent.Chinese)
	line := in(fmt.Sprintf("%s（%s）", alarmWords[a.Kind].what, what), a.What)
	if a.Since != "" {
		line = a.Since + " " + line
	}
	if a.Evidence != "" {
		line += fmt.Sprintf(in("；证据：%s", "; evidence: %s"), a.Evidence)
	}
	return line
}

// alarmAction returns what to do about an alarm of a folder's member. For an
// acknowledged alarm it returns who acknowledged it and what was done.
func alarmAction(a *node.Alarm, dir string, in func(chinese, english string) string) string {
	if k := a.Acknowledged; k != nil {
		return fmt.Sprintf(in("%s 于 %s 确认：%s", "acknowledged by %s at %s: %s"), k.By, k.At, k.Note)
	}
	line := in(alarmWords[a.Kind].hint, a.Action)
	if a.ID != "" {
		line += fmt.Sprintf(in("；处理后：atoll alarm acknowledge %s --dir %s --by 姓名 --note 说明", "; then: atoll alarm acknowledge %s --dir %s --by NAME --note TEXT"), a.ID, word(dir))
	}
	return line
}

// duties describes what the network needs a member for.
func duties(d *node.Duty, in func(chinese, english string) string) string {
	list := []string{}
	for _, role := range d.Roles {
		list = append(list, roleText(role, in))
	}
	if d.Voter {
		list = append(list, in("投票者", "voter"))
	}
	if d.Cosigner {
		list = append(list, in("共签人", "cosigner"))
	}
	return strings.Join(list, " ")
}

// catalogLine describes the state of an agency's catalog on the log.
func catalogLine(c *node.CatalogStatus, in func(chinese, english string) string) string {
	switch c.State {
	case node.CatalogOnLog:
		return fmt.Sprintf(in("版本 %d，条目 %d", "version %d, entry %d"), c.Version, c.Entry)
	case node.CatalogWaiting:
		return fmt.Sprintf(in("版本 %d，尚未进入日志：暂不答复查询", "version %d is not on the log yet: no query is answered before it is"), c.Version)
	}
	return fmt.Sprintf(in("版本 %d 已过时：日志上是版本 %d（条目 %d），不答复查询；请提高 version 后重启节点", "version %d is STALE: the log has version %d (entry %d), and no query is answered; raise version and restart the node"), c.Version, c.Logged, c.Entry)
}
