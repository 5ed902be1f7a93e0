package node

import (
	"context"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
)

// The methods in this file give access to this member's copy of the log, to
// serve, check or show it.

// Head returns the head of the log that this member has applied. It never
// shrinks.
func (n *Node) Head() tlog.Head { return n.replica.Head() }

// Entry returns a leaf of the log, see package ledger.
func (n *Node) Entry(index uint64) ([]byte, error) { return n.replica.Entry(index) }

// Resource returns a tile of hashes, or a bundle of entries, of exactly the
// width asked for (C2SP tlog-tiles).
func (n *Node) Resource(t tlog.Tile) ([]byte, error) { return n.replica.Resource(t) }

// Handed returns the head of that size by which cosigners made their handover final, or
// nil if there is none here.
func (n *Node) Handed(size uint64) []byte { return n.replica.Handed(size) }

// WaitFor waits until this member has applied the first size entries, or ctx
// ends.
func (n *Node) WaitFor(ctx context.Context, size uint64) error { return n.replica.WaitFor(ctx, size) }

// Check reads all of the log from disk, decides every entry again and returns
// the resulting head. It fails if that differs from what this member has
// applied.
func (n *Node) Check(ctx context.Context) (tlog.Head, error) { return n.replica.Check(ctx) }

// Cosigners returns the cosigners who make heads of that size final.
func (n *Node) Cosigners(size uint64) *ledger.Cosigners { return n.replica.Cosigners(size) }

// Final returns the newest final checkpoint that this member knows.
func (n *Node) Final() replica.Final { return n.replica.Final() }

// Finalise waits until the first size entries are final here. The error is a
// [*NotFinalError] if cosigners are missing when ctx ends.
func (n *Node) Finalise(ctx context.Context, size uint64) error {
	return n.replica.Finalise(ctx, size)
}

// Fatal delivers, once, the reason why this member cannot go on: its disk
// fails, hangs or returns other bytes than were written, or its history differs
// from the others'.
func (n *Node) Fatal() <-chan error { return n.replica.Fatal() }
