package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"atoll/consensus/ledger"
)

// newVoters makes others voters, and waits until raft has them.
func (n *network) newVoters(names ...string) {
	n.t.Helper()
	n.amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: names})
	n.until(func() error {
		sets, err := n.members["bank-a"].VoterSets()
		if newest := sets[len(sets)-1]; err == nil && (!newest.Settled || !slices.Equal(newest.Names, names)) {
			err = fmt.Errorf("%+v", sets)
		}
		return err
	})
}

// newCosigners has the cosigners in force hand over to others.
func (n *network) newCosigners(names []string, by ...string) {
	n.t.Helper()
	id, answer, err := n.members[by[0]].ProposeCosigners(n.ctx, names, 1, 3)
	n.must(err)
	for _, name := range by[1:] {
		if answer.Verdict != ledger.Accepted {
			break
		}
		answer, err = n.members[name].Approve(n.ctx, by[0], id)
		n.must(err)
	}
	if answer.Verdict != ledger.Accepted {
		n.t.Fatalf("%+v", answer)
	}
	h, err := n.members[by[0]].HandOver(n.ctx)
	n.must(err)
	n.must(n.members["bank-a"].Finalise(n.ctx, h.Entry+1))
}

// A bank was away while members that it does not know became voters and cosigners,
// and all former voters left. From those that stayed it learns of them by itself,
// accepts them, and comes to the same log.
func TestScout(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.scout = 500 * time.Millisecond })
	n.must(n.members["bank-b"].Finalise(n.ctx, 1))
	n.stop("bank-b")
	for name, role := range map[string]string{"fire": ledger.Auditor, "port": ledger.Bank, "water": ledger.Bank} {
		n.amend(n.admission(n.join(name, role)))
		n.standingOf(name, StandingMember)
	}
	n.newVoters("auditor", "court", "fire", "tax", "water")
	n.newVoters("fire", "port", "water")
	n.newCosigners([]string{"bank-a", "fire", "registrar", "water"}, "registrar", "auditor", "court")
	for _, name := range []string{"tax", "auditor", "court"} {
		n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: name})
		n.unlisted(name)
		n.stop(name)
	}

	n.open("bank-b", nil)
	late := n.members["bank-b"]
	n.abreast("bank-b")
	n.until(func() error {
		s, err := late.Status()
		if err == nil && (s.Scout != nil || s.Leader == "" || len(s.Alarms) != 0 || len(s.Connected) != 5 || !slices.Equal(s.Voters, []string{"fire", "port", "water"})) {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
	if late.replica.Vouched() == 0 {
		t.Error("it has learned of the voters without scouting")
	}
	answer, err := late.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: late.NewHead()})
	if err != nil || answer.Verdict != ledger.Accepted {
		t.Errorf("%+v, %v", answer, err)
	}
	n.agree()
}
