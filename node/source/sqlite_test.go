package source

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"atoll/node/catalog"
)

// TestSQLiteValues: declared types mean little in SQLite: each value is judged
// by its own type.
func TestSQLiteValues(t *testing.T) {
	cases := []struct {
		declared string
		value    any
		t        catalog.Type
		want     string
		code     Code
	}{
		{"INTEGER", int64(231), catalog.TypeDecimal, "231", ""},
		{"INTEGER", int64(-231), catalog.TypeInteger, "-231", ""},
		{"TEXT", "231.50", catalog.TypeDecimal, "231.5", ""},
		{"", "231.50", catalog.TypeDecimal, "231.5", ""},
		{"REAL", 231.0, catalog.TypeDecimal, "231", ""},
		{"REAL", 231.0, catalog.TypeInteger, "231", ""},
		{"REAL", 231.5, catalog.TypeDecimal, "", BadValue},
		{"DECIMAL(18,2)", "231.50", catalog.TypeDecimal, "", BadValue}, // SQLite stores a REAL
		{"REAL", float64(1 << 53), catalog.TypeDecimal, "", BadValue},
		{"REAL", math.Inf(1), catalog.TypeDecimal, "", BadValue},
		{"REAL", 231.0, catalog.TypeText, "", BadValue},
		{"REAL", 1.0, catalog.TypeBool, "", BadValue},
		{"REAL", 20260131.0, catalog.TypeDate, "", BadValue},
		{"INTEGER", int64(19700102), catalog.TypeDate, "1", ""},
		{"INTEGER", int64(1769817600), catalog.TypeDate, "", BadValue},
		{"DATE", "1970-01-02", catalog.TypeDate, "1", ""},
		{"DATETIME", "1970-01-02", catalog.TypeDate, "1", ""},
		{"DATETIME", "1970-01-02 00:00:00", catalog.TypeDate, "", BadValue},
		{"BOOLEAN", int64(1), catalog.TypeBool, "true", ""},
		{"BOOLEAN", int64(2), catalog.TypeBool, "", BadValue},
		{"BOOLEAN", "否", catalog.TypeBool, "false", ""},
		{"INTEGER", int64(231), catalog.TypeText, "231", ""},
		{"TIMESTAMP", "2026-01-31T00:00:00Z", catalog.TypeText, "2026-01-31T00:00:00Z", ""},
		{"BLOB", []byte("text"), catalog.TypeText, "", BadValue},
		{"BLOB", []byte{}, catalog.TypeText, "", BadValue},
		{"BLOB", bytes.Repeat([]byte{1}, MaxRecord+1), catalog.TypeText, "", RowTooLong},
		{"TEXT", strings.Repeat("x", 40<<20), catalog.TypeText, "", RowTooLong},
		{"TEXT", "a\xff", catalog.TypeText, "", Encoding},
		{"INTEGER", nil, catalog.TypeDecimal, "<nil>", ""},
	}
	for i, c := range cases {
		path := filepath.Join(t.TempDir(), "data.db")
		db := openSQLite(t, path)
		execSQL(t, db, "CREATE TABLE t (key TEXT, v "+c.declared+")")
		execSQL(t, db, "INSERT INTO t VALUES (?, ?)", code(1), c.value)
		db.Close()
		d := one()
		d.Fields[0].Type = c.t
		s := open(t, Config{Kind: "sqlite", Path: path})
		rows, err := rowsOf(s, context.Background(), d, subject(1))
		if got := codeOf(t, err); got != c.code || got == "" && show(rows) != c.want+"|\n" {
			t.Errorf("case %d, %s as %v: %.100q, %v", i, c.declared, c.t, show(rows), err)
		}
		report, err := s.Test(context.Background(), d, Try{}, nil)
		if err != nil || (c.code == "") != report.OK() || c.code != "" && report.BadRows[0] != (Bad{1, "v", c.code}) {
			t.Errorf("case %d: %+v, %v", i, report, err)
		}
	}
}

