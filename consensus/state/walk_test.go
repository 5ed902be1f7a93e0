package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
)

// filled is a store of some entries, each of which sets a key of the state.
func filled(t *testing.T, size int) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := errors.Join(grow(s, size), s.Flush()); err != nil {
		t.Fatal(err)
	}
	return s
}

func grow(s *Store, entries int) error {
	return s.Batch(func(w *Batch) error {
		for range entries {
			i := w.s.at.Size
			leaf := fmt.Appendf(nil, "entry %d", i)
			if err := w.s.tree.Append(leaf); err != nil {
				return err
			}
			w.s.filling.entries = append(w.s.filling.entries, leaf)
			w.s.filling.set(fmt.Appendf(nil, "key %06d", i), bytes.Repeat(leaf, 10))
			w.s.at.Size = i + 1
			w.Pass(i+1, 1)
		}
		return nil
	})
}

func atOnce(int) error { return nil }

// A walk finds what was changed with a right checksum, or removed: it does not
// fit the rest.
func TestWalkFindsWhatChecksumsDoNot(t *testing.T) {
	const size = 2*tlog.TileWidth + 10
	tile := tlog.Tile{Level: 0, N: 1, Width: tlog.TileWidth}
	for what, c := range map[string]struct {
		change func(*bbolt.Tx) error
		bucket string
		key    []byte
	}{
		"a record of the state is gone": {func(tx *bbolt.Tx) error { return tx.Bucket(stateBucket).Delete([]byte("key 000300")) }, "state", nil},
		"an older one is back":          {func(tx *bbolt.Tx) error { return put(tx, stateBucket, []byte("key 000300"), []byte("older")) }, "state", nil},
		"the number of all is gone":     {func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Delete(stateSumKey) }, "meta", stateSumKey},
		"an entry is gone":              {func(tx *bbolt.Tx) error { return tx.Bucket(entriesBucket).Delete(entryKey(300)) }, "entries", entryKey(300)},
		"the last entry is gone":        {func(tx *bbolt.Tx) error { return tx.Bucket(entriesBucket).Delete(entryKey(size - 1)) }, "entries", entryKey(size - 1)},
		"an entry is another":           {func(tx *bbolt.Tx) error { return put(tx, entriesBucket, entryKey(300), []byte("another")) }, "tiles", tileKey(tile)},
		"the last entry is another":     {func(tx *bbolt.Tx) error { return put(tx, entriesBucket, entryKey(size-1), []byte("another")) }, "entries", nil},
		"a tile is another":             {func(tx *bbolt.Tx) error { return put(tx, tilesBucket, tileKey(tile), make([]byte, 8192)) }, "tiles", tileKey(tile)},
		"a tile is gone":                {func(tx *bbolt.Tx) error { return tx.Bucket(tilesBucket).Delete(tileKey(tile)) }, "tiles", tileKey(tile)},
	} {
		t.Run(what, func(t *testing.T) {
			s := filled(t, size)
			if err := errors.Join(s.WalkLog(atOnce), s.WalkState(atOnce)); err != nil {
				t.Fatal(err)
			}
			if err := s.db.Update(c.change); err != nil {
				t.Fatal(err)
			}
			err := errors.Join(s.WalkLog(atOnce), s.WalkState(atOnce))
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Bucket != c.bucket || !bytes.Equal(corrupt.Key, c.key) {
				t.Errorf("%v, want an error about key %x in %q", err, c.key, c.bucket)
			}
			if corrupt != nil && (!strings.Contains(err.Error(), "state.db") || !strings.Contains(err.Error(), "move")) {
				t.Errorf("%q does not say what to do", err)
			}
		})
	}
}

// Log and state change between any two steps of a walk, both in the part walked
// and in the rest.
func TestWalkAmongChanges(t *testing.T) {
	s := filled(t, 20_000)
	random := rand.New(rand.NewPCG(5, 6))
	steps := 0
	change := func(read int) error {
		steps++
		err := s.Batch(func(w *Batch) error {
			for range 500 {
				key := fmt.Appendf(nil, "key %06d", random.IntN(30_000))
				switch random.IntN(3) {
				case 0:
					w.s.filling.set(key, nil)
				case 1:
					w.s.filling.set(key, fmt.Appendf(nil, "step %d", steps))
				default:
					w.s.filling.set(append(key, 'x'), key)
				}
			}
			w.Pass(w.s.at.Raft+1, 1)
			return nil
		})
		return errors.Join(err, grow(s, 300), s.Flush())
	}
	for range 5 {
		before := steps
		if err := s.WalkState(change); err != nil {
			t.Fatal(err)
		}
		if steps < before+3 {
			t.Fatalf("%d steps over the state", steps-before)
		}
		if err := s.WalkLog(change); err != nil {
			t.Fatal(err)
		}
	}
	dir := s.db.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(strings.TrimSuffix(dir, "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// A walk ends as soon as it is told to.
func TestWalkStops(t *testing.T) {
	s := filled(t, 10)
	enough := errors.New("enough")
	for what, walk := range map[string]func(func(int) error) error{"log": s.WalkLog, "state": s.WalkState} {
		if err := walk(func(int) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
