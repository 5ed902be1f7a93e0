package table

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node/formula"
)

// all has a column of each type.
var all = []Column{
	{Name: "name", Type: Text}, {Name: "amount", Type: Decimal, Unit: "CNY", Scale: 2}, {Name: "staff", Type: Integer},
	{Name: "day", Type: Date}, {Name: "paid", Type: Bool}, {Name: "exact", Type: Decimal, Scale: MaxScale},
}

// row returns values of a dataset's row as a table has them.
func row(t testing.TB, cells ...any) []Value {
	t.Helper()
	values := make([]Value, len(cells))
	for i, cell := range cells {
		if s, ok := cell.(string); ok && strings.HasPrefix(s, "#") {
			cell = decimal.RequireFromString(s[1:])
		}
		var err error
		if values[i], err = Of(cell); err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
	}
	return values
}

// encode returns the chunks of rows.
func encode(t testing.TB, columns []Column, rows ...[]Value) (chunks [][]byte) {
	t.Helper()
	e := NewEncoder(columns, func(chunk []byte) error { chunks = append(chunks, bytes.Clone(chunk)); return nil })
	for i, r := range rows {
		if err := e.Row(r); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return chunks
}

// decoded yields the rows of chunks.
func decoded(columns []Column, chunks ...[]byte) iter.Seq2[[]Value, error] {
	return func(yield func([]Value, error) bool) {
		d := NewDecoder(columns)
		for _, chunk := range chunks {
			for values, err := range d.Chunk(chunk) {
				if !yield(values, err) || err != nil {
					return
				}
			}
		}
	}
}

func text(values []Value) string {
	var b []byte
	for i := range values {
		b = append(values[i].Append(append(b, '|')), '|')
		if values[i].IsNone() {
			b = append(b, "none"...)
		}
	}
	return string(b)
}

func all6(t testing.TB) [][]Value {
	return [][]Value{
		row(t, "杭州某某公司", "#12.5", "#7", consent.Day(20000), true, "#0.000000000000000001"),
		row(t, nil, nil, nil, nil, nil, nil),
		row(t, "a\x00\r\n\"b", "#-99999999999999999999.99", "#-99999999999999999999", consent.Day(firstDay), false, "#-99999999999999999999.999999999999999999"),
		row(t, "x", "#99999999999999999999.99", "#99999999999999999999", consent.Day(lastDay), false, "#99999999999999999999.999999999999999999"),
		row(t, "x", "#0", "#-0", consent.Day(0), false, "#-0.1"),
		row(t, "x", "#1e19", "#9223372036854775808", consent.Day(-1), false, "#-9223372036854775808"),
	}
}

func TestRoundTrip(t *testing.T) {
	rows := all6(t)
	chunks := encode(t, all, rows...)
	want := []string{
		"|杭州某某公司||12.50||7||2024-10-04||true||0.000000000000000001|", "||none||none||none||none||none||none",
		"|a\x00\r\n\"b||-99999999999999999999.99||-99999999999999999999||0001-01-01||false||-99999999999999999999.999999999999999999|",
		"|x||99999999999999999999.99||99999999999999999999||9999-12-31||false||99999999999999999999.999999999999999999|",
		"|x||0.00||0||1970-01-01||false||-0.100000000000000000|",
		"|x||10000000000000000000.00||9223372036854775808||1969-12-31||false||-9223372036854775808.000000000000000000|",
	}
	i := 0
	for values, err := range decoded(all, chunks...) {
		if err != nil {
			t.Fatal(err)
		}
		for j, c := range all {
			if again, err := Of(values[j].Any()); err != nil || text([]Value{again}) != text(values[j:j+1]) {
				t.Errorf("row %d, column %s: %v became %v, %v", i, c.Name, values[j], again, err)
			}
		}
		if got := text(values); got != want[i] {
			t.Errorf("row %d: %q, want %q", i, got, want[i])
		}
		i++
	}
	if i != len(rows) {
		t.Errorf("%d rows of %d", i, len(rows))
	}
}

// The example of SPEC.md section 7, from its text.
func TestGolden(t *testing.T) {
	columns := []Column{{Name: "name", Type: Text}, {Name: "amount", Type: Decimal, Scale: 2}, {Name: "day", Type: Date}, {Name: "paid", Type: Bool}}
	rows := [][]Value{
		row(t, nil, "#0", nil, false),
		row(t, "a", "#100000000000000000", nil, nil),
		row(t, "杭", "#-10.01", consent.Day(20000), true),
	}
	spec, err := os.ReadFile("../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(spec), "### Chunks of rows\n")
	example, _, _ = strings.Cut(example, "\n## ")
	digits := ""
	for line := range strings.Lines(example) {
		if code, ok := strings.CutPrefix(line, "    "); ok && code[0] == '0' {
			code, _, _ = strings.Cut(code, "     ")
			digits += strings.ReplaceAll(code, " ", "")
		}
	}
	want, err := hex.DecodeString(digits)
	if err != nil || len(want) == 0 {
		t.Fatalf("%q: %v", digits, err)
	}
	if got := encode(t, columns, rows...); len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("%x, want %x", got, want)
	}
	order, err := NewOrder(columns, []string{"name"})
	if err != nil {
		t.Fatal(err)
	}
	follows := order.Check()
	for _, r := range rows {
		if ok, err := follows(r); !ok || err != nil {
			t.Error("out of order: ", text(r), err)
		}
	}
}

// Numbers are those of an independent implementation, at every scale.
func TestNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		scale := r.Int32N(MaxScale + 1)
		c := Column{Name: "n", Type: Decimal, Scale: scale}
		digits := make([]byte, 1+r.IntN(42))
		for i := range digits {
			digits[i] = '0' + byte(r.IntN(10)*r.IntN(2))
		}
		d := decimal.RequireFromString(string(digits)).Shift(-r.Int32N(30) + 4)
		if r.IntN(2) == 0 {
			d = d.Neg()
		}
		var chunks [][]byte
		e := NewEncoder([]Column{c}, func(chunk []byte) error { chunks = append(chunks, bytes.Clone(chunk)); return nil })
		v, err := Of(d)
		if err == nil {
			err = e.Row([]Value{v})
		}
		fits := d.Truncate(scale).Equal(d) && formula.Leaves(d)
		if fits != (err == nil) {
			t.Fatalf("%v at scale %d: %v", d, scale, err)
		}
		if !fits {
			continue
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		for values, err := range decoded([]Column{c}, chunks...) {
			if err != nil || string(values[0].Append(nil)) != d.StringFixed(scale) {
				t.Fatalf("%v at scale %d: %s, %v", d, scale, values[0].Append(nil), err)
			}
		}
	}
}

