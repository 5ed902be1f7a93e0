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
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"` // told to banks
	By     string    `json:"by"`     // the named person
}

// DecisionIn is what a person at an agency has decided about a query.
type DecisionIn struct {
	Query   string `json:"query"` // id, or its beginning
	Approve bool   `json:"approve"`
	By      string `json:"by"`
	Note    string `json:"note"`
}

// PendingIn names a query that waits for a decision.
type PendingIn struct {
	Query string `json:"query"`
}

// DisclosuresIn names a month (YYYY-MM; "" for the present one) and a bank (""
// for all).
type DisclosuresIn struct {
	Month string `json:"month"`
	Bank  string `json:"bank"`
}

func (s *Server) maintenance(context.Context, Nothing) (node.Maintenance, error) {
	return s.Node.Maintenance()
}

func (s *Server) setMaintenance(_ context.Context, in MaintenanceIn) (node.Maintenance, error) {
	if !in.On {
		return s.Node.EndMaintenance()
	}
	return s.Node.BeginMaintenance(in.Until, in.Reason, in.By)
}

func (s *Server) pendingList(context.Context, Nothing) ([]node.PendingQuery, error) {
	return s.Node.PendingQueries()
}

func (s *Server) pendingShow(_ context.Context, in PendingIn) (*node.PendingQuery, error) {
	return s.Node.PendingShow(in.Query)
}

func (s *Server) decide(ctx context.Context, in DecisionIn) (*node.PendingQuery, error) {
	return s.Node.Decide(ctx, in.Query, node.Decision{Approved: in.Approve, By: in.By, Note: in.Note})
}

func (s *Server) disclosures(ctx context.Context, in DisclosuresIn) (*node.Disclosures, error) {
	d, err := s.Node.Disclosures(ctx, in.Month, in.Bank)
	if errors.Is(err, node.ErrMonth) {
		err = &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "give --month YYYY-MM"}
	}
	return d, err
}
