package source

import (
	"context"
	"sync"

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

	mu      sync.Mutex
	done    map[slot]*T
	running map[slot]*pass[T]
}

// pass is a running pass.
type pass[T any] struct {
	done  chan struct{}
	found *T
	err   error
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
// pass, which continues when ctx ends. It returns neither a result nor an error
// if the table has changed meanwhile.
func (p *passes[T]) get(ctx context.Context, s slot, fits func(*T) bool, do func(context.Context) (*T, error)) (*T, error) {
	p.mu.Lock()
	if found := p.done[s]; found != nil && fits(found) {
		p.mu.Unlock()
		return found, nil
	}
	b := p.running[s]
	if b == nil {
		b = &pass[T]{done: make(chan struct{})}
		if !p.background(func(ctx context.Context) { p.run(ctx, s, b, do) }) {
			p.mu.Unlock()
			return nil, ErrClosed
		}
		p.running[s] = b
	}
	p.mu.Unlock()
	select {
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

func (p *passes[T]) run(ctx context.Context, s slot, b *pass[T], do func(context.Context) (*T, error)) {
	b.found, b.err = do(ctx)
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

func (p *passes[T]) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.done)
}
