package ledger

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Roster is the members of a network according to its log at one size: their
// names, roles, addresses and keys, and which of them vote. It is a value:
// later entries make another roster and leave this one unchanged. It is safe
// for concurrent use. Cards that it returns must not be changed.
//
// Which roster to use depends on the question. To interpret an entry (its
// author, the card that verifies what it carries, the members that must be able
// to open it), use the roster of its index: [RosterAt], or [CardAt] and
// [AuthorAt] for a single record. An entry that changes the roster changes it
// from the next index on.
//
// To act now (dial, ask, seal, render a text), use the newest roster, that of
// the next index. Without a log, use [Genesis.Roster]. So far all of these are
// equal, because only genesis adds members.
type Roster struct {
	cards   []Card // ascending by name
	authors map[sign.KeyID]Author
	seats   map[string]int
	voters  []string // ascending
}

// Roster returns the founders, which is the roster of index 1.
func (g *Genesis) Roster() *Roster {
	authors := make([]Author, len(g.Members))
	for seat := range g.Members {
		authors[seat] = g.Members[seat].author(seat)
	}
	return newRoster(slices.Clone(g.Members), authors, func(_ int, name string) bool { return slices.Contains(g.Voters, name) })
}

// author returns what the rules know about the card's statement key.
func (c *Card) author(seat int) Author {
	return Author{Member: c.Name, Key: c.Statement, Roles: c.Roles, Seat: uint8(seat)}
}

// newRoster makes a roster of cards, which have to ascend by name.
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

// RosterAt returns the roster under which the entry of an index is judged, or
// nil for genesis. The state may be any one that has that entry, or for which
// that entry is the next. The error is the view's, or states that the index is
// beyond that.
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

// CardAt returns a member's card in the roster of an index, or nil. Errors are
// those of [RosterAt].
func CardAt(v View, name string, index uint64) (*Card, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	return get[Card](v, memberKey(name))
}

// AuthorAt returns the author that a statement key belongs to in the roster of
// an index, or nil. Errors are those of [RosterAt].
func AuthorAt(v View, key sign.KeyID, index uint64) (*Author, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	return get[Author](v, authorKey(key))
}

// reaching returns the state record if it knows the roster of an index. It
// returns nil if there is no roster: before genesis and for genesis.
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

// author returns the author with a statement key, for the entry being decided,
// or nil.
func (t *transaction) author(key sign.KeyID) *Author { return lookup[Author](t, authorKey(key)) }

// card returns a member's card for the entry being decided, or nil.
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

// Author returns the author that a statement key belongs to, or nil.
func (r *Roster) Author(key sign.KeyID) *Author {
	a, ok := r.authors[key]
	if !ok {
		return nil
	}
	return &a
}

// Seat returns the position of a member's clock among all clocks, see [Clocks].
func (r *Roster) Seat(name string) (seat int, ok bool) {
	seat, ok = r.seats[name]
	return seat, ok
}

// With returns the cards of the members that have a role on any day, ascending
// by name. To know whether the role is valid on a certain day, use
// [Author.Has].
func (r *Roster) With(role string) []Card { return with(r.cards, role) }

// Named returns the names of the members that have a role on any day,
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

// Readers returns the cards of the members that must be able to open the body
// of a consent, in the order of their stanzas: its bank, then the other members
// that are auditors. It returns nothing if there is no such bank.
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

// EndingNotice is how many days before its end people are warned about a role
// or a credential.
const EndingNotice = 60

// Term is a role of a member with its days.
type Term struct {
	Member string
	Role   Role
}

// Ending returns the roles that are over today, will be over by another day, or
// have not begun, ascending by member. The rules refuse statements of a member
// whose required role is not valid.
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
