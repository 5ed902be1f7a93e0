package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

const (
	// MaxBad limits the bad rows that a report lists; all are counted.
	MaxBad = 20
	// maxDistinct limits the memory for counting different subjects and rows, 8
	// bytes each.
	maxDistinct = 1 << 23
)

// Report is what a table contains and what is wrong with it. It contains no
// value of the table and no subject.
type Report struct {
	Rows           int64       // all, including bad rows; lines without any value do not count
	Subjects       int64       // different subjects among usable keys
	Bad            int64       // rows with an error; a query about their subjects fails
	BadRows        []Bad       // the first [MaxBad] of them
	Faults         []Fault     // what is wrong with them, by number, descending
	Keys           Census      // of the keys
	Unfit          int64       // readable rows that make an output about their subject invalid, such as rows with a future day
	UnfitRows      []Unfit     // the first [MaxBad] of them
	Misfits        []Fault     // why they do not fit, by number, descending
	StandIns       int64       // rows with a date that may mean no date, such as 1900-01-01, in a field where it is not refused
	StandInRows    []Bad       // the first [MaxBad] of them
	DuplicateRows  int64       // rows that repeat another row of their subject in the dataset's unique fields
	Conflicts      int64       // further records of a subject in a dataset of one record each; a query about the subject fails
	MissingColumns []string    // columns of the catalog that the table lacks; with any, every query fails
	FoundColumns   []string    // columns of the table, where some are missing
	Oldest, Newest consent.Day // in the dataset's date field; 0 where there is none
	Account        *Error      // why this node could write to the source, see [Source.Account]; nil if it cannot
	Straddles      *Error      // why an answer may mix two states of the database, see [Source.Straddles]; nil if it cannot
	AtLeast        bool        // too large to count exactly: Subjects and DuplicateRows are lower bounds
	Whole          *Error      // why the table as a whole allows no answer, not even "none"; nil where it does
	Tried          int64       // number of subjects for which every output was computed
	Outputs        []Tried     // the results of that
}

// Bad is one unusable row with its first error.
type Bad struct {
	Line   int64  // in a file, the row's first line; in a database, the row number in table order
	Column string // or empty, where the error concerns the whole row
	Code   Code
}

// Unfit is a readable row that does not fit the catalog, or the day.
type Unfit struct {
	Line   int64  // see [Bad]
	Reason string // see reason.Says of consensus/reason
}

// Fault is what is wrong with several rows.
type Fault struct {
	Column string // or empty, where it concerns the whole row
	Reason string // a [Code], or for reason.Says
	Detail string // what happened and what to do; no value; or empty
	Count  int64
	Lines  []int64 // of the first maxFaultLines; see [Bad]
}

// maxFaultLines limits the lines that are listed for one fault.
const maxFaultLines = 5

// fault counts a row under what is wrong with it. Beyond [MaxBad] different
// faults, the rows are counted in the report's sums alone.
func fault(list *[]Fault, f Fault, line int64) {
	i := slices.IndexFunc(*list, func(o Fault) bool {
		return o.Column == f.Column && o.Reason == f.Reason && o.Detail == f.Detail
	})
	if i < 0 {
		if len(*list) == MaxBad {
			return
		}
		*list = append(*list, f)
		i = len(*list) - 1
	}
	o := &(*list)[i]
	if o.Count++; len(o.Lines) < maxFaultLines {
		o.Lines = append(o.Lines, line)
	}
}

// OK reports whether queries can rely on the table: every row can be read and
// has a usable key, no subject has more rows than the catalog allows, the table
// is complete, and every output can be computed.
func (r Report) OK() bool {
	fine := !slices.ContainsFunc(r.Outputs, func(o Tried) bool { return !o.fine() })
	return fine && r.Bad == 0 && r.Unfit == 0 && r.Conflicts == 0 && r.Keys.Unusable == 0 && len(r.MissingColumns) == 0 && r.Whole == nil && r.Account == nil
}

