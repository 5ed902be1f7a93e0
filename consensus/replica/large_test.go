package replica

import (
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/consensus/state"
	"atoll/crypto/tlog"
)

// A large database, made of a log that TestLargeLog of consensus/audit has left
// in LOG, by the rules and without signatures, and opened:
//
//	go test ./consensus/replica -run TestLargeState -v -timeout 0 -log LOG -dir DIR
//
// A second run opens what the first has left in DIR.
var (
	logDir = flag.String("log", "", "the log/ that TestLargeState and TestLargeNode take in, as an absolute path; a small one by default")
	dir    = flag.String("dir", "", "where they leave what they make of it, as an absolute path")
)

// TestLargeState opens a large database, reads it and makes it grow: memory
// does not grow with it.
func TestLargeState(t *testing.T) {
	log, where := large(t, func(w *audittest.World) { w.Grow(2_000) })
	if err := os.MkdirAll(where, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(where, "state.db")); err != nil {
		start := time.Now()
		takeIn(t, log, where)
		t.Logf("taken in in %v", time.Since(start).Round(time.Millisecond))
		debug.FreeOSMemory()
	}
	start := time.Now()
	s, err := state.Open(where, nil)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	defer s.Close()
	at, _ := s.Position()
	signed, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := tlog.Unverified(signed)
	if err != nil || at.Size != want.Size || at.Root != want.Root {
		t.Fatalf("%+v, %v, want %v", at, err, want)
	}
	for i := range min(at.Size, 10_000) {
		if _, err := s.Entry(i * 7919 % at.Size); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(where, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d entries, a file of %d MB opened in %v; memory after reading 10,000: %s", at.Size, info.Size()>>20, took.Round(time.Microsecond), resident())
}

// large returns the folder of a log, and the folder for what a test makes of
// it: as the flags say, or a small log that grow makes.
func large(t *testing.T, grow func(*audittest.World)) (log, where string) {
	t.Helper()
	log, where = *logDir, *dir
	if log == "" {
		made := t.TempDir()
		w := audittest.New(t)
		w.Stream(made)
		grow(w)
		w.Finish("auditor", "tax")
		log = filepath.Join(made, "log")
	}
	if where == "" {
		where = t.TempDir()
	}
	return log, where
}

// resident returns the memory of this process as Linux reports it.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "not known"
	}
	var found []string
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "Rss") || strings.HasPrefix(line, "VmHWM") {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(found, ", ")
}

// takeIn makes the database of a log.
func takeIn(t *testing.T, log, where string) {
	t.Helper()
	s, err := state.Open(where, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	for n := uint64(0); ; n++ {
		bundle, err := readBundle(log, n)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Batch(func(b *state.Batch) error {
			for _, leaf := range bundle {
				e, err := ledger.ParseEntry(leaf)
				if err != nil {
					return err
				}
				parsed, _ := ledger.Parse(e.Statement) // genesis is no statement
				if _, err := b.Apply(e.Statement, parsed); err != nil {
					return err
				}
			}
			b.Pass(n+1, 1)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(bundle) < tlog.TileWidth {
			return
		}
	}
}

// readBundle reads a bundle of a log in a folder: a full one, or the last.
func readBundle(log string, n uint64) ([][]byte, error) {
	tile := tlog.Tile{Level: tlog.Entries, N: n, Width: tlog.TileWidth}
	path := filepath.Join(log, filepath.FromSlash(tile.Path()))
	data, err := os.ReadFile(path)
	if err == nil {
		return tlog.ParseBundle(data, tlog.TileWidth)
	}
	partial, _ := filepath.Glob(path + ".p/*")
	if len(partial) == 0 {
		return nil, nil
	}
	last, err := tlog.ParseTile(strings.TrimPrefix(filepath.ToSlash(partial[0]), filepath.ToSlash(log)+"/"))
	if err != nil {
		return nil, err
	}
	if data, err = os.ReadFile(partial[0]); err != nil {
		return nil, err
	}
	return tlog.ParseBundle(data, last.Width)
}
