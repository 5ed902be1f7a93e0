package node

import (
	"context"
	"sync"
	"time"

	"atoll/node/peer"
)

// turns lets only one goroutine at a time work on the same key: a bank that
// asks twice concurrently must not get its question answered twice.
type turns struct {
	mu     sync.Mutex
	taken  map[string]chan struct{} // closed when the turn ends
	closed bool
}

// take waits for a turn. The caller ends the turn with the function returned.
func (t *turns) take(ctx context.Context, key string) (func(), error) {
	for {
		t.mu.Lock()
		if t.closed {
			t.mu.Unlock()
			return nil, &peer.Error{Code: peer.Busy, Message: "this member is stopping", Retryable: true}
		}
		before, busy := t.taken[key]
		if !busy {
			if t.taken == nil {
				t.taken = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			t.taken[key] = mine
			t.mu.Unlock()
			return func() { t.give(key, mine) }, nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try is take for a caller that does not wait: ok is false if it would have to.
func (t *turns) try(key string) (done func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, busy := t.taken[key]; busy || t.closed {
		return nil, false
	}
	if t.taken == nil {
		t.taken = map[string]chan struct{}{}
	}
	mine := make(chan struct{})
	t.taken[key] = mine
	return func() { t.give(key, mine) }, true
}

func (t *turns) give(key string, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.taken, key)
	close(mine)
}

// close grants no more turns and waits for those taken, for at most patience.
func (t *turns) close(patience time.Duration) {
	end := time.After(patience)
	t.mu.Lock()
	t.closed = true
	var under []chan struct{}
	for _, turn := range t.taken {
		under = append(under, turn)
	}
	t.mu.Unlock()
	for _, turn := range under {
		select {
		case <-turn:
		case <-end:
			return
		}
	}
}
