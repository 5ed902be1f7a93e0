package catalog

import (
	"errors"
	"slices"
	"strconv"
	"strings"

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

// At is the time for which a question is answered.
type At struct {
	Day   consent.Day // in the network's offset
	Time  uint64      // Unix milliseconds at which the rows were read
	Known consent.Day // the first day of which rows may be missing because the load is older; 0: none before Day
}

// closing is the day up to which flows close: rows cannot show what happened
// after the load was made.
func (a At) closing() consent.Day {
	if a.Known == 0 {
		return a.Day
	}
	return min(a.Day, a.Known)
}

// Answer is one output of one subject. Value is empty unless the outcome is
// answered.
type Answer struct {
	Outcome consent.Outcome
	Value   string // decimals plain, at the output's scale; days as 2006-01-02; bands as "LOW..HIGH"
	Unit    string
	Reason  string // a code where there is no value, and what the code is about, see [Says]
	Rows    uint64 // rows that the answer rests on; 0 of a band and of what is verified
	AsOf    uint64 // the newest civil day that those rows are about, as Unix milliseconds of its midnight in UTC; 0: none, see spare
	Dropped uint64 // rows left out because they repeat others in the unique fields
	Repeats uint64 // rows equal to others in every field; they are counted
	Covered uint64 // months that the rows of a flow are about; 0 for a state
	Across  uint64 // periods left out because an end of the window divides them
	Aside   uint64 // rows of the dataset of unknown owner that the agency has set aside

	held any // of an item to be verified: the value, as [Output.points], or [undecided]; see [Answer.Verify]
}

func none(outcome consent.Outcome, reason string) Answer {
	return Answer{Outcome: outcome, Reason: reason}
}

// Answer computes the item's output from all rows of one subject.
//
// A state rests on all of them: it gives the situation on the day of the
// question. A flow rests on the rows of closed months, see [Dataset.Closed],
// and covers the lesser of the item's months and the output's. A flow whose
// rows cover fewer months than that gives no_record, unless the output is
// partial or the dataset complete. A flow that leaves out a period across an
// end of its window gives no_record unless the output is partial.
//
// An item to be verified gets an answer that is invalid until [Answer.Verify]
// completes it.
func (d *Dataset) Answer(rows []Row, item consent.Item, at At) Answer {
	a := d.spare(d.answer(rows, item, at), item, at)
	if item.Disclosure == consent.Verify {
		return a.verifiable(len(rows))
	}
	return a
}

// spare leaves out of an answer the numbers that would tell more than its
// disclosure allows. Of a number of rows its band, or a predicate of it, would
// be exact by Rows; the day of the newest row would be exact by AsOf. In a
// dataset about persons these can be about one person.
func (d *Dataset) spare(a Answer, item consent.Item, at At) Answer {
	narrow := item.Disclosure == consent.Band || item.Disclosure == consent.Verify
	if !narrow && d.Persons == "" {
		return a
	}
	a.Dropped, a.Repeats = 0, 0
	if narrow {
		a.Rows = 0
	}
	if item.Disclosure == consent.Verify {
		a.Covered, a.Across = 0, 0
	}
	if o := d.Output(item.Output); a.AsOf > 0 && o != nil {
		a.AsOf = 0
		if !o.State() {
			_, last := d.Closed(min(item.Months, o.Months), at.closing())
			a.AsOf = uint64(max(0, last)) * millisPerDay
		}
	}
	return a
}

// Answers reports whether the answer has a value, or what a predicate needs.
func (a Answer) Answers() bool { return a.Outcome == consent.Answered || a.held != nil }

func (d *Dataset) answer(rows []Row, item consent.Item, at At) Answer {
	o := d.Output(item.Output)
	if o == nil || item.Dataset != d.Name || (item.Months == 0) != o.State() || !slices.Contains(o.Disclose, item.Disclosure) {
		return none(consent.NotInDataset, "")
	}
	if d.Persons != "" && d.few(rows) {
		return none(consent.BelowMinGroup, "") // before anything else: that there is nobody, or a faulty row, is about few persons too
	}
	if len(rows) == 0 && (d.One || !d.Complete) {
		return none(consent.NoRecord, "") // a register without a subject's record says nothing about that subject, however complete it is
	}
	rows, problem := d.read(rows)
	if problem != "" {
		return none(consent.Invalid, problem)
	}
	kept, repeats, problem := d.distinct(rows, o)
	if problem != "" {
		return none(consent.Invalid, problem)
	}
	if d.One && len(kept) > 1 {
		return none(consent.Invalid, recordsSeveral)
	}
	months := min(item.Months, o.Months)
	w, problem := d.window(kept, months, at, d.takes(o, item.Disclosure))
	if problem != "" {
		return none(consent.Invalid, problem)
	}
	if d.Persons != "" {
		if few, ok := d.group(&w, o, item, at.Day); !ok {
			return few
		}
	}
	if field := d.ahead(w, o, at.Day); field != "" {
		return none(consent.Invalid, rowsAhead+": "+field)
	}
	a := Answer{
		Rows: uint64(len(w.rows)), Dropped: uint64(len(rows) - len(kept)), Repeats: repeats, Covered: w.covered, Across: w.across,
		AsOf: uint64(max(0, w.asOf)) * millisPerDay,
	}
	if a.Outcome, a.Reason = d.unanswered(&w, o, item.Disclosure, months, at); a.Outcome == 0 {
		d.disclose(&a, o, item.Disclosure, w, at.Day)
	}
	return a
}

// unanswered returns the outcome where the rows of a window do not allow an answer,
// or 0.
func (d *Dataset) unanswered(w *window, o *Output, x consent.Disclosure, months uint32, at At) (consent.Outcome, string) {
	switch {
	case w.newest != never && d.StaleDays > 0 && int64(at.Day)-int64(w.newest) > int64(d.StaleDays):
		return consent.Stale, rowsStale + ": " + strconv.Itoa(int(d.StaleDays))
	case w.taken == 0 && !d.Complete:
		return consent.NoRecord, formula.NoRows
	case o.misses(*w, months, d.Complete), x == consent.Verify && short(*w, months, d.Complete):
		return consent.NoRecord, PeriodsMissing
	}
	return 0, ""
}

// takes returns a function that tells, by the fields that name a row's series,
// whether an answer may rest on the row. Only rows of a series that the
// output's formula filters out are excluded. A count counts all rows.
func (d *Dataset) takes(o *Output, x consent.Disclosure) func(fields map[string]any) bool {
	return func(fields map[string]any) bool {
		if x == consent.Count || o.compute == nil || len(d.Series) == 0 {
			return true
		}
		known := map[string]any{}
		for _, name := range d.Series {
			known[name] = fields[name]
		}
		return o.compute.Takes(known)
	}
}

// misses reports whether the rows, or the item, cover fewer months than the
// output would claim. In a complete dataset a month without rows is a month
// without events. A period across an end of the window is partly within the
// window, so leaving it out would make the result too small.
func (o *Output) misses(w window, months uint32, complete bool) bool {
	if o.compute != nil && o.compute.Reach() > int(months) {
		return true
	}
	return !o.Partial && short(w, months, complete)
}

// short reports whether rows of the months are missing. What they would add to
// a partial output is unknown in size and sign, so no predicate over it can be
// decided.
func short(w window, months uint32, complete bool) bool {
	return w.across > 0 || !complete && w.covered < uint64(months)
}

// read returns the rows with synonyms of texts replaced by their declared
// spellings, or the name of what does not fit the catalog. The name contains no
// value.
func (d *Dataset) read(rows []Row) ([]Row, string) {
	out := make([]Row, len(rows))
	for i, r := range rows {
		if len(r) != len(d.Fields) {
			return nil, rowsUnfit
		}
		out[i] = slices.Clone(r)
		for j, v := range r {
			f := &d.Fields[j]
			if !f.holds(v) {
				return nil, rowsUnfit + ": " + f.Name
			}
			if text, ok := v.(string); ok && f.Values != nil {
				if out[i][j], ok = f.Values[text]; !ok {
					return nil, valueUndeclared + ": " + f.Name
				}
			}
		}
	}
	return out, ""
}

// holds reports whether a value has the field's type.
func (f *Field) holds(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return f.Type == TypeText
	case bool:
		return f.Type == TypeBool
	case consent.Day:
		return f.Type == TypeDate
	case decimal.Decimal:
		return f.Type.numeric() && formula.Leaves(v) && (f.Type == TypeDecimal || v.IsInteger())
	}
	return false
}

