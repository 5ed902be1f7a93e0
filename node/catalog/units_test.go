package catalog

import (
	"fmt"
	"strings"
	"testing"
)

// TestUnits: a number leaves in the unit of what it is made of.
func TestUnits(t *testing.T) {
	text := string(read(t, "tax.yaml"))
	const capital = "        field: capital\n"
	in := func(unit string) string {
		return strings.Replace(text, "type: decimal, unit: CNY}\n      - {name: status", "type: decimal"+unit+"}\n      - {name: status", 1)
	}
	const told = "the unit is"
	for _, c := range []struct{ name, text, wrong, warned string }{
		{"the same", text, "", ""},
		{"a field in 10,000", in(", unit: 10k CNY"), `registration.capital: the unit is "CNY", that of its field is "10k CNY"`, ""},
		{"a field without one", in(""), `registration.capital: the unit is "CNY", that of its field is ""`, ""},
		{"as a formula", strings.Replace(in(", unit: 10k CNY"), capital, "        value: \" capital \"\n", 1), `registration.capital: the unit is "CNY"`, ""},
		{"multiplied", strings.Replace(in(", unit: 10k CNY"), capital, "        value: capital * 10000\n", 1), "", ""},
		{"read in another way", strings.Replace(in(", unit: 10k CNY"), capital, "        value: orElse(capital, 0)\n", 1), "", `registration.capital: the unit is "CNY", which no number has that the formula reads: capital ("10k CNY")`},
		{"a sum in 10,000", strings.Replace(text, "{name: base, type: decimal, unit: CNY}", "{name: base, type: decimal, unit: 10k CNY}", 1), "", `vat.sales_12m: the unit is "CNY", which no number has that the formula reads: base ("10k CNY")`},
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
