package source

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestSpellings: spellings are kept on disk, each once, and found by the code;
// afterwards nothing is left on disk.
func TestSpellings(t *testing.T) {
	dir := t.TempDir()
	s := newSpellings(dir)
	if got, err := s.of(code(1)); err != nil || got != nil {
		t.Error(got, err)
	}
	for range 2 {
		for n := range 300 {
			for _, key := range []string{" " + code(n), code(n) + strings.Repeat(" ", maxKey-18)} {
				if ok, err := s.add(code(n), key); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
		}
	}
	if len(s.entries) != 600 || !s.done() {
		t.Errorf("%d are kept", len(s.entries))
	}
	for n := range 300 {
		got, err := s.of(code(n))
		if want := fmt.Sprint([]any{" " + code(n), code(n) + strings.Repeat(" ", maxKey-18)}); err != nil || fmt.Sprint(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".keys-*")); len(left) > 0 {
		t.Error(left)
	}
	s = newSpellings(filepath.Join(dir, "none"))
	if _, err := s.add(code(1), " "+code(1)); err == nil {
		t.Error("a list without a folder")
	}
}

// TestSpellingsBounded: the number of spellings is limited, for one subject and
// in total.
func TestSpellingsBounded(t *testing.T) {
	s := newSpellings(t.TempDir())
	for n := range maxSpellings + 1 {
		if ok, err := s.add(code(1), fmt.Sprint(n)); !ok || err != nil {
			t.Fatal(n, ok, err)
		}
	}
	if s.done() {
		t.Errorf("%d of one subject", len(s.entries))
	}
	s = newSpellings(t.TempDir())
	for n := range maxMended + 1 {
		if ok, err := s.add(code(n), fmt.Sprint(n)); err != nil || ok != (n < maxMended) {
			t.Fatal(n, ok, err)
		}
	}
	if ok, err := s.add(code(7), "7"); !ok || err != nil {
		t.Error("one that is known needs no room", ok, err)
	}
}

// TestLongKeys: an overlong key is unusable, in every kind of source.
func TestLongKeys(t *testing.T) {
	for kind := range connectors {
		for blanks, want := range map[int]string{maxKey - 18: "", maxKey - 17: string(Keys)} {
			w := newWorld(t, t.TempDir(), kind, "state")
			w.rows[0][0] = code(1) + strings.Repeat(" ", blanks)
			if a := w.ask(1); a.Reason != want {
				t.Errorf("%s, %d blanks: %+v", kind, blanks, a)
			}
		}
	}
}