// distinct leaves out rows that repeat another row in the unique fields. If
// such rows differ in a field that the output rests on, it is unknown which row
// is right. If one of their unique fields has no value, it is unknown whether
// they are one row. Without unique fields no row is left out: two debts of one
// amount on one day are two debts.
func (d *Dataset) distinct(rows []Row, o *Output) (kept []Row, repeats uint64, problem string) {
	if len(d.Unique) == 0 && !d.One {
		seen := map[string]bool{}
		for _, r := range rows {
			all := d.text(r, nil)
			if seen[all] {
				repeats++
			}
			seen[all] = true
		}
		return rows, repeats, ""
	}
	unique := d.Unique
	if d.One {
		unique = nil // all fields: two equal records are one record, two that differ are two
	}
	basis, at := d.basis(o), map[string]string{}
	for _, r := range rows {
		key, read := d.text(r, unique), d.text(r, basis)
		switch first, known := at[key]; {
		case !known:
			at[key] = read
			kept = append(kept, r)
		case first != read:
			return nil, 0, rowsDiffer
		case !d.One && !d.identified(r):
			return nil, 0, rowsNameless
		}
	}
	return kept, 0, ""
}

// ahead returns the name of a field with a date in the future in one of the
// rows, if the output asks only whether there is a date and not whether it has
// come. A debt that will be cleared is not yet cleared, whether the date is
// mistyped or planned.
func (d *Dataset) ahead(w window, o *Output, today consent.Day) string {
	for _, f := range d.Fields {
		if f.Type != TypeDate || d.Times(f.Name) || !o.heedless(f.Name) {
			continue
		}
		for _, row := range w.rows {
			if day, ok := row[f.Name].(consent.Day); ok && day > today {
				return f.Name
			}
		}
	}
	return ""
}

