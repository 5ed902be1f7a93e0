package profile

import (
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// TestCivilDay: the day that data is about is the same day in every time zone.
func TestCivilDay(t *testing.T) {
	tpl := sme(t)
	newest, err := formula.ParseDate("2026-11-27")
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int16{-600, 0, 480, 840} {
		f := facts(tpl, values())
		f.Offset = offset
		for i := range f.Inputs {
			f.Inputs[i].AsOf = uint64(newest) * millisPerDay
		}
		p := assemble(t, tpl, f)
		var text strings.Builder
		if err := p.Text(&text, consent.English); err != nil {
			t.Fatal(err)
		}
		if p.Inputs[0].AsOf != "2026-11-27" || !strings.Contains(text.String(), "2026-11-27") || strings.Contains(text.String(), "2026-11-26") || strings.Contains(text.String(), "2026-11-28") {
			t.Errorf("at %d minutes: as of %s\n%s", offset, p.Inputs[0].AsOf, text.String())
		}
	}
}

// TestThirds: nothing is rounded before it is compared, whatever the order of
// the terms.
func TestThirds(t *testing.T) {
	for _, value := range []string{"total / 3 * 12", "total * 12 / 3", "12 / 3 * total", "total / 3 + total * 11 / 3"} {
		tpl, err := Parse([]byte(`
name: thirds
version: 1
title: {zh: 三, en: thirds}
author: test
purpose: pre_loan
inputs: [{name: total, title: {zh: 总, en: total}, agency: tax, dataset: vat, output: total, disclosure: value, months: 3, unit: CNY}]
stages: [{name: any, title: {zh: 任, en: any}}]
dimensions: [{name: all, title: {zh: 全, en: all}, weights: {any: 100}}]
indicators:
  - {name: year, dimension: all, title: {zh: 年, en: year}, weight: 100, value: ` + value + `, unit: CNY, bins: [{below: 1000000, points: 0}, {points: 100}]}
grades: [{from: 0, grade: A}]
`))
		if err != nil {
			t.Fatal(err)
		}
		for total, want := range map[string]string{"250000.00": "100", "249999.99": "0", "250000.01": "100"} {
			p := assemble(t, tpl, Facts{Subject: "uscc:91440300MA5EQXL17P", At: at, Inputs: []Input{
				{Agency: "tax", Item: tpl.Needs[0].Item(), Outcome: consent.Answered, Value: total, Unit: "CNY"},
			}})
			if p.Score.Worst != want || p.Score.Best != want {
				t.Errorf("%s of %s: %s..%s, want %s", value, total, p.Score.Worst, p.Score.Best, want)
			}
		}
	}
}

// TestShown: what people read instead of numbers and codes.
func TestShown(t *testing.T) {
	for _, c := range []struct{ kind, value, unit, want string }{
		{"number", "0.2347", "ratio", "23.5%"},
		{"number", "-0.05", "ratio", "-5%"},
		{"number", "25.00", "%", "25%"},
		{"number", "23.46", "%", "23.5%"},
		{"number", "0..1", "CNY", "none (< 1 CNY)"},
		{"number", "0..1", "ratio", "0 to 100%"},
		{"number", "1..10000", "CNY", "1 to 10,000 CNY"},
		{"number", "0", "CNY", "0 CNY"},
		{"number", "1", "months", "1 month"},
		{"number", "11", "months", "11 months"},
		{"bool", "true", "", "yes"},
	} {
		s, err := speak(consent.English, terminalSigns)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Amount(c.kind, c.value, c.unit); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.value, c.unit, got, c.want)
		}
	}
	s, err := speak(consent.Chinese, pageSigns)
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{"timeout": "未在期限内应答", "periods.missing": "所问期间的数据不全", "not_final: court": "已放行，尚未终局，缺少共签人：court", "its own words\x1b": `its own words\u{1b}`} {
		if got := s.Because(code); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	if got := s.Says(Title{"列入失信名单", "on the list"}); got != "列入失信名单" {
		t.Error(got)
	}
	for covered, want := range map[uint64]string{9: "900 元 (9/12 个月)", 12: "900 元", 0: "900 元"} {
		if got := s.Told(Evidence{Type: "number", Value: "900.00", Unit: "CNY", Months: 12, Covered: covered}); got != want {
			t.Errorf("%d months: %q, want %q", covered, got, want)
		}
	}
	if got := s.Says(Title{}); got != "—" {
		t.Error(got)
	}
	if got := s.Labelled(Indicator{Type: "text", Value: "M", Label: Title{"新设企业", "new firm"}}); got != "M (新设企业)" {
		t.Error(got)
	}
}

// TestUnitOfAnother: a number in another unit than the template's is no value,
// whether the template has a unit or not.
func TestUnitOfAnother(t *testing.T) {
	for _, c := range []struct{ want, got string }{{"", "%"}, {"ratio", ""}, {"ratio", "%"}, {"CNY", "10k CNY"}, {"CNY", ""}} {
		n := Need{Disclosure: consent.Value, Unit: c.want, kind: formula.Number}
		if _, problem := n.read("25.00", c.got); problem == "" {
			t.Errorf("%q is taken for %q", c.got, c.want)
		}
		if _, problem := n.read("25.00", c.want); problem != "" {
			t.Errorf("%q: %s", c.want, problem)
		}
	}
}
