package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
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
	var dir string
	var yes bool
	var f finality
	cmd := &cobra.Command{
		Use:   "revoke CREDENTIAL",
		Short: cli.Both("吊销凭证：以其密钥签署的授权不再得到答复", "End a credential: no consent signed with its key is answered any more"),
		Long: cli.Both(`吊销凭证。可给出凭证文件、凭证编号（或其前八个以上字符），或企业的统一社会信用代码：
后两者在登记机关文件夹 credentials/ 的副本中查找。吊销前显示凭证并须确认。`, `Ends a credential. Name it by its file, by its id (or the first eight or more
characters of it), or by the enterprise's code: the latter two are looked for among the
copies in the registrar's folder, credentials/. The credential is shown, and the
revocation has to be agreed to.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, g, network, err := genesisIn(dir)
			if err != nil {
				return err
			}
			i := &issued{dir, g.Roster(), network, func() (*ledger.Roster, error) {
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
			}}
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
			if err := local(ctx, dir, api.CredentialRevoke, api.StatementOut{Statement: statement}, &got); err != nil {
				return err
			}
			return f.report(ctx, cmd, dir, got.Entry, "atoll.credential/v1", map[string]any{"entry": got.Entry}, "已吊销，条目 %d", "revoked, entry %d", got.Entry)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("登记机关的文件夹", "the registrar's folder"))
	cmd.Flags().BoolVar(&yes, "yes", false, cli.Both("不再询问：企业和凭证已经核对", "do not ask: enterprise and credential were compared"))
	f.flags(cmd)
	return cli.Needs(cmd, "dir")
}

// issued finds credentials of a registrar's network.
type issued struct {
	dir      string
	founders *ledger.Roster
	network  sign.NetworkID
	today    func() (*ledger.Roster, error) // asks the node, for a registrar that is no founder
}

// find returns the one credential that is named: by a file, by the code of its
// enterprise, or by the beginning of its id. Several, or none, are an error.
func (i *issued) find(named string) (statement []byte, c *consent.Credential, err error) {
	if _, err := os.Stat(named); err == nil {
		return i.read(named)
	}
	paths, err := filepath.Glob(filepath.Join(i.dir, dirCredentials, "*.pem"))
	if err != nil {
		return nil, nil, err
	}
	about, _, notCode := subjectOf(named)
	var ids []string
	for _, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".pem")
		if notCode == nil {
			_, c, err := i.read(path)
			if err != nil {
				return nil, nil, err
			}
			if c.Subject != about {
				continue
			}
		}
		ids = append(ids, id)
	}
	if notCode != nil {
		ids = consent.Abbreviated(strings.ToLower(named), ids)
	}
	switch len(ids) {
	case 1:
		return i.read(filepath.Join(i.dir, dirCredentials, ids[0]+".pem"))
	case 0:
		return nil, nil, cli.Errorf(errNotFound, "没有文件 %[1].60s，%[2]s 中也没有编号以其开头（至少八位）或属于该企业的凭证", "there is no file %[1].60s, and in %[2]s no credential whose id begins with it (eight characters at least) or that is about this enterprise",
			named, filepath.Join(i.dir, dirCredentials)).
			With("给出凭证文件：atoll credential revoke --dir %[1]s 文件", "name the credential's file: atoll credential revoke --dir %[1]s FILE", i.dir)
	}
	return nil, nil, cli.Usage("%.60s 可指 %d 份凭证：%s", "%.60s may be %d credentials: %s", named, len(ids), strings.Join(ids[:min(len(ids), 5)], " ")).
		With("给出更长的编号；atoll credential show 显示凭证内容", "give more of the id; atoll credential show shows what a credential says")
}

// read reads a credential that a member of the network has signed.
func (i *issued) read(path string) ([]byte, *consent.Credential, error) {
	statement, err := readPaper(path, paper.Credential)
	if err != nil {
		return nil, nil, err
	}
	c, err := subject.VerifyCredential(i.founders, i.network, statement)
	if err != nil {
		today, none := i.today()
		if none != nil {
			return nil, nil, none
		}
		c, err = subject.VerifyCredential(today, i.network, statement)
	}
	if err == nil {
		return statement, c, nil
	}
	return nil, nil, fmt.Errorf("%s: %w", path, err)
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
