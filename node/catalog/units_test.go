package catalog

import (
	"fmt"
	"strings"
	"testing"
)

// TestUnits: an output has the unit of what it is computed from.
func TestUnits(t *testing.T) {
	text := string(read(t, "tax.yaml"))
	const capital = "        field: capital\n"
	in := func(unit string) string {
		return strings.Replace(text, "type: decimal, unit: CNY}\n      - {name: status", "type: decimal"+unit+"}\n      - {name: status", 1)
	}
	text = strings.Replace(text, "value: avg(rows.map(r, r.base))", "value: avg(rows.map(r, r.tax))", 1)
	base := strings.Replace(text, "{name: base, type: decimal, unit: CNY}", "{name: base, type: decimal, unit: 10k CNY}", 1)
	sum := func(text, value string) string {
		return strings.Replace(text, "sum(rows.months(0, 12).map(r, r.base))", value, 1)
	}
	const told = "the unit is"
	for _, c := range []struct{ name, text, wrong, warned string }{
		{"the same", text, "", ""},
		{"a field in 10,000", in(", unit: 10k CNY"), `registration.capital: the unit is "CNY", that of its field is "10k CNY"`, ""},
		{"a field without one", in(""), `registration.capital: the unit is "CNY", that of its field is ""`, ""},
		{"as a formula", strings.Replace(in(", unit: 10k CNY"), capital, "        value: \" capital \"\n", 1), `registration.capital: the unit is "CNY"`, ""},
		{"multiplied", strings.Replace(in(", unit: 10k CNY"), capital, "        value: capital * 10000\n", 1), "", ""},
		{"read in another way", strings.Replace(in(", unit: 10k CNY"), capital, "        value: orElse(capital, 0)\n", 1), `registration.capital: the unit is "CNY", and what the formula gives is in "10k CNY"`, ""},
		{"read without a unit", strings.Replace(in(""), capital, "        value: orElse(capital, 0)\n", 1), "", `registration.capital: the unit is "CNY", and what the formula gives is in ""`},
		{"a sum in 10,000", base, `vat.sales_12m: the unit is "CNY", and what the formula gives is in "10k CNY"`, ""},
		{"a difference", sum(base, "sum(rows.map(r, r.base - r.tax))"), `vat.sales_12m: column 24: - of "10k CNY" and "CNY": bring both to one unit`, ""},
		{"a comparison in a condition", strings.Replace(sum(base, "0 * sum(rows.map(r, r.base))"), "value: distinct_months(rows)", "value: distinct_months(rows.filter(r, r.tax < r.base))", 1), `vat.filed: column 38: < of "CNY" and "10k CNY"`, ""},
		{"a difference to what has no unit", sum(strings.Replace(text, "{name: base, type: decimal, unit: CNY}", "{name: base, type: decimal}", 1), "sum(rows.map(r, r.tax - r.base))"), "", `vat.sales_12m: column 23: - of "CNY" and ""`},
		{"both in one", sum(base, "sum(rows.map(r, r.base * 10000 - r.tax))"), "", ""},
	} {
		parsed, err := Parse([]byte(c.text))
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v, want %s", c.name, err, c.wrong)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := fmt.Sprint(parsed.Warnings())
		if !strings.Contains(got, c.warned) || c.warned == "" && strings.Contains(got, told) {
			t.Errorf("%s: %s, want %s", c.name, got, c.warned)
		}
	}
}
