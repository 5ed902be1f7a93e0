//go:build !race

package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHugeRow: a row of two gigabytes needs no memory.
func TestHugeRow(t *testing.T) {
	for _, kind := range []string{"csv", "jsonl"} {
		c := Config{Kind: kind, Path: t.TempDir()}
		f, err := os.Create(filepath.Join(c.Path, "t."+kind))
		if err != nil {
			t.Fatal(err)
		}
		head := map[string]string{"csv": "key,v\n", "jsonl": "{}\n"}[kind]
		if _, err := f.WriteString(head); err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(2 << 30); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		s := open(t, c)
		s.timeout = time.Hour
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = rowsOf(s, context.Background(), one(), subject(1))
		if codeOf(t, err) != RowTooLong {
			t.Errorf("%s: %v", kind, err)
		}
		if kind == "csv" {
			report, err := s.Test(context.Background(), one(), Try{}, nil)
			if err != nil || report.Bad != 1 || !slices.Equal(report.BadRows, []Bad{{2, "", RowTooLong}}) {
				t.Errorf("%s: %+v, %v", kind, report, err)
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
			t.Errorf("%s: %d bytes allocated", kind, n)
		}
	}
}

// TestAsideInBulk: real registers have thousands of such rows. Fingerprints
// reveal neither key nor value, and differ between members.
func TestAsideInBulk(t *testing.T) {
	for _, kind := range kinds {
		w := owned(t, kind)
		const many = 5000
		for i := range many {
			w.rows = append(w.rows, []any{fmt.Sprintf("%015d", i), "欠9", "2026-05-01", "9.00", nil})
		}
		w.marked = int64(len(w.rows))
		s := w.open()
		rows, _, err := s.Nobodys(context.Background(), w.dataset)
		if err != nil {
			t.Fatal(err)
		}
		var all []Fingerprint
		for _, r := range rows {
			all = append(all, r.Fingerprint)
		}
		if err := s.SetAside(context.Background(), w.dataset, asideBy(all...)); err != nil {
			t.Fatal(err)
		}
		if a := w.answer(s, 2); a.Value != "0.00" || a.Aside != many+3 {
			t.Errorf("%s: %+v", kind, a)
		}
		w.own.Secret = []byte("another secret")
		others, _, err := w.open().Nobodys(context.Background(), w.dataset)
		if err != nil || len(others) != many+3 || others[9].Fingerprint == rows[9].Fingerprint || others[9].Aside != nil {
			t.Errorf("%s: %d, %v", kind, len(others), err)
		}
	}
}

// TestSQLiteManyKeys: with many chunks, with gaps between row numbers, and in
// tables without row numbers, every key is counted and a deviant key is found
// wherever it is.
func TestSQLiteManyKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db := openSQLite(t, path)
	defer db.Close()
	execSQL(t, db, "CREATE TABLE t (rowid TEXT, key TEXT, v TEXT)")
	execSQL(t, db, "CREATE TABLE bare (n INTEGER PRIMARY KEY, key TEXT, v TEXT) WITHOUT ROWID")
	const rows = 3*chunk + 1
	insert := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO ", rows)
	execSQL(t, db, insert+"t (_rowid_, key, v) SELECT i * 7 - 5000, ?, i FROM n", code(1))
	execSQL(t, db, insert+"bare SELECT i, ?, i FROM n", code(1))
	execSQL(t, db, "INSERT INTO t (_rowid_, key, v) VALUES (-9223372036854775808, ?, 'least'), (9223372036854775807, ?, 'most')", code(2), code(2))
	s := open(t, Config{Kind: "sqlite", Path: path})
	for _, table := range []string{"t", "bare"} {
		d := one()
		d.Table = table
		total := int64(rows)
		if table == "t" {
			total += 2
		}
		for _, at := range []string{"least", "1", fmt.Sprint(chunk), fmt.Sprint(chunk + 1), fmt.Sprint(rows), "most"} {
			execSQL(t, db, "UPDATE "+table+" SET key = key || ' ' WHERE v = ?", at)
			got, err := s.Survey(context.Background(), d)
			want := int64(1)
			if table == "bare" && strings.Contains("least most", at) {
				want = 0
			}
			if err != nil || got.Census.Rows != total || got.Census.Mended != want || got.Census.Unusable != 0 {
				t.Errorf("%s, %s: %+v, %v", table, at, got.Census, err)
			}
			execSQL(t, db, "UPDATE "+table+" SET key = rtrim(key) WHERE v = ?", at)
		}
	}
}
