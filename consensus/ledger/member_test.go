package ledger

import (
	"reflect"
	"slices"
	"testing"

	"atoll/crypto/sign"
)

// write puts records into the state, as entry by entry the rules will.
func (w *world) write(records map[string]any) {
	w.t.Helper()
	for key, record := range records {
		raw, err := sign.Marshal(record)
		check(w.t, err)
		w.state.Apply([]Change{{[]byte(key), raw}})
	}
}

// Each entry is judged by the members, cards and keys of its index: before a
// member came and after it left it is none, and between it has the card of then.
func TestRosterOfEachIndex(t *testing.T) {
	w := newWorld(t)
	for range 400 {
		w.want(w.sign("tax", KindTick, Tick{Head{w.id()}}), Accepted)
	}
	tax := *w.genesis.Roster().Member("tax")
	titled := func(title string) *Card { c := tax; c.English = title; return &c }
	id := sign.KeyIDOf(tax.Statement)
	w.write(map[string]any{
		string(memberKey("tax")):      Member{Name: "tax", Since: 2, Until: 300, Newest: 257, Seat: 5, Roles: everyDay(Bank)},
		string(cardKey("tax", 2)):     titled("first"),
		string(cardKey("tax", 255)):   titled("second"),
		string(cardKey("tax", 257)):   titled("third"),
		string(authorKey(id)):         signer{Member: "tax", Key: tax.Statement, From: 2, Until: 300},
		string(memberKey("tax-2")):    Member{Name: "tax-2", Since: 300, Newest: 300, Seat: 5, Roles: everyDay(Bank)},
		string(cardKey("tax-2", 300)): &Card{Name: "tax-2", Statement: tax.Peer},
	})
	w.state.Apply([]Change{{cardKey("tax", 1), nil}})
	for index, want := range map[uint64]string{1: "", 2: "first", 100: "first", 254: "first", 255: "second", 256: "second", 257: "third", 299: "third", 300: "", 401: ""} {
		card, err := CardAt(w.state, "tax", index)
		check(t, err)
		author, err := AuthorAt(w.state, id, index)
		check(t, err)
		r, err := RosterAt(w.state, index)
		check(t, err)
		if !reflect.DeepEqual(card, r.Member("tax")) || !reflect.DeepEqual(author, r.Author(id)) {
			t.Errorf("entry %d: the roster differs from its records", index)
		}
		if (card != nil) != (want != "") || (author != nil) != (want != "") || card != nil && card.English != want {
			t.Errorf("entry %d: card %v and author %v, want %q", index, card, author, want)
		}
		if got := slices.Contains(r.Names(), "tax-2"); got != (index >= 300) {
			t.Errorf("entry %d: the newcomer is a member: %t", index, got)
		}
		if seat, ok := r.Seat("tax"); ok != (want != "") || ok && seat != 5 {
			t.Errorf("entry %d: seat %d, %t", index, seat, ok)
		}
	}
	if s, err := ReadSigners(w.state); err != nil || s.VerifyOne(w.sign("tax", KindTick, Tick{Head{w.id()}}), nil) != nil {
		t.Errorf("a former member's key is still a signer's: %v", err)
	}
}

// A statement that was verified before its author left is refused when it is
// decided, and changes nothing.
func TestDecideAsksForTheAuthor(t *testing.T) {
	w := newWorld(t)
	raw := w.sign("tax", KindTick, Tick{Head{w.id()}})
	s, _, err := Verify(w.state, raw, nil)
	check(t, err)
	key := w.genesis.Roster().Member("tax").Statement
	w.write(map[string]any{string(authorKey(sign.KeyIDOf(key))): signer{Member: "tax", Key: key, From: 1, Until: 1}})
	answer, changes, err := Decide(w.state, s)
	if err != nil || answer.Verdict != Unverified || changes != nil || answer.Leaf != nil {
		t.Errorf("%+v with %d changes, %v", answer, len(changes), err)
	}
}

// The seat of a member that has left does not count, and the next newcomer gets
// it, with a clock that begins at network time.
func TestVacantSeats(t *testing.T) {
	var s State
	s.Time, s.Size = start, 1
	for seat := range 5 {
		if got := s.Clocks.begin(start); got != seat {
			t.Fatalf("seat %d, want %d", got, seat)
		}
	}
	s.Voters = []byte{0, 1, 2}
	s.Clocks.set(3, start+hour)
	s.Clocks.end(1)
	s.Clocks.end(4)
	if !s.Absent(1) || !s.Clocks.Vacant(4) || s.Clocks.Vacant(3) || s.Holds(1) {
		t.Error("a vacant seat counts")
	}
	s.Voters = []byte{0, 2, 3}
	if got := s.MembersTime(); got != start {
		t.Errorf("the members' median is %d", got)
	}
	for seat, ms := range []uint64{0: 2 * dayMs, 2: 2 * dayMs, 3: 2 * dayMs} {
		if ms != 0 {
			s.recordTime(seat, start+ms)
		}
	}
	if s.Time <= start || s.Clocks.Called(1) != vacant {
		t.Errorf("network time %d; a vacant seat is called since %d", s.Time-start, s.Clocks.Called(1))
	}
	if first, next, new := s.Clocks.begin(s.Time), s.Clocks.begin(s.Time), s.Clocks.begin(s.Time); first != 1 || next != 4 || new != 5 {
		t.Errorf("newcomers have seats %d, %d, %d", first, next, new)
	}
	if s.Clocks.Time(1) != s.Time || s.Absent(1) {
		t.Error("a newcomer's clock does not begin at network time")
	}
}
