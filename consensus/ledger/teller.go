package ledger

// A Teller decides when a member that has nothing to say tells its time with a
// clock.tick. Times and durations are in milliseconds and by the member's own
// clock; one that is set back begins them anew. The zero Teller is ready.
type Teller struct {
	last     uint64 // when it last told
	members  uint64 // the members' median as last seen
	standing uint64 // since when that has stood still
}

const (
	tickIdle    = hour            // a voter tells its time so often, and who is called answers
	tickBack    = 60_000          // a clock that was set back by more is told at once
	tickHeld    = 15_000          // a voter tells, while members who say nothing hold network time back
	tickHeldAt  = 2 * hour        // how long the members' median stands still before that
	answerAfter = AbsentAfter / 4 // entries after which who is called answers again
)

// Due reports whether the member of a seat should tell its time now.
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

// Told notes that the member has told its time.
func (t *Teller) Told(own uint64) { t.last = own }

// behind reports whether what the log knows of this member's clock is old: an
// hour for a voter, so that a network that lives is never older, or what makes
// members count as behind. Or it is of a clock that was ahead and is no more.
func (t *Teller) behind(s *State, seat int, voter bool, own uint64) bool {
	told, date := s.Clocks.Time(seat), s.Date(own)
	return date >= told+CallAfter || told > date+tickBack || voter && own >= t.last+tickIdle
}

// called reports whether it is time to say, again, that network time is far
// ahead of this member's clock: who does not say so will not be counted.
func (t *Teller) called(s *State, seat int, own uint64) bool {
	since := s.Clocks.Called(seat)
	return since != 0 && (s.Size >= since+answerAfter || own >= t.last+tickIdle)
}

// held reports whether network time waits for members who do not speak, and this
// voter should fill the log until they count as absent. Where they do speak
// their median moves: then they mean it.
func (t *Teller) held(s *State, own uint64) bool {
	return s.VotersTime() > s.Time && own >= t.standing+tickHeldAt && own >= t.last+tickHeld
}
