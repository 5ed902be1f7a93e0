package store

import (
	"bytes"
	"encoding/binary"
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
		if end%7_500 == 0 {
			if err := s.Save(nil); err != nil {
				t.Fatal(err)
			}
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

// Whatever is damaged is detected when it is read, and what is missing when the
// store is opened.
func TestDamage(t *testing.T) {
	value := bytes.Repeat([]byte("value"), 20)
	made := func() (dir, run string) {
		dir = t.TempDir()
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.Apply([]ledger.Change{{Key: []byte("key"), Value: value}})
		if err := errors.Join(s.Save([]byte("mark")), s.Close()); err != nil {
			t.Fatal(err)
		}
		return dir, pathOf(dir, 1)
	}
	damaged := func(path string, damage func([]byte) []byte) {
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, damage(data), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, run := made()
	good, err := os.ReadFile(run)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		damaged(run, func([]byte) []byte { b := bytes.Clone(good); b[at] ^= 4; return b })
		s, err := Open(dir)
		if err == nil {
			_, err = s.Get([]byte("key"))
			_, _, also := s.Next(nil, nil)
			if err = errors.Join(err, also); also == nil {
				t.Errorf("byte %d: Next reads it", at)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	for name, damage := range map[string]func(dir, run string){
		"a file that is cut":     func(_, run string) { damaged(run, func(b []byte) []byte { return b[:len(b)-1] }) },
		"a file that is missing": func(_, run string) { os.Remove(run) },
		"an empty file":          func(_, run string) { damaged(run, func([]byte) []byte { return nil }) },
		"no database": func(dir, _ string) {
			damaged(filepath.Join(dir, name), func([]byte) []byte { return bytes.Repeat([]byte("x"), 1<<16) })
		},
	} {
		dir, run := made()
		damage(dir, run)
		if _, err := Open(dir); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a save that did not count has left behind is removed.
func TestInterruptedSave(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Apply([]ledger.Change{{Key: []byte("key"), Value: []byte("value")}})
	if err := errors.Join(s.Save([]byte("mark")), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pathOf(dir, 7), []byte("half a run"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if v, err := s.Get([]byte("key")); string(v) != "value" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); len(files) != 2 || err != nil {
		t.Errorf("%v, %v", files, err)
	}
}

// However many saves there were, there are few runs, and their files are not many
// times as large as what is in them.
func TestFewRuns(t *testing.T) {
	s := Temporary()
	defer s.Close()
	const saves, each, kept = 300, 200, 2_000
	key := func(n int) []byte { return []byte{'k', byte(n >> 16), byte(n >> 8), byte(n)} }
	for n := range saves * each {
		s.Apply([]ledger.Change{{Key: key(n), Value: make([]byte, 100)}, {Key: key(n - kept)}})
		if n%each != 0 {
			continue
		}
		if err := s.Save(nil); err != nil {
			t.Fatal(err)
		}
		size := int64(0)
		for _, r := range s.runs {
			size += r.size
		}
		if len(s.runs) > 15 || size > 8*kept*100 {
			t.Fatalf("after %d saves: %d runs, %d bytes", n/each, len(s.runs), size)
		}
	}
	if v, err := s.Get(key(saves*each - kept - 1)); v != nil || err != nil {
		t.Errorf("a deleted value: %x, %v", v, err)
	}
}

// A file that is no run is an error, or is read to its end, and nothing worse.
func FuzzRun(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	s.Apply([]ledger.Change{{Key: []byte("a"), Value: []byte{}}, {Key: []byte("b"), Value: make([]byte, 300)}, {Key: []byte("c")}})
	if err := errors.Join(s.Save(nil), s.Close()); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(pathOf(dir, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:len(good)-footerSize], 1, 1)
	f.Add([]byte{}, 0, 0)
	f.Fuzz(func(t *testing.T, body []byte, size, index int) {
		// The checksums are right, so that what they protect is read.
		dir := t.TempDir()
		b := bytes.Clone(body)
		if size > 4 && size <= len(b) {
			binary.BigEndian.PutUint32(b[size-4:], checksum(b[:size-4], 0))
		}
		after := bytes.Clone(b[min(max(size, 0), len(b)):])
		for _, n := range []int{size, index, 1} {
			after = binary.BigEndian.AppendUint64(after, uint64(n))
		}
		after = binary.BigEndian.AppendUint32(after, checksum(after, 0))
		if err := os.WriteFile(pathOf(dir, 1), append(b[:min(max(size, 0), len(b))], after...), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openRun(dir, 1)
		if err != nil {
			return
		}
		defer r.file.Close()
		for c := (cursor{run: r, read: (*run).read}); err == nil; err = c.next() {
			if c.block == len(r.blocks) && len(c.rest) == 0 {
				break
			}
		}
	})
}
