package vault

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSpoolFlows: a long file is on its way to the disk while it is written, so
// that its commit does not hold up what the log writes to the same disk.
func TestSpoolFlows(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	defer closeVault(t, v)
	s, err := v.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	part := make([]byte, 300_000)
	for range 64 << 20 / len(part) {
		if _, err := s.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", s.part))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var pages unix.Cachestat_t
	err = unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &pages, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
			t.Fatal("nobody tells what is on its way, and ATOLL_TEST_REQUIRE=all: ", err)
		}
		t.Skip("SKIP: it takes Linux 6.5 to learn what of a file is not on the disk: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if left := pages.Dirty * uint64(os.Getpagesize()); left > 24<<20 {
		t.Errorf("%d MiB of 64 are in memory alone", left>>20)
	}
}
