package node

import (
	"context"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// While the founders remain as they are nobody attests anything. After a change
// the leader does so once, and every member can prove who the members are to
// somebody who has genesis alone.
func TestMembersProof(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	if p, err := bank.MembersProof(n.ctx); p != nil || err != nil {
		t.Errorf("of the founders: %v, %v", p, err)
	}
	tax := n.members["tax"]
	card := *tax.replica.Roster().Member("tax")
	card.Addresses = append(card.Addresses, "https://tax.test")
	answer, err := tax.Submit(n.ctx, ledger.KindUpdate, ledger.Update{Head: tax.NewHead(), Card: card})
	n.must(err)
	if answer.Verdict != ledger.Accepted {
		t.Fatalf("%+v", answer)
	}
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	var p *ledger.AttestedProof
	for p == nil && ctx.Err() == nil {
		if p, err = bank.MembersProof(ctx); err != nil {
			t.Log(err)
			p = nil
		}
	}
	if p == nil {
		t.Fatal("nobody has attested the roster")
	}
	known, err := p.Verify(n.members["bank-a"].Genesis)
	n.must(err)
	if got := known.Roster.Member("tax").URLs(); len(got) != 1 || got[0] != "https://tax.test" {
		t.Errorf("tax is reached at %q", got)
	}
	if e, err := bank.attestAt(known.Entry); err != nil || e == nil || e.Time != known.Time {
		t.Errorf("entry %d: %v, %v", known.Entry, e, err)
	}
	if e, err := bank.attestAt(0); err != nil || e != nil {
		t.Errorf("genesis is an attest: %v, %v", e, err)
	}
	for _, c := range []struct {
		entry uint64
		right bool
	}{{0, true}, {known.Entry, true}, {known.Entry - 1, false}, {known.Entry + 1000, false}} {
		r, err := bank.knownTo(&consent.Terms{Roster: c.entry}, &consent.Body{Slices: []consent.Slice{{Agency: "tax"}}})
		if (r != nil) != c.right || (err == nil) != c.right {
			t.Errorf("entry %d: %v", c.entry, err)
		}
	}
	if _, err := bank.knownTo(&consent.Terms{}, &consent.Body{Slices: []consent.Slice{{Agency: "stranger"}}}); err == nil {
		t.Error("an agency that is no founder, in a consent drawn up for the founders")
	}
	var due []byte
	for _, m := range n.members {
		if d, err := m.dueAttest(); err != nil {
			t.Error(err)
		} else if d != nil {
			due = d
		}
	}
	if due != nil {
		t.Error("what has just been attested is due again")
	}
}
