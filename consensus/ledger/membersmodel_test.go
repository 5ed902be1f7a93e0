package ledger

import (
	"bytes"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"atoll/crypto/sign"
)

var modelWalks = flag.Int("walks", 2, "walks of 5,000 statements each in TestMembersModel; 200 make a million")

// Whatever members say, the network keeps to its limits, and replay from the log
// alone leads to the same state and the same roster of each index.
func TestMembersModel(t *testing.T) {
	settled, gone := 0, 0 // in all walks: a single one may have few
	for walk := range *modelWalks {
		t.Run(fmt.Sprint(walk), func(t *testing.T) {
			s := newStream(t, fmt.Sprintf("model %d", walk), membersGenesis)
			m := &membersModel{stream: s, at: map[uint64]*Roster{1: s.roster()}, names: map[string]bool{}, votes: map[uint64][]VoterSet{}}
			m.votes[1], m.last = m.voters(), m.at[1]
			s.heard = m.look
			s.membersWalk(5000)
			m.replay()
			t.Logf("%d entries, %d changes; %d names and %d members in the end", s.size(), len(m.at), len(m.names), len(s.roster().Names()))
			if len(m.at) < 50 || len(m.names) < 12 {
				t.Errorf("%d changes or %d names are too few", len(m.at), len(m.names))
			}
			settled, gone = settled+m.settled, gone+m.gone
		})
	}
	if settled < 10 || gone < 2 {
		t.Errorf("%d settled sets or %d voters gone are too few", settled, gone)
	}
}

// membersModel compares the state with what must hold in it.
type membersModel struct {
	*stream
	at    map[uint64]*Roster    // by the index from which it holds
	names map[string]bool       // ever
	votes map[uint64][]VoterSet // likewise

	last *Roster // newest

	settled, gone int // sets; voters of changes that were gone, each counted at each change
}

func (m *membersModel) look(_ []byte, a Answer) {
	if a.Kind == KindSettled && a.Verdict == Accepted {
		m.settled++
		m.votes[a.Index+1] = m.voters()
	}
	if !a.Changed {
		return
	}
	t, r, s := m.t, m.roster(), m.head()
	if next, err := m.last.Next(m.state, a.Index+1, a.Touched); err != nil || !reflect.DeepEqual(next, r) {
		t.Errorf("entry %d: from the roster before follows %+v, the roster is %+v (%v)", a.Index, next, r, err)
	}
	m.last = r
	m.at[a.Index+1] = r
	names := r.Names()
	if len(names) > maxMembers || len(r.With(Auditor)) > MaxAuditors {
		t.Errorf("entry %d: %d members, %d auditors", a.Index, len(names), len(r.With(Auditor)))
	}
	m.lookAtVoters(a, r)
	sets := m.sets()
	force := sets[len(sets)-1]
	live := slices.DeleteFunc(force.Members(), func(name string) bool { return r.Member(name) == nil })
	if len(live) < int(force.Quorum) {
		t.Errorf("entry %d: %d of %q are members, of whom %d sign", a.Index, len(live), force.Members(), force.Quorum)
	}
	seats, keys := map[int]bool{}, map[string]bool{}
	for _, c := range r.Members() {
		m.names[c.Name] = true
		seat, ok := r.Seat(c.Name)
		if !ok || seats[seat] || s.Clocks.Vacant(seat) {
			t.Errorf("entry %d: %s has seat %d, %t", a.Index, c.Name, seat, ok)
		}
		seats[seat] = true
		for _, key := range c.keys() {
			if keys[string(key)] {
				t.Errorf("entry %d: a key of %s stands twice", a.Index, c.Name)
			}
			keys[string(key)] = true
		}
	}
	taken := 0
	for seat := range s.Clocks.Seats() {
		if !s.Clocks.Vacant(seat) {
			taken++
		}
	}
	if taken != len(names) || s.Clocks.Seats() > maxMembers {
		t.Errorf("entry %d: %d members have %d of %d seats", a.Index, len(names), taken, s.Clocks.Seats())
	}
	for _, name := range []string{"new-1", "fire"} {
		if p, err := OpenProposals(m.state); err != nil || slices.ContainsFunc(p, func(p Proposal) bool { return p.Proposer == name }) && r.Member(name) == nil {
			t.Errorf("entry %d: proposals of %s are left (%v)", a.Index, name, err)
		}
	}
}

