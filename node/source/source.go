// Package source reads an agency's own tables: CSV and JSONL files and SQLite
// databases. A [Source] changes nothing in them, and returns the same rows and
// the same error codes whichever kind holds them. The memory it needs does not
// grow with the size of a row or of a subject's history.
//
// [Open] a [Source], ask it for [Source.Answers] about one subject, and use
// [Source.Test] to report to the owner what is wrong with a table before others
// find out. Names of tables and columns come only from the catalog and are
// compared exactly; the subject is a parameter of the query, never part of its
// text.
//
// A value that is not exactly of its field's type is an error, never a guess:
// half-read data is worse than none. A row that cannot be split into its
// columns, or whose key is unusable, is an error for every subject: it is
// unknown whose row it is, and "no record" must not be the answer for that
// subject. A table that is empty, or that does not match the marker of its
// load, is an error too. Errors are of type [*Error]; they name file, line and
// column, and never a value or a subject.
//
// Not promised: rows in the order of the file. They come in ascending order of
// their fields, so that no answer depends on how a table happens to be stored.
// An owner replaces a file by renaming a finished one over it. A write in place
// is noticed ([Changed]) unless it keeps size and time of the file.
package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

const (
	// MaxRows limits the rows of one subject in one table.
	MaxRows = 10_000
	// MaxBytes limits the text in the rows of one subject, in bytes.
	MaxBytes = 32 << 20
	// MaxRecord limits one row of a file, and one value of a database, in bytes.
	MaxRecord = 1 << 20
	// MaxText limits one text in bytes.
	MaxText = 64 << 10
	// MaxIndexed limits the rows of one file: its index is held in memory, 16
	// bytes a row. Larger tables belong in a database.
	MaxIndexed = 1 << 24
	// Timeout limits one call of [Source.Rows].
	Timeout = 10 * time.Second
)

// concurrent limits the calls of Rows that read at the same time; others wait.
// It bounds memory when a burst of queries arrives.
const concurrent = 8

// ErrClosed is returned once a source is closed.
var ErrClosed = errors.New("source is closed")

// Source is an open source. It is safe for concurrent use.
type Source struct {
	tables  tables
	form    *form
	secret  []byte // of fingerprints
	asides  asides
	timeout time.Duration
	slots   chan struct{}
	streams chan struct{} // those of Stream
	breaker *breaker      // nil: of files

	ctx   context.Context // ends with Close
	close context.CancelFunc
	mu    sync.Mutex // guards closed and additions to reads
	done  bool
	reads sync.WaitGroup
}

// tables is the part that differs between files and databases. Errors may be
// bare context errors or of type *Error.
type tables interface {
	// survey returns the result of the first pass over the table, and waits for
	// the pass where it is not finished. The pass is repeated when the table
	// has changed.
	survey(ctx context.Context, d *catalog.Dataset) (Survey, error)
	// lookup reads the rows of the subject with this bare code for every part
	// that has no error yet, and sets survey and err of each. Databases read all
	// parts from one state.
	lookup(ctx context.Context, code string, parts []*part)
	// scan calls each for every row, in the order of the table. A row that
	// cannot be read has an error in place of cells. scan returns the columns
	// of the dataset that the table lacks and, if there are any, those that it
	// has.
	scan(ctx context.Context, d *catalog.Dataset, progress func(done, total int64), each func(record) error) (missing, found []string, err error)
	// check tests everything that does not depend on a table.
	check(ctx context.Context) error
	// readOnly tests whether writing is impossible.
	readOnly(ctx context.Context) (bool, error)
	// file names the file that a dataset is read from, for errors.
	file(d *catalog.Dataset) string
	close()
}

// part is what one lookup needs of one dataset.
type part struct {
	dataset  *catalog.Dataset
	patience time.Duration      // with a pass over the table, from its beginning
	most     int                // rows
	reset    func()             // called before the rows are read, perhaps for another time
	each     func(record) error // called for every row
	survey   Survey             // of the same generation of the table that was read
	err      error

	now present // what the last transaction saw
}

// record is one row before its values have types.
type record struct {
	line   int64
	offset int64 // in a file
	key    cell
	hollow bool   // no column of the table has a value, including columns that are not read
	exact  bool   // of a lookup: the key is in its exact form
	cells  []cell // in the order of the dataset's fields; valid until the next record
	err    *Error // why there are no cells
}

