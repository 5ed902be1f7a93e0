package source

import (
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// TestCheckedTableHoldsUpNobody: while the keys of a table are read without end,
// another table of the database is answered, in the same question too, however
// many ask for the first.
func TestCheckedTableHoldsUpNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	db := openSQLite(t, path)
	execSQL(t, db, "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT '"+code(1)+"' AS key, i AS v FROM n")
	execSQL(t, db, "CREATE TABLE t (key TEXT, v TEXT)")
	execSQL(t, db, "INSERT INTO t VALUES ('"+code(1)+"', 'a')")
	db.Close()
	s := open(t, Config{Kind: "sqlite", Path: path})
	s.timeout = 4 * time.Second // half of which is waited once
	endless := one()
	endless.Name, endless.Table = "endless", "endless"
	for range 2 {
		found, errs := s.together(t.Context(), []*catalog.Dataset{endless, one()}, subject(1))
		if codeOf(t, errs[0]) != Checking || errs[1] != nil || show(found[1].Rows) != "a|\n" {
			t.Errorf("%v; %q, %v", errs[0], show(found[1].Rows), errs[1])
		}
	}
	var asking sync.WaitGroup
	for range 3 * concurrent {
		asking.Go(func() {
			if _, err := s.Rows(t.Context(), endless, subject(1)); codeOf(t, err) != Checking {
				t.Error(err)
			}
		})
	}
	if rows, err := rowsOf(s, t.Context(), one(), subject(1)); err != nil || show(rows) != "a|\n" {
		t.Errorf("%q, %v", show(rows), err)
	}
	asking.Wait()
	s.Close()
}

// TestEndlessView: a view of SQLite without an end gives no answer within the
// time limit, and its pass ends with the source.
func TestEndlessView(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	db := openSQLite(t, path)
	execSQL(t, db, "CREATE VIEW t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT '"+code(1)+"' AS key, i AS v FROM n")
	db.Close()
	before := runtime.NumGoroutine()
	s := open(t, Config{Kind: "sqlite", Path: path})
	s.timeout = 200 * time.Millisecond
	if rows, err := rowsOf(s, t.Context(), one(), subject(1)); codeOf(t, err).Outcome() != consent.Unavailable {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	s.Close() // waits for the pass
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines are left, %d were there before", n, before)
	}
}
