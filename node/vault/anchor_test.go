package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// older makes bbolt go back to the transaction before the last: it damages the page
// that makes the last one count.
func older(db []byte) []byte {
	last, size := 0, os.Getpagesize()
	if txid(db[size:]) > txid(db) {
		last = size
	}
	return flip(last + 16 + 20)(bytes.Clone(db))
}

// txid is the number of the transaction of a meta page.
func txid(page []byte) uint64 { return binary.NativeEndian.Uint64(page[16+48:]) }

// TestLostSilently: files of which something that was acknowledged is missing are
// refused, whatever took it: the disk, or somebody who put back a part of a backup.
func TestLostSilently(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "query", "a", "1", time.Time{})
	closeVault(t, v)
	first := filesOf(t, dir)
	v = open(t, dir)
	if err := v.Put("query", []byte("large"), note{Data: make([]byte, 2*journalSize)}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	put(t, v, "query", "b", "2", time.Time{})
	running := filesOf(t, dir)
	put(t, v, "query", "c", "2", time.Time{})
	closeVault(t, v)
	closed := filesOf(t, dir)
	v = open(t, dir)
	put(t, v, "query", "c", "3", time.Time{})
	flush(t, v)
	put(t, v, "query", "c", "4", time.Time{})
	closeVault(t, v)
	last := filesOf(t, dir)
	zeros := make([]byte, journalSize)
	for what, f := range map[string]files{
		"a journal of zeros":                       running.with("vault.journal", zeros),
		"a journal of zeros, closed":               closed.with("vault.journal", zeros),
		"an empty journal":                         running.with("vault.journal", nil),
		"an empty journal, closed":                 closed.with("vault.journal", nil),
		"an older journal":                         last.with("vault.journal", first["vault.journal"]),
		"vault.db before what is not in a journal": running.with("vault.db", first["vault.db"]),
		"an older vault.db, closed":                last.with("vault.db", running["vault.db"]),
		"no vault.db":                              {"vault.journal": closed["vault.journal"]},
		"the last page of vault.db damaged":        closed.with("vault.db", older(closed["vault.db"])),
	} {
		dir := f.plant(t)
		if v, err := Open(dir, secret); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
			if err == nil {
				v.Close()
			}
		}
		for name := range f {
			if got := readFile(t, filepath.Join(dir, name)); name == "vault.journal" && string(got) != string(f[name]) {
				t.Errorf("%s: %s was changed", what, name)
			}
		}
	}
	for _, f := range []files{running, closed, last} {
		want(t, f.open(t), "query", "b", "2")
	}
}

// TestBegunAnew: power fails while the journal is begun anew, and the disk has any of
// its sectors as they were and any as they are to be. Nothing is lost.
func TestBegunAnew(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	v := open(t, dir)
	for i := range 20 {
		put(t, v, "query", fmt.Sprint(i), strings.Repeat("x", 40*i), time.Time{})
	}
	before := filesOf(t, dir)
	var during files
	sync := v.journal.sync
	v.journal.sync = func(f *os.File) error {
		during = filesOf(t, dir)
		return sync(f)
	}
	flush(t, v)
	v.journal.sync = sync
	if bytes.Equal(during["vault.db"], before["vault.db"]) || bytes.Equal(during["vault.journal"], before["vault.journal"]) {
		t.Fatal("not the moment that was meant")
	}
	for range 50 {
		journal := bytes.Clone(during["vault.journal"])
		for at := 0; at < journalSize; at += sectorSize {
			if r.IntN(2) == 0 {
				copy(journal[at:], before["vault.journal"][at:at+sectorSize])
			}
		}
		f := during.with("vault.journal", journal)
		for range 2 { // once more after all of that
			dir := f.plant(t)
			v := open(t, dir)
			for i := range 20 {
				want(t, v, "query", fmt.Sprint(i), strings.Repeat("x", 40*i))
			}
			put(t, v, "query", "19", strings.Repeat("x", 40*19), time.Time{})
			f = filesOf(t, dir)
			closeVault(t, v)
		}
	}
}

// TestCreatedHalf: power fails while a vault is made. What is there of its files is
// made whole.
func TestCreatedHalf(t *testing.T) {
	dir := t.TempDir()
	closeVault(t, open(t, dir))
	made := filesOf(t, dir)["vault.journal"]
	for what, f := range map[string]files{
		"nothing":               {},
		"an empty journal":      {"vault.journal": nil},
		"a journal of zeros":    {"vault.journal": make([]byte, journalSize)},
		"a part of one":         {"vault.journal": made[:3*sectorSize]},
		"a journal":             {"vault.journal": made},
		"and an empty vault.db": {"vault.journal": made, "vault.db": nil},
	} {
		dir := f.plant(t)
		v := open(t, dir)
		put(t, v, "query", "a", what, time.Time{})
		closeVault(t, v)
		want(t, open(t, dir), "query", "a", what)
	}
}

// TestBehind: while a full disk does not take the beginning of a journal, vault.db
// takes the steps, and whenever power fails all of them are there.
func TestBehind(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "query", "0", "0", time.Time{})
	full := fullDisk(t)
	file := v.journal.f
	v.journal.f = full
	before := filesOf(t, dir)["vault.journal"]
	flush(t, v)
	for i := range 5 {
		put(t, v, "query", fmt.Sprint(i), fmt.Sprint(i), time.Time{})
		for _, f := range []files{filesOf(t, dir), filesOf(t, dir).with("vault.journal", before)} {
			v := f.open(t)
			for j := range i + 1 {
				want(t, v, "query", fmt.Sprint(j), fmt.Sprint(j))
			}
		}
	}
	v.journal.f = file
	put(t, v, "query", "5", "5", time.Time{})
	if v.journal.behind {
		t.Error("it is never begun")
	}
	want(t, filesOf(t, dir).open(t), "query", "5", "5")
}

// TestMissingFiles: whoever opens a vault learns how many committed files are not in
// its spool. Those in the vault itself need no folder.
func TestMissingFiles(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	for i := range 5 {
		commit(t, v, fmt.Sprint("long-", i), long("x"), time.Time{})
		commit(t, v, fmt.Sprint("short-", i), "x", time.Time{})
	}
	s := resume(t, v, "rows", time.Time{})
	write(t, s, "part")
	s.Keep()
	whole := filesOf(t, dir)
	if n := whole.open(t).Missing(); n != 0 {
		t.Errorf("%d of a whole vault are missing", n)
	}
	some := files{"vault.db": whole["vault.db"], "vault.journal": whole["vault.journal"], "spool/long-1": whole["spool/long-1"]}
	left := some.open(t)
	if n := left.Missing(); n != 4 {
		t.Errorf("%d are missing, want 4", n)
	}
	if names, err := left.Files(""); err != nil || len(names) != 6 {
		t.Errorf("%q, %v", names, err)
	}
}