// Close ends running reads, waits for them, and releases everything. A source
// may be closed more than once.
func (s *Source) Close() error {
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	s.close()
	s.reads.Wait()
	s.tables.close()
	return nil
}

// begin registers a read, unless the source is closed.
func (s *Source) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.done {
		s.reads.Add(1)
	}
	return !s.done
}

// background runs work that outlives the call that needs it first, until
// Close. It reports whether the work began.
func (s *Source) background(work func(context.Context)) bool {
	if !s.begin() {
		return false
	}
	go func() {
		defer s.reads.Done()
		work(s.ctx)
	}()
	return true
}

// Found is what a table has about one subject.
type Found struct {
	// Rows are in ascending order of their fields. If there are none, the table
	// has none for the subject, and every key of the table could be read.
	Rows   []catalog.Row
	Survey Survey
}

// Survey is what is known about a table before any subject is asked for.
type Survey struct {
	Census Census
	Load   Load
}

// Rows returns the rows of one subject. A key matches if it is the subject's
// code, bare or with its scheme ("uscc:…"), also with blanks around it, in
// lower case or full width. While the table has rows with an unusable key
// ([Keys]), or does not match its marker, Rows returns at most the one record
// of a dataset of one record each, found by its exact key. It returns at most
// [MaxRows] rows, within [Timeout] or the deadline of ctx.
//
// The first use of a table makes a pass over all its keys. A pass that lasts
// longer than half of the time limit continues in the background: then the error
// has the code [Checking], immediately for whoever asks from now on, so that neither
// other tables nor other callers wait for it. A call after the pass succeeds.
func (s *Source) Rows(ctx context.Context, d *catalog.Dataset, subject consent.Subject) (Found, error) {
	found, errs := s.together(ctx, []*catalog.Dataset{d}, subject)
	return found[0], errs[0]
}

// together is Rows for several datasets, which a database reads from one state.
func (s *Source) together(ctx context.Context, ds []*catalog.Dataset, subject consent.Subject) ([]Found, []error) {
	found, errs := make([]Found, len(ds)), make([]error, len(ds))
	asked := false
	_, _, err := consent.ParseSubject(string(subject))
	if err == nil {
		err = s.read(ctx, ds[0], len(ds), func(ctx context.Context) error {
			asked = true
			s.rows(ctx, ds, subject, found, errs)
			return cmp.Or(errs...)
		})
	}
	for i, d := range ds {
		if !asked {
			errs[i] = err
		}
		if errs[i] != nil {
			found[i], errs[i] = Found{}, s.explain(errs[i], s.tables.file(d))
		}
	}
	return found, errs
}

// Survey makes the first pass over a table, or returns the result of an earlier
// one. It returns when the pass is finished or ctx ends.
func (s *Source) Survey(ctx context.Context, d *catalog.Dataset) (Survey, error) {
	found, err := s.scanned(ctx, d)
	if err == nil {
		err = s.asides.apply(d, &found.Census)
	}
	return found, err
}

// scanned is Survey before rows are set aside.
func (s *Source) scanned(ctx context.Context, d *catalog.Dataset) (Survey, error) {
	var found Survey
	for {
		err := s.read(ctx, d, 1, func(ctx context.Context) (err error) {
			found, err = s.tables.survey(ctx, d)
			return err
		})
		var e *Error
		if !errors.As(err, &e) || e.Code != Checking || ctx.Err() != nil {
			return found, err
		}
	}
}

// read runs a bounded read of some tables, of which d is the first.
func (s *Source) read(ctx context.Context, d *catalog.Dataset, tables int, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(tables)*s.timeout)
	defer cancel()
	return s.turn(ctx, d, s.slots, do)
}

// turn runs a read when it is its turn.
func (s *Source) turn(ctx context.Context, d *catalog.Dataset, slots chan struct{}, do func(context.Context) error) error {
	if !s.begin() {
		return ErrClosed
	}
	defer s.reads.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if e := s.breaker.enter(time.Now()); e != nil {
		return e
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		s.breaker.leave(time.Now(), context.Canceled) // the server was not asked
		return s.explain(ctx.Err(), s.tables.file(d))
	}
	err := do(ctx)
	if err != nil {
		err = s.explain(err, s.tables.file(d))
	}
	s.breaker.leave(time.Now(), err)
	return err
}

