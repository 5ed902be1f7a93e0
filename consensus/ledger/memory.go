package ledger

import (
	"bytes"
	"slices"
)

// Memory is a [View] in memory, for small logs: a demo's, a test's, an
// auditor's with a few thousand entries. Changes are applied by [Memory.Apply].
type Memory struct {
	values map[string][]byte
	keys   []string // ascending
}

// NewMemory returns an empty state.
func NewMemory() *Memory { return &Memory{values: map[string][]byte{}} }

// Get implements [View].
func (m *Memory) Get(key []byte) ([]byte, error) { return m.values[string(key)], nil }

// Next implements [View].
func (m *Memory) Next(prefix, after []byte) (key, value []byte, err error) {
	from := string(prefix)
	if bytes.Compare(after, prefix) >= 0 {
		from = string(after) + "\x00"
	}
	i, _ := slices.BinarySearch(m.keys, from)
	if i == len(m.keys) || !bytes.HasPrefix([]byte(m.keys[i]), prefix) {
		return nil, nil, nil
	}
	return []byte(m.keys[i]), m.values[m.keys[i]], nil
}

// Apply makes changes.
func (m *Memory) Apply(changes []Change) {
	for _, c := range changes {
		k := string(c.Key)
		i, found := slices.BinarySearch(m.keys, k)
		switch {
		case c.Value == nil && found:
			m.keys = slices.Delete(m.keys, i, i+1)
			delete(m.values, k)
		case c.Value != nil && !found:
			m.keys = slices.Insert(m.keys, i, k)
			m.values[k] = c.Value
		case c.Value != nil:
			m.values[k] = c.Value
		}
	}
}

// All yields the whole state in key order.
func (m *Memory) All(yield func(key, value []byte) bool) {
	for _, k := range m.keys {
		if !yield([]byte(k), m.values[k]) {
			return
		}
	}
}
