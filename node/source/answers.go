package source

import (
	"cmp"
	"context"
	"errors"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// Answers computes items of one dataset for one subject. A query calls it, and
// [Source.Trial] tries it. The error, which has a code, says why the source
// gives nothing; the answers then say so too, in the outcome and reason that
// the bank sees.
func (s *Source) Answers(ctx context.Context, d *catalog.Dataset, subject consent.Subject, items []consent.Item, at catalog.At) ([]catalog.Answer, error) {
	answers := make([]catalog.Answer, len(items))
	found, err := s.Rows(ctx, d, subject)
	if err == nil {
		if e := found.Survey.Load.answersFor(d, s.tables.file(d), at.Day); e != nil {
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

// known returns the first day of which the load may lack rows, at most today.
func (l Load) known(today consent.Day) consent.Day {
	if l.Live {
		return today
	}
	return min(today, l.AsOf+1)
}

// asOf returns the day of a complete register as Unix milliseconds, also where
// the register has nothing about a subject. The day is never in the future,
// whatever clock wrote the marker.
func (l Load) asOf(today consent.Day) uint64 {
	day := min(l.AsOf, today)
	if l.Live {
		day = today
	}
	return uint64(max(0, day)) * 24 * 60 * 60 * 1000
}

// maxAge returns the maximum age of the load of a complete dataset, in days.
func maxAge(d *catalog.Dataset) int64 { return int64(cmp.Or(d.MaxAge, catalog.DefaultMaxAge)) }
