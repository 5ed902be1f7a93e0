package catalog

import (
	"fmt"
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

// table reads rows: one a line, "|" between the cells, "-" for null.
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

// today is 3 March. With a lag of 15 days the last closed month is January, and
// twelve months of VAT returns are those of 2025-02 to 2026-01.
const today = "2026-03-03"

// filler returns one row of nil returns for each month from..to, both included.
func filler(from, to string) string {
	var b strings.Builder
	for at := from; at <= to; {
		fmt.Fprintf(&b, "\n%s-01 | 增值税 | a | 0 | 1", at)
		var year, month int
		fmt.Sscanf(at, "%d-%d", &year, &month)
		at = fmt.Sprintf("%04d-%02d", year+month/12, month%12+1)
	}
	return b.String()
}

var (
	two = `
2026-01-01 | 增值税 | a | 700000.50 | 21000
2025-12-01 | 增值税 | a | 300000 | 9000`
	eleven = two + filler("2025-03", "2025-11")
	twelve = eleven + filler("2025-02", "2025-02")
	years  = eleven + filler("2024-03", "2024-12") + `
2025-02-01 | 增值税 | a | 0.10 | 1
2025-01-01 | 增值税 | a | 250000 | 1
2024-02-01 | 增值税 | b | 250000.125 | 1
2024-01-01 | 增值税 | b | 9999999 | 1`
	before = filler("2025-02", "2025-12") // with one more: twelve months
)

func TestAnswer(t *testing.T) {
	long := strings.Repeat("税", 167)
	cases := []struct {
		name, item, rows string
		months           uint32
		disclosure       consent.Disclosure
		want             Answer
	}{
		{"sum", "vat.sales_12m", twelve, 12, consent.Value, Answer{Value: "1000000.50", Unit: "CNY", Rows: 12, Covered: 12}},
		{"sum within the window", "vat.sales_12m", years, 12, consent.Value, Answer{Value: "1000000.60", Unit: "CNY", Rows: 12, Covered: 12}},
		{"a month is missing", "vat.sales_12m", eleven, 12, consent.Value, Answer{Outcome: consent.NoRecord, Reason: PeriodsMissing, Rows: 11, Covered: 11}},
		{"a month is missing, to count", "vat.sales_12m", eleven, 12, consent.Count, Answer{Outcome: consent.NoRecord, Reason: PeriodsMissing, Rows: 11, Covered: 11}},
		{"fewer months than the formula sums", "vat.sales_12m", years, 6, consent.Value, Answer{Outcome: consent.NoRecord, Reason: PeriodsMissing, Rows: 6, Covered: 6}},
		{"a shorter window", "vat.filed", years, 1, consent.Value, Answer{Value: "1", Unit: "months", Rows: 1, Covered: 1}},
		{"never a longer window", "vat.sales_12m", years, 120, consent.Value, Answer{Value: "1000000.60", Unit: "CNY", Rows: 12, Covered: 12}},
		{"a month that is not closed yet", "vat.sales_12m", twelve + "\n2026-02-01|增值税|a|5000000|1", 12, consent.Value, Answer{Value: "1000000.50", Unit: "CNY", Rows: 12, Covered: 12}},
		{"a flow asked as a state", "vat.sales_12m", twelve, 0, consent.Value, Answer{Outcome: consent.NotInDataset}},
		{"a state asked as a flow", "vat.item", twelve, 12, consent.Value, Answer{Outcome: consent.NotInDataset}},
		{"band", "vat.sales_12m", twelve, 12, consent.Band, Answer{Value: "1000000..5000000.00", Unit: "CNY", Covered: 12}},
		{"band, open above", "vat.sales_12m", before + "\n2026-01-01|x|a|5000000|1", 12, consent.Band, Answer{Value: "5000000.00..", Unit: "CNY", Covered: 12}},
		{"band, its lower end", "vat.sales_12m", before + "\n2026-01-01|x|a|0|1", 12, consent.Band, Answer{Value: "0..1000000", Unit: "CNY", Covered: 12}},
		{"band, open below", "vat.sales_12m", before + "\n2026-01-01|x|a|-0.01|1", 12, consent.Band, Answer{Value: "..0", Unit: "CNY", Covered: 12}},
		{"band as the value is rounded", "vat.sales_12m", before + "\n2026-01-01|x|a|999999.995|1", 12, consent.Band, Answer{Value: "1000000..5000000.00", Unit: "CNY", Covered: 12}},
		{"count", "vat.sales_12m", years, 12, consent.Count, Answer{Value: "12", Rows: 12, Covered: 12}},
		{"growth", "vat.growth", years, 24, consent.Value, Answer{Value: "1.0000", Unit: "ratio", Rows: 24, Covered: 24}},
		{"growth clipped", "vat.growth", years, 12, consent.Value, Answer{Outcome: consent.NoRecord, Reason: PeriodsMissing, Rows: 12, Covered: 12}},
		{"growth from nothing", "vat.growth", twelve + filler("2024-02", "2025-01"), 24, consent.Value, Answer{Outcome: consent.NoRecord, Reason: formula.NotPositive, Rows: 24, Covered: 24}},
		{"integer", "vat.filed", two, 120, consent.Value, Answer{Value: "2", Unit: "months", Rows: 2, Covered: 2}},
		{"not an integer", "vat.mean", two, 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "value.not_whole", Rows: 2, Covered: 2}},
		{"an integer after all", "vat.mean", "2026-01-01|x|a|5.00|1", 12, consent.Value, Answer{Value: "5", Unit: "CNY", Rows: 1, Covered: 1}},
		{"too large to leave", "vat.sales_12m", before + "\n2026-01-01|x|a|99999999999999999999|1\n2026-01-01|x|a|1|1", 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "value.too_large", Rows: 13, Covered: 12}},
		{"too large for a source", "vat.sales_12m", "2026-01-01|x|a|100000000000000000000|1", 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "rows.unfit: base"}},
		{"text", "vat.item", two, 0, consent.Value, Answer{Value: "a", Rows: 2}},
		{"text that deceives", "vat.item", "2026-01-01|x|a\u202eb\u0007c|1|1", 0, consent.Value, Answer{Value: "a\ufffdb\ufffdc", Rows: 1}},
		{"text too long", "vat.item", "2026-01-01|x|" + long + "|1|1", 0, consent.Value, Answer{Outcome: consent.Invalid, Reason: "value.too_long", Rows: 1}},
		{"empty text", "vat.item", "2026-01-01|x||1|1", 0, consent.Value, Answer{Outcome: consent.NoRecord, Reason: "value.none", Rows: 1}},
		{"newest, not greatest", "vat.item", "2026-01-01|x|a|1|1\n2025-12-01|x|z|1|1", 0, consent.Value, Answer{Value: "a", Rows: 2}},
		{"two newest that agree", "vat.item", "2026-01-01|x|a|1|1\n2026-01-01|x|a|2|1", 0, consent.Value, Answer{Value: "a", Rows: 2}},
		{"two newest that differ", "vat.item", "2026-01-01|x|a|1|1\n2026-01-01|x|b|2|1", 0, consent.Value, Answer{Outcome: consent.Invalid, Reason: "newest.differ", Rows: 2}},
		{"date", "vat.newest", two, 0, consent.Value, Answer{Value: "2026-01-01", Rows: 2}},
		{"formula fails", "vat.broken", twelve, 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "formula.fails: division by zero", Rows: 12, Covered: 12}},
		{"a null in a sum", "vat.sales_12m", before + "\n2026-01-01|x|a|-|1", 12, consent.Value, Answer{Outcome: consent.NoRecord, Reason: formula.ValueGone, Rows: 12, Covered: 12}},
		{"no rows", "vat.sales_12m", "", 12, consent.Value, Answer{Outcome: consent.NoRecord}},
		{"no rows to count", "vat.sales_12m", "", 12, consent.Count, Answer{Outcome: consent.NoRecord}},
		{"no rows in the window", "vat.mean", "2026-02-01|x|a|1|1", 12, consent.Value, Answer{Outcome: consent.NoRecord, Reason: formula.NoRows}},
		{"fresh enough", "vat.filed", "2025-12-31|x|a|1|1", 120, consent.Value, Answer{Value: "1", Unit: "months", Rows: 1, Covered: 1}},
		{"stale", "vat.filed", "2025-11-30|x|a|1|1\n2025-10-29|x|a|1|1", 120, consent.Value, Answer{Outcome: consent.Stale, Reason: "rows.stale: 62", Rows: 2, Covered: 2}},
		{"stale, to count", "vat.sales_12m", "2025-11-06|x|a|1|1", 12, consent.Count, Answer{Outcome: consent.Stale, Reason: "rows.stale: 62", Rows: 1, Covered: 1}},
		{"a row to come", "vat.filed", two + "\n2026-04-01|x|a|1|1", 120, consent.Value, Answer{Outcome: consent.Invalid, Reason: "rows.future"}},
		{"a row without a date", "vat.filed", two + "\n-|x|a|1|1", 120, consent.Value, Answer{Outcome: consent.Invalid, Reason: "rows.undated"}},
		{"one by the unique fields, and not", "vat.item", "2026-01-01|x|a|1|1\n2026-01-01|x|b|1|1", 0, consent.Value, Answer{Outcome: consent.Invalid, Reason: "rows.differ"}},

		{"repeated, and nothing says whether", "vat.sales_12m", two + "\n2026-01-01|-|a|1|1\n2026-01-01|-|a|1|1", 12, consent.Value, Answer{Outcome: consent.Invalid, Reason: "rows.nameless"}},
		{"one without what would tell it apart", "vat.item", "2026-01-01|-|a|1|1", 0, consent.Value, Answer{Value: "a", Rows: 1}},

		{"complete: none", "cases.open", "", 0, consent.Value, Answer{Value: "0"}},
		{"complete: none to count", "cases.open", "", 0, consent.Count, Answer{Value: "0"}},
		{"complete: bool", "cases.any", "", 36, consent.Value, Answer{Value: "false", Covered: 36}},
		{"bool", "cases.any", "2025-01-01|true", 36, consent.Value, Answer{Value: "true", Rows: 1, Covered: 36}},
		{"a state has no window", "cases.open", "2015-01-01|true\n2024-01-01|false", 0, consent.Value, Answer{Value: "1", Rows: 2}},
		{"all cases are old", "cases.any", "2015-01-01|true", 36, consent.Value, Answer{Value: "false", Covered: 36}},
		{"a window of closed months", "cases.number", "2024-03-01|true\n2024-02-29|true\n2026-02-28|true\n2026-03-01|true", 24, consent.Count, Answer{Value: "2", Rows: 2, Covered: 24}},
		{"two that are equal are two", "cases.open", "2025-01-01|true\n2025-01-01|true", 0, consent.Value, Answer{Value: "2", Rows: 2, Repeats: 1}},

		{"one: field", "registration.established", "2021-05-06|100|在业|甲", 0, consent.Value, Answer{Value: "2021-05-06", Rows: 1}},
		{"one: formula", "registration.age", "2021-05-06|100|在业|甲", 0, consent.Value, Answer{Value: "57", Unit: "months", Rows: 1}},
		{"one: text", "registration.status", "2021-05-06|100|在业|甲", 0, consent.Value, Answer{Value: "在业", Rows: 1}},
		{"one: scale", "registration.capital", "2021-05-06|2310000.25|在业|甲", 0, consent.Value, Answer{Value: "2310000.3", Unit: "CNY", Rows: 1}},
		{"one: band", "registration.capital", "2021-05-06|0.5|在业|甲", 0, consent.Band, Answer{Value: "0.50..100", Unit: "CNY"}},
		{"one: null", "registration.status", "2021-05-06|100|-|甲", 0, consent.Value, Answer{Outcome: consent.NoRecord, Reason: "record.empty", Rows: 1}},
		{"one: none", "registration.status", "", 0, consent.Value, Answer{Outcome: consent.NoRecord}},
		{"one: twice the same", "registration.status", "2021-05-06|100|在业|甲\n2021-05-06|100.0|在业|甲", 0, consent.Value, Answer{Value: "在业", Rows: 1, Dropped: 1}},
		{"one: two", "registration.status", "2021-05-06|100|在业|甲\n2021-05-06|100|注销|甲", 0, consent.Value, Answer{Outcome: consent.Invalid, Reason: "records.several"}},

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

