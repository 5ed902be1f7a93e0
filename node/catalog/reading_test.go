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
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYY/D]}", `line 16: debts: field cleared: date_format "YYYY/D": YYYY, M or MM`},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYY-MM hh]}", `date_format "YYYY-MM hh": YYYY, M or MM`},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYY-MM, YYYY-MM-DD]}", "date_format: all formats have a day, or none has"},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYYMM, MM/YYYY]}", "date_format: two orders"},
		{"{name: cleared, type: date}", "{name: cleared, type: date, date_format: [YYYY-MM]}", "line 16: debts.cleared: date_format without a day is for the month of periods (periods: {month: cleared})"},
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

// TestMonths: a month is written without a day, and only where it is the month of
// periods: its first day is no day that anything happened on.
func TestMonths(t *testing.T) {
	w, err := NewWriting("", "", []string{"YYYYMM", "YYYY年M月"})
	if err != nil || !w.Monthly() || !w.DeclaresDates() || !(Writing{}).Over(w).Monthly() {
		t.Fatalf("%+v, %v", w, err)
	}
	for text, want := range map[string]string{"202501": "2025-01-01", "2025年9月": "2025-09-01", "2025年11月": "2025-11-01", "202513": "", "2025": "", "20250101": "", "2025-01": ""} {
		if got, ok := w.Date(text); ok != (want != "") || ok && got.Format("2006-01-02") != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	monthly := strings.NewReplacer("records: one\n    complete: true", "records: many\n    periods: {month: seen}\n    complete: true",
		"{name: seen, type: date}", "{name: seen, type: date, date_format: [YYYYMM]}",
		`value: "has_value(since) && cleared == null && seen != today"`, `value: "count(rows) > 0", measure: state`).Replace(registerYAML)
	if _, err := Parse([]byte(monthly)); err != nil {
		t.Error(err)
	}
	if _, err := Parse([]byte(strings.Replace(monthly, "periods: {month: seen}", "date: seen", 1))); err == nil || !strings.Contains(err.Error(), "debts.seen: date_format without a day") {
		t.Error(err)
	}
}
