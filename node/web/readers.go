package web

import (
	"context"
	"net/netip"
	"sync"
)

// Limits of what is read from the log at a time. A bundle can have 16 MiB.
const (
	readsAtOnce = 8
	readsOfOne  = 2
	// maxUntaken is the maximum of bytes of bundles in memory for clients that
	// have not taken them yet.
	maxUntaken = 128 << 20
)

// readers admits a limited number of clients to read from this machine's disk,
// or to have something carried to the log; others wait. A client leaves before
// its answer is sent, so that a slow client holds up nobody else.
type readers struct {
	all   chan struct{}
	ofOne int

	mu sync.Mutex
	by map[netip.Prefix]*reader // clients that are admitted or wait
}

type reader struct {
	own   chan struct{}
	count int // admitted or waiting
}

// newReaders admits up to all requests at a time, and up to ofOne of one client.
func newReaders(all, ofOne int) *readers {
	return &readers{all: make(chan struct{}, all), ofOne: ofOne, by: map[netip.Prefix]*reader{}}
}

// let runs f when the client at an address is admitted. It reports whether it
// ran f: it does not if ctx ends first.
func (r *readers) let(ctx context.Context, address string, f func()) bool {
	at := clientAt(address)
	c := r.come(at)
	defer r.goAway(at, c)
	if !take(ctx, c.own) {
		return false
	}
	defer func() { <-c.own }()
	if !take(ctx, r.all) {
		return false
	}
	defer func() { <-r.all }()
	f()
	return true
}

func (r *readers) come(at netip.Prefix) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.by[at]
	if c == nil {
		c = &reader{own: make(chan struct{}, r.ofOne)}
		r.by[at] = c
	}
	c.count++
	return c
}

func (r *readers) goAway(at netip.Prefix, c *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.count--; c.count == 0 {
		delete(r.by, at)
	}
}

func take(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// untaken counts the bytes in memory for clients that are slow to take them.
// When there are too many, the client with most bytes loses its oldest answer
// to a client with fewer.
type untaken struct {
	most int

	mu      sync.Mutex
	all     int
	by      map[netip.Prefix]int
	answers []*untakenAnswer // oldest first
}

type untakenAnswer struct {
	at   netip.Prefix
	size int
	cut  func() // ends the connection
}

func newUntaken(most int) *untaken { return &untaken{most: most, by: map[netip.Prefix]int{}} }

// keep counts an answer for the client at an address until done is called. It
// returns nil if there is no room for it. cut is called when others need the
// room more.
func (u *untaken) keep(address string, size int, cut func()) (done func()) {
	a := &untakenAnswer{clientAt(address), size, cut}
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.all+size > u.most {
		if !u.cutOne(u.by[a.at] + size) {
			return nil
		}
	}
	u.all += size
	u.by[a.at] += size
	u.answers = append(u.answers, a)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.drop(a)
	}
}

// cutOne ends the oldest answer of the client with most bytes, if it has more
// than that number. Held: mu.
func (u *untaken) cutOne(than int) bool {
	var out *untakenAnswer
	for _, a := range u.answers {
		if u.by[a.at] > than {
			out, than = a, u.by[a.at]
		}
	}
	if out == nil {
		return false
	}
	u.drop(out)
	out.cut()
	return true
}

// drop removes an answer from the count, unless that has been done. Held: mu.
func (u *untaken) drop(a *untakenAnswer) {
	for i, other := range u.answers {
		if other == a {
			u.answers = append(u.answers[:i], u.answers[i+1:]...)
			u.all -= a.size
			if u.by[a.at] -= a.size; u.by[a.at] == 0 {
				delete(u.by, a.at)
			}
			return
		}
	}
}
