package scarce

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestIs(t *testing.T) {
	file := func(op string, err error) error {
		return fmt.Errorf("write state.db: %w", &fs.PathError{Op: op, Path: "x", Err: err})
	}
	for _, c := range []struct {
		err         error
		is, refused bool
	}{
		{nil, false, false},
		{errors.New("too many open files"), false, false},
		{file("open", syscall.EMFILE), true, true},
		{file("open", syscall.ENFILE), true, true},
		{file("write", syscall.ENOSPC), true, true},
		{file("write", syscall.EDQUOT), true, true},
		{file("truncate", syscall.ENOSPC), true, true},
		{syscall.ENOSPC, true, false},               // of a sync without a name: it is unknown what was lost
		{file("sync", syscall.ENOSPC), true, false}, // the same
		{file("write", syscall.EIO), false, false},
		{file("sync", syscall.EIO), false, false},
		{file("open", syscall.EACCES), false, false},
		{os.ErrNotExist, false, false},
		{syscall.ENOMEM, true, false},
	} {
		if Is(c.err) != c.is || Refused(c.err) != c.refused {
			t.Errorf("%v: %v and %v, want %v and %v", c.err, Is(c.err), Refused(c.err), c.is, c.refused)
		}
	}
}

// A file opens as long as there are reserved descriptors. These are replaced
// when descriptors are free again.
func TestOpenFile(t *testing.T) {
	if err := Try(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	lower(t)
	var filled []*os.File
	free := func() {
		for _, f := range filled {
			f.Close()
		}
		filled = nil
	}
	t.Cleanup(free)
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		filled = append(filled, f)
	}
	path := filepath.Join(t.TempDir(), "final.new")
	var opened []*os.File
	defer func() {
		for _, f := range opened {
			f.Close()
		}
	}()
	for i := range setAside {
		f, err := OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatalf("file %d of %d that were set aside: %v", i+1, setAside, err)
		}
		opened = append(opened, f)
	}
	if _, err := OpenFile(path, os.O_RDONLY, 0); !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("more than there are: %v", err)
	}
	free()
	f, err := OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	reserve.mu.Lock()
	defer reserve.mu.Unlock()
	if len(reserve.spare) != setAside {
		t.Errorf("%d are set aside again, want %d", len(reserve.spare), setAside)
	}
}

// lower lowers this process's limit of descriptors until the test ends.
func lower(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = 128
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// The shares together never exceed the limit, whatever the limit and the number
// of members.
func TestDivide(t *testing.T) {
	worked := 0
	for members := 1; members <= 40; members++ {
		for limit := 0; limit < 10_000; limit += 7 {
			s, err := Divide(limit, members)
			if err != nil {
				if limit > 512 || !strings.Contains(err.Error(), "works well with") {
					t.Fatalf("%d files for %d members: %v", limit, members, err)
				}
				continue
			}
			worked++
			if sum := s.Own + s.Operators + s.Members + s.Knocking + s.Public; sum > limit {
				t.Fatalf("%d files for %d members are shared out as %+v, %d", limit, members, s, sum)
			}
			if s.Public < leastPublic || s.Knocking < leastKnocking || s.Members < 2*members || s.Own <= setAside {
				t.Fatalf("%d files for %d members are shared out as %+v", limit, members, s)
			}
			if want := s.Tight(); want != 0 {
				if more, err := Divide(want, members); err != nil || more.Tight() != 0 || more.Public != mostPublic {
					t.Fatalf("with the %d files that %d members are told to allow: %+v, %v", want, members, more, err)
				}
			}
		}
	}
	if worked == 0 {
		t.Fatal("no limit was enough")
	}
	if _, err := Divide(512, 30); err != nil {
		t.Errorf("a network of 30 needs more than 512: %v", err)
	}
}

func TestWants(t *testing.T) {
	var none *Wants
	if none.Note("x", syscall.EMFILE) || none.List() != nil {
		t.Error("nobody remembers")
	}
	w := new(Wants)
	if w.Note("write a", nil) || !w.Note("write a", syscall.EMFILE) || w.Note("write a", syscall.ENFILE) || !w.Note("open b", syscall.ENOSPC) {
		t.Error("what is news is not")
	}
	list := w.List()
	if len(list) != 2 || list[0].What != "write a" || list[0].Err != syscall.ENFILE || !strings.Contains(list[0].String(), "cannot write a: too many open files in system") {
		t.Errorf("%v", list)
	}
	if !w.Note("write a", nil) || len(w.List()) != 1 {
		t.Error("what works again is still lacking")
	}
}
