package state

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// A flush is all or nothing, and includes how far raft's log has been applied.
// After a crash before the last commit, the database's position and its content
// are of one moment of the log.
func TestFlushIsOneTransaction(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(20) {
		err := s.Batch(func(w *Batch) error {
			leaf := fmt.Appendf(nil, "entry %d", i)
			state, err := sign.Marshal(ledger.State{Network: make([]byte, 32), Size: i + 1})
			if err != nil {
				return err
			}
			w.s.filling.set([]byte{'s'}, state)
			w.s.filling.entries = append(w.s.filling.entries, leaf)
			w.s.at.Size = i + 1
			w.Pass(10+i, 1)
			return w.s.tree.Append(leaf)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		before, err := Open(beforeLastCommit(t, s.db.Path()), nil)
		if err != nil {
			t.Fatalf("flush %d: after a crash before the last commit: %v", i, err)
		}
		if before.at.Size > i {
			t.Errorf("flush %d: the crash took nothing away", i)
		}
		if err := before.View(sameMoment(before)); err != nil {
			t.Errorf("flush %d: after a crash before the last commit: %v", i, err)
		}
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// sameMoment compares the state that the rules have written with the database's
// own position.
func sameMoment(s *Store) func(ledger.View) error {
	return func(v ledger.View) error {
		state, err := ledger.Read(v)
		size := uint64(0)
		if state != nil {
			size = state.Size
		}
		if err == nil && size != s.at.Size {
			err = fmt.Errorf("the state is that of %d entries, the position that of %d", size, s.at.Size)
		}
		return err
	}
}

// beforeLastCommit copies a database as a crash would have left it: the newer
// of its two meta pages, which bbolt writes last, is torn. It returns the
// folder of the copy.
func beforeLastCommit(t *testing.T, path string) string {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const pageHeader, txid = 16, 48 // bbolt's page header, and the id of the transaction behind it
	page := os.Getpagesize()
	first := binary.NativeEndian.Uint64(file[pageHeader+txid:])
	second := binary.NativeEndian.Uint64(file[page+pageHeader+txid:])
	if first+1 != second && second+1 != first {
		t.Fatalf("meta pages of transactions %d and %d", first, second)
	}
	newer := 0
	if second > first {
		newer = page
	}
	clear(file[newer+pageHeader+txid : newer+pageHeader+txid+8])
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
