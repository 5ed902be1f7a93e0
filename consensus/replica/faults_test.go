//go:build !race

package replica_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// A statement that a member without a leader has sent nowhere is certainly not taken; one
// that was sent may be.
func TestNotTakenWithoutLeader(t *testing.T) {
	n := found(t, 1)
	n.start("voter-a")
	ctx, cancel := context.WithTimeout(n.ctx(), 200*time.Millisecond)
	defer cancel()
	_, err := n.nodes["voter-a"].Submit(ctx, n.statement("voter-a", ledger.KindCredentialRevoke))
	if !errors.Is(err, replica.ErrNotTaken) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// tried is a network in which something goes wrong while raft follows the log. A
// bank asks meanwhile, and is never cut off.
type tried struct {
	*network
	*links
	at atomic.Pointer[func(leader string, s stage)] // in the leader's own goroutine
}

const (
	asking      = "wlearner-0"
	wrongClocks = "clocks are an hour wrong" // those of two members that come to vote
)

// try founds and starts such a network. Clocks are how far those of members are
// ahead.
func try(t *testing.T, learners int, clocks map[string]time.Duration) *tried {
	t.Helper()
	n := &tried{network: found(t, learners), links: new(links)}
	n.tune = func(c *replica.Config) {
		n.over(c)
		name, now := c.Name, func() time.Time { return time.Now().Add(clocks[c.Name]) }
		if n.said[name] == nil {
			n.said[name] = new(complaints)
		}
		c.Clock, c.Silence, c.Publish = now, silence, 100*time.Millisecond
		c.Settle = func(from uint64) ([]byte, error) {
			return n.sign(name, ledger.KindSettled, ledger.Settled{Head: n.headAt(uint64(now().UnixMilli())), From: from}), nil
		}
		c.Logger = slog.New(stages{n.said[name], func(s stage) {
			if at := n.at.Load(); at != nil {
				(*at)(name, s)
			}
		}})
	}
	n.start(n.names...)
	n.put("voter-a")
	return n
}

// when calls a function at the first stage that it returns true for, and tells when
// it has been. The leader waits there until release is called or the test ends.
func (n *tried) when(is func(leader string, s stage) bool) (there <-chan string, release func()) {
	came, free := make(chan string, 1), make(chan struct{})
	var once atomic.Bool
	at := func(leader string, s stage) {
		if is(leader, s) && once.CompareAndSwap(false, true) {
			came <- leader
			<-free
		}
	}
	n.at.Store(&at)
	var released atomic.Bool
	release = func() {
		if released.CompareAndSwap(false, true) {
			close(free)
		}
	}
	n.t.Cleanup(release)
	return came, release
}

func (n *tried) await(there <-chan string) (leader string) {
	n.t.Helper()
	select {
	case leader = <-there:
	case <-n.ctx().Done():
		n.t.Fatal("no leader comes to that stage")
	}
	return leader
}

// awaitOr is await, but returns "" where raft has these voters already: on a busy
// machine a leader may lose its office in the middle of a step, and never hears that it
// was made.
func (n *tried) awaitOr(there <-chan string, voting ...string) (leader string) {
	n.t.Helper()
	voting = slices.Sorted(slices.Values(voting))
	rested := 0 // how often nothing was left to do
	n.until("a leader comes to that stage", func() bool {
		select {
		case leader = <-there:
			return true
		default:
		}
		if rested++; !n.isSettled(voting...) {
			rested = 0
		}
		return rested > 200
	})
	return leader
}

// others returns the voters of genesis but one, which leads.
func (n *tried) others(leader string) []string {
	return slices.DeleteFunc(slices.Clone(voters), func(v string) bool { return v == leader })
}

// change puts voters on the log, with the approvals of members that are not cut
// off.
func (n *tried) change(names ...string) {
	n.t.Helper()
	slices.Sort(names)
	var by []string
	for _, name := range n.names {
		if n.cut(name, asking) == nil {
			by = append(by, name)
		}
	}
	n.amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: names}, by[:len(n.names)/2+1]...)
}

