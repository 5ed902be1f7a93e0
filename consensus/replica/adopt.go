package replica

import (
	"context"
	"errors"
	"fmt"

	"atoll/crypto/tlog"
)

// ErrAhead means that a checkpoint cannot be verified here, because the log as
// applied here is shorter: later entries may name other cosigners.
var ErrAhead = errors.New("the log here does not reach that head yet")

// Adopt makes a final checkpoint that another member has shown this member's own
// newest one, if it is larger than that: then no round of requests to the
// cosigners is needed for what it covers. The other member's word counts for
// nothing: the checkpoint needs a quorum of the cosigners for its size, and the
// root that the log here has at that size. If the log here is shorter, Adopt
// waits until ctx ends, but only for a head that the cosigners known here have
// signed. A checkpoint that is no larger is nothing new, unless it is of another
// history: two final ones are evidence, whichever is the larger.
//
// Errors: [ErrAhead]; those of [ledger.Cosigners.Verify] for a checkpoint that
// is not final; a [*state.ForkError] for one of another history, after which
// this replica stops.
func (r *Replica) Adopt(ctx context.Context, signed []byte) error {
	said, err := tlog.Unverified(signed)
	if err != nil {
		return err
	}
	if known, err := r.knowsFinal(said.Head); known || err != nil {
		return err
	}
	if said.Size > r.Head().Size {
		if _, err := r.trust.verify(signed); err != nil {
			return fmt.Errorf("%w: %w", ErrAhead, err)
		}
		if err := r.WaitFor(ctx, said.Size); err != nil {
			return fmt.Errorf("%w: %w", ErrAhead, err)
		}
	}
	head, err := r.trust.verify(signed)
	if err != nil {
		return err
	}
	if err := r.believe(head, signed, r.store.Expect, r.Head().Size); err != nil {
		r.failForked(err)
		return err
	}
	return nil
}

// knowsFinal reports whether a head is covered by this member's newest final one,
// and is of the same history.
func (r *Replica) knowsFinal(said tlog.Head) (bool, error) {
	final := r.Final()
	if said.Size > final.Size || said == final.Head {
		return said == final.Head, nil
	}
	own, err := r.store.HeadAt(said.Size)
	if err != nil {
		r.fail(err)
	}
	return own == said, err
}