// rows reads the rows of a subject from some tables.
func (s *Source) rows(ctx context.Context, ds []*catalog.Dataset, subject consent.Subject, found []Found, errs []error) {
	scheme, code, _ := strings.Cut(string(subject), ":")
	parts, gathered := make([]*part, len(ds)), make([]gathering, len(ds))
	for i, d := range ds {
		g := &gathered[i]
		*g = gathering{dataset: d, form: s.form, file: s.tables.file(d)}
		parts[i] = &part{dataset: d, patience: s.timeout / 2, most: MaxRows + 1, reset: g.reset, each: g.add}
		if scheme == "lei" && !keyingOf(d).lei {
			parts[i].err = &Error{Code: NoKeys, File: g.file, Detail: "the catalog does not say that the table holds legal entity identifiers (also: [lei])"}
		}
	}
	s.tables.lookup(ctx, code, parts)
	for i, p := range parts {
		found[i].Survey = p.survey
		if errs[i] = p.err; errs[i] == nil {
			errs[i] = s.asides.apply(p.dataset, &found[i].Survey.Census)
		}
		if errs[i] == nil {
			found[i].Rows, errs[i] = gathered[i].finish(&found[i].Survey.Census)
		}
	}
}

// gathering collects the rows of a subject in one table.
type gathering struct {
	dataset *catalog.Dataset
	form    *form
	file    string
	rows    []catalog.Row
	size    int
	mended  bool // whether some row was found by another form of its key
}

func (g *gathering) reset() { g.rows, g.size, g.mended = nil, 0, false }

func (g *gathering) add(r record) error {
	row, n, err := typed(g.dataset, r.cells, g.form)
	if err != nil {
		return err.at(g.file, r.line, err.Column)
	}
	g.mended = g.mended || !r.exact
	if g.rows = append(g.rows, row); len(g.rows) > MaxRows {
		return tooManyRows(g.file, MaxRows)
	}
	if g.size += n; g.size > MaxBytes {
		return &Error{Code: TooManyRows, File: g.file, Detail: fmt.Sprintf("the rows of one subject have more than %d bytes", MaxBytes)}
	}
	return nil
}

// finish returns the rows in order, if the table allows an answer from them.
func (g *gathering) finish(c *Census) ([]catalog.Row, error) {
	alone := g.dataset.One && len(g.rows) == 1 && !g.mended
	if e := c.usable(g.dataset, g.file); e != nil && !(alone && e.Code == Keys) {
		return nil, e
	}
	sortRows(g.rows)
	return g.rows, nil
}

// usable returns why the table allows no answer from several rows, and no
// "none".
func (c *Census) usable(d *catalog.Dataset, file string) *Error {
	switch {
	case c.Unusable > 0:
		e := &Error{Code: Keys, File: file, Column: d.Key, Detail: fmt.Sprintf("%d rows whose key is nobody's code: correct them, declare in the catalog which other keys there are (also), or set them aside (atoll source aside)", c.Unusable)}
		if len(c.Lines) > 0 {
			e.Line = c.Lines[0]
		}
		return e
	case c.Rows == 0 && !d.MayBeEmpty && !c.Single:
		return &Error{Code: Empty, File: file, Detail: "the table has no row of anybody: bring the load again, or declare may_be_empty in the catalog"}
	}
	return nil
}

func tooManyRows(file string, most int) *Error {
	return &Error{Code: TooManyRows, File: file, Detail: fmt.Sprintf("one subject has more than %d rows: keep a shorter history, or one row for more", most)}
}

// explain converts the errors of a context to their meaning for a source.
func (s *Source) explain(err error, file string) error {
	switch {
	case s.ctx.Err() != nil && isContext(err):
		return ErrClosed
	case errors.Is(err, errChecking):
		return &Error{Code: Checking, File: file, Detail: "the first pass over the table's keys is not done: try again in a while"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: TimedOut, File: file, Detail: "reading took too long: try again; if it stays so, give the table an index on its key"}
	}
	return err
}

// errChecking means that a pass over a table continues after the caller's time
// is over.
var errChecking = errors.New("pass not done")

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// unreadable says why the system refuses a file, without its path, because
// error texts may be passed on.
func unreadable(file string, err error, missing string) *Error {
	detail := "the system cannot read it"
	var p *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		detail = missing
	case errors.Is(err, os.ErrPermission):
		detail = "no permission to read it: let the account that runs atoll read, and not write, it"
	case errors.As(err, &p):
		detail = "the system cannot read it: " + p.Err.Error()
	}
	return &Error{Code: NotReadable, File: file, Detail: detail, absent: errors.Is(err, os.ErrNotExist)}
}
