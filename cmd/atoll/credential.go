package main

import (
	"bytes"
	"fmt"
	"path/filepath"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/api"
	"atoll/node/problem"

	"github.com/spf13/cobra"
)

func credentialCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential",
		Short: "Vouch for an enterprise's key as a registrar, or end that",
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(credentialIssueCommand(), credentialRevokeCommand())
	return cmd
}

func credentialIssueCommand() *cobra.Command {
	var dir, out string
	var days uint32
	var f finality
	cmd := &cobra.Command{
		Use:   "issue ENROLMENT",
		Short: "Vouch that a key speaks for an enterprise",
		Long: `Vouches that the key in an enterprise's enrolment.pem speaks for it. Check first
that who brings it may act for the enterprise: what is signed with this key from
now on is the enterprise's word.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var e enrolment
			if err := readInto(args[0], paperEnrolment, &e); err != nil {
				return err
			}
			_, _, network, err := readGenesis(filepath.Join(dir, fileGenesis))
			if err != nil {
				return err
			}
			if !bytes.Equal(e.Network, network[:]) {
				return &problem.Error{
					Code: problem.Unverified, Message: args[0] + " is for another network",
					Hint: "the enterprise makes its folder with this network's genesis.pem",
				}
			}
			if days == 0 || days > 2*consent.MaxDays {
				return fmt.Errorf("%w: --days is 1 to %d", cli.ErrUsage, 2*consent.MaxDays)
			}
			if err := vacant(out); err != nil {
				return err
			}
			ctx, cancel, err := f.begin(cmd)
			if err != nil {
				return err
			}
			defer cancel()
			var got api.StatementOut
			in := api.IssueIn{Subject: string(e.Subject), Key: e.Key, Days: days}
			if err := local(ctx, dir, api.OpCredentialIssue, in, &got); err != nil {
				return err
			}
			if err := writePaper(out, paperCredential, got.Statement); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s", paperText(paperCredential, got.Statement)) // nobody has another copy
				return &said{
					error:   fmt.Errorf("%w: entry %d of the log; copy the lines above into %s: %w", errUnwritten, got.Entry, fileCredential, err),
					chinese: fmt.Sprintf("凭证已签发，条目 %d，但文件未能写入：%v", got.Entry, err),
					hint:    "凭证内容见上方各行，请复制到 " + fileCredential,
				}
			}
			return f.report(ctx, cmd, dir, got.Entry, "atoll.credential/v1", map[string]any{"file": out, "entry": got.Entry},
				"已签发，条目 %d：%s\n下一步：企业将其放入自己的文件夹，名为 %s", "issued, entry %d: %s\nnext: the enterprise puts it into its folder as %s", got.Entry, out, fileCredential)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the registrar's folder")
	cmd.Flags().StringVarP(&out, "out", "o", fileCredential, "file to write")
	cmd.Flags().Uint32Var(&days, "days", 730, "days of validity")
	f.flags(cmd)
	return cli.Needs(cmd, "dir")
}

func credentialRevokeCommand() *cobra.Command {
	var dir string
	var f finality
	cmd := &cobra.Command{
		Use:   "revoke CREDENTIAL",
		Short: "End a credential: no consent signed with its key is answered any more",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			statement, err := readPaper(args[0], paperCredential)
			if err != nil {
				return err
			}
			ctx, cancel, err := f.begin(cmd)
			if err != nil {
				return err
			}
			defer cancel()
			var got api.StatementOut
			if err := local(ctx, dir, api.OpCredentialRevoke, api.StatementOut{Statement: statement}, &got); err != nil {
				return err
			}
			return f.report(ctx, cmd, dir, got.Entry, "atoll.credential/v1", map[string]any{"entry": got.Entry}, "已吊销，条目 %d", "revoked, entry %d", got.Entry)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the registrar's folder")
	f.flags(cmd)
	return cli.Needs(cmd, "dir")
}
