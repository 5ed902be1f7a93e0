package replica

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// publishAfter is the number of new entries after which the leader publishes
// without waiting.
const publishAfter = 256

// publishOften makes the log final while it grows, if this member leads, and
// sends the final checkpoint to all members through raft.
func (r *Replica) publishOften() {
	t := time.NewTicker(r.publish / 10)
	defer t.Stop()
	var next time.Time // not before
	for {
		select {
		case now := <-t.C:
			size := r.Head().Size
			grown := size - min(size, r.finals.replicated.Load())
			if r.raft.State() != raft.Leader || grown == 0 || now.Before(next) && grown < publishAfter {
				continue
			}
			next = now.Add(r.publish)
			if err := r.publishFinal(size); err != nil {
				r.warn("the log could not be made final yet", "size", size, "error", err)
				t.Reset(r.publish)
			} else {
				t.Reset(r.publish / 10)
			}
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Replica) publishFinal(size uint64) error {
	ctx, cancel := context.WithTimeout(r.ctx, roundPatience)
	defer cancel()
	final, err := r.finalise(ctx, size)
	if err != nil {
		return err
	}
	return r.sendFinal(ctx, final)
}

// sendFinal sends a final checkpoint to all members through raft.
func (r *Replica) sendFinal(ctx context.Context, final Final) error {
	if len(final.Signed) == 0 {
		return errors.New("no final checkpoint is known, so none is published")
	}
	command := slices.Concat([]byte{commandCheckpoint}, final.Signed)
	if err := checkCommand(command); err != nil {
		return err // no follower would accept it, nor anything after it
	}
	return r.await(ctx, r.raft.Apply(command, r.patience))
}