// TestAsOf: AsOf is the newest day of the rows that count, not of the rows left
// out.
func TestAsOf(t *testing.T) {
	c := tax(t)
	vat, cases := c.Dataset("vat"), c.Dataset("cases")
	item := consent.Item{Dataset: "vat", Output: "filed", Disclosure: consent.Value, Months: 120}
	if got := vat.Answer(table(t, vat, years+"\n2026-02-01|x|a|1|1"), item, At{Day: day(t, today)}).AsOf; got != uint64(day(t, "2026-01-31"))*millisPerDay {
		t.Errorf("as of %d", got)
	}
	item = consent.Item{Dataset: "cases", Output: "any", Disclosure: consent.Value, Months: 12}
	if got := cases.Answer(table(t, cases, "2015-01-01|true"), item, At{Day: day(t, today)}).AsOf; got != 0 {
		t.Errorf("as of %d", got)
	}
}

// TestRepeatedRows: the tax tables of this data set repeat one payment 7 to 25
// times under unrelated items. Each payment counts once, in whatever order the
// source returns the rows, and the item itself is not guessed.
func TestRepeatedRows(t *testing.T) {
	d := tax(t).Dataset("vat")
	payments := []string{"2026-01-01|增值税|%|1000.10|30", "2025-12-01|增值税|%|1000.10|30", "2025-12-01|城建税|%|30|2.1", "2025-11-01|增值税|%|0|0"}
	times := []int{7, 25, 13, 1}
	text, total := filler("2025-02", "2025-10"), 9
	for i, p := range payments {
		for n := range times[i] {
			total++
			text += "\n" + strings.Replace(p, "%", strings.Repeat("x", n+1), 1)
		}
	}
	rows := table(t, d, text)
	item := consent.Item{Dataset: "vat", Output: "sales_12m", Disclosure: consent.Value, Months: 12}
	named := consent.Item{Dataset: "vat", Output: "item", Disclosure: consent.Value}
	shuffle := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		shuffle.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		got := d.Answer(rows, item, At{Day: day(t, today)})
		if got.Value != "2030.20" || got.Rows != 13 || got.Dropped != uint64(total-13) {
			t.Fatalf("%+v", got)
		}
		if got := d.Answer(rows, named, At{Day: day(t, today)}); got.Outcome != consent.Invalid {
			t.Fatalf("which of the repeated rows stays is a guess: %+v", got)
		}
	}
	item.Disclosure = consent.Count
	if got := d.Answer(rows, item, At{Day: day(t, today)}); got.Value != "13" {
		t.Errorf("%+v", got)
	}
}

