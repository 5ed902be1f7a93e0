package api

import (
	"context"
	"sync"
	"time"
)

// recentTime is how old the answer to an operation may be that people read with others,
// unless something was done here meanwhile: what other members do takes as long to come.
const recentTime = 100 * time.Millisecond

// recentMost is how many answers are kept for that.
const recentMost = 8

// recent has the answers of the last moment to those who read the same: a hundred people
// before one list have it read once, and queries do not wait for them. The zero value has
// none. It is safe for concurrent use.
type recent struct {
	mu      sync.Mutex
	by      map[recentKey]recentAnswer
	changes uint64 // how often something was done
}

type recentKey struct {
	operation string
	question  any // of a type that can be compared
}

type recentAnswer struct {
	asked  time.Time
	answer any
}

// of returns the answer to a question, or has it asked. The answer is not to be changed.
func (r *recent) of(key recentKey, ask func() (any, error)) (any, error) {
	asked := time.Now()
	r.mu.Lock()
	known, ok := r.by[key]
	changes := r.changes
	r.mu.Unlock()
	if ok && asked.Sub(known.asked) < recentTime {
		return known.answer, nil
	}
	answer, err := ask()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes != changes { // it may be from before that
		return answer, nil
	}
	if r.by == nil || len(r.by) >= recentMost {
		r.by = map[recentKey]recentAnswer{}
	}
	r.by[key] = recentAnswer{asked, answer}
	return answer, nil
}

// changed forgets what was answered: who has done something sees it.
func (r *recent) changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	clear(r.by)
}

// handed is where an operation puts its answer for a client of the same process, in
// place of writing it for that client to parse.
type handed struct{ answer any }

type handedKey struct{}

// handedOf returns where the answer to a client of this process is put; nil for other
// clients.
func handedOf(ctx context.Context) *handed {
	h, _ := ctx.Value(handedKey{}).(*handed)
	return h
}
