package ledger

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Network time is computed from what members sign and from nothing else: the
// rules have no clock. These constants limit the effect of wrong clocks;
// SPEC.md section 8 gives the reasons for their values.
const (
	// MaxLead is how far network time may be ahead of the members' median, in
	// milliseconds: half of the difference that makes an honest statement late.
	MaxLead = 24 * hour
	// CallAfter is how far behind network time a member's own time has to be,
	// in milliseconds, for the member to be called.
	CallAfter = 6 * hour
	// AbsentAfter is the number of entries within which a called member has to
	// answer before it counts as absent.
	AbsentAfter = 4096
)

// Clocks are the times that members have stated. For each seat, see
// [Author.Seat], it has the time of the member's last statement in log order,
// and the index of the entry since which the member is called, or 0. The seat
// of a member that has left is vacant until a newcomer takes it.
type Clocks []byte

const (
	clockSize = 16             // bytes of a seat
	vacant    = math.MaxUint64 // in place of the entry since which a member is called
)

// begin gives a new member the first vacant seat, and its clock a time.
func (c *Clocks) begin(ms uint64) (seat int) {
	for seat < c.Seats() && !c.Vacant(seat) {
		seat++
	}
	if seat == c.Seats() {
		*c = append(*c, make([]byte, clockSize)...)
	}
	c.set(seat, ms)
	return seat
}

// end makes the seat of a member vacant.
func (c Clocks) end(seat int) {
	c.set(seat, 0)
	c.call(seat, vacant)
}

// Vacant reports whether nobody has the seat.
func (c Clocks) Vacant(seat int) bool { return c.Called(seat) == vacant }

// Seats returns the number of seats, vacant ones included.
func (c Clocks) Seats() int { return len(c) / clockSize }

// Time returns a member's time, in Unix milliseconds. It may decrease.
func (c Clocks) Time(seat int) uint64 { return binary.BigEndian.Uint64(c[seat*clockSize:]) }

// Called returns the entry since which a member is called, or 0 if it is not
// called.
func (c Clocks) Called(seat int) uint64 { return binary.BigEndian.Uint64(c[seat*clockSize+8:]) }

func (c Clocks) set(seat int, ms uint64) {
	binary.BigEndian.PutUint64(c[seat*clockSize:], ms)
	c.call(seat, 0)
}

func (c Clocks) call(seat int, index uint64) {
	binary.BigEndian.PutUint64(c[seat*clockSize+8:], index)
}

// Absent reports whether a member was called and has signed nothing for so many
// entries that its time no longer counts. It counts again with the member's
// next statement. The log then has size s.Size. A vacant seat is absent.
func (s *State) Absent(seat int) bool {
	since := s.Clocks.Called(seat)
	return since == vacant || since != 0 && s.Size >= since+AbsentAfter
}

// Votes reports whether the member of a seat is a voter.
func (s *State) Votes(seat int) bool { return bytes.IndexByte(s.Voters, byte(seat)) >= 0 }

// Holds reports whether a member's time is one of those that keep network time
// from following the voters. It is one until the member signs a statement or
// counts as absent.
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

// recordTime records the time of a statement that becomes the next entry and moves
// network time: to the voters' median, at most [MaxLead] ahead of the members'
// median, and never back. Then it calls the members that this leaves behind.
func (s *State) recordTime(seat int, ms uint64) {
	s.Clocks.set(seat, ms)
	if voters := s.VotersTime(); voters > s.Time {
		s.Time = max(s.Time, min(voters, s.MembersTime()+MaxLead))
	}
	for m := range s.Clocks.Seats() {
		switch behind := s.Time >= s.Clocks.Time(m)+CallAfter; {
		case s.Clocks.Vacant(m):
		case !behind:
			s.Clocks.call(m, 0)
		case s.Clocks.Called(m) == 0:
			s.Clocks.call(m, s.Size)
		}
	}
}

// Doubtful reports whether network time is ahead of most members that answer,
// or whether its voters have gone back on it.
func (s *State) Doubtful() bool {
	return s.Time > s.MembersTime()+CallAfter+hour || s.Time > s.VotersTime()+60_000
}

// Date returns the time with which a member should date a statement. This is
// the member's own clock, unless that is so far from network time that the
// statement would be late or early. A statement with another date does not
// report that clock, and moves network time no more than a wrong clock may.
func (s *State) Date(own uint64) uint64 {
	return max(min(own, s.Time+MaxEarly), s.Time-min(s.Time, maxBehind))
}

// maxBehind is how far behind network time [State.Date] goes at most. It allows
// a statement to be on its way for half a day. It is greater than [MaxLead], so
// that no member is made to support a time that its clock does not have.
const maxBehind = 36 * hour
