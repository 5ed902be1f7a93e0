package node

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/problem"
	"atoll/node/vault"
)

// A registrar has recorded a credential before anybody else has it, and who issued and
// revoked it, over restarts. What the log refuses is no credential.
func TestIssuedIsRecorded(t *testing.T) {
	n := newNetwork(t)
	key := consent.NewKeyring(sign.NewSecret(), n.members["bank-a"].Network).Credential(0).Public().(ed25519.PublicKey)
	ended, cancel := context.WithCancel(n.ctx)
	cancel()
	if statement, _, err := n.members["registrar"].Issue(ended, firm, key, 30, "Sun 7"); err == nil {
		t.Fatalf("nobody waited, and it was issued: %x", statement)
	}
	list, _, err := n.members["registrar"].Issued(n.ctx, nil, 10, firm)
	n.must(err)
	if len(list) != 1 || list[0].By != "Sun 7" || string(list[0].Key) != string(key) {
		t.Fatalf("the log was asked before there was a record: %+v", list)
	}
	var no *problem.Error // and not an answer of the log
	if _, _, err := n.members["tax"].Issue(n.ctx, firm, key, 30, "Sun 7"); !errors.As(err, &no) || no.Code != string(ledger.AuthorRole) {
		t.Fatalf("the tax office issues a credential: %v", err)
	}
	if _, err := n.members["tax"].RevokeCredential(n.ctx, []byte("any"), "Sun 7"); !errors.As(err, &no) || no.Code != string(ledger.AuthorRole) {
		t.Fatalf("the tax office revokes a credential: %v", err)
	}
	if list, _, err := n.members["tax"].Issued(n.ctx, nil, 10, ""); err != nil || len(list) != 0 {
		t.Errorf("the tax office keeps %+v, %v", list, err)
	}

	statement, answer, err := n.members["registrar"].Issue(n.ctx, firm, key, 20, "Sun 7")
	n.must(err)
	id := hex.EncodeToString(consent.CredentialDigest(statement))
	if one := n.issued(id); one.State != CredentialActive || one.Entry != answer.Index || string(one.Statement) != string(statement) {
		t.Errorf("%+v", one)
	}
	if soon, _, err := n.members["registrar"].IssuedUntil(n.ctx, 18, nil, 10); err != nil || len(soon) != 0 {
		t.Errorf("within 18 days end %+v, %v", soon, err)
	}
	if soon, _, err := n.members["registrar"].IssuedUntil(n.ctx, 19, nil, 10); err != nil || len(soon) != 1 || soon[0].ID != id {
		t.Errorf("within 19 days end %+v, %v", soon, err)
	}
	if _, err := n.members["registrar"].RevokeCredential(n.ctx, statement, "Qian\u200b8"); !errors.Is(err, errNobody) || n.issued(id).Ended != 0 {
		t.Errorf("revoked by nobody: %v", err)
	}
	_, err = n.members["registrar"].RevokeCredential(n.ctx, statement, "Qian 8")
	n.must(err)
	n.restart("registrar")
	n.abreast("registrar")
	if one := n.issued(id); one.State != CredentialRevoked || one.RevokedBy != "Qian 8" || one.RevokedAt == "" || one.By != "Sun 7" {
		t.Errorf("%+v", one)
	}

	// What the record has lost shows by the log.
	if lost, err := n.members["registrar"].Unrecorded(n.ctx); err != nil || len(lost) != 0 {
		t.Errorf("%+v, %v", lost, err)
	}
	c, err := consent.ReadCredential(statement)
	n.must(err)
	n.must(n.members["registrar"].forgetIssue(n.issued(id).Place(), statement, c))
	if _, err := n.members["registrar"].IssuedCredential(id); err == nil {
		t.Error("what is forgotten is found")
	}
	if lost, err := n.members["registrar"].Unrecorded(n.ctx); err != nil || len(lost) != 1 || lost[0].ID != id || lost[0].Entry != answer.Index || lost[0].Ended == 0 {
		t.Errorf("%+v, %v", lost, err)
	}
	if none, err := n.members["tax"].Unrecorded(n.ctx); err != nil || len(none) != 0 {
		t.Errorf("of another member: %+v, %v", none, err)
	}
}

// What the log refuses, beyond a member's budget for instance, is not on record.
func TestRefusedIsNotRecorded(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.genesis.Entries = 3 })
	registrar := n.members["registrar"]
	var no *NotAccepted
	issued := 0
	for ; ; issued++ {
		key := consent.NewKeyring(sign.NewSecret(), registrar.Network).Credential(0).Public().(ed25519.PublicKey)
		_, _, err := registrar.Issue(n.ctx, firm, key, 30, "Sun 7")
		if errors.As(err, &no) && no.Verdict == ledger.AuthorBudget {
			break
		}
		n.must(err)
	}
	if list, _, err := registrar.Issued(n.ctx, nil, issued+1, ""); err != nil || len(list) != issued || issued == 0 {
		t.Errorf("%d on record, %d accepted: %v", len(list), issued, err)
	}
}

