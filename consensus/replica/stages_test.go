package replica_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// The steps by which raft follows the log, as a leader logs them.
const (
	learns    = "it learns"
	votes     = "it votes"
	handsOver = "it hands over leadership"
	demoted   = "it votes no more"
	removed   = "it is removed"
	settles   = "it states that raft has the voters of the log"
)

// A stage is the moment before a leader takes a step, or after it has.
type stage struct {
	before       bool
	what, member string
}

// String is a line by which a process tells the stage.
func (s stage) String() string {
	when := "after"
	if s.before {
		when = "before"
	}
	return fmt.Sprintf("stage %s %s: %s", when, s.what, s.member)
}

// parseStage is the inverse of String.
func parseStage(line string) (s stage, ok bool) {
	if line, ok = strings.CutPrefix(line, "stage "); !ok {
		return s, false
	}
	when, rest, _ := strings.Cut(line, " ")
	s.before = when == "before"
	s.what, s.member, ok = strings.Cut(rest, ": ")
	return s, ok
}

// stageOf reads a stage from what a leader logs.
func stageOf(r slog.Record) (s stage, ok bool) {
	if s.what, s.before = strings.CutPrefix(r.Message, "raft is to follow the log in who takes part: "); !s.before {
		if s.what, ok = strings.CutPrefix(r.Message, "raft follows the log in who takes part: "); !ok {
			return s, false
		}
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "member" {
			s.member = a.Value.String()
		}
		return true
	})
	return s, true
}

// stages is a logger that says to which stage its member comes. The member goes on
// when at returns. Complaints go on to another logger.
type stages struct {
	slog.Handler
	at func(stage)
}

func (s stages) Enabled(context.Context, slog.Level) bool { return true }

func (s stages) Handle(ctx context.Context, r slog.Record) error {
	if stage, ok := stageOf(r); ok {
		s.at(stage)
	}
	if s.Handler.Enabled(ctx, r.Level) {
		return s.Handler.Handle(ctx, r)
	}
	return nil
}

// allowances let a child make requests for entries, and go on from stages. A child
// announces a request by "fetch" and the first entry, and a stage by its words, and
// waits for the same words.
type allowances struct{ by sync.Map } // the words: chan struct{}

func (a *allowances) of(words string) chan struct{} {
	c, _ := a.by.LoadOrStore(words, make(chan struct{}, 1))
	return c.(chan struct{})
}

type fetchFunc = func(ctx context.Context, member string, request []byte) (io.ReadCloser, error)

func (a *allowances) before(fetch fetchFunc) fetchFunc {
	return func(ctx context.Context, member string, request []byte) (io.ReadCloser, error) {
		q, err := readRequest(request)
		if err != nil {
			return nil, err
		}
		if err := a.wait(ctx, fmt.Sprintf("fetch %d", q.First)); err != nil {
			return nil, err
		}
		return fetch(ctx, member, request)
	}
}

// wait announces something and waits until it is allowed.
func (a *allowances) wait(ctx context.Context, words string) error {
	fmt.Println(words)
	select {
	case <-a.of(words):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
