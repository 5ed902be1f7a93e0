package durable_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"atoll/consensus/durable"
)

func saying(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

// names returns what is in a folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestStream: a file of its own, whole or not there; what was there before is
// replaced only where that is asked for, and only if it is a file.
func TestStream(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "folder", "rows.csv")
	if err := durable.Stream(path, false, saying("one")); err != nil || content(t, path) != "one" || mode(t, path) != 0o600 {
		t.Fatal(err)
	}
	if err := durable.Stream(path, false, func(io.Writer) error { t.Error("written though there is a file"); return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("there is a file: %v", err)
	}
	if err := durable.Stream(path, true, saying("two")); err != nil || content(t, path) != "two" || mode(t, path) != 0o600 {
		t.Errorf("replaced: %v", err)
	}
	full := errors.New("the disk is full")
	if err := durable.Stream(path, true, func(w io.Writer) error { io.WriteString(w, "thr"); return full }); !errors.Is(err, full) || content(t, path) != "two" {
		t.Errorf("half: %v", err)
	}
	if got := names(t, filepath.Dir(path)); got != "rows.csv" {
		t.Errorf("left: %s", got)
	}

	other := filepath.Join(dir, "other")
	for _, replace := range []bool{false, true} { // somebody writes the file meanwhile
		err := durable.Stream(other, replace, func(w io.Writer) error {
			return errors.Join(os.WriteFile(other, []byte("theirs"), 0o644), saying("ours")(w))
		})
		if want := map[bool]string{false: "theirs", true: "ours"}[replace]; errors.Is(err, fs.ErrExist) == replace || content(t, other) != want {
			t.Errorf("%v: %v, %q", replace, err, content(t, other))
		}
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	if err := durable.Stream(link, false, saying("x")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("through a link: %v", err)
	}
	if err := durable.Stream(link, true, saying("x")); err != nil || content(t, link) != "x" || content(t, other) != "ours" {
		t.Errorf("a link is replaced: %v, %q behind it", err, content(t, other))
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, filepath.Join(dir, "new")} {
		err := durable.Stream(path, true, saying("x"))
		if info, gone := os.Lstat(path); err == nil || gone != nil || info.Mode().IsRegular() {
			t.Errorf("%s is replaced: %v", path, err)
		}
	}
	if got := names(t, dir); got != "link new other pipe" {
		t.Errorf("left: %s", got)
	}
}

// TestStreamKilled: of a file that is being written when the process is killed,
// nothing is there, under whatever name.
func TestStreamKilled(t *testing.T) {
	dir := t.TempDir()
	if in := os.Getenv("ATOLL_TEST_STREAM"); in != "" {
		durable.Stream(filepath.Join(in, "rows.csv"), false, func(w io.Writer) error {
			w.Write(make([]byte, 1<<20))
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		})
		t.Fatal("it lives")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestStreamKilled$")
	cmd.Env = append(os.Environ(), "ATOLL_TEST_STREAM="+dir)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%v: %s", err, out)
	}
	if got := names(t, dir); got != "" {
		t.Errorf("left: %s", got)
	}
}
