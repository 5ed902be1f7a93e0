package tlog

import (
	"fmt"

	sumdb "golang.org/x/mod/sumdb/tlog"
)

// A Leaf is the hash of an entry of a small tree, and its index.
type Leaf struct {
	Index uint64
	Hash  Hash // LeafHash of the entry
}

// maxSubset is the size limit of trees of which several leaves are proved
// together. It is the limit of a catalog's outputs.
const maxSubset = 10_000

// ProveSubset returns the root of the tree (RFC 6962, section 2.1) over these
// leaf hashes, and a proof that the leaves at the given indices, ascending, are
// in it. The proof is the hashes of the largest subtrees without any of these
// leaves, from left to right. Errors: [ErrTooLarge], [ErrNotInTree].
func ProveSubset(leaves []Hash, indices []uint64) (root Hash, proof []Hash, err error) {
	if len(leaves) > maxSubset {
		return root, nil, fmt.Errorf("%w: tree of %d leaves", ErrTooLarge, len(leaves))
	}
	shown := make([]Leaf, len(indices))
	for i, at := range indices {
		if at >= uint64(len(leaves)) {
			return root, nil, fmt.Errorf("%w: leaf %d of %d", ErrNotInTree, at, len(leaves))
		}
		shown[i] = Leaf{at, leaves[at]}
	}
	if err := ascending(shown); err != nil {
		return root, nil, err
	}
	if len(leaves) == 0 {
		return emptyRoot, nil, nil
	}
	s := subset{shown: shown, unshown: func(from, size uint64) (Hash, error) {
		h := rootOf(leaves[from : from+size])
		proof = append(proof, h)
		return h, nil
	}}
	root, err = s.root(0, uint64(len(leaves)))
	return root, proof, err
}

// SubsetRoot returns the root of the tree of this size, computed from the shown
// leaves, ascending by index, and from proof for all others; see [ProveSubset].
// Errors: [ErrTooLarge], [ErrNotInTree], [ErrInconsistent] if the proof has too
// few hashes or too many.
func SubsetRoot(size uint64, shown []Leaf, proof []Hash) (root Hash, err error) {
	switch {
	case size > maxSubset:
		return root, fmt.Errorf("%w: tree of %d leaves", ErrTooLarge, size)
	case len(shown) > 0 && shown[len(shown)-1].Index >= size:
		return root, fmt.Errorf("%w: leaf %d of %d", ErrNotInTree, shown[len(shown)-1].Index, size)
	}
	if err := ascending(shown); err != nil {
		return root, err
	}
	if size == 0 {
		root = emptyRoot
	} else {
		s := subset{shown: shown, unshown: func(uint64, uint64) (Hash, error) {
			if len(proof) == 0 {
				return Hash{}, fmt.Errorf("%w: a hash is missing from the proof", ErrInconsistent)
			}
			h := proof[0]
			proof = proof[1:]
			return h, nil
		}}
		if root, err = s.root(0, size); err != nil {
			return root, err
		}
	}
	if len(proof) > 0 {
		return root, fmt.Errorf("%w: the proof has %d hashes too many", ErrInconsistent, len(proof))
	}
	return root, nil
}

func ascending(leaves []Leaf) error {
	for i := 1; i < len(leaves); i++ {
		if leaves[i-1].Index >= leaves[i].Index {
			return fmt.Errorf("%w: leaves that do not ascend", ErrNotInTree)
		}
	}
	return nil
}

// subset walks a tree from left to right. shown are the leaves still to come;
// unshown returns the hash of a subtree without any of them.
type subset struct {
	shown   []Leaf
	unshown func(from, size uint64) (Hash, error)
}

func (s *subset) root(from, size uint64) (Hash, error) {
	if len(s.shown) == 0 || s.shown[0].Index >= from+size {
		return s.unshown(from, size)
	}
	if size == 1 {
		h := s.shown[0].Hash
		s.shown = s.shown[1:]
		return h, nil
	}
	left := split(size)
	l, err := s.root(from, left)
	if err != nil {
		return Hash{}, err
	}
	r, err := s.root(from+left, size-left)
	return sumdb.NodeHash(l, r), err
}

// split returns the largest power of two below size, which is 2 at least.
func split(size uint64) uint64 {
	left := uint64(1)
	for left*2 < size {
		left *= 2
	}
	return left
}

func rootOf(leaves []Hash) Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	left := split(uint64(len(leaves)))
	return sumdb.NodeHash(rootOf(leaves[:left]), rootOf(leaves[left:]))
}
