package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
// the next index. Without a log, use [Genesis.Roster].
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
		c := &g.Members[seat]
		authors[seat] = Author{Member: c.Name, Key: c.Statement, Roles: c.Roles, Seat: uint8(seat)}
	}
	return newRoster(slices.Clone(g.Members), authors, g.Voters)
}

// newRoster makes a roster of cards and voters, which have to ascend by name.
func newRoster(cards []Card, authors []Author, voters []string) *Roster {
	r := &Roster{cards: cards, authors: map[sign.KeyID]Author{}, seats: map[string]int{}, voters: voters}
	for _, a := range authors {
		r.authors[sign.KeyIDOf(a.Key)] = a
		r.seats[a.Member] = int(a.Seat)
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
	members, err := readAll[Member](v, memberPrefix)
	if err != nil {
		return nil, err
	}
	var cards []Card
	of := map[string]*Author{}
	for i := range members {
		m := &members[i]
		if !m.in(index) {
			continue
		}
		card, err := cardOf(v, m, index)
		if err != nil {
			return nil, err
		}
		cards = append(cards, *card)
		of[m.Name] = &Author{Member: m.Name, Roles: card.Roles, Seat: m.Seat}
	}
	keys, err := readAll[signer](v, authorPrefix)
	if err != nil {
		return nil, err
	}
	var authors []Author
	for _, k := range keys {
		if a := of[k.Member]; a != nil && k.in(index) {
			authors = append(authors, Author{Member: a.Member, Key: k.Key, Roles: a.Roles, Seat: a.Seat})
		}
	}
	voters, err := votersOf(v, index)
	if err != nil {
		return nil, err
	}
	return newRoster(cards, authors, voters.Names), nil
}

// Next returns the roster of an index, which the entry before has made of this
// one: touched are the members that it has changed, see [Answer]. It is what
// [RosterAt] returns, and reads those members alone. Errors are those of RosterAt.
func (r *Roster) Next(v View, index uint64, touched []string) (*Roster, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	voters, err := votersOf(v, index)
	if err != nil {
		return nil, err
	}
	n := &Roster{cards: slices.Clone(r.cards), authors: maps.Clone(r.authors), seats: maps.Clone(r.seats), voters: voters.Names}
	for _, name := range touched {
		n.cards = slices.DeleteFunc(n.cards, func(c Card) bool { return c.Name == name })
		maps.DeleteFunc(n.authors, func(_ sign.KeyID, a Author) bool { return a.Member == name })
		delete(n.seats, name)
		card, err := CardAt(v, name, index)
		if err != nil {
			return nil, err
		}
		if card == nil {
			continue
		}
		id := sign.KeyIDOf(card.Statement)
		author, err := AuthorAt(v, id, index)
		if err != nil {
			return nil, err
		}
		n.cards = append(n.cards, *card)
		n.authors[id], n.seats[name] = *author, int(author.Seat)
	}
	slices.SortFunc(n.cards, func(a, b Card) int { return strings.Compare(a.Name, b.Name) })
	return n, nil
}

// CardAt returns a member's card in the roster of an index, or nil. Errors are
// those of [RosterAt].
func CardAt(v View, name string, index uint64) (*Card, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	m, err := get[Member](v, memberKey(name))
	if err != nil || m == nil || !m.in(index) {
		return nil, err
	}
	return cardOf(v, m, index)
}

// AuthorAt returns the author that a statement key belongs to in the roster of
// an index, or nil. Errors are those of [RosterAt].
func AuthorAt(v View, key sign.KeyID, index uint64) (*Author, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	s, err := get[signer](v, authorKey(key))
	if err != nil || s == nil || !s.in(index) {
		return nil, err
	}
	m, err := get[Member](v, memberKey(s.Member))
	if err != nil || m == nil || !m.in(index) {
		return nil, err
	}
	card, err := cardOf(v, m, index)
	if err != nil {
		return nil, err
	}
	return &Author{Member: m.Name, Key: s.Key, Roles: card.Roles, Seat: m.Seat}, nil
}

// LookupMember returns what the rules know about a member, in force or not, or
// nil.
func LookupMember(v View, name string) (*Member, error) { return get[Member](v, memberKey(name)) }

// VoidSince returns the network time since which a credential is void because
// the trust in its registrar ends before it was issued; 0: it is not void.
func VoidSince(v View, c *Credential) (uint64, error) {
	m, err := LookupMember(v, c.Registrar)
	if err != nil || m == nil || m.TrustEnd == 0 || c.Index < m.TrustEnd {
		return 0, err
	}
	return m.Left, nil
}

// Standing returns what the rules know about the credential with this digest. It
// returns nil if there is none, or if it was revoked or is void.
func Standing(v View, digest []byte) (*Credential, error) {
	c, err := LookupCredential(v, digest)
	if err != nil || c == nil || c.Revoked != 0 {
		return nil, err
	}
	if void, err := VoidSince(v, c); err != nil || void != 0 {
		return nil, err
	}
	return c, nil
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

// Is reports whether a name is that of a member with a role on a day.
func (r *Roster) Is(name, role string, day consent.Day) bool {
	c := r.Member(name)
	return c != nil && holds(c.Roles, role, day)
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
