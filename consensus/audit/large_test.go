package audit_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
)

// A large log for other tools, in the folders and files of an export:
//
//	go test ./consensus/audit -run TestLargeLog -v -timeout 0 -entries 10000000 -dir DIR
//
// This makes ticks, the smallest entries, 2.1 GB of them. With -queries it makes
// grants, queries and answers, 1.1 GB for each million. Memory is bounded.
var (
	entries = flag.Int("entries", 3_000, "entries of the log of TestLargeLog and BenchmarkReplay")
	dir     = flag.String("dir", "", "where TestLargeLog leaves the export, log/, policy and age.key, as an absolute path")
	queries = flag.Bool("queries", false, "TestLargeLog makes queries, not ticks")
)

// TestLargeLog writes an export. Unless the export is for other tools, it then
// verifies and replays the export.
func TestLargeLog(t *testing.T) {
	where := *dir
	if where == "" {
		where = t.TempDir()
	}
	start := time.Now()
	w := large(t, where, *entries, *queries)
	size, bytes := w.Finish("auditor", "tax")
	t.Logf("%d entries of %d bytes, tiles included, made in %v", size, bytes, time.Since(start).Round(time.Millisecond))
	err := audittest.Write(where, map[string][]byte{"policy": []byte(w.Policy(2)), "age.key": []byte(w.IdentityFile("auditor"))})
	if err != nil {
		t.Fatal(err)
	}
	if *dir != "" {
		return
	}
	start = time.Now()
	l, r := replayed(t, where, w.Policy(2), audit.NewReplayer(), nil)
	if r.Summary().Head != l.Head || l.Size != size {
		t.Fatalf("%+v, want %+v", r.Summary(), l.Head)
	}
	t.Logf("verified and replayed in %v", time.Since(start).Round(time.Millisecond))
}

// large lets a log grow in a folder.
func large(t *testing.T, where string, n int, queries bool) *audittest.World {
	w := audittest.New(t)
	w.Stream(where)
	if queries {
		w.Traffic(n)
	} else {
		w.Grow(n)
	}
	return w
}

// replayed verifies and replays the export in a folder, and passes on each
// entry.
func replayed(t *testing.T, where, trust string, r *audit.Replayer, each func(*audit.Entry) error) (*audit.Log, *audit.Replayer) {
	t.Helper()
	log := os.DirFS(filepath.Join(where, "log"))
	l, err := audit.Load(audit.Source{Fetch: func(path string) ([]byte, error) { return fs.ReadFile(log, path) }}, policy(t, trust))
	if err != nil {
		t.Fatal(err)
	}
	l.Expect = r.Expect
	err = l.Verify(nil, func(leaf []byte) error {
		e, err := r.Add(leaf)
		if err == nil && each != nil {
			err = each(e)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, r
}
