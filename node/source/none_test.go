package source

import (
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// releases is the register of debts where a text ends a debt: the number of its
// release.
func releases(t testing.TB, more string) *catalog.Dataset {
	t.Helper()
	text := strings.NewReplacer("{name: cleared, type: date}", "{name: cleared, type: text}", "%s value", "value", "    %s\n", more).Replace(debtsCatalog)
	c, err := catalog.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &c.Datasets[0]
}

// TestTextThatStandsForNone: what programs and people write where a text is
// missing clears no debt. It is refused, unless the catalog declares it as no
// value.
func TestTextThatStandsForNone(t *testing.T) {
	d := releases(t, "")
	for kind := range connectors {
		for _, text := range []string{" ", "\u3000", "\u00a0", "-", "--", "—", "/", "0", "00", "NULL", "null", "(null)", "<NULL>", `\N`, "N/A", "#N/A", "na", "nan", "None", "nil", "无", "（无）", "暂无", "ＮＵＬＬ"} {
			w := newWorld(t, t.TempDir(), kind, "state")
			w.dataset = copied(d)
			w.rows[0][4] = text
			if a := w.ask(1); a.Outcome != consent.Invalid || a.Reason != string(BadValue) {
				t.Errorf("%s: %q: %s %q %s", kind, text, a.Outcome, a.Value, a.Reason)
			}
			w = newWorld(t, t.TempDir(), kind, "state")
			w.dataset = copied(d)
			w.rows[0][4], w.dataset.Fields[3].None = text, []string{text}
			if a := w.ask(1); a.Outcome != consent.Answered || a.Value != "100000.00" {
				t.Errorf("%s: %q, declared: %s %q %s", kind, text, a.Outcome, a.Value, a.Reason)
			}
		}
		for _, text := range []string{"解除1号", "10", "N1", "非空", "Nando", strings.Repeat("0", 40) + "1"} {
			w := newWorld(t, t.TempDir(), kind, "state")
			w.dataset = copied(d)
			w.rows[0][4] = text
			if a := w.ask(1); a.Outcome != consent.Answered || a.Value != "40000.00" {
				t.Errorf("%s: %q: %s %q %s", kind, text, a.Outcome, a.Value, a.Reason)
			}
		}
	}
}

// TestFaultyRowOfFewPersons: that an enterprise has a row at all, if a faulty
// one, is not told of a register about persons.
func TestFaultyRowOfFewPersons(t *testing.T) {
	w := newWorld(t, t.TempDir(), "csv", "state")
	w.dataset = releases(t, "")
	w.dataset.Persons, w.dataset.MinGroup = "number", 2
	w.rows[0][3] = "ten"
	if a := w.ask(1); a != (catalog.Answer{Outcome: consent.BelowMinGroup}) {
		t.Errorf("%+v", a)
	}
	w.dataset.Persons = ""
	if a := w.ask(1); a.Reason != string(BadValue) {
		t.Errorf("a register of something else: %+v", a)
	}
}

// TestNoTextTellsRowsApart: two cases whose number is "无" are not one case.
func TestNoTextTellsRowsApart(t *testing.T) {
	w := newWorld(t, t.TempDir(), "csv", "state")
	w.dataset = releases(t, "    unique: [number]\n")
	w.rows[0][1], w.rows[1][1] = "无", "无"
	if a := w.ask(1); a.Outcome != consent.Invalid || a.Reason != string(BadValue) {
		t.Errorf("%s %q %s", a.Outcome, a.Value, a.Reason)
	}
	w.dataset = releases(t, "") // nothing depends on the number any more
	if a := w.ask(1); a.Outcome != consent.Answered || a.Value != "100000.00" {
		t.Errorf("%s %q %s", a.Outcome, a.Value, a.Reason)
	}
}
