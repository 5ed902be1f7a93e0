package tlog

import (
	"fmt"

	sumdb "golang.org/x/mod/sumdb/tlog"
)

// ProveInclusion returns the audit path (RFC 6962, section 2.1.1) that proves
// the entry at index to be in the tree with this head, leaf sibling first. The
// tiles it reads are themselves checked against head.Root, so what it returns
// will verify.
//
// Errors: read's own, [ErrInconsistent] if the tiles do not lead to the root,
// [ErrNotInTree], [ErrTooLarge].
func ProveInclusion(head Head, index uint64, read ReadTile) ([]Hash, error) {
	if err := head.check(); err != nil {
		return nil, err
	}
	if index >= head.Size {
		return nil, fmt.Errorf("%w: entry %d at size %d", ErrNotInTree, index, head.Size)
	}
	r := &tileReader{read: read}
	path, err := sumdb.ProveRecord(int64(head.Size), int64(index), r.hashes(head))
	return path, r.classify(err)
}

// CheckInclusion returns nil if path proves that the entry with this leaf hash
// is in the tree, at this index. Errors: [ErrInconsistent], [ErrNotInTree],
// [ErrTooLarge].
func CheckInclusion(head Head, index uint64, leaf Hash, path []Hash) error {
	if err := head.check(); err != nil {
		return err
	}
	if index >= head.Size {
		return fmt.Errorf("%w: entry %d at size %d", ErrNotInTree, index, head.Size)
	}
	if err := sumdb.CheckRecord(path, int64(head.Size), head.Root, int64(index), leaf); err != nil {
		return fmt.Errorf("%w: inclusion proof of entry %d at size %d", ErrInconsistent, index, head.Size)
	}
	return nil
}

// ProveConsistency returns the proof (RFC 6962, section 2.1.2) that the tree
// with this head begins with the first size entries. It is empty for size 0 and
// for the size of the head. The tiles it reads are checked against head.Root.
// Whether the earlier tree had the root that a verifier remembers is checked by
// [CheckConsistency].
//
// Errors: as [ProveInclusion].
func ProveConsistency(size uint64, head Head, read ReadTile) ([]Hash, error) {
	if err := head.check(); err != nil {
		return nil, err
	}
	if size > head.Size {
		return nil, fmt.Errorf("%w: size %d at size %d", ErrNotInTree, size, head.Size)
	}
	if size == 0 {
		return nil, nil
	}
	r := &tileReader{read: read}
	proof, err := sumdb.ProveTree(int64(head.Size), int64(size), r.hashes(head))
	return proof, r.classify(err)
}

// RootAt returns the root that the tree with this head had when it had size
// entries. The tiles it reads are checked against head.Root.
//
// Errors: as [ProveInclusion].
func RootAt(size uint64, head Head, read ReadTile) (Hash, error) {
	if err := head.check(); err != nil {
		return Hash{}, err
	}
	switch {
	case size > head.Size:
		return Hash{}, fmt.Errorf("%w: size %d at size %d", ErrNotInTree, size, head.Size)
	case size == head.Size:
		return head.Root, nil
	case size == 0:
		return emptyRoot, nil
	}
	r := &tileReader{read: read}
	root, err := sumdb.TreeHash(int64(size), r.hashes(head))
	return root, r.classify(err)
}

// CheckConsistency returns nil if proof proves that the tree with head next
// begins with all entries of the tree with head prev. Two signed checkpoints
// for which no proof exists convict their log; a proof that fails convicts only
// its sender. Errors: [ErrInconsistent], [ErrTooLarge].
func CheckConsistency(prev, next Head, proof []Hash) error {
	for _, head := range []Head{prev, next} {
		if err := head.check(); err != nil {
			return err
		}
	}
	bad := fmt.Errorf("%w: consistency proof from size %d to %d", ErrInconsistent, prev.Size, next.Size)
	if prev.Size == 0 {
		// x/mod has no proofs from the empty tree. Every tree begins with it.
		if len(proof) > 0 {
			return bad
		}
		return nil
	}
	if sumdb.CheckTree(proof, int64(next.Size), next.Root, int64(prev.Size), prev.Root) != nil {
		return bad
	}
	return nil
}

// A tileReader adapts a ReadTile to x/mod. It remembers whether an error came
// from the ReadTile, or from x/mod finding that the tiles do not fit.
type tileReader struct {
	read ReadTile
	err  error
}

// hashes returns a reader that checks every tile against the head.
func (r *tileReader) hashes(head Head) sumdb.HashReader {
	return sumdb.TileHashReader(sumdb.Tree{N: int64(head.Size), Hash: head.Root}, r)
}

func (r *tileReader) Height() int { return TileHeight }

func (r *tileReader) ReadTiles(tiles []sumdb.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		if data[i], r.err = r.read(Tile{t.L, uint64(t.N), t.W}); r.err != nil {
			return nil, r.err
		}
	}
	return data, nil
}

func (r *tileReader) SaveTiles([]sumdb.Tile, [][]byte) {}

// classify wraps an error in its class, see errors.go.
func (r *tileReader) classify(err error) error {
	if err == nil || r.err != nil {
		return r.err
	}
	return fmt.Errorf("%w: %v", ErrInconsistent, err)
}
