package catalog

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/consensus/reason"
)

// TestOverlap: days that two periods share are never summed twice.
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

// TestSeries: periods of different series may overlap; periods of one series
// may not.
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
	for _, bad := range []string{"series: [nothing]", "series: [item, item]", "series: [until]"} {
		if _, err := Parse([]byte(strings.Replace(text, "series: [item]", bad, 1))); err == nil || !strings.Contains(err.Error(), "vat: series: no such field") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	events := strings.Replace(string(read(t, "tax.yaml")), "    periods: {month: period}\n", "    date: period\n    series: [item]\n", 1)
	if _, err := Parse([]byte(events)); err == nil || !strings.Contains(err.Error(), "series belongs to") {
		t.Errorf("series of events: %v", err)
	}
}

// TestSeriesCover: a month that is missing in one series which the output sums
// is missing, whichever other series covers it. A series that the output leaves
// out covers no month, does not make the answer newer, and its periods do not
// matter.
func TestSeriesCover(t *testing.T) {
	const missing = "no_record periods.missing"
	year := func(kind string, months ...int) (rows string) {
		for m := range 12 {
			if !slices.Contains(months, m+1) {
				rows += fmt.Sprintf("2025-%02d|%s|100\n", m+1, kind)
			}
		}
		return rows
	}
	for _, c := range []struct {
		name, rows, output string
		disclosure         consent.Disclosure
		want               string
		covered            uint64
		asOf               string
	}{
		{"all returns", year("vat"), "vat", consent.Value, "answered 1200", 12, "2025-12-31"},
		{"a return is missing", year("vat", 7), "vat", consent.Value, missing, 11, ""},
		{"and a fee covers its month", year("vat", 7) + "2025-07|fee|1", "vat", consent.Value, missing, 11, ""},
		{"and fees cover every month", year("vat", 7) + year("fee"), "vat", consent.Value, missing, 11, ""},
		{"no return at all, fees for every month", year("fee"), "vat", consent.Value, "no_record rows.none", 0, ""},
		{"no return at all, and as many as there are", year("fee"), "vat_some", consent.Value, "no_record rows.none", 0, ""},
		{"a fee beside all returns", year("vat") + "2025-07|fee|1", "vat", consent.Value, "answered 1200", 12, ""},
		{"a fee after the newest return", year("vat", 12) + "2025-12|fee|1", "vat_some", consent.Value, "answered 1100", 11, "2025-11-30"},
		{"both summed, one fee", year("vat") + "2025-07|fee|1", "all", consent.Value, missing, 1, ""},
		{"both summed, and both there", year("vat") + year("fee"), "all", consent.Value, "answered 2400", 12, ""},
		{"both summed, a fee years ago", year("vat") + "2021-07|fee|1", "all", consent.Value, missing, 0, ""},
		{"both summed, no fee ever", year("vat"), "all", consent.Value, "answered 1200", 12, ""},
		{"both summed, different months missing", year("vat", 7) + year("fee", 8), "all", consent.Value, missing, 10, ""},
		{"both counted, one fee", year("vat") + "2025-07|fee|1", "vat", consent.Count, missing, 1, ""},
		{"both counted", year("vat") + year("fee"), "vat", consent.Count, "answered 24", 12, ""},
		{"a state of old returns and a new fee", "2025-01|vat|100\n2025-12|fee|1", "last", consent.Value, "stale rows.stale: 200", 0, "2025-01-31"},
		{"a state of fees alone", "2025-12|fee|1", "last", consent.Value, "no_record rows.none", 0, ""},
	} {
		d := filed(t)
		o := d.Output(c.output)
		got := d.Answer(monthly(t, c.rows), consent.Item{Dataset: "returns", Output: c.output, Disclosure: c.disclosure, Months: o.Months}, At{Day: day(t, "2026-01-20")})
		if text := got.Outcome.String() + " " + got.Value + got.Reason; text != c.want || got.Covered != c.covered {
			t.Errorf("%s: %s, %d covered; want %s, %d", c.name, text, got.Covered, c.want, c.covered)
		}
		if c.asOf != "" && got.AsOf != uint64(day(t, c.asOf))*millisPerDay {
			t.Errorf("%s: as of %d, want %s", c.name, got.AsOf/millisPerDay, c.asOf)
		}
	}
}

