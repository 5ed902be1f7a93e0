package source

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

var kinds = []string{"csv", "jsonl", "xlsx", "sqlite"}

// table is what a test writes in every kind of source. A cell is nil or a text.
type table struct {
	name    string
	columns []string
	rows    [][]any
}

// write puts tables where a source of the kind finds them.
func write(t testing.TB, kind string, tables ...table) Config {
	t.Helper()
	c := Config{Name: "test", Kind: kind, Path: t.TempDir()}
	if kind == "csv" || kind == "jsonl" {
		c.Encoding, c.Newlines = "utf-8", kind == "csv"
	}
	if kind == "sqlite" {
		c.Path = filepath.Join(c.Path, "data.db")
	}
	for _, table := range tables {
		switch kind {
		case "csv":
			put(t, filepath.Join(c.Path, table.name+".csv"), asCSV(t, table))
		case "jsonl":
			put(t, filepath.Join(c.Path, table.name+".jsonl"), asJSONL(t, table))
		case "xlsx":
			put(t, filepath.Join(c.Path, table.name+".xlsx"), asXLSX(t, table))
		case "sqlite":
			asSQLite(t, c.Path, table)
		}
	}
	return c
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func asCSV(t testing.TB, table table) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(table.columns)
	for _, row := range table.rows {
		fields := make([]string, len(row))
		for i, c := range row {
			fields[i], _ = c.(string)
		}
		w.Write(fields)
	}
	w.Flush()
	if w.Error() != nil {
		t.Fatal(w.Error())
	}
	return b.Bytes()
}

