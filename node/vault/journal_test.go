package vault

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// files is the folder of a vault as it is at a moment: what the disk has if power
// fails then.
type files map[string][]byte

func filesOf(t testing.TB, dir string) files {
	t.Helper()
	all := files{}
	for _, pattern := range []string{"vault.*", "spool/*"} {
		list, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range list {
			name, _ := filepath.Rel(dir, path)
			all[name] = readFile(t, path)
		}
	}
	return all
}

// with is other files but this one.
func (f files) with(name string, data []byte) files {
	all := files{name: data}
	for n, d := range f {
		if n != name {
			all[n] = d
		}
	}
	return all
}

// openFiles opens a vault that has these files.
func (f files) open(t testing.TB) *Vault {
	t.Helper()
	return open(t, f.plant(t))
}

func (f files) plant(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	f.plantIn(t, dir)
	return dir
}

func (f files) plantIn(t testing.TB, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, spoolFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range f {
		writeFile(t, filepath.Join(dir, name), data)
	}
}

// flush has vault.db take what is in the journal.
func flush(t *testing.T, v *Vault) {
	t.Helper()
	v.commit.Lock()
	defer v.commit.Unlock()
	if err := v.flush(); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, v *Vault, key string) (n uint64) {
	t.Helper()
	if err := v.Get("rate", []byte(key), &n); err != nil && !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	return n
}

// TestOneSync: a step costs one sync, whatever is in it, and one that changes
// nothing costs none.
func TestOneSync(t *testing.T) {
	v := open(t, t.TempDir())
	put(t, v, "query", "a", "x", time.Time{})
	for name, c := range map[string]struct {
		do    func() error
		syncs uint64
	}{
		"put": {func() error { return v.Put("query", []byte("a"), note{Text: "x"}, time.Time{}) }, 1},
		"update": {func() error {
			return v.Update(Record{Kind: "b", Key: []byte("a"), Value: note{}}, Record{Kind: "rate", Key: []byte("a"), Add: 1})
		}, 1},
		"delete": {func() error { return v.Delete("never", []byte("a")) }, 0},
		"no":     {func() error { return v.Update() }, 0},
		"old": {func() error {
			put(t, v, "new", "a", "x", time.Time{})
			_, err := v.PutNew("new", []byte("a"), note{}, time.Time{})
			return err
		}, 1},
		"large": {func() error {
			flush(t, v)
			return v.Put("query", []byte("l"), note{Data: make([]byte, 2*journalSize)}, time.Time{})
		}, 6},
		"small file": {func() error {
			return create(t, v, "x").Commit("small", time.Time{}, Record{Kind: "b", Key: []byte("b"), Value: note{}}, Record{Kind: "rate", Key: []byte("a"), Add: 1})
		}, 1},
		"large file": {func() error {
			return create(t, v, long("x")).Commit("large", time.Time{}, Record{Kind: "b", Key: []byte("b")})
		}, 3},
		"small file dropped": {func() error {
			commit(t, v, "dropped", "x", time.Time{})
			return v.Drop("dropped")
		}, 2},
	} {
		put(t, v, "query", "before", "x", time.Time{})
		before := v.Syncs()
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if n := v.Syncs() - before; n != c.syncs {
			t.Errorf("%s: %d syncs, want %d", name, n, c.syncs)
		}
	}
	want(t, v, "query", "a", "x")
}

// TestUnsyncedIsUnseen: nobody reads a record or a file before it is durable.
func TestUnsyncedIsUnseen(t *testing.T) {
	v := open(t, t.TempDir())
	put(t, v, "query", "a", "before", time.Time{})
	syncing, goOn := make(chan struct{}), make(chan struct{})
	sync := v.journal.sync
	v.journal.sync = func(f *os.File) error {
		syncing <- struct{}{}
		<-goOn
		return sync(f)
	}
	done := make(chan error)
	s := create(t, v, "text")
	go func() {
		done <- s.Commit("c", time.Time{}, Record{Kind: "query", Key: []byte("a"), Value: note{Text: "after"}}, Record{Kind: "query", Key: []byte("b"), Value: note{Text: "new"}})
	}()
	<-syncing
	check := func(a, b, file string, count int) {
		t.Helper()
		wantFile(t, v, "c", file)
		names, err := v.Files("")
		if size, err := v.SpooledSize("c"); err != nil || size != int64(len(file)) {
			t.Errorf("%d bytes, %v", size, err)
		}
		if err != nil || len(names) != count-1 {
			t.Errorf("%q, %v", names, err)
		}
		want(t, v, "query", "a", a)
		want(t, v, "query", "b", b)
		if keys, err := v.Keys("query"); err != nil || len(keys) != count {
			t.Errorf("%q, %v", keys, err)
		}
	}
	check("before", "", "", 1)
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	v.journal.sync = sync
	check("after", "new", "text", 2)
}

