package node

import (
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
	before := tax.vault.Syncs()
	for range 60 { // an hour of minutes
		n.must(tax.dropReceived())
		n.must(tax.sendReceipts())
		if swept, err := tax.vault.Sweep(time.Now()); err != nil || swept != 0 {
			t.Errorf("%d swept (%v)", swept, err)
		}
	}
	if after := tax.vault.Syncs(); after != before {
		t.Errorf("%d syncs while there was nothing to do", after-before)
	}
	n.agree()
}

func TestSpooledNames(t *testing.T) {
	ref := ledger.QueryRef{Bank: "bank-a-b", ID: make([]byte, 16)}
	if got, ok := parseSpooled(spoolName(outPrefix, ref, ref.Bank)); !ok || got.Bank != ref.Bank || string(got.ID) != string(ref.ID) {
		t.Errorf("%+v, %t", got, ok)
	}
	for _, name := range []string{"", "out-", "in-00-bank.age", "out-00-", "out-zz-bank.age", "out-AA-bank.age", "out-00-bank"} {
		if ref, ok := parseSpooled(name); ok {
			t.Errorf("%q is %+v", name, ref)
		}
	}
}
