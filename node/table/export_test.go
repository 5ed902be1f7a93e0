package table

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"atoll/consensus/consent"
)

// hostile are texts that a writer of files could get wrong.
var hostile = []string{
	"=1+1", "+86 571", "-5", "@SUM(A1)", "\tx", "\rx", "'", "'=1", "''", " =1", "\n=1", "\u00a0=1", "＝1", "＋1", "－1", "＠x", "\u3000＝1", "\ufeff=1",
	`a"b`, `"`, "a,b", "a\r\nb", "a\nb", "a\rb", " a ", "\u2028", "\x00", "\x1b[31m", "\u202e", "007", "330106199001011234", "1-2", "1e5", ".5", "3/4", "12号楼",
	"杭州某某公司", "null", "true", "\\", "\U0001f4c8", "a;b", "\u200b=1", "=cmd|' /C calc'!A0",
}

func rowsOf(rows ...[]Value) iter.Seq2[[]Value, error] {
	return func(yield func([]Value, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func export(t testing.TB, f Format, columns []Column, rows iter.Seq2[[]Value, error]) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := Export(&b, f, columns, rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hostileRows has each text between others.
func hostileRows(t testing.TB) (rows [][]Value) {
	for _, s := range hostile {
		rows = append(rows, row(t, s, "#1", nil, nil, true, nil))
	}
	return rows
}

// TestSheetTitles: who opens a file in a spreadsheet reads titles, and runs none;
// programs read names.
func TestSheetTitles(t *testing.T) {
	columns := slices.Clone(all[:2])
	columns[0].Title, columns[1].Title = "=名称,1", "金额 (CNY)"
	for f, want := range map[Format]string{CSV: "name,amount\r\n", Sheet: byteOrderMark + "\"'=名称,1\",金额 (CNY)\r\n"} {
		if out := export(t, f, columns, rowsOf()); out != want {
			t.Errorf("%s: %q", f, out)
		}
	}
}

// A reader of RFC 4180 gets each text back by taking away one apostrophe, and no
// spreadsheet finds a formula.
func TestCSV(t *testing.T) {
	columns := all[:2]
	for _, f := range []Format{CSV, Sheet} {
		var rows [][]Value
		for _, r := range hostileRows(t) {
			rows = append(rows, r[:2])
		}
		out := export(t, f, columns, rowsOf(rows...))
		text, marked := strings.CutPrefix(out, byteOrderMark)
		if marked != (f == Sheet) || !strings.HasPrefix(text, "name,amount\r\n") || !strings.HasSuffix(text, "\r\n") {
			t.Errorf("%s: begins %.20q", f, out)
		}
		// The standard reader makes \n of \r\n within a field.
		list, err := stdcsv.NewReader(strings.NewReader(strings.ReplaceAll(text, "a\r\nb", "a<line end>b"))).ReadAll()
		if err != nil || len(list) != len(hostile)+1 {
			t.Fatalf("%s: %d lines, %v", f, len(list), err)
		}
		for i, line := range list[1:] {
			field := strings.ReplaceAll(line[0], "<line end>", "\r\n")
			if strings.ContainsAny(strings.TrimSpace(field)[:min(1, len(strings.TrimSpace(field)))], "=+-@") || strings.HasPrefix(field, "\t") || strings.HasPrefix(field, "\r") {
				t.Errorf("%s: a formula: %q", f, field)
			}
			if back := strings.TrimPrefix(field, "'"); back != hostile[i] {
				t.Errorf("%s: %q became %q", f, hostile[i], back)
			}
		}
	}
	got := export(t, Sheet, all, rowsOf(row(t, "x", "#9999999999999.99", "#1000000000000000", consent.Day(0), false, "#0.1"), row(t, nil, nil, nil, nil, nil, nil)))
	want := byteOrderMark + "name,amount,staff,day,paid,exact\r\nx,9999999999999.99,'1000000000000000,1970-01-01,false,'0.100000000000000000\r\n,,,,,\r\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// In a table of one column, no value is a field, not an empty line.
func TestCSVOneColumn(t *testing.T) {
	if got := export(t, CSV, all[:1], rowsOf(row(t, nil), row(t, "a"))); got != "name\r\n\"\"\r\na\r\n" {
		t.Errorf("%q", got)
	}
}

// TestSheetKeepsTexts: what a spreadsheet would take for a formula, a number, a day
// or a truth gets an apostrophe, and nothing else does.
func TestSheetKeepsTexts(t *testing.T) {
	for _, text := range []string{
		"=1", "+1", "-1", "@x", "\tx", "\rx", "'x", "'", " =1", "\u3000＝1", "\u2003@x", "\u202f+1", "\x00=1", "\u200b=1", "\ufeff=1", "＋1", "－1", "＠x", "﹦1", "﹢1", "﹣1", "﹫x", "−1",
	} {
		if !Guard(text) {
			t.Errorf("%q is no formula", text)
		}
	}
	for _, text := range []string{"007", "1E5", "2e3", ".5", "3-4", "3/4/24", "12:30", "50%", "1,000", "００７", "１２", "3月4日", "2024年1月", "12时30分", "(5)", "($5)", "$5", "¥5", "￥５", "TRUE", "false", "ＴＲＵＥ", "MAR1", "3mar", "Sept-2", "1 May 2024", "june 3"} {
		if Guard(text) || !numeral(text) {
			t.Errorf("%q is no number", text)
		}
	}
	for _, text := range []string{"x", "steel", "钢材", "a=1", "1=2x", "3号楼", "Mary", "may", "true steel", "decade 1", "2024年度报告", "①", "№5", "x-1", "91440300MA5DEM0Q7L", "n1", " ", "\u3000"} {
		if Guard(text) || numeral(text) {
			t.Errorf("%q is no text", text)
		}
	}
}

func TestJSONL(t *testing.T) {
	rows := append(all6(t), hostileRows(t)...)
	out := export(t, JSONL, all, rowsOf(rows...))
	if strings.ContainsAny(out, "\x00\x1b\r\u2028\u202e") {
		t.Error("controls")
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(rows) {
		t.Fatalf("%d lines of %d rows", len(lines), len(rows))
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil || len(got) != len(all) {
			t.Fatalf("%s: %v", line, err)
		}
		for j, c := range all {
			v := &rows[i][j]
			want := any(string(v.Append(nil)))
			switch {
			case v.IsNone():
				want = nil
			case c.Type == Bool:
				want = v.Bool()
			case c.Type == Decimal || c.Type == Integer:
				at, err := v.at(uint8(c.Scale))
				if err != nil {
					t.Fatal(err)
				}
				want = string(at.Append(nil))
			}
			if got[c.Name] != want {
				t.Errorf("line %d, %s: %q, want %q", i, c.Name, got[c.Name], want)
			}
		}
	}
}

// A Parquet file has the columns in their order, with their exact types and
// values, in groups of bounded size.
func TestParquet(t *testing.T) {
	rows := append(all6(t), hostileRows(t)...)
	chunks := encode(t, all, rows...)
	out := export(t, Parquet, all, decoded(all, chunks...))
	f, err := parquet.OpenFile(strings.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"optional binary name (STRING)", "optional fixed_len_byte_array(16) amount (DECIMAL(22,2))", "optional fixed_len_byte_array(16) staff (DECIMAL(20,0))",
		"optional int32 day (DATE)", "optional boolean paid", "optional fixed_len_byte_array(16) exact (DECIMAL(38,18))",
	} {
		if got := f.Schema().Fields()[i]; !strings.Contains(f.Schema().String(), want) || got.Name() != all[i].Name {
			t.Errorf("column %d: %s, want %q in %s", i, got.Name(), want, f.Schema())
		}
	}
	if unit, ok := f.Lookup("atoll.unit.amount"); !ok || unit != "CNY" {
		t.Errorf("unit: %q", unit)
	}
	read := parquet.NewGenericReader[any](f, f.Schema())
	buffer := make([]parquet.Row, len(rows)+1)
	n, err := read.ReadRows(buffer)
	if n != len(rows) || err != io.EOF {
		t.Fatalf("%d rows, %v", n, err)
	}
	i := 0
	for values, err := range decoded(all, chunks...) {
		if err != nil {
			t.Fatal(err)
		}
		for j := range all {
			if got, want := shown(t, all[j], buffer[i][j]), string(values[j].Append(nil)); got != want || buffer[i][j].IsNull() != values[j].IsNone() {
				t.Errorf("row %d, %s: %q, want %q", i, all[j].Name, got, want)
			}
		}
		i++
	}
}

// shown writes a value of a Parquet file as a Value does, by another way.
func shown(t *testing.T, c Column, v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case c.Type == Text:
		return string(v.ByteArray())
	case c.Type == Date:
		return consent.Day(v.Int32()).String()
	case c.Type == Bool:
		if v.Boolean() {
			return "true"
		}
		return "false"
	}
	n := new(big.Int).SetBytes(v.ByteArray())
	if v.ByteArray()[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Scale)), nil)).FloatString(int(c.Scale))
}

// What cannot be written, or read, is an error, and no table.
func TestExportFails(t *testing.T) {
	full, torn := errors.New("full"), errors.New("torn")
	rows := rowsOf(all6(t)...)
	for _, f := range Formats {
		if _, err := Export(failing{full}, f, all, rows); !errors.Is(err, full) {
			t.Errorf("%s: %v", f, err)
		}
		_, err := Export(io.Discard, f, all, func(yield func([]Value, error) bool) {
			for r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			yield(nil, torn)
		})
		if !errors.Is(err, torn) {
			t.Errorf("%s: %v", f, err)
		}
	}
	if _, err := Export(io.Discard, "xls", all, rows); err == nil {
		t.Error("another format")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
