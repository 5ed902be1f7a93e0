package formula

import (
	"fmt"
	"strings"
	"testing"
)

// TestUnits: numbers that are added, compared or chosen between have one unit.
func TestUnits(t *testing.T) {
	vars := map[string]Kind{"a": Number, "b": Number, "w": Number, "none": Number, "t": Text, "d": Date, "today": Date, "rows": Rows, "rows.paid": Number, "rows.due": Number, "rows.kind": Text, "rows.day": Date}
	units := map[string]string{"a": "CNY", "b": "CNY", "w": "10k CNY", "none": "", "paid": "CNY", "due": "10k CNY"}
	for _, c := range []struct{ source, unit, clashes string }{
		{"a + b", "CNY", ""},
		{"a + 1", "CNY", ""},
		{"1", "any", ""},
		{"a + w", "any", `column 3: + of "CNY" and "10k CNY": bring both to one unit, such as by * 10000`},
		{"a + w * 10000", "CNY", ""},
		{"a - b - w", "any", `column 7: - of "CNY" and "10k CNY"`},
		{"a + w > b + w", "any", `column 3: + of "CNY" and "10k CNY"; column 11: + of "CNY" and "10k CNY"`},
		{"a <\n w", "any", `line 1, column 3: < of "CNY" and "10k CNY"`},
		{"a == w", "any", "=="},
		{"a != w", "any", "!="},
		{"a >= w || t == 'x'", "any", ">="},
		{"a in [b, w]", "any", "[…]"},
		{"w in [a, b]", "any", "in of"},
		{"a > 5 ? a : w", "any", "?:"},
		{"a > w ? 1 : 2", "any", ">"},
		{"a > 5 ? -a : 0", "CNY", ""},
		{"max([a, w])", "any", "[…]"},
		{"max([a, b])", "CNY", ""},
		{"orElse(a, w)", "any", "orElse of"},
		{"round(abs(orElse(a, 0)), 2)", "CNY", ""},
		{"growth(a, w)", "ratio", "growth of"},
		{"growth(a, b)", "ratio", ""},
		{"ratio(a, w)", "any", ""},
		{"a / w", "any", ""},
		{"a + none", "any", `+ of "CNY" and ""`},
		{"days_between(d, today) > 5", "any", ""},
		{"count(rows) + a", "CNY", ""},
		{"sum(rows.map(r, r.paid))", "CNY", ""},
		{"sum(rows.map(r, r.paid).filter(x, x > 3))", "CNY", ""},
		{"sum(rows.map(r, r.paid).filter(x, x > w))", "CNY", `> of "CNY" and "10k CNY"`},
		{"sum(rows.map(r, r.kind == 'x', r.paid))", "CNY", ""},
		{"sum(rows.map(r, r.paid - r.due))", "any", "-"},
		{"count(rows.filter(r, r.paid < r.due))", "any", "<"},
		{"rows.exists(r, r.paid < r.due)", "any", "<"},
		{"rows.all(r, r.paid < r.due)", "any", "<"},
		{"rows.exists_one(r, r.paid < r.due)", "any", "<"},
		{"newest(rows, r, r.paid - r.due)", "any", "-"},
		{"newest(rows.months(0, 12).filter(r, has_value(r.paid)), r, r.paid)", "CNY", ""},
		{"sum(known(rows.map(r, r.paid)) + rows.map(r, r.due))", "any", "+"},
		{"avg(rows.map(r, r.due)) > avg(rows.map(r, r.paid))", "any", ">"},
		{"newest(rows, r, r.day) == d && t == newest(rows, r, r.kind)", "any", ""},
		{"sum(rows.map(a, a.paid)) + a", "CNY", ""},
	} {
		f, err := Compile(c.source, vars, Any)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		unit, known, clashes := f.Units(func(name string) (string, bool) { u, ok := units[name]; return u, ok })
		if !known {
			unit = "any"
		}
		var all []string
		for _, clash := range clashes {
			all = append(all, clash.Error())
			if strings.IndexFunc(Chinese(clash.Error()), han) < 0 || strings.Contains(Chinese(clash.Error()), " of ") {
				t.Errorf("no Chinese for %s", clash)
			}
		}
		text := strings.Join(all, "; ")
		match := strings.Contains(text, c.clashes)
		for part := range strings.SplitSeq(c.clashes, "; ") {
			match = match || strings.Contains(text, part)
		}
		if n := strings.Count(c.clashes, "; ") + 1; unit != c.unit || !match || c.clashes == "" && len(all) > 0 || c.clashes != "" && len(all) != n {
			t.Errorf("%s: %s, %s; want %s, %s", c.source, unit, fmt.Sprint(all), c.unit, c.clashes)
		}
	}
}
