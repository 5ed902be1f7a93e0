package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/problem"

	"github.com/spf13/cobra"
)

// issued finds credentials of a registrar, among the copies in its folder and in the
// record of its node: either may have what the other lacks.
type issued struct {
	dir     string
	genesis *ledger.Genesis
	network sign.NetworkID
	today   func() (*ledger.Roster, error) // asks the node, for a registrar that is no founder
	record  record
}

// record is what a registrar's node knows of the credentials that it has issued.
type record interface {
	one(id string) (*node.Issued, error)             // by the beginning of its id; nil for none
	of(about consent.Subject) ([]node.Issued, error) // all of an enterprise
	lost() ([]node.Unrecorded, error)                // those on the log that are not recorded
}

// nodeRecord asks the registrar's node.
type nodeRecord struct {
	dir   string
	begin func() (context.Context, context.CancelFunc, error) // starts the time limit of a call
}

func (r *nodeRecord) one(id string) (c *node.Issued, err error) {
	ctx, cancel, err := r.begin()
	if err != nil {
		return nil, err
	}
	defer cancel()
	err = local(ctx, r.dir, api.CredentialShow, api.CredentialIn{ID: id}, &c)
	var no *problem.Error
	if errors.As(err, &no) && no.Code == problem.NotFound {
		return nil, nil
	}
	return c, err
}

func (r *nodeRecord) of(about consent.Subject) (list []node.Issued, err error) {
	ctx, cancel, err := r.begin()
	if err != nil {
		return nil, err
	}
	defer cancel()
	in := api.CredentialsOfIn{Page: api.Page{Limit: api.MaxPage}, Body: api.SubjectIn{Subject: string(about)}}
	for more := true; more; more = in.Cursor != "" {
		var page api.CredentialsOut
		if err := local(ctx, r.dir, api.CredentialsOf, in, &page); err != nil {
			return nil, err
		}
		list, in.Cursor = append(list, page.Credentials...), page.Next
	}
	return list, nil
}

func (r *nodeRecord) lost() ([]node.Unrecorded, error) {
	ctx, cancel, err := r.begin()
	if err != nil {
		return nil, err
	}
	defer cancel()
	var out api.UnrecordedOut
	err = local(ctx, r.dir, api.CredentialsLost, api.Nothing{}, &out)
	return out.Credentials, err
}

// find returns the one credential that is named: by a file, by the code of its
// enterprise, or by the beginning of its id. Several, or none, are an error.
func (i *issued) find(named string) (statement []byte, c *consent.Credential, err error) {
	if _, err := os.Stat(named); err == nil {
		return i.read(named)
	}
	if about, _, err := subjectOf(named); err == nil {
		ids, err := i.live(about)
		if err != nil {
			return nil, nil, err
		}
		if len(ids) == 0 {
			return nil, nil, cli.Errorf(errNotFound, "节点的记录和 %[2]s 中没有 %[1]s 的有效凭证", "neither the node's record nor %[2]s has a valid credential of %[1]s", about, i.copy("")).
				With("%s 列出该企业的全部凭证", "%s lists all that the enterprise has had", commandLine("atoll credential list", "--dir", i.dir, "--subject", named))
		}
		return i.only(named, ids)
	}
	copies, err := i.copies()
	if err != nil {
		return nil, nil, err
	}
	ids := consent.Abbreviated(strings.ToLower(named), copies)
	recorded, err := i.record.one(strings.ToLower(named))
	if err != nil {
		return nil, nil, err
	}
	if recorded != nil && !slices.Contains(ids, recorded.ID) {
		ids = append(ids, recorded.ID)
	}
	if len(ids) == 0 {
		return nil, nil, cli.Errorf(errNotFound, "没有文件 %.60[1]s；节点的记录和 %[2]s 中也没有编号以其开头（至少八位）的凭证", "there is no file %.60[1]s, and neither the node's record nor %[2]s has a credential whose id begins with it (eight characters at least)", named, i.copy("")).
			With("给出凭证文件：atoll credential revoke --dir %[1]s 文件", "name the credential's file: atoll credential revoke --dir %[1]s FILE", word(i.dir))
	}
	return i.only(named, ids)
}

