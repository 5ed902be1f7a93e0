package node

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
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

// A member that was away while it was removed is refused by all others. It finds out
// from the log that they serve to everybody, says so with the entry, connects to
// nobody and submits nothing. It cannot be told so falsely.
func TestRemovedWhileAway(t *testing.T) {
	var serving atomic.Pointer[map[string]*Node]
	var lying atomic.Bool
	var lies atomic.Int64
	n := newNetworkWith(t, func(n *network) {
		n.scout = 300 * time.Millisecond
		n.public = func(member, path string) ([]byte, error) {
			all := serving.Load()
			if all == nil || (*all)[member] == nil {
				return nil, errors.New("nobody answers")
			}
			if path == "checkpoint" {
				return (*all)[member].Checkpoint()
			}
			tile, err := tlog.ParseTile(path)
			if err != nil {
				return nil, err
			}
			bundle, err := (*all)[member].Resource(tile)
			if bundle = bytes.Clone(bundle); lying.Load() && err == nil {
				bundle[len(bundle)-1] ^= 1
				lies.Add(1)
			}
			return bundle, err
		}
	})
	n.must(n.members["bank-b"].Finalise(n.ctx, 1))
	n.stop("bank-b")
	index := n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "bank-b"})
	n.must(n.members["tax"].Finalise(n.ctx, index+1))
	all := map[string]*Node{}
	for name, m := range n.members {
		if all[name] = m.Node; m.Node != nil {
			n.must(m.WaitFor(n.ctx, index+1))
			n.must(m.follow()) // from here on its host refuses it
		}
	}
	lying.Store(true)
	serving.Store(&all)
	n.open("bank-b", nil)
	gone := n.members["bank-b"]
	n.until(func() error {
		if made := lies.Load(); made < 10 {
			return fmt.Errorf("%d lies", made)
		}
		return nil
	})
	if got, err := gone.membership(); got != StandingMember || err != nil || gone.replica.Vouched() != 0 {
		t.Fatalf("by false entries it is %q, %v", got, err)
	}
	lying.Store(false)
	n.until(func() error {
		if gone.replica.Vouched() == 0 {
			return errors.New("it has found no final head")
		}
		return nil
	})
	if got, err := gone.membership(); got != StandingLeft || err != nil {
		t.Fatalf("by the log of the others it is %q, %v", got, err)
	}
	n.must(gone.follow())
	s, err := gone.Status()
	if err != nil || s.Left == nil || s.Left.Entry != index || s.Left.Time == "" || s.Scout != nil || len(s.Roles) != 0 || s.Size > index || len(s.Alarms) != 1 || s.Alarms[0].Kind != AlarmOutside || !strings.Contains(s.Alarms[0].What, fmt.Sprintf(": entry %d of ", index)) {
		t.Errorf("%+v, %v", s, err)
	}
	if n.lists("bank-b", "tax") {
		t.Error("it goes on dialing others")
	}
	_, err = gone.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: gone.NewHead()})
	if e := Explain(err); err == nil || e.Code != "member.left" || !strings.Contains(e.Message, s.Left.Time) {
		t.Errorf("it submits: %v", err)
	}
	n.stop("bank-b")
	n.agree()
}

// relocate gives a member another address, on its card too if it is running.
func (n *network) relocate(name string) {
	n.t.Helper()
	m := n.members[name]
	running := m.Node != nil
	if running {
		n.stop(name)
	}
	m.addr = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", ports.Add(1))
	if running {
		n.open(name, nil)
		m.knock() // whoever leads does not know where it is
		n.until(func() error { return m.mayAuthor() })
		n.moved(name, m.addr)
	}
}

// A member that starts at another address than on its card finds the voters itself,
// and can say so on the log. A founder was away while every member moved, itself too: nobody finds anybody. By
// an anchor at a newer head, which its operator has verified, it finds the others.
func TestRefreshed(t *testing.T) {
	n := newNetwork(t)
	n.must(n.members["bank-b"].Finalise(n.ctx, 1))
	n.stop("bank-b")
	for _, name := range []string{"auditor", "bank-a", "bank-b", "court", "registrar", "tax"} {
		n.relocate(name)
	}
	n.open("bank-b", nil)
	late := n.members["bank-b"]
	late.host.Reach(n.ctx)
	if got := late.host.Connected(); len(got) > 0 {
		t.Fatalf("it is connected to %q", got)
	}
	n.stop("bank-b")
	bank := n.members["bank-a"]
	n.must(bank.Finalise(n.ctx, bank.Head().Size))
	final := bank.Final()
	n.must(bank.replica.View(func(v ledger.View) (err error) {
		late.anchor, err = ledger.AnchorAt(v, final.Signed)
		return err
	}))
	n.open("bank-b", nil)
	n.must(late.WaitFor(n.ctx, final.Size))
	n.abreast("bank-b")
	n.agree()
}
