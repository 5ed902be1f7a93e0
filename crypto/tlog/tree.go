package tlog

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	sumdb "golang.org/x/mod/sumdb/tlog"
)

// A Hash is a SHA-256 value in the tree: of an entry, a subtree, or all of it.
type Hash = sumdb.Hash

const hashSize = sumdb.HashSize

// emptyRoot is the root of the tree without entries, SHA-256 of nothing
// (RFC 6962, section 2.1).
var emptyRoot = Hash(sha256.Sum256(nil))

// LeafHash returns SHA-256(0x00 ‖ entry), the leaf of an entry (RFC 6962, section 2.1).
func LeafHash(entry []byte) Hash { return sumdb.RecordHash(entry) }

// A Head is the state of a tree in 40 bytes: how many entries it has, and the
// root that commits to each of them and to their order. The head of the empty
// tree is that of [New], not the zero Head.
type Head struct {
	Size uint64
	Root Hash
}

// A ReadTile returns the concatenated hashes of a tile, 32 bytes each, exactly
// tile.Width of them. It is only called for tiles of the log it belongs to,
// never for entry bundles. The caller does not change what is returned. An
// error is returned to the caller unchanged.
type ReadTile func(tile Tile) ([]byte, error)

// A Tree is an append-only Merkle tree (RFC 6962) held as its right edge: on
// every level the hashes of the tile that is not full yet, at most 255, and the
// roots of the perfect subtrees. That is about 10 kB per level, and there are
// three levels up to 16 million entries.
//
// The full tiles are no longer in the edge: the caller gets each exactly once
// and keeps it. Full tiles and the hashes of the entries after the last one are
// all that [Load] needs.
type Tree struct {
	size uint64
	edge [64]Hash // edge[h] is the root of the perfect subtree of 2^h leaves, if bit h of size is set
	open [][]byte // open[l] is the tile of level l still being filled, 0 to 255 hashes
	full func(tile Tile, hashes []byte)
}

// New returns the empty tree. Whenever an append completes a tile, full is
// called with it and its 8192 bytes, which it may keep. Lower levels come
// first. full must not use the tree. full may be nil.
func New(full func(tile Tile, hashes []byte)) *Tree {
	return &Tree{full: full}
}

// Load returns the tree of the given size from its tiles. It asks read for the
// partial tile of level 0, and for full tiles, from which the levels above are
// made: at most 255 per level, about 15 ms of hashing at 10 million entries. It
// never asks for a partial tile of a higher level, so none need be stored.
//
// The root depends on every hash the tree will hold and on every tile read for
// it: compare [Tree.Head] with a head you trust.
//
// Errors: read's own, [ErrInconsistent] if a tile has the wrong length,
// [ErrTooLarge].
func Load(size uint64, read ReadTile, full func(tile Tile, hashes []byte)) (*Tree, error) {
	if size > MaxTreeSize {
		return nil, fmt.Errorf("%w: tree of %d entries", ErrTooLarge, size)
	}
	t := New(full)
	t.size = size
	for level := 0; size>>(level*TileHeight) > 0; level++ {
		hashes, err := readOpenTile(size, level, read)
		if err != nil {
			return nil, err
		}
		t.open = append(t.open, hashes)
		// The width of the tile in binary tells which perfect subtrees it
		// consists of, the largest leftmost.
		for h := TileHeight - 1; h >= 0; h-- {
			if n := hashSize << h; len(hashes)&n != 0 {
				t.edge[level*TileHeight+h] = perfectRoot(hashes[:n])
				hashes = hashes[n:]
			}
		}
	}
	return t, nil
}

// readOpenTile returns the hashes of the tile at the right end of a level, none
// if the level ends with a full tile.
func readOpenTile(size uint64, level int, read ReadTile) ([]byte, error) {
	count := size >> (level * TileHeight)
	open := Tile{level, count / TileWidth, int(count % TileWidth)}
	hashes := make([]byte, 0, TileWidth*hashSize)
	if level == 0 && open.Width > 0 {
		data, err := readExactly(open, read)
		return append(hashes, data...), err
	}
	for i := range open.Width {
		data, err := readExactly(Tile{level - 1, open.N*TileWidth + uint64(i), TileWidth}, read)
		if err != nil {
			return nil, err
		}
		root := perfectRoot(data)
		hashes = append(hashes, root[:]...)
	}
	return hashes, nil
}

