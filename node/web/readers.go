package web

import (
	"context"
	"net/netip"
	"sync"
)

// Bounds of what is read from the log at once. A bundle can have 16 MiB, and is
// in memory until the client has taken it.
const (
	readsAtOnce = 32
	readsOfOne  = 4 // so that a few who take their time do not keep out the rest
)

// readers lets clients in, some at a time; others wait. The zero value is not
// ready, see newReaders.
type readers struct {
	all chan struct{}

	mu sync.Mutex
	by map[netip.Prefix]*reader // those who are in or wait
}

type reader struct {
	own   chan struct{}
	count int // in or waiting
}

func newReaders() *readers {
	return &readers{all: make(chan struct{}, readsAtOnce), by: map[netip.Prefix]*reader{}}
}

// enter waits until the client at an address may read. The client leaves with
// the function that it returns, which is nil where ctx ended before.
func (r *readers) enter(ctx context.Context, address string) (leave func()) {
	at := clientAt(address)
	c := r.come(at)
	if !take(ctx, c.own) {
		r.goAway(at, c)
		return nil
	}
	if !take(ctx, r.all) {
		<-c.own
		r.goAway(at, c)
		return nil
	}
	return func() {
		<-r.all
		<-c.own
		r.goAway(at, c)
	}
}

func (r *readers) come(at netip.Prefix) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.by[at]
	if c == nil {
		c = &reader{own: make(chan struct{}, readsOfOne)}
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