// TestWrongRows: rows that do not fit the catalog make the answer invalid, and
// the answer shows none of their values.
func TestWrongRows(t *testing.T) {
	d := tax(t).Dataset("cases")
	item := consent.Item{Dataset: "cases", Output: "open", Disclosure: consent.Value}
	good := Row{day(t, today), true}
	cases := []Row{nil, {}, {day(t, today)}, {day(t, today), true, nil}, {today, true}, {day(t, today), "true"}, {day(t, today), 1}, {day(t, today), 1.5},
		{decimal.NewFromInt(1), true}, {day(t, today), decimal.New(1, 1_000_000)}}
	for i, bad := range cases {
		if got := d.Answer([]Row{good, bad}, item, At{Day: day(t, today)}); got.Outcome != consent.Invalid || !strings.HasPrefix(got.Reason, "rows.unfit") || got.Value != "" {
			t.Errorf("row %d: %+v", i, got)
		}
	}
	vat := tax(t).Dataset("vat")
	row := table(t, vat, two)[0]
	row[3] = decimal.New(1, 1_000_000)
	holds := func(v any) bool { return vat.Fields[3].holds(v) }
	if holds(row[3]) {
		t.Error("a number of a million digits fits")
	}
	if holds(decimal.New(1, 20)) || !holds(decimal.New(1, 20).Sub(decimal.New(1, 0))) {
		t.Error("10^20 fits, or what is just below does not")
	}
	vat.Fields[3].Type = TypeInteger
	if holds(decimal.RequireFromString("0.5")) {
		t.Error("a half fits an integer")
	}
}

// TestManyRows: the largest table that a source may return is answered.
func TestManyRows(t *testing.T) {
	d := tax(t).Dataset("vat")
	rows := make([]Row, 20_000)
	for i := range rows {
		rows[i] = Row{day(t, "2026-01-01") - consent.Day(i%750), "增值税", "a", decimal.New(int64(i), -2), decimal.Zero}
	}
	item := consent.Item{Dataset: "vat", Output: "growth", Disclosure: consent.Value, Months: 24}
	got := d.Answer(rows, item, At{Day: day(t, today)})
	slices.Reverse(rows)
	if again := d.Answer(rows, item, At{Day: day(t, today)}); got.Outcome != consent.Answered || got != again {
		t.Errorf("%+v, %+v", got, again)
	}
}
