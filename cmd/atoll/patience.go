package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
)

// Bounds of what a command waits for.
const (
	// maxWait leaves room below ledger.MaxQueryLife: agencies have twice as long.
	maxWait = time.Hour
	// onceTimeout is for the answers of a command that is to ask once: an honest
	// member has answered by then.
	onceTimeout = 15 * time.Second
	// answerMargin is how much earlier than a command a node gives up, so that its
	// reason still gets here.
	answerMargin = 500 * time.Millisecond
)

// errLate means that --wait was over before all that was asked for had come.
var errLate = errors.New("not all of it has come in time")

// patience is --wait. One deadline governs all that a command asks of others,
// from the first connection to the last byte of an answer. With 0 it asks once,
// and gives the answers [onceTimeout].
type patience struct{ wait time.Duration }

func (p *patience) flag(cmd *cobra.Command, normally time.Duration, chinese, english cli.Words) {
	cmd.Flags().DurationVar(&p.wait, "wait", normally, cli.Both(chinese+"；0 为只问一次", english+"; 0: ask once"))
}

// begin returns the context for all that is asked. Cause is why it ends: see
// [inTime].
func (p *patience) begin(ctx context.Context, cause error) (context.Context, context.CancelFunc, error) {
	if p.wait < 0 || p.wait > maxWait {
		return nil, nil, fmt.Errorf("%w: --wait is at most %s", cli.ErrUsage, maxWait)
	}
	within := p.wait
	if within == 0 {
		within = onceTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, &over{cause, within})
	return ctx, cancel, nil
}

// over is why a wait ended that has an end.
type over struct {
	why    error
	within time.Duration
}

func (o *over) Error() string { return fmt.Sprintf("%v: %s are over", o.why, o.within) }
func (o *over) Unwrap() error { return o.why }

// inTime gives an error of something that its context's end cut off the cause of
// that end.
func inTime(ctx context.Context, err error) error {
	var o *over
	if errors.As(context.Cause(ctx), &o) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, o)) {
		return o
	}
	return err
}
