package source

import (
	"context"
	"errors"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// MaxExplained limits the rows of one subject that are listed.
const MaxExplained = 1000

// Explained is the result of one query about a subject, with the reasons. It
// contains no value of the table.
type Explained struct {
	Rows    []ExplainedRow // the first [MaxExplained] rows of the subject
	More    int64          // number of further rows
	Survey  Survey         // of the table
	Problem *Error         // why the source gives nothing; nil where it gives answers
	Outputs []ExplainedOutput
}

// ExplainedRow is a row of the subject.
type ExplainedRow struct {
	Line    int64  // see [Bad]
	Mended  bool   // its key is a valid code written in another form
	Problem *Error // why it cannot be read; nil where it can
}

// ExplainedOutput is an answer whose value is left out.
type ExplainedOutput struct {
	Output string
	Answer catalog.Answer
}

// Explain answers every output of a dataset for one subject, as a query at that
// time would, and finds the subject's rows by a pass over the table.
func (s *Source) Explain(ctx context.Context, d *catalog.Dataset, subject consent.Subject, at catalog.At, progress func(step string, done, total int64)) (Explained, error) {
	var e Explained
	if _, _, err := consent.ParseSubject(string(subject)); err != nil {
		return e, err
	}
	if !s.begin() {
		return e, ErrClosed
	}
	defer s.reads.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if err := s.rowsOf(ctx, d, subject, progress, &e); err != nil {
		return e, err
	}
	var err error
	if e.Survey, err = s.Survey(ctx, d); err != nil && !errors.As(err, &e.Problem) {
		return e, err
	}
	items := firsts(d)
	answers, err := s.Answers(ctx, d, subject, items, at)
	if err != nil && !errors.As(err, &e.Problem) {
		return e, err
	}
	verified(d, items, answers)
	for i, a := range answers {
		a.Value = ""
		e.Outputs = append(e.Outputs, ExplainedOutput{items[i].Output, a})
	}
	return e, nil
}

// rowsOf records the rows of a subject.
func (s *Source) rowsOf(ctx context.Context, d *catalog.Dataset, subject consent.Subject, progress func(step string, done, total int64), e *Explained) error {
	_, code, _ := strings.Cut(string(subject), ":")
	keying := keyingOf(d)
	from, _, err := s.about([]consent.Subject{subject}, true)
	if err != nil {
		return err
	}
	missing, _, err := from.scan(ctx, d, seldom("rows", progress), func(r record) error {
		if r.err != nil {
			return nil // an error of the table, not of a subject: the survey reports it
		}
		got, st := keying.sortCell(r.key)
		if got != code {
			return nil
		}
		if len(e.Rows) == MaxExplained {
			e.More++
			return nil
		}
		row := ExplainedRow{Line: r.line, Mended: st == mended}
		if _, _, bad := typed(d, r.cells, s.form); bad != nil {
			row.Problem = bad.at(s.tables.file(d), r.line, bad.Column)
		}
		e.Rows = append(e.Rows, row)
		return nil
	})
	if err == nil && len(missing) > 0 {
		err = missingColumn(s.tables.file(d), missing[0])
	}
	if err != nil {
		return s.explain(err, s.tables.file(d))
	}
	return nil
}
