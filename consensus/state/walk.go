package state

import (
	"bytes"
	"fmt"

	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
)

// still runs f on the database while no flush runs: a flush that has to enlarge
// the file would wait for f, and all readers for the flush. So f must be short;
// only a flush waits for it.
func (s *Store) still(f func(*bbolt.Tx) error) error {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	return s.db.View(f)
}

// WalkState checks each record of the state, and that none is missing, while
// the state changes.
func (s *Store) WalkState(wait func(read int) error) error {
	read := 0
	for from := []byte{}; from != nil; {
		err := s.still(func(tx *bbolt.Tx) (err error) {
			if len(from) == 0 {
				s.walked = tally{}
			}
			from, read, err = s.walked.step(tx, from)
			if err == nil && from == nil {
				err = s.walked.compare(tx)
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := wait(read); err != nil {
			return err
		}
	}
	return nil
}

// WalkLog checks each entry and each tile, that the tiles follow from the
// entries, and that they lead to the root.
func (s *Store) WalkLog(wait func(read int) error) error {
	s.mu.RLock()
	end := s.saved
	s.mu.RUnlock()
	w := &logWalk{end: end.Size}
	w.tree = tlog.New(w.compare)
	for from := entryKey(0); w.tree.Size() < end.Size; {
		read := 0
		err := s.still(func(tx *bbolt.Tx) (err error) {
			w.tx = tx
			from, read, err = check(tx, entriesBucket, from, w.add)
			return err
		})
		if err == nil && from == nil && w.tree.Size() < end.Size {
			err = &CorruptError{string(entriesBucket), entryKey(w.tree.Size()), "missing"}
		}
		if err != nil {
			return err
		}
		if err := wait(read); err != nil {
			return err
		}
	}
	if end.Size > 0 && w.tree.Root() != end.Root {
		return &CorruptError{Bucket: string(entriesBucket), Reason: "the entries do not lead to the root that was written with them"}
	}
	return nil
}

// logWalk rebuilds the tree from the entries.
type logWalk struct {
	tx   *bbolt.Tx // of the present step
	end  uint64
	tree *tlog.Tree
	err  error // of a tile
}

// add processes the next entry, up to the end.
func (w *logWalk) add(key, stored []byte) error {
	i := w.tree.Size()
	if i == w.end {
		return nil
	}
	if want := entryKey(i); !bytes.Equal(key, want) {
		return &CorruptError{string(entriesBucket), want, "missing"}
	}
	if err := w.tree.Append(stored[sumSize:]); err != nil {
		return &CorruptError{string(entriesBucket), bytes.Clone(key), err.Error()}
	}
	return w.err
}

// compare records an error if a tile that the entries fill differs from the
// stored one.
func (w *logWalk) compare(t tlog.Tile, hashes []byte) {
	stored, err := storedIn(w.tx, tilesBucket, tileKey(t))
	if err == nil && !bytes.Equal(stored, hashes) {
		err = &CorruptError{string(tilesBucket), tileKey(t), fmt.Sprintf("%s is not what the entries before entry %d lead to", t.Path(), w.tree.Size()+1)}
	}
	if w.err == nil {
		w.err = err
	}
}
