package catalog

import (
	"fmt"
	"strings"
	"testing"
)

// TestRatios: a fraction of 1 cannot be declared as per cent, and a quotient
// whose sign may be wrong causes a warning.
func TestRatios(t *testing.T) {
	const wrong, sign = "error: ", "warning: over a base below 0"
	for _, c := range []struct{ unit, formula, want string }{
		{"ratio", `growth(count(rows), 4)`, ""},
		{"\"%\"", `growth(count(rows), 4)`, wrong},
		{"CNY", `round(ratio(count(rows), 4), 2)`, wrong},
		{"\"%\"", `orElse(growth(count(rows), 4), 0)`, wrong},
		{"\"%\"", `count(rows) > 1 ? growth(count(rows), 4) : 0`, wrong},
		{"\"%\"", `ratio(count(rows), 4) - 1`, wrong},
		{"\"%\"", `growth(count(rows), 4) * 100`, ""},
		{"persons", `count(rows.filter(r, ratio(r.a, r.b) > 0.5))`, ""},
		{"ratio", `sum(rows.map(r, r.a)) / sum(rows.map(r, r.b)) - 1`, sign},
		{"ratio", `sum(rows.map(r, r.a)) / (0 - 3)`, sign},
		{"CNY", `sum(rows.map(r, r.a)) / 12`, ""},
		{"CNY", `sum(rows.map(r, r.a)) / count(rows)`, ""},
	} {
		text := strings.NewReplacer("{name: number, type: text}", "{name: a, type: decimal, unit: CNY}\n      - {name: b, type: decimal, unit: CNY}",
			"TYPE", "decimal, scale: 2, unit: "+c.unit, "FORMULA", c.formula).Replace(vocabularyYAML)
		got, err := Parse([]byte(text))
		said := ""
		if err != nil {
			said = wrong + err.Error()
		} else if w := got.Warnings(); len(w) > 0 {
			said = "warning: " + strings.TrimPrefix(fmt.Sprint(w), "catalog: line 22: cases.one: ")
		}
		if c.want == wrong && !strings.Contains(said, "fractions of 1") || !strings.HasPrefix(said, c.want) || c.want == "" && (strings.Contains(said, "fractions of 1") || strings.Contains(said, "sign")) {
			t.Errorf("%s in %s: %s, want %q", c.formula, c.unit, said, c.want)
		}
	}
}
