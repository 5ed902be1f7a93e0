package tlog_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"testing"

	"atoll/crypto/tlog"

	sumdb "golang.org/x/mod/sumdb/tlog"
)

// A reference computes the same tree with x/mod, which stores every hash.
type reference []tlog.Hash

func (r reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		hashes[i] = r[x]
	}
	return hashes, nil
}

func newReference(leaves []tlog.Hash) reference {
	var r reference
	for i, leaf := range leaves {
		r = append(r, must(sumdb.StoredHashesForRecordHash(int64(i), leaf, r))...)
	}
	return r
}

func (r reference) head(size uint64) tlog.Head {
	return tlog.Head{Size: size, Root: must(sumdb.TreeHash(int64(size), r))}
}

func (r reference) tile(t tlog.Tile) []byte {
	return must(sumdb.ReadTileData(sumdb.Tile{H: tlog.TileHeight, L: t.Level, N: int64(t.N), W: t.Width}, r))
}

func TestKnownRoots(t *testing.T) {
	sets := map[string]func(i int) []byte{
		"numbered": numbered,
		"ct": func(i int) []byte {
			return must(hex.DecodeString([]string{
				"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
				"606162636465666768696a6b6c6d6e6f",
			}[i]))
		},
	}
	for _, v := range vectors(t, "roots.txt") {
		tree := tlog.New(nil)
		size := must(strconv.Atoi(v[1]))
		for i := range size {
			if err := tree.Append(sets[v[0]](i)); err != nil {
				t.Fatal(err)
			}
		}
		root := tree.Root()
		if got := hex.EncodeToString(root[:]); got != v[2] || tree.Size() != uint64(size) {
			t.Errorf("%s %d: root %s of size %d, want %s", v[0], size, got, tree.Size(), v[2])
		}
	}
}

// Every root and every tile, at every width it ever had, against x/mod.
func TestTreeAgainstReference(t *testing.T) {
	const size = 70_000
	log := newTestLog(0)
	var roots []tlog.Head
	for range size {
		roots = append(roots, log.Head())
		log.grow()
	}
	ref := newReference(log.leaves)
	for n, head := range roots {
		if n > 1100 && n%97 != 0 && n&0xff > 1 {
			continue
		}
		if want := ref.head(uint64(n)); head != want {
			t.Fatalf("size %d: root %s, want %s", n, head.Root, want.Root)
		}
	}
	seen := 0
	for tile := range tlog.Tiles(size) {
		if tile.Level == tlog.Entries {
			continue
		}
		want := ref.tile(tile)
		for tile.Width = range tile.Width + 1 {
			got, err := log.read(tile)
			if tile.Width == 0 {
				wantError(t, tile.Path(), err, tlog.ErrNotInTree)
			} else if err != nil || !bytes.Equal(got, want[:32*tile.Width]) {
				t.Fatalf("%s: %x, %v", tile.Path(), got, err)
			}
		}
		if _, ok := log.stored[tile]; ok {
			seen++
		}
	}
	if seen != len(log.stored) || seen != 273+1 {
		t.Errorf("%d full tiles, %d of them expected, want 274", len(log.stored), seen)
	}
}

// sizes returns sizes around every place where the tree's shape changes, and
// some others.
func sizes(r *rand.Rand) []uint64 {
	s := []uint64{0, 1, 2, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537, 65_792, 70_000}
	for range 12 {
		s = append(s, r.Uint64N(3000))
	}
	return s
}

func TestLoad(t *testing.T) {
	const more = 700
	r := rand.New(rand.NewPCG(1, 1))
	whole := newTestLog(70_000 + more)
	ref := newReference(whole.leaves)
	for _, size := range sizes(r) {
		asked := 0
		read := func(tile tlog.Tile) ([]byte, error) {
			asked++
			if tile.Width < tlog.TileWidth && tile.Level > 0 {
				t.Errorf("size %d: asked for %s", size, tile.Path())
			}
			if w := tile.WidthIn(size); tile.Width != w {
				t.Errorf("size %d: asked for %s, which is %d wide", size, tile.Path(), w)
			}
			return whole.read(tile)
		}
		again := &testLog{stored: make(map[tlog.Tile][]byte)}
		tree, err := tlog.Load(size, read, again.keep)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree.Head(); got != ref.head(size) {
			t.Fatalf("size %d: opened with root %s", size, got.Root)
		}
		if asked > 3*tlog.TileWidth {
			t.Errorf("size %d: asked for %d tiles", size, asked)
		}
		for n := size; n < size+more; n++ {
			tree.AppendHash(whole.leaves[n])
		}
		if got := tree.Head(); got != ref.head(size+more) {
			t.Fatalf("size %d: root %s after %d more", size, got.Root, more)
		}
		for tile, hashes := range again.stored {
			if !bytes.Equal(hashes, whole.stored[tile]) || tile.WidthIn(size) == tlog.TileWidth {
				t.Errorf("size %d: %s is wrong or was full before", size, tile.Path())
			}
		}
		if want := (size+more)/256 - size/256; uint64(len(again.stored)) < want {
			t.Errorf("size %d: %d tiles became full, want %d", size, len(again.stored), want)
		}
	}
}

