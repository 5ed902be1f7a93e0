package catalog

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

// passes runs the passes of an item of rows, sorting in memory.
func passes(d *Dataset, rows []Row, item consent.Item, at At) (Answer, []Row) {
	r := d.NewRows(item)
	if r == nil {
		return none(consent.NotInDataset, ""), nil
	}
	by := func(rows []Row, columns []int) {
		slices.SortStableFunc(rows, func(a, b Row) int {
			for _, i := range columns {
				if c := compareCells(a[i], b[i]); c != 0 {
					return c
				}
			}
			return 0
		})
	}
	var read, distinct, out []Row
	for _, row := range rows {
		if took, ok := r.Read(row); ok {
			read = append(read, took)
		}
	}
	by(read, r.Alike())
	for _, row := range read {
		if r.Distinct(row) {
			distinct = append(distinct, row)
		}
	}
	by(distinct, r.Periods())
	r.At(at)
	for _, row := range distinct {
		if r.Within(row) {
			cells, _ := r.Cells(row)
			out = append(out, cells)
		}
	}
	a := r.Answer()
	if a.Outcome != consent.Answered {
		out = nil
	}
	return a, out
}

func compareCells(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case decimal.Decimal:
		return a.Cmp(b.(decimal.Decimal))
	case consent.Day:
		return cmp.Compare(a, b.(consent.Day))
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// shapes are ways in which rows are about time.
var shapes = []string{"date: day", "periods: {month: day}", "periods: {from: day, to: until}", "periods: {month: day}\n    series: [kind]", "periods: {from: day, to: until}\n    series: [kind, flag]", ""}

func shaped(t testing.TB, r *rand.Rand) (*Dataset, string) {
	shape := shapes[r.IntN(len(shapes))]
	var more, measure string
	if r.IntN(2) == 0 {
		more += "    unique: [" + []string{"number", "number, day", "kind"}[r.IntN(3)] + "]\n"
	}
	complete := r.IntN(3) == 0
	if complete {
		more += "    complete: true\n"
	} else if shape != "" && r.IntN(3) == 0 {
		more += "    stale_after: 50\n"
	}
	if shape != "" {
		more += "    lag: 15\n"
		measure = "        measure: state\n"
		if r.IntN(3) > 0 {
			measure = "        measure: flow\n        months: 3\n"
			if r.IntN(2) == 0 {
				measure += "        partial: true\n"
			}
		}
	}
	text := `agency: tax
version: 1
datasets:
  - name: d
    title: {zh: 数据, en: Data}
    sensitivity: 2
    source: s
    table: d
    key: uscc
    records: many
    ` + shape + "\n" + more + `    fields:
      - {name: number, type: text}
      - {name: day, type: date}
      - {name: until, type: date}
      - {name: amount, type: decimal, unit: CNY}
      - {name: kind, type: text, values: {a: [A], b: []}}
      - {name: flag, type: bool}
    outputs:
      - name: rows
        title: {zh: 明细, en: Rows}
` + measure + `        disclose: [rows]
        table:
          columns:
            - {field: amount, title: {zh: 金额, en: Amount}, scale: 1}
            - {field: kind, title: {zh: 种类, en: Kind}}
          order: [amount]
          most_rows: 1000
          most_bytes: 100000
rules:
  - {name: any, allow: "true", reason: {zh: 无, en: none}}
`
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c.Dataset("d"), text
}

// TestRowsAreAnswered: rows that go through the passes have the outcome, the
// numbers and the rows of an answer that has them all together.
func TestRowsAreAnswered(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 5))
	now := day(t, today)
	outcomes, reasons := map[consent.Outcome]int{}, map[string]int{}
	var d *Dataset
	var text string
	for n := range 1500 {
		if n%25 == 0 {
			d, text = shaped(t, r)
		}
		pick := func(of ...any) any { return of[r.IntN(len(of))] }
		var rows []Row
		spoiled := r.IntN(4) == 0
		for range r.IntN(8) {
			from := monthOf(now) - month(r.IntN(5)) - 1
			first := from.first()
			row := Row{pick("1", "2", "3", "4"), first, from.last(), decimal.New(int64(r.IntN(3)), -1), pick("a", "b", "A"), pick(true, false, nil)}
			if d.Date != "" || r.IntN(12) == 0 {
				row[1] = first + consent.Day(r.IntN(28))
			}
			if r.IntN(12) == 0 {
				row[2] = (from + month(r.IntN(3))).last()
			}
			if spoiled && r.IntN(6) == 0 {
				i := r.IntN(len(row))
				row[i] = []Row{{nil, nil, nil, nil, nil, nil}, {"x\u202e", now + 60, now - 9000, decimal.New(1, -3), "other", nil}, {strings.Repeat("n", 5000), nil, nil, decimal.New(1, 30), "b", nil}}[r.IntN(3)][i]
			}
			rows = append(rows, row)
			if r.IntN(4) == 0 {
				rows = append(rows, slices.Clone(row))
			}
		}
		o := d.Output("rows")
		item := consent.Item{Dataset: "d", Output: "rows", Disclosure: consent.Rows, Months: min(o.Months, uint32(2+r.IntN(2)))}
		at := At{Day: now}
		want := d.Answer(rows, item, at)
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		got, out := passes(d, rows, item, at)
		if want.Outcome == consent.Invalid && got.Outcome == consent.Invalid {
			want, got = Answer{Outcome: consent.Invalid, Reason: got.Reason}, Answer{Outcome: consent.Invalid, Reason: got.Reason} // of several problems either names one
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n%v\nin passes %+v\ntogether %+v", text, rows, got, want)
		}
		if got.Outcome == consent.Answered && uint64(len(out)) != got.Rows {
			t.Fatalf("%s\n%v\n%d rows of %d", text, rows, len(out), got.Rows)
		}
		outcomes[got.Outcome]++
		reasons[got.Reason]++
	}
	for _, o := range []consent.Outcome{consent.Answered, consent.NoRecord, consent.Stale, consent.Invalid} {
		if outcomes[o] < 50 {
			t.Errorf("%s %d times: the test tells too little", o, outcomes[o])
		}
	}
	for _, reason := range []string{PeriodsMissing, periodsOverlap, rowsDiffer, rowsNameless, rowsUndated, rowsFuture, periodsUnfit, valueUndeclared + ": kind", rowsUnfit + ": amount"} {
		if reasons[reason] == 0 {
			t.Errorf("%s never: the test tells too little", reason)
		}
	}
}
