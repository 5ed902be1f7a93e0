package catalog

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

func day(t testing.TB, text string) consent.Day {
	t.Helper()
	d, err := formula.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// table reads rows written one a line with "|" between the cells and "-" for
// null.
func table(t testing.TB, d *Dataset, text string) (rows []Row) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		var row Row
		for i, cell := range strings.Split(line, "|") {
			cell = strings.TrimSpace(cell)
			var v any = cell
			switch kind := d.Fields[i].Type; {
			case cell == "-":
				v = nil
			case kind == TypeDate:
				v = day(t, cell)
			case kind.numeric():
				v = decimal.RequireFromString(cell)
			case kind == TypeBool:
				v = cell == "true"
			}
			row = append(row, v)
		}
		rows = append(rows, row)
	}
	return rows
}

// today is 3 March: the return of February is not there yet.
const (
	today = "2026-03-03"
	two   = `
2026-01-01 | 增值税 | a | 700000.50 | 21000
2025-12-01 | 增值税 | a | 300000 | 9000`
	years = two + `
2025-02-01 | 增值税 | a | 0.10 | 1
2025-01-01 | 增值税 | a | 250000 | 1
2024-02-01 | 增值税 | b | 250000.125 | 1
2024-01-01 | 增值税 | b | 9999999 | 1`
)

