package node

import (
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// One voter's clock is a year ahead, whether it leads or not. Network time is
// not moved by it, and a consent of ten days is answered as before. Of that
// voter's own statements only those dated a year ahead are rejected.
func TestOneClockAYearAhead(t *testing.T) {
	for _, leads := range []bool{true, false} {
		t.Run(map[bool]string{true: "leader", false: "follower"}[leads], func(t *testing.T) {
			n := newNetwork(t)
			id := n.grant(n.enrol(firm), 9)
			fast := n.voter(leads)
			answer, err := fast.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: yearAhead(1)})
			n.must(err)
			if answer.Verdict != ledger.Early || answer.InLog() {
				t.Fatalf("tick: %+v", answer)
			}
			near := fast.mint.head(uint64(time.Now().UnixMilli()) + ledger.MaxEarly - 60_000)
			if answer, err = fast.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: near}); err != nil || !answer.New {
				t.Fatalf("tick: %+v, %v", answer, err)
			}
			answer, err = fast.Submit(n.ctx, ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: yearAhead(3), Digest: make([]byte, 32)})
			n.must(err)
			if answer.Verdict != ledger.Early || answer.InLog() {
				t.Errorf("a statement a year ahead: %+v", answer)
			}
			for range 2 { // time advances by what the others say
				_, pieces := n.ask(id)
				wantOutcomes(t, pieces, "court", "answered")
				wantOutcomes(t, pieces, "tax", "answered", "answered")
			}
			for _, m := range n.members {
				status, err := m.Status()
				n.must(err)
				at, err := time.Parse(time.RFC3339, status.Time)
				n.must(err)
				if ahead := time.Until(at); ahead > time.Minute {
					t.Errorf("network time at %s is %s ahead", m.name, ahead)
				}
			}
			c, err := n.members["bank-a"].Consent(id)
			n.must(err)
			if c.Used != 2 || c.Ended != 0 {
				t.Errorf("the consent: %d used, ended at %d", c.Used, c.Ended)
			}
			n.agree()
		})
	}
}

// voter returns the member that leads, or a voter that does not.
func (n *network) voter(leads bool) *member {
	n.t.Helper()
	for n.ctx.Err() == nil {
		leader := n.members["bank-a"].replica.Leader()
		for _, name := range n.genesis.Voters {
			if leader != "" && (name == leader) == leads {
				return n.members[name]
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	n.t.Fatal("nobody leads")
	return nil
}

// yearAhead is a fresh statement id dated a year from now.
func yearAhead(ms uint64) ledger.Head {
	return newMint().head(uint64(time.Now().UnixMilli()) + 365*24*60*60*1000 + ms)
}

// A source is read at no earlier time than the network's: by a clock that was
// set back, an old load would be fresh. The members' own clocks contradict what
// is said here, each in its own time, so it is said by all until it holds.
func TestReadAtNetworkTime(t *testing.T) {
	n := newNetwork(t)
	ahead := uint64(time.Now().UnixMilli()) + ledger.MaxEarly/2
	var network uint64
	for network < ahead {
		var said sync.WaitGroup
		for _, m := range n.members {
			said.Go(func() {
				if _, err := m.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: m.mint.head(ahead)}); err != nil {
					t.Error(err)
				}
			})
		}
		said.Wait()
		n.agree()
		var err error
		network, err = n.members["tax"].networkNow()
		n.must(err)
		if t.Failed() {
			return
		}
	}
	at, err := n.members["tax"].readAt()
	n.must(err)
	if at.Time < network || at.Day != consent.DayOf(at.Time, n.genesis.Offset) {
		t.Errorf("read at %+v, network time is %d, all said %d", at, network, ahead)
	}
}
