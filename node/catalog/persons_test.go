package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

func grouped(t testing.TB, d *Dataset, output string, x consent.Disclosure, months uint32, rows string) Answer {
	t.Helper()
	a := d.Answer(table(t, d, rows), consent.Item{Dataset: d.Name, Output: output, Disclosure: x, Months: months}, At{Day: day(t, today)})
	if x == consent.Verify {
		a = a.Verify(d.Output(output), consent.Predicate{Op: consent.AtLeast, Point: "1000"})
	}
	return a
}

// TestBelowMinGroup: nothing is told that rests on fewer persons than the
// dataset demands, in any disclosure, none included. Persons are counted
// however their ids are written.
func TestBelowMinGroup(t *testing.T) {
	d := verifying(t).Dataset("staff")
	row := func(who, wage, sex string) string { return "2026-01-15|" + who + "|" + wage + "|" + sex + "\n" }
	three := row("a", "500", "F") + row("b", "400", "F") + row("c", "300", "F")
	mixed := three + row("d", "200", "M")
	for _, k := range []struct {
		name, output string
		x            consent.Disclosure
		months       uint32
		rows, want   string
	}{
		{"three", "wages", consent.Value, 0, three, "answered 1200.00"},
		{"three to count", "wages", consent.Count, 0, three, "answered 3"},
		{"three in a band", "wages", consent.Band, 0, three, "answered 1000.."},
		{"three to verify", "wages", consent.Verify, 0, three, "answered yes"},
		{"nobody", "wages", consent.Value, 0, "", "below_min_group"},
		{"nobody to count", "wages", consent.Count, 0, "", "below_min_group"},
		{"nobody to verify", "wages", consent.Verify, 0, "", "below_min_group"},
		{"two", "wages", consent.Value, 0, row("a", "1", "F") + row("b", "2", "F"), "below_min_group"},
		{"two to count", "wages", consent.Count, 0, row("a", "1", "F") + row("b", "2", "F"), "below_min_group"},
		{"two in a band", "wages", consent.Band, 0, row("a", "1", "F") + row("b", "2", "F"), "below_min_group"},
		{"two to verify", "wages", consent.Verify, 0, row("a", "1", "F") + row("b", "2", "F"), "below_min_group"},
		{"two, in many rows", "wages", consent.Count, 0, strings.Repeat(row("a", "1", "F")+row("b", "2", "F"), 9), "below_min_group"},
		{"two, one of them written in four ways", "wages", consent.Count, 0, row("b", "1", "F") + row("11010119900307211x", "1", "F") + row("11010119900307211X", "2", "F") + row("１１０１０１１９９００３０７２１１ｘ", "3", "F") + row("110101900307211", "4", "F"), "below_min_group"},
		{"two, with blanks and hyphens", "wages", consent.Count, 0, row("A-1", "1", "F") + row("a 1", "1", "F") + row("b", "2", "F"), "below_min_group"},
		{"somebody unnamed", "wages", consent.Count, 0, mixed + row("-", "1", "F"), "invalid persons.missing"},
		{"somebody called nothing", "wages", consent.Count, 0, mixed + row(" \u3000", "1", "F"), "invalid persons.missing"},
		{"a filter with three behind it", "women", consent.Value, 0, mixed, "answered 3"},
		{"a filter with one behind it", "women", consent.Value, 0, three + row("d", "1", "M") + row("e", "1", "M"), "answered 3"},
		{"a filter with two behind it", "women", consent.Value, 0, row("a", "1", "F") + row("b", "1", "F") + row("c", "1", "M") + row("d", "1", "M"), "below_min_group"},
		{"a filter with nobody behind it", "women", consent.Value, 0, row("b", "1", "M") + row("c", "1", "M") + row("d", "1", "M"), "below_min_group"},
		{"one person's value among many", "top", consent.Value, 0, mixed, "below_min_group"},
		{"a sum that one person makes", "wages", consent.Value, 0, row("a", "9000", "F") + row("b", "0", "F") + row("c", "0", "F") + row("d", "0", "M"), "below_min_group"},
		{"a truth that hangs on nobody", "any", consent.Value, 0, mixed, "below_min_group"},
		{"a flow", "paid", consent.Value, 12, three, "answered 3"},
		{"fewer months than offered", "paid", consent.Value, 11, three, "below_min_group persons.window"},
		{"nobody in the window", "paid", consent.Count, 12, strings.ReplaceAll(three, "2026", "2020"), "below_min_group"},
		{"a value is missing", "wages", consent.Value, 0, three + row("d", "-", "F"), "no_record value.missing"},
		{"a value is missing, and few have one", "wages", consent.Value, 0, row("a", "500", "F") + row("b", "400", "F") + row("c", "-", "F") + row("d", "-", "F"), "below_min_group"},
		{"an average over three", "men", consent.Value, 0, row("a", "500", "M") + row("b", "450", "M") + row("c", "250", "M"), "answered 400.00"},
		{"an average over one", "men", consent.Value, 0, three + row("d", "200", "M"), "below_min_group"},
		{"an average over nobody", "men", consent.Value, 0, three, "below_min_group"},
		{"an average over one without a value", "men", consent.Value, 0, three + row("d", "-", "M"), "below_min_group"},
		{"a quotient by nobody", "ratio", consent.Value, 0, three, "below_min_group"},
		{"a quotient by one", "ratio", consent.Value, 0, three + row("d", "200", "M"), "answered 4.00"},
		{"one row that is faulty", "wages", consent.Value, 0, row("a", "1", "X"), "below_min_group"},
		{"one row without a date", "wages", consent.Count, 0, "-|a|1|F\n", "below_min_group"},
		{"one row without a name", "wages", consent.Count, 0, row("-", "1", "F"), "below_min_group"},
		{"a faulty row among many", "wages", consent.Value, 0, mixed + row("e", "1", "X"), "invalid value.undeclared: sex"},
		{"two, with hyphens of other kinds", "wages", consent.Count, 0, row("A-1", "1", "F") + row("A\u20101", "1", "F") + row("A\u22121", "1", "F") + row("A.1", "1", "F") + row("b", "2", "F"), "below_min_group"},
		{"many called unknown", "wages", consent.Count, 0, row("无", "1", "F") + row("未知", "1", "F") + row("不详", "1", "F") + row("NULL", "1", "F") + row("000", "1", "F"), "below_min_group"},
	} {
		a := grouped(t, d, k.output, k.x, k.months, k.rows)
		got := strings.Join(slices.DeleteFunc([]string{a.Outcome.String(), a.Value, a.Reason}, func(s string) bool { return s == "" }), " ")
		if got != k.want {
			t.Errorf("%s: %s, want %s", k.name, got, k.want)
		}
		if a.Outcome == consent.BelowMinGroup && a != (Answer{Outcome: consent.BelowMinGroup, Reason: a.Reason}) {
			t.Errorf("%s: the answer tells of the group: %+v", k.name, a)
		}
	}
}

