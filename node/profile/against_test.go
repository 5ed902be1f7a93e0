package profile

import (
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// offeredTax is what the agencies of [small] have to offer.
const offeredTax = `agency: tax
version: 7
datasets:
  - name: vat
    title: {zh: 税, en: Vat}
    sensitivity: 1
    source: main
    table: vat
    key: uscc
    records: many
    periods: {month: month}
    complete: true
    fields:
      - {name: month, type: date}
      - {name: amount, type: decimal}
      - {name: kind, type: text, values: {a: [甲], b: [], c: []}}
    outputs:
      - {name: x, title: {zh: x, en: X}, type: decimal, scale: 0, measure: flow, months: 12, value: "sum(rows.map(r, r.amount))", disclose: [value, band, count], bands: [0, 10, 20]}
      - {name: y, title: {zh: y, en: Y}, type: integer, measure: flow, months: 12, unit: items, value: "count(rows)", disclose: [value]}
      - {name: older, title: {zh: o, en: O}, type: decimal, scale: 0, measure: flow, months: 12, value: "sum(rows.months(6, 12).map(r, r.amount))", disclose: [value]}
      - {name: since, title: {zh: s, en: S}, type: date, measure: state, value: "newest(rows, r, r.month)", disclose: [value]}
      - {name: kind, title: {zh: k, en: K}, type: text, measure: state, value: "newest(rows, r, r.kind)", disclose: [value]}
rules:
  - {name: lenders, allow: 'bank == "bank-b" && hour < 5', reason: {zh: 仅, en: alone}}
  - {name: purposes, allow: 'purpose == "pre_loan"', reason: {zh: 仅, en: alone}}
`

const asking = `name: asking
version: 1
title: {zh: 问, en: Asking}
author: test
purpose: pre_loan
inputs:
  - {name: x, agency: tax, dataset: vat, output: x, disclosure: band, months: 12, least: 0, title: {zh: x, en: X}}
  - {name: y, agency: tax, dataset: vat, output: y, disclosure: value, months: 12, unit: items, least: 0, title: {zh: y, en: Y}}
  - {name: kind, agency: tax, dataset: vat, output: kind, disclosure: value, months: 0, type: text, values: {a: [], b: [], c: []}, title: {zh: k, en: K}}
stages:
  - {name: young, title: {zh: 新, en: Young}, when: y < 3, words: {zh: 少, en: few}}
  - {name: old, title: {zh: 老, en: Old}}
dimensions:
  - {name: a, title: {zh: 甲, en: A}, weights: {young: 100, old: 100}}
indicators:
  - {name: x, dimension: a, title: {zh: x, en: X}, weight: 1, value: x, bins: [{below: 10, points: 0}, {below: 20, points: 50}, {points: 100}]}
  - {name: kind, dimension: a, title: {zh: k, en: K}, weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]}
vetoes:
  - {name: many, title: {zh: 多, en: Many}, when: y > 5, words: {zh: 多, en: many}}
  - {name: c, title: {zh: 丙, en: C}, when: 'kind == "c"', words: {zh: 丙, en: c}}
grades: [{from: 60, grade: A}, {from: 0, grade: B}]
`

// TestFindings: changes one thing in a template that has no finding.
func TestFindings(t *testing.T) {
	tax, err := catalog.Parse([]byte(offeredTax))
	if err != nil {
		t.Fatal(err)
	}
	look := func(text string) []Finding {
		tpl, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return append(tpl.Against([]*catalog.Catalog{tax}), tpl.Meaning(20_785, []*catalog.Catalog{tax})...)
	}
	if got := look(asking); len(got) > 0 {
		t.Fatalf("findings in a good template: %+v", got)
	}
	for _, c := range []struct {
		old, new, code string
		severe         bool
		line           int
		says           string
	}{
		{"output: y", "output: z", FindOutput, true, 8, "tax offers no vat.z (catalog version 7)"},
		{"dataset: vat, output: y", "dataset: cit, output: y", FindOutput, true, 8, "cit.y"},
		{"agency: tax, dataset: vat, output: kind", "agency: court, dataset: vat, output: kind", FindUnchecked, false, 9, "court"},
		{"output: y, disclosure: value, months: 12, unit: items", "output: y, disclosure: count, months: 12", FindDisclosure, true, 8, "as a count"},
		{"disclosure: value, months: 12, unit: items", "disclosure: value, months: 0, unit: items", FindMonths, true, 8, "a flow"},
		{"months: 12, unit: items", "months: 13, unit: items", FindMonths, true, 8, "12 months at most"},
		{"months: 0, type: text", "months: 1, type: text", FindMonths, true, 9, "a state"},
		{"output: y, disclosure: value, months: 12, unit: items", "output: older, disclosure: value, months: 11", FindMonths, true, 8, "over 12 months"},
		{", unit: items", "", FindUnit, true, 8, `the unit "items", not ""`},
		{"output: y, disclosure: value, months: 12, unit: items, least: 0, ", "output: since, disclosure: value, months: 0, ", FindType, true, 8, "date, not number"},
		{"values: {a: [], b: [], c: []}", "values: {a: [], c: []}", FindValues, true, 9, `may be "b"`},
		{"values: {a: [], b: [], c: []}", "values: {a: [b], c: [], d: []}", FindValues, false, 9, `never "d"`},
		{"purpose: pre_loan", "purpose: in_loan", FindPurpose, true, 5, "rule purposes of tax"},
		{"when: y > 5", "when: y < 0", FindNever, true, 19, "no value meets"},
		{"when: y > 5", "when: y > 5 && y < 6", FindNever, true, 19, "no value meets"},
		{"when: y > 5", "when: y >= 0", FindNever, true, 19, "every value"},
		{"when: y > 5", "when: y * 0 > 5", FindNever, false, 19, "no value meets"},
		{"when: y > 5", "when: y > 5 || x > 12, steady: true", FindUndecided, false, 19, "band x 10..20"},
		{"when: y < 3", "when: y > 3 && y < 4", FindNever, true, 11, "no value meets"},
		{", words: {zh: 多, en: many}", "", FindWords, false, 19, "no words"},
		{"{below: 10, points: 0}", "{below: 15, points: 0}", FindUndecided, false, 16, "band x 10..20"},
		{"{below: 10, points: 0}", "{below: 0, points: 7}, {below: 10, points: 0}", FindUnreached, false, 16, "this bin"},
		{"{is: [a], points: 100}", "{is: [a, b], points: 100}, {is: [c], points: 50}", FindUnreached, false, 17, "this bin"},
		{"when: y > 5", "when: 1 / (y - 3) > 5", FindSign, false, 19, "a divisor"},
		{"when: y < 3", "when: 12 / (y - 3) < 3", FindSign, false, 11, "a divisor"},
		{"title: {zh: k, en: K}, weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]", "title: {zh: k, en: K}, weight: 0, value: y / -y", FindSign, false, 17, "a divisor"},
		{"title: {zh: k, en: K}, weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]", "title: {zh: k, en: K}, weight: 0, unit: '%', value: 'growth(y, y + 1)'", FindRatio, true, 17, "their unit is ratio, not \"%\""},
		{"title: {zh: k, en: K}, weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]", "title: {zh: k, en: K}, weight: 0, unit: items, value: 'round(ratio(y, y + 1), 2)'", FindRatio, true, 17, "their unit is ratio"},
		{"title: {zh: k, en: K}, weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]", "title: {zh: k, en: K}, weight: 0, value: 'ratio(y, y + 1)'", FindRatio, false, 17, "their unit is ratio"},
	} {
		text := strings.Replace(asking, c.old, c.new, 1)
		if text == asking {
			t.Fatalf("%q is not in the template", c.old)
		}
		got := look(text)
		i := slices.IndexFunc(got, func(f Finding) bool { return f.Code == c.code && f.Error == c.severe })
		if i < 0 || got[i].Line != c.line || !strings.Contains(got[i].Words.English, c.says) || got[i].Words.Chinese == "" || strings.Contains(got[i].Words.Chinese+got[i].Words.English, "%!") {
			t.Errorf("%s: %+v, want %s in line %d: %s", c.new, got, c.code, c.line, c.says)
		}
	}
	// A divisor is 0 or more, a unit is the quotient of two, a fraction is
	// shown as one.
	for _, value := range []string{
		"value: 1 / y", "value: '1 / max([y, 10])'", "value: '1 / (y + 0.5)'", "unit: items, steady: true, value: 'ratio(x, y)'", "unit: ratio, value: 'growth(y, y + 1)'", "unit: '%', value: '100 * growth(y, y + 1)'",
	} {
		text := strings.Replace(asking, "title: {zh: k, en: K}, weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]", "title: {zh: k, en: K}, weight: 0, "+value, 1)
		for _, f := range look(text) {
			if f.Code == FindSign || f.Code == FindRatio {
				t.Errorf("%s: %+v", value, f)
			}
		}
	}
	// Without its least, y might be below 0.
	open := strings.NewReplacer("unit: items, least: 0", "unit: items", "weight: 1, value: kind, bins: [{is: [a], points: 100}, {points: 0}]", "weight: 0, value: 1 / y").Replace(asking)
	if got := look(open); !slices.ContainsFunc(got, func(f Finding) bool { return f.Code == FindSign && !f.Error && f.Line == 17 }) {
		t.Errorf("a divisor without least: %+v", got)
	}
}

// TestClosedVocabulary: a text that decides has declared values, wherever it
// decides.
func TestClosedVocabulary(t *testing.T) {
	const open = "type: text, values: {a: [], b: [], c: []}"
	for _, c := range []struct{ old, new, want string }{
		{open, "type: text", "line 20: vetoes[1].when: kind decides here and has no values"},
		{open, "type: text", "line 17: indicators[1].value: kind decides"},
		{`when: y < 3`, `when: 'kind == "z"'`, `"z" is none of the values of kind`},
		{`'kind == "c"'`, `'(kind + "") == "z"'`, `"z" is none of the values of the inputs`},
		{`'kind == "c"'`, `'kind.contains("z")'`, `"z" is none of the values of the inputs`},
		{`'kind == "c"'`, `'kind in ["a", "z"]'`, `vetoes[1].when: "z" is none`},
		{open + ", title", "type: text, values: {a: [], b: [c]}, title", `"c" is a synonym: say "b"`},
		{"{is: [a], points: 100}", "{is: [z], points: 100}", `indicators[1].bins[0]: "z" is none`},
		{open, "type: text, values: {a: [b], b: [], c: []}", "stands twice"},
		{"unit: items, least: 0", "unit: items, values: {a: []}", "values belong to texts"},
	} {
		text := strings.Replace(asking, c.old, c.new, 1)
		if text == asking {
			t.Fatalf("%q is not in the template", c.old)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.new, err, c.want)
		}
	}
	tpl, err := Parse([]byte(strings.Replace(asking, open, "type: text, values: {a: [], b: [乙], c: [丙]}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"c": Hit, "丙": Hit, "a": Passed, "乙": Passed, "C": Unknown, "c ": Unknown, "": Unknown, "d": Unknown} {
		f := facts(tpl, map[string]string{"x": "0..10", "y": "1", "kind": value})
		p := assemble(t, tpl, f)
		if got := p.Vetoes[1].Result; got != want {
			t.Errorf("%q: veto %s, want %s", value, got, want)
		}
		if e := p.Inputs[2]; want == Unknown && (e.Outcome != consent.Invalid.String() || e.Reason != textUndeclared) {
			t.Errorf("%q: %+v", value, e)
		}
	}
}
