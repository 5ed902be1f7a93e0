package source

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

var keyRows = flag.Int("keys", 1_000_000, "rows of BenchmarkKeys")

// BenchmarkKeys measures the first pass over the keys of a table in SQLite,
// compared with the least that SQLite itself needs to read all keys:
//
//	go test ./node/source -run - -bench Keys -keys 10000000
//
// ratio is the first time divided by the second; bytes is the memory allocated
// per row.
func BenchmarkKeys(b *testing.B) {
	path := filepath.Join(b.TempDir(), "data.db")
	db := openSQLite(b, path)
	defer db.Close()
	execSQL(b, db, "PRAGMA synchronous = OFF")
	execSQL(b, db, "CREATE TABLE codes (n INTEGER PRIMARY KEY, code TEXT)")
	const firms = 1000
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	for n := range firms {
		if _, err := tx.Exec("INSERT INTO codes VALUES (?, ?)", n, code(n)); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	execSQL(b, db, "CREATE TABLE t (key TEXT, v TEXT)")
	execSQL(b, db, fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO t SELECT (SELECT code FROM codes WHERE codes.n = i %% %d), '2026-01-31' FROM n", *keyRows, firms))
	s := open(b, Config{Kind: "sqlite", Path: path})
	base := s.tables.(*database)
	for b.Loop() {
		start := time.Now()
		var sum int64
		if err := db.QueryRow("SELECT sum(length(key)) FROM t").Scan(&sum); err != nil || sum != 18*int64(*keyRows) {
			b.Fatal(sum, err)
		}
		least := time.Since(start)
		start = time.Now()
		keys, err := base.pass(context.Background(), one())
		if err != nil || keys.sorter.census.Rows != int64(*keyRows) || keys.sorter.census.Unusable+keys.sorter.census.Mended != 0 {
			b.Fatalf("%+v, %v", keys, err)
		}
		pass := time.Since(start)
		b.ReportMetric(float64(least.Nanoseconds())/float64(*keyRows), "ns-least/row")
		b.ReportMetric(float64(pass.Nanoseconds())/float64(*keyRows), "ns-pass/row")
		b.ReportMetric(float64(pass)/float64(least), "ratio")
	}
}
