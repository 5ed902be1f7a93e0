package ledger

import (
	"reflect"
	"slices"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// A roster is a value: neither later entries nor changes to the lists that it
// returned change it.
func TestRosterIsValue(t *testing.T) {
	w := newWorld(t)
	read := func() *Roster {
		r, err := RosterAt(w.state, uint64(len(w.leaves)))
		check(t, err)
		return r
	}
	r, untouched := read(), read()
	if !reflect.DeepEqual(r, w.genesis.Roster()) {
		t.Fatal("the roster of the state is not that of genesis")
	}

	w.want(w.sign("tax", KindTick, Tick{Head{w.id()}}), Accepted)
	card, err := CardAt(w.state, "bank-a", 1)
	check(t, err)
	card.English, card.Roles = "Another bank", everyDay(Agency)
	member, err := get[Member](w.state, memberKey("bank-a"))
	check(t, err)
	member.Seat = 4
	for key, record := range map[string]any{string(cardKey("bank-a", 1)): card, string(memberKey("bank-a")): member} {
		raw, err := sign.Marshal(record)
		check(t, err)
		w.state.Apply([]Change{{[]byte(key), raw}}) // no rule does this
	}
	if !reflect.DeepEqual(r, untouched) {
		t.Error("a change of the state altered a roster that was read before")
	}
	later := read()
	if seat, _ := later.Seat("bank-a"); later.Member("bank-a").English != "Another bank" || !later.Member("bank-a").Has(Agency) || seat != 4 {
		t.Error("a roster that was read after a change of the state does not have it")
	}

	slices.Reverse(r.Members())
	slices.Reverse(r.Names())
	slices.Reverse(r.Voters())
	r.With(Agency)[0].Name = "nobody"
	r.Member("tax").Name = "nobody"
	r.Author(sign.KeyIDOf(r.Member("tax").Statement)).Member = "nobody"
	if !reflect.DeepEqual(r, untouched) {
		t.Error("what was done with an answer altered the roster")
	}
}

// The state knows the roster of each of its entries and of the next one, and of
// no other. Genesis is judged by no roster.
func TestRosterAt(t *testing.T) {
	for _, index := range []uint64{0, 1} {
		r, err := RosterAt(NewMemory(), index)
		card, errCard := CardAt(NewMemory(), "tax", index)
		author, errAuthor := AuthorAt(NewMemory(), sign.KeyID{}, index)
		if r != nil || card != nil || author != nil || err != nil || errCard != nil || errAuthor != nil {
			t.Errorf("entry %d of the empty log: %v %v %v, %v %v %v", index, r, card, author, err, errCard, errAuthor)
		}
	}
	w := newWorld(t)
	for range 3 {
		w.want(w.sign("tax", KindTick, Tick{Head{w.id()}}), Accepted)
	}
	key := sign.KeyIDOf(w.genesis.Roster().Member("tax").Statement)
	for index, known := range []bool{false, true, true, true, true} {
		r, err := RosterAt(w.state, uint64(index))
		card, errCard := CardAt(w.state, "tax", uint64(index))
		author, errAuthor := AuthorAt(w.state, key, uint64(index))
		if err != nil || errCard != nil || errAuthor != nil {
			t.Fatalf("entry %d: %v %v %v", index, err, errCard, errAuthor)
		}
		if (r != nil) != known || (card != nil) != known || (author != nil) != known {
			t.Fatalf("entry %d: %v %v %v", index, r, card, author)
		}
		if known && (!reflect.DeepEqual(card, r.Member("tax")) || !reflect.DeepEqual(author, r.Author(key)) || author.Member != "tax") {
			t.Errorf("entry %d: the records %+v %+v are not the roster's", index, card, author)
		}
	}
	_, err := RosterAt(w.state, 5)
	_, errCard := CardAt(w.state, "tax", 5)
	_, errAuthor := AuthorAt(w.state, key, 5)
	if err == nil || errCard == nil || errAuthor == nil {
		t.Errorf("a state of 4 entries knows the roster of entry 5: %v %v %v", err, errCard, errAuthor)
	}
	if r := w.genesis.Roster(); r.Member("nobody") != nil || r.Author(sign.KeyID{}) != nil {
		t.Error("the roster knows a stranger")
	}
	if _, ok := w.genesis.Roster().Seat("nobody"); ok {
		t.Error("a stranger has a seat")
	}
}

// rolesOf returns members of all kinds: with two roles, with one that is over,
// and with one that has not begun on day 100.
func rolesOf() *Roster {
	g := &Genesis{Voters: []string{"court", "tax"}}
	for i, m := range []struct {
		name  string
		roles []Role
	}{
		{"audit-a", []Role{{Name: Auditor, NotBefore: 0, NotAfter: 99}}},
		{"audit-b", []Role{{Name: Auditor, NotBefore: 0, NotAfter: 40_000}, {Name: Bank, NotBefore: 0, NotAfter: 40_000}}},
		{"bank", []Role{{Name: Bank, NotBefore: 0, NotAfter: 40_000}}},
		{"court", []Role{{Name: Agency, NotBefore: 101, NotAfter: 40_000}}},
		{"market", []Role{{Name: Agency, NotBefore: 0, NotAfter: 100}, {Name: Registrar, NotBefore: 0, NotAfter: 130}}},
		{"tax", []Role{{Name: Agency, NotBefore: 0, NotAfter: 40_000}}},
	} {
		g.Members = append(g.Members, Card{Name: m.name, Roles: m.roles, Statement: []byte{byte(i)}})
	}
	return g.Roster()
}

// Lists of members by role ascend and include roles of any day, because what is
// sealed to an auditor stays sealed to it. Whether an author has a role is
// asked for a day.
func TestRosterRoles(t *testing.T) {
	r := rolesOf()
	if got := r.Names(); !slices.Equal(got, []string{"audit-a", "audit-b", "bank", "court", "market", "tax"}) {
		t.Errorf("members %q", got)
	}
	if got := r.Voters(); !slices.Equal(got, []string{"court", "tax"}) {
		t.Errorf("voters %q", got)
	}
	for role, want := range map[string][]string{
		Agency: {"court", "market", "tax"}, Bank: {"audit-b", "bank"}, Auditor: {"audit-a", "audit-b"}, Registrar: {"market"}, "": nil,
	} {
		if got := r.Named(role); !slices.Equal(got, want) || !slices.Equal(namesOf(r.With(role)), want) {
			t.Errorf("with the role %q: %q, want %q", role, got, want)
		}
	}
	for bank, want := range map[string][]string{
		"bank": {"bank", "audit-a", "audit-b"}, "audit-b": {"audit-b", "audit-a"}, "audit-a": nil, "tax": nil, "nobody": nil,
	} {
		if got := namesOf(r.Readers(bank)); !slices.Equal(got, want) {
			t.Errorf("a consent for %s opens for %q, want %q", bank, got, want)
		}
	}
	if got := r.Member("market").RoleNames(); !slices.Equal(got, []string{Agency, Registrar}) {
		t.Errorf("roles of one member: %q", got)
	}
	for seat, name := range r.Names() {
		if got, ok := r.Seat(name); !ok || got != seat {
			t.Errorf("%s has seat %d", name, got)
		}
	}
	for _, c := range []struct {
		name, role string
		day        consent.Day
		has        bool
	}{
		{"market", Agency, 99, true}, {"market", Agency, 100, true}, {"market", Agency, 101, false}, {"market", Registrar, 101, true}, {"market", Bank, 100, false},
		{"court", Agency, 100, false}, {"court", Agency, 101, true}, {"audit-a", Auditor, 100, false},
	} {
		if got := r.Author(sign.KeyIDOf(r.Member(c.name).Statement)).Has(c.role, c.day); got != c.has {
			t.Errorf("on day %d, %s has the role of %s: %t", c.day, c.name, c.role, got)
		}
	}
}

// A role is listed when it is over, will be over, or has not begun.
func TestRosterEnding(t *testing.T) {
	var got []string
	for _, e := range rolesOf().Ending(100, 130) {
		got = append(got, e.Member+" "+e.Role.Name)
	}
	if want := []string{"audit-a auditor", "court agency", "market agency", "market registrar"}; !slices.Equal(got, want) {
		t.Errorf("end or have not begun: %q, want %q", got, want)
	}
}
