package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// maxCell limits one text of a row that leaves, in bytes.
const maxCell = 4096

// Rows answers an item of rows of a subject that may have more rows than fit
// into memory. Outcome and rows are those of [Dataset.Answer] over the same rows.
// The rows go through up to four passes, in the caller's sorters:
//
//   - [Rows.Read] takes each row of the source and gives what the passes need of
//     it, which is then sorted by [Rows.Alike];
//   - [Rows.Distinct] takes those in that order and reports which of them count.
//     With [Rows.Periods] what counts is then sorted by it;
//   - [Rows.Within] reports which of them are in the window;
//   - [Rows.Cells] gives what leaves of a row in the window. The caller sorts it
//     by the table's order.
//
// [Rows.Answer] then reports whether any of it leaves.
type Rows struct {
	d      *Dataset
	o      *Output
	at     At
	months uint32
	first  month
	last   month
	fields []int // of the dataset, in the order of the columns between passes
	found  bool
	full   Row // the present row, with the fields that are needed

	key, basis  string // of the row that the present one may repeat
	begun       bool
	unread      string // the first problem of reading a row
	unfit       string // the first problem of a row that would leave
	dropped     uint64
	repeats     uint64
	repeated    string // the problem of rows that are one and differ
	w           window // without rows
	timed       string // the problem of a row's time
	spans       spanner
	distinction []string
}

// Passing is a column between passes.
type Passing struct {
	Field string
	Type  Type
}

// NewRows begins to answer an item of rows; nil if the dataset has no such item.
func (d *Dataset) NewRows(item consent.Item) *Rows {
	o := d.Output(item.Output)
	if o == nil || o.Table == nil || item.Dataset != d.Name || item.Disclosure != consent.Rows || (item.Months == 0) != o.State() {
		return nil
	}
	r := &Rows{d: d, o: o, months: min(item.Months, o.Months), full: make(Row, len(d.Fields)), distinction: d.basis(o)}
	r.w.newest, r.w.asOf = never, never
	for i, f := range d.Fields {
		if slices.Contains(r.distinction, f.Name) || slices.Contains(d.Unique, f.Name) {
			r.fields = append(r.fields, i)
		}
	}
	return r
}

// Columns are those of rows between passes.
func (r *Rows) Columns() (list []Passing) {
	for _, i := range r.fields {
		list = append(list, Passing{r.d.Fields[i].Name, r.d.Fields[i].Type})
	}
	return append(list, Passing{"", TypeText})
}

// Read checks a row of the source, and returns what the passes need of it: the
// fields that the output rests on, and last what is equal in rows that are equal
// in every field. If ok is false, nothing will be answered.
func (r *Rows) Read(row Row) (out Row, ok bool) {
	r.found = true
	rows, problem := r.d.read([]Row{row})
	if problem != "" {
		r.unread = cmp.Or(r.unread, problem)
		return nil, false
	}
	for _, i := range r.fields {
		out = append(out, rows[0][i])
	}
	var all any
	if len(r.d.Unique) == 0 {
		sum := sha256.Sum256([]byte(r.d.text(rows[0], nil)))
		all = hex.EncodeToString(sum[:16])
	}
	return append(out, all), true
}

// At sets the time for which rows are answered, before [Rows.Within]. Only when
// all rows were read it is known of which load they are.
func (r *Rows) At(at At) {
	r.at = at
	r.first, r.last = r.d.closed(r.months, at.closing())
	r.spans = spanner{first: r.first, last: r.last, months: map[month]int{}}
}

// Alike are the columns by which rows are sorted before [Rows.Distinct].
func (r *Rows) Alike() (list []int) {
	if len(r.d.Unique) == 0 {
		return []int{len(r.fields)}
	}
	return r.places(r.d.Unique)
}

// Periods are the columns by which rows are sorted before [Rows.Within]; none if
// the order does not matter.
func (r *Rows) Periods() []int {
	p := r.d.Periods
	if !p.Any() {
		return nil
	}
	return r.places(append(slices.Clone(r.d.Series), slices.DeleteFunc([]string{p.Month, p.From, p.To}, func(name string) bool { return name == "" })...))
}

