package api

import (
	"context"
	"errors"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/profile"
)

// ComparisonIn asks what has changed since an earlier query.
type ComparisonIn struct {
	Query   string `path:"query"`    // id, or its beginning
	Earlier string `query:"earlier"` // id of an earlier query of the same enterprise; "": the newest of which a profile is kept
}

// ComparisonOut is what has changed.
type ComparisonOut struct {
	Query      string              `json:"query"`
	Subject    string              `json:"subject"`
	Comparison *profile.Comparison `json:"comparison,omitempty"` // missing if no earlier profile is kept
	Without    []string            `json:"without"`              // earlier queries of the enterprise that were passed over: no profile of them was made, or its data life has ended
}

// compare compares the profile of a query with one of before. Both are kept here: it
// asks nobody and spends nothing.
func (s *Server) compare(ctx context.Context, in ComparisonIn) (out ComparisonOut, err error) {
	id, later, err := s.kept(in.Query)
	if err != nil {
		return out, err
	}
	out = ComparisonOut{Query: id.String(), Subject: later.Subject, Without: []string{}}
	var earlier *profile.Profile
	if in.Earlier != "" {
		var of ledger.StatementID
		if of, earlier, err = s.kept(in.Earlier); err != nil {
			return out, err
		}
		if earlier.Subject != later.Subject || of.Time() >= id.Time() {
			return out, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("query %s is not an earlier one of the same enterprise", of), Hint: "leave it out for the newest earlier one"}
		}
	} else {
		var without []ledger.StatementID
		if earlier, without, err = s.Node.EarlierProfile(ctx, later, id); err != nil {
			return out, err
		}
		for _, q := range without {
			out.Without = append(out.Without, q.String())
		}
	}
	if earlier != nil {
		out.Comparison, err = profile.Compare(earlier, later)
	}
	return out, err
}

// kept returns the kept profile of a query that is named by a text.
func (s *Server) kept(text string) (id ledger.StatementID, p *profile.Profile, err error) {
	if id, err = s.Node.FindQuery(text); err != nil {
		return id, nil, err
	}
	if p, err = s.Node.KeptProfile(id); errors.Is(err, node.ErrNoProfile) {
		err = &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("no profile of query %s is kept: none was made, or its data life has ended", id), Hint: "while its answers are kept, ask it again (atoll query run --again), which spends no second use"}
	}
	return id, p, err
}
