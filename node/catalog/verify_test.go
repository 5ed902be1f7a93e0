package catalog

import (
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

func verifying(t testing.TB, edits ...string) *Catalog {
	t.Helper()
	text := string(read(t, "verify.yaml"))
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the catalog has no %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asked answers one predicate, as an agency does.
func asked(t testing.TB, d *Dataset, output, predicate, rows string) Answer {
	t.Helper()
	p, err := consent.ParsePredicate(predicate)
	if err != nil {
		t.Fatal(err)
	}
	o := d.Output(output)
	item := consent.Item{Dataset: d.Name, Output: output, Disclosure: consent.Verify, Months: o.Months}
	a := d.Answer(table(t, d, rows), item, At{Day: day(t, today)}).Verify(o, p)
	if a.held != nil {
		t.Errorf("%s %s: the answer still holds the value", output, predicate)
	}
	return a
}

func months(base string, from, to int) (rows string) {
	for m := from; m <= to; m++ {
		at := month(2025*12 + m - 1).first()
		rows += at.String() + "|" + base + "\n"
	}
	return rows
}

// TestVerify: a predicate is answered by yes or no where the rows tell the
// value, and by unknown where they do not. Nothing is guessed.
func TestVerify(t *testing.T) {
	c := verifying(t)
	vat, registration := c.Dataset("vat"), c.Dataset("registration")
	full := months("41666.67", 2, 13) // 500,000.04
	for _, k := range []struct {
		name      string
		d         *Dataset
		output    string
		predicate string
		rows      string
		want      string
	}{
		{"above", vat, "sales", "ge 500000", full, "answered yes"},
		{"above another", vat, "sales", "ge 1000000.5", full, "answered no"},
		{"below", vat, "sales", "lt 1000000.5", full, "answered yes"},
		{"not below", vat, "sales", "lt 500000", full, "answered no"},
		{"as it is rounded", vat, "sales", "ge 500000", months("0", 2, 12) + months("499999.995", 13, 13), "answered yes"},
		{"just below", vat, "sales", "ge 500000", months("0", 2, 12) + months("499999.994", 13, 13), "answered no"},
		{"a month is missing, though the rest is enough", vat, "sales", "ge 500000", months("9000000", 3, 13), "answered unknown periods.missing"},
		{"of a partial flow too", vat, "some", "ge 500000", months("9000000", 3, 13), "answered unknown periods.missing"},
		{"a partial flow that is whole", vat, "some", "ge 500000", full, "answered yes"},
		{"a value is missing", vat, "sales", "ge 500000", months("1", 2, 12) + months("-", 13, 13), "answered unknown value.missing"},
		{"no row in the window", vat, "sales", "ge 500000", months("1", 14, 14), "answered unknown rows.none"},
		{"no row at all", vat, "sales", "ge 500000", "", "no_record"},
		{"day before", vat, "last", "lt 2026-01-01", months("1", 2, 12), "answered yes"},
		{"that day", vat, "last", "le 2026-01-01", months("1", 2, 13), "answered yes"},
		{"not after that day", vat, "last", "gt 2026-01-01", months("1", 2, 13), "answered no"},
		{"that day or after", vat, "last", "ge 2026-01-01", months("1", 2, 13), "answered yes"},
		{"text", registration, "grade", "eq A", "A|1", "answered yes"},
		{"text by its synonym", registration, "grade", "eq A", "甲|1", "answered yes"},
		{"another text", registration, "grade", "eq B", "A|1", "answered no"},
		{"an empty text", registration, "grade", "eq B", "-|1", "answered unknown record.empty"},
		{"below zero", registration, "capital", "le -5", "A|-5", "answered yes"},
		{"nobody", registration, "capital", "le 0", "", "no_record"},
		{"broken", registration, "capital", "le 0", "A|1\nB|1", "invalid records.several"},
		{"an operator that is not declared", vat, "some", "lt 500000", full, "invalid predicate.none"},
		{"a point that is not declared", vat, "sales", "ge 500001", full, "invalid predicate.none"},
		{"a point in another spelling", vat, "sales", "ge 500000.0", full, "invalid predicate.none"},
	} {
		a := asked(t, k.d, k.output, k.predicate, k.rows)
		got := strings.Join(slices.DeleteFunc([]string{a.Outcome.String(), a.Value, a.Reason}, func(s string) bool { return s == "" }), " ")
		if got != k.want || a.Unit != "" {
			t.Errorf("%s: %s, want %s", k.name, got, k.want)
		}
	}
}

// TestVerifyNeedsItsPredicate: without a predicate an answer to verify has no
// value, whatever else is done with it.
func TestVerifyNeedsItsPredicate(t *testing.T) {
	d := verifying(t).Dataset("vat")
	a := d.Answer(table(t, d, months("41666.67", 2, 13)), consent.Item{Dataset: "vat", Output: "sales", Disclosure: consent.Verify, Months: 12}, At{Day: day(t, today)})
	if a.Outcome != consent.Invalid || a.Value != "" || a.Unit != "" || a.Reason != predicateNone {
		t.Errorf("%+v", a)
	}
}

// TestNarrowAnswers: beside a band, yes or no there is no number that tells
// more: not how many rows there are, nor which day is the newest.
func TestNarrowAnswers(t *testing.T) {
	d := verifying(t).Dataset("vat")
	full := months("41666.67", 2, 13)
	for output, predicate := range map[string]string{"sales": "ge 500000", "some": "ge 500000", "last": "le 2026-01-01"} {
		for name, rows := range map[string]string{"all months": full, "one is missing": months("1", 3, 13), "none counts": months("1", 14, 14)} {
			a := asked(t, d, output, predicate, rows)
			want := Answer{Outcome: a.Outcome, Value: a.Value, Reason: a.Reason, AsOf: a.AsOf}
			if a != want || output == "last" && a.AsOf != 0 {
				t.Errorf("%s, %s: %+v", output, name, a)
			}
			if at := consent.Day(a.AsOf / millisPerDay); a.AsOf != 0 && at != day(t, "2026-01-31") {
				t.Errorf("%s, %s: as of %s, which is not the end of the window", output, name, at)
			}
		}
	}
	band := consent.Item{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 12}
	if a := d.Answer(table(t, d, full), band, At{Day: day(t, today)}); a.Rows != 0 || a.Dropped != 0 || consent.Day(a.AsOf/millisPerDay) != day(t, "2026-01-31") || a.Covered != 12 {
		t.Errorf("a band: %+v", a)
	}
}

// TestVerifyLint: what a catalog may not declare.
func TestVerifyLint(t *testing.T) {
	for _, k := range []struct{ old, now, want string }{
		{"verify: {ops: [ge, lt], points: [500000, 1000000.5]}", "", "belong together"},
		{"disclose: [verify, band]", "disclose: [band]", "belong together"},
		{"ops: [ge, lt]", "ops: [eq]", "not \"eq\""},
		{"ops: [eq]", "ops: [ge]", "not \"ge\""},
		{"ops: [ge, lt]", "ops: [ge, ge]", "not \"ge\""},
		{"ops: [ge, lt], ", "", "not \"\""},
		{"points: [500000, 1000000.5]", "points: [500000.0]", "500000.0"},
		{"points: [500000, 1000000.5]", "points: [0.125]", "0.125"},
		{"points: [500000, 1000000.5]", "points: [1e3]", "1e3"},
		{"points: [500000, 1000000.5]", "points: [2, 1]", "points ascend"},
		{"points: [500000, 1000000.5]", "points: [1, 1]", "points ascend"},
		{"points: [500000, 1000000.5]", "points: []", "1 to 20, not 0"},
		{"points: [500000, 1000000.5]", "points: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]", "1 to 20, not 21"},
		{"points: [2026-01-01]", "points: [2026-1-1]", "2026-1-1"},
		{"points: [B, A]", "points: [B, C]", "not \"C\""},
		{"points: [B, A]", "points: [甲]", "not \"甲\""},
		{"points: [B, A]", "points: [B, B]", "is there twice"},
		{"points: [-5, 0, 100]", "points: [0.5]", "0.5"},
	} {
		text := strings.Replace(string(read(t, "verify.yaml")), k.old, k.now, 1)
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%q → %q: %v, want %q", k.old, k.now, err, k.want)
		}
	}
	c := verifying(t, "sum(rows.map(r, r.base)) + 0", "sum(rows.map(r, r.base))")
	if !slices.ContainsFunc(c.Warnings(), func(p Problem) bool { return strings.Contains(p.Text, "vat.some: computed as sales is") }) {
		t.Errorf("no warning of two outputs that verify one value: %v", c.Warnings())
	}
}

// TestDiffOfHandling: what changes nothing about how an output is computed is not said
// to be computed otherwise.
func TestDiffOfHandling(t *testing.T) {
	for _, k := range []struct{ old, now, kind, why string }{
		{"    lag: 15\n", "    lag: 15\n    approval: manual\n    approve_within: 4\n", Rehandled, "approval none → manual, approve_within none → 4"},
		{"    table: vat_returns\n", "    table: vat\n", Relocated, "table vat_returns → vat"},
		{"    table: vat_returns\n", "    table: vat\n    approval: manual\n    approve_within: 4\n", Relocated, "approval none → manual, approve_within none → 4, table vat_returns → vat"},
		{"    table: vat_returns\n    key: uscc\n    records: many\n    periods: {month: period}\n    lag: 15\n", "    table: vat\n    key: uscc\n    records: many\n    periods: {month: period}\n    lag: 20\n", Redefined, "lag 15 → 20, table vat_returns → vat"},
	} {
		text := string(read(t, "tax.yaml"))
		older, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		newer, err := Parse([]byte(strings.Replace(text, k.old, k.now, 1)))
		if err != nil {
			t.Fatal(err)
		}
		list := Diff(older, newer)
		i := slices.IndexFunc(list, func(d Difference) bool { return d.Name == "vat.sales_12m" })
		if i < 0 || list[i].Kind != k.kind || list[i].Ends || strings.Join(list[i].Why, ", ") != k.why {
			t.Errorf("%q → %q: %+v, want %s, %s", k.old, k.now, list, k.kind, k.why)
		}
	}
}

// TestVerifyMeaning: other points, operators or groups are another meaning, and
// a catalog's difference says in which direction.
func TestVerifyMeaning(t *testing.T) {
	for _, k := range []struct {
		old, now, output, kind string
		ends                   bool
	}{
		{"points: [500000, 1000000.5]", "points: [500000, 1000000.5, 2000000]", "vat.sales", Widened, true},
		{"points: [500000, 1000000.5]", "points: [500000]", "vat.sales", Narrowed, true},
		{"points: [500000, 1000000.5]", "points: [500001, 1000000.5]", "vat.sales", Rearranged, true},
		{"ops: [ge, lt]", "ops: [ge]", "vat.sales", Narrowed, true},
		{"ops: [ge, lt]", "ops: [lt, ge]", "vat.sales", Redefined, false},
		{"disclose: [verify, value]\n        verify: {ops: [ge], points: [500000]}", "disclose: [value]", "vat.some", Narrowed, true},
		{"min_group: 3", "min_group: 2", "staff.women", Widened, true},
		{"min_group: 3", "min_group: 10", "staff.women", Narrowed, true},
		{"    persons: who\n    min_group: 3\n", "", "staff.women", Widened, true},
		{"min_group: 3", "min_group: 3", "staff.women", "", false},
	} {
		list := Diff(verifying(t), verifying(t, k.old, k.now))
		got := Difference{}
		if i := slices.IndexFunc(list, func(d Difference) bool { return d.Name == k.output }); i >= 0 {
			got = list[i]
		}
		if got.Kind != k.kind || got.Ends != k.ends {
			t.Errorf("%q → %q: %+v, want %s, %v", k.old, k.now, got, k.kind, k.ends)
		}
	}
}
