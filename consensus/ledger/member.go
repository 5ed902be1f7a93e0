package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Member is what the rules know about a member. Members that have left are kept:
// names and keys serve once, and older entries are judged by older cards. An
// entry that changes a member changes it from the next index on.
type Member struct {
	Name   string `cbor:"1,keyasint"`
	Since  uint64 `cbor:"2,keyasint"` // index of the first entry by which it is a member
	Until  uint64 `cbor:"3,keyasint"` // index of the first entry by which it is none; 0: it is in force
	Newest uint64 `cbor:"4,keyasint"` // index of the first entry judged by its newest card
	Seat   uint8  `cbor:"5,keyasint"` // position of its clock; that of a member that has left may be another's
	Roles  []Role `cbor:"6,keyasint"` // of the newest card

	Changed  uint64 `cbor:"7,keyasint"` // index of the entry by which the members last changed it; 0: never
	TrustEnd uint64 `cbor:"8,keyasint"` // of one removed: its credentials of this index and later are void; 0: none is
	Left     uint64 `cbor:"9,keyasint"` // network time of the entry that removed it; 0: none has

	UpdateDay consent.Day `cbor:"10,keyasint"` // newest day on which it has changed its card itself
	Updates   uint8       `cbor:"11,keyasint"` // how often on that day
}

// in reports whether the entry of an index is judged with it as a member.
func (m *Member) in(index uint64) bool { return within(index, m.Since, m.Until) }

// author returns the member as the author with a statement key.
func (m *Member) author(key []byte) *Author {
	return &Author{Member: m.Name, Key: key, Roles: m.Roles, Seat: m.Seat}
}

// signer is a statement key: the member it belongs to, and of which entries.
type signer struct {
	Member string `cbor:"1,keyasint"`
	Key    []byte `cbor:"2,keyasint"` // Ed25519 public key
	From   uint64 `cbor:"3,keyasint"` // first index
	Until  uint64 `cbor:"4,keyasint"` // first index of which no longer; 0: in force
}

func (s *signer) in(index uint64) bool { return within(index, s.From, s.Until) }

func within(index, from, until uint64) bool { return from <= index && (until == 0 || index < until) }

var (
	memberPrefix = []byte{'m'}
	authorPrefix = []byte{'a'}
)

func memberKey(name string) []byte   { return append([]byte{'m'}, name...) }
func authorKey(id sign.KeyID) []byte { return append([]byte{'a'}, id[:]...) }

// cardKey orders the cards of a member from the newest to the oldest: the card
// of an index is the first one from the key of that index on.
func cardKey(name string, from uint64) []byte {
	return binary.BigEndian.AppendUint64(sized('e', name), ^from)
}

// usedKey is the key of the record that a public key, of whatever use, has stood
// on a card that was in force.
func usedKey(key []byte) []byte {
	sum := sha256.Sum256(key)
	return append([]byte{'u'}, sum[:16]...)
}

// keys returns the five keys of a card.
func (c *Card) keys() [][]byte { return [][]byte{c.Peer, c.Statement, c.Log, c.Cosign, c.Age} }

// cardOf returns the card by which the entry of an index is judged, of a member
// that is one by then.
func cardOf(v View, m *Member, index uint64) (*Card, error) {
	card, _, err := cardSince(v, m, index)
	return card, err
}

// cardSince is cardOf, and returns the index of the first entry that is judged by
// the card.
func cardSince(v View, m *Member, index uint64) (card *Card, from uint64, err error) {
	if index >= m.Newest {
		index = m.Newest
	}
	key, value, err := v.Next(sized('e', m.Name), before(cardKey(m.Name, index)))
	if err != nil {
		return nil, 0, err
	}
	card = new(Card)
	if err := sign.Unmarshal(value, card); err != nil {
		return nil, 0, err
	}
	return card, ^binary.BigEndian.Uint64(key[len(key)-8:]), nil
}

// before returns the greatest key of the same length that is smaller. The key
// has a byte that is not 0.
func before(key []byte) []byte {
	k := slices.Clone(key)
	for i := len(k) - 1; ; i-- {
		k[i]--
		if k[i] != 0xff {
			return k
		}
	}
}

// admit makes a card's holder a member from an index on. Its clock begins at
// network time.
func (t *transaction) admit(c *Card, from uint64) {
	m := Member{Name: c.Name, Since: from, Newest: from, Changed: t.state.Size, Seat: uint8(t.state.Clocks.begin(t.state.Time)), Roles: c.Roles}
	t.put(memberKey(c.Name), m)
	t.put(cardKey(c.Name, from), c)
	t.put(authorKey(sign.KeyIDOf(c.Statement)), signer{Member: c.Name, Key: c.Statement, From: from})
	for _, key := range c.keys() {
		t.put(usedKey(key), c.Name)
	}
	t.count(nil, c)
	t.touched = append(t.touched, c.Name)
}

// author returns the author with a statement key, for the entry being decided,
// or nil.
func (t *transaction) author(key sign.KeyID) *Author {
	s := lookup[signer](t, authorKey(key))
	if s == nil || !s.in(t.state.Size) {
		return nil
	}
	m := t.member(s.Member)
	if m == nil {
		return nil
	}
	return m.author(s.Key)
}

// member returns a member for the entry being decided, or nil.
func (t *transaction) member(name string) *Member {
	m := lookup[Member](t, memberKey(name))
	if m == nil || !m.in(t.state.Size) {
		return nil
	}
	return m
}

// is reports whether a name is that of a member with a role today.
func (t *transaction) is(name, role string) bool {
	m := t.member(name)
	return m != nil && holds(m.Roles, role, t.state.Day())
}

// members returns the members for the entry being decided, ascending by name.
func (t *transaction) members() (in []Member) {
	return slices.DeleteFunc(list[Member](t, memberPrefix), func(m Member) bool { return !m.in(t.state.Size) })
}

// card returns a member's card for the entry being decided, or nil.
func (t *transaction) card(name string) *Card {
	m := t.member(name)
	if m == nil {
		return nil
	}
	return lookup[Card](t, cardKey(name, m.Newest))
}
