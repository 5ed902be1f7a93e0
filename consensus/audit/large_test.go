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

// A log of 100,000 entries for other tools:
// go test ./consensus/audit -run TestLargeLog -entries 100000 -dir DIR
var (
	entries = flag.Int("entries", 3_000, "entries of the log of TestLargeLog and BenchmarkReplay")
	dir     = flag.String("dir", "", "where TestLargeLog leaves the export, log/ and policy, as an absolute path")
)

// TestLargeLog writes an export and verifies and replays it from there.
func TestLargeLog(t *testing.T) {
	where := *dir
	if where == "" {
		where = t.TempDir()
	}
	w := audittest.New(t)
	w.Grow(*entries)
	err := audittest.Write(filepath.Join(where, "log"), w.Files("auditor", "tax"))
	if err == nil {
		err = audittest.Write(where, map[string][]byte{"policy": []byte(w.Policy(2))})
	}
	if err != nil {
		t.Fatal(err)
	}
	log := os.DirFS(filepath.Join(where, "log"))
	start := time.Now()
	l, err := audit.Open(audit.Source{Fetch: func(path string) ([]byte, error) { return fs.ReadFile(log, path) }}, policy(t, w.Policy(2)))
	if err != nil {
		t.Fatal(err)
	}
	r := audit.NewReplayer()
	l.Expect = r.Expect
	err = l.Verify(nil, func(leaf []byte) error {
		_, err := r.Add(leaf)
		return err
	})
	if err != nil || r.Summary().Head != l.Head || l.Size != uint64(len(w.Leaves)) {
		t.Fatalf("%+v, %v, want %+v", r.Summary(), err, l.Head)
	}
	t.Logf("%d entries verified and replayed in %v", l.Size, time.Since(start).Round(time.Millisecond))
}
