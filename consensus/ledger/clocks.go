package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Network time is made of what members sign, and of nothing else: the rules
// have no clock. These are the limits of what wrong clocks do to it; SPEC.md
// section 8 says why they are what they are.
const (
	// MaxLead is how far network time runs ahead of the members' median, in
	// milliseconds: half of what makes an honest statement late.
	MaxLead = 24 * hour
	// CallAfter is how far behind network time a member's own is, in
	// milliseconds, when it is called.
	CallAfter = 6 * hour
	// AbsentAfter is how many entries a member that is called has to answer
	// before it counts as absent.
	AbsentAfter = 4096
)

// Clocks is what members have said of the time: for each seat, see
// [Author.Seat], the time of its last statement in the order of the log, and
// the index of the entry since which it is called, 0 while it is not.
type Clocks []byte

const clockSize = 16 // bytes of a seat

func newClocks(members int, ms uint64) Clocks {
	c := make(Clocks, members*clockSize)
	for seat := range members {
		c.say(seat, ms)
	}
	return c
}

// Seats is how many members there are.
func (c Clocks) Seats() int { return len(c) / clockSize }

// Time returns a member's time, Unix milliseconds. It may go back.
func (c Clocks) Time(seat int) uint64 { return binary.BigEndian.Uint64(c[seat*clockSize:]) }

// Called returns since which entry a member is called, 0 while it is not.
func (c Clocks) Called(seat int) uint64 { return binary.BigEndian.Uint64(c[seat*clockSize+8:]) }

func (c Clocks) say(seat int, ms uint64) {
	binary.BigEndian.PutUint64(c[seat*clockSize:], ms)
	c.call(seat, 0)
}

func (c Clocks) call(seat int, index uint64) {
	binary.BigEndian.PutUint64(c[seat*clockSize+8:], index)
}

// Absent reports whether a member was called and has said nothing for so many
// entries that it counts no more, until it speaks. The log gets to size s.Size.
func (s *State) Absent(seat int) bool {
	since := s.Clocks.Called(seat)
	return since != 0 && s.Size >= since+AbsentAfter
}

// Votes reports whether the member of a seat is a voter.
func (s *State) Votes(seat int) bool { return bytes.IndexByte(s.Voters, byte(seat)) >= 0 }

// Holds reports whether a member's time is one of those that keep network time
// from following the voters: until it speaks, or counts as absent.
func (s *State) Holds(seat int) bool {
	return s.VotersTime() > s.Time && !s.Absent(seat) && s.Clocks.Time(seat)+MaxLead <= s.Time
}

// VotersTime returns the lower median of the voters' times.
func (s *State) VotersTime() uint64 {
	var room [maxMembers]uint64
	times := room[:0]
	for _, seat := range s.Voters {
		times = append(times, s.Clocks.Time(int(seat)))
	}
	return lowerMedian(times)
}

// MembersTime returns the lower median of the times of all members that are not
// absent.
func (s *State) MembersTime() uint64 {
	var room [maxMembers]uint64
	times := room[:0]
	for seat := range s.Clocks.Seats() {
		if !s.Absent(seat) {
			times = append(times, s.Clocks.Time(seat))
		}
	}
	if len(times) == 0 {
		return s.Time
	}
	return lowerMedian(times)
}

func lowerMedian(times []uint64) uint64 {
	slices.Sort(times)
	return times[(len(times)-1)/2]
}

// tell notes the time of a statement that becomes the next entry, and moves
// network time: to the voters' median, no further than [MaxLead] ahead of the
// members', and never back. Then it calls whom that leaves behind.
func (s *State) tell(seat int, ms uint64) {
	s.Clocks.say(seat, ms)
	if voters := s.VotersTime(); voters > s.Time {
		s.Time = max(s.Time, min(voters, s.MembersTime()+MaxLead))
	}
	for m := range s.Clocks.Seats() {
		switch behind := s.Time >= s.Clocks.Time(m)+CallAfter; {
		case !behind:
			s.Clocks.call(m, 0)
		case s.Clocks.Called(m) == 0:
			s.Clocks.call(m, s.Size)
		}
	}
}

// Doubtful reports whether network time is one that most members who answer do
// not have, or one that its voters have gone back on.
func (s *State) Doubtful() bool {
	return s.Time > s.MembersTime()+CallAfter+hour || s.Time > s.VotersTime()+60_000
}

// Date returns the time by which a member should date a statement, given its
// own clock: that, unless it is so far from network time that the statement
// would be late or early. What a member says in such a case cannot carry its
// clock, and moves network time no more than a wrong clock may.
func (s *State) Date(own uint64) uint64 {
	return max(min(own, s.Time+MaxEarly), s.Time-min(s.Time, maxBehind))
}

// maxBehind is how far behind network time [State.Date] goes at most: enough
// for a statement to be under way for half a day, and more than [MaxLead], so
// that nobody is made to support a time that it does not have.
const maxBehind = 36 * hour
