package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/node/catalog"
)

// one is a table with a key and one text.
func one() *catalog.Dataset {
	return &catalog.Dataset{Name: "one", Table: "t", Key: "key", Unique: []string{"v"}, Fields: []catalog.Field{{Name: "v", Type: catalog.TypeText}}}
}

// TestFiles: what spreadsheets and people do to files, with the code and the
// line of the error, or with the rows. KEY is the subject's code, OTHER another
// subject's.
func TestFiles(t *testing.T) {
	const rest = "key,v\nKEY,a\n"
	cases := []struct {
		name, kind, text, want string
		code                   Code
		line                   int64
	}{
		{name: "plain", kind: "csv", text: rest, want: "a|\n"},
		{name: "mark", kind: "csv", text: "\uFEFF" + rest, want: "a|\n"},
		{name: "mark and quotes", kind: "csv", text: "\uFEFF\"key\",\"v\"\nKEY,a\n", want: "a|\n"},
		{name: "CRLF", kind: "csv", text: "key,v\r\nKEY,a\r\n", want: "a|\n"},
		{name: "no line break at the end", kind: "csv", text: "key,v\nKEY,a", code: LoadDiffers},
		{name: "no line break at the end", kind: "jsonl", text: "{\"key\":\"KEY\",\"v\":\"a\"}", want: "a|\n"},
		{name: "empty lines", kind: "csv", text: "\n" + rest + "\r\n\n,\n,\n", want: "a|\n"},
		{name: "unnamed columns", kind: "csv", text: "key,v,,\nKEY,a,,\n", want: "a|\n"},
		{name: "line breaks in quotes", kind: "csv", text: "key,v\nOTHER,\"x\n\nKEY,y\n\"\nKEY,\"a\n\"\"b\"\"\"\n", want: "a\n\"b\"|\n"},
		{name: "line of a value", kind: "csv", text: "key,v\nOTHER,\"x\n\ny\"\nKEY,a\nKEY,\"a\n\x01\"\n", code: BadValue, line: 6},
		{name: "UTF-16", kind: "csv", text: "\xFF\xFEk\x00e\x00y\x00", code: Encoding, line: 1},
		{name: "UTF-16 without mark", kind: "csv", text: "k\x00e\x00y\x00\n", code: Encoding, line: 1},
		{name: "GBK header", kind: "csv", text: "key,\xC3\xFB\xB3\xC6\n", code: Encoding, line: 1},
		{name: "GBK", kind: "csv", text: rest + "OTHER,\xC3\xFB\xB3\xC6\n", code: Encoding, line: 3},
		{name: "duplicate column", kind: "csv", text: "key,v,v\nKEY,a,b\n", code: DuplicateColumn, line: 1},
		{name: "stray quote", kind: "csv", text: rest + "OTHER,x\"y\"\nKEY,b\n", code: BadRow, line: 3},
		{name: "behind a quote", kind: "csv", text: rest + "OTHER,\"x\"y\nKEY,b\n", code: BadRow, line: 3},
		{name: "open quote", kind: "csv", text: rest + "OTHER,\"x\nKEY,b\n", code: BadRow, line: 3},
		{name: "few columns", kind: "csv", text: rest + "OTHER\n", code: BadRow, line: 3},
		{name: "many columns", kind: "csv", text: rest + "OTHER,1,234\n", code: BadRow, line: 3},
		{name: "semicolons", kind: "csv", text: "key;v\nKEY;a\n", code: MissingColumn},
		{name: "no header", kind: "csv", code: Empty},
		{name: "header alone", kind: "csv", text: "key,v\n", code: Empty},
		{name: "lines that end in CR", kind: "csv", text: "key,v\rKEY,a\r", code: BadRow, line: 1},
		{name: "one line that ends in CR", kind: "csv", text: rest + "OTHER,x\rKEY,b\n", code: BadRow, line: 3},
		{name: "lines that end in CR", kind: "jsonl", text: "{\"key\":\"KEY\",\"v\":\"a\"}\r{\"key\":\"KEY\",\"v\":\"b\"}\r", code: BadRow, line: 1},
		{name: "GBK that reads as UTF-8", kind: "csv", text: rest + "OTHER,\xD0\xA1\xCE\xA2\n", code: Encoding, line: 3},
		{name: "GBK that reads as UTF-8", kind: "jsonl", text: "{\"key\":\"KEY\",\"v\":\"\xD0\xA1\xCE\xA2\"}\n", code: Encoding, line: 1},
		{name: "two bytes among three", kind: "csv", text: rest + "KEY,阿卜·提\n", want: "a|\n阿卜·提|\n"},
		{name: "two bytes behind a mark", kind: "csv", text: "\uFEFF" + rest + "KEY,é\n", want: "a|\né|\n"},
		{name: "long row", kind: "csv", text: rest + "OTHER," + strings.Repeat("x", MaxRecord) + "\nKEY,b\n", code: RowTooLong, line: 3},

		{name: "plain", kind: "jsonl", text: `{"key":"KEY","v":"a","x":{"y":[1,{}]}}`, want: "a|\n"},
		{name: "mark and CRLF", kind: "jsonl", text: "\uFEFF{\"key\":\"KEY\",\"v\":\"a\"}\r\n\r\n", want: "a|\n"},
		{name: "missing is no value", kind: "jsonl", text: "{\"key\":\"KEY\",\"v\":\"a\"}\n{\"key\":\"KEY\"}\n{\"key\":\"KEY\",\"v\":null}", want: "<nil>|\n<nil>|\na|\n"},
		{name: "never there", kind: "jsonl", text: `{"key":"KEY","V":"a"}`, code: MissingColumn},
		{name: "no rows", kind: "jsonl", code: Empty},
		{name: "number as text", kind: "jsonl", text: `{"key":"KEY","v":1.50}`, want: "1.50|\n"},
		{name: "object", kind: "jsonl", text: `{"key":"KEY","v":{}}`, code: BadValue, line: 1},
		{name: "bool", kind: "jsonl", text: `{"key":"KEY","v":true}`, code: BadValue, line: 1},
		{name: "half a pair", kind: "jsonl", text: `{"key":"KEY","v":"\ud800"}`, code: Encoding, line: 1},
		{name: "duplicate key", kind: "jsonl", text: "{}\n{\"v\":1,\"\\u0076\":2}", code: DuplicateColumn, line: 2},
		{name: "duplicate within", kind: "jsonl", text: `{"key":"KEY","v":"a","x":{"y":1,"y":2}}`, want: "a|\n"},
		{name: "two objects", kind: "jsonl", text: `{"key":"KEY","v":"a"}{}`, code: BadRow, line: 1},
		{name: "two lines", kind: "jsonl", text: "{\"key\":\n\"KEY\",\"v\":\"a\"}", code: BadRow, line: 1},
		{name: "array", kind: "jsonl", text: `["KEY"]`, code: BadRow, line: 1},
		{name: "cut off", kind: "jsonl", text: `{"key":"KEY","v":"a"`, code: BadRow, line: 1},
		{name: "GBK", kind: "jsonl", text: "{}\n{\"v\":\"\xC3\xFB\"}", code: Encoding, line: 2},
		{name: "UTF-16", kind: "jsonl", text: "\xFE\xFF\x00{\x00}", code: Encoding, line: 1},
		{name: "long row", kind: "jsonl", text: `{"v":"` + strings.Repeat("x", MaxRecord) + `"}`, code: RowTooLong, line: 1},
	}
	fill := strings.NewReplacer("KEY", code(1), "OTHER", code(2))
	for _, c := range cases {
		t.Run(c.kind+"/"+c.name, func(t *testing.T) {
			config := Config{Kind: c.kind, Path: t.TempDir(), Form: Form{Newlines: c.kind == "csv"}}
			put(t, filepath.Join(config.Path, "t."+c.kind), []byte(fill.Replace(c.text)))
			s := open(t, config)
			for range 2 { // the second time from the index
				rows, err := rowsOf(s, context.Background(), one(), subject(1))
				if got := codeOf(t, err); got != c.code {
					t.Fatalf("code %q, want %q: %v", got, c.code, err)
				}
				var e *Error
				if errors.As(err, &e) && (e.Line != c.line || e.File != "t."+c.kind) {
					t.Errorf("%s line %d, want line %d: %v", e.File, e.Line, c.line, err)
				}
				if got := show(rows); got != c.want {
					t.Errorf("rows %q, want %q", got, c.want)
				}
			}
			report, err := s.Test(context.Background(), one(), Try{}, nil)
			if c.code == "" && (err != nil || !report.OK()) {
				t.Errorf("report %+v, %v", report, err)
			}
			if c.code != "" && err == nil && report.OK() {
				t.Errorf("the report notices nothing: %+v", report)
			}
		})
	}
}

