package catalog

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// TestOverlap: what two periods share is never summed twice.
func TestOverlap(t *testing.T) {
	const overlaps = "invalid " + periodsOverlap
	d := periods(t, "month")
	for _, c := range []struct{ name, rows, output, want string }{
		{"months of a quarter, and the quarter", "2026-07-01|2026-07-31|100\n2026-07-01|2026-09-30|300", "some", overlaps},
		{"one day shared", "2026-07-01|2026-07-31|100\n2026-07-31|2026-08-31|100", "some", overlaps},
		{"one within another", "2026-07-01|2026-10-31|100\n2026-08-01|2026-08-31|100", "some", overlaps},
		{"not the one before, the one before that", "2026-07-01|2026-10-31|100\n2026-07-01|2026-10-31|1\n2026-08-01|2026-08-31|100", "some", overlaps},
		{"in any order", "2026-08-01|2026-08-31|100\n2026-07-01|2026-10-31|100", "some", overlaps},
		{"a state too", "2026-08-01|2026-08-31|100\n2026-07-01|2026-10-31|100", "last", overlaps},
		{"parts of one period", "2026-07-01|2026-07-31|100\n2026-07-01|2026-07-31|50", "some", "answered 150.00"},
		{"side by side", "2026-07-01|2026-07-15|100\n2026-07-16|2026-07-31|50", "some", "answered 150.00"},
		{"before the window", "2020-01-01|2020-01-31|100\n2020-01-01|2020-03-31|300\n2026-07-01|2026-07-31|50", "some", "answered 50.00"},
		{"one across the window's edge", "2025-09-01|2025-12-31|100\n2025-12-01|2025-12-31|50", "some", "answered 50.00"},
	} {
		item := consent.Item{Dataset: "returns", Output: c.output, Disclosure: consent.Value, Months: d.Output(c.output).Months}
		got := d.Answer(table(t, d, c.rows), item, At{Day: day(t, "2026-11-28")})
		if text := got.Outcome.String() + " " + got.Value + got.Reason; text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
}

// TestSeries: periods of different series may overlap, those of one may not.
func TestSeries(t *testing.T) {
	text := strings.Replace(string(read(t, "tax.yaml")), "    periods: {month: period}\n", "    periods: {from: period, to: until}\n    series: [item]\n", 1)
	text = strings.Replace(text, "      - {name: period,", "      - {name: until, type: date}\n      - {name: period,", 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Dataset("vat"); len(d.Series) != 1 || d.Series[0] != "item" {
		t.Fatalf("%+v", d.Series)
	}
	day := func(text string) consent.Day { return day(t, text) }
	spans := []span{{"a", day("2026-01-01"), day("2026-03-31")}, {"b", day("2026-01-01"), day("2026-01-31")}}
	if overlap(spans) {
		t.Error("spans of two series overlap")
	}
	if spans[1].series = "a"; !overlap(spans) {
		t.Error("spans of one series do not overlap")
	}
	// A month without its return is not covered by a late fee.
	months := []span{{"vat", day("2026-01-01"), day("2026-01-31")}, {"vat", day("2026-03-01"), day("2026-03-31")}, {"fee", day("2026-02-01"), day("2026-02-28")}}
	if n := covered(months); n != 2 {
		t.Errorf("%d months are covered, want 2", n)
	}
	for _, bad := range []string{"series: [nothing]", "series: [item, item]", "series: [until]"} {
		if _, err := Parse([]byte(strings.Replace(text, "series: [item]", bad, 1))); err == nil || !strings.Contains(err.Error(), "vat: series: no such field") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	month := strings.Replace(string(read(t, "tax.yaml")), "    periods: {month: period}\n", "    periods: {month: period}\n    series: [item]\n", 1)
	if _, err := Parse([]byte(month)); err == nil || !strings.Contains(err.Error(), "series belongs to") {
		t.Errorf("series of months: %v", err)
	}
}

// TestWholeMonths: a month is covered when each of its days is.
func TestWholeMonths(t *testing.T) {
	for rows, want := range map[string]uint64{
		"": 0, "2026-01-01..2026-01-31": 1, "2026-01-01..2026-01-30": 0, "2026-01-02..2026-01-31": 0,
		"2026-01-01..2026-01-15 2026-01-16..2026-01-31": 1, "2026-01-16..2026-01-31 2026-01-01..2026-01-15": 1,
		"2026-01-01..2026-01-15 2026-01-17..2026-01-31": 0, "2026-01-15..2026-03-15": 1, "2026-01-15..2026-01-20": 0,
		"2026-01-01..2026-03-31 2026-02-01..2026-02-28": 3, "2025-12-01..2026-02-28 2026-04-01..2026-04-30": 4,
	} {
		var spans []span
		for text := range strings.FieldsSeq(rows) {
			from, to, _ := strings.Cut(text, "..")
			spans = append(spans, span{"", day(t, from), day(t, to)})
		}
		if got := wholeMonths(spans); got != want {
			t.Errorf("%s: %d months, want %d", rows, got, want)
		}
	}
}

// TestReasonsHaveWords: every code that an answer can have, of this package, of
// formulas and of sources, has words in both languages.
func TestReasonsHaveWords(t *testing.T) {
	code := regexp.MustCompile(`= "([a-z]+\.[a-z_]+)"`)
	found := 0
	for _, file := range []string{"reasons.go", "../formula/formula.go", "../source/errors.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllStringSubmatch(string(text), -1) {
			found++
			words, ok := Says(m[1] + ": 7")
			if !ok || words.Chinese == "" || words.English == "" || strings.Contains(words.Chinese+words.English, "%") {
				t.Errorf("%s has no words", m[1])
			}
		}
	}
	if found < 35 {
		t.Errorf("%d codes found", found)
	}
	if words, ok := Says("rows.stale: 62"); !ok || words.English != "the newest data is older than 62 days" {
		t.Errorf("%+v", words)
	}
	if _, ok := Says("nonsense"); ok {
		t.Error("words for nonsense")
	}
}
