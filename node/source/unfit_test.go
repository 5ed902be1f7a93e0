//go:build !race

package source

import (
	"context"
	"fmt"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// TestUnfitRows: the test finds by its line a row whose day alone makes a query
// about its subject fail, whichever subjects the sample contains. The test
// reports no row that a query accepts.
func TestUnfitRows(t *testing.T) {
	for name, c := range map[string]struct {
		column int
		value  string
		reason map[string]string // by measure; none: it is answered
	}{
		"of next month":          {2, "2026-12-01", map[string]string{"state of a day": "rows.future", "flow": "rows.future"}},
		"of a year to come":      {2, "2031-01-01", map[string]string{"state of a day": "rows.future", "flow": "rows.future"}},
		"later this month":       {2, "2026-11-30", nil},
		"without a day":          {2, "", map[string]string{"state of a day": "rows.undated", "flow": "rows.undated"}},
		"cleared next month":     {4, "2026-12-01", map[string]string{"state": "rows.ahead: cleared", "state of a day": "rows.ahead: cleared", "flow": "rows.ahead: cleared"}},
		"cleared tomorrow":       {4, "2026-11-29", map[string]string{"state": "rows.ahead: cleared", "state of a day": "rows.ahead: cleared", "flow": "rows.ahead: cleared"}},
		"cleared today":          {4, "2026-11-28", nil},
		"as the register should": {1, "欠1", nil},
	} {
		for kind := range connectors {
			for measure := range measures {
				w := newWorld(t, t.TempDir(), kind, measure)
				w.rows[0][c.column] = c.value
				s := w.open()
				where := fmt.Sprintf("%s, %s, %s", name, kind, measure)
				want := c.reason[measure]
				if a := w.answer(s, 1); a.Reason != want || (want == "") != (a.Outcome == consent.Answered) {
					t.Errorf("%s: a query is told %s %q, want %q", where, a.Outcome, a.Reason, want)
				}
				for _, sample := range []int{1, 0} {
					r, err := s.Test(context.Background(), w.dataset, Try{At: catalog.At{Day: debtsToday}, Sample: sample}, nil)
					if err != nil {
						t.Fatal(err)
					}
					line := int64(1)
					if headed(kind) {
						line = 2
					}
					found := r.Unfit == 1 && len(r.UnfitRows) == 1 && r.UnfitRows[0] == Unfit{line, want}
					if r.OK() != (want == "") || found != (want != "") || !found && r.Unfit != 0 {
						t.Errorf("%s, sample %d: %+v, want %q", where, sample, r, want)
					}
				}
			}
		}
	}
}

// TestUnfitOutsideTheWindow: rows outside the window of a flow do not affect
// it.
func TestUnfitOutsideTheWindow(t *testing.T) {
	for _, since := range []string{"2019-03-01", "2026-11-02"} {
		for kind := range connectors {
			w := newWorld(t, t.TempDir(), kind, "flow")
			w.rows = append(w.rows, []any{code(1), "欠9", since, "9.00", "2031-01-01"})
			w.marked++
			s := w.open()
			r, err := s.Test(context.Background(), w.dataset, Try{At: catalog.At{Day: debtsToday}}, nil)
			if err != nil || r.Unfit != 0 || !r.OK() || w.answer(s, 1).Value != "100000.00" {
				t.Errorf("%s, since %s: %+v, %v; a query is told %+v", kind, since, r, err, w.answer(s, 1))
			}
		}
	}
}
