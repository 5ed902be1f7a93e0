package vault

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func create(t testing.TB, v *Vault, text string) *Spool {
	t.Helper()
	s, err := v.Create()
	if err == nil {
		_, err = io.WriteString(s, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(t testing.TB, v *Vault, name, text string, expires time.Time) {
	t.Helper()
	s, err := v.Create()
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Discard()
	if _, err := io.WriteString(s, text); err != nil {
		t.Error(err)
	}
	if err := s.Commit(name, expires); err != nil {
		t.Error(err)
	}
}

// wantFile checks a file's text; "" means that there is none.
func wantFile(t testing.TB, v *Vault, name, text string) {
	t.Helper()
	f, err := v.Spooled(name)
	if text == "" && errors.Is(err, ErrNone) {
		return
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != text {
		t.Errorf("%s is %.40q, %v, want %.40q", name, got, err, text)
	}
}

// spooled lists all that the spool has: what is in its folder, temporary files
// included, and what is in the vault itself. Nothing is in both.
func spooled(t testing.TB, v *Vault) []string {
	t.Helper()
	files, err := os.ReadDir(v.spool.Name())
	if err != nil {
		t.Error(err)
	}
	inside, err := v.spooledNames()
	if err != nil {
		t.Error(err)
	}
	var names []string
	for name, is := range inside {
		if is {
			names = append(names, name)
		}
	}
	for _, f := range files {
		if inside[f.Name()] {
			t.Errorf("%s is there twice", f.Name())
		}
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}

// bothKinds runs a test with texts that are in the vault itself, and with texts that
// are in the spool's folder.
func bothKinds(t *testing.T, run func(t *testing.T, text func(string) string)) {
	t.Run("inside", func(t *testing.T) { run(t, strings.Clone) })
	t.Run("folder", func(t *testing.T) { run(t, long) })
}

// long returns a text that begins with another and is too long to be inside.
func long(text string) string { return text + strings.Repeat(" ", MaxInside) }

func TestSpool(t *testing.T) { bothKinds(t, testSpool) }

func testSpool(t *testing.T, text func(string) string) {
	dir := t.TempDir()
	v := open(t, dir)
	wantFile(t, v, "out-1.age", "")
	s := create(t, v, text("one"))
	wantFile(t, v, "out-1.age", "")
	if err := s.Commit("out-1.age", time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.Discard()
	if _, err := s.Write(nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("written behind the end: %v", err)
	}
	if err := s.Commit("out-2.age", time.Time{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("committed twice: %v", err)
	}
	create(t, v, text("two")).Discard()
	commit(t, v, "out-3.age", text("three"), time.Time{})
	for range 2 {
		wantFile(t, v, "out-1.age", text("one"))
		wantFile(t, v, "out-2.age", "")
		wantFile(t, v, "out-3.age", text("three"))
		if size, err := v.SpooledSize("out-3.age"); err != nil || size != int64(len(text("three"))) {
			t.Errorf("%d bytes, %v", size, err)
		}
		if names := spooled(t, v); !slices.Equal(names, []string{"out-1.age", "out-3.age"}) {
			t.Errorf("in the spool: %q", names)
		}
		closeVault(t, v)
		v = open(t, dir)
	}
	commit(t, v, "out-3.age", text("instead"), time.Time{})
	wantFile(t, v, "out-3.age", text("instead"))
	reading, err := v.Spooled("out-3.age")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	for range 2 { // the second time there is none
		if err := v.Drop("out-3.age"); err != nil {
			t.Fatal(err)
		}
		wantFile(t, v, "out-3.age", "")
	}
	if got, err := io.ReadAll(reading); string(got) != text("instead") || err != nil {
		t.Errorf("a reader of a dropped file got %q, %v", got, err)
	}
}

// Dropping a missing file, or sweeping when nothing is due, needs no sync.
func TestDropOfNothing(t *testing.T) {
	v := open(t, t.TempDir())
	commit(t, v, "kept", "x", time.UnixMilli(100))
	commit(t, v, "gone", "x", time.UnixMilli(100))
	if err := v.Drop("gone"); err != nil {
		t.Fatal(err)
	}
	before := v.Syncs()
	for range 9 {
		for _, name := range []string{"gone", "never-was"} {
			if err := v.Drop(name); err != nil {
				t.Error(err)
			}
		}
		if n, err := v.Sweep(time.UnixMilli(99), nil); n != 0 || err != nil {
			t.Errorf("%d swept, %v", n, err)
		}
	}
	if n := v.Syncs() - before; n != 0 {
		t.Errorf("%d syncs for nothing", n)
	}
	for prefix, want := range map[string][]string{"": {"kept"}, "ke": {"kept"}, "kept": {"kept"}, "x": nil} {
		if names, err := v.Files(prefix); err != nil || !slices.Equal(names, want) {
			t.Errorf("%q: %q (%v)", prefix, names, err)
		}
	}
	if n, err := v.Sweep(time.UnixMilli(100), nil); n != 1 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	wantFile(t, v, "kept", "")
}

func TestSweepFiles(t *testing.T) { bothKinds(t, testSweepFiles) }

func testSweepFiles(t *testing.T, text func(string) string) {
	v := open(t, t.TempDir())
	at := time.UnixMilli
	commit(t, v, "never", text("x"), time.Time{})
	commit(t, v, "at-10", text("x"), at(10))
	commit(t, v, "later", text("x"), at(10))
	commit(t, v, "later", text("y"), at(20))
	commit(t, v, "dropped", text("x"), at(10))
	if err := v.Drop("dropped"); err != nil {
		t.Fatal(err)
	}
	put(t, v, "query", "at-10", "x", at(10))
	reading, err := v.Spooled("at-10")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	for _, step := range []struct {
		now, want int
		left      string
	}{{9, 0, "at-10 later never"}, {10, 2, "later never"}, {20, 1, "never"}, {1 << 40, 0, "never"}} {
		n, err := v.Sweep(at(int64(step.now)), nil)
		if left := strings.Join(spooled(t, v), " "); n != step.want || left != step.left || err != nil {
			t.Errorf("at %d: %d swept, left %s, %v", step.now, n, left, err)
		}
	}
	if got, err := io.ReadAll(reading); string(got) != text("x") || err != nil {
		t.Errorf("a reader of a swept file got %q, %v", got, err)
	}
}

// A file that cannot be removed holds up nothing, and a later sweep removes it.
func TestSweepFails(t *testing.T) {
	v := open(t, t.TempDir())
	commit(t, v, "a", long("x"), time.UnixMilli(1))
	commit(t, v, "c", "x", time.UnixMilli(1))
	commit(t, v, "b", long("x"), time.UnixMilli(1))
	stuck := filepath.Join(v.spool.Name(), "b")
	if err := os.Remove(stuck); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(stuck, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, v, "query", "a", "x", time.UnixMilli(1))
	if n, err := v.Sweep(time.UnixMilli(2), nil); n != 3 || err == nil {
		t.Errorf("%d swept, %v", n, err)
	}
	want(t, v, "query", "a", "")
	if err := os.RemoveAll(filepath.Join(stuck, "full")); err != nil {
		t.Fatal(err)
	}
	if n, err := v.Sweep(time.UnixMilli(2), nil); n != 1 || err != nil {
		t.Errorf("then %d swept, %v", n, err)
	}
}

func TestNames(t *testing.T) {
	v := open(t, t.TempDir())
	for _, name := range []string{
		"", ".", "..", ".a", "../a", "a/b", `a\b`, "A", "a b", "a_b", "é", "a\x00", "a\n", strings.Repeat("a", 256),
	} {
		if err := create(t, v, "x").Commit(name, time.Time{}); err == nil {
			t.Errorf("%q was committed", name)
		}
		if _, err := v.Spooled(name); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%q was opened: %v", name, err)
		}
		if err := v.Drop(name); err == nil {
			t.Errorf("%q was dropped", name)
		}
	}
	if names := spooled(t, v); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
	for _, name := range []string{"a", "-", "0.age", "a..b", strings.Repeat("a", 255)} {
		commit(t, v, name, name, time.Time{})
		wantFile(t, v, name, name)
	}
}

func TestSpoolLimit(t *testing.T) {
	v := open(t, t.TempDir())
	s := create(t, v, "")
	s.left = 10
	if n, err := io.WriteString(s, "1234567890"); n != 10 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := io.WriteString(s, "1"); n != 0 || !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d, %v", n, err)
	}
}

// TestCrashes copies the vault's files between the steps of a commit, of a drop
// and of a sweep, and opens each copy, as if power had failed there.
func TestCrashes(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	commit(t, v, "old", long("old"), time.UnixMilli(10))
	commit(t, v, "same", long("before"), time.UnixMilli(10))

	p := func(name string) place { return place{key: []byte(name)} }
	record := func(name string, at uint64) {
		t.Helper()
		if err := v.update(func(c *changes) error { c.put(p(name), at, nil); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name  string
		do    func() error
		files string // in the copy, opened
		same  string // text
		dues  int
	}{
		{"nothing yet", func() error { return nil }, "old same", "before", 2},
		{"a file begun", func() error { create(t, v, long("new")); return nil }, "old same", "before", 2},
		{"its expiry recorded", func() error { record("new", 20); return nil }, "old same", "before", 2},
		{"expiry of one that is there recorded", func() error { record("same", 20); return nil }, "old same", "before", 2},
		{"both named", func() error {
			commit(t, v, "new", long("new"), time.UnixMilli(20))
			commit(t, v, "same", long("after"), time.UnixMilli(20))
			return nil
		}, "new old same", "after", 3},
		{"one removed, not yet its expiry", func() error { return v.remove("new") }, "old same", "after", 2},
		{"and its expiry", func() error { return v.update(func(c *changes) error { return c.delete(p("new")) }) }, "old same", "after", 2},
		{"a file that nothing knows of", func() error {
			return os.WriteFile(filepath.Join(dir, "spool", "foreign"), nil, 0o600)
		}, "old same", "after", 2},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		copied := t.TempDir()
		if err := os.CopyFS(filepath.Join(copied, "vault"), os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		again := open(t, filepath.Join(copied, "vault"))
		if files := strings.Join(spooled(t, again), " "); files != step.files {
			t.Errorf("%s: files %s, want %s", step.name, files, step.files)
		}
		wantFile(t, again, "same", long(step.same))
		wantFile(t, again, "old", long("old"))
		if n, err := again.Sweep(time.UnixMilli(30), nil); n != step.dues || err != nil {
			t.Errorf("%s: %d swept, %v, want %d", step.name, n, err, step.dues)
		}
		if files := spooled(t, again); len(files) != 0 {
			t.Errorf("%s: %q are never swept", step.name, files)
		}
		closeVault(t, again)
	}
}

// Records that speak of a file are stored with it, or neither is.
func TestCommitWithRecords(t *testing.T) { bothKinds(t, testCommitWithRecords) }

func testCommitWithRecords(t *testing.T, text func(string) string) {
	v := open(t, t.TempDir())
	key := []byte("k")
	if err := create(t, v, text("one")).Commit("a", time.Time{}, Record{Kind: "query", Key: key, Value: note{Text: "about a"}}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, v, "a", text("one"))
	want(t, v, "query", "k", "about a")
	for _, bad := range []Record{{Kind: "query", Key: key, Value: note{Text: strings.Repeat("x", MaxValue)}}, {Kind: "No Kind", Key: key}} {
		if err := create(t, v, text("two")).Commit("b", time.Time{}, Record{Kind: "query", Key: key}, bad); err == nil {
			t.Error("committed")
		}
		wantFile(t, v, "b", "")
		want(t, v, "query", "k", "about a")
	}
	v.broken = errors.New("the disk is gone")
	if err := create(t, v, text("three")).Commit("b", time.Time{}); err == nil {
		t.Error("committed")
	}
	v.broken = nil
	if names := spooled(t, v); !slices.Equal(names, []string{"a"}) {
		t.Errorf("in the spool: %q", names)
	}
}

// TestSpooledFrom: a file can be read from each of its bytes on.
func TestSpooledFrom(t *testing.T) {
	v := open(t, t.TempDir())
	for _, size := range []int{2*chunk + 48, MaxInside + 1, MaxInside, 1, 0} {
		testSpooledFrom(t, v, strings.Repeat("0123456789abcdef", size/16+1)[:size])
	}
	if _, err := v.SpooledFrom("none", 1); !errors.Is(err, ErrNone) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func testSpooledFrom(t *testing.T, v *Vault, text string) {
	t.Helper()
	commit(t, v, "long", text, time.Time{})
	for _, at := range []int{0, 1, chunk - 1, chunk, chunk + 1, max(0, len(text)-1), len(text), len(text) + 1, 1 << 40} {
		r, err := v.SpooledFrom("long", int64(at))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != text[min(at, len(text)):] {
			t.Errorf("from %d: %d bytes, %v", at, len(got), err)
		}
		if r, err = v.SpooledFrom("long", int64(at)); err != nil {
			t.Fatal(err)
		}
		some, _ := io.ReadAll(io.LimitReader(r, 7))
		var rest strings.Builder
		if n, err := io.Copy(&rest, r); err != nil || n != int64(rest.Len()) || string(some)+rest.String() != text[min(at, len(text)):] {
			t.Errorf("from %d, at once: %d bytes, %v", at, len(some)+rest.Len(), err)
		}
	}
}

// TestDroppedContent: of a file that is dropped or swept, nothing stays in vault.db.
func TestDroppedContent(t *testing.T) {
	v := open(t, t.TempDir())
	count := func() (n int) {
		t.Helper()
		flush(t, v)
		if err := v.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(filesBucket).Stats().KeyN; return nil }); err != nil {
			t.Error(err)
		}
		return n
	}
	for _, name := range []string{"dropped", "swept", "replaced", "kept"} {
		commit(t, v, name, "x", time.UnixMilli(int64(len(name))))
	}
	if n := count(); n != 4 {
		t.Errorf("%d files of 4", n)
	}
	if err := v.Drop("dropped"); err != nil {
		t.Error(err)
	}
	commit(t, v, "replaced", long("x"), time.UnixMilli(9))
	commit(t, v, "kept", "x", time.UnixMilli(9))
	if n, err := v.Sweep(time.UnixMilli(5), nil); n != 1 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if n := count(); n != 1 {
		t.Errorf("%d files of 1", n)
	}
}
