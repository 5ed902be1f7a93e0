//go:build !race

package node

import (
	"testing"

	"atoll/consensus/consent"
)

// TestRowsOutcomes: where rows do not leave, nothing of them does.
func TestRowsOutcomes(t *testing.T) {
	for _, k := range []struct {
		name                string
		mostRows, mostBytes uint64
		spoil               string
		outcome             consent.Outcome
		reason              string
	}{
		{"too many rows", 500, 1 << 20, "", consent.Invalid, "source.too_many_rows"},
		{"too many bytes", 1000, 5000, "", consent.Invalid, "source.too_many_rows"},
		{"one row twice, and differing", 1000, 1 << 20, string(firm[5:]) + ",n1,2024-01-01,1.00,x,y\n", consent.Invalid, "rows.differ"},
		{"an amount of three digits behind the point", 1000, 1 << 20, string(firm[5:]) + ",x,2024-01-01,1.005,x,y\n", consent.Invalid, "rows.unfit: amount"},
		{"an amount that is no number", 1000, 1 << 20, string(firm[5:]) + ",x,2024-01-01,many,x,y\n", consent.Invalid, "source.bad_value"},
		{"a row of nobody", 1000, 1 << 20, "x,x,2024-01-01,1,x,y\n", consent.Invalid, "source.keys"},
	} {
		f := newInvoicing(t, 600, k.mostRows, k.mostBytes, k.spoil)
		a := f.askRows(f.id)
		p := f.collect(a, nil)
		if len(p.Answers) != 1 || p.Answers[0].Result.Outcome != k.outcome || p.Answers[0].Result.Reason != k.reason {
			t.Errorf("%s: %+v", k.name, p.Answers)
		}
		if rows := f.rows(a); len(rows) != 0 {
			t.Errorf("%s: %d rows", k.name, len(rows))
		}
		f.emptySorting()
	}
}