// heedless reports whether the formula asks if something has a value, and either
// uses the field only to ask whether it has a date or does not read today.
func (o *Output) heedless(field string) bool {
	f := o.compute
	return f != nil && f.Reads(field) && f.Doubts() && (!f.Weighs(field) || !f.Reads("today"))
}

// identified reports whether a row has a value in every unique field.
func (d *Dataset) identified(r Row) bool {
	return !slices.ContainsFunc(d.Unique, func(name string) bool { return r[d.field(name)] == nil })
}

// basis returns the names of the fields that an output rests on: the fields of
// its formula or its columns, and the dates and series that decide which rows count.
func (d *Dataset) basis(o *Output) []string {
	names := append([]string{d.Date, d.Periods.Month, d.Periods.From, d.Periods.To}, d.Series...)
	for _, f := range d.Fields {
		if o.compute != nil && o.compute.Reads(f.Name) || o.shows(f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// text encodes the named fields of a row (all fields if none is named) so that
// equal values give equal texts.
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
			b.WriteString(strconv.Itoa(len(v))) // so that no other texts look alike
			b.WriteByte(':')
			b.WriteString(v)
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

// disclose computes the output and writes as much of it as may be disclosed.
func (d *Dataset) disclose(a *Answer, o *Output, x consent.Disclosure, w window, today consent.Day) {
	a.Outcome = consent.Invalid
	switch x {
	case consent.Count:
		a.Outcome, a.Value = consent.Answered, strconv.Itoa(len(w.rows))
		return
	case consent.Rows:
		for _, row := range w.rows {
			if _, a.Reason = o.cells(func(field string) any { return row[field] }); a.Reason != "" {
				return
			}
		}
		a.Outcome = consent.Answered
		return
	}
	v, why, err := o.compute.Eval(d.values(w.rows, today))
	switch {
	case errors.Is(err, formula.ErrAcross):
		a.Outcome, a.Reason = consent.NoRecord, PeriodsMissing
		return
	case errors.Is(err, formula.ErrTied):
		a.Reason = newestDiffer
		return
	case err != nil:
		a.Reason = formulaFails + ": " + err.Error()
		return
	case v == nil || v == "":
		a.Outcome, a.Reason = consent.NoRecord, why
		if why == "" {
			a.Reason = valueNone
		}
		if d.One {
			a.Reason = recordEmpty
		}
		return
	}
	switch x {
	case consent.Band:
		a.Value, a.Reason = o.band(v)
	case consent.Verify:
		a.held, a.Reason = o.hold(v)
	default:
		a.Value, a.Reason = o.write(v)
	}
	if a.Reason == "" {
		a.Outcome, a.Unit = consent.Answered, o.Unit
	}
}

// values returns the variables of a formula over these rows.
func (d *Dataset) values(rows []map[string]any, today consent.Day) map[string]any {
	values := map[string]any{"today": today}
	switch {
	case !d.One:
		values["rows"] = rows
	case len(rows) > 0:
		for _, f := range d.Fields {
			values[f.Name] = rows[0][f.Name]
		}
	}
	return values
}
