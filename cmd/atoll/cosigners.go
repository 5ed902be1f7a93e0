package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/node/api"
	"atoll/node/problem"

	"github.com/spf13/cobra"
)

func cosignersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cosigners",
		Short: cli.Both("显示由谁使日志达终局，并办理交接", "Show who makes the log final, and hand over to others"),
		Long: cli.Both(`共签人中足数者签署，日志才达终局。共签人的交接记入日志：任一成员提出新的共签人，
现任共签人足数同意，由其中一位办理交接；无需重启任何节点。`, `A quorum of cosigners makes the log final. They hand over on the log: any
member proposes others, a quorum of those in force approves, one of them hands
over. Nobody needs to start again.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(cosignersShowCommand(), cosignersProposeCommand(), cosignersApproveCommand(), cosignersHandoverCommand())
	return cmd
}

func memberFlags(cmd *cobra.Command, dir *string) *cobra.Command {
	cmd.Flags().StringVar(dir, "dir", "", cli.Both("节点正在运行的成员的文件夹", "the folder of a member whose node is running"))
	return cli.Needs(cmd, "dir")
}

func cosignersShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show",
		Short: cli.Both("列出现任与提名的共签人", "List the cosigners in force, and those proposed"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			var got api.CosignersOut
			if err := local(cmd.Context(), dir, api.Cosigners, api.CosignersIn{}, &got); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.cosigners/v1", got)
			}
			t := cli.On(cmd, cmd.OutOrStdout(), lang)
			printCosigners(t, &got)
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

func printCosigners(t *cli.Printer, got *api.CosignersOut) {
	if got.Pending != nil {
		t.Say("交接尚未终局，原共签人须保持运行：%s\n下一步：atoll cosigners handover（等到完成）", "the handover is not final, and those before have to stay up: %s\nnext: atoll cosigners handover, which waits for that", setWords(t, *got.Pending))
	}
	t.Say("现任共签人（自 %d 个条目之后）：%s", "in force after %d entries: %s", got.After, setWords(t, got.Set))
	for _, p := range got.Proposals {
		t.Say("提名 %s/%s：%s；已同意：%s", "proposed %s/%s: %s; approved by %s", p.Proposer, p.ID, setWords(t, p.Set), strings.Join(p.Approved, " "))
	}
	if got.Approved != nil {
		t.Say("已获同意，待交接：%s\n下一步（任一现任共签人）：atoll cosigners handover", "approved, to be handed over to: %s\nnext, any cosigner in force: atoll cosigners handover", setWords(t, *got.Approved))
	}
}

func setWords(t *cli.Printer, s api.CosignerSet) cli.Filled {
	return quorumWords(t, s.Cosigners, int(s.Quorum), int(s.Faults))
}

func cosignersProposeCommand() *cobra.Command {
	var dir string
	var set api.CosignerSet
	cmd := &cobra.Command{
		Use:   "propose --cosigner A,B,C",
		Short: cli.Both("提名新的共签人，取代本成员此前的提名", "Propose other cosigners, in place of this member's last proposal"),
		Long: cli.Both(`在日志上提名新的共签人；提名者若为现任共签人，即视为同意。须满足 k > (n+f)/2 且 k < n，
即允许一个缺席。`, `Proposes cosigners on the log. Where this member is a cosigner in force it approves
with that. --quorum k and --faults f must satisfy k > (n+f)/2 of n cosigners, and
k < n: one may be away.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			slices.Sort(set.Cosigners)
			n := len(set.Cosigners)
			if err := tooFew(n); err != nil {
				return err
			}
			if set.Quorum == 0 {
				set.Quorum = uint8(min(ledger.DefaultQuorum(n), 255))
			}
			if !cmd.Flags().Changed("faults") {
				set.Faults = uint8(min(ledger.Withstands(n, int(set.Quorum)), 255))
			}
			var got api.ProposalOut
			if err := local(cmd.Context(), dir, api.CosignersPropose, set, &got); err != nil {
				return err
			}
			if err := warnFew(cmd, n, int(set.Faults)); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.proposal/v1", got, "已提名，条目 %d\n下一步（现任共签人）：atoll cosigners approve --dir 文件夹 %s/%s", "proposed, entry %d\nnext, cosigners in force: atoll cosigners approve --dir DIR %s/%s", got.Entry, got.Proposer, got.ID)
		},
	}
	cmd.Flags().StringSliceVar(&set.Cosigners, "cosigner", nil, cli.Both("将担任共签人的成员", "members that shall cosign"))
	cmd.Flags().Uint8Var(&set.Quorum, "quorum", 0, cli.Both("k：使日志达终局的共签数（默认三分之二加一）", "k: cosignatures that make the log final (default: two thirds and one)"))
	cmd.Flags().Uint8Var(&set.Faults, "faults", 0, cli.Both("f：可容忍的说谎共签人数（默认为 k 所能容忍的）", "f: lying cosigners to withstand (default: as many as k does)"))
	return cli.Needs(personFlag(memberFlags(cmd, &dir)), "cosigner")
}

