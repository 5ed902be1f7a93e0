package ledger

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/google/btree"
)

// Memory is a [View] in memory, for demos, tests and auditors. Its size is
// bounded as the state of the rules is, and does not depend on the length of
// the log. [Memory.Apply] makes changes; Memory must not be read during that
// call.
type Memory struct {
	values map[string][]byte
	keys   *btree.BTreeG[string] // of values, in order
}

// NewMemory returns an empty state.
func NewMemory() *Memory {
	return &Memory{values: map[string][]byte{}, keys: btree.NewG(32, cmp.Less[string])}
}

// Get implements [View].
func (m *Memory) Get(key []byte) ([]byte, error) { return m.values[string(key)], nil }

// Next implements [View].
func (m *Memory) Next(prefix, after []byte) (key, value []byte, err error) {
	from := string(prefix)
	if bytes.Compare(after, prefix) >= 0 {
		from = string(after) + "\x00"
	}
	m.keys.AscendGreaterOrEqual(from, func(k string) bool {
		if strings.HasPrefix(k, string(prefix)) {
			key, value = []byte(k), m.values[k]
		}
		return false
	})
	return key, value, nil
}

// Apply makes changes.
func (m *Memory) Apply(changes []Change) {
	for _, c := range changes {
		_, found := m.values[string(c.Key)]
		switch {
		case c.Value != nil && !found:
			k := string(c.Key)
			m.keys.ReplaceOrInsert(k)
			m.values[k] = c.Value
		case c.Value != nil:
			m.values[string(c.Key)] = c.Value
		case found:
			m.keys.Delete(string(c.Key))
			delete(m.values, string(c.Key))
		}
	}
}

// All yields the whole state in key order.
func (m *Memory) All(yield func(key, value []byte) bool) {
	m.keys.Ascend(func(k string) bool { return yield([]byte(k), m.values[k]) })
}
