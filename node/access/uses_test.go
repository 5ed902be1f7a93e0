package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"atoll/consensus/operators"
	"atoll/node/problem"
)

// used records requests of two people in files of a few records each, and returns the
// gate of the folder.
func used(t *testing.T, dir string, n int) *Gate {
	t.Helper()
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	g, err := Open(Config{Dir: dir, Member: "bank-a", Network: "00", Clock: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	g.journal.most = 1500
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		at = at.Add(time.Minute)
		owner := []string{"Wang 1", "Li 2"}[i%2]
		for _, r := range []*operators.Record{
			{Kind: operators.Use, Request: fmt.Sprint(i), Owner: owner, Method: "GET", Path: fmt.Sprint("/v1/", i)},
			{Kind: operators.End, Request: fmt.Sprint(i - 1), Status: 200 + i - 1}, // while the next has begun
		} {
			if r.Kind == operators.End && i == 0 {
				continue
			}
			if _, err := g.journal.append(r, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	return g
}

// The operators' log is read from its end, page by page, through all of its files, and
// each request comes with its end.
func TestUsesOfAllFiles(t *testing.T) {
	dir := t.TempDir()
	g := used(t, dir, 60)
	if files, err := Files(dir); err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	next, w := 58, Wanted{Owner: "Wang 1", Limit: 7}
	for {
		u, err := g.Uses(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range u.Records {
			if r.Path != fmt.Sprint("/v1/", next) || r.End == nil || r.End.Status != 200+next {
				t.Fatalf("%+v, %+v where %d belongs", r.Record, r.End, next)
			}
			next -= 2
		}
		if !u.More {
			break
		}
		if len(u.Records) != w.Limit {
			t.Fatalf("%d records, and more", len(u.Records))
		}
		w.Before = u.Records[len(u.Records)-1].Number
	}
	if next != -2 {
		t.Errorf("it ends before %d", next)
	}
	day := time.Date(2026, 12, 1, 9, 11, 0, 0, time.UTC)
	if u, err := g.Uses(t.Context(), Wanted{From: day, Until: day.Add(3 * time.Minute), Limit: 100}); err != nil || len(u.Records) < 3 || u.Records[len(u.Records)-1].Path != "/v1/10" || u.More {
		t.Errorf("%+v, %v", u, err)
	}
}

// A file that was changed, or is missing between two others, is no part of a chain.
func TestUsesFollowTheChain(t *testing.T) {
	for what, harm := range map[string]func(path string) error{
		"changed": func(path string) error {
			text, err := os.ReadFile(path)
			if err == nil {
				text[len(text)-10] ^= 1
				err = os.WriteFile(path, text, 0o600)
			}
			return err
		},
		"removed": os.Remove,
	} {
		dir := t.TempDir()
		g := used(t, dir, 60)
		files, err := filepath.Glob(filepath.Join(dir, filledFiles))
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		if err := harm(files[1]); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Uses(t.Context(), Wanted{Limit: 1000}); !errors.Is(err, operators.ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := g.Uses(t.Context(), Wanted{Limit: 1}); err != nil {
			t.Errorf("%s: the newest: %v", what, err)
		}
	}
}

// A file that somebody cut while the node runs is told by a code of its own, wherever it
// was cut.
func TestUsesOfACutFile(t *testing.T) {
	for name, cut := range map[string]func(text []byte) int{
		"within a line": func(text []byte) int { return len(text) - 20 },
		"after a line":  func(text []byte) int { return bytes.LastIndexByte(text[:len(text)-1], '\n') + 1 },
		"all":           func([]byte) int { return 0 },
	} {
		dir := t.TempDir()
		g := used(t, dir, 3)
		path := filepath.Join(dir, fileJournal)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.Truncate(path, int64(cut(text)))
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Uses(t.Context(), Wanted{Limit: 10})
		var e *problem.Error
		if !errors.As(err, &e) || e.Code != problem.OperatorsBroken || e.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who waits no longer for the operators' log does not have it read.
func TestUsesEndWithTheirReader(t *testing.T) {
	g := used(t, t.TempDir(), 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if u, err := g.Uses(ctx, Wanted{Limit: 10}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", u, err)
	}
}

// A page of a long log reads a few files of it, wherever it begins; where those have
// nothing that is wanted, the next page goes on before them.
func TestUsesReadFewFiles(t *testing.T) {
	dir := t.TempDir()
	g := used(t, dir, 200)
	g.journal.reads = 3 * g.journal.most
	files, err := filled(dir)
	if err != nil || len(files) < 16 {
		t.Fatal(len(files), err)
	}
	for _, before := range []uint64{0, 150, 40} {
		u, err := g.Uses(t.Context(), Wanted{Owner: "nobody", Before: before, Limit: 10})
		if err != nil || len(u.Records) > 0 || u.Last-u.First > 60 || u.Before != u.First || !u.More {
			t.Errorf("before %d: %+v, %v", before, u, err)
		}
		if before > 0 && (u.Last < before-1 || u.First >= before) {
			t.Errorf("before %d: records %d to %d are read", before, u.First, u.Last)
		}
	}
	w, found, pages := Wanted{Owner: "Wang 1", Limit: 1000}, 0, 0
	for more := true; more; pages++ {
		u, err := g.Uses(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range u.Records {
			if r.End == nil && r.Path != "/v1/199" {
				t.Errorf("%s has no end", r.Path)
			}
		}
		found, w.Before, more = found+len(u.Records), u.Before, u.More
	}
	if found != 100 || pages < 4 {
		t.Errorf("%d records in %d pages", found, pages)
	}
}

// A reader learns where the chain went on without a damaged file, wherever its page is.
func TestUsesTellOfBreaks(t *testing.T) {
	dir := t.TempDir()
	var records []uint64
	for range 2 {
		g := openGate(t, dir, nil)
		create(t, g, officer("Wang"))
		n := g.journal.chain.Number
		g.Close()
		path := filepath.Join(dir, fileJournal)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, append(text, "rubbish\n"...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, n+1)
	}
	g := openGate(t, dir, nil)
	defer g.Close()
	u, err := g.Uses(t.Context(), Wanted{Limit: 1})
	if err != nil || len(u.Breaks) == 0 || u.Breaks[0].Record != records[1] || u.First > records[1] {
		t.Fatalf("%+v, %v: not the break at %d", u, err, records[1])
	}
	damaged, err := g.Damaged()
	if err != nil || len(damaged) != 2 || !slices.ContainsFunc(damaged, func(d Damaged) bool { return filepath.Base(d.Path) == u.Breaks[0].File }) {
		t.Errorf("%+v, %v: not %+v", damaged, err, u.Breaks)
	}
	if u, err = g.Uses(t.Context(), Wanted{Limit: 100}); err != nil || len(u.Breaks) != 2 || u.Breaks[1].Record != records[0] {
		t.Errorf("%+v, %v: not the breaks at %d", u, err, records)
	}
}
