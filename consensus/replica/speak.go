package replica

import (
	"fmt"
	"sync"
	"time"
)

// early tells members that speak raft though they never may from those that this
// member does not know to be voters yet, because its log is behind.
//
// A member speaks raft only once it votes there, and it votes only once the log
// names it, by an entry that was committed before. So a member that was silent by
// right lies if it has spoken before a moment up to which all that was committed
// is applied here, and no set of voters has named it.
type early struct {
	mu    sync.Mutex
	whole time.Time            // all that was committed until then is applied here
	spoke map[string]time.Time // when a member first spoke that was no voter here, in this run
}

// complete records that all that was committed until then is applied here.
func (e *early) complete(until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if until.After(e.whole) {
		e.whole = until
	}
}

// until returns the newest such moment.
func (e *early) until() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.whole
}

// first returns when a member first spoke that was no voter here: now, if it has
// not yet.
func (e *early) first(member string) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.spoke == nil {
		e.spoke = map[string]time.Time{}
	}
	if _, ok := e.spoke[member]; !ok {
		e.spoke[member] = time.Now()
	}
	return e.spoke[member]
}

// speaks returns an error if a member may not open raft's streams here: only
// voters may. The error is a lie only where this member knows enough to say so,
// see [early].
func (g *gate) speaks(from string) error {
	until := g.early.until() // before the voters are looked up, which may change
	switch {
	case g.roster.voter(from):
		return nil
	case g.roster.voted(from):
		// It need not know yet that it is a voter no more.
		return fmt.Errorf("%w: %q votes no more and speaks raft", errNotNow, from)
	case !until.After(g.early.first(from)):
		return fmt.Errorf("%w: %q speaks raft and is no voter by the log here, which may be behind", errNotNow, from)
	}
	return liesf("%q is no voter and speaks raft", from)
}
