package ledger

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Roster is the members of a network by its log at one size: their names, roles,
// addresses and keys, and who of them votes. It is a value: what the log says
// later makes another roster and leaves this one as it is. It is safe for
// concurrent use; cards that it returns must not be changed.
//
// Which roster counts depends on the question. Whoever looks at an entry (its
// author, the card by which what it carries verifies, those who must be able to
// open it) goes by the roster of its index: [RosterAt], and for a single record
// [CardAt] and [AuthorAt]. An entry that changes the roster changes it from the
// next index on. Whoever acts now (dials, asks, seals, draws up a text) goes by
// the newest, that of the index to come. Who has no log goes by
// [Genesis.Roster]. So far all of them are equal: only genesis makes members.
type Roster struct {
	cards   []Card // ascending by name
	authors map[sign.KeyID]Author
	seats   map[string]int
	voters  []string // ascending
}

// Roster returns the founders: the roster of index 1.
func (g *Genesis) Roster() *Roster {
	authors := make([]Author, len(g.Members))
	for seat := range g.Members {
		authors[seat] = g.Members[seat].author(seat)
	}
	return newRoster(slices.Clone(g.Members), authors, func(_ int, name string) bool { return slices.Contains(g.Voters, name) })
}

// author is what the rules know of the card's statement key.
func (c *Card) author(seat int) Author {
	return Author{Member: c.Name, Key: c.Statement, Roles: c.Roles, Seat: uint8(seat)}
}

// newRoster makes a roster of cards that ascend by name.
func newRoster(cards []Card, authors []Author, votes func(seat int, name string) bool) *Roster {
	r := &Roster{cards: cards, authors: map[sign.KeyID]Author{}, seats: map[string]int{}}
	for _, a := range authors {
		r.authors[sign.KeyIDOf(a.Key)] = a
		r.seats[a.Member] = int(a.Seat)
	}
	for _, c := range cards {
		if votes(r.seats[c.Name], c.Name) {
			r.voters = append(r.voters, c.Name)
		}
	}
	return r
}

// RosterAt returns the roster under which the entry of an index is judged, nil
// for genesis. The state may be any from that index on: an entry that it has, or
// the next. The error is the view's, or says that the index is beyond that.
func RosterAt(v View, index uint64) (*Roster, error) {
	state, err := reaching(v, index)
	if err != nil || state == nil {
		return nil, err
	}
	cards, err := readAll[Card](v, memberPrefix)
	if err != nil {
		return nil, err
	}
	authors, err := readAll[Author](v, authorPrefix)
	if err != nil {
		return nil, err
	}
	return newRoster(cards, authors, func(seat int, _ string) bool { return state.Votes(seat) }), nil
}

// CardAt returns the card that a member has in the roster of an index, or nil.
// Errors are those of [RosterAt].
func CardAt(v View, name string, index uint64) (*Card, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	return get[Card](v, memberKey(name))
}

// AuthorAt returns whose a statement key is in the roster of an index, or nil.
// Errors are those of [RosterAt].
func AuthorAt(v View, key sign.KeyID, index uint64) (*Author, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	return get[Author](v, authorKey(key))
}

// reaching returns the state record where it knows the roster of an index, nil
// where there is no roster: before genesis, and for it.
func reaching(v View, index uint64) (*State, error) {
	state, err := Read(v)
	if err != nil || state == nil || index == 0 {
		return nil, err
	}
	if index > state.Size {
		return nil, fmt.Errorf("the state of %d entries does not know who the members are at entry %d", state.Size, index)
	}
	return state, nil
}

// author returns whose a statement key is for the entry under decision, or nil.
func (t *transaction) author(key sign.KeyID) *Author { return lookup[Author](t, authorKey(key)) }

// card returns a member's card for the entry under decision, or nil.
func (t *transaction) card(name string) *Card { return lookup[Card](t, memberKey(name)) }

// Members returns all cards, ascending by name.
func (r *Roster) Members() []Card { return slices.Clone(r.cards) }

// Names returns the names of all members, ascending.
func (r *Roster) Names() []string { return namesOf(r.cards) }

// Voters returns the names of the members that vote, ascending.
func (r *Roster) Voters() []string { return slices.Clone(r.voters) }

// Member returns the card of a member, or nil.
func (r *Roster) Member(name string) *Card {
	i := slices.IndexFunc(r.cards, func(c Card) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	c := r.cards[i]
	return &c
}

// Author returns whose a statement key is, or nil.
func (r *Roster) Author(key sign.KeyID) *Author {
	a, ok := r.authors[key]
	if !ok {
		return nil
	}
	return &a
}

// Seat returns where a member's clock stands among all, see [Clocks].
func (r *Roster) Seat(name string) (seat int, ok bool) {
	seat, ok = r.seats[name]
	return seat, ok
}

// With returns the cards of the members that have a role, on whatever days,
// ascending by name. Whether it counts on a day is for [Author.Has].
func (r *Roster) With(role string) []Card { return with(r.cards, role) }

// Named returns the names of the members that have a role, on whatever days,
// ascending.
func (r *Roster) Named(role string) []string { return namesOf(r.With(role)) }

func with(cards []Card, role string) (list []Card) {
	for _, c := range cards {
		if c.Has(role) {
			list = append(list, c)
		}
	}
	return list
}

func namesOf(cards []Card) (names []string) {
	for _, c := range cards {
		names = append(names, c.Name)
	}
	return names
}

// Readers returns the cards of those for whom the body of a consent has to open,
// in the order of their stanzas: its bank, then the other members that are
// auditors. It is empty where there is no such bank.
func (r *Roster) Readers(bank string) (cards []Card) {
	card := r.Member(bank)
	if card == nil || !card.Has(Bank) {
		return nil
	}
	cards = append(cards, *card)
	for _, c := range r.With(Auditor) {
		if c.Name != bank {
			cards = append(cards, c)
		}
	}
	return cards
}

// EndingNotice is how many days ahead people are told that a role or a credential
// ends.
const EndingNotice = 60

// Term is a role of a member with its days.
type Term struct {
	Member string
	Role   Role
}

// Ending returns the roles that are over on a day, will be by another, or have
// not begun, ascending by member. Whoever has only such a role is refused by the
// rules, or will be.
func (r *Roster) Ending(today, by consent.Day) (list []Term) {
	for _, c := range r.cards {
		for _, role := range c.Roles {
			if role.NotAfter <= by || role.NotBefore > today {
				list = append(list, Term{c.Name, role})
			}
		}
	}
	return list
}
