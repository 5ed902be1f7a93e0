package source

import (
	"cmp"
	"context"
	"sync"
	"time"

	"atoll/node/catalog"
)

// slot identifies a pass: a table, and how a dataset reads it.
type slot struct{ table, reads string }

func slotOf(d *catalog.Dataset) slot {
	reads := ""
	for _, name := range append(wanted(d), d.Also...) {
		reads += name + "\x00"
	}
	return slot{d.Table, reads}
}

// passes caches the result of one pass over each table as long as the table
// does not change. A pass runs in the background and only once, however many
// callers wait.
type passes[T any] struct {
	background func(func(context.Context)) bool
	turns      chan struct{} // those that run; others wait. nil: any number

	mu      sync.Mutex
	done    map[slot]*T
	running map[slot]*pass[T]
}

// pass is a running pass.
type pass[T any] struct {
	began time.Time
	done  chan struct{}
	found *T
	err   error
}

// passing limits the passes over keys of a database at a time.
const passing = 2

// passes is how many passes over keys read at the same time. Streams and they
// leave at least one connection for questions, where there are more than two.
func (c Config) passes() int {
	return max(1, min(passing, cmp.Or(c.Connections, DefaultConnections)-c.streams()-1))
}

func newPasses[T any](background func(func(context.Context)) bool) *passes[T] {
	return &passes[T]{background: background, done: map[slot]*T{}, running: map[slot]*pass[T]{}}
}

// have returns the result for the current generation of a table, or nil.
func (p *passes[T]) have(s slot, fits func(*T) bool) *T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.done[s]; found != nil && fits(found) {
		return found
	}
	return nil
}

// get returns the result for a generation of a table. It waits for a running
// pass until the pass has lasted for patience, or as long as it takes where that
// is 0; a pass continues when nobody waits. It returns neither a result nor an
// error if the table has changed meanwhile.
func (p *passes[T]) get(ctx context.Context, s slot, patience time.Duration, fits func(*T) bool, do func(context.Context) (*T, error)) (*T, error) {
	p.mu.Lock()
	if found := p.done[s]; found != nil && fits(found) {
		p.mu.Unlock()
		return found, nil
	}
	b := p.start(s, do)
	if b == nil {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.mu.Unlock()
	var late <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(time.Until(b.began.Add(patience)))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-late:
		select {
		case <-b.done:
		default:
			return nil, errChecking
		}
	case <-ctx.Done():
		if context.Cause(ctx) == context.DeadlineExceeded {
			return nil, errChecking
		}
		return nil, ctx.Err()
	case <-b.done:
	}
	if b.err != nil || !fits(b.found) {
		return nil, b.err
	}
	return b.found, nil
}

// start returns the running pass over a table, or begins one; nil once the source
// is closed. The caller holds mu.
func (p *passes[T]) start(s slot, do func(context.Context) (*T, error)) *pass[T] {
	b := p.running[s]
	if b == nil {
		b = &pass[T]{began: time.Now(), done: make(chan struct{})}
		if !p.background(func(ctx context.Context) { p.run(ctx, s, b, do) }) {
			return nil
		}
		p.running[s] = b
	}
	return b
}

// renew begins a pass over a table, unless one is running, and does not wait.
func (p *passes[T]) renew(s slot, do func(context.Context) (*T, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(s, do)
}

func (p *passes[T]) run(ctx context.Context, s slot, b *pass[T], do func(context.Context) (*T, error)) {
	if p.turns == nil {
		b.found, b.err = do(ctx)
	} else {
		select {
		case p.turns <- struct{}{}:
			b.found, b.err = do(ctx)
			<-p.turns
		case <-ctx.Done():
			b.err = ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, s)
	if b.err == nil {
		p.done[s] = b.found
	}
	close(b.done)
}

// drop removes a result that turned out not to match its table.
func (p *passes[T]) drop(s slot, found *T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done[s] == found {
		delete(p.done, s)
	}
}

// clear removes all results and returns them.
func (p *passes[T]) clear() (all []*T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, found := range p.done {
		all = append(all, found)
	}
	clear(p.done)
	return all
}
