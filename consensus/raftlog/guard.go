package raftlog

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrStalled is the fatal error of a store whose disk took longer over one
// write than Options.WriteLimit.
var ErrStalled = errors.New("disk write hangs")

// A guard makes a store fail-stop: the first error of a write, or the first
// write that takes longer than limit, is the answer to every call after it.
//
// Both halves are needed. After a failed fsync the kernel may have dropped the
// dirty pages, so that a second, successful fsync proves nothing about the
// first. And raft keeps a leader whose disk hangs in office for ever: its
// heartbeats do not touch the disk, so no follower stands for election.
type guard struct {
	limit time.Duration
	fatal chan error // holds one: sending the first error never waits

	mu  sync.Mutex
	err error
}

func newGuard(limit time.Duration) *guard {
	return &guard{limit: limit, fatal: make(chan error, 1)}
}

// failed returns the error with which the store stopped, or nil.
func (g *guard) failed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// fail stops the store. It returns the error with which the store stopped,
// which may be an earlier one.
func (g *guard) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
		g.fatal <- err
	}
	return g.err
}

// write runs one write under the watchdog. The timer reports from its own
// goroutine, because a write that hangs in the kernel never returns.
func (g *guard) write(what string, f func() error) error {
	if err := g.failed(); err != nil {
		return err
	}
	timer := time.AfterFunc(g.limit, func() {
		g.fail(fmt.Errorf("%s: %w for more than %v", what, ErrStalled, g.limit))
	})
	err := f()
	timer.Stop()
	if err != nil && !errors.Is(err, ErrClosed) {
		return g.fail(fmt.Errorf("%s: %w", what, err))
	}
	if err == nil {
		// The write succeeded after the watchdog had given it up: it is on
		// disk, but a stopped store must not report success.
		err = g.failed()
	}
	return err
}
