package source

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// TestPassesTakeTurns: of the passes over the tables of a database no more run
// than may; the others begin when those end, and whoever asks about theirs hears
// that they are not done.
func TestPassesTakeTurns(t *testing.T) {
	p := newPasses[int](func(work func(context.Context)) bool {
		go work(t.Context())
		return true
	})
	p.turns = make(chan struct{}, 2)
	var now, most atomic.Int64
	end := make(chan struct{})
	pass := func(ctx context.Context) (*int, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		<-end
		return new(int), nil
	}
	fits := func(*int) bool { return true }
	tables := []slot{{table: "a"}, {table: "b"}, {table: "c"}, {table: "d"}}
	for _, s := range tables {
		if found, err := p.get(t.Context(), s, time.Nanosecond, fits, pass); found != nil || err != errChecking {
			t.Errorf("%s: %v, %v", s.table, found, err)
		}
	}
	for now.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	close(end)
	for _, s := range tables {
		if found, err := p.get(t.Context(), s, 0, fits, pass); found == nil || err != nil {
			t.Errorf("%s: %v", s.table, err)
		}
	}
	if n := most.Load(); n != 2 {
		t.Errorf("%d passes at the same time, want 2", n)
	}
}
