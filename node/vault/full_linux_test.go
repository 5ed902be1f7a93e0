package vault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// On a full disk only the present writes fail, and nothing stored is lost. When
// there is room again, the vault accepts writes.
func TestOutlivesFullDisk(t *testing.T) {
	dir := smallDisk(t)
	v := open(t, dir)
	put(t, v, "query", "a", "kept", time.Time{})
	filler := fill(t, dir)
	large := note{Text: strings.Repeat("x", 200_000)}
	stored := 0 // in the journal, which has its room already
	var err error
	for err == nil {
		if err = v.Put("large", []byte{byte(stored)}, large, time.Time{}); err == nil {
			stored++
		}
	}
	for range 3 {
		if err := v.Put("query", []byte("b"), large, time.Time{}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("a record for a full disk: %v", err)
		}
		want(t, v, "query", "a", "kept")
	}
	if err := v.Get("query", []byte("b"), new(note)); !errors.Is(err, ErrNone) {
		t.Errorf("what was refused is there: %v", err)
	}
	closeVault(t, v)
	v = open(t, dir) // still full
	defer closeVault(t, v)
	if keys, err := v.Keys("large"); err != nil || len(keys) != stored || stored == 0 {
		t.Errorf("%d records of %d, %v", len(keys), stored, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := v.Put("query", []byte("b"), large, time.Time{}); err != nil {
		t.Fatalf("when there is room again: %v", err)
	}
	want(t, v, "query", "b", large.Text)
}

// smallDisk returns a folder that is a disk of 4 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("atoll-test", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=4m"); err != nil {
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
	return dir
}

// fill fills the disk of a folder by a file and returns its path.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	if err := os.WriteFile(path, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return path
}

// TestOpensOnFullDisk: a member that was killed starts on a full disk with all that
// it stored, though what the crash left behind cannot be cleared away.
func TestOpensOnFullDisk(t *testing.T) {
	whole := t.TempDir()
	v := open(t, whole)
	kept := strings.Repeat("x", 200_000) // vault.db has no room for it yet
	put(t, v, "query", "a", kept, time.Time{})
	commit(t, v, "gone", long("x"), time.Time{}) // killed after the file was removed, and before its expiry was
	left := filesOf(t, whole)
	delete(left, "spool/gone")
	dir := smallDisk(t)
	left.plantIn(t, dir)
	filler := fill(t, dir)
	v = open(t, dir)
	want(t, v, "query", "a", kept)
	wantFile(t, v, "gone", "")
	closeVault(t, v)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	v = open(t, dir)
	want(t, v, "query", "a", kept)
	if names := spooled(t, v); len(names) != 0 {
		t.Errorf("left %q", names)
	}
}

// Many spooled files are being written and read slowly, and none holds a
// descriptor meanwhile. A long file arrives complete.
func TestSpoolHoldsNoDescriptors(t *testing.T) {
	v := open(t, t.TempDir())
	text := strings.Repeat("0123456789abcdef", 3*chunk/16+5)
	var writing []*Spool
	for i := range 20 {
		s := create(t, v, text[:chunk+i])
		writing = append(writing, s)
	}
	commit(t, v, "long", text, time.Time{})
	var reading []io.Reader
	for range 20 {
		r, err := v.Spooled("long")
		if err == nil {
			_, err = io.CopyN(io.Discard, r, chunk+10)
		}
		if err != nil {
			t.Fatal(err)
		}
		reading = append(reading, r)
	}
	list, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, fd := range list {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, filepath.Join(v.spool.Name(), "")+"/") {
			t.Errorf("%s is open", to)
		}
	}
	for i, s := range writing {
		name := fmt.Sprint("part-", i)
		if _, err := io.WriteString(s, text[chunk+i:]); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(name, time.Time{}); err != nil {
			t.Fatal(err)
		}
		wantFile(t, v, name, text)
	}
	for _, r := range reading {
		if rest, err := io.ReadAll(r); err != nil || string(rest) != text[chunk+10:] {
			t.Errorf("%d bytes, %v", len(rest), err)
		}
	}
}
