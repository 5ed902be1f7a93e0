package catalog

import (
	"fmt"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// periods is a catalog whose dataset of returns closes as each case says.
func periods(t testing.TB, closes string) *Dataset {
	t.Helper()
	c, err := Parse([]byte(`
agency: tax
version: 1
datasets:
  - name: returns
    title: {zh: 申报, en: returns}
    sensitivity: 1
    source: main
    table: returns
    key: uscc
    records: many
    periods: {from: since, to: until}
    closes: ` + closes + `
    lag: 15
    fields:
      - {name: since, type: date}
      - {name: until, type: date}
      - {name: base, type: decimal}
    outputs:
      - name: sales
        title: {zh: 近12个月销售额, en: sales of 12 months}
        type: decimal
        scale: 2
        value: sum(rows.map(r, r.base))
        measure: flow
        months: 12
        disclose: [value]
      - name: growth
        title: {zh: 增长, en: growth}
        type: decimal
        scale: 2
        value: growth(sum(rows.months(0, 12).map(r, r.base)), sum(rows.months(12, 24).map(r, r.base)))
        measure: flow
        months: 24
        disclose: [value]
      - name: some
        title: {zh: 部分, en: some}
        type: decimal
        scale: 2
        value: sum(rows.map(r, r.base))
        measure: flow
        months: 12
        partial: true
        disclose: [value]
      - name: filed
        title: {zh: 近12个月, en: months filed}
        type: integer
        value: distinct_months(rows)
        measure: flow
        months: 12
        partial: true
        disclose: [value]
      - name: last
        title: {zh: 最近, en: newest}
        type: decimal
        scale: 2
        value: newest(rows, r, r.base)
        measure: state
        disclose: [value]
rules:
  - {name: all, allow: "true", reason: {zh: 是, en: all}}
`))
	if err != nil {
		t.Fatal(err)
	}
	return c.Dataset("returns")
}

// filings returns n rows of length months each, of base 100 a month; the last
// month is the one before end.
func filings(t testing.TB, d *Dataset, end string, length, n int) (rows []Row) {
	t.Helper()
	last := monthOf(day(t, end+"-01"))
	for i := range n {
		from := last - month(length*(i+1))
		rows = append(rows, Row{from.first(), (from + month(length)).first() - 1, table(t, d, fmt.Sprintf("2020-01-01|2020-01-01|%d", 100*length))[0][2]})
	}
	return rows
}

// TestClosed: the days that a flow of twelve months covers.
func TestClosed(t *testing.T) {
	for _, c := range []struct {
		closes uint32
		lag    uint32
		today  string
		want   string
	}{
		{1, 0, "2026-11-28", "2025-11-01 2026-10-31"},
		{1, 0, "2026-11-01", "2025-11-01 2026-10-31"},
		{1, 0, "2026-10-31", "2025-10-01 2026-09-30"},
		{1, 15, "2026-11-28", "2025-11-01 2026-10-31"},
		{1, 15, "2026-11-15", "2025-10-01 2026-09-30"},
		{1, 15, "2026-11-16", "2025-11-01 2026-10-31"},
		{3, 15, "2026-11-28", "2025-10-01 2026-09-30"},
		{3, 15, "2026-10-15", "2025-07-01 2026-06-30"},
		{3, 15, "2026-10-16", "2025-10-01 2026-09-30"},
		{3, 0, "2027-01-01", "2026-01-01 2026-12-31"},
		{12, 150, "2026-11-28", "2025-01-01 2025-12-31"},
		{12, 150, "2026-05-30", "2024-01-01 2024-12-31"},
		{12, 150, "2026-05-31", "2025-01-01 2025-12-31"},
		{1, 0, "2024-03-01", "2023-03-01 2024-02-29"},
		{1, 0, "1969-12-31", "1968-12-01 1969-11-30"},
	} {
		d := &Dataset{Closes: c.closes, Lag: c.lag}
		from, to := d.Closed(12, day(t, c.today))
		if got := from.String() + " " + to.String(); got != c.want {
			t.Errorf("closes %d, lag %d, on %s: %s, want %s", c.closes, c.lag, c.today, got, c.want)
		}
	}
}

// TestKnown: a flow ends with the last month that the load can contain. Nothing
// else depends on the load: neither a state nor what is due.
func TestKnown(t *testing.T) {
	d := tax(t).Dataset("cases")
	for known, want := range map[string]string{
		"": "2", "2026-03-03": "2", "2026-03-01": "2", "2026-02-28": "1", "2026-02-01": "1", "2026-01-31": "0", "2027-01-01": "2",
	} {
		at := At{Day: day(t, today)}
		if known != "" {
			at.Known = day(t, known)
		}
		rows := table(t, d, "2026-02-28|true\n2026-01-31|true\n2026-03-02|true")
		got := d.Answer(rows, consent.Item{Dataset: "cases", Output: "number", Disclosure: consent.Count, Months: 24}, at)
		if got.Outcome != consent.Answered || got.Value != want {
			t.Errorf("known to %s: %+v, want %s", known, got, want)
		}
		if got := d.Answer(rows, consent.Item{Dataset: "cases", Output: "open", Disclosure: consent.Value}, at); got.Value != "3" {
			t.Errorf("known to %s: %+v", known, got)
		}
	}
}

// TestPeriods: the same sales give the same answer however they are filed, or
// no answer.
func TestPeriods(t *testing.T) {
	const missing = "no_record periods.missing"
	for _, c := range []struct {
		name, closes, output, end string
		length, n                 int
		want                      string
		across                    uint64
	}{
		{"by month", "quarter", "sales", "2026-11", 1, 26, "answered 1200.00", 0},
		{"by quarter", "quarter", "sales", "2026-10", 3, 8, "answered 1200.00", 0},
		{"by half a year across the edge", "quarter", "sales", "2026-07", 6, 4, missing, 1},
		{"by year", "year", "sales", "2026-01", 12, 2, "answered 1200.00", 0},
		{"by quarter where months close", "month", "sales", "2026-10", 3, 8, missing, 1},
		{"the quarter is not filed", "quarter", "sales", "2026-07", 3, 8, missing, 0},
		{"growth by month", "quarter", "growth", "2026-11", 1, 26, "answered 0.00", 0},
		{"growth by quarter", "quarter", "growth", "2026-10", 3, 8, "answered 0.00", 0},
		{"growth by two years", "year", "growth", "2026-01", 24, 1, missing, 0},
		{"growth of one year", "quarter", "growth", "2026-10", 3, 4, missing, 0},
		{"some", "month", "some", "2026-10", 3, 8, "answered 900.00", 1},
		{"months of quarters", "quarter", "filed", "2026-07", 3, 8, "answered 9", 0},
		{"none in the window", "quarter", "some", "2025-01", 3, 8, "no_record rows.none", 0},
		{"newest", "quarter", "last", "2026-11", 1, 3, "answered 100.00", 0},
	} {
		d := periods(t, c.closes)
		item := consent.Item{Dataset: "returns", Output: c.output, Disclosure: consent.Value, Months: d.Output(c.output).Months}
		got := d.Answer(filings(t, d, c.end, c.length, c.n), item, At{Day: day(t, "2026-11-28")})
		if text := strings.TrimSpace(got.Outcome.String() + " " + got.Value + got.Reason); text != c.want || got.Across != c.across {
			t.Errorf("%s: %s, %d across, want %s, %d; %+v", c.name, text, got.Across, c.want, c.across, got)
		}
	}
}

// TestAcross: a period across an end of the window is partly within it. A
// register that has nothing else for the subject therefore does not answer that
// there is nothing.
func TestAcross(t *testing.T) {
	const missing = "no_record periods.missing"
	d := periods(t, "month")
	d.Complete = true
	for _, c := range []struct{ name, rows, output, want string }{
		{"nothing", "", "sales", "answered 0.00"},
		{"before the window", "2025-08-01|2025-10-31|100", "sales", "answered 0.00"},
		{"after it", "2026-11-01|2026-11-20|100", "sales", "answered 0.00"},
		{"within it", "2026-02-10|2026-04-20|100", "sales", "answered 100.00"},
		{"across its first day", "2025-08-01|2025-11-30|100", "sales", missing},
		{"across its last day", "2026-10-01|2026-11-20|100", "sales", missing},
		{"all over it", "2025-08-01|2026-11-20|100", "sales", missing},
		{"one across, one within", "2025-08-01|2025-11-30|100\n2026-02-10|2026-04-20|100", "sales", missing},
		{"a part of it is asked", "2025-08-01|2025-11-30|100", "some", "answered 0.00"},
	} {
		item := consent.Item{Dataset: "returns", Output: c.output, Disclosure: consent.Value, Months: 12}
		got := d.Answer(table(t, d, c.rows), item, At{Day: day(t, "2026-11-28")})
		if text := got.Outcome.String() + " " + got.Value + got.Reason; text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
	d.Complete = false
	rows := filings(t, d, "2026-11", 1, 12)
	rows = append(rows, table(t, d, "2025-10-15|2025-11-30|5")...)
	item := consent.Item{Dataset: "returns", Output: "sales", Disclosure: consent.Value, Months: 12}
	if got := d.Answer(rows, item, At{Day: day(t, "2026-11-28")}); got.Reason != PeriodsMissing {
		t.Errorf("every month is covered, and a period lies across the first day: %+v", got)
	}
}

// TestWrongPeriods: what is no valid stretch of time.
func TestWrongPeriods(t *testing.T) {
	d := periods(t, "month")
	item := consent.Item{Dataset: "returns", Output: "filed", Disclosure: consent.Value, Months: 12}
	for text, want := range map[string]string{
		"2026-03-31|2026-03-01|1": "periods.unfit",
		"1990-01-01|2026-03-01|1": "periods.unfit",
		"2026-03-01|-|1":          "rows.undated",
		"-|2026-03-01|1":          "rows.undated",
		"2026-12-01|2026-12-31|1": "rows.future",
	} {
		if got := d.Answer(table(t, d, text), item, At{Day: day(t, "2026-11-28")}); got.Outcome != consent.Invalid || got.Reason != want {
			t.Errorf("%s: %+v, want %s", text, got, want)
		}
	}
}

// TestValues: a declared spelling gives the value that it means; any other
// spelling gives no answer.
func TestValues(t *testing.T) {
	text := strings.Replace(string(read(t, "tax.yaml")), "      - {name: open, type: bool}", "      - {name: open, type: text, values: {listed: [在列], removed: []}}", 1)
	text = strings.Replace(text, "count(rows.filter(r, r.open))", `count(rows.filter(r, r.open == "listed"))`, 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Dataset("cases")
	for cell, want := range map[string]string{
		"listed": "answered 1", "在列": "answered 1", "removed": "answered 0", "-": "invalid ",
		"Listed": "invalid ", "listed ": "invalid ", "列": "invalid ", "": "invalid ", "９": "invalid ",
	} {
		row := Row{day(t, "2025-01-01"), cell}
		if cell == "-" {
			row[1] = nil
		}
		got := d.Answer([]Row{row}, consent.Item{Dataset: "cases", Output: "open", Disclosure: consent.Value}, At{Day: day(t, today)})
		if text := got.Outcome.String() + " " + got.Value; text != want && !(cell == "-" && got.Outcome == consent.NoRecord) || strings.Contains(got.Reason, "列") {
			t.Errorf("%q: %s %s, want %s", cell, text, got.Reason, want)
		}
	}
	one := tax(t).Dataset("registration")
	for cell, want := range map[string]string{"存续（在营、开业、在册）": "在业", "存续": "在业", "注销": "注销", "存续 ": "", "开业": ""} {
		rows := table(t, one, "2021-05-06|100|x|甲")
		rows[0][2] = cell
		got := one.Answer(rows, consent.Item{Dataset: "registration", Output: "status", Disclosure: consent.Value}, At{Day: day(t, today)})
		if got.Value != want || (want == "") != (got.Outcome == consent.Invalid) {
			t.Errorf("%q: %+v, want %q", cell, got, want)
		}
	}
}

// TestOneRecord: whatever is declared unique, two records that differ are never
// taken for one.
func TestOneRecord(t *testing.T) {
	text := strings.Replace(string(read(t, "tax.yaml")), "    records: one\n", "    records: one\n    unique: [established]\n", 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Dataset("registration")
	item := consent.Item{Dataset: "registration", Output: "status", Disclosure: consent.Value}
	for rows, want := range map[string]consent.Outcome{
		"2021-05-06|100|存续|甲\n2021-05-06|100|注销|甲": consent.Invalid,
		"2021-05-06|100|存续|甲\n2021-05-06|100|在业|甲": consent.Answered, // synonyms
	} {
		if got := d.Answer(table(t, d, rows), item, At{Day: day(t, today)}); got.Outcome != want {
			t.Errorf("%s: %+v", rows, got)
		}
	}
}

// TestNoRecordIsNone: a complete register with one record for each subject
// knows nothing about a subject without a record, not even that nothing ended.
func TestNoRecordIsNone(t *testing.T) {
	text := strings.Replace(string(read(t, "tax.yaml")), "    records: one\n", "    records: one\n    complete: true\n", 1)
	text = strings.Replace(text, "        type: date\n        field: established\n", "        type: bool\n        value: \"!has_value(established)\"\n", 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Dataset("registration")
	item := consent.Item{Dataset: "registration", Output: "established", Disclosure: consent.Value}
	for rows, want := range map[string]string{
		"": "no_record ", "2021-05-06|100|存续|甲": "answered false", "-|100|存续|甲": "answered true",
	} {
		got := d.Answer(table(t, d, rows), item, At{Day: day(t, today)})
		if text := got.Outcome.String() + " " + got.Value; text != want {
			t.Errorf("%q: %s, want %s", rows, text, want)
		}
	}
}

// TestWarnings: what is probably a mistake but no error.
func TestWarnings(t *testing.T) {
	text := strings.Replace(string(read(t, "tax.yaml")), "newest(rows, r, r.item)", "max(rows.map(r, r.item))", 1)
	text = strings.Replace(text, "近12个月销售额", "近24个月销售额", 1)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Warnings())
	for _, want := range []string{"vat.sales_12m: the title says 24 months, months says 12", "vat.item: max and min give the greatest", "vat.broken: over a base below 0"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning %q in %s", want, got)
		}
	}
	if len(c.Warnings()) != 3 {
		t.Error(got)
	}
	if got := tax(t).Warnings(); len(got) != 1 {
		t.Error(got)
	}
}
