package consent

import (
	"crypto/rand"
	"fmt"
	"testing"
)

// I5: no list that others see reveals how many agencies a consent names or a
// query asks, except for the group that the number is in.
func TestListsTellNoNumber(t *testing.T) {
	for n := 1; n <= 2*digestGroup; n++ {
		want := (n + digestGroup - 1) / digestGroup * digestGroup
		s := tell(t)
		s.draft.Offers = nil
		var sections []Section
		for i := range n {
			agency := fmt.Sprintf("agency-%02d", i)
			item := Item{Dataset: "vat", Output: "sales", Disclosure: Band, Months: 12}
			s.draft.Offers = append(s.draft.Offers, Offer{Agency: agency, Items: []Item{item}})
			sections = append(sections, Section{Salt: s.salt(), Query: make([]byte, 16), Agency: agency, Wants: []Want{{Item: item}}, Operator: OperatorTag("bank-a", agency, "Wang")})
		}
		s.body = s.compose(0).Body
		if got := len(s.terms().Slices); got != want {
			t.Errorf("terms for %d agencies list %d digests, want %d", n, got, want)
		}
		list, err := SlotList(sections, s.body.Secret(), s.header.Bounds.ConsentID(), rand.Reader)
		s.check(err)
		if len(list) != want {
			t.Errorf("a query to %d agencies lists %d digests, want %d", n, len(list), want)
		}
	}
}
