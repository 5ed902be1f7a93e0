package audit

import (
	"errors"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Prove returns a proof that an entry is in the log under its checkpoint. The
// proof can be kept indefinitely; its Extra is the entry itself. Prove fetches
// a bundle and a few tiles.
//
// Errors wrap [tlog.ErrNotInTree] for an index beyond the log, and
// [ErrTampered] if the log is at fault.
func (l *Log) Prove(index uint64) (*tlog.Proof, error) {
	if index >= l.Size {
		return nil, fmt.Errorf("%w: entry %d of %d", tlog.ErrNotInTree, index, l.Size)
	}
	path, err := tlog.ProveInclusion(l.Head, index, l.fetch)
	if errors.Is(err, tlog.ErrInconsistent) {
		err = tampered("%v", err)
	}
	if err != nil {
		return nil, err
	}
	t := tlog.Tile{Level: tlog.Entries, N: index / tlog.TileWidth}
	t.Width = t.WidthIn(l.Size)
	entries, err := l.bundle(t)
	if err != nil {
		return nil, err
	}
	entry := entries[index%tlog.TileWidth]
	if err := tlog.CheckInclusion(l.Head, index, tlog.LeafHash(entry), path); err != nil {
		return nil, &Tampered{index, "it is not the one in the tree"}
	}
	return &tlog.Proof{Extra: entry, Index: index, Path: path, Checkpoint: l.Signed}, nil
}

// CheckProof verifies a proof without its log: the policy must accept the
// checkpoint in it, and the entry must be under that checkpoint at its index.
// The entry is the proof's Extra unless another one is given. CheckProof
// returns the log as far as the proof shows it: its head and its signers.
//
// Errors wrap [ErrUnverifiable] if the proof is not valid, and [ErrTampered] if
// it is valid but the entry cannot be one.
func CheckProof(p *tlog.Proof, entry []byte, policy *tlog.Policy) (*Log, *ledger.Entry, error) {
	if entry == nil {
		entry = p.Extra
	}
	l := &Log{Signed: p.Checkpoint, Withstands: -1}
	if err := l.obey(policy); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnverifiable, err)
	}
	if err := tlog.CheckInclusion(l.Head, p.Index, tlog.LeafHash(entry), p.Path); err != nil {
		return nil, nil, fmt.Errorf("%w: the entry is not the one that the proof is about: %w", ErrUnverifiable, err)
	}
	e, err := ledger.ParseEntry(entry)
	switch {
	case err != nil:
		return nil, nil, &Tampered{p.Index, err.Error()}
	case e.Index != p.Index:
		return nil, nil, &Tampered{p.Index, fmt.Sprintf("it says that it is entry %d", e.Index)}
	}
	return l, e, nil
}
