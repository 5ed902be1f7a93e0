package node

import (
	"testing"
	"time"

	"atoll/consensus/consent"
)

// What a bank has asked for is listed, the newest first: until when it can be signed and
// fetched, and which consent has come back for it, also of one that was accepted before.
func TestNoted(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	bank := n.members["bank-a"]
	later := n.draft(s, 3)
	later.Offers = n.offering(later).Offers
	earlier, lasting := later, later
	earlier.Date, earlier.Product = later.Date-consent.SignedWithin-1, "an earlier loan"
	lasting.Product, lasting.NotAfter = "a loan of one day", later.NotBefore
	for _, d := range []*consent.Draft{&earlier, &later, &lasting} {
		n.must(bank.Requested(d))
	}
	_, err := bank.KeepPaper([]byte("a request"), &later)
	n.must(err)
	statement, sealed := n.sign(s, later)
	c, err := bank.Accept(n.ctx, statement, sealed)
	n.must(err)
	id := c.Header.Bounds.ConsentID()
	n.restart("bank-a")
	list, err := n.members["bank-a"].Noted()
	n.must(err)
	if len(list) != 3 {
		t.Fatalf("%d requests", len(list))
	}
	for i, r := range list {
		until := r.Draft.Date + consent.SignedWithin + 1
		switch r.Draft.Product {
		case later.Product:
			if r.Consent == nil || *r.Consent != id || time.Until(r.Fetch) <= 0 {
				t.Errorf("the one that came back: %+v", r)
			}
		case earlier.Product:
			if i != 2 || r.Consent != nil || !r.Fetch.IsZero() || r.Until.After(time.Now()) {
				t.Errorf("the earlier one, at %d: %+v", i, r)
			}
		default:
			until = lasting.NotAfter + 1
			if r.Consent != nil {
				t.Errorf("another one: %+v", r)
			}
		}
		if want := time.UnixMilli(int64(until.Start(n.genesis.Offset))); !r.Until.Equal(want) {
			t.Errorf("%s can be signed until %v, not %v", r.Draft.Product, r.Until, want)
		}
	}
}
