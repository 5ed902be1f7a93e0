//go:build !race

package sorting

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

var benched = flag.Int("sort.rows", 1_000_000, "rows that BenchmarkSort sorts")

// BenchmarkSort sorts rows of about 60 bytes in the memory that an agency gives
// to one sorter: -sort.rows 10000000 tries ten million. It reports the rows of a
// second, the runs, how many bytes the one temporary file has for each byte of a
// row, and the memory in use, in MB.
func BenchmarkSort(b *testing.B) {
	const memory = 12 << 20
	o := order(b, "day", "amount")
	var before, m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most, runs, written, bytes := uint64(0), 0, uint64(0), 0
	look := func(i int) {
		if i%(*benched/10+1) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc-min(m.HeapAlloc, before.HeapAlloc))
		}
	}
	for b.Loop() {
		s := New(b.TempDir(), memory, o)
		r := rand.New(rand.NewPCG(1, 2))
		bytes = 0
		for i := range *benched {
			text := strconv.FormatUint(r.Uint64(), 10) + "-" + strconv.Itoa(i)
			values := row(b, text, decimal.New(r.Int64N(1e9), -2), consent.Day(20_000+r.IntN(1000)), i%2 == 0)
			if err := s.Add(b.Context(), values); err != nil {
				b.Fatal(err)
			}
			bytes += len(s.scratch)
			look(i)
		}
		n := 0
		for _, err := range s.Encoded(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			if n == 0 && s.spilled != nil {
				runs, written = len(s.spilled.runs), s.spilled.frames*frame
			}
			look(n)
			n++
		}
		if n != *benched {
			b.Fatalf("%d rows of %d", n, *benched)
		}
		closed(b, s)
	}
	b.ReportMetric(float64(*benched)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(runs), "runs")
	b.ReportMetric(float64(written)/float64(bytes), "disk")
	b.ReportMetric(float64(most)/1e6, "MB")
}
