package main

import (
	"errors"
	"fmt"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func credentialCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential",
		Short: cli.Both("登记机关签发或吊销企业的主体凭证", "Vouch for an enterprise's key as a registrar, or end that"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(credentialCheckCommand(), credentialIssueCommand(), credentialListCommand(), credentialShowCommand(), credentialRevokeCommand())
	return cmd
}

func credentialIssueCommand() *cobra.Command {
	var dir, out, by string
	var days uint32
	var yes bool
	var f finality
	cmd := &cobra.Command{
		Use:   "issue ENROLMENT",
		Short: cli.Both("证明某密钥代表某企业", "Vouch that a key speaks for an enterprise"),
		Long: cli.Both(`证明企业 enrolment.pem 中的密钥代表该企业。请先核实来人有权代表企业：此后以该密钥签署的
即为企业之意思。签发前显示主体代码和密钥指纹并须确认；企业用 atoll subject show 可见同一指纹。`, `Vouches that the key in an enterprise's enrolment.pem speaks for it. Check first
that who brings it may act for the enterprise: what is signed with this key from
now on is the enterprise's word. Code and fingerprint of the key are shown, and have
to be agreed to; the enterprise sees the same fingerprint with atoll subject show.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := enrolmentFor(dir, args[0])
			if err != nil {
				return err
			}
			if days == 0 || days > 2*consent.MaxDays {
				return cli.Usage("--days 为 1 至 %d", "--days is 1 to %d", 2*consent.MaxDays)
			}
			if err := vacant(out); err != nil {
				return err
			}
			if err := warnIssue(cmd, &f, dir, e); err != nil {
				return err
			}
			if !yes {
				if err := confirmIssue(cmd, e); err != nil {
					return err
				}
			}
			ctx, cancel, err := f.begin(cmd)
			if err != nil {
				return err
			}
			defer cancel()
			var got api.StatementOut
			in := api.IssueIn{Subject: string(e.Subject), Key: e.Key, Days: days, By: by}
			if err := local(ctx, dir, api.CredentialIssue, in, &got); err != nil {
				return err
			}
			if err := errors.Join(keepCredential(dir, got.Statement), writePaper(out, paper.Credential, got.Statement)); err != nil {
				if p, err := cli.Beside(cmd); err == nil {
					p.Page(string(paper.Text(paper.Credential, got.Statement))) // so that it need not be fetched from the node's record
				}
				return cli.Errorf(errUnwritten, "凭证已签发，条目 %d，但文件未能写入：%s", "the credential is issued, entry %d, but the file could not be written: %s", got.Entry, err).
					With("凭证内容见上方各行，请复制到 %s；登记机关节点的记录中也有（%s）", "copy the lines above into %s; the record of the registrar's node has it too (%s)", fileCredential, commandLine("atoll credential list", "--dir", dir))
			}
			return f.report(ctx, cmd, dir, got.Entry, "atoll.credential/v1", map[string]any{"file": out, "entry": got.Entry},
				"已签发，条目 %d：%s\n下一步：企业将其放入自己的文件夹，名为 %s", "issued, entry %d: %s\nnext: the enterprise puts it into its folder as %s", got.Entry, out, fileCredential)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("登记机关的文件夹", "the registrar's folder"))
	cmd.Flags().StringVarP(&out, "out", "o", fileCredential, cli.Both("要写入的文件", "file to write"))
	cmd.Flags().Uint32Var(&days, "days", 730, cli.Both("有效天数", "days of validity"))
	cmd.Flags().BoolVar(&yes, "yes", false, cli.Both("不再询问：代码和指纹已经核对", "do not ask: code and fingerprint were compared"))
	operatorFlag(cmd, &by)
	f.flags(cmd)
	return cli.Needs(cmd, "dir")
}

// operatorFlag adds the flag by which a registrar's record names a person.
func operatorFlag(cmd *cobra.Command, by *string) {
	cmd.Flags().StringVar(by, "operator", "", cli.Both("登记机关的经办人，记入其凭证记录", "the person at the registrar, for its record of credentials"))
}

// enrolmentFor reads the enrolment of an enterprise, and checks what it says of itself:
// it is for the network of a registrar's folder, and its key can be used.
func enrolmentFor(dir, path string) (*subject.Enrolment, error) {
	e := new(subject.Enrolment)
	if err := readInto(path, paper.Enrolment, e); err != nil {
		return nil, err
	}
	_, _, network, err := genesisIn(dir)
	if err != nil {
		return nil, err
	}
	if !e.Of(network) {
		return nil, otherNetwork(path)
	}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// otherNetwork is the error for the enrolment of another network.
func otherNetwork(name string) error {
	return cli.Errorf(subject.ErrNetwork, "%s 属于另一网络", "%s is for another network", name).
		With("请企业用本网络的 genesis.pem 重新建立文件夹：atoll subject new", "the enterprise makes its folder with this network's genesis.pem: atoll subject new")
}

// warnIssue says what speaks against vouching for an enrolment, as credential check
// does: it is not asked about.
func warnIssue(cmd *cobra.Command, f *finality, dir string, e *subject.Enrolment) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	ctx, cancel, err := f.begin(cmd)
	if err != nil {
		return err
	}
	defer cancel()
	known, err := checkEnrolment(ctx, dir, e)
	if err != nil {
		return err
	}
	known.warn(t)
	return t.Err()
}

// confirmIssue shows a registrar the enterprise and key that it is about to
// certify, and asks.
func confirmIssue(cmd *cobra.Command, e *subject.Enrolment) error {
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	t := cli.On(cmd, cmd.ErrOrStderr(), lang)
	t.Say("企业：%s\n密钥指纹：%s\n请与企业电话核对：atoll subject show 显示同一指纹", "enterprise: %s\nkey fingerprint: %s\ncompare it with the enterprise by telephone: atoll subject show prints the same", e.Subject, subject.Fingerprint(e.Key))
	if t.Err() != nil {
		return t.Err()
	}
	return confirm(cmd, lang, cli.Text{Chinese: "签发", English: "issue"}, cli.Text{Chinese: "先核对代码和指纹", English: "compare code and fingerprint"})
}
