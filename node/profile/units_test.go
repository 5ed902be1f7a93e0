package profile

import (
	"slices"
	"strings"
	"testing"
)

// TestUnits: inputs of two units are neither added nor compared, and not shown
// in another unit.
func TestUnits(t *testing.T) {
	const kind = "title: {zh: k, en: K}, weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]"
	two := strings.Replace(asking, "disclosure: band, months: 12, least: 0", "disclosure: value, months: 12, unit: CNY, least: 0", 1)
	other := strings.Replace(two, "agency: tax, dataset: vat, output: y", "agency: court, dataset: vat, output: y", 1)
	counted := strings.Replace(two, "disclosure: value, months: 12, unit: CNY, least: 0", "disclosure: count, months: 12, least: 0", 1)
	bare := strings.Replace(two, "unit: CNY, ", "", 1)
	indicator := func(value string) [2]string { return [2]string{kind, "title: {zh: k, en: K}, weight: 0, " + value} }
	for _, c := range []struct {
		text   string
		edit   [2]string
		line   int // 0: nothing is found
		severe bool
		says   string
	}{
		{two, indicator("value: x"), 0, false, ""},
		{two, indicator("unit: CNY, value: x"), 0, false, ""},
		{two, indicator("unit: CNY, value: 'x / y'"), 0, false, ""},
		{two, indicator("unit: items, value: x"), 17, true, `the unit is "items", and what the formula gives is in "CNY"`},
		{two, indicator("unit: 10k CNY, value: x / 10000"), 0, false, ""},
		{two, indicator("unit: CNY, value: 'x + y'"), 17, true, `+ of "CNY" and "items"`},
		{two, indicator("value: 'max([x, y])'"), 17, true, `[…] of "CNY" and "items"`},
		{bare, indicator("value: 'x + y'"), 17, false, `+ of "" and "items"`},
		{counted, indicator("value: 'x + y'"), 0, false, ""},
		{two, [2]string{"when: y > 5", "when: y > 5 && y > x"}, 19, true, `> of "items" and "CNY"`},
		{two, [2]string{"when: y < 3", "when: y < x"}, 11, true, `< of "items" and "CNY"`},
		{other, [2]string{"grades:", "checks:\n  - {name: c, title: {zh: c, en: C}, a: x, b: y, attention: 1, abnormal: 2}\ngrades:"}, 22, true, `a is in "CNY", b in "items"`},
		{other, [2]string{"grades:", "checks:\n  - {name: c, title: {zh: c, en: C}, a: x, b: y * 2, attention: 1, abnormal: 2}\ngrades:"}, 0, false, ""},
		{other, [2]string{"grades:", "checks:\n  - {name: c, title: {zh: c, en: C}, a: x, b: y, deviation: a / b, attention: 1, abnormal: 2}\ngrades:"}, 0, false, ""},
		{other, [2]string{"grades:", "checks:\n  - {name: c, title: {zh: c, en: C}, a: x, b: y, deviation: abs(a - b) / a, attention: 1, abnormal: 2}\ngrades:"}, 22, true, `- of "CNY" and "items"`},
	} {
		text := strings.Replace(c.text, c.edit[0], c.edit[1], 1)
		if text == c.text {
			t.Fatalf("%q is not in the template", c.edit[0])
		}
		tpl, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", c.edit[1], err)
			continue
		}
		got := slices.DeleteFunc(tpl.Meaning(20_785, nil), func(f Finding) bool { return f.Code != FindUnit })
		if c.line == 0 {
			if len(got) > 0 {
				t.Errorf("%s: %+v", c.edit[1], got)
			}
			continue
		}
		if len(got) != 1 || got[0].Error != c.severe || got[0].Line != c.line || !strings.Contains(got[0].Words.English, c.says) || strings.Contains(got[0].Words.Chinese+got[0].Words.English, "%!") {
			t.Errorf("%s: %+v, want line %d, %s", c.edit[1], got, c.line, c.says)
		}
	}
}
