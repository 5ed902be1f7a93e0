//go:build !race

package table

import (
	"io"
	"runtime"
	"testing"
)

// Exporting holds a group of rows, however large the table is.
func TestExportMemory(t *testing.T) {
	columns, some := invoices(t, 1000)
	var values [][]Value
	for _, r := range some {
		values = append(values, row(t, r...))
	}
	const rounds = 400
	for _, f := range []Format{CSV, JSONL, Parquet} {
		var before, m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		most := uint64(0)
		rows := func(yield func([]Value, error) bool) {
			for round := range rounds {
				if round%50 == 49 {
					runtime.GC()
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapAlloc)
				}
				for _, r := range values {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
		n, err := Export(io.Discard, f, columns, rows)
		if err != nil || n != rounds*1000 {
			t.Fatalf("%s: %d rows, %v", f, n, err)
		}
		if most > before.HeapAlloc+5*groupSize {
			t.Errorf("%s: %d KiB of memory", f, (most-before.HeapAlloc)>>10)
		}
	}
}
