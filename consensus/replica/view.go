package replica

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// view reads the state through the layers, newest first, down to one
// transaction of the database: the [ledger.View] of this package.
type view struct {
	tx     *bbolt.Tx
	layers []*layer
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

// Next implements ledger.View.
func (v *view) Next(prefix, after []byte) (key, value []byte, err error) {
	if bytes.Compare(after, prefix) < 0 {
		after = prefix
		if value, err := v.Get(prefix); err != nil || value != nil {
			return prefix, value, err
		}
	}
	for {
		if key, err = nextIn(v.tx, stateBucket, after); err != nil {
			return nil, nil, err
		}
		for _, l := range v.layers {
			if i, ok := l.next(after); ok && (key == nil || bytes.Compare(i.key, key) < 0) {
				key = i.key
			}
		}
		if key == nil || !bytes.HasPrefix(key, prefix) {
			return nil, nil, nil
		}
		value, err = v.Get(key)
		if err != nil || value != nil {
			return bytes.Clone(key), value, err
		}
		after = bytes.Clone(key) // deleted in a layer
	}
}
