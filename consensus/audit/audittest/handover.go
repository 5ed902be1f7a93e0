package audittest

import (
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// inForce returns the cosigners of today.
func (w *World) inForce() []string {
	w.t.Helper()
	sets, err := ledger.ReadCosigners(w.State)
	w.check(err)
	return sets[len(sets)-1].Members()
}

// Approve has the cosigners of today approve a new set, whose quorum is all but one.
func (w *World) Approve(names ...string) {
	w.t.Helper()
	by := w.inForce()
	head := w.Head()
	w.accepted(by[0], ledger.KindPropose, ledger.Propose{Head: head, Amendment: ledger.Amendment{
		Action: ledger.ChangeCosigners, Names: names, Quorum: uint8(len(names) - 1),
	}})
	for _, name := range by[1:] {
		w.accepted(name, ledger.KindApprove, ledger.Approve{Head: w.Head(), Proposer: by[0], Proposal: head.ID})
	}
}

// HandOver puts the approved set into force with a head that the cosigners of today
// have signed.
func (w *World) HandOver(head tlog.Head) {
	w.t.Helper()
	by := w.inForce()
	next, err := ledger.ReadNext(w.State)
	w.check(err)
	w.accepted(by[0], ledger.KindHandover, next.Handover(w.Head(), w.Sign(head, by...)))
}

func (w *World) accepted(member, kind string, payload any) {
	w.t.Helper()
	if a := w.SubmitAs(member, kind, payload); a.Verdict != ledger.Accepted {
		w.t.Fatalf("%s by %s: %+v", kind, member, a)
	}
}
