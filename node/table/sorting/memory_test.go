//go:build !race

package sorting

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/shopspring/decimal"
)

var many = flag.Int("rows", 400_000, "rows that are sorted with little memory")

// Memory stays what it is, however many rows there are.
func TestMemory(t *testing.T) {
	const memory = 8 << 20
	s := New(t.TempDir(), memory, order(t, "number"))
	most := uint64(0)
	look := func(i int) {
		if i%(*many/20) != 0 {
			return
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := rand.New(rand.NewPCG(1, 1))
	values := row(t, "x", decimal.New(1, 0), nil, true)
	for i := range *many {
		values[0] = row(t, fmt.Sprintf("%020d-%040d", r.Uint64(), i))[0]
		if err := s.Add(t.Context(), values); err != nil {
			t.Fatal(err)
		}
		look(i)
	}
	if s.spilled == nil || len(s.spilled.runs) < 3 {
		t.Fatal("too few rows to fill the memory")
	}
	n, last := 0, ""
	for values, err := range s.Sorted(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if values[0].Text() <= last {
			t.Fatalf("%s after %s", values[0].Text(), last)
		}
		last = values[0].Text()
		n++
		look(n)
	}
	if n != *many {
		t.Errorf("%d rows of %d", n, *many)
	}
	t.Logf("%d rows in %d runs: %d KiB more memory, %d MiB on the disk", n, len(s.spilled.runs), (most-before.HeapAlloc)>>10, s.spilled.frames*frame>>20)
	if most > before.HeapAlloc+memory+memory/4 {
		t.Errorf("%d bytes of memory, allowed are %d", most-before.HeapAlloc, memory)
	}
	closed(t, s)
}
