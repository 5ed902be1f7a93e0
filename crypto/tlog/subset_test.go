package tlog

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// Whatever leaves are shown of whatever tree, they lead to the tree's root with
// the fewest hashes, and nothing else leads there.
func TestSubset(t *testing.T) {
	for size := range 18 {
		tree := New(nil)
		var leaves []Hash
		for i := range size {
			entry := fmt.Appendf(nil, "output %d", i)
			if err := tree.Append(entry); err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, LeafHash(entry))
		}
		for shown := range 1 << min(size, 10) {
			var indices []uint64
			var known []Leaf
			for i := range size {
				if shown>>(i%10)&1 == 1 {
					indices = append(indices, uint64(i))
					known = append(known, Leaf{uint64(i), leaves[i]})
				}
			}
			root, proof, err := ProveSubset(leaves, indices)
			if err != nil || root != tree.Root() {
				t.Fatalf("%d leaves, %v shown: root %v, want %v: %v", size, indices, root, tree.Root(), err)
			}
			if got, err := SubsetRoot(uint64(size), known, proof); err != nil || got != root {
				t.Fatalf("%d leaves, %v shown: %v, %v", size, indices, got, err)
			}
			bentSubset(t, uint64(size), root, known, proof)
		}
	}
}

func bentSubset(t *testing.T, size uint64, root Hash, known []Leaf, proof []Hash) {
	t.Helper()
	for i := range known {
		bent := slices.Clone(known)
		bent[i].Hash[3] ^= 1
		if got, err := SubsetRoot(size, bent, proof); err == nil && got == root {
			t.Fatal("another leaf leads to the root")
		}
		bent = slices.Clone(known)
		bent[i].Index++
		if got, err := SubsetRoot(size, bent, proof); err == nil && got == root {
			t.Fatal("a leaf in another place leads to the root")
		}
	}
	if len(proof) > 0 {
		if _, err := SubsetRoot(size, known, proof[1:]); !errors.Is(err, ErrInconsistent) {
			t.Fatal(err)
		}
	}
	if _, err := SubsetRoot(size, known, append(slices.Clone(proof), Hash{})); !errors.Is(err, ErrInconsistent) {
		t.Fatal(err)
	}
}

func TestSubsetLimits(t *testing.T) {
	leaves := make([]Hash, 3)
	for _, indices := range [][]uint64{{3}, {1, 1}, {2, 1}} {
		if _, _, err := ProveSubset(leaves, indices); !errors.Is(err, ErrNotInTree) {
			t.Errorf("%v: %v", indices, err)
		}
	}
	if _, _, err := ProveSubset(make([]Hash, maxSubset+1), nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := SubsetRoot(1<<63, []Leaf{{1, Hash{}}}, nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := SubsetRoot(3, []Leaf{{2, Hash{}}, {1, Hash{}}}, nil); !errors.Is(err, ErrNotInTree) {
		t.Error(err)
	}
}
