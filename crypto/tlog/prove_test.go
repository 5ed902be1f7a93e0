package tlog_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"atoll/crypto/tlog"
)

// everyFlip calls check with each single bit of the hashes changed.
func everyFlip(hashes []tlog.Hash, check func(changed []tlog.Hash)) {
	changed := slices.Clone(hashes)
	for i := range changed {
		for bit := range 256 {
			changed[i][bit/8] ^= 1 << (bit % 8)
			check(changed)
			changed[i][bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestInclusionProofs(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	log := newTestLog(70_000)
	ref := newReference(log.leaves)
	for _, size := range sizes(r) {
		head := ref.head(size)
		_, err := tlog.ProveInclusion(head, size, log.read)
		wantError(t, "entry after the last", err, tlog.ErrNotInTree)
		wantError(t, "entry after the last", tlog.CheckInclusion(head, size, tlog.Hash{}, nil), tlog.ErrNotInTree)
		if size == 0 {
			continue
		}
		for _, index := range []uint64{0, size - 1, r.Uint64N(size), r.Uint64N(size)} {
			path, err := tlog.ProveInclusion(head, index, log.read)
			if err != nil {
				t.Fatal(err)
			}
			leaf := log.leaves[index]
			if err := tlog.CheckInclusion(head, index, leaf, path); err != nil {
				t.Fatalf("entry %d of %d: %v", index, size, err)
			}
			refused := func(head tlog.Head, index uint64, leaf tlog.Hash, path []tlog.Hash) {
				t.Helper()
				if tlog.CheckInclusion(head, index, leaf, path) == nil {
					t.Fatalf("entry %d of %d: a wrong proof verifies", index, size)
				}
			}
			everyFlip(path, func(path []tlog.Hash) { refused(head, index, leaf, path) })
			everyFlip([]tlog.Hash{leaf}, func(h []tlog.Hash) { refused(head, index, h[0], path) })
			everyFlip([]tlog.Hash{head.Root}, func(h []tlog.Hash) { refused(tlog.Head{Size: size, Root: h[0]}, index, leaf, path) })
			for bit := range 64 {
				refused(head, index^1<<bit, leaf, path)
			}
			refused(head, index, leaf, append(path[:len(path):len(path)], tlog.Hash{}))
			if len(path) > 0 {
				refused(head, index, leaf, path[1:])
				refused(head, index, leaf, path[:len(path)-1])
			}
		}
	}
}

func TestRootAt(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	log := newTestLog(70_000)
	ref := newReference(log.leaves)
	for _, size := range sizes(r) {
		head := ref.head(size)
		_, err := tlog.RootAt(size+1, head, log.read)
		wantError(t, "larger size", err, tlog.ErrNotInTree)
		for _, old := range []uint64{0, size / 2, size - min(size, 1), size, r.Uint64N(size + 1)} {
			root, err := tlog.RootAt(old, head, log.read)
			if err != nil || root != ref.head(old).Root {
				t.Fatalf("root at %d of %d: %s, %v", old, size, root, err)
			}
		}
		if size > 0 {
			head.Root[0] ^= 1
			_, err = tlog.RootAt(size-1, head, log.read)
			if size > 1 {
				wantError(t, "tiles of another tree", err, tlog.ErrInconsistent)
			}
		}
	}
}

func TestConsistencyProofs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	log := newTestLog(70_000)
	ref := newReference(log.leaves)
	for _, size := range sizes(r) {
		next := ref.head(size)
		_, err := tlog.ProveConsistency(size+1, next, log.read)
		wantError(t, "larger size", err, tlog.ErrNotInTree)
		for _, old := range []uint64{0, size / 2, size - min(size, 1), size, r.Uint64N(size + 1)} {
			prev := ref.head(old)
			proof, err := tlog.ProveConsistency(old, next, log.read)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckConsistency(prev, next, proof); err != nil {
				t.Fatalf("%d to %d: %v", old, size, err)
			}
			refused := func(prev, next tlog.Head, proof []tlog.Hash) {
				t.Helper()
				if tlog.CheckConsistency(prev, next, proof) == nil {
					t.Fatalf("%d to %d: a wrong proof verifies", old, size)
				}
			}
			everyFlip(proof, func(proof []tlog.Hash) { refused(prev, next, proof) })
			everyFlip([]tlog.Hash{prev.Root}, func(h []tlog.Hash) { refused(tlog.Head{Size: old, Root: h[0]}, next, proof) })
			if old > 0 { // any tree extends the empty tree
				everyFlip([]tlog.Hash{next.Root}, func(h []tlog.Hash) { refused(prev, tlog.Head{Size: size, Root: h[0]}, proof) })
			}
			refused(prev, next, append(proof[:len(proof):len(proof)], tlog.Hash{}))
			if len(proof) > 0 {
				refused(prev, next, proof[1:])
				refused(prev, next, proof[:len(proof)-1])
			}
			if old < size {
				refused(next, prev, proof)
			}
		}
	}
}

// There is one tree of the same size; a longer tree that forked has no proof.
func TestFork(t *testing.T) {
	honest, forked := newTestLog(300), newTestLog(200)
	forked.AppendHash(tlog.LeafHash([]byte("another entry 200")))
	for i := 201; i < 300; i++ {
		forked.AppendHash(tlog.LeafHash(numbered(i)))
	}
	wantError(t, "same size", tlog.CheckConsistency(honest.Head(), forked.Head(), nil), tlog.ErrInconsistent)
	seen := honest.Head()
	for range 50 {
		forked.AppendHash(tlog.Hash{})
	}
	proof, err := tlog.ProveConsistency(seen.Size, forked.Head(), forked.read)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "fork", tlog.CheckConsistency(seen, forked.Head(), proof), tlog.ErrInconsistent)
}

func TestProveFromDamagedTiles(t *testing.T) {
	log := newTestLog(66_000)
	head := log.Head()
	var asked []tlog.Tile
	collect := func(tile tlog.Tile) ([]byte, error) {
		asked = append(asked, tile)
		return log.read(tile)
	}
	must(tlog.ProveInclusion(head, 1000, collect))
	if len(asked) < 4 {
		t.Fatalf("read %v", asked)
	}
	for _, bad := range asked {
		read := func(change func([]byte) ([]byte, error)) tlog.ReadTile {
			return func(tile tlog.Tile) ([]byte, error) {
				hashes := must(log.read(tile))
				if tile != bad {
					return hashes, nil
				}
				return change(bytes.Clone(hashes))
			}
		}
		for _, v := range []struct {
			what   string
			want   error
			change func([]byte) ([]byte, error)
		}{
			{"bit flipped", tlog.ErrInconsistent, func(b []byte) ([]byte, error) { b[len(b)-1] ^= 1; return b, nil }},
			{"short", tlog.ErrInconsistent, func(b []byte) ([]byte, error) { return b[32:], nil }},
			{"long", tlog.ErrInconsistent, func(b []byte) ([]byte, error) { return append(b, b...), nil }},
			{"empty", tlog.ErrInconsistent, func(b []byte) ([]byte, error) { return nil, nil }},
			{"missing", errNotStored, func(b []byte) ([]byte, error) { return nil, errNotStored }},
		} {
			_, err := tlog.ProveInclusion(head, 1000, read(v.change))
			wantError(t, bad.Path()+" "+v.what, err, v.want)
		}
	}
}

// Sizes that no real log has cause neither a panic nor an endless loop.
func TestHugeSizes(t *testing.T) {
	nothing := func(tlog.Tile) ([]byte, error) { return nil, errNotStored }
	for _, size := range []uint64{tlog.MaxTreeSize + 1, 1<<62 + 1, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		huge := tlog.Head{Size: size}
		wantError(t, "inclusion", tlog.CheckInclusion(huge, size-1, tlog.Hash{}, nil), tlog.ErrTooLarge)
		wantError(t, "consistency", tlog.CheckConsistency(huge, huge, nil), tlog.ErrTooLarge)
		wantError(t, "consistency", tlog.CheckConsistency(newTestLog(1).Head(), huge, nil), tlog.ErrTooLarge)
		_, err := tlog.ProveInclusion(huge, 0, nothing)
		wantError(t, "inclusion", err, tlog.ErrTooLarge)
		_, err = tlog.ProveConsistency(1, huge, nothing)
		wantError(t, "consistency", err, tlog.ErrTooLarge)
	}
	largest := tlog.Head{Size: tlog.MaxTreeSize}
	path := make([]tlog.Hash, 56)
	wantError(t, "inclusion", tlog.CheckInclusion(largest, tlog.MaxTreeSize-1, tlog.Hash{}, path), tlog.ErrInconsistent)
	_, err := tlog.ProveInclusion(largest, tlog.MaxTreeSize-1, nothing)
	wantError(t, "inclusion", err, errNotStored)
	_, err = tlog.ProveConsistency(tlog.MaxTreeSize-1, largest, nothing)
	wantError(t, "consistency", err, errNotStored)
	empty := tlog.Head{Size: 0, Root: tlog.Hash{1}}
	wantError(t, "empty with a root", tlog.CheckConsistency(empty, newTestLog(1).Head(), nil), tlog.ErrInconsistent)
}

func BenchmarkProveInclusion(b *testing.B) {
	log := newTestLog(1<<17 - 1)
	head := log.Head()
	for b.Loop() {
		must(tlog.ProveInclusion(head, 1000, log.read))
	}
}
