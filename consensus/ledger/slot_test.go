package ledger

import (
	"bytes"
	"slices"
	"testing"

	"atoll/consensus/consent"
)

// asking opens a query with slots for these agencies only.
func (w *world) asking(d *deal, agencies ...string) QueryOpen {
	w.t.Helper()
	q := w.open(d)
	for i := range q.Slots {
		q.Slots[i] = w.bytes32()
	}
	for i, agency := range agencies {
		slot := slotOf(q.ID)
		q.Slots[i] = slot.Digest(agency)
	}
	slices.SortFunc(q.Slots, bytes.Compare)
	w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
	return q
}

// An agency that was not asked can neither release nor refuse, whatever it has
// read on the log, and spends nothing.
func TestSlots(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	other := w.asking(d, "court")
	q := w.asking(d, "tax")
	release := func(slot consent.Slot) []byte {
		r := w.release(q)
		r.Slot = slot
		return w.sign("court", KindRelease, r)
	}
	refuse := func(slot consent.Slot) []byte {
		r := w.refuse(q)
		r.Slot = slot
		return w.sign("court", KindRefuse, r)
	}
	listed := consent.Slot{Section: q.Slots[0], Token: q.Slots[0]}
	made := consent.Slot{Section: w.bytes32(), Token: w.bytes32()}
	for name, slot := range map[string]consent.Slot{"tax's": slotOf(q.ID), "its own in another query": slotOf(other.ID), "a listed digest": listed, "made up": made} {
		if a := w.want(release(slot), QuerySlot); a.Leaf == nil {
			t.Errorf("%s: no entry", name)
		}
		w.want(refuse(slot), QuerySlot)
	}
	w.want(w.sign("tax", KindRefuse, w.refuse(q)), Accepted)
	w.pass(2 * minute)
	w.pass(1)
	if used := w.used(d); used != 0 {
		t.Errorf("%d uses are spent, and nothing was released", used)
	}
}

// A slot identifies its agency, section and query: no two inputs have one
// digest.
func TestSlotDigest(t *testing.T) {
	one := consent.Slot{Section: bytes.Repeat([]byte{1}, 32), Token: bytes.Repeat([]byte{2}, 32)}
	seen := map[string]bool{string(one.Digest("tax")): true}
	for _, x := range []struct {
		slot   consent.Slot
		agency string
	}{{one, "court"}, {consent.Slot{Section: one.Token, Token: one.Section}, "tax"}, {consent.Slot{Section: one.Section, Token: one.Section}, "tax"}} {
		d := x.slot.Digest(x.agency)
		if len(d) != 32 || seen[string(d)] {
			t.Errorf("%s: %x", x.agency, d)
		}
		seen[string(d)] = true
	}
	for _, bad := range []consent.Slot{{}, {Section: one.Section}, {Section: one.Section[:31], Token: one.Token}, {Section: one.Section, Token: append([]byte{0}, one.Token...)}} {
		if bad.Check() == nil {
			t.Errorf("%+v is a slot", bad)
		}
	}
}

// An agency that names the digest of another's fragment, even earlier, as it
// can when it conspires with a leader, takes nothing from that agency: the
// bank's receipt names the agency of the fragment.
func TestCopiedDigest(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	q := w.asking(d, "tax", "court")
	r := w.release(q)
	w.want(w.sign("court", KindRelease, w.release(q)), Accepted)
	w.want(w.sign("tax", KindRelease, r), Accepted)
	tax := Fragment{Agency: "tax", Digest: r.Digest}
	w.want(w.receipt("bank-a", q.ID, tax), Accepted)
	for agency, received := range map[string]bool{"tax": true, "court": false} {
		if o, err := LookupOutcome(w.state, r.Query, agency); err != nil || o.Received != received {
			t.Errorf("%s: %+v (%v)", agency, o, err)
		}
	}
	w.want(w.receipt("bank-a", q.ID, tax), FragmentUnknown)
}

// A receipt names releases by agency and digest, not their number.
func TestReceiptMatchesSets(t *testing.T) {
	w := newWorld(t)
	q := w.asking(w.granted(0, nil), "tax", "court")
	r := w.release(q)
	w.want(w.sign("tax", KindRelease, r), Accepted)
	receipt := func(fragments ...Fragment) []byte { return w.receipt("bank-a", q.ID, fragments...) }
	tax, court := Fragment{Agency: "tax", Digest: r.Digest}, Fragment{Agency: "court", Digest: w.bytes32()}
	w.want(receipt(court), FragmentUnknown)
	w.want(receipt(Fragment{Agency: "court", Digest: r.Digest}), FragmentUnknown)
	w.want(receipt(tax, court), FragmentUnknown)
	other := w.release(q)
	other.Digest = court.Digest
	w.want(w.sign("court", KindRelease, other), Accepted)
	w.want(receipt(tax, Fragment{Agency: "court", Digest: w.bytes32()}), FragmentUnknown)
	w.want(receipt(Fragment{Agency: "tax", Digest: court.Digest}, Fragment{Agency: "court", Digest: tax.Digest}), FragmentUnknown)
	for _, agency := range []string{"tax", "court"} {
		if o, err := LookupOutcome(w.state, r.Query, agency); err != nil || o.Received {
			t.Fatalf("%s: %+v (%v)", agency, o, err)
		}
	}
	w.want(receipt(tax), Accepted)
	w.want(receipt(tax, court), FragmentUnknown)
	w.want(receipt(court), Accepted)
	refused := w.asking(w.granted(1, nil), "tax")
	w.want(w.sign("tax", KindRefuse, w.refuse(refused)), Accepted)
	w.want(w.receipt("bank-a", refused.ID, Fragment{Agency: "tax", Digest: make([]byte, 32)}), FragmentUnknown)
}
