package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// Part is what a query asks of one dataset of a source.
type Part struct {
	Dataset *catalog.Dataset
	Items   []consent.Item
}

// Answered is the answer to a [Part], an answer for each item. The error, which
// has a code, says why the source gives nothing; the answers then say so too, in
// the outcome and reason that the bank sees.
type Answered struct {
	Answers []catalog.Answer
	Err     error
}

// Answers computes items of one dataset for one subject, as AnswersAll does.
func (s *Source) Answers(ctx context.Context, d *catalog.Dataset, subject consent.Subject, items []consent.Item, at catalog.At) ([]catalog.Answer, error) {
	all := s.AnswersAll(ctx, subject, []Part{{d, items}}, at)
	return all[0].Answers, all[0].Err
}

// AnswersAll computes items of several datasets for one subject. A database gives
// all of them from one state, so that they do not straddle a load. A dataset that
// cannot be read does not hinder the others.
func (s *Source) AnswersAll(ctx context.Context, subject consent.Subject, parts []Part, at catalog.At) []Answered {
	out := make([]Answered, len(parts))
	ds := make([]*catalog.Dataset, len(parts))
	for i, p := range parts {
		ds[i] = p.Dataset
	}
	if len(ds) == 0 {
		return out
	}
	found, errs := s.together(ctx, ds, subject)
	for i, p := range parts {
		out[i].Err = errs[i]
		if e := found[i].Survey.Load.answersFor(p.Dataset, s.tables.file(p.Dataset), at.Day); errs[i] == nil && e != nil {
			out[i].Err = e
		}
		if out[i].Err != nil {
			out[i].Answers = failed(len(p.Items), out[i].Err)
			if ofRow(out[i].Err) && p.Dataset.Persons != "" { // that the subject has a row would be told, and of how few persons is not known
				for j := range out[i].Answers {
					out[i].Answers[j] = catalog.Answer{Outcome: consent.BelowMinGroup}
				}
			}
		} else {
			out[i].Answers = answer(p, found[i], at)
		}
	}
	return out
}

// Missing returns the answers where no source of this name is configured.
func Missing(name string, parts []Part) []Answered {
	out := make([]Answered, len(parts))
	for i, p := range parts {
		err := fmt.Errorf("dataset %s: no source %s is configured", p.Dataset.Name, name)
		out[i] = Answered{failed(len(p.Items), err), err}
	}
	return out
}

// ofRow reports whether an error is of a value in the subject's own rows, not of
// the table.
func ofRow(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == BadValue || e.Code == Encoding)
}

// Failed is the reason of an answer where an error has no [Code].
const Failed = "source.failed"

// failed returns the answers of a source that gives nothing.
func failed(items int, err error) []catalog.Answer {
	answers := make([]catalog.Answer, items)
	outcome, reason := consent.Unavailable, Failed
	var e *Error
	if errors.As(err, &e) {
		outcome, reason = e.Code.Outcome(), string(e.Code)
	}
	for i := range answers {
		answers[i] = catalog.Answer{Outcome: outcome, Reason: reason}
	}
	return answers
}

// answer computes items from the rows of a subject.
func answer(p Part, found Found, at catalog.At) []catalog.Answer {
	answers := make([]catalog.Answer, len(p.Items))
	d := p.Dataset
	if d.Complete {
		at.Known = found.Survey.Load.known(at.Day)
	}
	for i, item := range p.Items {
		answers[i] = d.Answer(found.Rows, item, at)
		if d.Complete && answers[i].Answers() {
			answers[i].AsOf = found.Survey.Load.asOf(at.Day)
		}
		answers[i].Aside = uint64(found.Survey.Census.Aside)
	}
	return answers
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