// TestLineOfFarRow: an error far into a file has the line number that an editor
// shows.
func TestLineOfFarRow(t *testing.T) {
	const far = 5000
	for _, kind := range []string{"csv", "jsonl"} {
		rows := slices.Repeat([][]any{{code(2), "x"}}, far)
		rows[far-7] = []any{code(1), "\x01"}
		_, err := rowsOf(open(t, write(t, kind, table{"t", []string{"key", "v"}, rows})), context.Background(), one(), subject(1))
		want := int64(far - 6) // counting from 1
		if kind == "csv" {
			want++ // the header
		}
		var e *Error
		if !errors.As(err, &e) || e.Line != want {
			t.Errorf("%s: %v, want line %d", kind, err, want)
		}
	}
}

func TestTooManyNames(t *testing.T) {
	var b bytes.Buffer
	for i := range maxNames + 1 {
		fmt.Fprintf(&b, "{\"key%d\":1}\n", i)
	}
	c := Config{Kind: "jsonl", Path: t.TempDir()}
	put(t, filepath.Join(c.Path, "t.jsonl"), b.Bytes())
	if _, err := rowsOf(open(t, c), context.Background(), one(), subject(1)); codeOf(t, err) != BadRow {
		t.Error(err)
	}
}

// TestTableNames: a table's name cannot lead out of its folder, and a pipe is
// not waited for.
func TestTableNames(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "t.csv"), []byte("key,v\n"))
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "in", "folder.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Kind: "csv", Path: filepath.Join(dir, "in")})
	for _, name := range []string{"../t", "/etc/passwd", "", ".", "a/b", `a\b`, "folder", "none", "a\x00b"} {
		d := one()
		d.Table = name
		if _, err := rowsOf(s, context.Background(), d, subject(1)); codeOf(t, err) != NotReadable {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// version writes a file in which every row of the subject has the same value,
// and sets its time, because tests are faster than the clocks of file systems.
// n is at least 1: a text of zeros alone may count as no value.
func version(t testing.TB, path string, n, rows int) {
	var b bytes.Buffer
	b.WriteString("key,v\n")
	for range rows {
		fmt.Fprintf(&b, "%s,%08d\n%s,x\n", code(1), n, code(2))
	}
	put(t, path, b.Bytes())
	at := time.Unix(1_700_000_000+int64(n), 0)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestReplaced: files are replaced while many goroutines read. Each sees one
// whole generation, or an error that says why not.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	path, next := filepath.Join(dir, "t.csv"), filepath.Join(dir, "next")
	const rows = 50
	version(t, path, 1, rows)
	s := open(t, Config{Kind: "csv", Path: dir})
	var readers sync.WaitGroup
	stop := make(chan struct{})
	seen := make([]int, 8)
	for i := range seen {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					if seen[i] > 0 {
						return
					}
				default:
				}
				got, err := rowsOf(s, context.Background(), one(), subject(1))
				if c := codeOf(t, err); c != "" && c != Changed {
					t.Error(err)
				}
				if err != nil {
					continue
				}
				seen[i]++
				if len(got) != rows || got[0][0] != got[rows-1][0] {
					t.Errorf("%d rows, %v to %v", len(got), got[0], got[len(got)-1])
				}
			}
		})
	}
	for n := 2; n <= 100; n++ {
		version(t, next, n, rows)
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
	got, err := rowsOf(s, context.Background(), one(), subject(1))
	if err != nil || got[0][0] != "00000100" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestWrittenInPlace: a write in place is noticed before, during and after a
// read.
func TestWrittenInPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.csv")
	version(t, path, 1, 2)
	s := open(t, Config{Kind: "csv", Path: dir})
	for n := 1; n < 4; n++ {
		version(t, path, n, 2) // same size, another time
		rows, err := rowsOf(s, context.Background(), one(), subject(1))
		if err != nil || len(rows) != 2 || rows[1][0] != fmt.Sprintf("%08d", n) {
			t.Fatalf("version %d: %v, %v", n, rows, err)
		}
	}
	n := 0
	p := part{dataset: one(), most: MaxRows, reset: func() {}, each: func(record) error {
		if n++; n == 1 {
			version(t, path, 7, 2)
		}
		return nil
	}}
	s.tables.lookup(context.Background(), code(1), []*part{&p})
	if codeOf(t, p.err) != Changed || n != 2 {
		t.Errorf("%d rows, %v", n, p.err)
	}
	fs := s.tables.(*files)
	x, err := fs.indexed(context.Background(), one())
	if err != nil {
		t.Fatal(err)
	}
	info := x.info
	version(t, path, 8, 3)
	if now, err := os.Stat(path); err != nil || x.matches(now) || !x.matches(info) {
		t.Errorf("the index matches another generation, %v", err)
	}
	_, _, err = fs.scan(context.Background(), one(), func(int64, int64) {}, func(record) error {
		version(t, path, 9, 3)
		return nil
	})
	if codeOf(t, err) != Changed {
		t.Error(err)
	}
}