// unanswered submits through members that must not acknowledge anything. It returns
// a function that checks that they have not.
func (n *tried) unanswered(through ...string) (check func()) {
	ctx, cancel := context.WithCancel(n.ctx())
	answers := make(chan string, len(through))
	for _, name := range through {
		node, statement := n.nodes[name], n.statement(name, ledger.KindCredentialRevoke)
		go func() {
			if answer, err := node.Submit(ctx, statement); err == nil {
				answers <- fmt.Sprintf("%s acknowledges %+v", name, answer)
			}
		}()
	}
	return func() {
		n.t.Helper()
		cancel()
		select {
		case answer := <-answers:
			n.t.Error(answer)
		default:
		}
		for _, name := range through {
			if leader := n.nodes[name].Leader(); slices.Contains(through, leader) {
				n.t.Errorf("%s leads, by %s, and is cut off", leader, name)
			}
		}
	}
}

var faults = map[string]func(n *tried){
	"the leader stalls when it has promoted its own successor": func(n *tried) { n.stall(true) },
	"the leader stalls when it has promoted another's":         func(n *tried) { n.stall(false) },
	"the voters of before are cut off": func(n *tried) {
		leader := n.leader()
		others := n.others(leader)
		absent, leaving := others[0], others[1]
		n.split(absent)
		there, release := n.when(func(_ string, s stage) bool { return s.before && s.what == demoted && s.member == leaving })
		n.change(leader, absent, "wlearner-1")
		for !n.cutOff(there, release, absent, leaving) { // one knows of no change, the other not of its demotion
			there, release = n.when(func(_ string, s stage) bool { return s.before && s.what == demoted && s.member == leaving })
			n.split(absent)
		}
		check := n.unanswered(absent, leaving)
		n.settled(leader, absent, "wlearner-1")
		n.change(leader, "wlearner-1", "wlearner-2")
		n.settled(leader, "wlearner-1", "wlearner-2")
		for range 20 {
			n.put(asking)
		}
		check()
		n.split()
	},
	"the ledger is three sets ahead":                      func(n *tried) { n.ahead(false) },
	"the ledger is three sets ahead, and the leader ends": func(n *tried) { n.ahead(true) },
	wrongClocks: func(n *tried) {
		right := func() {
			began := time.Now()
			n.until("network time is that of the right clocks", func() bool {
				n.put(asking)
				at := n.networkTime(asking)
				if at.After(time.Now()) {
					n.t.Fatalf("network time is %s", at)
				}
				return !at.Before(began)
			})
		}
		right()
		for _, names := range [][]string{{"voter-a", "voter-b", "wlearner-1"}, {"voter-a", "wlearner-1", "wlearner-2"}, {"voter-a", "voter-c", "wlearner-2"}} {
			n.change(names...)
			n.settled(names...)
			right()
		}
	},
}

// cutOff cuts off two voters, one of whom a leader is about to demote. It reports
// whether the leader has: otherwise it leads no more, and nobody can.
func (n *tried) cutOff(there <-chan string, release func(), absent, leaving string) (done bool) {
	n.t.Helper()
	leader := n.nodes[n.await(there)]
	n.split(absent, leaving)
	release()
	n.until("the leader demotes a voter, or leads no more", func() bool {
		names, _ := leader.Servers()
		done = !slices.Contains(names, leaving)
		return done || leader.Leader() == ""
	})
	return done
}

// promotion has a leader promote a newcomer in place of a voter, itself or another. It
// returns the leader, which waits then, and the voters that are to be.
func (n *tried) promotion(itself bool) (leader string, next []string, release func()) {
	n.t.Helper()
	for {
		leads := n.leader()
		others := n.others(leads)
		next = []string{leads, others[0], "wlearner-1"}
		if itself {
			next = []string{others[0], others[1], "wlearner-1"}
		}
		there, release := n.when(func(_ string, s stage) bool { return !s.before && s.what == votes })
		n.change(next...)
		if leader = n.awaitOr(there, next...); leader != "" {
			return leader, next, release
		}
		release()
		n.change(slices.Clone(voters)...)
		n.settled(slices.Clone(voters)...)
	}
}