// TestSQLiteKeys: a key is found however a column stores it, or the table gives
// no answers.
func TestSQLiteKeys(t *testing.T) {
	digits := 0 // a code that could be a number
	for i := 1; digits == 0; i++ {
		if strings.Trim(code(i), "0123456789") == "" {
			digits = i
		}
	}
	number, err := strconv.ParseInt(code(digits), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	const lei = "506700GE1G29325QX363"
	cases := []struct {
		declared string
		stored   []any
		n        int
		want     int
		code     Code
	}{
		{declared: "TEXT COLLATE NOCASE", stored: []any{code(1), strings.ToLower(code(1)), "USCC:" + code(1)}, n: 1, want: 3},
		{declared: "TEXT COLLATE RTRIM", stored: []any{code(1), code(1) + "  "}, n: 1, want: 2},
		{declared: "TEXT", stored: []any{code(digits), "0" + code(digits)}, n: digits, code: Keys},
		{declared: "INTEGER", stored: []any{code(digits), code(digits) + " "}, n: digits, want: 2},
		{declared: "", stored: []any{code(digits), "uscc:" + code(digits), number}, n: digits, want: 3},
		{declared: "", stored: []any{number, code(1)}, n: 1, want: 1},
		{declared: "", stored: []any{code(1), []byte(code(1))}, n: 1, code: Keys},
		{declared: "BLOB", stored: []any{code(1), number}, n: digits, want: 1},
		{declared: "REAL", stored: []any{number}, n: digits, code: Keys},
		{declared: "NUMERIC", stored: []any{lei, code(1)}, n: 1, code: Keys}, // of a kind that is not declared
	}
	for i, c := range cases {
		path := filepath.Join(t.TempDir(), "data.db")
		db := openSQLite(t, path)
		execSQL(t, db, "CREATE TABLE t (key "+c.declared+", v TEXT)")
		execSQL(t, db, "CREATE INDEX by_key ON t (key)")
		execSQL(t, db, "CREATE VIEW viewed AS SELECT key, v FROM t")
		execSQL(t, db, "CREATE VIEW computed AS SELECT key + 0 AS key, v FROM t WHERE typeof(key) = 'integer'")
		for _, key := range c.stored {
			execSQL(t, db, "INSERT INTO t VALUES (?, 'x')", key)
		}
		db.Close()
		s := open(t, Config{Kind: "sqlite", Path: path})
		for _, table := range []string{"t", "viewed"} {
			d := one()
			d.Table = table
			rows, err := rowsOf(s, context.Background(), d, subject(c.n))
			if codeOf(t, err) != c.code || len(rows) != c.want {
				t.Errorf("case %d, %s: %d rows, want %d, %v", i, table, len(rows), c.want, err)
			}
			report, err := s.Test(context.Background(), d, Try{}, nil)
			if err != nil || report.OK() != (c.code == "") {
				t.Errorf("case %d, %s: the test says %+v, %v", i, table, report, err)
			}
		}
		if slices.Contains(c.stored, any(number)) && c.declared != "REAL" {
			d := one()
			d.Table = "computed"
			if rows, err := rowsOf(s, context.Background(), d, subject(digits)); err != nil || len(rows) != 1 {
				t.Errorf("case %d, computed: %d rows, %v", i, len(rows), err)
			}
		}
	}
}

// TestSQLiteKeysAgain: a row with an unusable key is noticed as soon as it
// exists, however the database is written, and no longer than it exists.
func TestSQLiteKeysAgain(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		c := write(t, "sqlite", table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}}})
		db := openSQLite(t, c.Path)
		execSQL(t, db, "PRAGMA journal_mode = "+mode)
		s := open(t, c)
		// In every other round the files appear to have been written long ago,
		// each time later than before. In these rounds lists are kept.
		then := time.Now().Add(-time.Hour)
		write := func(i int, query string, values ...any) {
			execSQL(t, db, query, values...)
			for _, name := range []string{c.Path, c.Path + "-wal"} {
				if then = then.Add(time.Second); i%2 == 1 {
					continue
				}
				if err := os.Chtimes(name, then, then); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
		}
		for i := range 30 {
			if rows, err := rowsOf(s, context.Background(), one(), subject(1)); err != nil || len(rows) != 1 {
				t.Fatalf("%s %d: %v, %v", mode, i, rows, err)
			}
			write(i, "INSERT INTO t VALUES (?, 'b')", code(1)[:17])
			if _, err := rowsOf(s, context.Background(), one(), subject(1)); codeOf(t, err) != Keys {
				t.Fatalf("%s %d: %v", mode, i, err)
			}
			write(i, "UPDATE t SET key = ? WHERE v = 'b'", code(1)+" ")
			if rows, err := rowsOf(s, context.Background(), one(), subject(1)); err != nil || len(rows) != 2 {
				t.Fatalf("%s %d: %v, %v", mode, i, rows, err)
			}
			write(i, "DELETE FROM t WHERE v = 'b'")
		}
		db.Close()
	}
}

