package vault

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func resume(t *testing.T, v *Vault, name string, expires time.Time) *Spool {
	t.Helper()
	s, err := v.Resume(name, expires)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// begun checks how much of a file is there, and which files the spool has.
func begun(t *testing.T, v *Vault, name string, size int, files ...string) {
	t.Helper()
	if got, err := v.Begun(name); err != nil || got != int64(size) {
		t.Errorf("%d bytes of %s are there, %v, want %d", got, name, err, size)
	}
	list, err := fs.Glob(v.spool.FS(), "*")
	if err != nil || strings.Join(list, " ") != strings.Join(files, " ") {
		t.Errorf("the spool has %q, %v, want %q", list, err, files)
	}
}

func write(t *testing.T, s *Spool, text string) {
	t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
}

// A file is written by one process after another, and is a file when it is
// complete. Without Keep, as in a crash, what was written in full chunks stays.
func TestResume(t *testing.T) {
	dir, text, until := t.TempDir(), strings.Repeat("0123456789abcdef", 3*chunk/16), time.UnixMilli(1000)
	v := open(t, dir)
	reopen := func() {
		t.Helper()
		closeVault(t, v)
		v = open(t, dir)
	}
	begun(t, v, "a", 0)
	s := resume(t, v, "a", until)
	write(t, s, text[:chunk+7])
	write(t, s, text[chunk+7:chunk+9])
	reopen()
	begun(t, v, "a", chunk+7, "a.part")
	s = resume(t, v, "a", until)
	if s.Size() != chunk+7 {
		t.Errorf("%d bytes", s.Size())
	}
	write(t, s, text[chunk+7:chunk+100])
	s.Keep()
	reopen()
	begun(t, v, "a", chunk+100, "a.part")
	if names, err := v.Files(""); err != nil || len(names) != 0 {
		t.Errorf("files that are complete: %q, %v", names, err)
	}
	wantFile(t, v, "a", "")
	s = resume(t, v, "a", until)
	write(t, s, text[chunk+100:])
	if err := s.Commit("a", until, Record{Kind: "twin", Key: []byte("a"), Value: note{Text: "x"}}); err != nil {
		t.Fatal(err)
	}
	begun(t, v, "a", 0, "a")
	reopen()
	begun(t, v, "a", 0, "a")
	wantFile(t, v, "a", text)
	want(t, v, "twin", "a", "x")
	if dropped, err := v.Sweep(until, nil); err != nil || dropped != 1 {
		t.Errorf("%d swept, %v", dropped, err)
	}
	begun(t, v, "a", 0)
	closeVault(t, v)
}

// What nobody goes on with expires, or is dropped, and what a crash left in
// between is gone at the next start.
func TestResumeEnds(t *testing.T) {
	dir, until := t.TempDir(), time.UnixMilli(1000)
	v := open(t, dir)
	for name, end := range map[string]func(s *Spool) error{
		"dropped": func(s *Spool) error {
			s.Keep()
			return v.DropBegun("dropped")
		},
		"discarded": func(s *Spool) error { s.Discard(); s.Discard(); return nil },
		"expired": func(s *Spool) error {
			s.Keep()
			if dropped, err := v.Sweep(until.Add(-1), nil); dropped != 0 || err != nil {
				t.Errorf("%d swept before their time, %v", dropped, err)
			}
			dropped, err := v.Sweep(until, nil)
			if dropped != 1 {
				t.Errorf("%d swept", dropped)
			}
			return err
		},
	} {
		s := resume(t, v, name, until)
		write(t, s, "text")
		if err := end(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		begun(t, v, name, 0)
	}
	for name, crash := range map[string]func(path string) error{
		"named already": func(path string) error { return os.Rename(path, strings.TrimSuffix(path, partSuffix)) },
		"not yet there": os.Remove,
	} {
		s := resume(t, v, "crash", until)
		write(t, s, "text")
		s.Keep()
		if err := crash(filepath.Join(dir, spoolFolder, "crash"+partSuffix)); err != nil {
			t.Fatal(err)
		}
		closeVault(t, v)
		v = open(t, dir)
		begun(t, v, "crash", 0)
		if names, err := v.Files(""); err != nil || len(names) != 0 {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, spoolFolder, "crash"+partSuffix), []byte("text"), 0o600); err != nil {
		t.Fatal(err) // before it was registered
	}
	begun(t, v, "crash", 0, "crash"+partSuffix)
	s := resume(t, v, "crash", until)
	if s.Size() != 0 {
		t.Errorf("%d bytes that nobody knows of", s.Size())
	}
	s.Discard()
	for _, name := range []string{"", "../a", "A", strings.Repeat("a", maxName)} {
		if _, err := v.Resume(name, until); err == nil {
			t.Errorf("%.20q is a name", name)
		}
	}
	if err := s.Commit("crash", until); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("committed after the end: %v", err)
	}
	closeVault(t, v)
}
