package source

import (
	"cmp"
	"context"
	"errors"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// Answers computes items of one dataset for one subject: what a query does and
// what [Source.Trial] tries. The error, which has a code, says why the source
// gives nothing; then the answers say so too, in the outcome and reason that a
// bank is told.
func (s *Source) Answers(ctx context.Context, d *catalog.Dataset, subject consent.Subject, items []consent.Item, at catalog.At) ([]catalog.Answer, error) {
	answers := make([]catalog.Answer, len(items))
	found, err := s.Rows(ctx, d, subject)
	if err == nil {
		if e := found.Survey.Load.standsFor(d, s.tables.file(d), at.Day); e != nil {
			err = e
		}
	}
	if err != nil {
		outcome, reason := consent.Unavailable, "source.failed"
		var e *Error
		if errors.As(err, &e) {
			outcome, reason = e.Code.Outcome(), string(e.Code)
		}
		for i := range answers {
			answers[i] = catalog.Answer{Outcome: outcome, Reason: reason}
		}
		return answers, err
	}
	if d.Complete {
		at.Known = found.Survey.Load.known(at.Day)
	}
	for i, item := range items {
		answers[i] = d.Answer(found.Rows, item, at)
		if d.Complete && answers[i].Outcome == consent.Answered {
			answers[i].AsOf = found.Survey.Load.asOf(at.Day)
		}
		answers[i].Aside = uint64(found.Survey.Census.Aside)
	}
	return answers, nil
}

// known is the first day of which the load may lack rows, today at most.
func (l Load) known(today consent.Day) consent.Day {
	if l.Live {
		return today
	}
	return min(today, l.AsOf+1)
}

// asOf is the day that a complete register is of, in Unix milliseconds: also
// where it has nothing on a subject. It is no day to come, whatever clock the
// marker was written by.
func (l Load) asOf(today consent.Day) uint64 {
	day := min(l.AsOf, today)
	if l.Live {
		day = today
	}
	return uint64(max(0, day)) * 24 * 60 * 60 * 1000
}

// maxAge is how old the load of a complete dataset may be, in days.
func maxAge(d *catalog.Dataset) int64 { return int64(cmp.Or(d.MaxAge, catalog.DefaultMaxAge)) }
