package node

import (
	"strconv"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/catalog"
)

// Asks that get no reply, of operators whom nobody has seen, do not fill an
// agency's memory, and all of them count.
func TestCountsAreBounded(t *testing.T) {
	n := newNetwork(t)
	a, ask := n.question(n.grant(n.enrol(firm), 3))
	tax := n.members["tax"]
	q, err := await(n.ctx, tax.Node, func() (*query, error) { return tax.query(a.Ref) })
	n.must(err)
	count := func(i int) catalog.Rates {
		other, by := *q, *ask
		other.ref = ledger.QueryRef{Bank: "bank-a", ID: append([]byte{byte(i), byte(i >> 8)}, a.Ref.ID[2:]...)}
		by.Section.Operator = consent.OperatorTag("bank-a", "tax", strconv.Itoa(i))
		at, err := tax.At()
		n.must(err)
		r, err := tax.count(&by, &other, at.Day, always)
		n.must(err)
		return r
	}
	for i := range maxOpen + 20 {
		if r := count(i); r.Bank.Today != uint64(i+1) || r.Operator.Month != 1 {
			t.Fatalf("ask %d: %+v", i, r)
		}
	}
	for i := range maxRated { // as many operators
		tax.rating.now[sign.Secret{1, byte(i), byte(i >> 8), byte(i >> 16)}] = 1
	}
	if r := count(maxOpen + 20); r.Bank.Today != maxOpen+21 || r.Of("vat").Total.Month != maxOpen+21 {
		t.Errorf("%+v", r)
	}
	if again := count(5); again.Bank.Today != 6 {
		t.Errorf("asked again: %+v", again)
	}
	if len(tax.rating.open) > maxOpen || len(tax.rating.now) > 5*maxOpen {
		t.Errorf("%d asks and %d counters in memory", len(tax.rating.open), len(tax.rating.now))
	}
}
