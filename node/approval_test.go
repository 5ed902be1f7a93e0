package node

import (
	"bytes"
	"errors"
	"testing"

	"atoll/consensus/ledger"
	"atoll/node/problem"
)

// An approval that one person signs has no effect until another submits it. It is
// submitted by the member alone that has signed it, as it was signed, and while it
// fits.
func TestPreparedApproval(t *testing.T) {
	n := newNetwork(t)
	court, tax := n.members["court"], n.members["tax"]
	card := *court.replica.Roster().Member("bank-b")
	card.English = "Second Bank"
	id, _, err := court.Propose(n.ctx, ledger.Amendment{Action: ledger.ChangeRoles, Card: &card})
	n.must(err)
	if _, _, err := court.Propose(n.ctx, ledger.Amendment{Action: ledger.ChangeRoles, Card: &card}); err == nil || Explain(err).Code != problem.ProposalOpen {
		t.Errorf("the same change, proposed again: %v", err)
	}
	approvals := func() int {
		return n.logged(func(_ ledger.Verdict, s *ledger.Statement) bool { return s.Kind == ledger.KindApprove })
	}
	p, err := tax.PrepareApproval(n.ctx, "court", id)
	n.must(err)
	signed, err := ledger.Parse(p.Statement)
	n.must(err)
	if p.Proposer != "court" || p.ID != id || p.Until != signed.ID.Time()+ledger.Retention || approvals() != 0 {
		t.Errorf("%+v, %d approvals on the log", p, approvals())
	}
	foreign, err := tax.Sign(ledger.KindTick, ledger.Tick{Head: tax.NewHead()})
	n.must(err)
	bent := bytes.Clone(p.Statement)
	bent[len(bent)-1] ^= 1
	for name, c := range map[string]struct {
		m         *member
		statement []byte
		code      problem.Code
	}{
		"of another member": {court, p.Statement, string(ledger.Unverified)}, "another signature": {tax, bent, string(ledger.Unverified)}, "no approval": {tax, foreign, problem.Malformed}, "nothing": {tax, nil, problem.Malformed},
	} {
		if _, err := c.m.ReadPrepared(c.statement); err == nil || Explain(err).Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	again, err := tax.ReadPrepared(p.Statement)
	n.must(err)
	second, err := tax.PrepareApproval(n.ctx, "court", id)
	n.must(err)
	answer, err := tax.SubmitPrepared(n.ctx, again)
	n.must(err)
	if known, err := tax.SubmitPrepared(n.ctx, again); err != nil || known.Index != answer.Index {
		t.Errorf("submitted again: %+v, %v", known, err)
	}
	n.must(tax.WaitFor(n.ctx, answer.Index+1))
	var no *NotAccepted
	if _, err := tax.SubmitPrepared(n.ctx, second); !errors.As(err, &no) || no.Verdict != ledger.ProposalApproved {
		t.Errorf("a second approval: %v", err)
	}
	if _, err := tax.PrepareApproval(n.ctx, "court", id); !errors.As(err, &no) || no.Verdict != ledger.ProposalApproved {
		t.Errorf("a third: %v", err)
	}
	n.abreast("tax")
	n.must(n.members["bank-a"].WaitFor(n.ctx, answer.Index+1))
	if got := approvals(); got != 1 {
		t.Errorf("%d approvals on the log", got)
	}
	n.agree()
}

// Two members propose the same at the same moment. Either the later one is refused and
// names the earlier, or both are open and each names the other.
func TestProposedAtOnce(t *testing.T) {
	n := newNetwork(t)
	change := ledger.Amendment{Action: ledger.RemoveMember, Name: "bank-b"}
	type outcome struct {
		answer ledger.Answer
		err    error
	}
	done := make(chan outcome, 2)
	for _, name := range []string{"court", "bank-a"} {
		go func() {
			_, answer, err := n.members[name].Propose(n.ctx, change)
			done <- outcome{answer, err}
		}()
	}
	var last uint64
	refused := 0
	for range 2 {
		o := <-done
		switch {
		case o.err != nil && problem.Of(o.err).Code == problem.ProposalOpen:
			refused++
		case o.err != nil || o.answer.Verdict != ledger.Accepted:
			t.Fatalf("%+v, %v", o.answer, o.err)
		default:
			last = max(last, o.answer.Index)
		}
	}
	tax := n.members["tax"]
	n.must(tax.WaitFor(n.ctx, last+1))
	open, err := tax.OpenAmendments()
	n.must(err)
	if len(open) != 2-refused {
		t.Fatalf("%d are open, %d refused", len(open), refused)
	}
	for i := range open {
		if len(open[i].Others) != len(open)-1 {
			t.Errorf("%s does not name the other: %q", open[i].Ref(), open[i].Others)
		}
	}
}