func TestLoadDamaged(t *testing.T) {
	const size = 66_000
	log := newTestLog(size)
	want := log.Head()
	var tiles []tlog.Tile
	collect := func(tile tlog.Tile) ([]byte, error) {
		tiles = append(tiles, tile)
		return log.read(tile)
	}
	must(tlog.Load(size, collect, nil))
	// tile/0/257.p/208 as it is, tile/0/256 for the one hash that
	// tile/1/001.p/1 has, and tile/1/000 for the one of tile/2/000.p/1.
	if len(tiles) != 3 {
		t.Fatalf("read %v", tiles)
	}
	for _, bad := range tiles {
		damage := func(change func([]byte) ([]byte, error)) (*tlog.Tree, error) {
			return tlog.Load(size, func(tile tlog.Tile) ([]byte, error) {
				hashes := must(log.read(tile))
				if tile != bad {
					return hashes, nil
				}
				return change(bytes.Clone(hashes))
			}, nil)
		}
		for _, i := range []int{0, 31, 32, 32*bad.Width - 1} {
			tree, err := damage(func(b []byte) ([]byte, error) { b[i] ^= 1; return b, nil })
			if err != nil || tree.Head() == want {
				t.Errorf("%s: bit of byte %d flipped: same root, %v", bad.Path(), i, err)
			}
		}
		_, err := damage(func(b []byte) ([]byte, error) { return b[1:], nil })
		wantError(t, "short tile", err, tlog.ErrInconsistent)
		_, err = damage(func(b []byte) ([]byte, error) { return append(b, 0), nil })
		wantError(t, "long tile", err, tlog.ErrInconsistent)
		_, err = damage(func(b []byte) ([]byte, error) { return nil, errNotStored })
		wantError(t, "missing tile", err, errNotStored)
	}
	_, err := tlog.Load(tlog.MaxTreeSize+1, log.read, nil)
	wantError(t, "beyond limit", err, tlog.ErrTooLarge)
}

func TestReadTileRefuses(t *testing.T) {
	log := newTestLog(600)
	for _, tile := range []tlog.Tile{
		{Level: 0, N: 2, Width: 89}, {Level: 0, N: 3, Width: 1}, {Level: 1, N: 0, Width: 3},
		{Level: 2, N: 0, Width: 1}, {Level: 0, N: 0, Width: 0}, {Level: 0, N: 0, Width: -1},
		{Level: 0, N: 0, Width: 257}, {Level: tlog.Entries, N: 0, Width: 1}, {Level: -2, N: 0, Width: 1},
		{Level: 64, N: 0, Width: 1}, {Level: 0, N: 1 << 63, Width: 1}, {Level: 0, N: 1<<64 - 1, Width: 1},
	} {
		_, err := log.read(tile)
		wantError(t, tile.Path(), err, tlog.ErrNotInTree)
	}
	_, err := log.ReadTile(tlog.Tile{Level: 0, N: 0, Width: 7}, func(tile tlog.Tile) ([]byte, error) {
		return make([]byte, 7*32), nil
	})
	wantError(t, "store cut a full tile", err, tlog.ErrInconsistent)
}

// What has been read does not change, whatever the tree does next.
func TestReadTileIsACopy(t *testing.T) {
	tree := tlog.New(nil)
	tree.AppendHash(tlog.LeafHash(nil))
	tile := tlog.Tile{Level: 0, N: 0, Width: 1}
	got := must(tree.ReadTile(tile, nil))
	want := bytes.Clone(got)
	for range 300 {
		tree.AppendHash(tlog.Hash{1})
	}
	if !bytes.Equal(got, want) {
		t.Error("a tile changed after it was read")
	}
}

func TestAppendLimit(t *testing.T) {
	tree := tlog.New(nil)
	if err := tree.Append(make([]byte, tlog.MaxEntryBytes)); err != nil {
		t.Error(err)
	}
	wantError(t, "entry", tree.Append(make([]byte, tlog.MaxEntryBytes+1)), tlog.ErrTooLarge)
	if tree.Size() != 1 {
		t.Errorf("size %d after a refused entry", tree.Size())
	}
}

func TestAppendAllocations(t *testing.T) {
	tree := tlog.New(func(tlog.Tile, []byte) {})
	entry := numbered(1)
	per := testing.AllocsPerRun(10, func() {
		for range 25_600 {
			tree.Append(entry)
		}
	})
	if per > 250 {
		t.Errorf("%.0f allocations for 25,600 entries", per)
	}
}

func BenchmarkAppend(b *testing.B) {
	entry := make([]byte, 512)
	tree := tlog.New(func(tlog.Tile, []byte) {})
	b.ReportAllocs()
	for b.Loop() {
		tree.Append(entry)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkAppendHash(b *testing.B) {
	leaf := tlog.LeafHash(nil)
	tree := tlog.New(func(tlog.Tile, []byte) {})
	b.ReportAllocs()
	for b.Loop() {
		tree.AppendHash(leaf)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

var sinkHead tlog.Head

func BenchmarkRoot(b *testing.B) {
	tree := tlog.New(nil)
	for range 1<<20 - 1 { // every bit set: the most expensive root below 2^20
		tree.AppendHash(tlog.Hash{})
	}
	b.ReportAllocs()
	for b.Loop() {
		sinkHead = tree.Head()
	}
}

func BenchmarkOpen(b *testing.B) {
	log := newTestLog(1<<17 - 1)
	for b.Loop() {
		sinkHead = must(tlog.Load(log.Size(), log.read, nil)).Head()
	}
}
