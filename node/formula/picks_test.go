package formula

import (
	"testing"

	"github.com/shopspring/decimal"
)

// TestTakes: rows are left out only where every use of them is behind a filter
// that is false for them, whatever their other fields are.
func TestTakes(t *testing.T) {
	vars := map[string]Kind{"rows": Rows, "rows.kind": Text, "rows.base": Number, "rows.code": Number, "rows.open": Bool, "other": Rows, "other.kind": Text}
	fee := map[string]any{"kind": "fee", "code": decimal.NewFromInt(2), "open": true}
	for source, want := range map[string]bool{
		`sum(rows.filter(r, r.kind == "vat").map(r, r.base))`:                                              false,
		`sum(rows.filter(r, "vat" == r.kind).map(r, r.base))`:                                              false,
		`sum(rows.filter(r, r.kind == "fee").map(r, r.base))`:                                              true,
		`sum(rows.filter(r, r.kind != "fee").map(r, r.base))`:                                              false,
		`sum(rows.filter(r, !(r.kind == "fee")).map(r, r.base))`:                                           false,
		`sum(rows.filter(r, r.kind in ["vat", "sales"]).map(r, r.base))`:                                   false,
		`sum(rows.filter(r, r.kind in ["vat", "fee"]).map(r, r.base))`:                                     true,
		`sum(rows.filter(r, r.kind == "vat" && r.base > 0).map(r, r.base))`:                                false,
		`sum(rows.filter(r, r.base > 0 && r.kind == "vat").map(r, r.base))`:                                false,
		`sum(rows.filter(r, r.kind == "vat" || r.base > 0).map(r, r.base))`:                                true,
		`sum(rows.filter(r, r.kind == "vat" || r.kind == "sales").map(r, r.base))`:                         false,
		`sum(rows.filter(r, has_value(r.base)).map(r, r.base))`:                                            true,
		`sum(rows.filter(r, r.base == null && r.kind == "vat").map(r, r.base))`:                            false,
		`sum(rows.filter(r, r.base > 0).filter(r, r.kind == "vat").map(r, r.base))`:                        false,
		`sum(rows.filter(r, r.kind == "vat").filter(r, r.base > 0).map(r, r.base))`:                        false,
		`sum(rows.months(0, 12).filter(r, r.kind == "vat").map(r, r.base))`:                                false,
		`sum(rows.filter(r, r.kind == "vat").months(0, 12).map(r, r.base))`:                                false,
		`sum(rows.map(r, r.kind == "vat", r.base))`:                                                        false,
		`sum(rows.map(r, r.kind == "fee", r.base))`:                                                        true,
		`rows.exists_one(r, r.kind == "vat")`:                                                              false,
		`rows.exists(r, r.kind == "vat")`:                                                                  true, // an unknown form
		`count(rows.map(r, r.kind).filter(k, k == "vat"))`:                                                 true, // of values made from rows
		`sum(rows.map(r, r.kind == "vat" ? r.base : 0))`:                                                   true,
		`sum(rows.map(r, r.base))`:                                                                         true,
		`count(rows)`:                                                                                      true,
		`1`:                                                                                                true,
		`count(rows.filter(r, r.kind == "vat")) + count(rows)`:                                             true,
		`count(rows.filter(r, r.kind == "vat")) + count(rows.filter(r, r.kind == "sales"))`:                false,
		`growth(count(rows.filter(r, r.kind == "vat")), count(rows.filter(r, r.kind == "fee")))`:           true,
		`count(rows.filter(r, r.kind == "vat" && rows.exists(s, s.base > r.base)))`:                        true, // within the filter
		`newest(rows.filter(r, r.kind == "vat"), r, r.base)`:                                               false,
		`newest(rows, r, r.kind == "vat")`:                                                                 true,
		`count(rows.filter(r, r.code == 1))`:                                                               false,
		`count(rows.filter(r, r.code == 2))`:                                                               true,
		`count(rows.filter(r, r.code == 2.0))`:                                                             true,
		`count(rows.filter(r, !r.open))`:                                                                   false,
		`count(rows.filter(r, r.open == false))`:                                                           false,
		`count(rows.filter(r, r.open))`:                                                                    true,
		`count(rows.filter(r, false))`:                                                                     false,
		`count((rows.filter(r, r.kind == "vat") + rows.filter(r, r.kind == "fee")).filter(r, r.base > 0))`: true,
		`count(other.filter(r, r.kind == "vat")) + count(rows.filter(r, r.kind == "vat"))`:                 false,
		`[rows.filter(r, r.kind == "vat")].all(l, count(l) > 0)`:                                           false,
		`count(rows.filter(rows, rows.kind == "vat"))`:                                                     true, // the filter's variable hides rows
		`sum(rows.filter(r, r.kind.startsWith("va")).map(r, r.base))`:                                      true,
	} {
		f, err := Compile(source, vars, Any)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := f.Takes(fee); got != want {
			t.Errorf("%s takes fees: %v, want %v", source, got, want)
		}
		if !f.Takes(map[string]any{"kind": nil}) && source != `count(rows.filter(r, false))` {
			t.Errorf("%s leaves out rows of which nothing is known", source)
		}
	}
}
