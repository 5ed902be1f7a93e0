package main

import (
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func memberPurposesCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "purposes FILE",
		Short: cli.Both("提议更改用途及其上限", "Propose other purposes, and what is allowed for them"),
		Long: cli.Both(`提议以文件所载的用途（YAML，与 atoll genesis draft --purposes 相同）取代现行的全部用途。
文件中没有的用途，此后不再是用途。`, `Proposes the purposes of a file (YAML, as for atoll genesis draft --purposes) in place
of all that are in force. A purpose that is not in the file is none from then on.`),
		Example: "  atoll member purposes --dir tax purposes.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			purposes, err := readPurposes(args[0])
			if err != nil {
				return err
			}
			var got api.ProposedOut
			if err := local(cmd.Context(), dir, api.MemberPurposes, api.PurposesIn(purposes), &got); err != nil {
				return err
			}
			return announceProposed(cmd, &got)
		},
	}
	return personFlag(memberFlags(cmd, &dir))
}

func memberVotersCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "voters NAME...",
		Short: cli.Both("提议由哪些成员投票", "Propose which members vote"),
		Long: cli.Both(`提议由所列成员保存日志：3、5 或 7 个，列出全部，取代现行的投票者。每次至多换入不足半数。
生效之后，领导者逐个给予和收回投票资格，全部完成后在日志中声明已落实；无需停止网络。
atoll member list 显示谁投票、是否落实。落实之后再停止或移除此前的投票者，再换其余：
离线期间投票者全部更换的成员，无法认出新的领导者。`, `Proposes that these members keep the log: 3, 5 or 7, all of them, in place of those that
vote now. Fewer than half may be new at a time. Once it counts, the leader gives and
takes votes one at a time, and states on the log when that is done: it is settled then.
The network goes on meanwhile. atoll member list shows who votes, and whether that is
settled. Only then stop or remove those that voted before, and change the rest. A member
that was away while all voters changed does not know the new leader.`),
		Example: "  atoll member voters --dir tax auditor bank tax",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			voters := strings.Split(strings.Join(args, ","), ",") // as atoll member remove --voters takes them
			if err := checkVoters("voters", voters); err != nil {
				return err
			}
			var got api.ProposedOut
			if err := local(cmd.Context(), dir, api.MemberVoters, api.MemberVotersIn{Voters: voters}, &got); err != nil {
				return err
			}
			return announceProposed(cmd, &got)
		},
	}
	return personFlag(memberFlags(cmd, &dir))
}

// checkVoters returns an error for a number of voters that no network has, or one
// that is given twice.
func checkVoters(where string, names []string) error {
	if n := len(names); n != 3 && n != 5 && n != 7 {
		return cli.Usage("投票者须为 3、5 或 7 个，不是 %d 个", "there have to be 3, 5 or 7 voters, not %d", n)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return cli.Usage("%s：%s 重复", "%s: %s is there twice", where, name)
		}
	}
	return nil
}

// voterRow prints who votes then, if a proposal says so.
func (a *amendmentView) voterRow(t *cli.Printer) {
	if len(a.VotersAfter) > 0 {
		t.Row("投票者", "voters", t.Fill("%s → %s", "%s → %s", rollOf(a.VotersBefore), rollOf(a.VotersAfter)))
	}
}
