package replica_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// join starts a member that the log has admitted, with what it verified before.
func (n *network) join(name string, anchor *ledger.Anchor) {
	n.t.Helper()
	if n.anchors == nil {
		n.anchors = map[string]*ledger.Anchor{}
	}
	n.anchors[name] = anchor
	n.names = append(n.names, name)
	n.start(name)
}

// learns waits until raft's learners are these, at the leader.
func (n *network) learns(names ...string) {
	n.t.Helper()
	n.until("raft has the learners of the log", func() bool {
		_, learners := n.nodes[n.leader()].Servers()
		return slices.Equal(learners, names)
	})
}

// load has members submit statements until stop is called.
func (n *network) load(by ...string) (stop func() map[uint64][]byte) {
	ctx, cancel := context.WithCancel(n.ctx())
	var mu sync.Mutex
	acked := map[uint64][]byte{}
	var writers sync.WaitGroup
	for _, name := range by {
		node := n.nodes[name]
		writers.Go(func() {
			for ctx.Err() == nil {
				statement := n.statement(name, ledger.KindCredentialRevoke)
				answer, err := node.Submit(ctx, statement)
				if err == nil && answer.InLog() {
					mu.Lock()
					acked[answer.Index] = statement
					mu.Unlock()
				}
			}
		})
	}
	return func() map[uint64][]byte {
		cancel()
		writers.Wait()
		return acked
	}
}

// A newcomer is admitted while entries flow. It gets the log, by raft's entries
// or behind a snapshot, submits, and gets no more once it is removed. The
// leader ends around each step; the next one goes on.
func TestRaftFollowsTheLog(t *testing.T) {
	for what, tune := range map[string]func(*replica.Config){"by entries": nil, "behind a snapshot": small} {
		t.Run(what, func(t *testing.T) {
			n := found(t, 2)
			n.tune = tune
			n.start(n.names...)
			if tune != nil {
				n.fill(300)
				n.until("raft's log is truncated at each voter", func() bool {
					return !slices.ContainsFunc(voters, func(v string) bool { return n.nodes[v].FirstInRaft() <= 1 })
				})
			}
			n.put("wlearner-0")
			anchor := n.anchor("voter-b")
			stop := n.load("wlearner-0", "wlearner-1")
			n.amend(n.joining("water", 90), "wlearner-0", "voter-a", "voter-b")
			first := n.leader()
			n.stop(first)
			n.join("water", anchor)
			n.learns("water", "wlearner-0", "wlearner-1")
			n.start(first)
			water := n.nodes["water"]
			n.check(water.WaitFor(n.ctx(), anchor.Head().Size))
			n.until("it is a member by its own log", water.Admitted)
			if behind := water.LastSnapshot() > 0; behind != (tune != nil) {
				t.Errorf("it was behind a snapshot: %t", behind)
			}
			answer, err := water.Submit(n.ctx(), n.statement("water", ledger.KindCredentialRevoke))
			n.check(err)
			if !answer.New {
				t.Fatalf("the newcomer's statement: %+v", answer)
			}
			n.stop("water")
			n.start("water")
			water = n.nodes["water"]
			n.check(water.WaitFor(n.ctx(), answer.Index+1))
			n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "water"}, "wlearner-0", "voter-a", "voter-b")
			second := n.leader()
			n.stop(second)
			n.learns("wlearner-0", "wlearner-1")
			n.start(second)
			acked := stop()
			size := n.put("voter-a")
			time.Sleep(time.Second) // raft would send it within milliseconds
			if water.Head().Size > size {
				t.Errorf("a removed member still gets entries: it has %d", water.Head().Size)
			}
			n.stop("water")
			n.agree(acked)
			n.noAlarms()
		})
	}
}

