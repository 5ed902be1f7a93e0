package catalog

import (
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// TestAhead: a date in the future that says when a case will be closed does not
// make the case closed. A formula that only asks whether there is a day gets no
// answer, in whatever form it asks. A formula that compares the day with today
// gets the right answer.
func TestAhead(t *testing.T) {
	const field = "rows.ahead: closed"
	for formula, want := range map[string]string{
		`count(rows.filter(r, !has_value(r.closed)))`:                                      field,
		`count(rows.filter(r, r.closed == null))`:                                          field,
		`count(rows.filter(r, !has_value(r.closed) && days_between(r.filed, today) > 0))`:  field,
		`count(rows) - count(known(rows.map(r, r.closed)))`:                                field,
		`count(rows.map(r, r.closed).filter(c, c == null))`:                                field,
		`count(rows.filter(r, orElse(r.closed, date("2010-01-01")) < date("2020-01-01")))`: field,
		`newest(rows, r, r.closed) == null ? 1 : 0`:                                        field,
		`count(rows.filter(r, !has_value(r.closed) || r.closed > today))`:                  "2",
		`count(rows.filter(r, orElse(r.closed, date("2098-01-01")) > today))`:              "2",
		`count(rows.filter(r, !has_value(r.seen)))`:                                        "3",
		`count(rows)`: "3",
	} {
		c, err := Parse([]byte(strings.NewReplacer("TYPE", "integer", "FORMULA", formula).Replace(vocabularyYAML)))
		if err != nil {
			t.Errorf("%s: %v", formula, err)
			continue
		}
		d := &c.Datasets[0]
		row := func(filed string, closed any) Row { return Row{"n", day(t, filed), "listed", "x", closed, nil} }
		rows := []Row{row("2020-05-01", day(t, "2021-01-01")), row("2020-05-02", nil), row("2020-05-03", day(t, "2026-03-04"))}
		item := consent.Item{Dataset: "cases", Output: "one", Disclosure: consent.Value}
		a := d.Answer(rows, item, At{Day: day(t, today)})
		if got := a.Value + a.Reason; got != want || (want == field) != (a.Outcome == consent.Invalid) {
			t.Errorf("%s: %s %s, want %s", formula, a.Outcome, got, want)
		}
		if a := d.Answer(rows[:2], item, At{Day: day(t, today)}); a.Outcome != consent.Answered {
			t.Errorf("%s: %s %s where nothing is to come", formula, a.Outcome, a.Reason)
		}
	}
}
