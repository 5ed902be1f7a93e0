package node

import (
	"context"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
)

// What this file offers is the access log as this member has it, for whoever
// serves, checks or shows it.

// Head is the head of the log that this member has applied. It never shrinks.
func (n *Node) Head() tlog.Head { return n.replica.Head() }

// Entry returns a leaf of the log, see package ledger.
func (n *Node) Entry(index uint64) ([]byte, error) { return n.replica.Entry(index) }

// Resource returns a tile of hashes, or a bundle of entries, of exactly the
// width asked for (C2SP tlog-tiles).
func (n *Node) Resource(t tlog.Tile) ([]byte, error) { return n.replica.Resource(t) }

// WaitFor returns when this member has applied so many entries, or ctx ends.
func (n *Node) WaitFor(ctx context.Context, size uint64) error { return n.replica.WaitFor(ctx, size) }

// Check reads all of the log from disk, decides every entry again and returns
// the head that comes of it. The error is that it differs from what this member
// has applied.
func (n *Node) Check(ctx context.Context) (tlog.Head, error) { return n.replica.Check(ctx) }

// Cosigners returns who makes heads of that size final.
func (n *Node) Cosigners(size uint64) *ledger.Cosigners { return n.replica.Cosigners(size) }

// Final returns the newest final checkpoint that this member knows.
func (n *Node) Final() replica.Final { return n.replica.Final() }

// Finalise returns when so many entries are final here. The error is a
// [*NotFinalError] where cosigners are missing when ctx ends.
func (n *Node) Finalise(ctx context.Context, size uint64) error {
	return n.replica.Finalise(ctx, size)
}

// Fatal tells why this member cannot go on, once: its disk fails, hangs or
// returns other bytes than were written, or its history is not the others'.
func (n *Node) Fatal() <-chan error { return n.replica.Fatal() }