// Nobody gets the log before its admission is final, since a leader could show
// an admission to some only.
func TestNothingBeforeAdmissionIsFinal(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Publish = time.Hour }
	n.start(n.names...)
	n.put("voter-a")
	anchor := n.anchor("voter-a")
	n.amend(n.joining("water", 90), "voter-a", "voter-b", "voter-c")
	n.join("water", anchor)
	time.Sleep(2 * time.Second) // several of the leader's steps
	if last := n.nodes["water"].RaftLast(); last != 0 || n.nodes["water"].Head().Size != 0 {
		t.Fatalf("it has %d entries of raft's log", last)
	}
	leader := n.nodes[n.leader()]
	n.check(leader.Finalise(n.ctx(), leader.Head().Size))
	n.learns("water", "wlearner-0")
	n.check(n.nodes["water"].WaitFor(n.ctx(), leader.Head().Size))
	n.agree(nil)
}

// Who applies that a leader made a stranger a learner, left a member out, or let
// a learner vote, stops: the leader, and the next one. Without them nothing is acknowledged.
// With one voter more, those that are left may be no majority: then no other applies it.
func TestLearnersOfALyingLeader(t *testing.T) {
	for what, lie := range map[string]struct {
		name, how string
		stop      int
	}{
		"a stranger": {"eve", "learns", 2}, "a member left out": {"wlearner-1", "goes", 2}, "a learner that votes": {"wlearner-0", "votes", 1},
	} {
		t.Run(what, func(t *testing.T) {
			n := found(t, 2)
			n.start(n.names...)
			n.put("voter-a")
			leader := n.nodes[n.leader()]
			go leader.Misconfigure(lie.name, lie.how)
			stopped := 0
			n.until("members stop", func() bool {
				for _, name := range n.names {
					select {
					case err := <-n.nodes[name].Fatal():
						stopped++
						if !strings.Contains(err.Error(), "tampered") {
							t.Fatalf("%s: %v", name, err)
						}
					default:
					}
				}
				return stopped >= lie.stop
			})
		})
	}
}

// settled waits until raft has these voters and the log says so.
func (n *network) settled(names ...string) {
	n.t.Helper()
	slices.Sort(names)
	n.until("raft has the voters of the log", func() bool { return n.isSettled(names...) })
}

// isSettled reports whether raft has these voters, ascending, and the log says so.
func (n *network) isSettled(names ...string) bool {
	n.t.Helper()
	leader := n.nodes[n.leader()]
	if got, _ := leader.Servers(); !slices.Equal(got, names) {
		return false
	}
	var sets []ledger.VoterSet
	n.check(leader.View(func(v ledger.View) (err error) {
		sets, err = ledger.VoterSets(v)
		return err
	}))
	return len(sets) == 1 && slices.Equal(sets[0].Names, names)
}

// Voters change from three to five, seven and three others while entries flow,
// the leader's own vote included. Nothing is lost, and no replica stops.
func TestVotersFollowTheLog(t *testing.T) {
	n := found(t, 4)
	n.start(n.names...)
	n.put("voter-a")
	stop := n.load("voter-a", "wlearner-3")
	five := []string{"voter-a", "voter-b", "voter-c", "wlearner-0", "wlearner-1"}
	change := func(names ...string) {
		n.amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: names}, "voter-a", "voter-b", "wlearner-2", "wlearner-3")
	}
	change(five...)
	n.settled(five...)
	change(n.names...)
	n.settled(n.names...)
	change("wlearner-0", "wlearner-1", "wlearner-2")
	n.settled("wlearner-0", "wlearner-1", "wlearner-2")
	n.put("wlearner-0")
	acked := stop()
	n.agree(acked)
	n.noAlarms()
	for _, name := range n.names { // everybody starts with what it has
		n.stop(name)
	}
	n.start(n.names...)
	n.put("voter-b")
	n.agree(acked)
}

// The leader of each moment ends while voters change; the next one goes on.
func TestLeadersEndWhileVotersChange(t *testing.T) {
	n := found(t, 2)
	n.start(n.names...)
	n.put("voter-a")
	n.amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: []string{"voter-a", "voter-b", "wlearner-0"}}, "voter-a", "voter-b", "voter-c")
	for range 4 {
		name := n.leader()
		n.stop(name)
		n.put(n.leader())
		n.start(name)
		n.put(name)
	}
	n.settled("voter-a", "voter-b", "wlearner-0")
	n.agree(nil)
	n.noAlarms()
}
