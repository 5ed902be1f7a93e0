package audit

import (
	"fmt"
	"maps"
	"slices"

	"atoll/consensus/ledger"
)

// maxStray is the maximum deviation of an author's time from network time, in
// milliseconds.
const maxStray = 60_000

// clocks compares authors' times with network time.
//
// A statement that is behind may have waited: for a log without a majority, or
// for a leader that held it back. It is reported immediately, as information.
// The clock is known to be wrong when its author signs another statement that
// is behind too. By that very clock, the second must be later than the log had
// the first, and none between may have been right. Nobody is judged while
// network time is in doubt: most members are far behind it, or the voters have
// gone back on it.
//
// An author that is ahead is recognised only by what others say. Network time
// does not move while nobody speaks, and the first to speak in the morning is
// hours ahead of it and right. A majority of the voters must have stated
// smaller times since; or, if network time waits for the other members, a
// majority of those. That they have spoken is not enough, because one voter
// that is behind keeps network time from following a right one. One finding
// covers all statements of an author until its time is right again.
type clocks struct {
	voters  map[string]bool
	ahead   map[string]*claim // by author: not judged yet
	astray  map[string]bool
	late    map[string]uint64 // by author: network time of its first statement that was behind, since its last right one
	waiting []string          // authors in ahead, in order
}

// claim is a time that an author has signed.
type claim struct {
	index   uint64
	author  string
	signed  uint64
	against map[string]bool // members whose last statement since has a time before this one
}

// stray is a wrong claim, with the network time that shows that it is wrong.
type stray struct {
	claim
	network uint64
	waited  bool // the statement waited, or may have: information
}

func (s *stray) finding() Finding {
	f := Finding{Index: s.index, Rule: RuleClock, Member: s.author, Detail: s.detail()}
	if s.waited {
		f.Rule, f.Info = RuleDelayed, true
	}
	return f
}

func (s *stray) detail() string {
	if s.signed > s.network {
		return fmt.Sprintf("the author's time is %d s ahead of network time", (s.signed-s.network)/1000)
	}
	behind := (s.network - s.signed) / 1000
	if s.waited {
		return fmt.Sprintf("it came to the log %d s after the time at which its author signed it", behind)
	}
	return fmt.Sprintf("the author's time is %d s behind network time, and was before", behind)
}

func newClocks(by *ledger.Roster) clocks {
	c := clocks{ahead: map[string]*claim{}, astray: map[string]bool{}, late: map[string]uint64{}}
	c.follow(by)
	return c
}

// follow makes the members and voters of a roster those that contradict others
// from the next entry on. What one that has left said counts no more: it moves
// network time no more.
func (c *clocks) follow(by *ledger.Roster) {
	c.voters = map[string]bool{}
	for _, v := range by.Voters() {
		c.voters[v] = true
	}
	for _, w := range c.ahead {
		maps.DeleteFunc(w.against, func(name string, _ bool) bool { return by.Member(name) == nil })
	}
}

// observe records the time of an entry's author and returns the claim that it
// shows to be wrong, if any. It returns at most one; another is returned at a
// later entry. The function state returns the state after the entry; the error
// comes from reading it.
func (c *clocks) observe(e *Entry, state func() (*ledger.State, error)) (*stray, error) {
	at := e.Statement.ID.Time()
	ahead := at > e.Time+maxStray
	if ahead && !c.astray[e.Author] && c.ahead[e.Author] == nil {
		c.ahead[e.Author] = &claim{index: e.Index, author: e.Author, signed: at, against: map[string]bool{}}
		c.waiting = append(c.waiting, e.Author)
	}
	c.compare(e, at)
	behind := at+maxStray < e.Time
	if !behind {
		delete(c.late, e.Author)
		if !ahead {
			c.astray[e.Author] = false
		}
	}
	if news := behind && !c.astray[e.Author]; !news && !slices.ContainsFunc(c.waiting, c.doubted) {
		return nil, nil
	}
	s, err := state()
	if err != nil {
		return nil, err
	}
	s.Size-- // a member absent at the next entry was not yet absent at this one
	if behind && !c.astray[e.Author] && !s.Doubtful() {
		if found := c.behind(e, at); found != nil {
			return found, nil
		}
	}
	return c.judge(s), nil
}

// behind judges a statement whose time is behind.
func (c *clocks) behind(e *Entry, at uint64) *stray {
	first, known := c.late[e.Author]
	if known && at <= first {
		return nil // it may have waited together with the first
	}
	if known {
		c.astray[e.Author] = true
	} else {
		c.late[e.Author] = e.Time
	}
	return &stray{claim: claim{index: e.Index, author: e.Author, signed: at}, network: e.Time, waited: !known}
}

// compare compares a statement with the claims not judged yet, and drops the
// claims that network time has reached.
func (c *clocks) compare(e *Entry, at uint64) {
	c.waiting = slices.DeleteFunc(c.waiting, func(author string) bool {
		w := c.ahead[author]
		if w.signed <= e.Time+maxStray {
			delete(c.ahead, author)
			return true
		}
		if at+maxStray < w.signed {
			w.against[e.Author] = true
		} else {
			delete(w.against, e.Author)
		}
		return false
	})
}

// doubted reports whether any member has stated a smaller time than an author's
// claim.
func (c *clocks) doubted(author string) bool { return len(c.ahead[author].against) > 0 }

// judge returns the first claim against which enough members have stated
// smaller times.
func (c *clocks) judge(s *ledger.State) *stray {
	present := 0
	for seat := range s.Clocks.Seats() {
		if !s.Absent(seat) {
			present++
		}
	}
	waits := s.VotersTime() > s.Time // waits for the other members
	n := slices.IndexFunc(c.waiting, func(author string) bool {
		against := c.ahead[author].against
		voters := 0
		for name := range against {
			if c.voters[name] {
				voters++
			}
		}
		return voters > len(c.voters)/2 || waits && len(against) > present/2
	})
	if n < 0 {
		return nil
	}
	author := c.waiting[n]
	w := c.ahead[author]
	delete(c.ahead, author)
	c.waiting = slices.Delete(c.waiting, n, n+1)
	c.astray[author] = true
	return &stray{claim: *w, network: s.Time}
}
