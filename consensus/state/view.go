package state

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// view reads the state through the layers, newest first, down to one
// transaction of the database: the [ledger.View] of this package.
type view struct {
	tx      *bbolt.Tx
	layers  []*layer
	applies bool // nobody else reads or writes the layers
}

// Get implements ledger.View.
func (v *view) Get(key []byte) ([]byte, error) {
	for _, l := range v.layers {
		if i, ok := l.state.Get(item{key: key}); ok {
			return i.value, nil
		}
	}
	return lookup(v.tx, stateBucket, key)
}

// wide is how many deleted keys make a hole that is worth remembering: one at
// the beginning of a queue, not each gap in it.
const wide = 8

// Next implements ledger.View.
func (v *view) Next(prefix, after []byte) (key, value []byte, err error) {
	from := append(bytes.Clone(after), 0) // the least key greater than after
	if bytes.Compare(after, prefix) < 0 {
		from = prefix
	}
	start, newest, known := from, v.layers[0], false
	if newest.empty(from) {
		start, from, known = newest.from, newest.to, true
	}
	for skipped := 0; ; skipped++ {
		if key, err = nextIn(v.tx, stateBucket, from); err != nil {
			return nil, nil, err
		}
		for _, l := range v.layers {
			if i, ok := l.next(from); ok && (key == nil || bytes.Compare(i.key, key) < 0) {
				key = i.key
			}
		}
		if key == nil || !bytes.HasPrefix(key, prefix) {
			return nil, nil, nil
		}
		key = bytes.Clone(key)
		if value, err = v.Get(key); err == nil && value == nil {
			from = append(key, 0) // deleted in a layer
			continue
		}
		if v.applies && (known || skipped >= wide) {
			newest.from, newest.to = bytes.Clone(start), key
		}
		return key, value, err
	}
}