// stall cuts the leader off between the promotion of a newcomer and the demotion of
// a voter, itself or another. The others go on, and it acknowledges nothing.
func (n *tried) stall(itself bool) {
	n.t.Helper()
	stalled, next, release := n.promotion(itself)
	n.split(stalled)
	check := n.unanswered(stalled)
	release()
	n.until("another leads", func() bool { l := n.nodes[asking].Leader(); return l != "" && l != stalled })
	for range 20 {
		n.put(asking)
	}
	if itself {
		n.settled(next...)
	}
	check()
	n.split()
	n.settled(next...)
}

// ahead has the log name three sets before raft takes the first step to the first
// one.
func (n *tried) ahead(ends bool) {
	there, release := n.when(func(_ string, s stage) bool { return s.before && s.what == votes })
	n.change("voter-a", "voter-b", "wlearner-0")
	leader := n.await(there)
	n.change("voter-a", "voter-c", "wlearner-1")
	n.change("voter-b", "voter-c", "wlearner-2")
	if ends {
		n.split(leader)
	}
	release()
	if ends {
		n.until("another leads", func() bool { l := n.nodes[asking].Leader(); return l != "" && l != leader })
		n.put(asking)
		n.split()
	}
	n.settled("voter-b", "voter-c", "wlearner-2")
}

// What can go wrong while raft follows the log: after each fault all members have
// one history with everything that was acknowledged, uses are exact, what they
// export verifies, and raft has the voters of the log.
func TestFaults(t *testing.T) {
	if len(faults) == 0 {
		t.Fatal("no faults")
	}
	for _, what := range slices.Sorted(maps.Keys(faults)) {
		t.Run(what, func(t *testing.T) {
			wrong := map[string]time.Duration{}
			if what == wrongClocks {
				wrong = map[string]time.Duration{"wlearner-1": time.Hour, "wlearner-2": -time.Hour}
			}
			n := try(t, 3, wrong)
			n.survives(faults[what])
			for name := range wrong { // their own alarms are right
				n.stop(name)
			}
			n.noAlarms()
		})
	}
}

// survives has a bank ask while something goes wrong, and checks what is there
// afterwards.
func (n *tried) survives(fault func(*tried)) {
	n.t.Helper()
	const uses = 60
	ctx, stop := context.WithCancel(n.t.Context())
	defer stop()
	busy, running := n.ask(ctx, asking, asking, n.granted(asking, uses))
	fault(n)
	n.until("the consent is used up", func() bool { busy.mu.Lock(); defer busy.mu.Unlock(); return busy.spent })
	stop()
	running.Wait()
	if busy.accepted != uses {
		n.t.Errorf("%d queries of a consent with %d uses were accepted", busy.accepted, uses)
	}
	n.sound(busy.acked)
}

// A leader that is to vote no more, and cannot hand over, gives up its own vote. It
// goes on as a learner, and others lead.
func TestLeaderGivesUpItsOwnVote(t *testing.T) {
	n := try(t, 3, nil)
	n.survives(func(n *tried) {
		n.noHandover.Store(true)
		voting, leader := slices.Clone(voters), ""
		for spare := "wlearner-1"; n.kept.Load() == 0; spare = leader { // another may come to lead before it is asked to hand over
			leader = n.leader()
			voting[slices.Index(voting, leader)] = spare
			n.change(slices.Clone(voting)...)
			n.settled(slices.Clone(voting)...)
		}
		size := n.put(asking) + 1
		n.until("it gets what others submit", func() bool {
			if n.nodes[leader].RaftEnded() {
				n.t.Fatal("raft runs no more there")
			}
			return n.nodes[leader].Head().Size >= size
		})
		n.put(leader)
	})
	n.noAlarms()
}
