package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
)

// Limits of a command's waits.
const (
	// maxWait keeps twice the wait below ledger.MaxQueryLife: agencies have
	// that long to answer.
	maxWait = time.Hour
	// onceTimeout limits a command that asks once: an honest member has
	// answered by then.
	onceTimeout = 15 * time.Second
	// answerMargin is how much earlier than the command the node gives up, so
	// that its reason still arrives.
	answerMargin = 500 * time.Millisecond
)

// errLate means that --wait ended before everything had arrived.
var errLate = errors.New("not all of it has come in time")

// patience is the flag --wait. One deadline applies to everything that a
// command asks of others, from the first connection to the last byte of the
// answer. With 0 the command asks once and waits for [onceTimeout].
type patience struct{ wait time.Duration }

func (p *patience) flag(cmd *cobra.Command, normally time.Duration, chinese, english cli.Words) {
	cmd.Flags().DurationVar(&p.wait, "wait", normally, cli.Both(chinese+"；0 为只问一次", english+"; 0: ask once"))
}

// begin returns the context for everything that the command asks. cause is the
// error if the time is over, see [inTime].
func (p *patience) begin(ctx context.Context, cause error) (context.Context, context.CancelFunc, error) {
	if p.wait < 0 || p.wait > maxWait {
		return nil, nil, cli.Usage("--wait 至多为 %s", "--wait is at most %s", maxWait)
	}
	within := p.wait
	if within == 0 {
		within = onceTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, &over{cause, within})
	return ctx, cancel, nil
}

// over is the error of a wait that has reached its limit.
type over struct {
	why    error
	within time.Duration
}

func (o *over) Error() string { return fmt.Sprintf("%v: %s are over", o.why, o.within) }
func (o *over) Unwrap() error { return o.why }

// inTime replaces the error of a call that was interrupted by the end of its
// context by the reason for that end.
func inTime(ctx context.Context, err error) error {
	var o *over
	if errors.As(context.Cause(ctx), &o) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, o)) {
		return o
	}
	return err
}
