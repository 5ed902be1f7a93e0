package sorting

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/scarce"
)

// temporary returns the path by which a sorter's file can be opened still.
func temporary(t *testing.T, dir string) string {
	t.Helper()
	list, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	path := ""
	for _, fd := range list {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir+"/") {
			if path != "" {
				t.Fatal("two open files")
			}
			if !strings.HasSuffix(to, " (deleted)") {
				t.Errorf("%s has its name", to)
			}
			path = fd
		}
	}
	if path == "" {
		t.Fatal("no open file")
	}
	return path
}

// No row is on the disk to be read, nobody else may open the file, and a file
// that was changed is an error rather than other rows.
func TestFileIsSealed(t *testing.T) {
	for _, change := range []func(f *os.File) error{
		func(f *os.File) error { return f.Truncate(100_000) },
		func(f *os.File) error { // one bit flips
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, 100_000); err != nil {
				return err
			}
			b[0] ^= 1
			_, err := f.WriteAt(b, 100_000)
			return err
		},
		func(f *os.File) error { // two frames change places
			frames := make([]byte, 2*(frame+overhead))
			if _, err := f.ReadAt(frames, 0); err != nil {
				return err
			}
			_, err := f.WriteAt(append(bytes.Clone(frames[frame+overhead:]), frames[:frame+overhead]...), 0)
			return err
		},
	} {
		s := New(t.TempDir(), 0, order(t, "number"))
		for i := range 60_000 {
			if err := s.Add(t.Context(), row(t, fmt.Sprintf("%04d-杭州某某公司-%s", i%977, strings.Repeat("x", i%60)), decimal.New(int64(i), -2), nil, nil)); err != nil {
				t.Fatal(err)
			}
		}
		path := temporary(t, s.dir)
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) < 2<<20 || bytes.Contains(data, []byte("杭州某某")) {
			t.Errorf("rows are readable: %d bytes, %v", len(data), err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			err = errors.Join(change(f), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err = range s.Sorted(t.Context()) {
			n++
		}
		if !errors.Is(err, ErrChanged) || n == 60_000 {
			t.Errorf("%d rows, %v", n, err)
		}
		closed(t, s)
	}
}

// A full disk ends the one sorter, and the room is free again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("atoll-test", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=6m"); err != nil {
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
	long := row(t, strings.Repeat("x", 100_000), nil, nil, nil)
	for range 3 {
		s := New(dir, 0, order(t, "number"))
		var err error
		for range 200 {
			if err = s.Add(t.Context(), long); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrDisk) || !scarce.Is(err) || !strings.Contains(err.Error(), "no room") {
			t.Errorf("a full disk: %v", err)
		}
		if err := scarce.Room(dir, 0); err != nil {
			t.Errorf("the log has no room: %v", err)
		}
		closed(t, s)
		small := New(dir, 0, order(t, "number"))
		if list := sorted(t, small, some(t, 20_000, 100)); len(list) != 20_000 || small.spilled == nil {
			t.Errorf("after it: %d rows", len(list))
		}
		closed(t, small)
	}
}

// A child process is killed while it merges, and leaves nothing. It sorts
// without a descriptor to spare, too.
func TestChild(t *testing.T) {
	if dir := os.Getenv("ATOLL_TEST_SORT"); dir != "" {
		child(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "ATOLL_TEST_SORT="+dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%v: %s", err, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func child(t *testing.T, dir string) {
	var taken []*os.File
	f, err := os.Open(os.DevNull)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64})
	}
	if err != nil {
		t.Fatal(err)
	}
	for ; err == nil; f, err = os.Open(os.DevNull) {
		taken = append(taken, f)
	}
	s := New(dir, 0, order(t, "number"))
	rows := some(t, 60_000, 100)
	for _, r := range rows {
		if err = s.Add(t.Context(), r); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrDisk) || !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("without a descriptor: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	taken[0].Close() // one is enough
	s = New(dir, 0, order(t, "number"))
	for _, r := range rows {
		if err := s.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range s.Sorted(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	}
}
