package source

import (
	"context"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

const (
	// StreamTimeout limits one call of [Source.Stream].
	StreamTimeout = 30 * time.Minute
	// streaming limits the calls of Stream that read at the same time; others
	// wait. They do not hold up the calls of Rows.
	streaming = 2
	// streamPatience is how long a pass over the keys of the table may last that a
	// call of Stream waits for.
	streamPatience = 2 * time.Minute
)

// streams is how many calls of [Source.Stream] read at the same time. Half of the
// connections at least are left for everything else.
func (c Config) streams() int {
	if c.Connections > 0 {
		return min(streaming, c.Connections/2)
	}
	return streaming
}

// Stream is [Source.Rows] for a subject that may have more rows than fit into
// memory: it passes up to most rows to each, in no particular order, from one
// state of the table. Whatever each was given counts only when Stream returns
// nil. It calls reset before the first row, and again where it begins anew. An
// error of each or reset ends it, and is returned as it is.
func (s *Source) Stream(ctx context.Context, d *catalog.Dataset, subject consent.Subject, most uint64, reset func() error, each func(catalog.Row) error) (found Survey, err error) {
	if _, _, err := consent.ParseSubject(string(subject)); err != nil {
		return found, err
	}
	scheme, code, _ := strings.Cut(string(subject), ":")
	file := s.tables.file(d)
	if scheme == "lei" && !keyingOf(d).lei {
		return found, &Error{Code: NoKeys, File: file, Detail: "the catalog does not say that the table holds legal entity identifiers (also: [lei])"}
	}
	f := &flow{dataset: d, form: s.form, file: file, most: most, reset: reset, each: each}
	err = s.turn(ctx, d, s.streams, func(ctx context.Context) error {
		// No deadline: dialects give work with one as long as Rows has.
		outer := ctx
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(outer))
		defer cancel(nil)
		defer context.AfterFunc(outer, func() { cancel(outer.Err()) })()
		defer time.AfterFunc(StreamTimeout, func() { cancel(context.DeadlineExceeded) }).Stop()
		p := &part{dataset: d, patience: streamPatience, most: int(most) + 1, reset: f.begin, each: f.add}
		s.tables.lookup(ctx, code, []*part{p})
		if isContext(p.err) {
			p.err = context.Cause(ctx)
		}
		found = p.survey
		if f.failed != nil {
			return context.Canceled // no failure of the server
		}
		if p.err == nil {
			p.err = s.asides.apply(d, &found.Census)
		}
		if p.err == nil {
			p.err = f.finish(&found.Census)
		}
		return p.err
	})
	switch {
	case f.failed != nil:
		return Survey{}, f.failed
	case err != nil:
		return Survey{}, s.explain(err, file)
	}
	return found, nil
}

// flow passes on the rows of a subject in one table.
type flow struct {
	dataset *catalog.Dataset
	form    *form
	file    string
	most    uint64
	reset   func() error
	each    func(catalog.Row) error
	rows    uint64
	failed  error // of reset or each
}

// errStopped ends a lookup whose rows nobody wants any more. A dialect takes it
// for an error of the table.
var errStopped = &Error{Code: Changed, Detail: "the rows are not wanted any more", table: true}

func (f *flow) begin() {
	f.rows = 0
	if f.failed == nil {
		f.failed = f.reset()
	}
}

func (f *flow) add(r record) error {
	if f.failed != nil {
		return errStopped
	}
	row, _, err := typed(f.dataset, r.cells, f.form)
	if err != nil {
		return err.at(f.file, r.line, err.Column)
	}
	if f.rows++; f.rows > f.most {
		return tooManyRows(f.file, int(f.most))
	}
	if f.failed = f.each(row); f.failed != nil {
		return errStopped
	}
	return nil
}

// finish reports why the table allows no answer from the rows.
func (f *flow) finish(c *Census) error {
	if e := c.usable(f.dataset, f.file); e != nil {
		return e
	}
	return nil
}

// Conclude returns the time for which rows of a dataset are answered, after its
// load; or why the load answers for nothing.
func (s *Source) Conclude(d *catalog.Dataset, found Survey, at catalog.At) (catalog.At, error) {
	if e := found.Load.answersFor(d, s.tables.file(d), at.Day); e != nil {
		return at, e
	}
	if d.Complete {
		at.Known = found.Load.known(at.Day)
	}
	return at, nil
}

// Silent returns the answer to an item of rows of a source that gives nothing.
func Silent(err error) catalog.Answer { return failed(1, err)[0] }

// Loaded adds to an answer from rows what only their load tells.
func Loaded(d *catalog.Dataset, found Survey, a catalog.Answer, at catalog.At) catalog.Answer {
	if d.Complete && a.Outcome == consent.Answered {
		a.AsOf = found.Load.asOf(at.Day)
	}
	a.Aside = uint64(found.Census.Aside)
	return a
}
