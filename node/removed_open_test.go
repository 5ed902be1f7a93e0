package node

import (
	"context"
	"io"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/peer"
)

// askHeld is an agency that has received an ask and does not look at it yet.
type askHeld struct {
	release chan struct{}
	refused chan string // the code of its answer, and how many bytes came
	sent    chan int
}

// holdAsk has an agency receive bank-a's ask for a question, and keep it.
func (n *network) holdAsk(agency string, a *Asked) *askHeld {
	n.t.Helper()
	h := &askHeld{make(chan struct{}), make(chan string, 1), make(chan int, 1)}
	m, there := n.members[agency].Node, make(chan struct{}, 1)
	m.host.HandleStream(peer.Ask, func(ctx context.Context, bank string, request []byte, w io.Writer) error {
		select {
		case there <- struct{}{}:
		default:
		}
		<-h.release
		return m.serveAsk(ctx, bank, request, w)
	})
	request, err := n.members["bank-a"].sealAsk(n.askFor(a, agency))
	n.must(err)
	go func() {
		code, sent := n.refusedBy(agency, request)
		h.refused <- code
		h.sent <- sent
	}()
	select {
	case <-there:
	case <-n.ctx.Done():
		n.t.Fatal("the ask does not arrive")
	}
	return h
}

// goesUnseen removes a member, and keeps the others from dropping its connections
// until the returned function is called. The removed one knows by then.
func (n *network) goesUnseen(change ledger.Amendment) (seen func()) {
	n.t.Helper()
	for name, m := range n.members {
		if name != change.Name {
			m.following.Lock()
		}
	}
	index := n.amend(change)
	for _, m := range n.members {
		n.must(m.WaitFor(n.ctx, index+1))
	}
	return func() {
		for name, m := range n.members {
			if name != change.Name {
				m.following.Unlock()
			}
		}
	}
}

// released counts the releases of a question's fragments that the log has accepted.
func (n *network) released(at string, a *Asked) (count int) {
	n.t.Helper()
	m := n.members[at]
	for i := a.Index; i < m.replica.Head().Size; i++ {
		leaf, err := m.Entry(i)
		n.must(err)
		e, err := ledger.ParseEntry(leaf)
		n.must(err)
		if s, err := ledger.Parse(e.Statement); err == nil && s.Kind == ledger.KindRelease && e.Verdict == ledger.Accepted {
			count++
		}
	}
	return count
}

// I3, I4: a bank whose query is open is removed. The agencies have its asks, and it
// is still connected: none releases anything to it, and no byte leaves.
func TestRemovedBankGetsNothing(t *testing.T) {
	n := newNetwork(t)
	a := n.toTwo()
	asks := map[string]*askHeld{"court": n.holdAsk("court", a), "tax": n.holdAsk("tax", a)}
	seen := n.goesUnseen(ledger.Amendment{Action: ledger.RemoveMember, Name: "bank-a"})
	for agency, h := range asks {
		close(h.release)
		if code, sent := <-h.refused, <-h.sent; code == "" || sent != 0 {
			t.Errorf("%s: %q after %d bytes", agency, code, sent)
		}
	}
	seen()
	n.unlisted("bank-a")
	if count := n.released("tax", a); count != 0 {
		t.Errorf("%d releases to a bank that has been removed", count)
	}
	n.stop("bank-a")
	n.agree()
}

// A query that waits for a person at the agency is refused once its bank has been
// removed: nobody is offered it any more, and what somebody approves in between is
// refused nevertheless.
func TestPendingOfARemovedBank(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	id := n.grant(n.enrol(firm), 3)
	a, approved := n.put(id, "Wang"), n.put(id, "Li")
	n.taxSays(a)
	n.taxSays(approved)
	n.edit(approved, func(w *waiting) { w.Decision = &Decision{Approved: true, By: "Zhao", At: 1} })
	n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "bank-a"})
	n.unlisted("bank-a")
	n.stop("bank-a")
	tax := n.members["tax"]
	n.must(tax.settlePending())
	if list, err := tax.PendingQueries(); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, asked := range []*Asked{a, approved} {
		p := new(PendingQuery)
		n.must(tax.settled(asked.Ref, p))
		if p.Outcome != DecisionRefused || p.Reason != string(BankLeft) {
			t.Errorf("%+v", p)
		}
	}
	if count := n.released("tax", a); count != 0 {
		t.Errorf("%d releases to a bank that has been removed", count)
	}
	n.agree()
}

// I3: an agency with an ask is removed. It releases nothing any more, and the bank
// learns so; the other agency answers.
func TestRemovedAgencyReleasesNothing(t *testing.T) {
	n := newNetwork(t)
	a := n.toTwo()
	h := n.holdAsk("tax", a)
	seen := n.goesUnseen(ledger.Amendment{Action: ledger.RemoveMember, Name: "tax", Names: []string{"auditor", "bank-b", "court"}})
	close(h.release)
	if code, sent := <-h.refused, <-h.sent; code == "" || sent != 0 {
		t.Errorf("%q after %d bytes", code, sent)
	}
	seen()
	n.unlisted("tax")
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Hour, nil)
	n.must(err)
	wantOutcomes(t, pieces, "court", "answered")
	for _, p := range pieces {
		if p.Agency == "tax" {
			for _, answer := range p.Answers {
				if answer.Result.Outcome != consent.Unavailable {
					t.Errorf("%+v", answer.Result)
				}
			}
		}
	}
	if count := n.released("bank-a", a); count != 1 {
		t.Errorf("%d releases, want that of court alone", count)
	}
	n.stop("tax")
	n.agree()
}
