package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/crypto/tlog"
	"atoll/node"
)

// Whatever is typed but the word itself signs nothing.
func TestDeclined(t *testing.T) {
	for _, line := range []string{"", "\n", "不\n", "不同意\n", "y\n", "agre\n", "同意同意\n"} {
		if err := agreed(line, "同意"); !errors.Is(err, errUnsigned) {
			t.Errorf("%q signs: %v", line, err)
		}
	}
	if err := agreed(" 同意\r\n", "同意"); err != nil {
		t.Error(err)
	}
}

// A folder with the first entries of another log is refused before anything is
// written to it.
func TestExportOverAnotherLog(t *testing.T) {
	dir := t.TempDir()
	first := tlog.Tile{Level: tlog.Entries, Width: 1}
	if err := durable.Create(filepath.Join(dir, filepath.FromSlash(first.Path())), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]error{"ours": errOtherLog, "": errOtherLog, "theirs": nil, "theirs and more": nil} {
		err := sameLog(func(string) ([]byte, error) { return []byte(data), nil }, dir, tlog.Head{Size: 1})
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v, want %v", data, err, want)
		}
	}
}

// keptRecord is a registrar's record that a test writes.
type keptRecord struct {
	list []node.Issued
	gone []node.Unrecorded
}

func (r *keptRecord) one(id string) (*node.Issued, error) {
	for i := range r.list {
		if len(id) >= consent.MinAbbreviation && strings.HasPrefix(r.list[i].ID, id) {
			return &r.list[i], nil
		}
	}
	return nil, nil
}

func (r *keptRecord) of(consent.Subject) ([]node.Issued, error) { return r.list, nil }

func (r *keptRecord) lost() ([]node.Unrecorded, error) { return r.gone, nil }

// The beginning of an id that two credentials share names neither of them, whether
// the folder has copies of both or the record has one.
func TestAmbiguousCredential(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"0123456789", "01234567ff", "89abcdef00"} {
		if err := durable.Create(filepath.Join(dir, dirCredentials, id+".pem"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i := &issued{dir: dir, record: &keptRecord{list: []node.Issued{{ID: "89abcdefff"}}}}
	for _, several := range []string{"01234567", "89abcdef"} {
		if _, _, err := i.find(several); !errors.Is(err, cli.ErrUsage) {
			t.Errorf("two credentials begin with %s: %v", several, err)
		}
	}
	for _, none := range []string{"0123456", "fedcba98", ""} {
		_, _, err := i.find(none)
		if !errors.Is(err, errNotFound) {
			t.Errorf("%q: %v", none, err)
		}
	}
	if consent.MinAbbreviation != 8 {
		t.Error("the texts speak of eight characters")
	}
}

// An enterprise's code means its one credential that counts, wherever that is known
// from: what was revoked, has ended or never was on the log is not in the way, and of
// two that count neither is revoked.
func TestCredentialOfAnEnterprise(t *testing.T) {
	l := newLiar(t)
	_, g, network, err := genesisIn(l.dir)
	l.check(err)
	c, err := consent.ReadCredential(l.firm.Credential)
	l.check(err)
	code := strings.ToUpper(strings.TrimPrefix(string(c.Subject), "uscc:"))
	id := fmt.Sprintf("%x", consent.CredentialDigest(l.firm.Credential))
	dir := t.TempDir()
	l.check(keepCredential(dir, l.firm.Credential))
	at := func(id, state string) node.Issued {
		return node.Issued{ID: id, State: state, Statement: l.firm.Credential}
	}
	const other = "00ff"
	for what, k := range map[string]struct {
		record keptRecord
		want   error
	}{
		"recorded":                 {keptRecord{list: []node.Issued{at(id, node.CredentialActive)}}, nil},
		"beside revoked":           {keptRecord{list: []node.Issued{at(other, node.CredentialRevoked), at(id, node.CredentialActive)}}, nil},
		"beside others that ended": {keptRecord{list: []node.Issued{at(other, node.CredentialExpired), at("01", node.CredentialVoid), at("02", node.CredentialUnlogged), at(id, node.CredentialNotYet)}}, nil},
		"copy alone":               {keptRecord{gone: []node.Unrecorded{{ID: id}}}, nil},
		"copy of a revoked one":    {keptRecord{gone: []node.Unrecorded{{ID: id, Ended: 7}}}, errNotFound},
		"copy of none on the log":  {keptRecord{}, errNotFound},
		"recorded as revoked":      {keptRecord{list: []node.Issued{at(id, node.CredentialRevoked)}}, errNotFound},
		"two recorded":             {keptRecord{list: []node.Issued{at(id, node.CredentialActive), at(other, node.CredentialActive)}}, cli.ErrUsage},
		"a copy and the record":    {keptRecord{list: []node.Issued{at(other, node.CredentialActive)}, gone: []node.Unrecorded{{ID: id}}}, cli.ErrUsage},
	} {
		i := &issued{dir: dir, genesis: g, network: network, record: &k.record}
		statement, _, err := i.find(code)
		if !errors.Is(err, k.want) || k.want == nil && (err != nil || string(statement) != string(l.firm.Credential)) {
			t.Errorf("%s: %v, want %v", what, err, k.want)
		}
		if errors.Is(err, cli.ErrUsage) && (!strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), other)) {
			t.Errorf("%s: the two are not named: %v", what, err)
		}
	}
}
