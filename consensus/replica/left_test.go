//go:build !race

package replica_test

import (
	"slices"
	"testing"

	"atoll/consensus/ledger"
)

// What a member that has left has signed, then or now, takes no room in raft's
// log, though its signatures were found valid once.
func TestStatementsOfTheGoneCostNothing(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	old := n.statement("wlearner-0", ledger.KindCredentialRevoke)
	first, err := n.nodes["wlearner-0"].Submit(n.ctx(), old)
	n.check(err)
	n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "wlearner-0"}, "voter-a", "voter-b", "voter-c")
	for name, make := range map[string]func() []byte{
		"what is in the log": func() []byte { return old },
		"what is new":        func() []byte { return n.statement("wlearner-0", ledger.KindCredentialRevoke) },
	} {
		leader := n.nodes[n.leader()]
		n.check(leader.WaitFor(n.ctx(), first.Index+1))
		at := leader.RaftLast()
		const times = 200
		for range times {
			answer, err := leader.Submit(n.ctx(), make())
			n.check(err)
			if answer.Verdict != ledger.Unverified || answer.InLog() {
				t.Fatalf("%s: %+v", name, answer)
			}
		}
		if grown := leader.RaftLast() - at; grown > times/4 { // checkpoints and ticks
			t.Errorf("%s: raft's log has grown by %d", name, grown)
		}
	}
	n.stop("wlearner-0") // it gets no more entries, and may have missed the last
	n.agree(nil)
}

// Who comes back behind a snapshot applies members' changes at their indexes,
// also those that came and went meanwhile.
func TestCatchUpAcrossChanges(t *testing.T) {
	n := found(t, 2)
	n.tune = small
	n.start(n.names...)
	n.put("wlearner-1")
	n.stop("wlearner-1")
	for i, name := range []string{"water", "fire"} {
		n.amend(n.joining(name, byte(90+i)), "voter-a", "voter-b", "voter-c")
		for range 5 {
			answer, err := n.nodes["voter-b"].Submit(n.ctx(), n.statement(name, ledger.KindCredentialRevoke))
			n.check(err)
			if !answer.New {
				t.Fatalf("%s: %+v", name, answer)
			}
		}
		if name == "water" {
			n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: name}, "voter-c", "voter-a", "wlearner-0")
		}
		n.fill(300 * (i + 1))
	}
	size := n.put("voter-a") + 1
	n.start("wlearner-1")
	n.check(n.nodes["wlearner-1"].WaitFor(n.ctx(), size))
	if n.nodes["wlearner-1"].FirstInRaft() <= 1 {
		t.Error("it was not behind a snapshot")
	}
	if names := n.nodes["wlearner-1"].Roster().Names(); !slices.Contains(names, "fire") || slices.Contains(names, "water") {
		t.Errorf("members are %q", names)
	}
	n.agree(nil)
	n.noAlarms()
}
