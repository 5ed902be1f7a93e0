//go:build !race

package source

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"atoll/consensus/consent"
)

// TestDefects: one register in every format, with every defect, is asked as a
// state and as a flow. The answer is true or has a reason for its absence, and
// is never a false zero.
func TestDefects(t *testing.T) {
	cells := 0
	for kind, c := range connectors {
		cells += everyDefect(t, kind, c, func(int, string) bool { return true })
	}
	if cells < 150 {
		t.Errorf("%d cells, 150 are promised", cells)
	}
}

// TestServerDefects is TestDefects for the kinds that need a server, where a
// table takes longer: each defect in one of the ways to ask, in turn.
func TestServerDefects(t *testing.T) {
	ways := slices.Sorted(maps.Keys(measures))
	for kind, c := range serverConnectors {
		t.Run(kind, func(t *testing.T) {
			if n := everyDefect(t, kind, c, func(i int, measure string) bool { return ways[i%len(ways)] == measure }); n < 40 {
				t.Errorf("%d cells of %s", n, kind)
			}
		})
	}
}

// everyDefect asks a register in one format in the ways that are wanted of each
// defect, and returns how often it asked.
func everyDefect(t *testing.T, kind string, c connector, wanted func(defect int, measure string) bool) (cells int) {
	for i, d := range defects() {
		if d.of != "" && !slices.Contains(c.has, d.of) {
			continue
		}
		for measure := range measures {
			if !wanted(i, measure) {
				continue
			}
			cells++
			w := newWorld(t, t.TempDir(), kind, measure)
			d.change(w)
			s := w.open()
			for firm, want := range map[int]string{1: d.owes, 2: d.none} {
				a := w.answer(s, firm)
				where := fmt.Sprintf("%s, %s, %s, firm %d: %s %q %s", d.name, kind, measure, firm, a.Outcome, a.Value, a.Reason)
				truth := map[int]string{1: "100000.00", 2: "0.00"}[firm]
				switch {
				case want == "" && (a.Outcome != consent.Answered || a.Value != truth):
					t.Errorf("%s, want %s", where, truth)
				case want == "" && a.AsOf != uint64(w.asOf)*24*60*60*1000:
					t.Errorf("%s: as of %d", where, a.AsOf)
				case want == "!" && a.Outcome == consent.Answered:
					t.Errorf("%s, want none", where)
				case want != "" && want != "!" && (a.Reason != want || a.Outcome != Code(want).Outcome()):
					t.Errorf("%s, want %s", where, want)
				}
			}
			s.Close()
		}
	}
	return cells
}
