package api

import (
	"context"
	"time"

	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/access"
)

// PastAsksIn names a day of the network.
type PastAsksIn struct {
	Page
	Day string `query:"day"` // YYYY-MM-DD; "" for today
}

// PastAsksOut is a page of what banks have asked an agency on a day, the newest first,
// with what all of the day comes to.
type PastAsksOut struct {
	Day    string           `json:"day"`
	Asks   []node.PastAsk   `json:"asks"`
	Counts []node.HourCount `json:"counts"` // of all of the day
	Next   string           `json:"next"`   // cursor of what follows; "" at the end
}

func (a PastAsksOut) following() string { return a.Next }

// RatesOut says how often banks ask an agency, and which rules decide about an ask.
type RatesOut struct {
	Banks []node.BankRate `json:"banks"`
	Rules []node.Rule     `json:"rules"`
}

// PreviewIn names a subject of an agency's own tests.
type PreviewIn struct {
	Subject string `json:"subject"`
}

// PreviewOut is what each output would disclose about it.
type PreviewOut struct {
	Answers []PreviewAnswer `json:"answers"`
}

// PreviewAnswer is the answer of one output in one disclosure.
type PreviewAnswer struct {
	Dataset    string `json:"dataset"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Outcome    string `json:"outcome"`
	Value      string `json:"value"`
	Unit       string `json:"unit"`
	Rows       uint64 `json:"rows"`   // of the source on which it is based
	AsOf       string `json:"as_of"`  // newest day of the data; "" if there is none
	Reason     string `json:"reason"` // why there is no value
}

const listAsks = "asks"

func (s *Server) pastAsks(_ context.Context, in PastAsksIn) (PastAsksOut, error) {
	before, err := in.after(listAsks)
	if err != nil {
		return PastAsksOut{}, err
	}
	d, err := s.Node.PastAsks(in.Day, before, in.size())
	if err != nil {
		return PastAsksOut{}, err
	}
	out := PastAsksOut{Day: d.Day, Asks: d.Asks, Counts: d.Counts}
	if d.More {
		out.Next = cursorOf(listAsks, d.Asks[len(d.Asks)-1].Place())
	}
	return out, nil
}

func (s *Server) rates(context.Context, Nothing) (out RatesOut, err error) {
	out.Banks, out.Rules, err = s.Node.Rates()
	return out, err
}

func (s *Server) preview(ctx context.Context, in PreviewIn) (PreviewOut, error) {
	out := PreviewOut{Answers: []PreviewAnswer{}}
	subject, _, err := consent.ParseSubject(in.Subject)
	if err != nil {
		return out, err
	}
	answers, err := s.Node.Preview(ctx, subject)
	if err == nil {
		access.About(ctx, string(subject)) // declared for tests: no real enterprise
	}
	for i := range answers {
		r := &answers[i].Result
		a := PreviewAnswer{
			Dataset: r.Item.Dataset, Output: r.Item.Output, Disclosure: r.Item.Disclosure.String(), Outcome: r.Outcome.String(),
			Value: answers[i].Value, Unit: answers[i].Unit, Rows: r.Rows, Reason: r.Reason,
		}
		if r.AsOf > 0 {
			a.AsOf = time.UnixMilli(int64(r.AsOf)).UTC().Format(time.DateOnly)
		}
		out.Answers = append(out.Answers, a)
	}
	return out, err
}
