//go:build !race

package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// TestFlippedDatabase flips bytes of the database, one at a time. Whatever is
// read then is as it was written, or a CorruptError: not a panic, not another
// value, and not nothing.
func TestFlippedDatabase(t *testing.T) {
	const size = 600
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(size) {
		err := s.Batch(func(w *Batch) error {
			leaf := fmt.Appendf(nil, "entry %d", i)
			w.s.filling.set(fmt.Appendf(nil, "key %d", i), leaf)
			w.s.filling.entries = append(w.s.filling.entries, leaf)
			w.s.at.Size = i + 1
			w.Pass(i+1, 1)
			return w.s.tree.Append(leaf)
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := s.db.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found, harmless := 0, 0
	for off := 0; off < len(whole); off += 331 {
		if whole[off] == 0 && off%4 != 0 { // most of what is empty is unused
			continue
		}
		bad := bytes.Clone(whole)
		bad[off] ^= 1 << (off % 8)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state.db"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := readDatabase(dir, size); {
		case err == nil:
			harmless++
		case !isCorruptState(err):
			t.Errorf("offset %d (page %d, byte %d): %v", off, off/os.Getpagesize(), off%os.Getpagesize(), err)
		default:
			found++
		}
	}
	if found == 0 || harmless == 0 {
		t.Errorf("%d flips found and %d harmless", found, harmless)
	}
}

func isCorruptState(err error) bool {
	var c *CorruptError
	return errors.As(err, &c)
}

// readDatabase reads all that a replica reads, and returns the first error, or
// a difference from what TestFlippedDatabase wrote. The database may be at the
// flush before the last, as after a crash: raft's log has the rest.
func readDatabase(dir string, size uint64) error {
	s, err := Open(dir, nil)
	if err != nil {
		return err
	}
	defer s.db.Close()
	head := s.tree.Head()
	if head.Size != size && head.Size != size-100 || s.at.Raft != head.Size {
		return fmt.Errorf("it is of %d entries", head.Size)
	}
	for i := range head.Size {
		if leaf, err := s.Entry(i); err != nil || string(leaf) != fmt.Sprint("entry ", i) {
			return fmt.Errorf("entry %d is %q, %w", i, leaf, err)
		}
	}
	for n := range head.Size / tlog.TileWidth {
		if _, err := s.Tile(tlog.Tile{N: n, Width: tlog.TileWidth}); err != nil {
			return err
		}
	}
	if err := s.WalkState(atOnce); err != nil {
		return err
	}
	return s.View(func(v ledger.View) error {
		for i := range head.Size {
			if value, err := v.Get(fmt.Appendf(nil, "key %d", i)); err != nil || string(value) != fmt.Sprint("entry ", i) {
				return fmt.Errorf("key %d is %q, %w", i, value, err)
			}
		}
		count := uint64(0)
		var after []byte
		for {
			key, _, err := v.Next([]byte("key "), after)
			if err != nil {
				return err
			}
			if key == nil {
				break
			}
			after = key
			count++
		}
		if count != head.Size {
			return fmt.Errorf("%d keys", count)
		}
		if value, err := v.Get([]byte("key 300 ")); err != nil || value != nil {
			return fmt.Errorf("a key that was never set is %q, %w", value, err)
		}
		return nil
	})
}
