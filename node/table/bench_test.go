package table

import (
	"fmt"
	"io"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

// invoices are columns and rows as of a register of invoices.
func invoices(t testing.TB, n int) ([]Column, [][]any) {
	columns := []Column{
		{Name: "number", Type: Text}, {Name: "seller", Type: Text}, {Name: "goods", Type: Text}, {Name: "amount", Type: Decimal, Scale: 2},
		{Name: "tax", Type: Decimal, Scale: 2}, {Name: "issued", Type: Date}, {Name: "void", Type: Bool}, {Name: "lines", Type: Integer},
	}
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = []any{
			fmt.Sprintf("0440%016d", i*7919), "91330100MA2" + fmt.Sprintf("%07d", i%977), "信息技术服务费", decimal.New(int64(i)*7_919+12, -2),
			decimal.New(int64(i)*475+3, -2), consent.Day(19_000 + i%1000), i%50 == 0, decimal.New(int64(i%9+1), 0),
		}
	}
	return columns, rows
}

func BenchmarkEncode(b *testing.B) {
	columns, rows := invoices(b, 10_000)
	values := make([]Value, len(columns))
	for b.Loop() {
		size := 0
		e := NewEncoder(columns, func(chunk []byte) error { size += len(chunk); return nil })
		for _, r := range rows {
			for i, v := range r {
				values[i], _ = Of(v)
			}
			if err := e.Row(values); err != nil {
				b.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(size))
	}
}

func BenchmarkDecode(b *testing.B) {
	columns, rows := invoices(b, 10_000)
	var table [][]Value
	for _, r := range rows {
		table = append(table, row(b, r...))
	}
	chunks, size := encode(b, columns, table...), 0
	for _, chunk := range chunks {
		size += len(chunk)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range decoded(columns, chunks...) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkExport(b *testing.B) {
	columns, rows := invoices(b, 10_000)
	var table [][]Value
	for _, r := range rows {
		table = append(table, row(b, r...))
	}
	size := 0
	for _, chunk := range encode(b, columns, table...) {
		size += len(chunk)
	}
	for _, f := range Formats {
		b.Run(string(f), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := Export(io.Discard, f, columns, rowsOf(table...)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