func cosignersApproveCommand() *cobra.Command {
	var dir string
	var yes bool
	cmd := &cobra.Command{
		Use:   "approve PROPOSER/ID",
		Short: cli.Both("显示提名，并以现任共签人身份同意", "Show a proposal, and approve it as a cosigner in force"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := proposalNamed(args[0])
			if err != nil {
				return err
			}
			if err := agreeToCosigners(cmd, dir, in, yes); err != nil {
				return err
			}
			var got api.StatementOut
			if err := local(cmd.Context(), dir, api.CosignersApprove, in, &got); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.approval/v1", map[string]any{"entry": got.Entry}, "已同意，条目 %d", "approved, entry %d", got.Entry)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, cli.Both("不再询问：提名已阅读", "do not ask: the proposal was read"))
	return personFlag(memberFlags(cmd, &dir))
}

// agreeToCosigners shows a proposal, and returns nil once somebody agrees to it. Of
// one that is not open, or approved by this member already, the node says so.
func agreeToCosigners(cmd *cobra.Command, dir string, in api.ApproveIn, yes bool) error {
	c, err := readConfig(dir)
	if err != nil {
		return err
	}
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	var got api.CosignersOut
	if err := local(cmd.Context(), dir, api.Cosigners, api.CosignersIn{}, &got); err != nil {
		return err
	}
	at := slices.IndexFunc(got.Proposals, func(p api.ProposalOut) bool { return p.Proposer == in.Proposer && p.ID == in.ID })
	if at < 0 || slices.Contains(got.Proposals[at].Approved, c.Name) {
		return nil
	}
	if now := got.Set.Cosigners; !slices.Contains(now, c.Name) {
		return &said{
			error:   problem.New(string(ledger.AuthorRole), fmt.Sprintf("%s is no cosigner in force", c.Name)),
			chinese: c.Name + " 不是现任共签人",
			hint:    "由现任共签人同意：" + strings.Join(now, " "),
			english: "those in force approve: " + strings.Join(now, " "),
		}
	}
	t.Say("现任共签人：%s", "in force: %s", setWords(t, got.Set))
	t.Say("提名的共签人：%s", "proposed: %s", setWords(t, got.Proposals[at].Set))
	if yes || t.Err() != nil {
		return t.Err()
	}
	return confirm(cmd, t.Lang, cli.Text{Chinese: "同意", English: "approve"}, cli.Text{Chinese: "先阅读提名（atoll cosigners show）", English: "read the proposal (atoll cosigners show)"})
}

func cosignersHandoverCommand() *cobra.Command {
	var dir string
	var p patience
	cmd := &cobra.Command{
		Use:   "handover",
		Short: cli.Both("办理交接，使获同意的共签人就任", "Put the approved cosigners into force"),
		Long: cli.Both(`由现任共签人再次使日志达终局，以该日志头办理交接，并等到原共签人不再需要：交接条目经原共签人
足数签署，且新共签人已见到。在此之前原共签人须保持运行，否则其后的条目不会达终局。退出码 3
表示 --wait 之内未能完成；再次运行同一命令即继续等待。`, `Has the cosigners in force make the log final once more, hands over with that head,
and waits until those before are not needed any more: they have made the handover
itself final, and the new ones have seen that. Until then those before have to
stay up, or nothing newer becomes final. Exit code 3 says that this has not been
reached within --wait; the same command goes on waiting.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.wait < time.Second {
				return cli.Usage("--wait 为 1s 至 %s", "--wait is 1s to %s", maxWait)
			}
			ctx, cancel, err := p.begin(cmd.Context(), errSilent)
			if err != nil {
				return err
			}
			defer cancel()
			var got api.HandoverOut
			in := api.HandoverIn{WaitMS: (p.wait - answerMargin).Milliseconds()}
			if err := localWithin(ctx, p.wait, dir, api.CosignersHandover, in, &got); err != nil {
				return err
			}
			return announceHandover(cmd, &got)
		},
	}
	cmd.Flags().DurationVar(&p.wait, "wait", 30*time.Second, cli.Both("等待原共签人不再需要的时长", "how long to wait until those before are not needed any more"))
	return memberFlags(cmd, &dir)
}

// errNotDone means that a handover is on the log and the old cosigners are
// still needed.
var errNotDone = errors.New("the handover is not done")

// announceHandover reports that a handover is done, or which cosigners have to
// stay up until it is. In the latter case it returns an error, after the
// document has been printed.
func announceHandover(cmd *cobra.Command, h *api.HandoverOut) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if h.Done {
		gone := slices.DeleteFunc(slices.Clone(h.Old), func(name string) bool { return slices.Contains(h.New, name) })
		return cli.Announce(cmd, "atoll.handover/v1", h, "已交接，条目 %d，已达终局；此后不再共签：%s\n下一步：向审计方和新成员分发新的信任策略（atoll log policy）",
			"handed over, entry %d, final; no cosigner any more: %s\nnext: give auditors and newcomers the new policy, which atoll log policy prints", h.Entry, cmp.Or(strings.Join(gone, " "), t.In("无", "none")))
	}
	err = cli.Announce(cmd, "atoll.handover/v1", h, "交接已记入日志，条目 %d，尚未完成\n须保持运行，直到 atoll cosigners handover 报告完成：%s", "the handover is entry %d of the log, and not done\nkeep these running until atoll cosigners handover says that it is: %s",
		h.Entry, strings.Join(h.Old, " "))
	if err != nil {
		return err
	}
	s := &said{error: errNotDone, chinese: "交接尚未完成", hint: "保持所列共签人运行，再次运行同一命令"}
	if h.NotFinal != nil && len(h.NotFinal.Missing) > 0 {
		missing := strings.Join(h.NotFinal.Missing, " ")
		s.error, s.chinese = fmt.Errorf("%w, missing: %s", errNotDone, missing), s.chinese+"，缺少："+missing
	}
	return s
}