// issued returns what the registrar knows of a credential.
func (n *network) issued(id string) *Issued {
	n.t.Helper()
	one, err := n.members["registrar"].IssuedCredential(id)
	n.must(err)
	return one
}

// What is asked about an enterprise, a key, a credential or the next weeks reads the
// records that it is about, whatever else the registrar has issued: here every other
// record is one that cannot be read.
func TestIssuedReadsNoOthers(t *testing.T) {
	n := newNetwork(t)
	r := n.members["registrar"]
	ring := consent.NewKeyring(sign.NewSecret(), r.Network)
	key := func(i uint64) ed25519.PublicKey { return ring.Credential(i).Public().(ed25519.PublicKey) }
	var ours []string
	for i := range uint64(3) {
		statement, _, err := r.Issue(n.ctx, firm, key(i), 20, "Sun 7")
		n.must(err)
		ours = append(ours, hex.EncodeToString(consent.CredentialDigest(statement)))
	}
	at, err := r.At()
	n.must(err)
	const others = 4000
	until := time.Now().Add(time.Hour)
	var records []vault.Record
	for i := range others {
		text := fmt.Appendf(nil, "%d", i)
		c := &consent.Credential{Subject: consent.Subject("uscc:" + fmt.Sprint(i)), Key: text, NotAfter: at.Day + 30}
		digest := consent.CredentialDigest(text)
		k := issuedKey(time.Now().Add(-time.Hour), digest)
		records = append(records, vault.Record{Kind: issued, Key: k, Value: issuedRecord{Statement: text}, Expires: until})
		for _, under := range r.issuedUnder(k, c, digest) {
			records = append(records, vault.Record{Kind: issuedIndex, Key: under, Value: true, Expires: until})
		}
		if len(records) >= 1000 || i == others-1 {
			n.must(r.vault.Update(records...))
			records = nil
		}
	}
	ids := func(list []Issued) (ids []string) {
		for _, i := range list {
			ids = append([]string{i.ID}, ids...)
		}
		return ids
	}
	same := func(what string, list []Issued, err error, want []string) {
		t.Helper()
		if err != nil || fmt.Sprint(ids(list)) != fmt.Sprint(want) {
			t.Errorf("%s: %v, not %v: %v", what, ids(list), want, err)
		}
	}
	list, more, err := r.Issued(n.ctx, nil, 2, firm)
	same("the newest of an enterprise", list, err, ours[1:])
	if !more {
		t.Error("there are no more")
	}
	list, more, err = r.Issued(n.ctx, list[1].Place(), 2, firm)
	same("the next of an enterprise", list, err, ours[:1])
	if more {
		t.Error("there are more")
	}
	list, _, err = r.Issued(n.ctx, nil, 2, "")
	same("the newest of all", list, err, ours[1:])
	list, err = r.OfSubjectOrKey(n.ctx, "uscc:none", key(1))
	same("those of a key", list, err, ours[1:2])
	list, err = r.OfSubjectOrKey(n.ctx, firm, key(1))
	same("those of an enterprise and a key", list, err, ours)
	list, more, err = r.IssuedUntil(n.ctx, 25, nil, 2)
	if err != nil || len(list) != 2 || !more {
		t.Errorf("within 25 days end %v, %v, %v", ids(list), more, err)
	}
	if rest, more, err := r.IssuedUntil(n.ctx, 25, list[1].Due(), 2); err == nil {
		t.Errorf("the first of the others, which ends later, was not looked at: %v, %v", rest, more)
	}
	for _, id := range ours {
		for _, named := range []string{id, id[:9], id[:10]} {
			if one, err := r.IssuedCredential(named); err != nil || one.ID != id {
				t.Errorf("%s: %v", named, err)
			}
		}
	}
	for _, named := range []string{"", ours[0][:7], ours[0] + "00", "zz" + ours[0][2:]} {
		if one, err := r.IssuedCredential(named); err == nil {
			t.Errorf("%q: %v", named, one)
		}
	}
	if lost, err := r.Unrecorded(n.ctx); err != nil || len(lost) != 0 {
		t.Errorf("%v, %v", lost, err)
	}
	ended, cancel := context.WithCancel(n.ctx)
	cancel()
	if _, _, err := r.Issued(ended, nil, 2, firm); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits, and it reads on: %v", err)
	}
}