// TestNobodyIsTooFew: that a register about persons has nobody of a subject is
// told by no outcome, whether or not the register is complete.
func TestNobodyIsTooFew(t *testing.T) {
	for _, c := range []*Catalog{verifying(t), verifying(t, "    complete: true\n", "")} {
		for _, x := range []consent.Disclosure{consent.Value, consent.Count, consent.Verify} {
			if a := grouped(t, c.Dataset("staff"), "wages", x, 0, ""); a != (Answer{Outcome: consent.BelowMinGroup}) {
				t.Errorf("%s: %+v", x, a)
			}
		}
	}
}

// TestGroupIsBounded: where many persons do not matter, the search for those
// who do ends, and nothing is told.
func TestGroupIsBounded(t *testing.T) {
	d := verifying(t).Dataset("staff")
	var rows strings.Builder
	for i := range 1000 {
		sex := "M"
		if i > 900 {
			sex = "F"
		}
		fmt.Fprintf(&rows, "2026-01-15|p%d|1|%s\n", i, sex)
	}
	if a := grouped(t, d, "women", consent.Value, 0, rows.String()); a.Outcome != consent.BelowMinGroup {
		t.Errorf("%+v", a)
	}
	if a := grouped(t, d, "wages", consent.Value, 0, rows.String()); a.Value != "1000.00" {
		t.Errorf("%+v", a)
	}
}

