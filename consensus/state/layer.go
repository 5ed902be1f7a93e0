package state

import (
	"bytes"

	"atoll/crypto/tlog"

	"github.com/google/btree"
)

// layer is what has been applied and is not yet in the database: one is being
// filled, one at most is being written.
type layer struct {
	state   *btree.BTreeG[item] // ledger keys; a nil value is a deletion
	first   uint64              // index of entries[0]
	entries [][]byte            // leaves
	tiles   map[tlog.Tile][]byte
	head    Position // set when the layer is closed
	bytes   int

	// While the layer is being filled no key of the state is in [from, to). Work that
	// is done leaves such a hole at the beginning of its queue, to be filled in
	// by the flush after next; without it each step would look at all of it.
	from, to []byte
}

type item struct{ key, value []byte }

func newLayer(first uint64) *layer {
	return &layer{
		state: btree.NewG(32, func(a, b item) bool { return bytes.Compare(a.key, b.key) < 0 }),
		first: first,
		tiles: map[tlog.Tile][]byte{},
	}
}

func (l *layer) set(key, value []byte) {
	l.state.ReplaceOrInsert(item{key, value})
	l.bytes += len(key) + len(value) + 64
	if value != nil && l.empty(key) {
		l.to = key
	}
}

// empty reports whether the key is in the hole that is known.
func (l *layer) empty(key []byte) bool {
	return bytes.Compare(l.from, key) <= 0 && bytes.Compare(key, l.to) < 0
}

// next returns the first item from this key on.
func (l *layer) next(from []byte) (found item, ok bool) {
	l.state.AscendGreaterOrEqual(item{key: from}, func(i item) bool {
		found, ok = i, true
		return false
	})
	return found, ok
}

// entry returns the leaf at an index, or nil.
func (l *layer) entry(index uint64) []byte {
	if index < l.first || index-l.first >= uint64(len(l.entries)) {
		return nil
	}
	return l.entries[index-l.first]
}

// Position says how far a database or a layer goes: which of raft's entries it
// has taken in, and what the log is then.
type Position struct {
	Raft uint64    `cbor:"1,keyasint"` // index of the last raft entry applied
	Term uint64    `cbor:"2,keyasint"`
	Size uint64    `cbor:"3,keyasint"` // of the log
	Root tlog.Hash `cbor:"4,keyasint"`
}
