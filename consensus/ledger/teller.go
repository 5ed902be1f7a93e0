package ledger

// A Teller decides when a member with nothing to submit states its time with a
// clock.tick. Times and durations are in milliseconds and by the member's own
// clock. If that clock is set back, they start again. The zero Teller is ready
// to use.
type Teller struct {
	last     uint64 // when it last stated its time
	members  uint64 // the members' median as last seen
	standing uint64 // since when that median has not moved
}

const (
	tickIdle    = hour            // how often a voter states its time, and a called member answers
	tickBack    = 60_000          // a clock that was set back by more is stated immediately
	tickHeld    = 15_000          // how often a voter states its time while silent members hold network time back
	tickHeldAt  = 2 * hour        // how long the members' median does not move before that
	answerAfter = AbsentAfter / 4 // entries after which a called member answers again
)

// Due reports whether the member of a seat should state its time now.
func (t *Teller) Due(s *State, seat int, own uint64) bool {
	if own < t.last || own < t.standing {
		t.last, t.standing = min(own, t.last), own
	}
	if m := s.MembersTime(); m != t.members || t.standing == 0 {
		t.members, t.standing = m, own
	}
	voter := s.Votes(seat)
	return t.behind(s, seat, voter, own) || t.called(s, seat, own) || voter && t.held(s, own)
}

// Told records that the member has stated its time.
func (t *Teller) Told(own uint64) { t.last = own }

// behind reports whether the log's knowledge of this member's clock is
// outdated. For a voter the limit is an hour, so that a running network is
// never older; for other members it is the limit at which they count as behind.
// It is also outdated if the clock was ahead and no longer is.
func (t *Teller) behind(s *State, seat int, voter bool, own uint64) bool {
	told, date := s.Clocks.Time(seat), s.Date(own)
	return date >= told+CallAfter || told > date+tickBack || voter && own >= t.last+tickIdle
}

// called reports whether it is time to state, possibly again, that network time
// is far ahead of this member's clock. A member that does not state it will not
// be counted.
func (t *Teller) called(s *State, seat int, own uint64) bool {
	since := s.Clocks.Called(seat)
	return since != 0 && (s.Size >= since+answerAfter || own >= t.last+tickIdle)
}

// held reports whether network time waits for silent members, and this voter
// should fill the log until they count as absent. If they do sign statements
// their median moves, and their time counts.
func (t *Teller) held(s *State, own uint64) bool {
	return s.VotersTime() > s.Time && own >= t.standing+tickHeldAt && own >= t.last+tickHeld
}
