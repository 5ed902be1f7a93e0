package api

import (
	"context"

	"atoll/consensus/consent"
	"atoll/node"
)

// ConsentShown is a consent with what it covers, and what was asked under it.
type ConsentShown struct {
	ConsentOut
	DataLife uint32         `json:"data_life"` // days that the bank may keep what it gets
	PerDays  uint32         `json:"per_days"`  // window in which at most per_uses queries are allowed; 0: none
	PerUses  uint32         `json:"per_uses"`
	Ended    uint64         `json:"ended"` // entry that took it back; 0 for none
	Covers   []CoverOut     `json:"covers"`
	Queries  []PastQueryOut `json:"queries"` // the newest first, up to 100
}

// CoverOut is one output that a consent covers. The titles are those that the
// enterprise was shown, "" where it was shown none.
type CoverOut struct {
	Agency     string `json:"agency"`
	Dataset    string `json:"dataset"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"` // history window, 0 for a state
	Of         Words  `json:"dataset_title"`
	Title      Words  `json:"title"`
}

// mostUnder is how many queries under a consent are listed.
const mostUnder = 100

func (s *Server) consent(ctx context.Context, in ConsentIn) (out ConsentShown, err error) {
	id, err := s.Node.FindConsent(in.Consent)
	if err != nil {
		return out, err
	}
	c, err := s.Node.Granted(id)
	if err != nil {
		return out, err
	}
	at, err := s.Node.At()
	if err != nil {
		return out, err
	}
	b := &c.Header.Bounds
	out = ConsentShown{
		ConsentOut: consentOut(c, at.Day), DataLife: c.Terms.DataLife, PerDays: b.Frequency.Days, PerUses: b.Frequency.Uses, Ended: c.Ended,
		Covers: coversOf(c), Queries: []PastQueryOut{},
	}
	list, err := s.Node.QueriesUnder(ctx, c, mostUnder)
	for i := range list {
		out.Queries = append(out.Queries, pastQueryOut(&list[i]))
	}
	return out, err
}

func coversOf(c *node.Consent) []CoverOut {
	out := []CoverOut{}
	for _, s := range c.Body.Slices {
		shown := consent.ShownOf(c.Body.Shown, s.Agency)
		for _, i := range s.Items {
			x := CoverOut{Agency: s.Agency, Dataset: i.Dataset, Output: i.Output, Disclosure: i.Disclosure.String(), Months: i.Months}
			if shown != nil {
				if l := shown.Leaf(i.Dataset, i.Output); l != nil {
					x.Of, x.Title = Words{l.DatasetChinese, l.DatasetEnglish}, Words{l.OutputChinese, l.OutputEnglish}
				}
			}
			out = append(out, x)
		}
	}
	return out
}
