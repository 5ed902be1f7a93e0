package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func memberCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: cli.Both("列出成员；提议、同意成员的加入、变更和退出", "List the members; propose and approve that they join, change and leave"),
		Long: cli.Both(`谁是成员由日志决定：任一成员提议，足数成员同意，下一条目起生效；无需重启任何节点。
提议 14 天后失效。成员自己的地址由其自行更改。
新成员先运行 atoll join。投票者退出时须同时提名此后的投票者（remove --voters）。`, `The log decides who is a member: any member proposes, enough members approve, and it
counts from the next entry on. Nobody needs to start again. A proposal ends after 14
days. A member changes its own addresses by itself. A newcomer begins with atoll join.
A voter leaves together with a proposal of who votes then (remove --voters).`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(memberListCommand(), memberShowCommand(), memberUpdateCommand(), memberRolesCommand(), memberApplicationCommand(), memberAddCommand(),
		memberRemoveCommand(), memberPurposesCommand(), memberVotersCommand(), memberApproveCommand(), memberWithdrawCommand(), memberRefreshCommand())
	return cmd
}

func memberListCommand() *cobra.Command {
	var dir string
	var in api.MembersIn
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出成员和未决的提议", "List the members, and the proposals that are open"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var got api.MembersOut
			if err := local(cmd.Context(), dir, api.Members, in, &got); err != nil {
				return err
			}
			view, err := membersViewOf(&got)
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.members/v1", view)
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			view.print(t)
			return t.Err()
		},
	}
	cmd.Flags().BoolVar(&in.All, "all", false, cli.Both("一并列出已退出的成员", "those that have left too"))
	return memberFlags(cmd, &dir)
}

// print prints a row for each member and a line for each proposal.
func (v *membersView) print(t *cli.Printer) {
	table := t.Columns(cli.Text{Chinese: "成员", English: "member"}, cli.Text{Chinese: "中文名称", English: "in Chinese"}, cli.Text{Chinese: "英文名称", English: "in English"},
		cli.Text{Chinese: "角色", English: "duties"}, cli.Text{Chinese: "自条目", English: "since"}, cli.Text{Chinese: "连接", English: "connected"})
	for i := range v.Members {
		m := &v.Members[i]
		state := t.In("未连接", "no")
		switch {
		case m.LeftEntry > 0:
			state = string(t.Fill("已退出，条目 %d", "left by entry %d", m.LeftEntry))
		case m.Connected:
			state = t.In("已连接", "yes")
		}
		table.Row(m.Name, m.card.Chinese, m.card.English, m.duties(t), strconv.FormatUint(m.Entry, 10), state)
	}
	t.Table(table)
	if v.Voters != nil && !v.Voters.Settled {
		t.Say("投票者 %s 自条目 %d 起，尚未落实：领导者逐个给予和收回投票资格", "voters %s from entry %d on, not settled yet: the leader gives and takes votes one at a time", rollOf(v.Voters.Names), v.Voters.From)
	}
	for i := range v.Proposals {
		v.Proposals[i].line(t)
	}
	switch {
	case len(v.Proposals) == 0:
	case slices.ContainsFunc(v.Proposals, func(a amendmentView) bool { return !a.void() }):
		t.Say("网络时间 %s\n下一步：atoll member show --dir 文件夹 提议者/编号，atoll member approve --dir 文件夹 提议者/编号", "network time %s\nnext: atoll member show --dir DIR PROPOSER/ID, atoll member approve --dir DIR PROPOSER/ID", v.Time)
	default:
		t.Say("网络时间 %s\n下一步（提议者）：atoll member withdraw --dir 文件夹 编号；仍需要的，重新提议", "network time %s\nnext, who proposed it: atoll member withdraw --dir DIR ID; what is still wanted is proposed anew", v.Time)
	}
}

// duties describes what a member is there for.
func (m *memberView) duties(t *cli.Printer) string {
	list := []string{}
	for _, role := range m.card.RoleNames() {
		list = append(list, roleText(role, t.In))
	}
	if m.Voter {
		list = append(list, t.In("投票者", "voter"))
	}
	if m.Cosigner {
		list = append(list, t.In("共签人", "cosigner"))
	}
	return strings.Join(list, " ")
}

// line prints a proposal on one line, and a second one if it is void.
func (a *amendmentView) line(t *cli.Printer) {
	t.Say("提议 %s/%s：%s；已同意：%s；还须 %d 个；%s 失效", "proposed %s/%s: %s; approved by %s; %d more needed; ends %s",
		a.Proposer, a.ID, a.words(t), cmp.Or(string(rollOf(a.Approved)), t.In("无", "nobody")), a.Needed, a.Ends)
	a.warn(t)
}

// void reports whether a proposal cannot come into force any more.
func (a *amendmentView) void() bool { return a.Verdict != string(ledger.Accepted) }

// warn says that a proposal is void, or that another one will make it so.
func (a *amendmentView) warn(t *cli.Printer) {
	if !a.void() {
		othersRow(t, a.Others)
		return
	}
	t.Say("  已不能生效：%s（%s）；由提议者撤回：atoll member withdraw", "  it cannot come into force any more:%.0s %s; its proposer withdraws it: atoll member withdraw", sayings[a.Verdict].what, a.Verdict)
}

// othersRow names the open proposals that are about the same as another.
func othersRow(t *cli.Printer, others []string) {
	if len(others) > 0 {
		t.Say("  另有提议涉及同一事项：%s；其中一项生效，其余即不能生效", "  also proposed about the same: %s; once one of them counts, the others cannot any more", rollOf(others))
	}
}

// words says what a proposal changes.
func (a *amendmentView) words(t *cli.Printer) cli.Filled {
	switch a.Change {
	case api.AddsMember:
		return t.Fill("接纳 %s（%s %s），角色 %s", "admit %s (%s %s), %s", a.Member, a.after.Chinese, a.after.English, strings.Join(a.after.RoleNames(), " "))
	case api.ChangesRoles:
		return t.Fill("更改 %s 的角色或名称，角色 %s", "change roles or titles of %s, to %s", a.Member, strings.Join(a.after.RoleNames(), " "))
	case api.RemovesMember:
		return t.Fill("令 %s 退出", "remove %s", a.Member)
	case api.ChangesVoters:
		return t.Fill("更换投票者", "change the voters")
	}
	return t.Fill("更改用途", "change the purposes")
}