// TestSQLiteCollations: whatever the collation of a key column is, a lookup
// uses its index, or at least finds all rows.
func TestSQLiteCollations(t *testing.T) {
	for _, collation := range []string{"BINARY", "NOCASE", "RTRIM", "PINYIN"} {
		path := filepath.Join(t.TempDir(), "data.db")
		db := openSQLite(t, path)
		execSQL(t, db, "CREATE TABLE t (key TEXT COLLATE "+strings.Replace(collation, "PINYIN", "NOCASE", 1)+", v TEXT)")
		execSQL(t, db, "CREATE INDEX keys ON t (key)")
		if collation == "PINYIN" { // which only its own program knows
			execSQL(t, db, "PRAGMA writable_schema = 1")
			execSQL(t, db, "UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'PINYIN')")
		}
		db.Close()
		db = openSQLite(t, path)
		defer db.Close()
		if collation != "PINYIN" {
			execSQL(t, db, "INSERT INTO t VALUES (?, 'a'), (?, 'b'), (?, 'c')", code(1), strings.ToLower(code(1)), code(2))
			var plan, rest string
			base, d := &database{dialect: sqliteFile{path}}, one()
			fields := base.fields(d, nil, nil)
			probing := sqliteFile{path}.probing(base.selection(d, fields, nil), fields[0], 3, "", MaxRows)
			if err := db.QueryRow("EXPLAIN QUERY PLAN "+probing, 1, 2, 3).Scan(&rest, &rest, &rest, &plan); err != nil || !strings.Contains(plan, "SEARCH r USING INDEX keys") {
				t.Errorf("%s: %q, %v", collation, plan, err)
			}
		} else if _, err := db.Exec("INSERT INTO t VALUES ('x', 'a')"); err == nil {
			t.Error("the collation is known")
		}
		rows, err := rowsOf(open(t, Config{Kind: "sqlite", Path: path}), t.Context(), one(), subject(1))
		if want := map[bool]string{true: "", false: "a|\nb|\n"}[collation == "PINYIN"]; show(rows) != want || codeOf(t, err) != map[bool]Code{true: Empty}[collation == "PINYIN"] {
			t.Errorf("%s: %q, %v", collation, show(rows), err)
		}
	}
}

