package state

import (
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// layer is what has been applied and is not yet in the database: one is being
// filled, one at most is being written.
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

// Position says how far a database or a layer goes: which of raft's entries it
// has taken in, and what the log is then.
type Position struct {
	Raft uint64    `cbor:"1,keyasint"` // index of the last raft entry applied
	Term uint64    `cbor:"2,keyasint"`
	Size uint64    `cbor:"3,keyasint"` // of the log
	Root tlog.Hash `cbor:"4,keyasint"`
}
