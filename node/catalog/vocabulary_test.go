package catalog

import (
	"strings"
	"testing"
)

const vocabularyYAML = `agency: court
version: 1
datasets:
  - name: cases
    title: {zh: 案件, en: Cases}
    sensitivity: 1
    source: main
    table: cases
    key: uscc
    records: many
    date: filed
    complete: true
    fields:
      - {name: number, type: text}
      - {name: filed, type: date}
      - {name: status, type: text, values: {listed: [在列], removed: []}}
      - {name: open, type: text}
      - {name: closed, type: date}
      - {name: seen, type: date}
    outputs:
      - {name: one, title: {zh: 一, en: one}, type: TYPE, measure: state, value: 'FORMULA', disclose: [value]}
rules:
  - {name: any, allow: "true", reason: {zh: 任何, en: any}}
`

// TestVocabulary: in whatever form a formula is written, a text that decides
// has declared values, and the text tested for is one of them.
func TestVocabulary(t *testing.T) {
	const undeclared, none = "declare its values", "is none of the values"
	for formula, want := range map[string]string{
		`bool rows.exists(r, r.status == "listed")`:                                 "",
		`bool rows.exists(r, orElse(r.status, "listed") == "listed")`:               "",
		`bool newest(rows, r, r.status) == "listed"`:                                "",
		`bool rows.exists(r, has_value(r.open))`:                                    "",
		`bool rows.exists(r, r.open == null)`:                                       "",
		`bool rows.exists(r, r.filed > date("2020-01-01") && r.status == "listed")`: "",
		`text newest(rows, r, r.open)`:                                              "",
		`bool rows.exists(r, r.open == "listed")`:                                   undeclared,
		`bool rows.exists(r, orElse(r.open, "") == "listed")`:                       undeclared,
		`bool "listed" in rows.map(r, r.open)`:                                      undeclared,
		`bool rows.map(r, r.open).exists(s, s == "listed")`:                         undeclared,
		`bool newest(rows, r, r.open) == "listed"`:                                  undeclared,
		`bool rows.exists(r, r.open.contains("listed"))`:                            undeclared,
		`bool rows.exists(r, r.open + "" == "listed")`:                              undeclared,
		`bool rows.exists(r, (r.open == null ? "" : r.open) == "listed")`:           undeclared,
		`bool rows.exists(r, r.open >= "listed")`:                                   undeclared,
		`bool rows.exists(r, r.open == r.number)`:                                   undeclared,
		`text newest(rows, r, r.open == "listed" ? "a" : "b")`:                      undeclared,
		`bool rows.exists(r, r.status == "Listed")`:                                 none,
		`bool rows.exists(r, r.status == "在列")`:                                     none,
		`bool rows.map(r, r.status).exists(s, s == "Listed")`:                       none,
		`bool newest(rows, r, r.status) == "在列"`:                                    none,
		`bool rows.exists(r, r.status.startsWith("list"))`:                          none,
		`bool rows.exists(r, orElse(r.status, "") == "listed")`:                     none,
	} {
		kind, source, _ := strings.Cut(formula, " ")
		_, err := Parse([]byte(strings.NewReplacer("TYPE", kind, "FORMULA", source).Replace(vocabularyYAML)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", formula, err, want)
		}
	}
}

// TestDatesAsked: a default date changes the result in whatever form a formula
// asks.
func TestDatesAsked(t *testing.T) {
	for _, source := range []string{
		`rows.exists(r, has_value(r.closed))`, `rows.exists(r, r.closed == null)`, `rows.exists(r, orElse(r.closed, date("2098-01-01")) > today)`,
		`rows.map(r, r.closed).exists(c, c == null)`, `count(known(rows.map(r, r.closed))) > 1`, `newest(rows, r, r.closed) == null`,
		`has_value(newest(rows, r, r.closed))`, `rows.exists(r, (true ? r.closed : null) == null)`,
	} {
		c, err := Parse([]byte(strings.NewReplacer("TYPE", "bool", "FORMULA", source).Replace(vocabularyYAML)))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		d := &c.Datasets[0]
		if closed, seen := d.Fields[d.field("closed")], d.Fields[d.field("seen")]; !closed.Asked || seen.Asked {
			t.Errorf("%s: closed is asked: %v, seen: %v", source, closed.Asked, seen.Asked)
		}
	}
}

// TestUnitOfField: an output that returns a field has the field's unit.
func TestUnitOfField(t *testing.T) {
	text := string(read(t, "tax.yaml"))
	if !strings.Contains(text, "field: capital") {
		t.Fatal("no output is the field capital")
	}
	bad := strings.Replace(text, "{name: capital, type: decimal, unit: CNY", "{name: capital, type: decimal, unit: 10k CNY", 1)
	if _, err := Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), "that of its field is") {
		t.Errorf("another unit passes: %v", err)
	}
}