// Test reads a whole table in bounded memory and reports on it. It then runs
// the trial queries that try asks for. It returns when that is finished or ctx
// ends. progress may be nil. It is called up to some hundred times for each
// step, first with bytes of a file or rows of a database, then with subjects.
// The error says why the table could not be read to its end.
func (s *Source) Test(ctx context.Context, d *catalog.Dataset, try Try, progress func(step string, done, total int64)) (Report, error) {
	from, codes, err := s.about(try.Subjects, false)
	if err != nil {
		return Report{}, err
	}
	if !s.begin() {
		return Report{}, ErrClosed
	}
	defer s.reads.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	survey, err := s.Check(ctx, d, try.At.Day)
	var whole *Error
	if err != nil && !errors.As(err, &whole) {
		return Report{}, err
	}
	if load := survey.Load; d.Complete && (load.Live || load.Told) {
		try.At.Known = load.known(try.At.Day)
	}
	t := newTally(d, s, try)
	if t.report.Account, err = s.account(ctx); err == nil {
		t.report.Straddles, err = s.straddles(ctx, []*catalog.Dataset{d})
	}
	if err == nil {
		t.report.MissingColumns, t.report.FoundColumns, err = from.scan(ctx, d, seldom("rows", progress), t.add)
	}
	if err != nil {
		return Report{}, s.explain(err, s.tables.file(d))
	}
	r := t.finish()
	r.Whole, r.Keys.Single = whole, survey.Census.Single
	if err := s.asides.apply(d, &r.Keys); err != nil && !errors.As(err, new(*Error)) {
		return r, err
	}
	if codes == nil {
		codes = t.sample.codes()
	}
	return r, s.try(ctx, d, try.At, codes, seldom("subjects", progress), &r)
}

// Account returns why this node could write to the source, with the code
// [MayWrite], or nil if it cannot: a warning, since a source never writes. The
// error says why that cannot be told. Nothing is written to find out. It takes
// [Timeout] at most.
func (s *Source) Account(ctx context.Context) (*Error, error) { return s.warning(ctx, s.account) }

// warning finds out whether there is something to warn of.
func (s *Source) warning(ctx context.Context, find func(context.Context) (*Error, error)) (*Error, error) {
	if !s.begin() {
		return nil, ErrClosed
	}
	defer s.reads.Done()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	found, err := find(ctx)
	if err != nil {
		err = s.explain(err, s.tables.file(nil))
	}
	return found, err
}

func (s *Source) account(ctx context.Context) (*Error, error) {
	only, err := s.tables.readOnly(ctx)
	var e *Error
	switch {
	case errors.As(err, &e) && e.Code == MayWrite:
		return e, nil
	case err != nil || only:
		return nil, err
	}
	return &Error{Code: MayWrite, File: s.tables.file(nil), Detail: "it is not proved that this node cannot write to it: give it an account with no right but SELECT (atoll source grants prints the statements), or a file that it may only read"}, nil
}

// Straddles returns why the queries of an answer from these datasets of the source
// may see different states of the database, with the code [Straddles], or nil if
// they cannot: a warning. The error says why that cannot be told. It takes
// [Timeout] at most.
func (s *Source) Straddles(ctx context.Context, ds []*catalog.Dataset) (*Error, error) {
	return s.warning(ctx, func(ctx context.Context) (*Error, error) { return s.straddles(ctx, ds) })
}

// straddler is a dialect of servers that do not always show one state to several
// queries.
type straddler interface {
	// straddles says of which of these tables they do not, and what to do; "" if
	// there are none.
	straddles(ctx context.Context, tables []string) (detail string, err error)
}

func (s *Source) straddles(ctx context.Context, ds []*catalog.Dataset) (*Error, error) {
	b, ok := s.tables.(*database)
	if !ok {
		return nil, nil
	}
	d, ok := b.dialect.(straddler)
	if !ok {
		return nil, nil
	}
	tables := []string{markerTable}
	for _, one := range ds {
		tables = append(tables, one.Table)
	}
	detail, err := d.straddles(ctx, tables)
	if err != nil || detail == "" {
		return nil, err
	}
	return &Error{Code: Straddles, File: b.file(nil), Detail: detail}, nil
}

// Check makes a Survey and judges it: the error says why, on this day, the
// dataset allows no answer from several rows, and no "none".
func (s *Source) Check(ctx context.Context, d *catalog.Dataset, today consent.Day) (Survey, error) {
	found, err := s.Survey(ctx, d)
	if err != nil {
		return found, err
	}
	if found.Census.Single {
		return found, nil // each answer says how old it is
	}
	if e := found.Census.usable(d, s.tables.file(d)); e != nil {
		return found, e
	}
	if e := found.Load.answersFor(d, s.tables.file(d), today); e != nil {
		return found, e
	}
	return found, nil
}

// seldom passes on only some of the progress calls of a long step.
func seldom(step string, progress func(step string, done, total int64)) func(done, total int64) {
	shown := int64(0)
	return func(done, total int64) {
		if progress != nil && (done == total || done-shown > total/200) {
			shown = done
			progress(step, done, total)
		}
	}
}

