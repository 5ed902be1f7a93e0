package vault

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// An entry is what is stored at a place, or that nothing is.
type entry struct {
	there   bool
	expires uint64
	value   []byte // sealed; of a spooled file see inside
}

// A layer is entries that lie over vault.db: of each place the newest.
type layer map[Kind]map[string]entry

func (l layer) get(p place) (e entry, ok bool) {
	e, ok = l[p.kind][string(p.key)]
	return e, ok
}

func (l layer) set(p place, e entry) {
	if l[p.kind] == nil {
		l[p.kind] = map[string]entry{}
	}
	l[p.kind][string(p.key)] = e
}

// add lays another layer over this one.
func (l layer) add(over layer) {
	for p, e := range over.all() {
		l.set(p, e)
	}
}

// all returns the entries in the order of their places.
func (l layer) all() iter.Seq2[place, entry] {
	return func(yield func(place, entry) bool) {
		for _, kind := range sorted(l) {
			of := l[kind]
			for _, key := range sorted(of) {
				if !yield(place{kind, []byte(key)}, of[key]) {
					return
				}
			}
		}
	}
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// keys returns of the keys of a kind with a prefix which are there and which are
// not.
func (l layer) keys(kind Kind, prefix string) map[string]bool {
	keys := map[string]bool{}
	for key, e := range l[kind] {
		if strings.HasPrefix(key, prefix) {
			keys[key] = e.there
		}
	}
	return keys
}

// store writes the layer to vault.db.
func (l layer) store(tx *bbolt.Tx) error {
	for p, e := range l.all() {
		if err := p.store(tx, e); err != nil {
			return err
		}
	}
	return nil
}

// A step is the entries of a layer, which replace others together. Each is 1, or 0
// where nothing is stored any more (1 byte) ‖ length of the place (2) ‖ place ‖ length
// of the value (4) ‖ value. The place is as in the index of expiries.

// encode returns the step that a layer is.
func (l layer) encode() []byte {
	var b []byte
	for p, e := range l.all() {
		due, there := p.due(e.expires), byte(0)
		if e.there {
			there = 1
		}
		b = binary.BigEndian.AppendUint16(append(b, there), uint16(len(due)))
		b = binary.BigEndian.AppendUint32(append(b, due...), uint32(len(e.value)))
		b = append(b, e.value...)
	}
	return b
}

// decode lays a step over the layer.
func (l layer) decode(step []byte) error {
	for len(step) > 0 {
		p, e, rest, ok := parseEntry(step)
		if !ok {
			return errDamaged
		}
		l.set(p, e)
		step = rest
	}
	return nil
}

func parseEntry(b []byte) (p place, e entry, rest []byte, ok bool) {
	if len(b) < 3 || b[0] > 1 {
		return p, e, nil, false
	}
	e.there = b[0] == 1
	due, rest, ok := cut(b[3:], uint64(binary.BigEndian.Uint16(b[1:])))
	if !ok || len(rest) < 4 {
		return p, e, nil, false
	}
	if p, e.expires, ok = parseDue(due); !ok || p.check() != nil {
		return p, e, nil, false
	}
	value, rest, ok := cut(rest[4:], uint64(binary.BigEndian.Uint32(rest)))
	if !ok || !e.there && (e.expires != 0 || len(value) > 0) || p.kind == "" && len(value) > 0 && value[0] != inside {
		return p, e, nil, false
	}
	e.value = bytes.Clone(value)
	return p, e, rest, true
}

func cut(b []byte, n uint64) (head, rest []byte, ok bool) {
	if uint64(len(b)) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