func TestAnswer(t *testing.T) {
	long := strings.Repeat("税", 167)
	cases := []struct {
		name, item, rows string
		months           uint32
		disclosure       consent.Disclosure
		want             Answer
	}{
		{"sum", "vat.sales_12m", two, 12, consent.Value, Answer{Value: "1000000.50", Unit: "CNY", Rows: 2}},
		{"sum within the window", "vat.sales_12m", years, 12, consent.Value, Answer{Value: "1000000.60", Unit: "CNY", Rows: 3}},
		{"a shorter window", "vat.sales_12m", years, 1, consent.Value, Answer{Value: "700000.50", Unit: "CNY", Rows: 1}},
		{"never a longer window", "vat.sales_12m", years, 120, consent.Value, Answer{Value: "1000000.60", Unit: "CNY", Rows: 3}},
		{"band", "vat.sales_12m", two, 12, consent.Band, Answer{Value: "1000000..5000000.00", Unit: "CNY", Rows: 2}},
		{"band, open above", "vat.sales_12m", "2026-01-01|x|a|5000000|1", 12, consent.Band, Answer{Value: "5000000.00..", Unit: "CNY", Rows: 1}},
		{"band, its lower end", "vat.sales_12m", "2026-01-01|x|a|0|1", 12, consent.Band, Answer{Value: "0..1000000", Unit: "CNY", Rows: 1}},
		{"band, open below", "vat.sales_12m", "2026-01-01|x|a|-0.01|1", 12, consent.Band, Answer{Value: "..0", Unit: "CNY", Rows: 1}},
		{"band as the value is rounded", "vat.sales_12m", "2026-01-01|x|a|999999.995|1", 12, consent.Band, Answer{Value: "1000000..5000000.00", Unit: "CNY", Rows: 1}},
		{"count", "vat.sales_12m", years, 12, consent.Count, Answer{Value: "3", Rows: 3}},
		{"growth", "vat.growth", years, 24, consent.Value, Answer{Value: "1.0000", Rows: 5}},
		{"growth clipped", "vat.growth", years, 12, consent.Value, Answer{Outcome: consent.NoRecord, Reason: "too few rows", Rows: 3}},
		{"integer", "vat.filed", years, 120, consent.Value, Answer{Value: "6", Unit: "months", Rows: 6}},
		{"not an integer", "vat.mean", two, 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "the value is not a whole number", Rows: 2}},
		{"an integer after all", "vat.mean", "2026-01-01|x|a|5.00|1", 12, consent.Value, Answer{Value: "5", Rows: 1}},
		{"text", "vat.item", two, 12, consent.Value, Answer{Value: "a", Rows: 2}},
		{"text that deceives", "vat.item", "2026-01-01|x|a\u202eb\u0007c|1|1", 12, consent.Value, Answer{Value: "a\ufffdb\ufffdc", Rows: 1}},
		{"text too long", "vat.item", "2026-01-01|x|" + long + "|1|1", 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "the text has more than 500 bytes", Rows: 1}},
		{"empty text", "vat.item", "2026-01-01|x||1|1", 12, consent.Value, Answer{Outcome: consent.NoRecord, Reason: "too few rows", Rows: 1}},
		{"date", "vat.newest", two, 12, consent.Value, Answer{Value: "2026-01-01", Rows: 2}},
		{"formula fails", "vat.broken", two, 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "division by zero", Rows: 2}},
		{"a null in a sum", "vat.sales_12m", two + "\n2025-11-01|x|a|-|1", 12, consent.Value, Answer{Outcome: consent.NoRecord, Reason: "too few rows", Rows: 3}},
		{"no rows", "vat.sales_12m", "", 12, consent.Value, Answer{Outcome: consent.NoRecord}},
		{"no rows to count", "vat.sales_12m", "", 12, consent.Count, Answer{Outcome: consent.NoRecord}},
		{"fresh enough", "vat.filed", "2025-12-31|x|a|1|1", 12, consent.Value, Answer{Value: "1", Unit: "months", Rows: 1}},
		{"stale", "vat.filed", "2025-12-30|x|a|1|1\n2025-12-29|x|a|1|1", 12, consent.Value, Answer{Outcome: consent.Stale, Reason: "the newest row is older than 62 days", Rows: 2}},
		{"stale, to count", "vat.sales_12m", "2025-01-06|x|a|1|1", 12, consent.Count, Answer{Outcome: consent.Stale, Reason: "the newest row is older than 62 days", Rows: 1}},
		{"a row to come", "vat.filed", two + "\n2026-04-01|x|a|1|1", 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "a row is dated in a month to come"}},
		{"later this month", "vat.filed", two + "\n2026-03-31|x|a|1|1", 12, consent.Value, Answer{Value: "3", Unit: "months", Rows: 3}},
		{"a row without a date", "vat.filed", two + "\n-|x|a|1|1", 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "a row has no date"}},

		{"complete: none", "cases.open", "", 36, consent.Value, Answer{Value: "0"}},
		{"complete: none to count", "cases.open", "", 36, consent.Count, Answer{Value: "0"}},
		{"complete: bool", "cases.any", "", 36, consent.Value, Answer{Value: "false"}},
		{"bool", "cases.any", "2025-01-01|true", 36, consent.Value, Answer{Value: "true", Rows: 1}},
		{"old cases are not recent ones", "cases.open", "2015-01-01|true\n2024-01-01|true", 36, consent.Value, Answer{Value: "1", Rows: 1}},
		{"all cases are old", "cases.open", "2015-01-01|true", 36, consent.Value, Answer{Value: "0"}},
		{"a window of calendar months", "cases.number", "2024-04-01|true\n2024-03-31|true\n2026-03-03|true", 24, consent.Count, Answer{Value: "2", Rows: 2}},

		{"one: field", "registration.established", "2021-05-06|100|在业|甲", 1, consent.Value, Answer{Value: "2021-05-06", Rows: 1}},
		{"one: formula", "registration.age", "2021-05-06|100|在业|甲", 1, consent.Value, Answer{Value: "57", Unit: "months", Rows: 1}},
		{"one: text", "registration.status", "2021-05-06|100|在业|甲", 1, consent.Value, Answer{Value: "在业", Rows: 1}},
		{"one: scale", "registration.capital", "2021-05-06|2310000.25|在业|甲", 1, consent.Value, Answer{Value: "2310000.3", Unit: "CNY", Rows: 1}},
		{"one: band", "registration.capital", "2021-05-06|0.5|在业|甲", 1, consent.Band, Answer{Value: "0.50..100", Unit: "CNY", Rows: 1}},
		{"one: null", "registration.status", "2021-05-06|100|-|甲", 1, consent.Value, Answer{Outcome: consent.NoRecord, Reason: "the record has no value", Rows: 1}},
		{"one: none", "registration.status", "", 1, consent.Value, Answer{Outcome: consent.NoRecord}},
		{"one: twice the same", "registration.status", "2021-05-06|100|在业|甲\n2021-05-06|100.0|在业|甲", 1, consent.Value, Answer{Value: "在业", Rows: 1, Dropped: 1}},
		{"one: two", "registration.status", "2021-05-06|100|在业|甲\n2021-05-06|100|注销|甲", 1, consent.Value, Answer{Outcome: consent.Invalid, Reason: "several records where the dataset has one"}},

		{"no such output", "vat.profit", two, 12, consent.Value, Answer{Outcome: consent.NotInDataset}},
		{"no such disclosure", "vat.item", two, 12, consent.Band, Answer{Outcome: consent.NotInDataset}},
		{"verify", "vat.sales_12m", two, 12, consent.Verify, Answer{Outcome: consent.NotInDataset}},
		{"no window", "vat.sales_12m", two, 0, consent.Value, Answer{Outcome: consent.NotInDataset}},
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	c := tax(t)
	for _, k := range cases {
		dataset, output, _ := strings.Cut(k.item, ".")
		d := c.Dataset(dataset)
		item := consent.Item{Dataset: dataset, Output: output, Disclosure: k.disclosure, Months: k.months}
		got := d.Answer(table(t, d, k.rows), item, At{Day: day(t, today)})
		got.AsOf = 0
		if k.want.Outcome == 0 {
			k.want.Outcome = consent.Answered
		}
		if got != k.want {
			t.Errorf("%s: %+v, want %+v", k.name, got, k.want)
		}
	}
	d := c.Dataset("vat")
	if got := d.Answer(nil, consent.Item{Dataset: "cases", Output: "item", Disclosure: consent.Value, Months: 1}, At{}); got.Outcome != consent.NotInDataset {
		t.Errorf("an item of another dataset: %+v", got)
	}
}

