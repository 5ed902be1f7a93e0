package audit

import (
	"fmt"
	"slices"
)

// maxStray is how far an author's time may be from network time, in
// milliseconds.
const maxStray = 60_000

// clocks compares authors' times with network time.
//
// Who is behind shows at once. Who is ahead shows only when network time has
// had the chance to follow: it stands still while nobody speaks, and the first
// to speak in the morning is hours ahead of it and right. It has caught up when
// a majority of the voters has spoken since. One finding stands for all that an
// author says until its time is right again.
type clocks struct {
	voters  map[string]bool
	ahead   map[string]*claim // by author: not judged yet
	astray  map[string]bool
	quorum  int
	waiting []string // authors in ahead, in order
}

// claim is a time that an author has signed.
type claim struct {
	index  uint64
	author string
	signed uint64
	spoke  map[string]bool // voters since
}

// stray is a claim that is wrong, with the network time that shows it.
type stray struct {
	claim
	network uint64
}

func (s *stray) detail() string {
	if s.signed > s.network {
		return fmt.Sprintf("the author's time is %d s ahead of network time", (s.signed-s.network)/1000)
	}
	return fmt.Sprintf("the author's time is %d s behind network time: its clock, or a statement that waited", (s.network-s.signed)/1000)
}

func newClocks(voters []string) clocks {
	c := clocks{voters: map[string]bool{}, ahead: map[string]*claim{}, astray: map[string]bool{}, quorum: len(voters)/2 + 1}
	for _, v := range voters {
		c.voters[v] = true
	}
	return c
}

// tell notes the time of an entry's author and returns what it shows to be
// wrong, one finding at most: another shows at a later entry.
func (c *clocks) tell(e *Entry) *stray {
	at := e.Statement.ID.Time()
	ahead := at > e.Time+maxStray
	if ahead && !c.astray[e.Author] && c.ahead[e.Author] == nil {
		c.ahead[e.Author] = &claim{index: e.Index, author: e.Author, signed: at, spoke: map[string]bool{}}
		c.waiting = append(c.waiting, e.Author)
	}
	if c.voters[e.Author] {
		for _, author := range c.waiting {
			c.ahead[author].spoke[e.Author] = true
		}
	}
	if behind := at+maxStray < e.Time; behind && !c.astray[e.Author] {
		c.astray[e.Author] = true
		return &stray{claim{index: e.Index, author: e.Author, signed: at}, e.Time}
	} else if !behind && !ahead {
		c.astray[e.Author] = false
	}
	return c.judge(e.Time)
}

// judge looks at the first claim for which enough voters have spoken.
func (c *clocks) judge(now uint64) *stray {
	n := slices.IndexFunc(c.waiting, func(author string) bool { return len(c.ahead[author].spoke) >= c.quorum })
	if n < 0 {
		return nil
	}
	author := c.waiting[n]
	w := c.ahead[author]
	delete(c.ahead, author)
	c.waiting = slices.Delete(c.waiting, n, n+1)
	if w.signed <= now+maxStray {
		return nil
	}
	c.astray[author] = true
	return &stray{*w, now}
}
