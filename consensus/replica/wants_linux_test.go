package replica

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/crypto/sign"

	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"
)

// limitFiles lets this process open no descriptor from a number on, until the
// test ends or the function that it returns is called.
func limitFiles(t testing.TB, below uint64) (restore func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = below
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	restore = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	return restore
}

// takeAll opens whatever can be opened, until the test ends or the function that
// it returns is called.
func takeAll(t testing.TB) (free func()) {
	var all []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		all = append(all, f)
	}
	free = func() {
		for _, f := range all {
			f.Close()
		}
		all = nil
	}
	t.Cleanup(free)
	return free
}

// Raft's log goes on through many segments while this process can open nothing
// but what was set aside, and has few of them open.
func TestLogWithoutDescriptors(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, LogOptions{SegmentSize: 4 << 10})
	fill(t, l, 1, 10)
	if err := scarce.Try(func() error { return nil }); err != nil { // sets aside
		t.Fatal(err)
	}
	limitFiles(t, 200)
	free := takeAll(t)
	fill(t, l, 11, 1500)
	wantEntries(t, l, 1, 1500)
	if err := l.DeleteRange(1, 700); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, l, 701, 1500)
	free()
	files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d segments, %v: too few to tell anything", len(files), err)
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, fd := range list {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, dir) && strings.HasSuffix(to, ".wal") {
			held++
		}
	}
	if held > maxSegments+1 {
		t.Errorf("%d of %d segments are open", held, len(files))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, open(t, dir, LogOptions{SegmentSize: 4 << 10}), 701, 1500)
}

// crowdedDisk has no room for so many new segments, the beginnings of which it
// leaves behind.
type crowdedDisk struct {
	types.VFS
	fails int
}

func (d *crowdedDisk) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := d.VFS.Create(dir, name, size)
	if d.fails--; err != nil || d.fails < 0 {
		return f, err
	}
	return nil, errors.Join(f.Close(), &os.PathError{Op: "fallocate", Path: name, Err: syscall.ENOSPC})
}

// A disk that has no room for a segment now is waited for, and said to be full
// meanwhile; the log has all that it was given.
func TestLogWaitsForRoom(t *testing.T) {
	dir, disk := t.TempDir(), &crowdedDisk{VFS: walfs.New()}
	wants := new(scarce.Wants)
	said := false
	l := open(t, dir, LogOptions{SegmentSize: 4 << 10, vfs: disk, want: func(what string, err error) {
		wants.Note(what, err)
		said = said || len(wants.List()) > 0
	}})
	fill(t, l, 1, 10)
	disk.fails = 3
	fill(t, l, 11, 60)
	wantEntries(t, l, 1, 60)
	if !said || len(wants.List()) != 0 || disk.fails >= 0 {
		t.Errorf("said %v, left %v, %d", said, wants.List(), disk.fails)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, open(t, dir, LogOptions{SegmentSize: 4 << 10}), 1, 60)
}

// What the disk refuses for want of room stays in memory and is written when
// there is room, with all that came after; nothing of it is lost or there twice.
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
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n int) {
		t.Helper()
		for range n {
			err := s.batch(func(w *writer) error {
				leaf := append(fmt.Appendf(nil, "entry %d", w.s.at.Size), bytes.Repeat([]byte{'x'}, 4000)...)
				state, err := sign.Marshal(ledger.State{Network: make([]byte, 32), Size: w.s.at.Size + 1})
				if err != nil {
					return err
				}
				w.s.open.set([]byte{'s'}, state)
				w.s.open.set(fmt.Appendf(nil, "r%d", w.s.at.Size), leaf[:20])
				w.s.open.entries = append(w.s.open.entries, leaf)
				w.s.at.Size++
				w.passed(w.s.at.Size, 1)
				return w.s.tree.Append(leaf)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	add(20)
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for range 3 {
		add(100)
		if err := s.flush(); !scarce.Refused(err) {
			t.Fatalf("a flush to a full disk: %v", err)
		}
	}
	if leaf, err := s.entry(150); err != nil || !bytes.HasPrefix(leaf, []byte("entry 150")) {
		t.Fatalf("what waits cannot be read: %.20q, %v", leaf, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := s.flush(); err != nil {
		t.Fatalf("a flush when there is room again: %v", err)
	}
	root := s.at.Root
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openStore(dir); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.at.Size != 320 || s.at.Root != root {
		t.Errorf("%d entries with root %v, want 320 with %v", s.at.Size, s.at.Root, root)
	}
	none := func(int) error { return nil }
	if err := errors.Join(s.walkState(none), s.walkLog(none)); err != nil {
		t.Error(err)
	}
}
