package main

import (
	"cmp"
	"context"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func memberShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show NAME|PROPOSER/ID",
		Short: cli.Both("显示成员的名片及其历次变更，或一项提议", "Show a member's card and its history, or a proposal"),
		Long:  cli.Both("提议的编号可只给出前八个以上字符。", "The first eight or more characters of a proposal's id will do."),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			if strings.Contains(args[0], "/") {
				a, err := readProposal(cmd.Context(), dir, args[0])
				if err != nil {
					return err
				}
				if cli.AsJSON(cmd) {
					return cli.PrintJSON(cmd.OutOrStdout(), "atoll.amendment/v1", a)
				}
				a.print(t, true)
				return t.Err()
			}
			var got api.MemberShowOut
			if err := local(cmd.Context(), dir, api.MemberShow, api.MemberIn{Name: args[0]}, &got); err != nil {
				return err
			}
			m, err := memberShowViewOf(&got)
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.member/v1", m)
			}
			m.print(t)
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

// readProposal asks the node for a proposal, written as PROPOSER/ID.
func readProposal(ctx context.Context, dir, text string) (*amendmentView, error) {
	in, err := proposalNamed(text)
	if err != nil {
		return nil, err
	}
	var got api.AmendmentOut
	if err := local(ctx, dir, api.ProposalShow, in, &got); err != nil {
		return nil, err
	}
	return amendmentViewOf(&got)
}

// proposalNamed reads PROPOSER/ID.
func proposalNamed(text string) (in api.ApproveIn, err error) {
	proposer, id, ok := strings.Cut(text, "/")
	if !ok {
		return in, cli.Usage("提议应写作 tax/0199…：atoll member list 列出未决的提议，共签人的见 atoll cosigners show", "a proposal is like tax/0199…: atoll member list lists those that are open, atoll cosigners show those of cosigners")
	}
	return api.ApproveIn{Proposer: proposer, ID: id}, nil
}

// print prints a member's card and where it comes from.
func (m *memberShowView) print(t *cli.Printer) {
	describeCard(t, &m.card, true)
	if m.LeftEntry == 0 {
		t.Row("  职责", "  duties", m.duties(t))
	} else {
		t.Row("  职责", "  duties", t.In("无，已退出网络", "none, it has left the network"))
	}
	for i := range m.Cards {
		h := &m.Cards[i]
		what := t.Fill("条目 %d，%s：名片 %s", "entry %d, %s: card %s", h.Entry, h.Time, cardFingerprint(&h.card))
		t.Row("历次变更", "history", what)
		switch {
		case h.Agreed != nil:
			agreedRow(t, h.Agreed)
		case h.Entry == 0:
			t.Row("  依据", "  by", t.In("创世", "founding"))
		default:
			t.Row("  依据", "  by", t.In("该成员自行更改", "the member itself"))
		}
		if i > 0 {
			changedRows(t, &m.Cards[i-1].card, &h.card)
		}
	}
	for _, v := range m.Votes {
		if v.Votes {
			t.Row("历次变更", "history", t.Fill("条目 %d，%s：成为投票者", "entry %d, %s: it votes from here on", v.Entry, v.Time))
		} else {
			t.Row("历次变更", "history", t.Fill("条目 %d，%s：不再是投票者", "entry %d, %s: it votes no longer", v.Entry, v.Time))
		}
		if v.Agreed != nil {
			agreedRow(t, v.Agreed)
		} else {
			t.Row("  依据", "  by", t.In("创世", "founding"))
		}
	}
	if m.LeftEntry == 0 {
		return
	}
	t.Row("历次变更", "history", t.Fill("条目 %d，%s：退出网络", "entry %d, %s: it left the network", m.LeftEntry, m.Left))
	if m.LeftAgreed != nil {
		agreedRow(t, m.LeftAgreed)
	}
	if m.TrustEnd > 0 {
		t.Row("信任截止", "trust ends", t.Fill("其自条目 %d 起签发的凭证无效", "its credentials of entry %d and later are void", m.TrustEnd))
	}
}

// agreedRow prints who agreed on a change.
func agreedRow(t *cli.Printer, a *api.AgreedOut) {
	t.Row("  依据", "  by", t.Fill("%s 的提议（条目 %d），同意者：%s", "a proposal of %s (entry %d), approved by %s", a.Proposer, a.Proposed, rollOf(a.Approved)))
}

// changedRows prints what one card has that another has not.
func changedRows(t *cli.Printer, before, after *ledger.Card) {
	row := func(chinese, english cli.Words, was, is []string) {
		if a, b := strings.Join(was, " "), strings.Join(is, " "); a != b {
			t.Row(chinese, english, t.Fill("%s → %s", "%s → %s", rollOf(was), cmp.Or(string(rollOf(is)), t.In("无", "none"))))
		}
	}
	row("  中文名称", "  in Chinese", []string{before.Chinese}, []string{after.Chinese})
	row("  英文名称", "  in English", []string{before.English}, []string{after.English})
	row("  角色", "  roles", roleWords(t, before), roleWords(t, after))
	row("  地址", "  addresses", before.Addresses, after.Addresses)
}

// roleWords are the roles of a card with their days.
func roleWords(t *cli.Printer, c *ledger.Card) (list []string) {
	for _, r := range c.Roles {
		list = append(list, string(t.Fill("%s（%s 至 %s）", "%s (%s until %s)", roleText(r.Name, t.In), r.NotBefore, r.NotAfter)))
	}
	return list
}

// print prints all that a proposal says, and how it stands. The fingerprint of a
// newcomer's card is left out before somebody types it.
func (a *amendmentView) print(t *cli.Printer, fingerprint bool) {
	t.Row("提议", "proposal", t.Fill("%s/%s，条目 %d", "%s/%s, entry %d", a.Proposer, a.ID, a.Entry))
	t.Row("变更", "change", a.words(t))
	switch a.Change {
	case api.AddsMember:
		describeCard(t, a.after, fingerprint)
		t.Say("请与 %s 电话核对名片指纹；接纳成为终局后，各节点即与其连接", "compare the fingerprint of the card with %s by telephone; nodes connect to it once its admission is final", a.Member)
	case api.ChangesRoles:
		if a.before != nil {
			changedRows(t, a.before, a.after)
		}
	case api.RemovesMember:
		if a.before != nil {
			describeCard(t, a.before, true)
		}
		if a.TrustEnd > 0 {
			t.Row("信任截止", "trust ends", t.Fill("其自条目 %d 起签发的凭证无效", "its credentials of entry %d and later are void", a.TrustEnd))
		}
		a.voterRow(t)
		t.Say("其代号和密钥不能再用，未决的提议随之结束", "its name and keys never serve again, and its open proposals end")
	case api.ChangesVoters:
		a.voterRow(t)
	case api.ChangesPurposes:
		t.Say("现行：", "in force:")
		purposeRows(t, api.PurposesOf(a.PurposesBefore))
		t.Say("拟改为：", "then:")
		purposeRows(t, api.PurposesOf(a.PurposesAfter))
	}
	t.Row("已同意", "approved by", cmp.Or(string(rollOf(a.Approved)), t.In("无", "nobody")))
	t.Row("还须", "needed", t.Fill("以下成员中的 %d 个：%s", "%d of these: %s", a.Needed, rollOf(a.Missing)))
	t.Row("失效", "ends", t.Fill("%s（网络时间）", "%s, network time", a.Ends))
	a.warn(t)
}
