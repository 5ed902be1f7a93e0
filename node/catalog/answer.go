package catalog

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

const (
	maxText      = 500 // bytes of a text that leaves; an answer has room for them, see [ledger.AnswerRoom]
	millisPerDay = 24 * 60 * 60 * 1000
)

// Row is one record, in the order of the dataset's fields: nil, string, bool,
// [decimal.Decimal] or [consent.Day] each.
type Row []any

// At says when the question is answered.
type At struct {
	Day  consent.Day // in the network's offset
	Time uint64      // Unix milliseconds at which the rows were read
}

// Answer is one output of one subject. Value is empty unless the outcome is
// answered.
type Answer struct {
	Outcome consent.Outcome
	Value   string // decimals plain, at the output's scale; days as 2006-01-02; bands as "LOW..HIGH"
	Unit    string
	Reason  string // for people, where there is no value
	Rows    uint64 // that the answer rests on
	AsOf    uint64 // Unix milliseconds of the newest day among those rows; 0 where there is none
	Dropped uint64 // rows left out because they repeat others
}

func none(outcome consent.Outcome, reason string) Answer {
	return Answer{Outcome: outcome, Reason: reason}
}

// Answer computes the item's output from all rows of one subject.
//
// Months count back from the month of the day of the question, which is month
// 0. Where the dataset promises to be fresh (StaleDays), they count back from
// the month of the subject's newest row instead: twelve months of returns are
// twelve returns also while this month's is not due. The item's months and the
// output's, whichever is less, limit the rows.
func (d *Dataset) Answer(rows []Row, item consent.Item, at At) Answer {
	o := d.Output(item.Output)
	if o == nil || item.Dataset != d.Name || item.Months == 0 || !slices.Contains(o.Disclose, item.Disclosure) {
		return none(consent.NotInDataset, "")
	}
	if len(rows) == 0 && !d.Complete {
		return none(consent.NoRecord, "")
	}
	for _, r := range rows {
		if !d.holds(r) {
			return none(consent.Invalid, "a row does not fit the catalog")
		}
	}
	kept := d.distinct(rows)
	dropped := uint64(len(rows) - len(kept))
	if d.One && len(kept) > 1 {
		return none(consent.Invalid, "several records where the dataset has one")
	}
	w, problem := d.window(kept, min(item.Months, o.Months), at.Day)
	a := Answer{Rows: uint64(len(w.rows)), AsOf: w.asOf, Dropped: dropped}
	switch {
	case problem != "":
		a.Outcome, a.Reason = consent.Invalid, problem
	case len(kept) > 0 && d.StaleDays > 0 && (w.newest == never || int64(at.Day)-int64(w.newest) > int64(d.StaleDays)):
		a.Outcome, a.Reason = consent.Stale, "the newest row is older than "+strconv.Itoa(int(d.StaleDays))+" days"
	default:
		d.disclose(&a, o, item.Disclosure, w, at.Day)
	}
	return a
}