// TestSeriesAcross: only rows that the output reads can be missing at the
// window's edge.
func TestSeriesAcross(t *testing.T) {
	text := strings.Replace(string(read(t, "filed.yaml")), "periods: {month: period}", "periods: {from: period, to: until}", 1)
	text = strings.Replace(text, "      - {name: period,", "      - {name: until, type: date}\n      - {name: period,", 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Dataset("returns")
	var rows []Row
	for _, r := range monthly(t, strings.ReplaceAll("2025-01 2025-02 2025-03 2025-04 2025-05 2025-06 2025-07 2025-08 2025-09 2025-10 2025-11 2025-12", " ", "|vat|100\n")+"|vat|100") {
		rows = append(rows, append(Row{monthOf(r[0].(consent.Day)).last()}, r...))
	}
	for kind, want := range map[string]consent.Outcome{"fee": consent.Answered, "vat": consent.Invalid} {
		across := Row{day(t, "2025-01-31"), day(t, "2024-12-01"), kind, rows[0][3]}
		got := d.Answer(append(slices.Clone(rows), across), consent.Item{Dataset: "returns", Output: "vat", Disclosure: consent.Value, Months: 12}, At{Day: day(t, "2026-01-20")})
		if kind == "vat" {
			want = consent.NoRecord // left out, and in part within
		}
		if got.Outcome != want {
			t.Errorf("%s across the edge: %+v, want %s", kind, got, want)
		}
	}
}

// filed is a dataset of months in which returns and fees are filed.
func filed(t testing.TB) *Dataset {
	t.Helper()
	c, err := Parse(read(t, "filed.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Fatal(w)
	}
	return c.Dataset("returns")
}

// monthly makes rows from lines such as "2025-01|vat|100".
func monthly(t testing.TB, text string) (rows []Row) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		rows = append(rows, Row{day(t, cells[0]+"-01"), cells[1], decimal.RequireFromString(cells[2])})
	}
	return rows
}

// TestLeftOut: rows that the output leaves out must not make a month count as
// filed.
func TestLeftOut(t *testing.T) {
	const told = "vat.vat: rows are left out by kind, and yet a month counts as filed by them"
	text := strings.ReplaceAll(string(read(t, "filed.yaml")), "name: returns", "name: vat")
	bare := strings.Replace(text, "    series: [kind]\n", "", 1)
	for name, c := range map[string]struct {
		text string
		warn bool
	}{
		"by a series":           {text, false},
		"by a field":            {bare, true},
		"of a complete dataset": {strings.Replace(bare, "    stale_after: 200\n", "    complete: true\n", 1), false},
		"and says how many":     {strings.ReplaceAll(bare, "months: 12\n", "months: 12\n        partial: true\n"), false},
	} {
		parsed, err := Parse([]byte(strings.ReplaceAll(c.text, "partial: true\n        partial: true", "partial: true")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprint(parsed.Warnings()); strings.Contains(got, told) != c.warn {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestWholeMonths: a month is covered only when each of its days is.
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
		if got := uint64(len(wholeMonths(spans))); got != want {
			t.Errorf("%s: %d months, want %d", rows, got, want)
		}
	}
}

// TestReasonsHaveWords: every code that an answer can have, from this package,
// package formula or package source, has words in both languages.
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
			words, ok := reason.Says(m[1] + ": 7")
			if !ok || words.Chinese == "" || words.English == "" || strings.Contains(words.Chinese+words.English, "%") {
				t.Errorf("%s has no words", m[1])
			}
		}
	}
	if found < 35 {
		t.Errorf("%d codes found", found)
	}
	if words, ok := reason.Says("rows.stale: 62"); !ok || words.English != "the newest data is older than 62 days" {
		t.Errorf("%+v", words)
	}
	if _, ok := reason.Says("nonsense"); ok {
		t.Error("words for nonsense")
	}
}