// TestIndexOutlivesTheCall: if the first use of a file takes too long, the call
// returns a clear error and the work continues.
func TestIndexOutlivesTheCall(t *testing.T) {
	dir := t.TempDir()
	version(t, filepath.Join(dir, "t.csv"), 1, 1000)
	s := open(t, Config{Kind: "csv", Path: dir})
	s.timeout = 0
	if _, err := rowsOf(s, context.Background(), one(), subject(1)); codeOf(t, err) != TimedOut && codeOf(t, err) != Checking {
		t.Fatal(err)
	}
	s.timeout = time.Hour
	if rows, err := rowsOf(s, context.Background(), one(), subject(1)); err != nil || len(rows) != 1000 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := rowsOf(s, ctx, one(), subject(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := s.Test(ctx, one(), Try{}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestClose: Close ends the building of an index and leaves nothing open.
func TestClose(t *testing.T) {
	before := resources(t)
	for _, kind := range kinds {
		c := write(t, kind, table{"t", []string{"key", "v"}, slices.Repeat([][]any{{code(1), "a"}}, MaxRows)})
		s := open(t, c)
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for {
					_, err := rowsOf(s, context.Background(), one(), subject(1))
					if err == nil {
						_, err = s.Test(context.Background(), one(), Try{}, nil)
					}
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("%s: %v", kind, err)
						return
					}
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		readers.Wait()
		if _, err := rowsOf(s, context.Background(), one(), subject(1)); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	// Goroutines that were told to end need a moment, including those of
	// earlier tests.
	for range 6000 {
		if now := resources(t); now[0] <= before[0] && now[1] <= before[1] {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("goroutines and files %v, before %v", resources(t), before)
}

// resources counts goroutines and, where the system shows them, open files.
func resources(t *testing.T) [2]int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return [2]int{runtime.NumGoroutine(), len(open)}
}

// BenchmarkRows reads 24 rows of one of 10,000 subjects.
func BenchmarkRows(b *testing.B) {
	var rows [][]any
	for month := range 24 {
		for n := range 10_000 {
			rows = append(rows, []any{code(n), fmt.Sprint(month)})
		}
	}
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			c := write(b, kind, table{"t", []string{"key", "v"}, rows})
			if kind == "sqlite" {
				db := openSQLite(b, c.Path)
				execSQL(b, db, "CREATE INDEX by_key ON t (key)")
				db.Close()
			}
			s := open(b, c)
			start := time.Now()
			if _, err := rowsOf(s, b.Context(), one(), subject(0)); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-first")
			for i := 0; b.Loop(); i++ {
				rows, err := rowsOf(s, b.Context(), one(), subject(i%10_000))
				if err != nil || len(rows) != 24 {
					b.Fatalf("%d rows, %v", len(rows), err)
				}
			}
		})
	}
}
