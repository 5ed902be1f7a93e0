package catalog

import (
	"slices"
	"strings"
	"testing"
)

const registerYAML = `agency: tax
version: 1
datasets:
  - name: debts
    title: {zh: 欠税, en: Debts}
    sensitivity: 2
    source: main
    table: debts
    key: uscc
    records: one
    complete: true
    also: [cn-id, lei]
    may_be_empty: true
    fields:
      - {name: since, type: date, none: [1900-01-01, "9999-12-31"]}
      - {name: cleared, type: date}
      - {name: seen, type: date}
      - {name: code, type: text, none: ["-", 无]}
    outputs:
      - {name: owed, title: {zh: 欠, en: owed}, type: bool, value: "has_value(since) && cleared == null && seen != today", disclose: [value]}
rules:
  - {name: any, allow: "true", reason: {zh: 任何, en: any}}
`

func TestReading(t *testing.T) {
	c, err := Parse([]byte(registerYAML))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Datasets[0]
	if d.MaxAge != DefaultMaxAge || !d.MayBeEmpty || !slices.Equal(d.Also, []string{KeyPerson, KeyLEI}) {
		t.Errorf("%+v", d)
	}
	want := map[string][]string{"since": {"1900-01-01", "9999-12-31"}, "code": {"-", "无"}, "cleared": nil, "seen": nil}
	for _, f := range d.Fields {
		if !slices.Equal(f.None, want[f.Name]) {
			t.Errorf("%s: none is %q", f.Name, f.None)
		}
		// A placeholder date changes the result wherever a formula reads a
		// date.
		if asked := f.Type == TypeDate; f.Asked != asked {
			t.Errorf("%s is asked: %v", f.Name, f.Asked)
		}
	}
}

func TestBadReading(t *testing.T) {
	for _, c := range []struct{ old, with, problem string }{
		{"also: [cn-id, lei]", "also: [uscc]", "line 12: debts: also: some of"},
		{"also: [cn-id, lei]", "also: [lei, lei]", "line 12: debts: also: some of"},
		{"may_be_empty: true", "max_age: 3661", "line 13: debts: max_age: 3660 days at most"},
		{"complete: true", "max_age: 7", "line 11: debts: max_age belongs to complete datasets"},
		{"{name: cleared, type: date}", "{name: cleared, type: date, thousands: ','}", "line 16: debts: field cleared: decimal and thousands belong to numbers"},
		{"{name: cleared, type: date}", "{name: cleared, type: decimal, decimal: ';'}", `line 16: debts: field cleared: decimal: "." or ","`},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYY/M]}", `line 16: debts: field cleared: date_format "YYYY/M": YYYY, M or MM`},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYYMD]}", `date_format "YYYYMD": M, D and h need a separator behind them`},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [DMYYYY]}", `date_format "DMYYYY": M, D and h need a separator behind them`},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYY/MM/D1]}", `date_format "YYYY/MM/D1": M, D and h need a separator behind them`},
		{`none: ["-", 无]`, "date_format: [YYYY/M/D]", "field code: date_format belongs to dates"},
		{`none: ["-", 无]`, `none: [""]`, "none: texts of 1 to 100 bytes"},
		{`none: ["-", 无]`, "none: [" + strings.Repeat("x, ", maxNone) + "x]", "none: 0 to 20, not 21"},
		{`none: ["-", 无]`, `none: ["` + strings.Repeat("x", maxNoneBytes+1) + `"]`, "none: texts of 1 to 100 bytes"},
	} {
		_, err := Parse([]byte(strings.Replace(registerYAML, c.old, c.with, 1)))
		if err == nil || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v", c.with, err)
		}
	}
}
