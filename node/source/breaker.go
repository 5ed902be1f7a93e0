package source

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// failuresBefore is how many failures of a server in a row open its breaker.
	failuresBefore = 3
	firstPause     = time.Second
	longestPause   = time.Minute
)

// breaker spares a server that fails, and those who wait for it: after some
// failures in a row it is asked again only after a pause, by one caller at a
// time. Pauses double, and vary by chance so that nodes do not ask in step. A
// nil breaker never opens.
type breaker struct {
	mu       sync.Mutex
	failures int
	pause    time.Duration
	until    time.Time
	probing  bool
	last     *Error
}

// enter returns why the server is not asked now; nil where it is. A caller that
// enters reports with leave.
func (b *breaker) enter(now time.Time) *Error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < failuresBefore {
		return nil
	}
	if now.Before(b.until) || b.probing {
		return &Error{Code: Paused, File: b.last.File, Detail: fmt.Sprintf("the server failed %d times in a row and is asked again in a while; the last time: %s", b.failures, b.last.Detail)}
	}
	b.probing = true
	return nil
}

// leave records how a read ended. One that began before the others failed, and
// fails as they did, does not lengthen the pause: of many callers of a server
// that is gone for a moment the last would hear of it a minute later.
func (b *breaker) leave(now time.Time, err error) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	open, probed := b.failures >= failuresBefore, b.probing
	b.probing = false
	var e *Error
	switch {
	case err != nil && (isContext(err) || errors.Is(err, ErrClosed)):
	case errors.As(err, &e) && !e.table && (e.Code == Unreachable || e.Code == Untrusted || e.Code == Denied || e.Code == TimedOut):
		b.last = e
		if open && !probed {
			return
		}
		b.failures++
		if b.failures >= failuresBefore {
			b.pause = min(max(firstPause, 2*b.pause), longestPause)
			b.until = now.Add(b.pause/2 + rand.N(b.pause))
		}
	default:
		b.failures, b.pause = 0, 0
	}
}