// TestSQLiteNames: names are identifiers, whatever they contain, and views are
// tables. A name that the table does not have is missing, even where SQLite
// would read it as a text.
func TestSQLiteNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?%#&b.db")
	const odd = `t"; DROP TABLE "x`
	dsn := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	asSQLite(t, dsn, table{odd, []string{"key", `v"1`, "select", "键"}, [][]any{{code(1), "a", "b", "c"}}})
	db := openSQLite(t, dsn)
	execSQL(t, db, "CREATE VIEW v AS SELECT key, max(\"select\") AS v, '汇总' AS w FROM "+quoted(odd)+" GROUP BY key")
	execSQL(t, db, "CREATE TABLE g (key TEXT PRIMARY KEY, a INTEGER, v INTEGER GENERATED ALWAYS AS (a * 2)) WITHOUT ROWID")
	execSQL(t, db, "INSERT INTO g VALUES (?, 21)", code(1))
	db.Close()
	s := open(t, Config{Kind: "sqlite", Path: path})
	rowsOf := func(table string, names ...string) (string, error) {
		d := &catalog.Dataset{Table: table, Key: "key"}
		for _, name := range names {
			d.Fields = append(d.Fields, catalog.Field{Name: "f", Column: name, Type: catalog.TypeText})
		}
		rows, err := rowsOf(s, context.Background(), d, subject(1))
		return show(rows), err
	}
	for _, c := range []struct {
		table string
		names []string
		want  string
	}{
		{odd, []string{"键", `v"1`, "select", "select"}, "c|a|b|b|\n"},
		{"v", []string{"v", "w"}, "b|汇总|\n"},
		{"g", []string{"v"}, "42|\n"},
	} {
		if got, err := rowsOf(c.table, c.names...); err != nil || got != c.want {
			t.Errorf("%s %v: %q, %v", c.table, c.names, got, err)
		}
	}
	for _, name := range []string{"nothing", `v""1`, "SELECT", "rowid", "", "1", "key) --", "a\x00b"} {
		if _, err := rowsOf(odd, name); codeOf(t, err) != MissingColumn {
			t.Errorf("column %q: %v", name, err)
		}
	}
	for _, name := range []string{"nothing", "sqlite_schema", "V", "", "main.v", "pragma_database_list"} {
		if _, err := rowsOf(name, "v"); codeOf(t, err) != NotReadable {
			t.Errorf("table %q: %v", name, err)
		}
	}
}

// TestSQLiteReadOnly: reading changes nothing, and cannot change anything.
func TestSQLiteReadOnly(t *testing.T) {
	c := write(t, "sqlite", table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}}})
	before, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, c)
	report, err := s.Test(context.Background(), one(), Try{}, nil)
	if err != nil || report.Account != nil {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := rowsOf(s, context.Background(), one(), subject(1)); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(c.Path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database is another, %v", err)
	}
	if left, err := filepath.Glob(c.Path + "?*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestImport: imported rows can be read; a second import changes nothing.
func TestImport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	rows := [][]string{{code(1), "a\"b"}, {code(1), ""}, {code(1)}}
	for i := range 2 {
		if err := Import(context.Background(), path, []Imported{{"t", []string{"key", "v"}, rows}}, 20000); (err == nil) != (i == 0) {
			t.Errorf("import %d: %v", i+1, err)
		}
	}
	got, err := rowsOf(open(t, Config{Kind: "sqlite", Path: path}), context.Background(), one(), subject(1))
	if err != nil || show(got) != "<nil>|\n<nil>|\na\"b|\n" {
		t.Errorf("%v, %v", got, err)
	}
	for _, n := range []int{0, 1, atOnce - 1, atOnce, 2*atOnce + 7} {
		path := filepath.Join(t.TempDir(), "data.db")
		many := make([][]string, n)
		for i := range many {
			many[i] = []string{code(i % 3), fmt.Sprint("v", i)}
		}
		if err := Import(t.Context(), path, []Imported{{"u", []string{"key", "v"}, nil}, {"t", []string{"key", "v"}, many}}, 20000); err != nil {
			t.Fatal(err)
		}
		found := 0
		for i := range 3 {
			got, err := rowsOf(open(t, Config{Kind: "sqlite", Path: path}), t.Context(), one(), subject(i))
			if err != nil && n > 0 {
				t.Error(err)
			}
			found += len(got)
		}
		if found != n {
			t.Errorf("%d of %d rows", found, n)
		}
	}
}

// TestSQLiteReplaced: a database whose file was replaced is read anew.
func TestSQLiteReplaced(t *testing.T) {
	c := write(t, "sqlite", table{"t", []string{"key", "v"}, [][]any{{code(1), "old"}}})
	s := open(t, c)
	for _, v := range []string{"old", "new", "newer"} {
		next := write(t, "sqlite", table{"t", []string{"key", "v"}, [][]any{{code(1), v}}})
		if err := os.Rename(next.Path, c.Path); err != nil {
			t.Fatal(err)
		}
		if rows, err := rowsOf(s, context.Background(), one(), subject(1)); err != nil || show(rows) != v+"|\n" {
			t.Errorf("%s: %v, %v", v, rows, err)
		}
	}
}

// TestSQLiteWaits: a writer that locks the whole database, or a query that
// takes too long, causes an error with a code.
func TestSQLiteWaits(t *testing.T) {
	c := write(t, "sqlite", table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}}})
	s := open(t, c)
	s.timeout = 2 * time.Second // half of which the pass is waited for
	db := openSQLite(t, c.Path)
	defer db.Close()
	db.SetMaxOpenConns(1)
	execSQL(t, db, "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'x' || i AS key, i AS v FROM n")
	d := one()
	d.Table = "slow"
	if _, err := rowsOf(s, context.Background(), d, subject(1)); codeOf(t, err) != Checking {
		t.Error(err)
	}
	s.Close() // otherwise the pass over the view would continue
	s = open(t, c)
	s.timeout = 200 * time.Millisecond
	execSQL(t, db, "BEGIN EXCLUSIVE")
	if _, err := rowsOf(s, context.Background(), one(), subject(1)); codeOf(t, err) != TimedOut && codeOf(t, err) != NotReadable && codeOf(t, err) != Checking {
		t.Error(err)
	}
	execSQL(t, db, "ROLLBACK")
	s.timeout = Timeout
	if rows, err := rowsOf(s, context.Background(), one(), subject(1)); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
}

