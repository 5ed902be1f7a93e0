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

// networkTime returns network time as a member has it.
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

// until waits for a condition, for a minute at most.
func (n *network) until(what string, holds func() bool) {
	n.t.Helper()
	for ctx := n.ctx(); !holds(); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			n.t.Fatalf("never: %s", what)
		}
	}
}

// Voters that submit nothing else tick while the log grows, so that time goes
// on, and do not tick because of each other's ticks.
func TestVotersTick(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Silence = silence }
	n.start(n.names...)
	began := time.Now()
	n.until("voters move network time", func() bool {
		n.put("wlearner-0") // a learner's clock does not
		return !n.networkTime("wlearner-0").Before(began)
	})
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

// clocks are the members' own, as offsets from the machine's.
type clocks struct{ off map[string]*atomic.Int64 }

// setClocks gives every member a clock of its own.
func (n *network) setClocks() clocks {
	c := clocks{map[string]*atomic.Int64{}}
	for _, name := range n.names {
		c.off[name] = new(atomic.Int64)
	}
	n.tune = func(config *replica.Config) {
		config.Silence = silence
		off := c.off[config.Name]
		config.Clock = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	}
	return c
}

func (c clocks) set(by time.Duration, members ...string) {
	for _, name := range members {
		c.off[name].Store(int64(by))
	}
}

const year = 365 * 24 * time.Hour

// One voter's clock is a year ahead, whether it leads or not. Network time is
// not. A consent of three weeks can still be queried, that voter has an alarm,
// and statements that it dates a year ahead are rejected. Once its clock is
// right, the effects are gone.
func TestOneClockAYearAhead(t *testing.T) {
	for _, leads := range []bool{true, false} {
		t.Run(map[bool]string{true: "leader", false: "follower"}[leads], func(t *testing.T) { testClockAhead(t, leads) })
	}
}

func testClockAhead(t *testing.T, leads bool) {
	n := found(t, 1)
	clocks := n.setClocks()
	n.start(n.names...)
	h := n.granted("wlearner-0", 5)
	ahead := n.leader()
	if !leads {
		ahead = voters[(slices.Index(voters, ahead)+1)%len(voters)]
	}
	clocks.set(year, ahead)
	n.until("that clock is heard", func() bool {
		n.put("wlearner-0")
		return time.Until(n.clockOf(ahead)) > 23*time.Hour
	})
	began := time.Now()
	n.until("network time moves", func() bool {
		n.put("wlearner-0")
		return n.networkTime("wlearner-0").After(began)
	})
	if ahead := time.Until(n.networkTime("wlearner-0")); ahead > time.Hour {
		t.Errorf("network time is %s ahead", ahead)
	}
	n.until("the voter notices", func() bool { n.put("wlearner-0"); return n.problem(ahead) == replica.ClockAhead })
	if alarms := n.nodes[ahead].Alarms(); len(alarms) != 1 || alarms[0].Kind != "clock" {
		t.Errorf("alarms: %+v", alarms)
	}
	answer, err := n.nodes["wlearner-0"].Submit(n.ctx(), n.query("wlearner-0", h))
	n.check(err)
	if answer.Verdict != ledger.Accepted {
		t.Errorf("query: %+v", answer)
	}
	for _, kind := range []string{ledger.KindCredentialRevoke, ledger.KindTick} {
		early := n.tickAt(ahead, uint64(time.Now().Add(year).UnixMilli()))
		if kind == ledger.KindCredentialRevoke {
			early = n.sign(ahead, kind, ledger.CredentialRevoke{Head: n.headAt(uint64(time.Now().Add(year).UnixMilli())), Digest: make([]byte, 32)})
		}
		answer, err = n.nodes["wlearner-0"].Submit(n.ctx(), early)
		n.check(err)
		if answer.Verdict != ledger.Early || answer.InLog() {
			t.Errorf("a %s a year ahead: %+v", kind, answer)
		}
	}
	clocks.set(0, ahead)
	n.until("it is mended", func() bool { return n.problem(ahead) == "" && time.Until(n.clockOf(ahead)) < time.Minute })
	for _, name := range n.names {
		if name != ahead && n.problem(name) != "" {
			t.Errorf("%s: %s", name, n.problem(name))
		}
	}
	n.agree(nil)
}

// Two of three voters say 2096, over and over, and the other members do not.
// Network time is a day ahead, nobody's statements are late, and the others
// notice. Once the two are right, network time is too.
func TestTwoVotersOf2096(t *testing.T) {
	n := found(t, 5)
	clocks := n.setClocks()
	n.start(n.names...)
	n.until("all have told their time", func() bool {
		n.put("wlearner-0")
		return time.Since(n.networkTime("wlearner-0")) < time.Hour
	})
	wrong := voters[:2]
	clocks.set(70*year, wrong...)
	n.until("network time is ahead", func() bool {
		n.put("wlearner-0")
		return time.Until(n.networkTime("wlearner-0")) > 20*time.Hour
	})
	for range 20 {
		for _, name := range append(wrong, n.names...) {
			n.put(name)
		}
	}
	if ahead := time.Until(n.networkTime("wlearner-0")); ahead > 24*time.Hour+time.Minute {
		t.Errorf("network time is %s ahead", ahead)
	}
	for _, name := range []string{voters[2], "wlearner-0", "wlearner-4"} {
		n.until(name+" notices", func() bool { return n.problem(name) == replica.NetworkAhead })
		answer, err := n.nodes[name].Submit(n.ctx(), n.statement(name, ledger.KindCredentialRevoke))
		n.check(err)
		if !answer.New {
			t.Errorf("%s: %+v", name, answer)
		}
	}
	for _, name := range wrong {
		n.until(name+" notices", func() bool { n.put("wlearner-0"); return n.problem(name) == replica.ClockAhead })
	}
	clocks.set(0, wrong...)
	for _, name := range wrong {
		n.until(name+" is mended", func() bool { return time.Until(n.clockOf(name)) < time.Minute })
	}
	n.agree(nil)
}

// Nobody submits anything, and hours pass. Voters tick every hour, so that a
// running network's heads are never older than that; the others tick every six
// hours.
func TestIdleMembersTick(t *testing.T) {
	n := found(t, 1)
	clocks := n.setClocks()
	n.start(n.names...)
	n.put("wlearner-0")
	for hours := time.Duration(1); hours <= 7; hours++ {
		clocks.set(hours*(time.Hour+time.Second), n.names...)
		n.until("the voters tell their time", func() bool {
			return time.Until(n.networkTime("wlearner-0")) > (hours-1)*time.Hour+30*time.Minute
		})
	}
	n.until("the learner does", func() bool { return time.Until(n.clockOf("wlearner-0")) > 5*time.Hour })
	clocks.set(9*24*time.Hour, n.names...)
	n.until("days pass in rounds", func() bool { return time.Until(n.networkTime("wlearner-0")) > 9*24*time.Hour-time.Minute })
	n.agree(nil)
}

// problem returns what a member finds wrong with the time.
func (n *network) problem(member string) string {
	n.t.Helper()
	at, err := n.nodes[member].Time()
	n.check(err)
	return at.Problem
}

// clockOf returns the last time that a member has stated, as the learner has
// it.
func (n *network) clockOf(member string) (at time.Time) {
	n.t.Helper()
	n.check(n.nodes["wlearner-0"].View(func(v ledger.View) error {
		s, err := ledger.Read(v)
		if err == nil && s != nil {
			at = time.UnixMilli(int64(s.Clocks.Time(slices.Index(n.names, member))))
		}
		return err
	}))
	return at
}
