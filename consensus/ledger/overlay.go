package ledger

import (
	"bytes"
	"slices"

	"github.com/google/btree"
)

// Overlay is a set of changes to a state that are not written to storage yet.
// It keeps references to the keys and values passed to it. Several readers may
// share an overlay while nobody changes it.
type Overlay struct {
	changes *btree.BTreeG[Change] // a nil value is a deletion
	holes   map[byte]hole         // by the first byte of keys
}

// hole is a range [from, to) without keys, in this overlay and in all below.
// Work that is done and deleted leaves a hole at the beginning of its queue,
// and only a write fills the hole. Without it each step would scan the whole
// range.
type hole struct{ from, to []byte }

func (h hole) has(key []byte) bool {
	return bytes.Compare(h.from, key) <= 0 && bytes.Compare(key, h.to) < 0
}

// wide is the number of deleted keys from which a hole is remembered: a hole at
// the beginning of a queue has more, other gaps have fewer.
const wide = 8

// NewOverlay returns an overlay without changes.
func NewOverlay() *Overlay {
	less := func(a, b Change) bool { return bytes.Compare(a.Key, b.Key) < 0 }
	return &Overlay{changes: btree.NewG(32, less), holes: map[byte]hole{}}
}

// Written returns an overlay without changes, for when those of o have been
// written to what is below. The ranges without keys are the same.
func (o *Overlay) Written() *Overlay {
	after := NewOverlay()
	after.holes = o.holes
	return after
}

// Len returns the number of changes.
func (o *Overlay) Len() int { return o.changes.Len() }

// Set makes a change and returns the change that it replaces, if any. A nil
// value deletes the key.
func (o *Overlay) Set(key, value []byte) (old Change, replaced bool) {
	if h, ok := o.holes[first(key)]; ok && value != nil && h.has(key) {
		h.to = key
		o.holes[first(key)] = h
	}
	return o.changes.ReplaceOrInsert(Change{key, value})
}

// Get returns the value of a key and whether the key was changed. The value is
// nil if the change deletes the key.
func (o *Overlay) Get(key []byte) (value []byte, changed bool) {
	c, changed := o.changes.Get(Change{Key: key})
	return c.Value, changed
}

// All yields the changes in key order.
func (o *Overlay) All(yield func(key, value []byte) bool) {
	o.changes.Ascend(func(c Change) bool { return yield(c.Key, c.Value) })
}

// NextOver is [View.Next] of a state with overlays, the newest first. Stored
// returns the data below them: the first key at or after from with its value,
// or nil. If remember is set, the newest overlay records ranges that are found
// empty; nobody else may use it then.
func NextOver(prefix, after []byte, overlays []*Overlay, stored func(from []byte) (key, value []byte, err error), remember bool) (key, value []byte, err error) {
	from := append(bytes.Clone(after), 0) // the least key greater than after
	if bytes.Compare(after, prefix) < 0 {
		from = prefix
	}
	start, newest, known := from, overlays[0], false
	if h, ok := newest.holes[first(from)]; ok && h.has(from) {
		start, from, known = h.from, h.to, true
	}
	for skipped := 0; ; skipped++ {
		if key, value, err = stored(from); err != nil {
			return nil, nil, err
		}
		deleted := false
		for _, o := range slices.Backward(overlays) {
			if c, ok := o.from(from); ok && (key == nil || bytes.Compare(c.Key, key) <= 0) {
				key, value, deleted = c.Key, c.Value, c.Value == nil
			}
		}
		if deleted {
			from = append(bytes.Clone(key), 0)
			continue
		}
		if key != nil && remember && first(start) == first(key) && (known || skipped >= wide) {
			newest.holes[first(start)] = hole{bytes.Clone(start), bytes.Clone(key)}
		}
		if key == nil || !bytes.HasPrefix(key, prefix) {
			return nil, nil, nil
		}
		return bytes.Clone(key), value, nil
	}
}

// from returns the first change at or after a key.
func (o *Overlay) from(key []byte) (found Change, ok bool) {
	o.changes.AscendGreaterOrEqual(Change{Key: key}, func(c Change) bool {
		found, ok = c, true
		return false
	})
	return found, ok
}

func first(key []byte) byte {
	if len(key) == 0 {
		return 0
	}
	return key[0]
}