// tally counts the rows of a table.
type tally struct {
	d        *catalog.Dataset
	form     *form
	at       catalog.At
	sorter   sorter
	sample   sample
	date     int   // index of the field; -1: none
	unique   []int // indexes of the fields
	dated    bool
	report   Report
	subjects distinct
	rows     distinct
	hash     maphash.Hash
}

func newTally(d *catalog.Dataset, s *Source, try Try) *tally {
	t := &tally{d: d, form: s.form, at: try.At, sorter: newSorter(d, s.secret), sample: sample{most: try.most()}, date: -1}
	for i, f := range d.Fields {
		if d.Times(f.Name) {
			t.date = i
		}
		if len(d.Unique) == 0 || slices.Contains(d.Unique, f.Name) {
			t.unique = append(t.unique, i)
		}
	}
	return t
}

func (t *tally) add(r record) error {
	if r.err != nil {
		t.bad(r.err, r.line)
		return nil
	}
	if r.hollow {
		return nil
	}
	code, _ := t.sorter.take(r, r.line)
	row, _, err := typed(t.d, r.cells, t.form)
	if err != nil {
		t.bad(err, r.line)
		return nil
	}
	t.report.Rows++
	t.standIns(row, r.line)
	if code == "" {
		return nil
	}
	t.unfit(row, r.line)
	t.hash.Reset()
	t.hash.WriteString(code)
	t.subjects.add(t.hash.Sum64())
	t.sample.add(code, t.hash.Sum64())
	for _, i := range t.unique {
		fmt.Fprintf(&t.hash, "\x00%T %v", row[i], row[i])
	}
	t.rows.add(t.hash.Sum64())
	if t.date >= 0 {
		if day, ok := row[t.date].(consent.Day); ok {
			t.day(day)
		}
	}
	return nil
}

func (t *tally) bad(err *Error, line int64) {
	t.report.Rows++
	t.report.Bad++
	fault(&t.report.Faults, Fault{Column: err.Column, Reason: string(err.Code), Detail: err.Detail}, line)
	if len(t.report.BadRows) < MaxBad {
		t.report.BadRows = append(t.report.BadRows, Bad{line, err.Column, err.Code})
	}
}

// unfit records a row that makes a query about its subject fail.
func (t *tally) unfit(row catalog.Row, line int64) {
	reason := t.d.Spoils(row, t.at)
	if reason == "" {
		return
	}
	fault(&t.report.Misfits, Fault{Reason: reason}, line)
	if t.report.Unfit++; len(t.report.UnfitRows) < MaxBad {
		t.report.UnfitRows = append(t.report.UnfitRows, Unfit{line, reason})
	}
}

// standIns records dates that may mean that there is no date.
func (t *tally) standIns(row catalog.Row, line int64) {
	for i, v := range row {
		if day, ok := v.(consent.Day); ok && standIn(day) {
			if t.report.StandIns++; len(t.report.StandInRows) < MaxBad {
				t.report.StandInRows = append(t.report.StandInRows, Bad{line, column(t.d.Fields[i]), BadValue})
			}
			return
		}
	}
}

func (t *tally) day(day consent.Day) {
	if !t.dated {
		t.report.Oldest, t.report.Newest, t.dated = day, day, true
	}
	t.report.Oldest, t.report.Newest = min(t.report.Oldest, day), max(t.report.Newest, day)
}

func (t *tally) finish() Report {
	r := t.report
	r.Keys = t.sorter.census
	r.Keys.records = 0 // only the pass knows the number
	r.Subjects, _ = t.subjects.count()
	different, repeated := t.rows.count()
	r.DuplicateRows = repeated
	if t.d.One {
		r.Conflicts = max(0, different-r.Subjects)
	}
	for _, list := range [][]Fault{r.Faults, r.Misfits} {
		slices.SortStableFunc(list, func(a, b Fault) int { return cmp.Compare(b.Count, a.Count) })
	}
	r.AtLeast = t.subjects.full || t.rows.full
	return r
}

// distinct counts different hashes, up to maxDistinct.
type distinct struct {
	seen     []uint64
	repeated int64
	full     bool // more than that were different: no more are added
}

func (s *distinct) add(hash uint64) {
	if s.full {
		return
	}
	if s.seen = append(s.seen, hash); len(s.seen) == maxDistinct {
		s.compact()
		s.full = len(s.seen) > maxDistinct/4*3
	}
}

func (s *distinct) compact() {
	slices.Sort(s.seen)
	before := len(s.seen)
	s.seen = slices.Compact(s.seen)
	s.repeated += int64(before - len(s.seen))
}

func (s *distinct) count() (different, repeated int64) {
	s.compact()
	return int64(len(s.seen)), s.repeated
}
