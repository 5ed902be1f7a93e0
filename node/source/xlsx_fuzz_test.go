package source

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// lines converts a workbook. A failure is an error with a code.
func lines(t *testing.T, data []byte) (string, bool) {
	var out bytes.Buffer
	err := convert(context.Background(), bytes.NewReader(data), int64(len(data)), "t", true, t.TempDir(), &out)
	if err != nil && !errors.As(err, new(*Error)) {
		t.Fatalf("without a code: %v", err)
	}
	return out.String(), err == nil
}

// FuzzSheet: whatever the XML of a sheet is, it is refused, or every line made
// of it can be read, and so can its header.
func FuzzSheet(f *testing.F) {
	for _, seed := range []string{
		row2(`<c r="B2" t="s"><v>2</v></c>`), row2(`<c r="B2" s="1"><v>46053.5</v></c>`), row2(`<c r="B2"><f t="array" ref="B2:B3">1</f><v>1</v></c>`),
		`<row><c><v>1</v></c></row><row r="3"/>`, `<row r="1"><c t="inlineStr"><is><r><t>a</t></r><rPh><t>b</t></rPh></is></c></row>`, row2(`<c r="B2" t="b"><v>1</v></c><c r="D2"><v>1</v></c>`), "<",
	} {
		f.Add(seed, `<mergeCells><mergeCell ref="A1:B1"/></mergeCells>`)
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, rows, after string) {
		data := newRawBook(rows, after).bytes(t)
		text, ok := lines(t, data)
		if !ok {
			return
		}
		if again, _ := lines(t, data); again != text {
			t.Fatalf("%q, then %q", text, again)
		}
		decodedLines(t, text)
	})
}

// decodedLines reads lines as a query does.
func decodedLines(t *testing.T, text string) {
	fs := newFiles("", xlsxFormat{plainly}, nil, nil)
	_, err := fs.all(context.Background(), bytes.NewReader([]byte(text)), "t", []string{"key", "v"}, func(_ *records, r record) error {
		if r.err != nil && r.err.Code != BadRow && r.err.Code != RowTooLong {
			t.Fatal(r.err)
		}
		return nil
	})
	if e := new(Error); err != nil && !(errors.As(err, &e) && (e.Code == Empty || e.Code == DuplicateColumn || e.Code == RowTooLong)) {
		t.Fatalf("%q: %v", text, err)
	}
}

// FuzzWorkbook: whatever a file is, it is refused, or its lines can be read.
func FuzzWorkbook(f *testing.F) {
	good := row2(`<c r="B2" t="s"><v>2</v></c>`)
	whole := newRawBook(good, "").bytes(f)
	for _, seed := range [][]byte{nil, []byte("PK\x05\x06"), []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), whole, whole[:len(whole)/2]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if text, ok := lines(t, data); ok {
			decodedLines(t, text)
		}
	})
}

// FuzzCells: numbers, dates and formats of cells. A number that is taken is
// plain; a day that is taken is one.
func FuzzCells(f *testing.F) {
	for _, seed := range []string{"1.1000000000000001", "46053", "1e15", "-0", "0.1e-3", "59", "2958465.99"} {
		f.Add(seed, "yyyy/m/d;@")
	}
	f.Fuzz(func(t *testing.T, number, format string) {
		if numFmtOf(format) > fmtUnclear {
			t.Fatal(format)
		}
		if _, plain, ok := sheetNumber(number); ok {
			if _, again, ok := sheetNumber(plain); !ok || again != plain {
				t.Fatalf("%q is %q, then %q", number, plain, again)
			}
		}
		if day, ok := sheetDay(number, false); ok && len(day) != 10 && len(day) != 19 {
			t.Fatalf("%q is %q", number, day)
		}
		unescaped(number + format)
	})
}