func (r *Rows) places(names []string) (list []int) {
	for _, name := range names {
		if i := slices.Index(r.fields, r.d.field(name)); !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	return list
}

// Unfit says that a value of a field cannot be held between passes, or leave:
// nothing will be answered.
func (r *Rows) Unfit(field string) { r.unread = cmp.Or(r.unread, rowsUnfit+": "+field) }

// expand makes a row between passes one of the dataset.
func (r *Rows) expand(row Row) Row {
	for n, i := range r.fields {
		r.full[i] = row[n]
	}
	return r.full
}

// Distinct reports whether a row counts: not if it repeats the one before.
func (r *Rows) Distinct(row Row) bool {
	full, key := r.expand(row), ""
	if len(r.d.Unique) == 0 {
		key = row[len(r.fields)].(string)
	} else {
		key = r.d.text(full, r.d.Unique)
	}
	same := r.begun && key == r.key
	r.begun, r.key = true, key
	if len(r.d.Unique) == 0 {
		if same {
			r.repeats++
		}
		return true
	}
	basis := r.d.text(full, r.distinction)
	switch {
	case !same:
		r.basis = basis
		return true
	case basis != r.basis:
		r.repeated = rowsDiffer
	case !r.d.identified(full) && r.repeated == "":
		r.repeated = rowsNameless
	}
	r.dropped++
	return false
}

// Within reports whether a row is in the window.
func (r *Rows) Within(row Row) bool {
	if !r.d.dated() {
		r.w.taken++
		return true
	}
	full := r.expand(row)
	from, to, problem := r.d.time(full, r.at.Day)
	if problem != "" {
		r.timed = problem
		return false
	}
	r.w.newest = max(r.w.newest, min(to, r.at.Day))
	series := r.d.series(full)
	r.spans.begin(series)
	if begin, end := monthOf(from), monthOf(to); r.months > 0 && (begin < r.first || end > r.last) {
		if end >= r.first && begin <= r.last {
			r.w.across++
		}
		return false
	}
	r.spans.add(from, to)
	r.w.taken, r.w.asOf = r.w.taken+1, max(r.w.asOf, min(to, r.at.Day))
	return true
}

// Cells returns what leaves of a row in the window: a value for each column of
// the table. If ok is false, nothing will be answered.
func (r *Rows) Cells(row Row) (out Row, ok bool) {
	full := r.expand(row)
	out, problem := r.o.cells(func(field string) any { return full[r.d.field(field)] })
	r.unfit = cmp.Or(r.unfit, problem)
	return out, problem == ""
}

// cells returns the values of a row's columns, or why they cannot leave.
func (o *Output) cells(value func(field string) any) (out Row, problem string) {
	for _, c := range o.Table.Columns {
		v := value(c.Name)
		switch x := v.(type) {
		case string:
			if x = visible(x); len(x) > maxCell {
				return nil, valueTooLong
			}
			v = x
		case decimal.Decimal:
			if !formula.Leaves(x) {
				return nil, valueTooLarge
			}
			if !x.Equal(x.Truncate(int32(c.Scale))) {
				return nil, rowsUnfit + ": " + c.Name
			}
		}
		out = append(out, v)
	}
	return out, ""
}

// Answer concludes the passes: rows leave only if its outcome is answered.
func (r *Rows) Answer() Answer {
	if !r.found && !r.d.Complete {
		return none(consent.NoRecord, "")
	}
	r.spans.end()
	switch {
	case r.unread != "":
		return none(consent.Invalid, r.unread)
	case r.repeated != "":
		return none(consent.Invalid, r.repeated)
	case r.timed != "":
		return none(consent.Invalid, r.timed)
	case r.d.Periods.Any() && r.spans.overlap:
		return none(consent.Invalid, periodsOverlap)
	}
	switch {
	case !r.d.Periods.Any():
		r.w.covered = uint64(r.months) // no event is due, so none is missing
	case r.months > 0:
		r.w.covered = r.spans.covered()
	}
	a := Answer{
		Rows: uint64(r.w.taken), Dropped: r.dropped, Repeats: r.repeats, Covered: r.w.covered, Across: r.w.across,
		AsOf: uint64(max(0, r.w.asOf)) * millisPerDay,
	}
	a.Outcome, a.Reason = r.d.unanswered(&r.w, r.o, consent.Rows, r.months, r.at)
	switch {
	case a.Outcome != 0:
	case r.unfit != "":
		return none(consent.Invalid, r.unfit)
	default:
		a.Outcome = consent.Answered
	}
	return a
}

// spanner finds the months that every series covers, and periods that overlap,
// from the periods of rows that ascend by series, first and last day.
type spanner struct {
	first, last month
	months      map[month]int // by how many series each is covered
	series      string
	all         int  // series so far
	any         bool // whether the series has a period
	from, to    consent.Day
	start       consent.Day // of the newest period
	overlap     bool
}

// begin begins a series, if it is not the one before.
func (s *spanner) begin(series string) {
	if s.all > 0 && s.series == series {
		return
	}
	s.end()
	s.series, s.all = series, s.all+1
}

// add adds a period of the series.
func (s *spanner) add(from, to consent.Day) {
	switch {
	case !s.any:
		s.any, s.from, s.to = true, from, to
	case from <= s.to && (from != s.start || to != s.to):
		s.overlap = true
		s.to = max(s.to, to)
	case from <= s.to+1:
		s.to = max(s.to, to)
	default:
		s.flush()
		s.from, s.to = from, to
	}
	s.start = from
}

// flush counts the whole months of the days from..to.
func (s *spanner) flush() {
	for m := max(monthOf(s.from), s.first); m <= min(monthOf(s.to), s.last); m++ {
		if m.first() >= s.from && m.last() <= s.to {
			s.months[m]++
		}
	}
}

// end ends the series.
func (s *spanner) end() {
	if s.any {
		s.flush()
	}
	s.any = false
}

func (s *spanner) covered() (n uint64) {
	for _, covering := range s.months {
		if covering == s.all {
			n++
		}
	}
	return n
}
