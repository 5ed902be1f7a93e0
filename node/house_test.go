package node

import (
	"math"
	"testing"
	"time"

	"atoll/consensus/ledger"
)

// awaitReceipt waits until an agency's replica has the bank's receipt.
func (n *network) awaitReceipt(agency string, a *Asked) {
	n.t.Helper()
	m := n.members[agency]
	for {
		size := m.replica.Head().Size
		o, err := m.outcome(a.Ref, agency)
		n.must(err)
		if o != nil && o.Received {
			return
		}
		n.must(m.WaitFor(n.ctx, size+1))
	}
}

// A fragment that its bank has received is dropped once. After that an idle
// agency does not wait for its disk, however many queries it has answered.
func TestIdleMinuteSyncsNothing(t *testing.T) {
	n := newNetwork(t)
	const queries = 4
	id := n.grant(n.enrol(firm), queries)
	tax := n.members["tax"]
	for range queries {
		a, pieces := n.ask(id)
		wantOutcomes(t, pieces, "tax", "answered", "answered")
		n.awaitReceipt("tax", a)
	}
	n.must(tax.dropReceived())
	if left, err := tax.vault.Files(outPrefix); err != nil || len(left) != 0 {
		t.Errorf("still spooled: %q (%v)", left, err)
	}
	if replies, err := tax.vault.Keys(replies); err != nil || len(replies) != queries {
		t.Errorf("%d replies of %d (%v)", len(replies), queries, err)
	}
	syncs := n.leastSyncs("tax", func() {
		for range 60 { // an hour of minutes
			n.must(tax.dropReceived())
			n.must(tax.giveReceipts())
			if swept, err := tax.vault.Sweep(time.Now(), nil); err != nil || swept != 0 {
				t.Errorf("%d swept (%v)", swept, err)
			}
		}
	})
	if syncs > 0 {
		t.Errorf("%d syncs while there was nothing to do", syncs)
	}
	n.agree()
}

// leastSyncs returns how often a member's vault waits for its disk while do runs, by
// the least of some runs: what else the member does at that time is not do's.
func (n *network) leastSyncs(member string, do func()) uint64 {
	n.t.Helper()
	least := uint64(math.MaxUint64)
	for try := 0; try < 5 && least > 0; try++ {
		before := n.members[member].vault.Syncs()
		do()
		least = min(least, n.members[member].vault.Syncs()-before)
	}
	return least
}

func TestSpooledNames(t *testing.T) {
	for _, prefix := range []string{outPrefix, inPrefix} {
		ref := ledger.QueryRef{Bank: "bank-a-b", ID: make([]byte, 16)}
		name := spoolName(prefix, ref, "tax-a-b")
		if id, member, ok := parseSpooled(prefix, name); !ok || member != "tax-a-b" || string(id) != string(ref.ID) {
			t.Errorf("%x, %s, %t", id, member, ok)
		}
	}
	for _, name := range []string{
		"", "out-", "out-00-bank.age", "out-00-", "in-00000000000000000000000000000000-bank.age", "out-00000000000000000000000000000000.age",
		"out-zz000000000000000000000000000000-bank.age", "out-AA000000000000000000000000000000-bank.age", "out-00000000000000000000000000000000-bank",
	} {
		if id, member, ok := parseSpooled(outPrefix, name); ok {
			t.Errorf("%q is %x of %s", name, id, member)
		}
	}
}
