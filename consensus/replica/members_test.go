package replica_test

import (
	"slices"
	"testing"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// amend has members approve a change, the first of whom proposes it.
func (n *network) amend(a ledger.Amendment, by ...string) {
	n.t.Helper()
	head := n.newHead()
	n.submit(by[0], ledger.KindPropose, ledger.Propose{Head: head, Amendment: a}, ledger.Accepted)
	for _, name := range by[1:] {
		n.submit(name, ledger.KindApprove, ledger.Approve{Head: n.newHead(), Proposer: by[0], Proposal: head.ID}, ledger.Accepted)
	}
}

// joining returns the change that admits a member with these roles, or an agency,
// whose keys it makes.
func (n *network) joining(name string, seed byte, roles ...string) ledger.Amendment {
	n.t.Helper()
	if len(roles) == 0 {
		roles = []string{ledger.Agency}
	}
	n.keep(name, ledger.NewKeys(sign.Secret{seed}, "log.test/replica/1", 0))
	age := make([]byte, 1216)
	age[0] = seed
	c := ledger.Card{Name: name, Chinese: name, English: name, Age: age}
	for _, role := range roles {
		c.Roles = append(c.Roles, ledger.Role{Name: role, NotAfter: 40_000})
	}
	n.keys[name].Fill(&c)
	possession, err := n.keys[name].Possession(n.id, &c)
	n.check(err)
	return ledger.Amendment{Action: ledger.AddMember, Card: &c, Possession: possession}
}

// Members join and leave by the log while replicas run. A newcomer's statements
// count, wherever they are submitted, although its own node does not run yet,
// and those of a member that has left do not. Nobody stops, and who starts
// again or catches up comes to the same.
func TestMembersChangeUnderWay(t *testing.T) {
	n := found(t, 3)
	n.start(n.names[:5]...) // the last catches up later
	joining := n.joining("newcomer", 99)
	early := n.statement("newcomer", ledger.KindTick)
	answer, err := n.nodes["voter-b"].Submit(n.ctx(), early)
	n.check(err)
	if answer.Verdict != ledger.Unverified {
		t.Fatalf("before it is a member: %+v", answer)
	}
	n.amend(joining, "voter-a", "wlearner-0", "voter-b", "voter-c")
	for _, name := range []string{"voter-a", "wlearner-1"} {
		answer, err := n.nodes[name].Submit(n.ctx(), n.statement("newcomer", ledger.KindTick))
		n.check(err)
		if answer.Verdict != ledger.Accepted {
			t.Fatalf("the newcomer's statement, by way of %s: %+v", name, answer)
		}
	}
	n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "wlearner-1"}, "voter-b", "voter-a", "wlearner-0", "voter-c")
	n.stop("wlearner-1") // it gets no more entries
	size := n.put("voter-a") + 1
	for name, node := range n.nodes {
		n.check(node.WaitFor(n.ctx(), size))
		if names := node.Roster().Names(); !slices.Contains(names, "newcomer") || slices.Contains(names, "wlearner-1") {
			t.Errorf("%s: members are %q", name, names)
		}
		answer, err := node.Submit(n.ctx(), n.statement("wlearner-1", ledger.KindCredentialRevoke))
		n.check(err)
		if answer.Verdict != ledger.Unverified {
			t.Errorf("of one that has left, by way of %s: %+v", name, answer)
		}
		_, err = node.Time()
		n.check(err)
	}
	n.stop("voter-c")
	n.start("voter-c", "wlearner-2")
	size = n.put("voter-c") + 1
	for name, node := range n.nodes {
		n.check(node.WaitFor(n.ctx(), size))
		if names := node.Roster().Names(); !slices.Contains(names, "newcomer") || slices.Contains(names, "wlearner-1") {
			t.Errorf("%s, started again: members are %q", name, names)
		}
	}
	n.check(n.nodes["wlearner-2"].Finalise(n.ctx(), size))
	n.agree(nil)
	n.noAlarms()
}
