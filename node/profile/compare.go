package profile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Comparison is what has changed between two profiles of one enterprise. An output
// is the same one if agency, dataset, output, disclosure, months and what was to be
// verified are. Silence is no value: an output that was not obtained is neither the
// same nor another.
type Comparison struct {
	Schema  string   `json:"schema"`
	Subject string   `json:"subject"`
	Name    string   `json:"name"` // of the enterprise, by the later profile
	Earlier Compared `json:"earlier"`
	Later   Compared `json:"later"`
	Days    int      `json:"days"`    // civil days of the network between them
	Outputs []Change `json:"outputs"` // in the order of the later profile, then those that only the earlier one has
}

// ComparisonSchema names the format of an encoded [Comparison].
const ComparisonSchema = "atoll.comparison/v1"

// Compared is one of the two profiles.
type Compared struct {
	Query    string   `json:"query"`
	At       string   `json:"at"` // RFC 3339
	Template Ref      `json:"template"`
	Score    Score    `json:"score"`
	Coverage Share    `json:"coverage"`
	Vetoes   []string `json:"vetoes"` // names of those that are hit
}

// Kinds of a [Change].
const (
	Same     = "same"
	Changed  = "changed"
	Appeared = "appeared" // it was not obtained, or not asked, before
	Gone     = "missing"  // it is not obtained, or not asked, any more
	Silent   = "silent"   // neither has it
)

// Change is one output in both profiles.
type Change struct {
	Agency     Named  `json:"agency"`
	Title      Title  `json:"title"`
	Dataset    string `json:"dataset"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"`
	Predicate  string `json:"predicate"`
	Kind       string `json:"kind"`
	Old        Told   `json:"old"`
	New        Told   `json:"new"`
	Percent    string `json:"percent"` // by how much a number has changed, to one decimal; "" where that has no meaning
}

// Told is what an output had to say.
type Told struct {
	Outcome string `json:"outcome"` // a name of [consent.Outcome] or [NotAsked]
	Reason  string `json:"reason"`
	Type    string `json:"type"`
	Value   string `json:"value"`
	Unit    string `json:"unit"`
	AsOf    string `json:"as_of"`
}

// Compare compares two profiles, which have to be of one enterprise.
func Compare(earlier, later *Profile) (*Comparison, error) {
	if earlier.Subject != later.Subject {
		return nil, fmt.Errorf("the profiles are of two enterprises")
	}
	c := &Comparison{Schema: ComparisonSchema, Subject: later.Subject, Name: later.Name, Earlier: earlier.compared(), Later: later.compared(), Outputs: []Change{}}
	was, err := time.Parse(time.RFC3339, earlier.At)
	if err != nil {
		return nil, err
	}
	is, err := time.Parse(time.RFC3339, later.At)
	if err != nil {
		return nil, err
	}
	day := func(t time.Time) consent.Day { return consent.DayOf(uint64(t.UnixMilli()), later.Offset) }
	c.Days = int(day(is) - day(was))
	left := slices.Clone(earlier.Inputs)
	for i := range later.Inputs {
		now := &later.Inputs[i]
		before := Evidence{Outcome: NotAsked}
		if at := slices.IndexFunc(left, now.asks); at >= 0 {
			before = left[at]
			left = slices.Delete(left, at, at+1)
		}
		c.Outputs = append(c.Outputs, change(now, &before, now))
	}
	for i := range left {
		c.Outputs = append(c.Outputs, change(&left[i], &left[i], &Evidence{Outcome: NotAsked}))
	}
	return c, nil
}

func (p *Profile) compared() Compared {
	c := Compared{Query: p.Query, At: p.At, Template: p.Template, Score: p.Score, Coverage: Share{Answered: p.Coverage.Answered, Of: p.Coverage.Of}, Vetoes: []string{}}
	for _, v := range p.vetoed(Hit) {
		c.Vetoes = append(c.Vetoes, v.Name)
	}
	return c
}

// asks reports whether another input asks for the same.
func (e *Evidence) asks(o Evidence) bool {
	return e.Agency.Name == o.Agency.Name && e.Dataset == o.Dataset && e.Output == o.Output && e.Disclosure == o.Disclosure && e.Months == o.Months && e.Predicate == o.Predicate
}

// told reports whether an agency has looked and said what there is. That there is no
// record is said, too.
func (e *Evidence) told() bool {
	return e.Answered() || e.Outcome == consent.NoRecord.String()
}

func change(of, before, now *Evidence) Change {
	c := Change{
		Agency: of.Agency, Title: of.Title, Dataset: of.Dataset, Output: of.Output, Disclosure: of.Disclosure, Months: of.Months, Predicate: of.Predicate,
		Old: before.tells(), New: now.tells(),
	}
	switch was, is := before.told(), now.told(); {
	case was && is && before.Outcome == now.Outcome && before.Value == now.Value && before.Unit == now.Unit:
		c.Kind = Same
	case was && is:
		c.Kind, c.Percent = Changed, percent(c.Old, c.New)
	case is:
		c.Kind = Appeared
	case was:
		c.Kind = Gone
	default:
		c.Kind = Silent
	}
	return c
}

func (e *Evidence) tells() Told {
	return Told{Outcome: e.Outcome, Reason: e.Reason, Type: e.Type, Value: e.Value, Unit: e.Unit, AsOf: e.AsOf}
}

// percent returns by how many per cent of the old number the new one differs.
func percent(old, now Told) string {
	if number := formula.Number.String(); old.Type != number || now.Type != number || old.Unit != now.Unit {
		return ""
	}
	was, err := decimal.NewFromString(old.Value)
	if err != nil || was.IsZero() { // a band is no number
		return ""
	}
	is, err := decimal.NewFromString(now.Value)
	if err != nil {
		return ""
	}
	return is.Sub(was).Mul(decimal.NewFromInt(100)).DivRound(was.Abs(), 1).String()
}

// In writes what an output had to say, in a language.
func (t Told) In(language string) string {
	s, err := speak(language, pageSigns)
	if err != nil {
		return ""
	}
	if t.Outcome != consent.Answered.String() {
		return s.Lack(t.Outcome, t.Reason)
	}
	return s.Amount(t.Type, t.Value, t.Unit)
}

// In writes the range of a score with its grades, in a language.
func (c Compared) In(language string) string {
	s, err := speak(language, pageSigns)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(s.Span(c.Score.Worst, c.Score.Best) + " " + s.Span(clean(c.Score.WorstGrade), clean(c.Score.BestGrade)))
}
