package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// dirCredentials is the folder in which a registrar keeps what it has issued, as
// ID.pem: an enterprise that has lost its keys has lost its copy too.
const dirCredentials = "credentials"

// keepCredential keeps a registrar's copy of a credential.
func keepCredential(dir string, statement []byte) error {
	path := filepath.Join(dir, dirCredentials, fmt.Sprintf("%x.pem", consent.CredentialDigest(statement)))
	return durable.Create(path, paper.Text(paper.Credential, statement), 0o600)
}

func credentialRevokeCommand() *cobra.Command {
	var dir, by string
	var yes bool
	var f finality
	cmd := &cobra.Command{
		Use:   "revoke CREDENTIAL",
		Short: cli.Both("吊销凭证：以其密钥签署的授权不再得到答复", "End a credential: no consent signed with its key is answered any more"),
		Long: cli.Both(`吊销凭证。可给出凭证文件、凭证编号（或其前八个以上字符），或企业的统一社会信用代码：
后两者在登记机关文件夹 credentials/ 的副本和节点的记录中查找。企业有多份有效凭证时不吊销，
列出其编号。吊销前显示凭证并须确认。`, `Ends a credential. Name it by its file, by its id (or the first eight or more
characters of it), or by the enterprise's code: the latter two are looked for among the
copies in the registrar's folder, credentials/, and in the node's record. An enterprise
with several valid credentials is refused, with their ids. The credential is shown, and
the revocation has to be agreed to.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, g, network, err := genesisIn(dir)
			if err != nil {
				return err
			}
			i := &issued{dir, g, network, func() (*ledger.Roster, error) {
				ctx, cancel, err := f.begin(cmd)
				if err != nil {
					return nil, err
				}
				defer cancel()
				known, err := membersOrFounders(ctx, dir, g)
				if err != nil {
					return nil, err
				}
				return known.Roster, nil
			}, &nodeRecord{dir, func() (context.Context, context.CancelFunc, error) { return f.begin(cmd) }}}
			statement, c, err := i.find(args[0])
			if err != nil {
				return err
			}
			if err := confirmRevoke(cmd, statement, c, yes); err != nil {
				return err
			}
			ctx, cancel, err := f.begin(cmd)
			if err != nil {
				return err
			}
			defer cancel()
			var got api.StatementOut
			if err := local(ctx, dir, api.CredentialRevoke, api.EndCredentialIn{Statement: statement, By: by}, &got); err != nil {
				return err
			}
			err = f.report(ctx, cmd, dir, got.Entry, "atoll.credential/v1", map[string]any{"entry": got.Entry}, "已吊销，条目 %d", "revoked, entry %d", got.Entry)
			return errors.Join(err, i.warnLeft(cmd, c.Subject, fmt.Sprintf("%x", consent.CredentialDigest(statement))))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("登记机关的文件夹", "the registrar's folder"))
	cmd.Flags().BoolVar(&yes, "yes", false, cli.Both("不再询问：企业和凭证已经核对", "do not ask: enterprise and credential were compared"))
	operatorFlag(cmd, &by)
	f.flags(cmd)
	return cli.Needs(cmd, "dir")
}

// confirmRevoke shows a registrar which credential it is about to end, and asks.
func confirmRevoke(cmd *cobra.Command, statement []byte, c *consent.Credential, yes bool) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	t.Say("将吊销的凭证属于 %s", "the credential to be revoked is that of %s", c.Subject)
	shownCredentialOf(statement, c).print(t)
	if yes || t.Err() != nil {
		return t.Err()
	}
	return confirm(cmd, t.Lang, cli.Text{Chinese: "吊销", English: "revoke"}, cli.Text{Chinese: "先核对企业和凭证", English: "compare enterprise and credential"})
}
