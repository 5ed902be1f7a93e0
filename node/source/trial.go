package source

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// Try configures the trial queries of [Source.Test].
type Try struct {
	At     catalog.At // the time of the questions
	Sample int        // number of subjects, chosen at random; 0: all, up to MaxTried
	// Subjects are those that a service is asked about, which has no table to
	// choose from; of other kinds none.
	Subjects []consent.Subject
}

// MaxTried limits the subjects whose outputs a test computes. If there are
// more, so many are chosen at random.
const MaxTried = 200_000

func (t Try) most() int { return min(cmp.Or(t.Sample, MaxTried), MaxTried) }

// Tried is the result of one output over the subjects of a table, and over one
// subject that the table does not have.
type Tried struct {
	Output   string
	Answered int64
	NoRecord int64
	Stale    int64           // subjects whose newest row is too old
	Few      int64           // subjects of whom nothing is told, because too few persons are behind it
	Absent   consent.Outcome // outcome for the subject that the table does not have
	Failed   []Failure       // by number, descending
	Gaps     []Failure       // why subjects that have rows are without record, by number, descending
}

// Failure is one reason why an output has no value.
type Failure struct {
	Outcome consent.Outcome
	Reason  string  // a code, or the words of the catalog
	Detail  string  // what happened and what to do; no value
	Count   int64   // subjects, including the absent one
	Lines   []int64 // of the first [MaxBad] rows at fault, where that is known
}

// try answers every output for the subjects with these codes.
func (s *Source) try(ctx context.Context, d *catalog.Dataset, at catalog.At, codes []string, progress func(done, total int64), r *Report) error {
	items := firsts(d)
	for _, item := range items {
		r.Outputs = append(r.Outputs, Tried{Output: item.Output})
	}
	if len(items) == 0 {
		return nil
	}
	ask := func(code string) ([]catalog.Answer, *Error, error) {
		answers, err := s.Answers(ctx, d, consent.Subject(schemeOf(code)+code), items, at)
		verified(d, items, answers)
		var e *Error
		if errors.As(err, &e) {
			err = nil
		}
		return answers, e, err
	}
	answers, e, err := ask(stranger)
	if err != nil {
		return err
	}
	for i, a := range answers {
		r.Outputs[i].Absent = a.Outcome
		if !slices.Contains([]consent.Outcome{consent.Answered, consent.NoRecord, consent.BelowMinGroup}, a.Outcome) {
			r.Outputs[i].failed(a, e)
		}
	}
	for n, code := range codes {
		if answers, e, err = ask(code); err != nil {
			return err
		}
		for i, a := range answers {
			r.Outputs[i].count(a, e)
		}
		r.Tried++
		progress(int64(n+1), int64(len(codes)))
	}
	for i := range r.Outputs {
		for _, list := range [][]Failure{r.Outputs[i].Failed, r.Outputs[i].Gaps} {
			slices.SortStableFunc(list, func(a, b Failure) int { return cmp.Compare(b.Count, a.Count) })
		}
	}
	return nil
}

// firsts returns items that ask for each output once.
func firsts(d *catalog.Dataset) (items []consent.Item) {
	for _, o := range d.Outputs {
		if len(o.Disclose) > 0 {
			items = append(items, consent.Item{Dataset: d.Name, Output: o.Name, Disclosure: o.Disclose[0], Months: o.Months})
		}
	}
	return items
}

// verified completes the answers to items that are to be verified, each with the
// first predicate that its output declares.
func verified(d *catalog.Dataset, items []consent.Item, answers []catalog.Answer) {
	for i := range answers {
		if o := d.Output(items[i].Output); items[i].Disclosure == consent.Verify {
			answers[i] = answers[i].Verify(o, o.Predicates()[0])
		}
	}
}

// stranger is a code with a valid check character that no register has: region
// 99 and authority Y do not exist.
const stranger = "Y1990000000000000F"

func (t *Tried) count(a catalog.Answer, e *Error) {
	switch a.Outcome {
	case consent.Answered:
		t.Answered++
	case consent.BelowMinGroup:
		t.Few++
	case consent.NoRecord:
		t.NoRecord++
		if a.Reason != "" && a.Reason != noRows {
			note(&t.Gaps, a, e)
		}
	case consent.Stale:
		if e == nil {
			t.Stale++
			return
		}
		t.failed(a, e)
	default:
		t.failed(a, e)
	}
}

// fine reports whether the output gives answers: no subject failed, and some
// subject has rows that are new enough.
func (t Tried) fine() bool { return len(t.Failed) == 0 && (t.Stale == 0 || t.Answered+t.NoRecord > 0) }

// maxFailures limits the different reasons that are listed for one output.
const maxFailures = 20

// noRows is the reason of an answer about a subject without rows in the months
// asked for, which says nothing about the table.
const noRows = "rows.none"

func (t *Tried) failed(a catalog.Answer, e *Error) { note(&t.Failed, a, e) }

// note counts an answer under its reason.
func note(list *[]Failure, a catalog.Answer, e *Error) {
	detail, line := "", int64(0)
	if e != nil {
		detail, line = e.Detail, e.Line
		if e.Column != "" {
			detail = "column " + e.Column + ": " + detail
		}
	}
	i := slices.IndexFunc(*list, func(f Failure) bool {
		return f.Outcome == a.Outcome && f.Reason == a.Reason && f.Detail == detail
	})
	if i < 0 {
		if len(*list) == maxFailures {
			detail = "other reasons"
			i = maxFailures - 1
			(*list)[i].Detail = detail
		} else {
			*list = append(*list, Failure{Outcome: a.Outcome, Reason: a.Reason, Detail: detail})
			i = len(*list) - 1
		}
	}
	f := &(*list)[i]
	if f.Count++; line > 0 && len(f.Lines) < MaxBad && !slices.Contains(f.Lines, line) {
		f.Lines = append(f.Lines, line)
	}
}

// sample keeps a random choice of codes, each once: those with the smallest
// hashes.
type sample struct {
	most int
	of   map[string]uint64
	high uint64 // hashes from here on are not taken; 0: all are taken
}

func (s *sample) add(code string, hash uint64) {
	if s.high != 0 && hash >= s.high {
		return
	}
	if s.of == nil {
		s.of = map[string]uint64{}
	}
	if _, known := s.of[code]; known {
		return
	}
	s.of[strings.Clone(code)] = hash
	if len(s.of) > 2*s.most {
		s.cut()
	}
}

func (s *sample) cut() {
	if len(s.of) <= s.most {
		return
	}
	var hashes []uint64
	for _, hash := range s.of {
		hashes = append(hashes, hash)
	}
	slices.Sort(hashes)
	s.high = hashes[s.most]
	for code, hash := range s.of {
		if hash >= s.high {
			delete(s.of, code)
		}
	}
}

// codes returns the kept codes, in order.
func (s *sample) codes() []string {
	s.cut()
	var codes []string
	for code := range s.of {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}
