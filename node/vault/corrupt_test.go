package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// A record that was altered or is in the wrong place gives an error that names
// its kind and nothing else.
func TestCorruptRecord(t *testing.T) {
	at := time.UnixMilli(10)
	for name, alter := range map[string]func(records *bbolt.Bucket) error{
		"flipped value": func(b *bbolt.Bucket) error { return set(b.Bucket([]byte("query")), "a", flip(-1)) },
		"flipped nonce": func(b *bbolt.Bucket) error { return set(b.Bucket([]byte("query")), "a", flip(9)) },
		"later expiry":  func(b *bbolt.Bucket) error { return set(b.Bucket([]byte("query")), "a", flip(0)) },
		"cut": func(b *bbolt.Bucket) error {
			return set(b.Bucket([]byte("query")), "a", func(v []byte) []byte { return v[:20] })
		},
		"cut expiry": func(b *bbolt.Bucket) error {
			return set(b.Bucket([]byte("query")), "a", func(v []byte) []byte { return v[:7] })
		},
		"empty": func(b *bbolt.Bucket) error {
			return set(b.Bucket([]byte("query")), "a", func([]byte) []byte { return nil })
		},
		"another key's": func(b *bbolt.Bucket) error {
			other := b.Bucket([]byte("query")).Get([]byte("b"))
			return set(b.Bucket([]byte("query")), "a", func([]byte) []byte { return other })
		},
		"another kind's": func(b *bbolt.Bucket) error {
			other := b.Bucket([]byte("reply")).Get([]byte("a"))
			return set(b.Bucket([]byte("query")), "a", func([]byte) []byte { return other })
		},
	} {
		v := open(t, t.TempDir())
		put(t, v, "query", "a", "secret words", at)
		put(t, v, "query", "b", "secret words", at)
		put(t, v, "reply", "a", "secret words", at)
		if err := v.inDatabase(func(tx *bbolt.Tx) error { return alter(tx.Bucket(recordsBucket)) }); err != nil {
			t.Fatal(err)
		}
		err := v.Get("query", []byte("a"), new(note))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "query") || strings.Contains(err.Error(), "words") {
			t.Errorf("%s: %v", name, err)
		}
		want(t, v, "query", "b", "secret words")
		put(t, v, "query", "a", "new words", at)
		want(t, v, "query", "a", "new words")
		if n, err := v.Sweep(at, nil); n != 3 || err != nil {
			t.Errorf("%s: %d swept, %v", name, n, err)
		}
	}
}

func set(b *bbolt.Bucket, key string, f func([]byte) []byte) error {
	return b.Put([]byte(key), f(bytes.Clone(b.Get([]byte(key)))))
}

func flip(i int) func([]byte) []byte {
	return func(v []byte) []byte {
		v[(i+len(v))%len(v)] ^= 1
		return v
	}
}

func TestOtherType(t *testing.T) {
	v := open(t, t.TempDir())
	put(t, v, "query", "a", "secret words", time.Time{})
	var number uint64
	err := v.Get("query", []byte("a"), &number)
	if !errors.Is(err, ErrCorrupt) || strings.Contains(err.Error(), "words") {
		t.Errorf("a record read as a number: %v", err)
	}
}

// A damaged database gives an error or does no harm, wherever the damage is.
func TestDamagedDatabase(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	for i := range 60 {
		put(t, v, "query", fmt.Sprint(i), fmt.Sprint("text ", i), time.UnixMilli(int64(i)))
	}
	closeVault(t, v)
	whole := readFile(t, filepath.Join(dir, "vault.db"))
	journal := readFile(t, filepath.Join(dir, "vault.journal"))
	found, step := 0, len(whole)/500
	try := func(what string, damaged []byte) {
		dir := t.TempDir() // bbolt may keep the lock of a file that it cannot read
		writeFile(t, filepath.Join(dir, "vault.db"), damaged)
		writeFile(t, filepath.Join(dir, "vault.journal"), journal)
		v, err := Open(dir, secret)
		if err != nil {
			found++
			return
		}
		for i := range 60 {
			var n note
			err := v.Get("query", fmt.Append(nil, i), &n)
			if err == nil && n.Text != fmt.Sprint("text ", i) {
				t.Errorf("%s: record %d is %q", what, i, n.Text)
			}
			if err != nil {
				found++
			}
		}
		if err := v.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}
	for off := 0; off < len(whole); off += step {
		damaged := bytes.Clone(whole)
		damaged[off] ^= 0x10
		try(fmt.Sprint("byte ", off), damaged)
	}
	for size := 0; size < len(whole); size += len(whole) / 50 {
		try(fmt.Sprint("cut to ", size), whole[:size])
	}
	if found == 0 {
		t.Error("no damage was found")
	}
}

// After a failed write nothing is promised any more, and every call fails.
func TestBroken(t *testing.T) {
	v := open(t, t.TempDir())
	put(t, v, "query", "a", "x", time.Time{})
	full := errors.New("disk full")
	if err := v.update(func(*changes) error { return full }); err != full {
		t.Fatal(err)
	}
	_, swept := v.Sweep(time.UnixMilli(1), nil)
	for name, err := range map[string]error{
		"put": v.Put("query", []byte("a"), note{}, time.Time{}), "get": v.Get("query", []byte("a"), new(note)),
		"commit": create(t, v, "x").Commit("a", time.Time{}), "sweep": swept,
	} {
		if err != full {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Spooled("a"); err != full {
		t.Errorf("read: %v", err)
	}
	if files, err := os.ReadDir(v.spool.Name()); err != nil || len(files) > 0 {
		t.Errorf("left: %v, %v", files, err)
	}
}

func FuzzParseDue(f *testing.F) {
	for _, p := range []place{{"query", []byte("a")}, {"", []byte("name")}, {"q", bytes.Repeat([]byte{0}, MaxKey)}} {
		f.Add(p.due(1))
		f.Add(p.due(1 << 60)[:9])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, expires, ok := parseDue(b)
		if ok && (len(p.key) == 0 || !bytes.Equal(p.due(expires), b)) {
			t.Errorf("%x parses as %q, %q, %d", b, p.kind, p.key, expires)
		}
	})
}

// goldenRecord was stored once as kind query, key "a", expiring at 5 ms, with
// the text "x". It must open for ever.
const goldenRecord = "000000000000000571893b3e941553539de9e4a4ff1c0792b570d886cc908a1c7ba62470e548c964115cbb7b2042b4ca465cfc44d265"

func golden(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(goldenRecord)
	if err != nil || len(b) == 0 {
		t.Fatalf("no record: %v", err)
	}
	return b
}

func TestGoldenRecord(t *testing.T) {
	v := open(t, t.TempDir())
	if err := v.inDatabase(func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(recordsBucket).CreateBucket([]byte("query"))
		if err != nil {
			return err
		}
		return b.Put([]byte("a"), golden(t))
	}); err != nil {
		t.Fatal(err)
	}
	want(t, v, "query", "a", "x")
}

func FuzzRecord(f *testing.F) {
	p, stored := place{"query", []byte("a")}, golden(f)
	f.Add(stored)
	f.Add(stored[:8])
	f.Fuzz(func(t *testing.T, b []byte) {
		expires, value, _ := cutExpiry(b)
		if _, err := p.unlock(secret, entry{true, expires, value}); err == nil && !bytes.Equal(b, stored) {
			t.Errorf("a record nobody made opens: %x", b)
		}
	})
}
