package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A disk without room costs whoever writes then, and nothing that was kept; when
// there is room again, the vault takes what it is given.
func TestOutlivesFullDisk(t *testing.T) {
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
	v := open(t, dir)
	defer closeVault(t, v)
	put(t, v, "query", "a", "kept", time.Time{})
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	large := note{Text: strings.Repeat("x", 200_000)}
	for range 3 {
		if err := v.Put("query", []byte("b"), large, time.Time{}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("a record for a full disk: %v", err)
		}
		want(t, v, "query", "a", "kept")
	}
	if err := v.Get("query", []byte("b"), new(note)); !errors.Is(err, ErrNone) {
		t.Errorf("what was refused is there: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := v.Put("query", []byte("b"), large, time.Time{}); err != nil {
		t.Fatalf("when there is room again: %v", err)
	}
	want(t, v, "query", "b", large.Text)
}