// only returns the credential of the one id that a name may mean.
func (i *issued) only(named string, ids []string) ([]byte, *consent.Credential, error) {
	if len(ids) > 1 {
		return nil, nil, cli.Usage("%.60s 可指 %d 份凭证：%s", "%.60s may be %d credentials: %s", named, len(ids), strings.Join(ids, " ")).
			With("给出其中一份的编号；atoll credential list 显示各份的状态和期限", "give the id of one; atoll credential list shows the state and last day of each")
	}
	recorded, err := i.record.one(ids[0])
	if err != nil {
		return nil, nil, err
	}
	if recorded == nil {
		return i.read(i.copy(ids[0] + ".pem"))
	}
	c, err := consent.ReadCredential(recorded.Statement)
	return recorded.Statement, c, err
}

// live returns the ids of an enterprise's credentials that count or are about to. A
// copy that the record lacks does if it is on the log, not revoked, and not past its
// last day by this machine's clock.
func (i *issued) live(about consent.Subject) (ids []string, err error) {
	recorded, err := i.record.of(about)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, c := range recorded {
		if known[c.ID] = true; c.State == node.CredentialActive || c.State == node.CredentialNotYet {
			ids = append(ids, c.ID)
		}
	}
	copies, err := i.copies()
	if err != nil {
		return nil, err
	}
	unrecorded := map[string]bool{}
	for _, id := range copies {
		if known[id] {
			continue
		}
		_, c, err := i.read(i.copy(id + ".pem"))
		if err != nil {
			return nil, err
		}
		if c.Subject == about && c.NotAfter >= consent.DayOf(uint64(time.Now().UnixMilli()), i.genesis.Offset) {
			unrecorded[id] = true
		}
	}
	if len(unrecorded) == 0 {
		return ids, nil
	}
	lost, err := i.record.lost()
	for _, c := range lost {
		if unrecorded[c.ID] && c.Ended == 0 {
			ids = append(ids, c.ID)
		}
	}
	return ids, err
}

// warnLeft says if an enterprise has credentials that count beside a revoked one. The
// revocation stands whether or not that can be found out.
func (i *issued) warnLeft(cmd *cobra.Command, about consent.Subject, revoked string) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	ids, err := i.live(about)
	if err != nil {
		t.Warn("atoll", t.Fill("未能查明 %s 是否还有其他有效凭证：%s", "it could not be found out whether %s has another valid credential: %s", about, err), "")
		return t.Err()
	}
	for _, id := range ids {
		if id != revoked {
			t.Warn("atoll", t.Fill("%s 还有一份有效凭证：%s", "%s has another valid credential: %s", about, id),
				t.Fill("也应吊销的：%s", "if it is to end too: %s", commandLine("atoll credential revoke", "--dir", i.dir, id)))
		}
	}
	return t.Err()
}

// copy returns the path of a file among the registrar's copies.
func (i *issued) copy(name string) string { return filepath.Join(i.dir, dirCredentials, name) }

// copies returns the ids of the credentials that the folder has copies of.
func (i *issued) copies() (ids []string, err error) {
	paths, err := filepath.Glob(i.copy("*.pem"))
	for _, path := range paths {
		ids = append(ids, strings.TrimSuffix(filepath.Base(path), ".pem"))
	}
	return ids, err
}

// read reads a credential that a member of the network has signed.
func (i *issued) read(path string) ([]byte, *consent.Credential, error) {
	statement, err := readPaper(path, paper.Credential)
	if err != nil {
		return nil, nil, err
	}
	c, err := subject.VerifyCredential(i.network, statement, i.genesis.Roster())
	if err != nil {
		today, none := i.today()
		if none != nil {
			return nil, nil, none
		}
		c, err = subject.VerifyCredential(i.network, statement, today)
	}
	if err == nil {
		return statement, c, nil
	}
	return nil, nil, fmt.Errorf("%s: %w", path, err)
}