func asJSONL(t testing.TB, table table) []byte {
	var b bytes.Buffer
	for _, row := range table.rows {
		b.WriteByte('{')
		for i, c := range row {
			name, err1 := json.Marshal(table.columns[i])
			value, err2 := json.Marshal(c)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			fmt.Fprintf(&b, "%s%s: %s", []string{"", ", "}[min(i, 1)], name, value)
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

func asSQLite(t testing.TB, path string, table table) {
	db := openSQLite(t, path)
	defer db.Close()
	columns := make([]string, len(table.columns))
	for i, name := range table.columns {
		columns[i] = quoted(name) + " TEXT"
	}
	execSQL(t, db, "CREATE TABLE "+quoted(table.name)+" ("+strings.Join(columns, ", ")+")")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	insert, err := tx.Prepare("INSERT INTO " + quoted(table.name) + " VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.rows {
		if _, err := insert.Exec(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func openSQLite(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func execSQL(t testing.TB, db *sql.DB, query string, values ...any) {
	t.Helper()
	if _, err := db.Exec(query, values...); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c Config) *Source {
	t.Helper()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	s.timeout = time.Hour // tests check what a source returns, whatever the machine's speed
	t.Cleanup(func() { s.Close() })
	return s
}

// rowsOf returns only the rows of what a source finds.
func rowsOf(s *Source, ctx context.Context, d *catalog.Dataset, who consent.Subject) ([]catalog.Row, error) {
	found, err := s.Rows(ctx, d, who)
	return found.Rows, err
}

// code returns the n-th valid social credit code.
func code(n int) string {
	const digits = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	inner := fmt.Sprintf("%08d", n)
	sum := 0
	for i, w := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		sum += w * int(inner[i]-'0')
	}
	c := "91110000" + inner + string("0123456789X"[(11-sum%11)%11])
	sum = 0
	for i, w := 0, 1; i < len(c); i, w = i+1, w*3%31 {
		sum += w * strings.IndexByte(digits, c[i])
	}
	return c + string(digits[(31-sum%31)%31])
}

func subject(n int) consent.Subject { return consent.Subject("uscc:" + code(n)) }

// dataset is a table with one field of each type.
func dataset() *catalog.Dataset {
	return &catalog.Dataset{
		Name: "vat", Table: "vat_returns", Key: "taxpayer", Date: "day", Unique: []string{"day", "name"}, Also: []string{catalog.KeyLEI},
		Fields: []catalog.Field{
			{Name: "name", Type: catalog.TypeText},
			{Name: "count", Column: "headcount", Type: catalog.TypeInteger},
			{Name: "amount", Type: catalog.TypeDecimal},
			{Name: "day", Type: catalog.TypeDate},
			{Name: "active", Type: catalog.TypeBool},
		},
	}
}

var columns = []string{"taxpayer", "name", "headcount", "amount", "day", "active"}

// show formats rows so that equal rows give equal texts.
func show(rows []catalog.Row) string {
	var b strings.Builder
	for _, r := range rows {
		for _, v := range r {
			if day, ok := v.(consent.Day); ok {
				v = int32(day)
			}
			fmt.Fprintf(&b, "%v|", v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// codeOf returns an error's stable code; "" for none.
func codeOf(t testing.TB, err error) Code {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("an error without code: %v", err)
	}
	if e == nil {
		return ""
	}
	return e.Code
}

func writing(t testing.TB, point, thousands string, dates []string) catalog.Writing {
	t.Helper()
	w, err := catalog.NewWriting(point, thousands, dates)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// unusableKeys identify no subject, and nothing is guessed from them.
var unusableKeys = []any{
	nil, "", "?", "91110000600037341X", "lei:" + code(1), code(1)[:17], code(1) + "0", "9.19902E+17", "110000000000013", "11010519491231002X",
	strings.Replace(code(1), "1", "I", 1), code(1) + "," + code(2), code(1)[:9] + " " + code(1)[9:], code(1)[:9] + "-" + code(1)[9:], "uscc:" + code(1) + ":1",
}

// mendable returns spellings of one code that can mean only this code.
func mendable(code string) (spellings []string) {
	wide := strings.Map(func(r rune) rune { return r + 0xFEE0 }, code)
	return []string{
		code + " ", " " + code, "\t" + code, code + "\u00a0", code + "\u200b", "\uFEFF" + code, "\u3000" + code + "\u3000", strings.ToLower(code), "'" + code, "’" + code,
		wide, code[:3] + wide[9:12] + code[4:], `="` + code + `"`, "USCC:" + code, "Uscc: " + code, "uscc：" + strings.ToLower(code), " '" + wide + " ",
	}
}

// badValues are refused by the type of their column (an index of columns).
var badValues = []struct {
	column int
	text   string
}{
	{2, "12.0"}, {2, "1,234"}, {2, "1e3"}, {2, "+12"}, {2, "--12"}, {2, "-"}, {2, "１２"}, {2, " 12"}, {2, "0x12"}, {2, "1_000"},
	{3, "1,234.50"}, {3, "1.5e3"}, {3, "+1.50"}, {3, ".55"}, {3, "155."}, {3, "1.2.3"}, {3, "1 234"}, {3, "￥123"}, {3, "NaN"}, {3, "−1.5"}, {3, "１.５"}, {3, "-.-"},
	{4, "2026-02-30"}, {4, "2026-3-15"}, {4, "31.01.2026"}, {4, "2026/01/31"}, {4, "2026-03-15 00:00:00"}, {4, "202603"}, {4, "1799-12-31"}, {4, "2026年1月"}, {4, "1769817600"},
	{5, "yes"}, {5, "tRUE"}, {5, "2"}, {5, "有效"}, {5, " true"},
}

// silent checks that an error shows no value of the table.
func silent(t *testing.T, err error, rows [][]any) {
	t.Helper()
	if err == nil {
		return
	}
	for _, row := range rows {
		for _, c := range row {
			text, _ := c.(string)
			if word := strings.TrimSpace(text); word == "true" || word == "false" {
				continue // the message lists these as allowed
			}
			if len(text) > 3 && strings.Contains(err.Error(), text) {
				t.Fatalf("the error shows a value: %v", err)
			}
		}
	}
}

// TestNotReadable: errors of a whole table or source say what to do.
func TestNotReadable(t *testing.T) {
	for _, kind := range kinds {
		s := open(t, write(t, kind, table{"other", columns, nil}))
		_, err := rowsOf(s, context.Background(), dataset(), subject(1))
		if codeOf(t, err) != NotReadable || !strings.Contains(err.Error(), "correct") {
			t.Errorf("%s, no table: %v", kind, err)
		}
		if _, err = s.Test(context.Background(), dataset(), Try{}, nil); codeOf(t, err) != NotReadable {
			t.Errorf("%s, no table: %v", kind, err)
		}
		_, err = Open(Config{Name: "x", Kind: kind, Path: filepath.Join(t.TempDir(), "none")})
		if codeOf(t, err) != NotReadable || strings.Contains(err.Error(), t.TempDir()) {
			t.Errorf("%s, no path: %v", kind, err)
		}
	}
	s := open(t, Config{Kind: "csv", Path: t.TempDir()})
	if _, err := rowsOf(s, context.Background(), dataset(), subject(1)); err == nil || !strings.Contains(err.Error(), "put the tables there") {
		t.Errorf("empty folder: %v", err)
	}
	text := filepath.Join(t.TempDir(), "text.db")
	put(t, text, []byte(strings.Repeat("this is no database\n", 100)))
	for _, c := range []Config{{Kind: "sqlite", Path: text}, {Kind: "sqlite", Path: t.TempDir()}, {Kind: "csv", Path: text}} {
		if _, err := Open(c); codeOf(t, err) != NotReadable {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, c := range []Config{{Kind: "csv"}, {Kind: "ods", Path: t.TempDir()}, {Path: t.TempDir()}} {
		if _, err := Open(c); err == nil {
			t.Errorf("%v opens", c)
		}
	}
}

func TestSubjectOfRows(t *testing.T) {
	s := open(t, write(t, "csv", table{"vat_returns", columns, nil}))
	for _, bad := range []consent.Subject{"", "uscc:", "uscc:x' OR 1=1", consent.Subject(code(1))} {
		if _, err := rowsOf(s, context.Background(), dataset(), bad); err == nil {
			t.Errorf("%q is taken for a subject", bad)
		}
	}
	lei := []any{"506700GE1G29325QX363", "x", nil, nil, nil, nil}
	for _, kind := range kinds {
		s := open(t, write(t, kind, table{"vat_returns", columns, [][]any{lei, {"lei:506700GE1G29325QX363", "y", nil, nil, nil, nil}}}))
		rows, err := rowsOf(s, context.Background(), dataset(), "lei:506700GE1G29325QX363")
		if err != nil || len(rows) != 2 {
			t.Errorf("%s: %d rows, %v", kind, len(rows), err)
		}
	}
}

// TestOneBesideUnusable: while a table has a row with an unusable key, a
// dataset of one record each answers only a record found by its exact key.
func TestOneBesideUnusable(t *testing.T) {
	d := one()
	d.One = true
	for _, kind := range kinds {
		s := open(t, write(t, kind, table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}, {code(2) + " ", "b"}, {"?", "c"}, {code(4), "d"}, {code(4), "e"}}}))
		for n, want := range map[int]Code{1: "", 2: Keys, 3: Keys, 4: Keys} {
			rows, err := rowsOf(s, context.Background(), d, subject(n))
			if codeOf(t, err) != want || want == "" && len(rows) != 1 {
				t.Errorf("%s, firm %d: %v, %v", kind, n, rows, err)
			}
		}
	}
}

// TestUndeclaredKind: a table is asked only about the kinds of subjects that
// the catalog declares.
func TestUndeclaredKind(t *testing.T) {
	for _, kind := range kinds {
		s := open(t, write(t, kind, table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}}}))
		if _, err := rowsOf(s, context.Background(), one(), "lei:506700GE1G29325QX363"); codeOf(t, err) != NoKeys {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
