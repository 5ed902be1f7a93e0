package replica_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

const silence = 200 * time.Millisecond

// networkTime is network time as a member has it.
func (n *network) networkTime(member string) (at time.Time) {
	n.t.Helper()
	n.check(n.nodes[member].View(func(v ledger.View) error {
		s, err := ledger.Read(v)
		if err == nil && s != nil {
			at = time.UnixMilli(int64(s.Time))
		}
		return err
	}))
	return at
}

// until waits for a condition that a minute must bring about.
func (n *network) until(what string, holds func() bool) {
	n.t.Helper()
	for ctx := n.ctx(); !holds(); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			n.t.Fatalf("never: %s", what)
		}
	}
}

// Voters that say nothing else tick while the log grows, so that time goes on,
// and do not tick at each other's ticks.
func TestVotersTick(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Silence = silence }
	n.start(n.names...)
	began := time.Now()
	for n.networkTime("wlearner-0").Before(began) {
		n.put("wlearner-0") // a learner's clock moves nothing
	}
	learner := n.nodes["wlearner-0"]
	size := learner.Head().Size
	n.until("the log comes to rest", func() bool {
		before := size
		time.Sleep(10 * silence)
		size = learner.Head().Size
		return size == before
	})
	n.agree(nil)
}

// One voter's clock is a year ahead, be it that of the leader or not: network
// time is not, a consent of three weeks is still open to queries, and that
// voter's own words are turned away.
func TestOneClockAYearAhead(t *testing.T) {
	for _, leads := range []bool{true, false} {
		t.Run(map[bool]string{true: "leader", false: "follower"}[leads], func(t *testing.T) { testClockAhead(t, leads) })
	}
}

func testClockAhead(t *testing.T, leads bool) {
	n := found(t, 1)
	var fast atomic.Value // the voter's name
	fast.Store("")
	n.tune = func(c *replica.Config) {
		c.Silence = silence
		name, tick := c.Name, c.Tick
		c.Tick = func() ([]byte, error) {
			if name != fast.Load() {
				return tick()
			}
			return n.sign(name, ledger.KindTick, ledger.Tick{Head: yearAhead(n)}), nil
		}
	}
	n.start(n.names...)
	h := n.granted("wlearner-0", 5)
	ahead := n.leader()
	if !leads {
		ahead = voters[(slices.Index(voters, ahead)+1)%len(voters)]
	}
	fast.Store(ahead)
	n.until("that clock is heard", func() bool {
		n.put("wlearner-0")
		return time.Until(n.clockOf(ahead)) > 24*time.Hour
	})
	began := time.Now()
	n.until("network time moves", func() bool {
		n.put("wlearner-0")
		return n.networkTime("wlearner-0").After(began)
	})
	if ahead := time.Until(n.networkTime("wlearner-0")); ahead > time.Hour {
		t.Errorf("network time is %s ahead", ahead)
	}
	answer, err := n.nodes["wlearner-0"].Submit(n.ctx(), n.query("wlearner-0", h))
	n.check(err)
	if answer.Verdict != ledger.Accepted {
		t.Errorf("query: %+v", answer)
	}
	early := n.sign(ahead, ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: yearAhead(n), Digest: make([]byte, 32)})
	answer, err = n.nodes["wlearner-0"].Submit(n.ctx(), early)
	n.check(err)
	if answer.Verdict != ledger.Early || answer.InLog() {
		t.Errorf("a statement a year ahead: %+v", answer)
	}
	n.agree(nil)
}

// clockOf is the newest time that a voter has signed, as the learner has it.
func (n *network) clockOf(voter string) (at time.Time) {
	n.t.Helper()
	n.check(n.nodes["wlearner-0"].View(func(v ledger.View) error {
		s, err := ledger.Read(v)
		if err != nil || s == nil {
			return err
		}
		for _, c := range s.Clocks {
			if c.Voter == voter {
				at = time.UnixMilli(int64(c.Time))
			}
		}
		return nil
	}))
	return at
}

// yearAhead is a fresh statement id dated a year from now.
func yearAhead(n *network) ledger.Head {
	h := n.newHead()
	id := ledger.StatementID(h.ID)
	ahead := ledger.NewStatementID(id.Time()+365*24*60*60*1000, [10]byte(id[6:]))
	return ledger.Head{ID: ahead[:]}
}
