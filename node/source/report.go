package source

import (
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
	Keys           Census      // of the keys
	Unfit          int64       // readable rows that make an output about their subject invalid, such as rows with a future day
	UnfitRows      []Unfit     // the first [MaxBad] of them
	StandIns       int64       // rows with a date that may mean no date, such as 1900-01-01, in a field where it is not refused
	StandInRows    []Bad       // the first [MaxBad] of them
	DuplicateRows  int64       // rows that repeat another row of their subject in the dataset's unique fields
	Conflicts      int64       // further records of a subject in a dataset of one record each; a query about the subject fails
	MissingColumns []string    // columns of the catalog that the table lacks; with any, every query fails
	FoundColumns   []string    // columns of the table, where some are missing
	Oldest, Newest consent.Day // in the dataset's date field; 0 where there is none
	ReadOnly       bool        // writing failed in a trial, or is impossible because of how the source is opened
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
	Reason string // see [catalog.Says]
}

// OK reports whether queries can rely on the table: every row can be read and
// has a usable key, no subject has more rows than the catalog allows, the table
// is complete, and every output can be computed.
func (r Report) OK() bool {
	fine := !slices.ContainsFunc(r.Outputs, func(o Tried) bool { return !o.fine() })
	return fine && r.Bad == 0 && r.Unfit == 0 && r.Conflicts == 0 && r.Keys.Unusable == 0 && len(r.MissingColumns) == 0 && r.Whole == nil && r.ReadOnly
}

// Test reads a whole table in bounded memory and reports on it. It then runs
// the trial queries that try asks for. It returns when that is finished or ctx
// ends. progress may be nil. It is called up to some hundred times for each
// step, first with bytes of a file or rows of a database, then with subjects.
// The error says why the table could not be read to its end.
func (s *Source) Test(ctx context.Context, d *catalog.Dataset, try Try, progress func(step string, done, total int64)) (Report, error) {
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
	if t.report.ReadOnly, err = s.tables.readOnly(ctx); err == nil {
		t.report.MissingColumns, t.report.FoundColumns, err = s.tables.scan(ctx, d, seldom("rows", progress), t.add)
	}
	if err != nil {
		return Report{}, s.explain(err, s.tables.file(d))
	}
	r := t.finish()
	r.Whole = whole
	if err := s.asides.apply(d, &r.Keys); err != nil && !errors.As(err, new(*Error)) {
		return r, err
	}
	return r, s.try(ctx, d, try.At, t.sample.codes(), seldom("subjects", progress), &r)
}

// Check makes a Survey and judges it: the error says why, on this day, the
// dataset allows no answer from several rows, and no "none".
func (s *Source) Check(ctx context.Context, d *catalog.Dataset, today consent.Day) (Survey, error) {
	found, err := s.Survey(ctx, d)
	if err != nil {
		return found, err
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
		t.bad(r.err.Code, r.line, r.err.Column)
		return nil
	}
	if r.hollow {
		return nil
	}
	code, _ := t.sorter.take(r, r.line)
	row, _, err := typed(t.d, r.cells, t.form)
	if err != nil {
		t.bad(err.Code, r.line, err.Column)
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

func (t *tally) bad(code Code, line int64, column string) {
	t.report.Rows++
	t.report.Bad++
	if len(t.report.BadRows) < MaxBad {
		t.report.BadRows = append(t.report.BadRows, Bad{line, column, code})
	}
}

// unfit records a row that makes a query about its subject fail.
func (t *tally) unfit(row catalog.Row, line int64) {
	reason := t.d.Spoils(row, t.at)
	if reason == "" {
		return
	}
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
