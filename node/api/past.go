package api

import (
	"context"
	"time"

	"atoll/consensus/ledger"
	"atoll/node"
)

// PastQueriesIn asks for a bank's newest queries.
type PastQueriesIn struct{ Page }

// PastQueriesOut is a page of a bank's queries, the newest first.
type PastQueriesOut struct {
	Queries []PastQueryOut `json:"queries"`
	All     int            `json:"all"`  // how many there are
	Next    string         `json:"next"` // cursor of what follows; "" at the end
}

func (q PastQueriesOut) following() string { return q.Next }

// PastQueryIn names a query by its id or the beginning of its id.
type PastQueryIn struct {
	Query string `path:"query"`
}

// PastQueryOut is the state of a query.
type PastQueryOut struct {
	Query    string            `json:"query"`
	State    node.QueryState   `json:"state"`
	Verdict  ledger.Verdict    `json:"verdict"` // the log's verdict, "" if there is none
	Entry    uint64            `json:"entry"`   // 0 for none
	Consent  string            `json:"consent"`
	Subject  string            `json:"subject"`  // "" in a list
	Name     string            `json:"name"`     // of the enterprise, as it has signed it; "" in a list
	Operator string            `json:"operator"` // "" where the state is "lost"
	Put      string            `json:"put"`      // when it was submitted, RFC 3339, by this member's clock
	Deadline string            `json:"deadline"` // until when agencies answer: network time, RFC 3339
	Kept     string            `json:"kept"`     // until when its answers can be shown again, RFC 3339
	Again    bool              `json:"again"`    // whether asking it again returns something, without another use
	Rows     bool              `json:"rows"`     // whether it asks for rows, of which no profile is made
	Agencies []AgencyAnswerOut `json:"agencies"`
	Profile  bool              `json:"profile,omitempty"` // of one query: its profile is kept
	Run      *RunOut           `json:"run,omitempty"`     // of one query that this node follows, or has followed a moment ago
}

// AgencyAnswerOut is one agency's answer to a query.
type AgencyAnswerOut struct {
	Agency string `json:"agency"`
	Answer string `json:"answer"` // released, refused, or none
	Entry  uint64 `json:"entry"`  // 0 for none
}

func (s *Server) pastQueries(_ context.Context, in PastQueriesIn) (PastQueriesOut, error) {
	before, err := in.after(listQueries)
	if err != nil {
		return PastQueriesOut{}, err
	}
	list, more, all, err := s.Node.PastQueries(before, in.size())
	out := PastQueriesOut{Queries: []PastQueryOut{}, All: all}
	for i := range list {
		out.Queries = append(out.Queries, pastQueryOut(&list[i]))
	}
	if more {
		out.Next = cursorOf(listQueries, list[len(list)-1].ID[:])
	}
	return out, err
}

func (s *Server) pastQuery(_ context.Context, in PastQueryIn) (PastQueryOut, error) {
	id, err := s.Node.FindQuery(in.Query)
	if err != nil {
		return PastQueryOut{}, err
	}
	q, err := s.Node.PastQuery(id)
	if err != nil {
		return PastQueryOut{}, err
	}
	out := pastQueryOut(q)
	_, err = s.Node.KeptProfile(id)
	out.Profile = err == nil
	if n := s.runs.of(id); n != nil {
		out.Run = n.out()
	}
	return out, nil
}

func pastQueryOut(q *node.PastQuery) PastQueryOut {
	out := PastQueryOut{
		Query: q.ID.String(), State: q.State, Verdict: q.Verdict, Entry: q.Index, Consent: q.Consent.String(), Subject: string(q.Subject), Name: q.Name, Operator: q.Operator,
		Put: stamp(q.ID.Time()), Deadline: stamp(q.Deadline), Kept: stamp(q.Kept()), Again: q.State.Again(), Rows: q.Rows, Agencies: []AgencyAnswerOut{},
	}
	if q.State == node.QueryRejected {
		return out // no agency was asked
	}
	for _, a := range q.Answers {
		answer := AgencyAnswerOut{Agency: a.Agency, Answer: "none", Entry: a.Index}
		switch {
		case a.Released:
			answer.Answer = "released"
		case a.Index != 0:
			answer.Answer = "refused"
		}
		out.Agencies = append(out.Agencies, answer)
	}
	return out
}

// stamp formats a time in Unix milliseconds as RFC 3339.
func stamp(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339) }