func TestRefusedValues(t *testing.T) {
	day := func(d consent.Day) any { return d }
	for name, cell := range map[string]any{
		"empty text": "", "GBK": "\xba\xbc", "a float": 1.5, "an int": 3, "before the year 1": day(firstDay - 1), "after 9999": day(lastDay + 1),
		"too large": decimal.New(1, 20), "far too large": decimal.New(1, 2_000_000_000), "a digit too many": decimal.New(1, -19), "tiny": decimal.New(1, -2_000_000_000),
	} {
		if v, err := Of(cell); err == nil {
			t.Errorf("%s: %v", name, v)
		}
	}
	e := NewEncoder(all, func([]byte) error { return nil })
	for name, r := range map[string][]Value{
		"a column too few":          row(t, "x"),
		"text for a number":         row(t, "x", "y", nil, nil, nil, nil),
		"a digit more than columns": row(t, "x", "#0.001", nil, nil, nil, nil),
		"a fraction of a person":    row(t, "x", nil, "#0.5", nil, nil, nil),
		"too long":                  row(t, strings.Repeat("长", MaxRow/3+1), nil, nil, nil, nil, nil),
	} {
		if err := e.Row(r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := e.Close(); err != nil || e.Rows() != 0 {
		t.Errorf("refused rows are in the table: %d, %v", e.Rows(), err)
	}
}

func TestCheck(t *testing.T) {
	many := make([]Column, MaxColumns+1)
	for i := range many {
		many[i] = Column{Name: fmt.Sprint("c", i), Type: Text}
	}
	if err := Check(many[:MaxColumns]); err != nil {
		t.Error(err)
	}
	for name, columns := range map[string][]Column{
		"none": {}, "too many": many, "twice": {all[0], all[0]}, "name": {{Name: "A b", Type: Text}}, "type": {{Name: "a", Type: "float"}},
		"scale": {{Name: "a", Type: Decimal, Scale: MaxScale + 1}}, "scale of an integer": {{Name: "a", Type: Integer, Scale: 1}}, "unit": {{Name: "a", Type: Text, Unit: "\x1b"}},
	} {
		if err := Check(columns); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A row begins a chunk only when the one before has no room for it, so a table
// has one encoding.
func TestChunks(t *testing.T) {
	columns := all[:1]
	r := rand.New(rand.NewPCG(3, 4))
	var rows [][]Value
	for range 300 {
		rows = append(rows, row(t, strings.Repeat("x", 1+r.IntN(20_000))))
	}
	chunks := encode(t, columns, rows...)
	if len(chunks) < 3 {
		t.Fatalf("%d chunks", len(chunks))
	}
	var again [][]Value
	for values, err := range decoded(columns, chunks...) {
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, slices.Clone(values))
	}
	if !slices.EqualFunc(again, rows, slices.Equal) {
		t.Error("other rows")
	}
	var early [][]byte
	for _, half := range [][][]Value{rows[:10], rows[10:]} {
		early = append(early, encode(t, columns, half...)...)
	}
	if !refused(columns, early...) {
		t.Error("a chunk that ends early is taken")
	}
	full := row(t, strings.Repeat("y", MaxRow-4))
	if chunks := encode(t, columns, full, full, full); len(chunks) != 1 || len(chunks[0]) > MaxChunk {
		t.Errorf("%d chunks", len(chunks))
	}
	if chunks := encode(t, columns, full, full, full, full); len(chunks) != 2 || refused(columns, chunks...) {
		t.Errorf("%d chunks", len(chunks))
	}
	if chunks := encode(t, columns); len(chunks) != 0 {
		t.Errorf("no rows: %d chunks", len(chunks))
	}
}

func refused(columns []Column, chunks ...[]byte) bool {
	for _, err := range decoded(columns, chunks...) {
		if err != nil {
			return errors.Is(err, sign.ErrMalformed)
		}
	}
	return false
}

func TestRefusedChunks(t *testing.T) {
	one := func(typ Type, bytes ...byte) func() ([]Column, []byte) {
		return func() ([]Column, []byte) {
			return []Column{{Name: "a", Type: typ}}, append([]byte{0, 0, 0, 1}, bytes...)
		}
	}
	for name, f := range map[string]func() ([]Column, []byte){
		"bit of no column":     one(Bool, 0b10, 1),
		"a true that is 2":     one(Bool, 0, 2),
		"cut off":              one(Bool, 0),
		"trailing byte":        one(Bool, 0, 1, 0),
		"long zero":            one(Integer, 0, 0x80, 0),
		"endless number":       one(Integer, append([]byte{0}, bytes.Repeat([]byte{0xff}, 20)...)...),
		"number of 129 bits":   one(Integer, append(append([]byte{0}, bytes.Repeat([]byte{0xff}, 18)...), 4)...),
		"number of 21 digits":  one(Integer, append(append([]byte{0}, bytes.Repeat([]byte{0xff}, 9)...), 63)...),
		"long date":            one(Date, 0, 0x82, 0),
		"date of 10000":        one(Date, 0, 0xc2, 0x82, 0xe6, 0x02),
		"endless date":         one(Date, append([]byte{0}, bytes.Repeat([]byte{0xff}, 10)...)...),
		"empty text":           one(Text, 0, 0),
		"text beyond the end":  one(Text, 0, 2, 'a'),
		"text of 2^64-1 bytes": one(Text, append(append([]byte{0}, bytes.Repeat([]byte{0xff}, 9)...), 1)...),
		"long length":          one(Text, 0, 0x81, 0, 'a'),
		"not UTF-8":            one(Text, 0, 1, 0xff),
		"no rows":              func() ([]Column, []byte) { return all[:1], []byte{0, 0, 0, 0, 1} },
		"too many rows":        func() ([]Column, []byte) { return all[:1], []byte{0xff, 0xff, 0xff, 0xff, 1} },
		"a row too few":        func() ([]Column, []byte) { return all[:1], []byte{0, 0, 0, 2, 1} },
		"nothing":              func() ([]Column, []byte) { return all[:1], nil },
		"too large":            func() ([]Column, []byte) { return all[:1], make([]byte, MaxChunk+1) },
	} {
		if columns, chunk := f(); !refused(columns, chunk) {
			t.Errorf("%s: taken", name)
		}
	}
	if columns, chunk := one(Date, 0, 0xc0, 0x82, 0xe6, 0x02)(); refused(columns, chunk) {
		t.Error("9999-12-31: refused")
	}
}

// What is decoded is what would be encoded, whatever the bytes are.
func FuzzDecode(f *testing.F) {
	for _, r := range all6(f) {
		f.Add(uint8(63), encode(f, all, r)[0])
	}
	f.Add(uint8(1), encode(f, all[:1], row(f, "a"), row(f, "b"))[0])
	f.Fuzz(func(t *testing.T, which uint8, chunk []byte) {
		var columns []Column
		for i, c := range all {
			if which>>i&1 == 1 {
				columns = append(columns, c)
			}
		}
		if len(columns) == 0 {
			return
		}
		var again [][]byte
		e := NewEncoder(columns, func(chunk []byte) error { again = append(again, bytes.Clone(chunk)); return nil })
		for values, err := range decoded(columns, chunk) {
			if err != nil {
				if !errors.Is(err, sign.ErrMalformed) {
					t.Fatal(err)
				}
				return
			}
			if err := e.Row(values); err != nil {
				t.Fatalf("decoded, and not to be encoded: %v", err)
			}
		}
		if err := e.Close(); err != nil || len(again) != 1 || !bytes.Equal(again[0], chunk) {
			t.Fatalf("%x became %x, %v", chunk, again, err)
		}
	})
}

// A failing receiver ends the table; a refused row does not.
func TestEmitFails(t *testing.T) {
	full := errors.New("full")
	e := NewEncoder(all[:1], func([]byte) error { return full })
	r := row(t, strings.Repeat("x", 200_000))
	var err error
	for range 10 {
		if err = e.Row(r); err != nil {
			break
		}
	}
	if !errors.Is(err, full) || !errors.Is(e.Row(row(t, "x")), full) || !errors.Is(e.Close(), full) {
		t.Error(err)
	}
}
