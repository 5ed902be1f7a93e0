package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// TestHoles: a hole (NUL bytes where part of a file was never written) may
// extend across rows so that the rest looks like one row. A table with a hole
// gives no answers, with or without a marker.
func TestHoles(t *testing.T) {
	for _, kind := range []string{"csv", "jsonl"} {
		w := newWorld(t, t.TempDir(), kind, "state")
		w.dataset.Complete, w.marked = false, -1
		w.open()
		path := filepath.Join(w.dir, "debts."+kind)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, long := range []int{1, 20, len(whole) / 4, len(whole) / 2} {
			for at := range len(whole) - long {
				text := bytes.Clone(whole)
				clear(text[at : at+long])
				put(t, path, text)
				s := open(t, Config{Kind: kind, Path: w.dir})
				for firm, truth := range map[int]string{1: "100000.00", 3: "7.00"} {
					if a := w.answer(s, firm); a.Outcome == consent.NoRecord || a.Outcome == consent.Answered && a.Value != truth {
						t.Errorf("%s, %d bytes at %d: of firm %d %+v", kind, long, at, firm, a)
					}
				}
				s.Close()
			}
		}
	}
}

// TestSQLiteTorn: a database with a lost or zeroed page, or that is cut off,
// gives a true answer or none.
func TestSQLiteTorn(t *testing.T) {
	const page = 512
	for _, kind := range []string{"sqlite", "view"} {
		w := newWorld(t, t.TempDir(), kind, "state")
		w.dataset.Complete, w.marked = false, -1
		for firm := range 100 {
			w.rows = append(w.rows, []any{code(10 + firm), "欠", "2026-05-01", "1.00", nil})
		}
		path := filepath.Join(w.dir, "debts.db")
		db := openSQLite(t, path)
		execSQL(t, db, fmt.Sprintf("PRAGMA page_size = %d", page))
		execSQL(t, db, "CREATE TABLE first (n)")
		db.Close()
		w.open()
		db = openSQLite(t, path)
		execSQL(t, db, "CREATE INDEX by_key ON "+map[string]string{"sqlite": "debts", "view": "kept"}[kind]+" (uscc)")
		db.Close()
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		answered := 0
		try := func(what string, text []byte) {
			put(t, path, text)
			s, err := Open(Config{Kind: "sqlite", Path: path})
			if err != nil {
				codeOf(t, err)
				return
			}
			defer s.Close()
			for firm, truth := range map[int]string{1: "100000.00", 3: "7.00", 60: "1.00"} {
				a := w.answer(s, firm)
				if a.Outcome == consent.NoRecord || a.Outcome == consent.Answered && a.Value != truth {
					t.Errorf("%s, %s: of firm %d %+v", kind, what, firm, a)
				}
				if a.Outcome == consent.Answered {
					answered++
				}
			}
			if r, err := s.Test(context.Background(), w.dataset, Try{At: catalog.At{Day: debtsToday}}, nil); err == nil && r.OK() && r.Rows != 104 {
				t.Errorf("%s, %s: the test is content with %d rows", kind, what, r.Rows)
			}
		}
		try("whole", whole)
		if answered != 3 || len(whole) < 16*page {
			t.Fatalf("%s: %d answers of %d bytes", kind, answered, len(whole))
		}
		for at := 0; at < len(whole); at += page {
			text := bytes.Clone(whole)
			clear(text[at : at+page])
			try(fmt.Sprintf("page %d zeroed", at/page+1), text)
			try(fmt.Sprintf("cut behind %d pages", at/page), whole[:at])
			try(fmt.Sprintf("cut within page %d", at/page+1), whole[:at+page/2])
		}
	}
}

// TestNotAFile: where a file should be, anything else is an error without
// delay. Nothing waits for the writer of a pipe, or reads a device that has no
// end.
func TestNotAFile(t *testing.T) {
	create := map[string]func(path string) error{
		"a pipe":          func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":        func(path string) error { return os.Mkdir(path, 0o700) },
		"a dangling link": func(path string) error { return os.Symlink("nowhere", path) },
		"a link to itself": func(path string) error {
			return os.Symlink(filepath.Base(path), path)
		},
		"a device": func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	ctx := context.Background()
	for what, create := range create {
		for _, place := range []string{"debts.csv", "debts.jsonl", "debts.load.json", "aside/debts.jsonl", "debts.db", "folder"} {
			w := newWorld(t, t.TempDir(), "csv", "state")
			w.own = Own{Folder: w.dir, Secret: []byte("secret")}
			if place == "aside/debts.jsonl" {
				w.rows[3][0], w.marked = "nobody's", 4
			}
			s := w.open()
			if err := os.Mkdir(filepath.Join(w.dir, asideFolder), 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(w.dir, place)
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if err := create(path); err != nil {
				t.Fatal(err)
			}
			done := run(func() error {
				var err error
				switch place {
				case "debts.jsonl":
					s, err = Open(Config{Kind: "jsonl", Path: w.dir})
				case "debts.db":
					_, err = Open(Config{Kind: "sqlite", Path: path})
					return err
				case "folder":
					if s, err = Open(Config{Kind: "csv", Path: path}); err == nil && what == "a folder" {
						_, err = s.Check(ctx, w.dataset, debtsToday)
					}
					return err
				}
				if err == nil {
					_, err = s.Check(ctx, w.dataset, debtsToday)
				}
				return err
			})
			select {
			case err := <-done:
				want := NotReadable
				if what == "a dangling link" && place == "debts.load.json" {
					want = NoLoad // there is no marker
				}
				if what == "a dangling link" && place == "aside/debts.jsonl" {
					want = Keys // nothing is set aside
				}
				if got := codeOf(t, err); got != want {
					t.Errorf("%s as %s: %q, want %q: %v", what, place, got, want, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s as %s is waited for", what, place)
			}
		}
	}
}

// run runs work in a goroutine and returns a channel for its error.
func run(work func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	return done
}

// TestSparse: one line of gigabytes is skipped with little memory.
func TestSparse(t *testing.T) {
	d, path := one(), t.TempDir()
	put(t, filepath.Join(path, "t.csv"), []byte("key,v\n"+code(1)+",a\n"))
	if err := os.Truncate(filepath.Join(path, "t.csv"), 1<<30); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := open(t, Config{Kind: "csv", Path: path})
	if _, err := s.Survey(context.Background(), d); codeOf(t, err) != RowTooLong {
		t.Error(err)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
		t.Errorf("%d bytes of memory for it", after.TotalAlloc-before.TotalAlloc)
	}
}

// TestClockSetBack: clocks differ, or are set back between load and question.
// An answer is never as of a later day than its own, and a load from the future
// gives no answer.
func TestClockSetBack(t *testing.T) {
	for kind := range connectors {
		for ahead, want := range map[consent.Day]string{0: "", 1: "", 2: string(LoadDiffers), 400: string(LoadDiffers), 10_000: string(LoadDiffers)} {
			w := newWorld(t, t.TempDir(), kind, "state")
			w.asOf = debtsToday + ahead
			a := w.ask(2)
			if a.Reason != want || a.AsOf > uint64(debtsToday)*24*60*60*1000 {
				t.Errorf("%s, %d days ahead: %+v, want %q", kind, ahead, a, want)
			}
		}
	}
}
