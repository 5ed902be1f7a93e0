package api

import (
	"context"
	"errors"
	"time"

	"atoll/node"
	"atoll/node/problem"
)

// MaintenanceIn begins or ends an agency's maintenance.
type MaintenanceIn struct {
	On     bool      `json:"on"`
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason,omitempty"` // told to banks
	By     string    `json:"by,omitempty"`     // the named person
}

// DecisionIn decides about a query.
type DecisionIn struct {
	Query string `path:"query"` // id, or its beginning
	Body  DecisionMade
}

// DecisionMade is what a person has decided.
type DecisionMade struct {
	Approve bool   `json:"approve"`
	By      string `json:"by,omitempty"` // the named person; by a token its owner
	Note    string `json:"note,omitempty"`
}

func (in DecisionIn) person() string { return in.Body.By }

// PendingListIn asks for the queries that wait for a decision.
type PendingListIn struct{ Page }

// PendingOut is a page of them, those first that have to be decided first.
type PendingOut struct {
	Pending []node.PendingQuery `json:"pending"`
	Next    string              `json:"next"` // cursor of what follows; "" at the end
}

func (p PendingOut) following() string { return p.Next }

// PendingIn names a query that waits for a decision.
type PendingIn struct {
	Query string `path:"query"`
}

// DisclosuresIn names a month (YYYY-MM; "" for the present one) and a bank (""
// for all).
type DisclosuresIn struct {
	Month string `query:"month"`
	Bank  string `query:"bank"`
}

func (s *Server) maintenance(context.Context, Nothing) (node.Maintenance, error) {
	return s.Node.Maintenance()
}

func (s *Server) setMaintenance(ctx context.Context, in MaintenanceIn) (node.Maintenance, error) {
	if !in.On {
		return s.Node.EndMaintenance()
	}
	by, err := operatorOf(ctx, in.By)
	if err != nil {
		return node.Maintenance{}, err
	}
	return s.Node.BeginMaintenance(in.Until, in.Reason, by)
}

func (s *Server) pendingList(_ context.Context, in PendingListIn) (out PendingOut, err error) {
	all, err := s.Node.PendingQueries()
	if err != nil {
		return out, err
	}
	out.Pending, out.Next, err = pageOf(&in.Page, listPending, all, func(p *node.PendingQuery) string { return p.Until + " " + p.Query })
	return out, err
}

func (s *Server) pendingShow(_ context.Context, in PendingIn) (*node.PendingQuery, error) {
	return s.Node.PendingShow(in.Query)
}

func (s *Server) decide(ctx context.Context, in DecisionIn) (*node.PendingQuery, error) {
	by, err := operatorOf(ctx, in.Body.By)
	if err != nil {
		return nil, err
	}
	return s.Node.Decide(ctx, in.Query, node.Decision{Approved: in.Body.Approve, By: by, Note: in.Body.Note})
}

// releases reports whether a decision has an answer released; it has to be one that can
// still be made, of the whole id: see [node.Node.Decide].
func (s *Server) releases(_ context.Context, in DecisionIn) (bool, error) {
	if !in.Body.Approve {
		return false, nil
	}
	p, err := s.Node.PendingShow(in.Query)
	if err == nil && p.Query != in.Query {
		err = node.ErrNotWhole()
	}
	return err == nil && p.Decision == nil, err
}

func (s *Server) disclosures(ctx context.Context, in DisclosuresIn) (*node.Disclosures, error) {
	if in.Bank != "" {
		if _, err := s.record(in.Bank); err != nil {
			return nil, err
		}
	}
	d, err := s.Node.Disclosures(ctx, in.Month, in.Bank)
	if errors.Is(err, node.ErrMonth) {
		err = &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "give --month YYYY-MM"}
	}
	return d, err
}
