package ledger

import (
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/tlog"
)

// I2: the leaf contains the decision, also for refusals, so that the tree
// commits to it: one statement with two verdicts is two leaves.
func TestLeavesSayTheVerdict(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, func(d *consent.Draft) { d.MaxUses = 1 })
	wanted := []Verdict{Accepted, Accepted} // genesis and the grant
	for _, v := range []Verdict{Accepted, ConsentUses} {
		w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), v)
		wanted = append(wanted, v)
	}
	w.want(w.sign("bank-b", KindQueryOpen, w.open(d)), ConsentBank)
	wanted = append(wanted, ConsentBank)
	for i, leaf := range w.leaves {
		e, err := ParseEntry(leaf)
		check(t, err)
		if e.Verdict != wanted[i] {
			t.Errorf("entry %d says %q, the rules said %q", i, e.Verdict, wanted[i])
		}
		told := *e
		told.Verdict = Unsupported
		other, err := told.Marshal()
		check(t, err)
		if tlog.LeafHash(leaf) == tlog.LeafHash(other) {
			t.Errorf("entry %d has the same hash with another verdict", i)
		}
	}
}