// TestPersonsLint: what a catalog about persons may not declare, and what it is
// warned of.
func TestPersonsLint(t *testing.T) {
	for _, k := range []struct{ old, now, want string }{
		{"persons: who", "persons: nobody", "no field of type text or integer"},
		{"persons: who", "persons: wage", "no field of type text or integer"},
		{"persons: who", "persons: sex", "say personal: true"},
		{"min_group: 3", "min_group: 1", "2 to 1000 persons"},
		{"min_group: 3", "min_group: 1001", "2 to 1000 persons"},
		{"    persons: who\n", "", "belongs to datasets that name"},
		{`count(rows.filter(r, r.sex == "F"))`, `count(rows.filter(r, has_value(r.who)))`, "no output is made of it"},
	} {
		text := strings.Replace(string(read(t, "verify.yaml")), k.old, k.now, 1)
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%q → %q: %v, want %q", k.old, k.now, err, k.want)
		}
	}
	if d := verifying(t, "    min_group: 3\n", "").Dataset("staff"); d.MinGroup != defaultGroup {
		t.Errorf("min_group is %d by default", d.MinGroup)
	}
	var warned []string
	for _, w := range verifying(t).Warnings() {
		warned = append(warned, w.Text)
	}
	said := strings.Join(warned, "\n")
	for _, want := range []string{
		"staff.women: it is over other rows than wages may be", "staff.top: max, min and newest give one person's value",
		"staff.any: a truth seldom changes with one person", "staff.paid: it is over other rows than wages may be",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no warning %q in\n%s", want, said)
		}
	}
	if said := fmt.Sprint(verifying(t, "    persons: who\n    min_group: 3\n", "").Warnings()); !strings.Contains(said, "names no field that identifies them") {
		t.Errorf("no warning of a dataset on persons without persons: %s", said)
	}
}

// TestTrialsAreBounded: a bank cannot keep an agency computing, however many
// rows and persons there are and however large a group is.
func TestTrialsAreBounded(t *testing.T) {
	for _, k := range []struct {
		group      uint32
		rows, want int
	}{{5, 12, 200}, {5, 1000, 200}, {5, 10_000, 20}, {5, 100_000, 5}, {5, 1_000_000, 0}, {1000, 10_000, 0}, {1000, 900, 1000}, {2, 0, 80}} {
		d := &Dataset{MinGroup: k.group}
		if got := d.trials(k.rows); got != k.want || got*k.rows > maxWork {
			t.Errorf("groups of %d, %d rows: %d trials, want %d", k.group, k.rows, got, k.want)
		}
	}
}

// TestNumbersOfPersons: how many rows repeat others, and of which day the newest
// is, can be about one person.
func TestNumbersOfPersons(t *testing.T) {
	d := verifying(t).Dataset("staff")
	rows := "2026-01-15|a|1|F\n2026-01-15|a|1|F\n2026-01-10|b|1|F\n2025-12-02|c|1|F\n"
	if a := grouped(t, d, "wages", consent.Value, 0, rows); a != (Answer{Outcome: consent.Answered, Value: "4.00", Unit: "CNY", Rows: 4}) {
		t.Errorf("a state: %+v", a)
	}
	a := grouped(t, d, "paid", consent.Value, 12, rows)
	if at := consent.Day(a.AsOf / millisPerDay); a.Repeats != 0 || at != day(t, "2026-02-28") {
		t.Errorf("a flow, as of %s: %+v", at, a)
	}
}