// holds says whether a row has the fields' types.
func (d *Dataset) holds(r Row) bool {
	if len(r) != len(d.Fields) {
		return false
	}
	for i, v := range r {
		ok := true
		switch v := v.(type) {
		case nil:
		case string:
			ok = d.Fields[i].Type == TypeText
		case bool:
			ok = d.Fields[i].Type == TypeBool
		case consent.Day:
			ok = d.Fields[i].Type == TypeDate
		case decimal.Decimal:
			ok = d.Fields[i].Type.numeric() && formula.InRange(v) && (d.Fields[i].Type == TypeDecimal || v.IsInteger())
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}

// distinct leaves out rows that are equal to others in the unique fields. Of
// such rows the least stays, whatever the order in which the source gives
// them.
func (d *Dataset) distinct(rows []Row) []Row {
	at := map[string]int{}
	var kept []Row
	for _, r := range rows {
		key := d.text(r, d.Unique)
		i, known := at[key]
		switch {
		case !known:
			at[key] = len(kept)
			kept = append(kept, r)
		case d.text(r, nil) < d.text(kept[i], nil):
			kept[i] = r
		}
	}
	return kept
}

// text writes the named fields of a row, or all, so that equal values give
// equal texts.
func (d *Dataset) text(r Row, names []string) string {
	var b strings.Builder
	for i, f := range d.Fields {
		if names != nil && !slices.Contains(names, f.Name) {
			continue
		}
		switch v := r[i].(type) {
		case nil:
			b.WriteString("-")
		case string:
			b.WriteString(strconv.Quote(v))
		case bool:
			b.WriteString(strconv.FormatBool(v))
		case consent.Day:
			b.WriteString(strconv.Itoa(int(v)))
		case decimal.Decimal:
			b.WriteString(v.String())
		}
		b.WriteByte(',')
	}
	return b.String()
}

// never is the newest day of no rows.
const never = consent.Day(math.MinInt32)

// window is the rows an answer may rest on.
type window struct {
	rows   []map[string]any // with [formula.Age] where the dataset has windows
	newest consent.Day      // of all rows, or never
	asOf   uint64
}

// window takes the rows of the newest months.
func (d *Dataset) window(rows []Row, months uint32, today consent.Day) (w window, problem string) {
	date := d.field(d.Date)
	w.newest = never
	for _, r := range rows {
		if date < 0 {
			break
		}
		if day, ok := r[date].(consent.Day); ok {
			w.newest = max(w.newest, day)
		} else if d.windowed() {
			return w, "a row has no date"
		}
	}
	zero := monthOf(today)
	if w.newest != never && monthOf(w.newest) > zero {
		return w, "a row is dated in a month to come"
	}
	if w.newest != never && d.StaleDays > 0 {
		zero = monthOf(w.newest)
	}
	for _, r := range rows {
		fields := map[string]any{}
		for i, f := range d.Fields {
			fields[f.Name] = r[i]
		}
		var day consent.Day
		if date >= 0 {
			day, _ = r[date].(consent.Day)
		}
		if d.windowed() {
			age := zero - monthOf(day)
			if age >= int(months) {
				continue
			}
			fields[formula.Age] = decimal.NewFromInt(int64(age))
		}
		w.asOf = max(w.asOf, uint64(max(0, day))*millisPerDay)
		w.rows = append(w.rows, fields)
	}
	return w, ""
}

// monthOf numbers months one after the other.
func monthOf(d consent.Day) int {
	t := time.Unix(int64(d)*millisPerDay/1000, 0).UTC()
	return t.Year()*12 + int(t.Month())
}

// disclose computes the output and writes as much of it as may leave.
func (d *Dataset) disclose(a *Answer, o *Output, x consent.Disclosure, w window, today consent.Day) {
	a.Outcome = consent.Invalid
	if x == consent.Count {
		a.Outcome, a.Value = consent.Answered, strconv.Itoa(len(w.rows))
		return
	}
	values := map[string]any{"today": today}
	switch {
	case !d.One:
		values["rows"] = w.rows
	case len(w.rows) > 0:
		for _, f := range d.Fields {
			values[f.Name] = w.rows[0][f.Name]
		}
	}
	v, err := o.compute.Run(values)
	switch {
	case err != nil:
		a.Reason = err.Error()
		return
	case v == nil || v == "":
		a.Outcome, a.Reason = consent.NoRecord, "too few rows"
		if d.One {
			a.Reason = "the record has no value"
		}
		return
	}
	if x == consent.Band {
		n, _ := v.(decimal.Decimal)
		a.Value = o.band(o.round(n))
	} else if a.Value, a.Reason = o.write(v); a.Reason != "" {
		return
	}
	a.Outcome, a.Unit = consent.Answered, o.Unit
}

func (o *Output) round(n decimal.Decimal) decimal.Decimal {
	if o.Type == TypeDecimal {
		return n.Round(o.Scale)
	}
	return n
}

// write gives a value as text, or says why it cannot leave.
func (o *Output) write(v any) (text, reason string) {
	switch v := v.(type) {
	case decimal.Decimal:
		if o.Type == TypeInteger && !v.IsInteger() {
			return "", "the value is not a whole number"
		}
		return o.round(v).StringFixed(o.Scale), ""
	case consent.Day:
		return v.String(), ""
	case bool:
		return strconv.FormatBool(v), ""
	case string:
		text = visible(v)
		if len(text) > maxText {
			return "", "the text has more than " + strconv.Itoa(maxText) + " bytes"
		}
		return text, ""
	}
	return "", "the value is of no type that can leave"
}

// visible replaces what could deceive a reader of the text or break its line.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if !consent.ValidText(string(r)) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// band names the band that a number lies in: from its lower cut point on, up
// to and without its upper one.
func (o *Output) band(n decimal.Decimal) string {
	i, found := slices.BinarySearchFunc(o.cuts, n, decimal.Decimal.Cmp)
	if found {
		i++
	}
	low, high := "", ""
	if i > 0 {
		low = o.Bands[i-1]
	}
	if i < len(o.Bands) {
		high = o.Bands[i]
	}
	return low + ".." + high
}
