package audit

import (
	"errors"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Prove returns a proof, to be kept for as long as one likes, that an entry
// stands in the log under its checkpoint; the entry itself is the proof's
// Extra. It fetches a bundle and a few tiles.
//
// Errors wrap [tlog.ErrNotInTree] for an index beyond the log, and
// [ErrTampered] where the log is at fault.
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

// CheckProof verifies a proof without its log: that the checkpoint in it is one
// that the policy accepts, and that the entry stands under it, at its index.
// The entry is the proof's Extra unless another is given. What is returned is
// the log as far as the proof has it: its head, and who signed it.
//
// Errors wrap [ErrUnverifiable] where the proof does not hold, and
// [ErrTampered] where it does and the entry cannot be one.
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
