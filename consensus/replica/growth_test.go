//go:build !race

package replica_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// admit has a newcomer admitted, and starts it. It returns when it is a member by
// its own copy of the log.
func (n *network) admit(name string, seed byte) {
	n.t.Helper()
	anchor := n.anchor(n.leader())
	n.agreed(n.joining(name, seed, ledger.Agency, ledger.Bank))
	n.join(name, anchor)
	n.until(name+" is a member by its own log", n.nodes[name].Admitted)
}

// handTo replaces a cosigner by another member, and returns when those who sign
// then have made a head final.
func (n *network) handTo(gone, heir string, f, k uint8) {
	n.t.Helper()
	node := n.nodes[heir]
	before := node.Cosigners(node.Head().Size).Members()
	after := slices.Clone(before)
	after[slices.Index(after, gone)] = heir
	slices.Sort(after)
	by := before[:k]
	n.check(n.nodes[by[0]].Finalise(n.ctx(), n.approve(by, after, f, k)))
	n.submit(by[0], ledger.KindHandover, n.handover(n.nodes[by[0]].Final().Signed), ledger.Accepted)
	n.check(node.Finalise(n.ctx(), n.put(heir)+1))
	if got := node.Cosigners(node.Head().Size).Members(); !slices.Equal(got, after) {
		n.t.Fatalf("cosigners are %q, want %q", got, after)
	}
}

// A network of four grows to twelve, and replaces each founder by a newcomer, as
// cosigner, voter and member, while a bank asks and others submit. Nothing that
// was acknowledged is missing, uses are exact, and who knows the cosigners of the
// first day alone comes to the last head.
func TestGrowth(t *testing.T) {
	const members, uses = 12, 100
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Publish = 100 * time.Millisecond }
	n.start(n.names...)
	founders, voting := slices.Clone(n.names), slices.Clone(voters)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), n.put("voter-a")+1))
	dayOne := n.policyOf(n.nodes["voter-a"].Cosigners(1), founders...)
	log, err := audit.Load(n.exported("voter-a"), dayOne)
	n.check(err)
	n.check(log.Verify(nil, nil))
	seen := log.Head

	n.admit("bank", 10)
	n.admit("member-1", 11)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	busy, running := n.ask(ctx, "bank", "member-1", n.granted("bank", uses))
	mine := map[uint64][]byte{}
	for i := range byte(members) - 4 - 2 {
		n.admit(fmt.Sprintf("member-%d", 2+i), 12+i)
	}
	if got := len(n.nodes["bank"].Roster().Names()); got != members {
		t.Fatalf("%d members", got)
	}
	for i, gone := range founders {
		heir := fmt.Sprintf("heir-%d", i)
		n.admit(heir, 100+byte(i))
		n.handTo(gone, heir, 1, 3)
		statement := n.statement(gone, ledger.KindCredentialRevoke)
		answer, err := n.nodes[gone].Submit(n.ctx(), statement)
		n.check(err)
		mine[answer.Index] = statement
		leave := ledger.Amendment{Action: ledger.RemoveMember, Name: gone}
		if at := slices.Index(voting, gone); at >= 0 {
			voting[at] = heir
			next := slices.Sorted(slices.Values(voting))
			if i == 0 { // in two steps
				n.agreed(ledger.Amendment{Action: ledger.ChangeVoters, Names: next})
				n.settled(next...)
			} else {
				leave.Names = next
			}
		}
		n.agreed(leave)
		n.until(gone+" has left raft, which has the voters of the log", func() bool {
			now, learners := n.nodes[heir].Servers()
			return !slices.Contains(now, gone) && !slices.Contains(learners, gone)
		})
		n.settled(slices.Clone(voting)...)
		n.stop(gone)
	}
	n.until("the consent is used up", func() bool { busy.mu.Lock(); defer busy.mu.Unlock(); return busy.spent })
	stop()
	running.Wait()
	if busy.accepted != uses {
		t.Errorf("%d queries of a consent with %d uses were accepted", busy.accepted, uses)
	}
	for index, statement := range mine {
		busy.acked[index] = statement
	}
	if names := n.nodes["bank"].Roster().Names(); len(names) != members || slices.ContainsFunc(founders, func(f string) bool { return slices.Contains(names, f) }) {
		t.Errorf("members are %q", names)
	}
	n.sound(busy.acked)
	n.noAlarms()

	if _, err := audit.Load(n.exported("heir-3"), dayOne); !errors.Is(err, audit.ErrUnverifiable) {
		t.Errorf("the policy of the first day takes what others sign: %v", err)
	}
	r := n.audited("heir-3", &seen)
	sets, err := r.Cosigners()
	n.check(err)
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	last := r.Summary().Head
	proven := n.proves("heir-3", ledger.NewSeen(g), last.Size-1)
	if len(sets) != 1+len(founders) || len(proven.Seen.Sets) != len(sets) || proven.Seen.Head.Size < last.Size {
		t.Errorf("%d sets of cosigners by replay, and %d by proofs up to %d entries of %d", len(sets), len(proven.Seen.Sets), proven.Seen.Head.Size, last.Size)
	}
}