const writerPath = "ATOLL_TEST_WRITER"

// TestMain also runs the other process of TestSQLiteWhileWritten.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerPath); path != "" {
		fmt.Fprintln(os.Stderr, writeForEver(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForEver adds pairs of rows until its process is killed.
func writeForEver(path string) error {
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		for range 2 {
			if _, err := tx.Exec("INSERT INTO t VALUES (?, ?)", code(1), fmt.Sprint(n)); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		time.Sleep(time.Millisecond) // the reader's limit of rows is not reached before it has read often
	}
}

// TestSQLiteWhileWritten: a database in WAL mode is read while another process
// writes to it. Each read sees whole transactions.
func TestSQLiteWhileWritten(t *testing.T) {
	c := write(t, "sqlite", table{"t", []string{"key", "v"}, nil})
	db := openSQLite(t, c.Path)
	execSQL(t, db, "PRAGMA journal_mode = WAL")
	db.Close()
	writer := exec.Command(os.Args[0])
	writer.Env = append(os.Environ(), writerPath+"="+c.Path)
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	defer writer.Wait()
	defer writer.Process.Kill()
	s := open(t, c)
	d := one()
	d.MayBeEmpty = true
	var counts []int
	for deadline := time.Now().Add(time.Minute); len(counts) < 50; {
		rows, err := rowsOf(s, context.Background(), d, subject(1))
		if codeOf(t, err) == TooManyRows && len(counts) > 10 {
			break // a fast machine
		}
		if err != nil || len(rows)%2 != 0 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if n := len(rows); len(counts) == 0 || n > counts[len(counts)-1] {
			counts = append(counts, n)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the writer is not seen: %v", counts)
		}
	}
	if !slices.IsSorted(counts) {
		t.Errorf("rows went missing: %v", counts)
	}
	report, err := s.Test(context.Background(), d, Try{}, nil)
	if err != nil || report.Account != nil || report.Rows%2 != 0 || report.Rows < int64(counts[len(counts)-1]) {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestSQLiteListedOnce: the keys of a database are listed once as long as
// nobody writes, in both journal modes, with and without a connected writer.
func TestSQLiteListedOnce(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		for _, connected := range []bool{true, false} {
			c := write(t, "sqlite", table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}}})
			db := openSQLite(t, c.Path)
			execSQL(t, db, "PRAGMA journal_mode = "+mode)
			execSQL(t, db, "INSERT INTO t VALUES (?, 'b')", code(2))
			if !connected {
				db.Close()
			}
			time.Sleep(2 * racy)
			base := open(t, c).tables.(*database)
			lists := map[*keyList]bool{}
			for range 5 {
				err := base.listed(context.Background(), one(), func(keys *keyList, _ present) error {
					lists[keys] = true
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if len(lists) != 1 {
				t.Errorf("%s, connected %v: listed %d times", mode, connected, len(lists))
			}
			db.Close()
		}
	}
}