// readExactly calls read and refuses a tile of another length.
func readExactly(tile Tile, read ReadTile) ([]byte, error) {
	data, err := read(tile)
	if err != nil {
		return nil, err
	}
	if len(data) != tile.Width*hashSize {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrInconsistent, tile.Path(), len(data))
	}
	return data, nil
}

// perfectRoot returns the root over 2^n concatenated hashes.
func perfectRoot(hashes []byte) Hash {
	if len(hashes) == hashSize {
		return Hash(hashes)
	}
	half := len(hashes) / 2
	return sumdb.NodeHash(perfectRoot(hashes[:half]), perfectRoot(hashes[half:]))
}

// Append adds an entry. An entry of more than [MaxEntryBytes] is refused with
// [ErrTooLarge]: no bundle could carry it.
func (t *Tree) Append(entry []byte) error {
	if len(entry) > MaxEntryBytes {
		return fmt.Errorf("%w: entry of %d bytes", ErrTooLarge, len(entry))
	}
	t.AppendHash(LeafHash(entry))
	return nil
}

// AppendHash adds an entry given its [LeafHash].
func (t *Tree) AppendHash(leaf Hash) {
	t.push(0, leaf)
	// This works like adding one to a binary number: each bit already set is a
	// perfect subtree, which merges with the one just completed and carries
	// upward.
	h, height := leaf, 0
	for carry := t.size; carry&1 == 1; carry >>= 1 {
		h = sumdb.NodeHash(t.edge[height], h)
		height++
		if height%TileHeight == 0 {
			t.push(height/TileHeight, h)
		}
	}
	t.edge[height] = h
	t.size++
}

// push appends a hash to the tile being filled on a level. A full tile is given
// to the caller and dropped. t.size does not count the entry being appended
// yet, so it is the entry's index.
func (t *Tree) push(level int, h Hash) {
	if level == len(t.open) {
		t.open = append(t.open, make([]byte, 0, TileWidth*hashSize))
	}
	hashes := append(t.open[level], h[:]...)
	if len(hashes) < TileWidth*hashSize {
		t.open[level] = hashes
		return
	}
	if t.full == nil {
		t.open[level] = hashes[:0]
		return
	}
	t.open[level] = make([]byte, 0, TileWidth*hashSize)
	t.full(Tile{level, t.size >> ((level + 1) * TileHeight), TileWidth}, hashes)
}

// Size returns the number of entries.
func (t *Tree) Size() uint64 { return t.size }

// Root returns the root hash, SHA-256 of nothing for the empty tree. It costs
// at most one hash per doubling of the tree.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return emptyRoot
	}
	low := bits.TrailingZeros64(t.size)
	h := t.edge[low]
	for i := low + 1; i < bits.Len64(t.size); i++ {
		if t.size>>i&1 == 1 {
			h = sumdb.NodeHash(t.edge[i], h)
		}
	}
	return h
}

// Head returns size and root.
func (t *Tree) Head() Head { return Head{t.size, t.Root()} }

// ReadTile returns the hashes of any tile of the log at its present or any
// earlier size. Full tiles come from stored. Partial ones come from memory or,
// once they are full, are cut out of what stored returns. A verifier that holds
// an old checkpoint asks for old widths, so any width up to the present one is
// served.
//
// Errors: stored's own, [ErrInconsistent] if its tile has the wrong length,
// [ErrNotInTree].
func (t *Tree) ReadTile(tile Tile, stored ReadTile) ([]byte, error) {
	width := tile.WidthIn(t.size)
	if tile.Level == Entries || tile.Width < 1 || tile.Width > width {
		return nil, fmt.Errorf("%w: %s at size %d", ErrNotInTree, tile.Path(), t.size)
	}
	if width < TileWidth {
		return append([]byte(nil), t.open[tile.Level][:tile.Width*hashSize]...), nil
	}
	hashes, err := readExactly(Tile{tile.Level, tile.N, TileWidth}, stored)
	if err != nil {
		return nil, err
	}
	return hashes[:tile.Width*hashSize], nil
}
