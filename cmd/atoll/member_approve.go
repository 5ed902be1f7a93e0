package main

import (
	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/paper"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// approving is how somebody approves a proposal as a member.
type approving struct {
	dir, fingerprint string
	yes              bool
	prepare          bool
	out              string // of what is prepared
	paper            string // that was prepared
}

func memberApproveCommand() *cobra.Command {
	var a approving
	cmd := &cobra.Command{
		Use:   "approve PROPOSER/ID",
		Short: cli.Both("显示提议的变更，并以本成员身份同意", "Show what a proposal changes, and approve it as this member"),
		Long: cli.Both(`显示提议变更的全部内容，同意后签署。同意不能收回。接纳新成员的，须输入新成员电话读出的名片指纹；
没有终端的，以 --fingerprint 给出。共签人的提名见 atoll cosigners approve。
编号可只给出前八个以上字符；以 --yes 同意的须完整：以同样字符开头的，可能已是另一项提议。

需要两人经手的：一人以 --prepare 签署并写入文件，不提交；另一人以 --paper 核对并提交。提交时再次核对：
确由本成员在本网络签署，提议仍可同意。日志在签署后 48 小时内接受该文件；此前任何取得文件的人
都能提交，请妥善保管。签署一分钟以后才提交的，审计会记为延迟（audit.delayed），不算违规。`, `Shows all that a proposal changes, and approves it when that is agreed to. An approval
cannot be taken back. Where it admits a newcomer, the fingerprint of its card has to be
typed as the newcomer reads it by telephone, or given with --fingerprint without a
terminal. For cosigners see atoll cosigners approve. The first eight or more characters
of the id will do, but with --yes it has to be whole: what begins alike may be another
proposal by now.

Two people: one signs with --prepare into a file, which submits nothing; another one
reads and submits it with --paper. It is checked then that this member has signed it on
this network, and that the proposal can still be approved. The log takes the file for 48
hours after it was signed. Whoever has it until then can submit it: keep it safe. An
approval that is submitted more than a minute after it was signed is reported by audits
as delayed (audit.delayed), which is no offence.`),
		Example: "  atoll member approve --dir court --prepare -o approval.pem tax/0199...\n  atoll member approve --dir court --paper approval.pem",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.run(cmd, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&a.yes, "yes", false, cli.Both("不再询问：提议已阅读", "do not ask: the proposal was read"))
	f.StringVar(&a.fingerprint, "fingerprint", "", cli.Both("新成员的名片指纹，由其电话读出", "fingerprint of the newcomer's card, as it reads it by telephone"))
	f.BoolVar(&a.prepare, "prepare", false, cli.Both("只签署并写入文件，由他人提交", "sign into a file that somebody else submits"))
	f.StringVarP(&a.out, "out", "o", "approval.pem", cli.Both("--prepare 要写入的文件", "file that --prepare writes"))
	f.StringVar(&a.paper, "paper", "", cli.Both("提交他人以 --prepare 签署的文件", "submit what somebody has signed with --prepare"))
	return personFlag(memberFlags(cmd, &a.dir))
}

func (a *approving) run(cmd *cobra.Command, args []string) error {
	switch {
	case (len(args) == 1) == (a.paper != ""):
		return cli.Usage("给出 提议者/编号，或 --paper 文件", "give PROPOSER/ID, or --paper FILE")
	case a.paper != "" && a.prepare:
		return cli.Usage("--paper 与 --prepare 不能同时给出", "--paper and --prepare do not go together")
	case !a.prepare && cmd.Flags().Changed("out"):
		return cli.Usage("--out 属于 --prepare", "--out belongs to --prepare")
	}
	var prepared api.PreparedOut
	if a.paper != "" {
		raw, err := readPaper(a.paper, paper.Approval)
		if err != nil {
			return err
		}
		if err := local(cmd.Context(), a.dir, api.ApprovalShow, api.PreparedIn{Statement: raw}, &prepared); err != nil {
			return err
		}
		args = []string{prepared.Proposer + "/" + prepared.ID}
	}
	p, err := readProposal(cmd.Context(), a.dir, args[0])
	if err != nil {
		return err
	}
	if a.yes && args[0] != p.Proposer+"/"+p.ID {
		return cli.Usage("--yes 须给出完整的编号：%s/%s", "--yes takes the whole id: %s/%s", p.Proposer, p.ID)
	}
	if err := a.agree(cmd, p, &prepared); err != nil {
		return err
	}
	in := api.ApproveIn{Proposer: p.Proposer, ID: p.ID}
	if a.prepare {
		return a.sign(cmd, in)
	}
	var got api.ApprovedOut
	if a.paper != "" {
		err = local(cmd.Context(), a.dir, api.ApprovalSubmit, api.PreparedIn{Statement: prepared.Statement}, &got)
	} else {
		err = local(cmd.Context(), a.dir, api.MemberApprove, in, &got)
	}
	if err != nil {
		return err
	}
	return announceApproved(cmd, &got)
}

// agree shows a proposal, and returns nil once somebody agrees to it: by the
// fingerprint of the newcomer that it admits, or by a word.
func (a *approving) agree(cmd *cobra.Command, p *amendmentView, prepared *api.PreparedOut) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	p.print(t, false)
	if a.paper != "" {
		t.Row("签署的文件", "signed paper", t.Fill("%s，日志接受至 %s（网络时间）", "%s, which the log takes until %s, network time", a.paper, prepared.Until))
	}
	switch {
	case t.Err() != nil:
		return t.Err()
	case p.Change == api.AddsMember:
		if err := warnNewcomer(cmd.Context(), t, a.dir, p.after); err != nil {
			return err
		}
		return compareCard(cmd, t, p.after, a.fingerprint)
	case a.fingerprint != "":
		return cli.Usage("此提议不接纳新成员，无须 --fingerprint", "this proposal admits nobody: --fingerprint does not belong to it")
	case a.yes:
		return nil
	}
	return confirm(cmd, t.Lang, cli.Text{Chinese: "同意", English: "approve"}, cli.Text{Chinese: "先阅读提议（atoll member show）", English: "read the proposal (atoll member show)"})
}

// sign has the node sign an approval, and writes it into a file.
func (a *approving) sign(cmd *cobra.Command, in api.ApproveIn) error {
	var got api.PreparedOut
	if err := local(cmd.Context(), a.dir, api.ApprovalPrepare, in, &got); err != nil {
		return err
	}
	if err := durable.Create(a.out, paper.Text(paper.Approval, got.Statement), 0o600); err != nil {
		return err
	}
	return announcePrepared(cmd, a.out, &got)
}

// announcePrepared says where a signed approval is.
func announcePrepared(cmd *cobra.Command, path string, got *api.PreparedOut) error {
	return cli.Announce(cmd, "atoll.approval/v1", map[string]any{"file": path, "proposer": got.Proposer, "id": got.ID, "until": got.Until},
		"已签署，未提交：%s；日志接受至 %s（网络时间）\n下一步（另一人）：atoll member approve --dir 文件夹 --paper %[1]s", "signed, not submitted: %s; the log takes it until %s, network time\nnext, somebody else: atoll member approve --dir DIR --paper %[1]s", word(path), got.Until)
}
