package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
)

// revokedAt waits until a consent is revoked on a member's log, and returns the
// index.
func (n *network) revokedAt(member string, id consent.ID) uint64 {
	n.t.Helper()
	for n.ctx.Err() == nil {
		c, err := n.members[member].grant(id)
		n.must(err)
		if c != nil && c.Revoked != 0 {
			return c.Revoked
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.t.Fatalf("the log of %s never has the revocation", member)
	return 0
}

// kept waits until a member has that number of errands.
func (n *network) kept(member string, want int) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.ctx, 2*time.Minute)
	defer cancel()
	for {
		keys, err := n.members[member].vault.Keys(errands)
		n.must(err)
		if len(keys) == want {
			return
		}
		if ctx.Err() != nil {
			n.t.Fatalf("%s keeps %d errands, want %d", member, len(keys), want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// revocationOfNothing returns a valid revocation of a consent that does not
// exist.
func (n *network) revocationOfNothing() []byte {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	n.must(err)
	id := make([]byte, len(consent.ID{}))
	rand.Read(id)
	raw, err := sign.Sign(key, n.members["bank-b"].Network, ledger.KindRevoke, consent.Revocation{Consent: id, Key: key.Public().(ed25519.PublicKey)})
	n.must(err)
	return raw
}

// A revocation that reaches a member while the log has no majority is stored,
// and survives a restart of that member. Reachable agencies get it right away,
// its sender is told which, and the log gets it as soon as there is a majority.
func TestRevocationWithoutMajority(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id := n.grant(s, 5)
	bank := n.members["bank-b"]
	n.abreast("bank-b", "tax")
	statement, err := s.keys.Revoke(0)
	n.must(err)
	n.stop("auditor")
	n.stop("court")
	c, err := bank.Carry(n.ctx, statement, nil)
	n.must(err)
	if !c.Pending || c.InLog() || !slices.Equal(c.Told, []string{"tax"}) {
		t.Fatalf("without a majority: %+v", c)
	}
	n.restart("bank-b")
	n.kept("bank-b", 1)
	n.open("court", nil)
	index := n.revokedAt("bank-b", id)
	n.kept("bank-b", 0)
	n.open("auditor", nil)
	again, err := n.members["tax"].Carry(n.ctx, statement, nil)
	n.must(err)
	if !again.Known || again.Index != index || again.Pending || again.Verdict != ledger.Accepted {
		t.Errorf("again: %+v, entry %d", again, index)
	}
	n.agree()
}

// An agency that was unreachable is told when it is back, even if the log has
// the revocation by then.
func TestRevocationReachesWhoWasAway(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	n.grant(s, 5)
	n.abreast("bank-b", "tax")
	statement, err := s.keys.Revoke(0)
	n.must(err)
	n.stop("court")
	c, err := n.members["bank-b"].Carry(n.ctx, statement, nil)
	n.must(err)
	if c.Pending || c.Verdict != ledger.Accepted || !slices.Equal(c.Told, []string{"tax"}) {
		t.Fatalf("%+v", c)
	}
	n.kept("bank-b", 1)
	n.open("court", nil)
	n.kept("bank-b", 0)
	n.agree()
}

// Revocations of consents that do not exist hold up no true one: agencies
// answer right away that they know no such consent, and store nothing.
func TestRevocationsOfNothing(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	n.grant(s, 5)
	bank := n.members["bank-b"]
	n.abreast("bank-b", "court", "tax")
	statement, err := s.keys.Revoke(0)
	n.must(err)
	var flood sync.WaitGroup
	for range 60 {
		nothing := n.revocationOfNothing()
		flood.Go(func() {
			c, err := bank.Carry(n.ctx, nothing, nil)
			if err != nil || len(c.Told) != 0 {
				t.Errorf("a revocation of nothing: %+v, %v", c, err)
			}
		})
		flood.Go(func() {
			var no *peer.Error
			if _, err := n.members["bank-a"].host.Call(n.ctx, "tax", peer.Revoke, nothing); !errors.As(err, &no) || no.Code != codeConsent || !no.Retryable {
				t.Errorf("told of nothing, tax says %v", err)
			}
		})
	}
	c, err := bank.Carry(n.ctx, statement, nil)
	n.must(err)
	if c.Verdict != ledger.Accepted || !slices.Equal(c.Told, []string{"court", "tax"}) {
		t.Errorf("the true one: %+v", c)
	}
	flood.Wait()
	for _, agency := range []string{"court", "tax"} {
		if keys, err := n.members[agency].vault.Keys(revocations); err != nil || len(keys) > 1 { // it may know from the log
			t.Errorf("%s keeps %d revocations (%v)", agency, len(keys), err)
		}
	}
	n.kept("bank-b", 0)
	n.agree()
}

// While the log has no majority, revocations that strangers made up are stored
// only up to a limit. The revocation of an existing consent is always stored.
func TestErrandsAreBounded(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	n.grant(s, 5)
	bank := n.members["bank-b"]
	n.abreast("bank-b")
	bank.unknownErrands.Store(maxUnknownErrands)
	for _, known := range []*ledger.Consent{nil, {NotAfter: 40_000}} {
		e := &errand{Statement: n.revocationOfNothing()}
		r, err := bank.verifyRevocation(e.Statement)
		n.must(err)
		bank.unknownErrands.Store(maxUnknownErrands)
		if err := bank.keepErrand(errandKey(r), e, known); errors.Is(err, ErrErrands) != (known == nil) {
			t.Errorf("known %t: %v", known != nil, err)
		}
	}
}

// A revocation that this member can already decide costs no entry: one with a
// wrong key, or with another key after the first.
func TestRevocationDecidedHere(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id := n.grant(s, 5)
	bank := n.members["bank-b"]
	n.abreast("bank-b")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	n.must(err)
	wrong, err := sign.Sign(key, bank.Network, ledger.KindRevoke, consent.Revocation{Consent: id[:], Key: key.Public().(ed25519.PublicKey)})
	n.must(err)
	right, err := s.keys.Revoke(0)
	n.must(err)
	if !bank.Revokes(right) || bank.Revokes(wrong) || bank.Revokes(n.revocationOfNothing()) || bank.Revokes(right[1:]) {
		t.Error("the door does not tell a revocation of a consent from others")
	}
	size := bank.replica.Head().Size
	for range 20 {
		if c, err := bank.Carry(n.ctx, wrong, nil); err != nil || c.Verdict != ledger.ConsentKey || c.InLog() {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	first, err := bank.Carry(n.ctx, right, nil)
	n.must(err)
	again, err := bank.Carry(n.ctx, right, nil)
	n.must(err)
	if !again.Known || again.Index != first.Index || bank.Revokes(right) {
		t.Errorf("%+v, then %+v", first, again)
	}
	for i := size; i < bank.replica.Head().Size; i++ {
		s, err := bank.statement(i)
		n.must(err)
		if s.Kind == ledger.KindRevoke && i != first.Index {
			t.Errorf("entry %d is a revocation", i)
		}
	}
}

// Somebody may give a revocation to one agency only. That agency then brings it
// to the log, so it does not look like a liar, and the others do not go on
// answering.
func TestRevocationGivenToOneAgency(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id := n.grant(s, 5)
	tax := n.members["tax"]
	statement, err := s.keys.Revoke(0)
	n.must(err)
	n.abreast("tax")
	_, err = n.members["bank-b"].host.Call(n.ctx, "tax", peer.Revoke, statement)
	n.must(err)
	_, pieces := n.ask(id)
	wantOutcomes(t, pieces, "tax", "revoked", "revoked")
	n.must(tax.bringHeld())
	keys, err := tax.vault.Keys(errands)
	n.must(err)
	if c, err := tax.grant(id); err != nil || len(keys) != 1 && c.Revoked == 0 {
		t.Fatalf("%d errands, and the log has no revocation (%v)", len(keys), err)
	}
	n.revokedAt("court", id)
	n.kept("tax", 0)
	if syncs := n.leastSyncs("tax", func() { n.must(tax.bringHeld()) }); syncs > 0 {
		t.Errorf("%d syncs for what the log has", syncs)
	}
	n.agree()
}

// A carrier's date is close to the time when it is submitted: a retry soon
// after the last sends the same bytes, a later one has a new carrier.
func TestErrandIsSignedAnew(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	n.grant(s, 5)
	statement, err := s.keys.Revoke(0)
	n.must(err)
	bank := n.members["bank-b"]
	e := &errand{Statement: statement}
	n.must(bank.signErrand(e))
	first := e.Carrier
	n.must(bank.signErrand(e))
	if !bytes.Equal(e.Carrier, first) {
		t.Error("another carrier at once")
	}
	e.Signed -= uint64((carrierLife + time.Second).Milliseconds())
	n.must(bank.signErrand(e))
	if bytes.Equal(e.Carrier, first) {
		t.Error("the same carrier a minute later")
	}
	for i, raw := range [][]byte{first, e.Carrier, first} {
		answer, err := bank.replica.Submit(n.ctx, raw)
		n.must(err)
		if answer.Verdict != ledger.Accepted || answer.Known != (i > 0) {
			t.Errorf("carrier %d: %+v", i, answer)
		}
	}
}
