package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/crypto/sign"
)

// What a full disk refuses stays in memory and is written when there is room,
// with all that came after. Nothing is lost or written twice.
func TestFlushWaitsForRoom(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("atoll-test", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=3m"); err != nil {
		if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
			t.Fatal("no small disk, and ATOLL_TEST_REQUIRE=all: ", err)
		}
		t.Skip("SKIP: a small disk needs tmpfs, and root: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n int) {
		t.Helper()
		for range n {
			err := s.Batch(func(w *Batch) error {
				leaf := append(fmt.Appendf(nil, "entry %d", w.s.at.Size), bytes.Repeat([]byte{'x'}, 4000)...)
				state, err := sign.Marshal(ledger.State{Network: make([]byte, 32), Size: w.s.at.Size + 1})
				if err != nil {
					return err
				}
				w.s.filling.set([]byte{'s'}, state)
				w.s.filling.set(fmt.Appendf(nil, "r%d", w.s.at.Size), leaf[:20])
				w.s.filling.entries = append(w.s.filling.entries, leaf)
				w.s.at.Size++
				w.Pass(w.s.at.Size, 1)
				return w.s.tree.Append(leaf)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	add(20)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for range 3 {
		add(100)
		if err := s.Flush(); !scarce.Refused(err) {
			t.Fatalf("a flush to a full disk: %v", err)
		}
	}
	if leaf, err := s.Entry(150); err != nil || !bytes.HasPrefix(leaf, []byte("entry 150")) {
		t.Fatalf("what waits cannot be read: %.20q, %v", leaf, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatalf("a flush when there is room again: %v", err)
	}
	root := s.at.Root
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.at.Size != 320 || s.at.Root != root {
		t.Errorf("%d entries with root %v, want 320 with %v", s.at.Size, s.at.Root, root)
	}
	none := func(int) error { return nil }
	if err := errors.Join(s.WalkState(none), s.WalkLog(none)); err != nil {
		t.Error(err)
	}
}
