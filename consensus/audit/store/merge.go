package store

import (
	"bytes"
	"math/bits"
)

// merging goes through the records of several runs. Of one key it has the newest
// record.
type merging struct {
	cursors    []cursor // newest run first
	key, value []byte   // the record; value nil: deleted, key nil: all runs have ended
}

func newMerging(runs []*run, read func(*run, int) ([]byte, error)) merging {
	m := merging{cursors: make([]cursor, len(runs))}
	for i, r := range runs {
		m.cursors[i] = cursor{run: r, read: read}
	}
	return m
}

// seek goes to the first record at or after a key.
func (m *merging) seek(from []byte) error {
	for i := range m.cursors {
		if err := m.cursors[i].seek(from); err != nil {
			return err
		}
	}
	m.choose()
	return nil
}

// next goes to the next record.
func (m *merging) next() error {
	for i := range m.cursors {
		if c := &m.cursors[i]; c.key != nil && bytes.Equal(c.key, m.key) {
			if err := c.next(); err != nil {
				return err
			}
		}
	}
	m.choose()
	return nil
}

// choose takes the least key, of the newest run that has it.
func (m *merging) choose() {
	m.key, m.value = nil, nil
	for i := range m.cursors {
		if c := &m.cursors[i]; c.key != nil && (m.key == nil || bytes.Compare(c.key, m.key) < 0) {
			m.key, m.value = c.key, c.value
		}
	}
}

// walk finds keys one after another. It goes on from where it is if the next key
// is not far: queues are read from their front, step by step.
type walk struct {
	merging
	from  []byte // between here and the record there is no key
	begun bool
}

// near is how many records a walk passes rather than searching anew.
const near = 16

func newWalk(runs []*run, read func(*run, int) ([]byte, error)) *walk {
	return &walk{merging: newMerging(runs, read)}
}

// next returns the first key at or after from, with its value, or nil.
func (w *walk) next(from []byte) (key, value []byte, err error) {
	if !w.begun || bytes.Compare(from, w.from) < 0 {
		err = w.begin(from)
	}
	for passed := 0; err == nil && w.key != nil; passed++ {
		before := bytes.Compare(w.key, from) < 0
		switch {
		case before && passed == near:
			err = w.begin(from)
			continue
		case before:
			w.from = append(w.from[:0], from...)
		case w.value != nil:
			return w.key, w.value, nil
		}
		err = w.merging.next()
	}
	return nil, nil, err
}

// begin searches.
func (w *walk) begin(from []byte) error {
	w.from, w.begun = append(w.from[:0], from...), true
	return w.seek(from)
}

// merge yields the records of several runs, for one that replaces them.
type merge struct {
	merging
	oldest bool // nothing lies below them: deletions have done their work
	err    error
}

func newMerge(runs []*run, oldest bool) *merge {
	return &merge{merging: newMerging(runs, (*run).read), oldest: oldest}
}

// all yields the records. It ends early at an error, which it keeps.
func (m *merge) all(yield func(key, value []byte) bool) {
	for m.err = m.seek(nil); m.err == nil && m.key != nil; m.err = m.next() {
		if m.value == nil && m.oldest {
			continue
		}
		if !yield(m.key, m.value) {
			return
		}
	}
}

// alike is how many runs of about the same size are merged, the newest included.
const alike = 4

// together returns how many of the newest runs are to be merged. A merge may
// make as many runs alike as it takes for another: they are merged too.
func together(runs []*run) int {
	n, size := 1, runs[0].size
	for {
		same, sum := 0, size
		for _, r := range runs[n:] {
			if tier(r.size) > tier(size) {
				break
			}
			same++
			sum += r.size
		}
		if same < alike-1 {
			return n
		}
		n, size = n+same, sum
	}
}

// tier is the same for sizes that differ less than fourfold.
func tier(size int64) int { return bits.Len64(uint64(size)) / 2 }
