package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"atoll/consensus/ledger"
)

// After any sequence of calls, a store answers like a map in memory.
func TestLikeMemory(t *testing.T) {
	for _, seed := range []byte{1, 2, 3, 4} {
		random := rand.New(rand.NewChaCha8([32]byte{seed}))
		dir := filepath.Join(t.TempDir(), "state")
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		m := ledger.NewMemory()
		key := func() []byte {
			k := []byte{"xyz"[random.IntN(3)], byte(random.IntN(40))}
			return k[:1+random.IntN(2)]
		}
		for step := range 5_000 {
			switch n := random.IntN(100); {
			case n < 40:
				c := ledger.Change{Key: key()}
				if random.IntN(2) == 0 {
					c.Value = []byte{byte(step)}
				}
				s.Apply([]ledger.Change{c})
				m.Apply([]ledger.Change{c})
			case n == 99:
				if err := s.Save([]byte{byte(step)}); err != nil {
					t.Fatal(err)
				}
			case n == 98 && step%7 == 0:
				if err := s.Save(nil); err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(dir); err != nil {
					t.Fatal(err)
				}
			default:
				compare(t, s, m, key()[:1], key())
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, s *Store, m *ledger.Memory, prefix, after []byte) {
	t.Helper()
	if len(after)%2 == 0 {
		after = nil
	}
	k, v, err := s.Next(prefix, after)
	wantK, wantV, _ := m.Next(prefix, after)
	if err != nil || !bytes.Equal(k, wantK) || !bytes.Equal(v, wantV) {
		t.Fatalf("Next(%x, %x): %x %x, want %x %x, %v", prefix, after, k, v, wantK, wantV, err)
	}
	v, err = s.Get(after)
	wantV, _ = m.Get(after)
	if err != nil || !bytes.Equal(v, wantV) || (v == nil) != (wantV == nil) {
		t.Fatalf("Get(%x): %x, want %x, %v", after, v, wantV, err)
	}
}

// Work in a queue is taken from its front and added at its end, as the rules do
// for each entry, whatever has been deleted since the last save.
func TestQueue(t *testing.T) {
	s := Temporary()
	defer s.Close()
	key := func(n int) []byte { return []byte{'x', byte(n >> 16), byte(n >> 8), byte(n)} }
	next, end := 0, 0
	for ; end < 30_000; end++ {
		s.Apply([]ledger.Change{{Key: key(end), Value: []byte{1}}})
	}
	if err := s.Save(nil); err != nil {
		t.Fatal(err)
	}
	for end < 90_000 {
		var after []byte
		for range 3 {
			k, _, err := s.Next([]byte{'x'}, after)
			if err != nil || !bytes.Equal(k, key(next)) {
				t.Fatalf("%x, want %x, %v", k, key(next), err)
			}
			after = k
			next++
		}
		for n := range 3 {
			s.Apply([]ledger.Change{{Key: key(next - 3 + n)}, {Key: key(end), Value: []byte{1}}})
			end++
		}
	}
}

// Saved changes are there again with their mark; others are not.
func TestOpenAgain(t *testing.T) {
	dir := t.TempDir()
	for n := byte(0); n < 5; n++ {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		mark, err := s.Mark()
		if err != nil || n == 0 && mark != nil || n > 0 && !bytes.Equal(mark, []byte{n - 1}) {
			t.Fatalf("mark %x, %v", mark, err)
		}
		for k := range byte(6) {
			v, err := s.Get([]byte{k})
			if err != nil || (v != nil) != (k < n) {
				t.Fatalf("run %d, key %d: %x, %v", n, k, v, err)
			}
		}
		s.Apply([]ledger.Change{{Key: []byte{n}, Value: []byte("v")}})
		if err := s.Save([]byte{n}); err != nil {
			t.Fatal(err)
		}
		s.Apply([]ledger.Change{{Key: []byte{n + 1}, Value: []byte("v")}})
		if n == 2 {
			if _, err := Open(dir); !errors.Is(err, ErrBusy) {
				t.Fatalf("two runs: %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestTemporaryLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := Temporary()
	if files, _ := os.ReadDir(dir); len(files) != 0 || s.Full() {
		t.Fatal("a file for nothing")
	}
	for n := byte(0); !s.Full(); n++ {
		s.Apply([]ledger.Change{{Key: bytes.Repeat([]byte{n}, 1+int(n)), Value: make([]byte, 1<<20)}})
	}
	if err := s.Save(nil); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 || s.Full() {
		t.Fatal("nothing was written")
	}
	if v, err := s.Get([]byte{0}); err != nil || len(v) != 1<<20 {
		t.Fatalf("%d bytes, %v", len(v), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Fatalf("left behind: %v", files)
	}
}

// A damaged value is detected when it is read, a damaged file when it is
// opened.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	value := bytes.Repeat([]byte("value"), 20)
	s.Apply([]ledger.Change{{Key: []byte("key"), Value: value}})
	if err := errors.Join(s.Save([]byte("mark")), s.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil || bytes.Count(data, value) == 0 {
		t.Fatalf("%d, %v", bytes.Count(data, value), err)
	}
	bad := bytes.ReplaceAll(data, value, append([]byte("w"), value[1:]...))
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get([]byte("key")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Get: %v", err)
	}
	if _, _, err := s.Next(nil, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Next: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Open: %v", err)
	}
}