// TestAsOf: the newest day of the rows that count, not of those left out.
func TestAsOf(t *testing.T) {
	c := tax(t)
	vat, cases := c.Dataset("vat"), c.Dataset("cases")
	item := consent.Item{Dataset: "vat", Output: "filed", Disclosure: consent.Value, Months: 12}
	if got := vat.Answer(table(t, vat, years), item, At{Day: day(t, today)}).AsOf; got != uint64(day(t, "2026-01-01"))*millisPerDay {
		t.Errorf("as of %d", got)
	}
	item = consent.Item{Dataset: "cases", Output: "open", Disclosure: consent.Value, Months: 12}
	if got := cases.Answer(table(t, cases, "2015-01-01|true"), item, At{Day: day(t, today)}).AsOf; got != 0 {
		t.Errorf("as of %d", got)
	}
}

// TestRepeatedRows: the tax tables of this world repeat one payment 7 to 25
// times under items that have nothing to do with it. Each counts once, in
// whatever order the source gives them.
func TestRepeatedRows(t *testing.T) {
	d := tax(t).Dataset("vat")
	payments := []string{"2026-01-01|增值税|%|1000.10|30", "2025-12-01|增值税|%|1000.10|30", "2025-12-01|城建税|%|30|2.1", "2025-11-01|增值税|%|0|0"}
	times := []int{7, 25, 13, 1}
	text, total := "", 0
	for i, p := range payments {
		for n := range times[i] {
			total++
			text += strings.Replace(p, "%", strings.Repeat("x", n+1), 1) + "\n"
		}
	}
	rows := table(t, d, text)
	item := consent.Item{Dataset: "vat", Output: "sales_12m", Disclosure: consent.Value, Months: 12}
	named := consent.Item{Dataset: "vat", Output: "item", Disclosure: consent.Value, Months: 12}
	shuffle := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		shuffle.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		got := d.Answer(rows, item, At{Day: day(t, today)})
		if got.Value != "2030.20" || got.Rows != 4 || got.Dropped != uint64(total-4) {
			t.Fatalf("%+v", got)
		}
		if got := d.Answer(rows, named, At{Day: day(t, today)}); got.Value != "x" {
			t.Fatalf("which of the equal rows stays depends on their order: %+v", got)
		}
	}
	item.Disclosure = consent.Count
	if got := d.Answer(rows, item, At{Day: day(t, today)}); got.Value != "4" {
		t.Errorf("%+v", got)
	}
}

// TestWrongRows: rows that do not fit the catalog are broken data, and the
// answer does not show them.
func TestWrongRows(t *testing.T) {
	d := tax(t).Dataset("cases")
	item := consent.Item{Dataset: "cases", Output: "open", Disclosure: consent.Value, Months: 36}
	good := Row{day(t, today), true}
	cases := []Row{nil, {}, {day(t, today)}, {day(t, today), true, nil}, {today, true}, {day(t, today), "true"}, {day(t, today), 1}, {day(t, today), 1.5},
		{decimal.NewFromInt(1), true}, {day(t, today), decimal.New(1, 1_000_000)}}
	for i, bad := range cases {
		if got := d.Answer([]Row{good, bad}, item, At{Day: day(t, today)}); got != none(consent.Invalid, "a row does not fit the catalog") {
			t.Errorf("row %d: %+v", i, got)
		}
	}
	vat := tax(t).Dataset("vat")
	row := table(t, vat, two)[0]
	row[3] = decimal.New(1, 1_000_000)
	if vat.holds(row) {
		t.Error("a number of a million digits fits")
	}
	vat.Fields[3].Type = TypeInteger
	if row[3] = decimal.RequireFromString("0.5"); vat.holds(row) {
		t.Error("a half fits an integer")
	}
}

// TestManyRows: the largest table that a source hands over is answered.
func TestManyRows(t *testing.T) {
	d := tax(t).Dataset("vat")
	rows := make([]Row, 20_000)
	for i := range rows {
		rows[i] = Row{day(t, "2026-01-01") - consent.Day(i%700), "增值税", "a", decimal.New(int64(i), -2), decimal.Zero}
	}
	item := consent.Item{Dataset: "vat", Output: "growth", Disclosure: consent.Value, Months: 24}
	got := d.Answer(rows, item, At{Day: day(t, today)})
	slices.Reverse(rows)
	if again := d.Answer(rows, item, At{Day: day(t, today)}); got.Outcome != consent.Answered || got != again {
		t.Errorf("%+v, %+v", got, again)
	}
}
