package state

import (
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// layer holds what has been applied and is not yet in the database. One layer
// is being filled, and at most one is being written.
type layer struct {
	state   *ledger.Overlay
	first   uint64   // index of entries[0]
	entries [][]byte // leaves
	tiles   map[tlog.Tile][]byte
	head    Position // set when the layer is closed
	bytes   int
}

func newLayer(first uint64) *layer {
	return &layer{state: ledger.NewOverlay(), first: first, tiles: map[tlog.Tile][]byte{}}
}

func (l *layer) set(key, value []byte) {
	l.state.Set(key, value)
	l.bytes += len(key) + len(value) + 64
}

// entry returns the leaf at an index, or nil.
func (l *layer) entry(index uint64) []byte {
	if index < l.first || index-l.first >= uint64(len(l.entries)) {
		return nil
	}
	return l.entries[index-l.first]
}

// Position is how far a database or a layer goes: the raft entries that have
// been applied, and the log after them.
type Position struct {
	Raft uint64    `cbor:"1,keyasint"` // index of the last raft entry applied
	Term uint64    `cbor:"2,keyasint"`
	Size uint64    `cbor:"3,keyasint"` // of the log
	Root tlog.Hash `cbor:"4,keyasint"`
}
