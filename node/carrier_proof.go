package node

import (
	"context"
	"errors"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// proofPatience is how long a client without a replica waits here for
// cosigners. A client that asks again waits again.
const proofPatience = 5 * time.Second

// Proof waits until an entry is final, for 5 s at most, and then returns a
// proof that it is on the log, for a client that has seen a head of seen
// entries. It returns nil if cosigners are still missing by then.
func (n *Node) Proof(ctx context.Context, index, seen uint64) (*ledger.Proof, error) {
	ctx, cancel := context.WithTimeout(ctx, proofPatience)
	defer cancel()
	if err := n.replica.Finalise(ctx, max(index+1, min(seen, n.Head().Size))); err != nil {
		n.log.Warn("an entry that a subject waits for is not final yet", "entry", index, "error", err)
		return nil, nil
	}
	for {
		p, err := n.replica.Prove(index, seen)
		if !errors.Is(err, replica.ErrNotFinal) {
			return p, err
		}
		select {
		case <-time.After(proofPatience / 50): // the head of a handover is on its way here
		case <-ctx.Done():
			n.log.Warn("an entry that a subject waits for cannot be proved yet", "entry", index, "error", err)
			return nil, nil
		}
	}
}
