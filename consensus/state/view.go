package state

import (
	"atoll/consensus/ledger"

	"go.etcd.io/bbolt"
)

// view reads the state through the layers, newest first, down to one
// transaction of the database: the [ledger.View] of this package.
type view struct {
	stored  places
	layers  []*layer
	applies bool // nobody else reads or writes the layers
}

// Get implements ledger.View.
func (v *view) Get(key []byte) ([]byte, error) {
	for _, l := range v.layers {
		if value, changed := l.state.Get(key); changed {
			return value, nil
		}
	}
	return v.stored.get(key)
}

// Next implements ledger.View.
func (v *view) Next(prefix, after []byte) (key, value []byte, err error) {
	overlays := make([]*ledger.Overlay, len(v.layers))
	for i, l := range v.layers {
		overlays[i] = l.state
	}
	return ledger.NextOver(prefix, after, overlays, v.stored.next, v.applies)
}

// newView returns the view of one transaction through layers.
func newView(tx *bbolt.Tx, layers []*layer, applies bool) *view {
	return &view{places{tx: tx, bucket: stateBucket}, layers, applies}
}