// TestFailedSync: what could not be synced is not seen, and nothing else is done.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "query", "a", "before", time.Time{})
	broken := &os.PathError{Op: "sync", Err: syscall.EIO}
	v.journal.sync = func(*os.File) error { return broken }
	for range 2 {
		if err := v.Put("query", []byte("a"), note{Text: "after"}, time.Time{}); !errors.Is(err, syscall.EIO) {
			t.Errorf("%v", err)
		}
	}
	if err := v.Get("query", []byte("a"), new(note)); !errors.Is(err, syscall.EIO) {
		t.Errorf("read after it: %v", err)
	}
	closeVault(t, v)
	want(t, open(t, dir), "query", "a", "after") // it was written, and nobody knows that it is not durable
}

// fullDisk returns a file that takes nothing.
func fullDisk(t *testing.T) *os.File {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
			t.Fatal("no full disk, and ATOLL_TEST_REQUIRE=all: ", err)
		}
		t.Skip("SKIP: a disk that is always full needs /dev/full: ", err)
	}
	t.Cleanup(func() { full.Close() })
	return full
}

// TestRefusedJournal: where the disk takes no part of a step, its callers fail
// alone, and what follows is durable nevertheless.
func TestRefusedJournal(t *testing.T) {
	full := fullDisk(t)
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "query", "a", "x", time.Time{})
	file := v.journal.f
	v.journal.f = full
	if err := v.Put("query", []byte("b"), note{Text: "y"}, time.Time{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	want(t, v, "query", "a", "x")
	want(t, v, "query", "b", "")
	put(t, v, "query", "c", "z", time.Time{}) // in vault.db, and the journal cannot be emptied
	put(t, v, "query", "a", "again", time.Time{})
	v.journal.f = file
	put(t, v, "query", "d", "room", time.Time{})
	before := v.Syncs()
	put(t, v, "query", "e", "room", time.Time{})
	if n := v.Syncs() - before; n != 1 {
		t.Errorf("%d syncs when there is room again", n)
	}
	again := filesOf(t, dir).open(t)
	for _, v := range []*Vault{v, again} {
		want(t, v, "query", "a", "again")
		want(t, v, "query", "b", "")
		want(t, v, "query", "c", "z")
		want(t, v, "query", "d", "room")
		want(t, v, "query", "e", "room")
	}
}

// TestJournalIntoDatabase: power fails before and after vault.db takes what is in the
// journal. It is there once, and nothing older comes back.
func TestJournalIntoDatabase(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	add := func() {
		t.Helper()
		if err := v.Update(Record{Kind: "rate", Key: []byte("a"), Add: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		add()
	}
	before := filesOf(t, dir)
	flush(t, v)
	after := filesOf(t, dir)
	add()
	later := filesOf(t, dir)
	half := bytes.Clone(before["vault.journal"]) // some sectors are zeros already, when power fails
	clear(half[sectorSize : 3*sectorSize])
	for what, c := range map[string]struct {
		f    files
		want uint64
	}{
		"before":                            {before, 5},
		"the journal is not emptied":        {after.with("vault.journal", before["vault.journal"]), 5},
		"half of the journal is emptied":    {after.with("vault.journal", half), 5},
		"after":                             {after, 5},
		"later":                             {later, 6},
		"later, over what was never zeroed": {later.with("vault.journal", append(bytes.Clone(later["vault.journal"][:2*sectorSize]), before["vault.journal"][2*sectorSize:]...)), 6},
	} {
		dir := c.f.plant(t)
		v := open(t, dir)
		if n := number(t, v, "a"); n != c.want {
			t.Errorf("%s: %d, want %d", what, n, c.want)
		}
		if err := v.Update(Record{Kind: "rate", Key: []byte("a"), Add: 1}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		closeVault(t, v)
		if n := number(t, open(t, dir), "a"); n != c.want+1 {
			t.Errorf("%s: %d after another, want %d", what, n, c.want+1)
		}
	}
	for what, f := range map[string]files{
		"vault.db is older than the journal": later.with("vault.db", before["vault.db"]),
		"the journal is missing":             {"vault.db": later["vault.db"]},
		"vault.db is missing":                {"vault.journal": later["vault.journal"]},
		"the journal is cut":                 before.with("vault.journal", before["vault.journal"][:journalSize/2]),
		"the journal is too long":            before.with("vault.journal", append(before["vault.journal"], 0)),
	} {
		if _, err := Open(f.plant(t), secret); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestJournalOutlivesDatabase: if vault.db does not take what is in the journal, the
// journal still has it.
func TestJournalOutlivesDatabase(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "query", "a", "x", time.Time{})
	if err := v.db.Close(); err != nil { // it takes nothing any more
		t.Fatal(err)
	}
	if err := v.inDatabase(func(*bbolt.Tx) error { return nil }); err == nil {
		t.Fatal("a closed database takes it")
	}
	closeVault(t, v)
	v = open(t, dir)
	want(t, v, "query", "a", "x")
	before := v.Syncs()
	closeVault(t, v)
	if n := v.Syncs() - before; n != 0 {
		t.Errorf("%d syncs to close a vault in which nothing is new", n)
	}
}

// TestIdleVault: a vault that has nothing to do syncs nothing, nor does one that is
// opened and closed.
func TestIdleVault(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "query", "a", "x", time.UnixMilli(1000))
	put(t, v, "held", "a", "x", time.UnixMilli(10))
	for range 2 {
		before := v.Syncs()
		for range 60 {
			if n, err := v.Sweep(time.UnixMilli(999), map[Kind]time.Time{"held": time.UnixMilli(9)}); n != 0 || err != nil {
				t.Errorf("%d swept, %v", n, err)
			}
		}
		if n := v.Syncs() - before; n != 0 {
			t.Errorf("%d syncs for nothing", n)
		}
		closeVault(t, v)
		v = open(t, dir)
	}
	if n := v.Syncs(); n != 0 {
		t.Errorf("%d syncs to open a vault in which nothing is new", n)
	}
}

// TestManySteps: random steps, as a map has them, through many journals. The vault
// is closed and opened, or its process killed, or power fails in the middle of a
// step that nobody was told of.
func TestManySteps(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	v := open(t, dir)
	model, texts := map[string]string{}, map[string]string{}
	for i := range 1500 {
		before := journalNow(v)
		var records []Record
		changed := map[string]string{}
		for range 1 + r.IntN(4) {
			key := fmt.Sprint(r.IntN(60))
			if r.IntN(4) == 0 {
				records = append(records, Record{Kind: "query", Key: []byte(key)})
				changed[key] = ""
				continue
			}
			text := fmt.Sprint(i, " ", strings.Repeat("x", r.IntN(1<<r.IntN(16))))
			records = append(records, Record{Kind: "query", Key: []byte(key), Value: note{Text: text}, Expires: time.UnixMilli(int64(r.IntN(2000)))})
			changed[key] = text
		}
		name, file := "f-"+fmt.Sprint(r.IntN(9)), ""
		if r.IntN(2) == 0 {
			if file = fmt.Sprint(i); len(texts[name]) <= MaxInside && r.IntN(3) == 0 {
				file = long(file) // in the folder, and what it replaces is not
			}
			if err := create(t, v, file).Commit(name, time.UnixMilli(int64(r.IntN(2000))), records...); err != nil {
				t.Fatal(err)
			}
		} else if err := v.Update(records...); err != nil {
			t.Fatal(err)
		}
		torn := r.IntN(100) == 0 && (file == "" || len(texts[name]) <= MaxInside) // one in the folder is removed after the step
		done := func() {
			for key, text := range changed {
				model[key] = text
			}
			if file != "" {
				texts[name] = file
			}
		}
		if !torn {
			done()
		}
		switch {
		case torn:
			v = before.tear(t, r, v, done)
		case r.IntN(100) == 0:
			dir := filepath.Dir(v.db.Path())
			closeVault(t, v)
			v = open(t, dir)
		case r.IntN(100) == 0:
			v = filesOf(t, filepath.Dir(v.db.Path())).open(t)
		}
		if i%50 == 0 || torn {
			wantModel(t, v, model, texts)
		}
	}
	if n, err := v.Sweep(time.UnixMilli(3000), nil); err != nil || n == 0 {
		t.Errorf("%d swept, %v", n, err)
	}
	wantModel(t, v, nil, nil)
}

func wantModel(t *testing.T, v *Vault, model, texts map[string]string) {
	t.Helper()
	count := 0
	for key, text := range model {
		want(t, v, "query", key, text)
		if text != "" {
			count++
		}
	}
	if keys, err := v.Keys("query"); err != nil || len(keys) != count {
		t.Errorf("%d keys, %v, want %d", len(keys), err, count)
	}
	for name, text := range texts {
		wantFile(t, v, name, text)
	}
	if names := spooled(t, v); len(names) != len(texts) {
		t.Errorf("%d files, want %d", len(names), len(texts))
	}
	if t.Failed() {
		t.FailNow()
	}
}

// TestReplacedFiles: power fails while a file is replaced, by one of the other kind
// or of its own. The file, its expiry and its record are of one moment, and nothing
// is left over.
func TestReplacedFiles(t *testing.T) {
	texts := []func(string) string{strings.Clone, long}
	for from, before := range texts {
		for to, after := range texts {
			if from == 1 && to == 1 {
				continue // see TestCrashes
			}
			dir := t.TempDir()
			v := open(t, dir)
			store := func(text string, at int64) {
				t.Helper()
				if err := create(t, v, text).Commit("a", time.UnixMilli(at), Record{Kind: "text", Key: []byte("a"), Value: note{Text: text}}); err != nil {
					t.Fatal(err)
				}
			}
			store(before("before"), 10)
			var whole, torn files
			used, sync := v.journal.used, v.journal.sync
			v.journal.sync = func(f *os.File) error {
				whole = filesOf(t, dir)
				journal := bytes.Clone(whole["vault.journal"])
				clear(journal[used*sectorSize:][:sectorSize])
				torn = whole.with("vault.journal", journal)
				return sync(f)
			}
			store(after("after"), 20)
			for _, c := range []struct {
				what string
				f    files
				text string
				at   int64
			}{{"torn", torn, before("before"), 10}, {"whole", whole, after("after"), 20}, {"later", filesOf(t, dir), after("after"), 20}} {
				v := c.f.open(t)
				wantFile(t, v, "a", c.text)
				want(t, v, "text", "a", c.text)
				if names := spooled(t, v); len(names) != 1 {
					t.Errorf("%d by %d, %s: %q", from, to, c.what, names)
				}
				if n, err := v.Sweep(time.UnixMilli(c.at-1), nil); n != 0 || err != nil {
					t.Errorf("%d by %d, %s: %d swept, %v", from, to, c.what, n, err)
				}
				if n, err := v.Sweep(time.UnixMilli(c.at), nil); n != 1 || err != nil {
					t.Errorf("%d by %d, %s: %d swept at last, %v", from, to, c.what, n, err)
				}
				if names := spooled(t, v); len(names) != 0 {
					t.Errorf("%d by %d, %s: left %q", from, to, c.what, names)
				}
			}
		}
	}
}

// unsynced is a journal before the step that is torn.
type unsynced struct {
	era  era
	used int
}

func journalNow(v *Vault) unsynced { return unsynced{v.journal.era, v.journal.used} }

// tear opens the vault as if power had failed during the last step: some of its
// sectors are on the disk. If all of them are, or it went to vault.db, it is there.
func (u unsynced) tear(t *testing.T, r *rand.Rand, v *Vault, whole func()) *Vault {
	t.Helper()
	f := filesOf(t, filepath.Dir(v.db.Path()))
	lost := false
	if u.era == v.journal.era {
		for s := u.used; s < v.journal.used; s++ {
			if r.IntN(3) == 0 {
				clear(f["vault.journal"][s*sectorSize:][:sectorSize])
				lost = true
			}
		}
	}
	if !lost {
		whole()
	}
	return f.open(t)
}

// TestReadersSeeOneMoment: those who list what is there see each of two records that
// are always replaced together, while vault.db takes over from the journal.
func TestReadersSeeOneMoment(t *testing.T) {
	v := open(t, t.TempDir())
	stop := make(chan struct{})
	var readers sync.WaitGroup
	put(t, v, "turn", "0", "x", time.Time{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if keys, err := v.Keys("turn"); err != nil || len(keys) != 1 {
					t.Errorf("%q, %v", keys, err)
					return
				}
			}
		})
	}
	for i := range 400 {
		err := v.Update(Record{Kind: "turn", Key: fmt.Append(nil, i)}, Record{Kind: "turn", Key: fmt.Append(nil, i+1), Value: note{Data: make([]byte, 20_000)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
	if _, db, _ := v.SyncsByFile(); db < 4 {
		t.Errorf("%d syncs of vault.db: it took over nothing", db)
	}
}