func (m *membersModel) voters() []VoterSet {
	m.t.Helper()
	sets, err := VoterSets(m.state)
	check(m.t, err)
	return sets
}

// lookAtVoters: voters are members, of a number that the network may have; raft
// can follow, and most of them had been settled.
func (m *membersModel) lookAtVoters(a Answer, r *Roster) {
	t, s, sets := m.t, m.head(), m.voters()
	m.votes[a.Index+1] = sets
	newest := sets[len(sets)-1]
	if !slices.Equal(r.Voters(), newest.Names) || len(s.Voters) != len(newest.Names) || !validVoters(len(newest.Names)) {
		t.Errorf("entry %d: voters are %q, seats %d, set %+v", a.Index, r.Voters(), s.Voters, newest)
	}
	for _, name := range r.Voters() {
		if seat, ok := r.Seat(name); !ok || !s.Votes(seat) {
			t.Errorf("entry %d: the voter %s has no clock that counts", a.Index, name)
		}
	}
	gone := map[string]bool{}
	for i, set := range sets {
		if set.Settled != (i == 0) || i > 0 && set.From <= sets[i-1].From {
			t.Errorf("entry %d: sets are %+v", a.Index, sets)
		}
		fresh := 0
		for _, name := range set.Names {
			if !slices.Contains(sets[0].Names, name) {
				fresh++
			}
			if r.Member(name) == nil {
				gone[name] = true
			}
		}
		if fresh > (len(set.Names)-1)/2 {
			t.Errorf("entry %d: %d voters of %q are not of %q", a.Index, fresh, set.Names, sets[0].Names)
		}
	}
	if len(gone) > 1 {
		t.Errorf("entry %d: raft may have %v as voters, who are gone", a.Index, gone)
	}
	m.gone += len(gone)
}

// replay decides the log again, verified together as auditors do, and compares.
func (m *membersModel) replay() {
	again := NewMemory()
	for i, leaf := range m.leaves {
		e, err := ParseEntry(leaf)
		check(m.t, err)
		answer, changes, err := Apply(again, e.Statement)
		check(m.t, err)
		if !bytes.Equal(answer.Leaf, leaf) {
			m.t.Fatalf("entry %d: %s, and again %s", i, e.Verdict, answer.Verdict)
		}
		again.Apply(changes)
	}
	var last *Roster
	sets := m.votes[1]
	for index := uint64(1); index <= m.size(); index++ {
		if r := m.at[index]; r != nil {
			last = r
		}
		if now := m.votes[index]; now != nil {
			sets = now
		}
		if m.at[index] == nil && m.at[index+1] == nil && index%16 != 0 {
			continue // the first and last entry of each roster, and some between
		}
		r, err := RosterAt(again, index)
		check(m.t, err)
		if !reflect.DeepEqual(r, last) {
			m.t.Fatalf("the roster of entry %d was %q, and is %q", index, last.Names(), r.Names())
		}
		at, err := VoterSetsAt(again, index)
		check(m.t, err)
		if !reflect.DeepEqual(at, sets) {
			m.t.Fatalf("the voters of entry %d were %+v, and are %+v", index, sets, at)
		}
		c := pick(m.stream, r.Members())
		author, err := AuthorAt(again, sign.KeyIDOf(c.Statement), index)
		check(m.t, err)
		if !reflect.DeepEqual(author, r.Author(sign.KeyIDOf(c.Statement))) {
			m.t.Fatalf("entry %d: %s as an author is %+v", index, c.Name, author)
		}
	}
	one, other := map[string]string{}, map[string]string{}
	for k, v := range m.state.All {
		one[string(k)] = string(v)
	}
	for k, v := range again.All {
		other[string(k)] = string(v)
	}
	if !reflect.DeepEqual(one, other) {
		m.t.Error("the states differ")
	}
}
