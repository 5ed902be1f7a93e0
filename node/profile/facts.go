package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"atoll/consensus/consent"
)

// ErrFacts means that facts do not belong to the template: an input that the
// template does not ask for, or an input given twice.
var ErrFacts = errors.New("facts do not fit the template")

// Input is the result of one item. Times are Unix milliseconds, 0 for none.
type Input struct {
	Agency  string
	Item    consent.Item // as asked: with the template's disclosure and months
	Outcome consent.Outcome
	Value   string // as node/catalog writes it; ignored unless the outcome is answered
	Unit    string
	Reason  string
	Version uint64 // of the dataset
	Rows    uint64
	AsOf    uint64 // a civil day, as Unix milliseconds of its midnight in UTC
	Fetched uint64
	Dropped uint64
	Repeats uint64
	Covered uint64 // months
	Across  uint64
	Aside   uint64 // rows of unknown owner that the agency has set aside
	Entry   uint64 // log index of the release, 0 for none

	Predicate string // that was asked; "" for other items than those to be verified
}

// Facts is everything that a profile is made of besides its template.
type Facts struct {
	Network  string // id, hex
	Query    string // id
	Consent  string // id
	Subject  consent.Subject
	Pilot    bool // see [consent.ParseSubject]
	Bank     string
	Operator string
	Purpose  string
	Product  string
	At       uint64   // network time, Unix milliseconds
	Offset   int16    // minutes from UTC
	Deadline uint64   // end of the time in which agencies answer this query, Unix milliseconds; 0 if it is over
	Entry    uint64   // log index of query.open
	Final    bool     // whether a final checkpoint covers the query and its releases
	Since    uint64   // unless Final: when the newest final checkpoint was signed, Unix milliseconds, 0 for none
	Missing  []string // unless Final: cosigners that do not answer or do not sign
	Titles   map[string]Title
	Inputs   []Input // in any order; an input of the template that is missing here was not asked
}

// log returns the state of the log that the facts rest on.
func (f *Facts) log() Log {
	l := Log{Entry: f.Entry, State: "final", Missing: []Named{}}
	if f.Final {
		return l
	}
	l.State, l.Since = "committed", instant(f.Since)
	for _, m := range f.Missing {
		l.Missing = append(l.Missing, f.title(m))
	}
	return l
}

// title returns the title of a member or purpose, by default its name.
func (f *Facts) title(name string) Named {
	t := f.Titles[name]
	if t.Chinese == "" {
		t.Chinese = name
	}
	if t.English == "" {
		t.English = name
	}
	return Named{name, t}
}

// match orders the inputs as in the template; nil means not asked.
func (t *Template) match(inputs []Input) ([]*Input, error) {
	matched := make([]*Input, len(t.Needs))
	for i := range inputs {
		in := &inputs[i]
		n := slices.IndexFunc(t.Needs, func(n Need) bool { return n.Agency == in.Agency && n.asks(in.Item) && n.means(in) })
		switch {
		case n < 0:
			return nil, fmt.Errorf("%w: %s, %s.%s by %s over %d months is not asked by %s version %d", ErrFacts, in.Agency,
				in.Item.Dataset, in.Item.Output, in.Item.Disclosure, in.Item.Months, t.Name, t.Version)
		case matched[n] != nil:
			return nil, fmt.Errorf("%w: %s, %s.%s is given twice", ErrFacts, in.Agency, in.Item.Dataset, in.Item.Output)
		case !in.Outcome.Valid():
			return nil, fmt.Errorf("%w: %s, %s.%s has no outcome", ErrFacts, in.Agency, in.Item.Dataset, in.Item.Output)
		}
		matched[n] = in
	}
	return matched, nil
}

// evidence combines each need with its result, and returns what is known of the
// values. An answer that cannot be read as the template expects is invalid.
func (t *Template) evidence(f *Facts, matched []*Input) ([]Evidence, world) {
	all, known := make([]Evidence, len(t.Needs)), world{}
	for i := range t.Needs {
		n := t.Needs[i]
		e := Evidence{
			Name: n.Name, Title: n.Title, Agency: f.title(n.Agency), Dataset: n.Dataset, Output: n.Output,
			Disclosure: n.Disclosure.String(), Months: n.Months, Predicate: n.Predicate, Type: n.kind.String(), Outcome: NotAsked,
		}
		if in := matched[i]; in != nil {
			e.Outcome, e.Reason, e.Entry, e.Version = in.Outcome.String(), valid(in.Reason), in.Entry, in.Version
			e.AsOf, e.Fetched, e.Rows, e.Dropped = civil(in.AsOf), instant(in.Fetched), in.Rows, in.Dropped
			e.Repeats, e.Covered, e.Across, e.Aside = in.Repeats, in.Covered, in.Across, in.Aside
			switch {
			case n.untold(in):
				e.Outcome = consent.NoRecord.String()
			case in.Outcome == consent.Answered:
				ends, problem := n.read(in.Value, in.Unit)
				if problem != "" {
					e.Outcome, e.Reason = consent.Invalid.String(), problem
				} else {
					known[n.Name] = ends
					e.Value, e.Unit, e.Label = in.Value, in.Unit, t.label(&n, ends)
				}
			}
		}
		all[i] = e
	}
	return all, known
}

// means reports whether an input answers the need's predicate. What was never
// asked, because the consent lacks it, answers none.
func (n *Need) means(in *Input) bool {
	return in.Predicate == n.Predicate || in.Predicate == "" && in.Outcome == consent.NotConsented
}

// untold reports whether an agency has verified and cannot tell: there is no
// value then, neither yes nor no.
func (n *Need) untold(in *Input) bool {
	return n.Disclosure == consent.Verify && in.Outcome == consent.Answered && in.Value == consent.Unknown && in.Unit == ""
}

// label returns the template's explanation of an input's text.
func (t *Template) label(n *Need, ends []any) Title {
	for i := range t.doc.Indicators {
		x := &t.doc.Indicators[i]
		if d := t.direct(x.Value); d != nil && d.Name == n.Name && len(x.Labels) > 0 {
			return x.Labels[told(ends)]
		}
	}
	return Title{}
}

func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
