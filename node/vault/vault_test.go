package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/crypto/sign"
)

var secret = sign.Secret{1}

// note is a value like those that callers store.
type note struct {
	Text string `cbor:"1,keyasint"`
	Data []byte `cbor:"2,keyasint"`
}

func open(t testing.TB, dir string) *Vault {
	t.Helper()
	v, err := Open(dir, secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func closeVault(t testing.TB, v *Vault) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, v *Vault, k Kind, key, text string, expires time.Time) {
	t.Helper()
	if err := v.Put(k, []byte(key), note{Text: text}, expires); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// want checks a record's text; "" means that there is none.
func want(t testing.TB, v *Vault, k Kind, key, text string) {
	t.Helper()
	var n note
	err := v.Get(k, []byte(key), &n)
	if text == "" && errors.Is(err, ErrNone) {
		return
	}
	if err != nil || n.Text != text {
		t.Errorf("%s %s is %.40q, %v, want %.40q", k, key, n.Text, err, text)
	}
}

func TestRecords(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	want(t, v, "consent", "a", "")
	put(t, v, "consent", "a", "one", time.Time{})
	put(t, v, "consent", "b", "two", time.Time{})
	put(t, v, "query", "a", "three", time.Time{})
	put(t, v, "consent", "a", "four", time.Time{})
	large := note{Data: bytes.Repeat([]byte{7}, 3<<20)}
	if err := v.Put("profile", []byte("large"), large, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, v, "consent", "a", "four")
		want(t, v, "consent", "b", "two")
		want(t, v, "query", "a", "three")
		want(t, v, "query", "b", "")
		var got note
		if err := v.Get("profile", []byte("large"), &got); err != nil || !reflect.DeepEqual(got, large) {
			t.Errorf("a large value: %d bytes, %v", len(got.Data), err)
		}
		closeVault(t, v)
		v = open(t, dir)
	}
	for range 2 { // the second time there is none
		if err := v.Delete("consent", []byte("a")); err != nil {
			t.Fatal(err)
		}
		want(t, v, "consent", "a", "")
	}
	if err := v.Delete("never", []byte("a")); err != nil {
		t.Error(err)
	}
	want(t, v, "consent", "b", "two")
}

// Of many callers that store a record at the same time one succeeds, and its
// value stays.
func TestPutNew(t *testing.T) {
	v := open(t, t.TempDir())
	var callers sync.WaitGroup
	stored := make([]bool, 16)
	for i := range stored {
		callers.Go(func() {
			var err error
			if stored[i], err = v.PutNew("note", []byte("one"), note{Text: fmt.Sprint(i)}, time.Time{}); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	first, count := 0, 0
	for i, ok := range stored {
		if ok {
			first, count = i, count+1
		}
	}
	if count != 1 {
		t.Errorf("%d of %d stored it", count, len(stored))
	}
	want(t, v, "note", "one", fmt.Sprint(first))
	if ok, err := v.PutNew("note", []byte("two"), note{Text: "x"}, time.Time{}); !ok || err != nil {
		t.Errorf("another key: %t, %v", ok, err)
	}
	if ok, err := v.PutNew("note", []byte("three"), note{Data: make([]byte, MaxValue)}, time.Time{}); ok || !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %t, %v", ok, err)
	}
}

func TestKeys(t *testing.T) {
	v := open(t, t.TempDir())
	if keys, err := v.Keys("consent"); err != nil || len(keys) != 0 {
		t.Errorf("of nothing: %q, %v", keys, err)
	}
	for _, key := range []string{"b", "\xff", "a", "ab", "\x00"} {
		put(t, v, "consent", key, "x", time.Time{})
	}
	keys, err := v.Keys("consent")
	if got := fmt.Sprintf("%q", keys); err != nil || got != `["\x00" "a" "ab" "b" "\xff"]` {
		t.Errorf("%s, %v", got, err)
	}
}

// KeysFrom has the keys with a prefix after another one, of what is in the journal and
// of what is in the database.
func TestKeysFrom(t *testing.T) {
	dir, secret := t.TempDir(), sign.NewSecret()
	v, err := Open(dir, secret)
	if err != nil {
		t.Fatal(err)
	}
	put := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			if err := v.Put("at", []byte(k), true, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("a1", "b1", "b3", "b5", "c1")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err = Open(dir, secret); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	put("b2", "b4", "b5", "b6")
	if err := v.Delete("at", []byte("b3")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		prefix, after string
		most          int
		want          string
	}{
		{"b", "", 10, "[b1 b2 b4 b5 b6]"}, {"b", "b", 2, "[b1 b2]"}, {"b", "b2", 2, "[b4 b5]"}, {"b", "b6", 2, "[]"}, {"", "b5", 10, "[b6 c1]"}, {"d", "", 2, "[]"}, {"b", "a", 1, "[b1]"},
	} {
		keys, err := v.KeysFrom("at", []byte(c.prefix), []byte(c.after), c.most)
		if got := fmt.Sprintf("%s", keys); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	v := open(t, t.TempDir())
	put(t, v, "outbox", "a", "one", time.Time{})
	err := v.Update(
		Record{Kind: "outbox", Key: []byte("a")},
		Record{Kind: "query", Key: []byte("a"), Value: note{Text: "sent"}},
		Record{Kind: "query", Key: []byte("b"), Value: note{Text: "first"}},
		Record{Kind: "query", Key: []byte("b"), Value: note{Text: "second"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	want(t, v, "outbox", "a", "")
	want(t, v, "query", "a", "sent")
	want(t, v, "query", "b", "second")
	err = v.Update(
		Record{Kind: "query", Key: []byte("a")},
		Record{Kind: "query", Key: []byte("c"), Value: note{Data: make([]byte, MaxValue)}},
	)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("one record over the limit: %v", err)
	}
	want(t, v, "query", "a", "sent")
	if err := v.Update(); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	v := open(t, t.TempDir())
	for _, k := range []Kind{"", "A", "1a", "a b", "a_b", "a.b", "é", Kind(strings.Repeat("a", MaxKind+1))} {
		if err := v.Put(k, []byte("a"), note{}, time.Time{}); err == nil {
			t.Errorf("kind %q was put", k)
		}
		if err := v.Get(k, []byte("a"), new(note)); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("kind %q: %v", k, err)
		}
		if _, err := v.Keys(k); err == nil {
			t.Errorf("kind %q has keys", k)
		}
	}
	for _, key := range []string{"", strings.Repeat("k", MaxKey+1)} {
		if err := v.Put("query", []byte(key), note{}, time.Time{}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("key of %d bytes: %v", len(key), err)
		}
	}
	put(t, v, Kind(strings.Repeat("a", MaxKind)), strings.Repeat("k", MaxKey), "x", time.Now())
	if err := v.Put("query", []byte("a"), func() {}, time.Time{}); err == nil {
		t.Error("a function was put")
	}
	want(t, v, "query", "a", "")
}

func TestSweep(t *testing.T) {
	v := open(t, t.TempDir())
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	put(t, v, "query", "never", "x", time.Time{})
	put(t, v, "query", "at 10", "x", at(10))
	put(t, v, "reply", "at 10", "x", at(10))
	put(t, v, "query", "at 20", "x", at(20))
	put(t, v, "query", "later", "x", at(10))
	put(t, v, "query", "later", "y", at(20))
	put(t, v, "query", "sooner", "x", at(20))
	put(t, v, "query", "sooner", "y", at(10))
	put(t, v, "query", "kept", "x", at(10))
	put(t, v, "query", "kept", "y", time.Time{})
	put(t, v, "query", "gone", "x", at(10))
	if err := v.Delete("query", []byte("gone")); err != nil {
		t.Fatal(err)
	}
	put(t, v, "query", "long ago", "x", at(-5))
	for _, step := range []struct {
		now  int64
		want int
		left string
	}{
		{0, 1, "at 10, at 20, kept, later, never, sooner"},
		{9, 0, "at 10, at 20, kept, later, never, sooner"},
		{10, 3, "at 20, kept, later, never"},
		{10, 0, "at 20, kept, later, never"},
		{1 << 40, 2, "kept, never"},
	} {
		n, err := v.Sweep(at(step.now), nil)
		keys, err2 := v.Keys("query")
		left := string(bytes.Join(keys, []byte(", ")))
		if n != step.want || left != step.left || err != nil || err2 != nil {
			t.Errorf("at %d: %d swept, left %s, %v, %v", step.now, n, left, err, err2)
		}
	}
	want(t, v, "reply", "at 10", "")
	want(t, v, "query", "kept", "y")
}

func TestSweepInSteps(t *testing.T) {
	v := open(t, t.TempDir())
	const count = 2*sweepAtOnce + 7
	var records []Record
	for i := range count {
		records = append(records, Record{Kind: "query", Key: fmt.Append(nil, i), Value: note{}, Expires: time.UnixMilli(int64(i + 1))})
	}
	records = append(records, Record{Kind: "query", Key: []byte("later"), Value: note{}, Expires: time.UnixMilli(count + 1)})
	if err := v.Update(records...); err != nil {
		t.Fatal(err)
	}
	if n, err := v.Sweep(time.UnixMilli(count), nil); n != count || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if keys, err := v.Keys("query"); len(keys) != 1 || err != nil {
		t.Errorf("%d left, %v", len(keys), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "query", "a", "x", time.Time{})
	if _, err := Open(dir, secret); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	closeVault(t, v)
	if _, err := Open(dir, sign.Secret{2}); !errors.Is(err, ErrSecret) {
		t.Errorf("with another secret: %v", err)
	}
	want(t, open(t, dir), "query", "a", "x")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, secret); err == nil {
		t.Error("a file was opened as a folder")
	}
}

func TestClosed(t *testing.T) {
	v := open(t, t.TempDir())
	s := create(t, v, "x")
	closeVault(t, v)
	_, swept := v.Sweep(time.Now(), nil)
	_, created := v.Create()
	_, spooled := v.Spooled("a")
	_, keys := v.Keys("query")
	for name, err := range map[string]error{
		"put": v.Put("query", []byte("a"), note{}, time.Time{}), "get": v.Get("query", []byte("a"), new(note)),
		"sweep": swept, "create": created, "spooled": spooled, "keys": keys, "commit": s.Commit("a", time.Time{}),
		"drop": v.Drop("a"),
	} {
		if err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%s on a closed vault: %v", name, err)
		}
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "member")
	v := open(t, dir)
	put(t, v, "query", "a", "x", time.Time{})
	commit(t, v, "a", long("x"), time.Time{})
	create(t, v, strings.Repeat("unfinished", chunk/10+1))
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if mode := info.Mode().Perm(); d.IsDir() && mode != 0o700 || !d.IsDir() && mode != 0o600 {
			t.Errorf("%s has mode %o", path, mode)
		}
		files++
		return err
	})
	if err != nil || files != 6 {
		t.Errorf("%d files, %v", files, err)
	}
}

// Stored values cannot be read on the disk.
func TestSealed(t *testing.T) {
	const word = "Haizhou Sanling Precision"
	dir := t.TempDir()
	v := open(t, dir)
	var data []byte
	for i := range 50 {
		put(t, v, "profile", fmt.Sprint("key-", i), strings.Repeat(word, i), time.UnixMilli(int64(i)))
	}
	data = append(data, readFile(t, filepath.Join(dir, "vault.journal"))...)
	if !bytes.Contains(data, []byte("key-33")) {
		t.Fatal("not the file that was meant")
	}
	if _, err := v.Sweep(time.UnixMilli(20), nil); err != nil {
		t.Fatal(err)
	}
	closeVault(t, v)
	db := readFile(t, filepath.Join(dir, "vault.db"))
	if !bytes.Contains(db, []byte("key-33")) {
		t.Fatal("not the file that was meant")
	}
	data = append(data, db...)
	if bytes.Contains(data, []byte(word)) || bytes.Contains(data, []byte(word[8:15])) {
		t.Error("a value stands on the disk in clear")
	}
	if journal := readFile(t, filepath.Join(dir, "vault.journal")); len(bytes.Trim(journal[sectorSize:], "\x00")) > 0 {
		t.Error("a closed vault has something in its journal")
	}
}

func TestConcurrently(t *testing.T) {
	v := open(t, t.TempDir())
	const workers, each = 8, 25
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d-%d", w, i)
				expires := time.UnixMilli(int64(1 + i%2*1000))
				if err := v.Put("query", []byte(key), note{Text: key}, expires); err != nil {
					t.Error(err)
				}
				if i%2 == 1 {
					want(t, v, "query", key, key)
				}
				if err := v.Get("query", []byte("shared"), new(note)); err != nil && !errors.Is(err, ErrNone) {
					t.Error(err)
				}
				if err := v.Put("query", []byte("shared"), note{Text: key}, time.Time{}); err != nil {
					t.Error(err)
				}
				commit(t, v, key, key, expires)
				if _, err := v.Sweep(time.UnixMilli(500), nil); err != nil {
					t.Error(err)
				}
				if _, err := v.Keys("query"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	keys, err := v.Keys("query")
	if len(keys) != 1+workers*(each/2) || err != nil {
		t.Errorf("%d records, %v", len(keys), err)
	}
	if files := spooled(t, v); len(files) != workers*(each/2) {
		t.Errorf("%d files", len(files))
	}
}

// Additions of several callers at the same time are all there, and a record that is not a
// number is not taken for one.
func TestAdd(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	key := []byte("k")
	var adding sync.WaitGroup
	for range 20 {
		adding.Go(func() {
			if err := v.Update(Record{Kind: "rate", Key: key, Add: 2}); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	closeVault(t, v)
	v = open(t, dir)
	var now uint64
	if err := v.Get("rate", key, &now); now != 40 || err != nil {
		t.Errorf("%d, %v", now, err)
	}
	put(t, v, "query", "a", "text", time.Time{})
	if err := v.Update(Record{Kind: "query", Key: []byte("a"), Add: 1}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("added to a text: %v", err)
	}
}
