package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"atoll/node/access"
	"atoll/node/problem"
)

// HeldIn names a request that waits for a second person.
type HeldIn struct {
	ID string `path:"id"`
}

// HeldListIn asks for the requests that wait for a second person.
type HeldListIn struct{ Page }

// HeldListOut is a page of them, the oldest first, without their bodies.
type HeldListOut struct {
	Held []access.Held `json:"held"` // without their bodies
	Next string        `json:"next"` // cursor of what follows; "" at the end
}

func (h HeldListOut) following() string { return h.Next }

// ConfirmIn confirms a request.
type ConfirmIn struct {
	ID   string `path:"id"`
	Body Confirmation
}

// Confirmation says what a second person confirms.
type Confirmation struct {
	Digest string `json:"digest"` // of the request, as it was shown
}

// ConfirmedOut is a request that two people have made, and its answer.
type ConfirmedOut struct {
	Held     access.Held     `json:"held"`     // the request, as it is now
	Location string          `json:"location"` // of what was made; "" for nothing
	Answer   json.RawMessage `json:"answer"`   // of the request, as its operation has it
}

// awaited is the answer to the first of two people. It is an error to the operation,
// which is not done.
type awaited struct{ access.Held }

func (a *awaited) Error() string { return "request " + a.ID + " waits for a second person" }

const heldPath = "/v1/held/"

type confirmedKey struct{}

// hold keeps a request for a second person if that is set, and nobody has confirmed
// it. The error is then an [*awaited], or says why it would fail. What is kept, shown
// and done is the question as the node has read it and writes it itself, so that no
// way to write a document hides a part of it.
func (s *Server) hold(ctx context.Context, o *row, in any) error {
	if o.matter == "" || s.Access == nil || !s.Access.TwoPeople(o.matter) || ctx.Value(confirmedKey{}) != nil {
		return nil
	}
	if o.needed != nil {
		if needed, err := o.needed(s, ctx, in); err != nil || !needed {
			return err
		}
	}
	path, body, err := o.request(in)
	if err != nil {
		return err
	}
	h, err := s.Access.Hold(access.Held{Matter: o.matter, Operation: o.id, Method: o.method, Path: path, Body: string(body)}, access.Of(ctx))
	if err != nil {
		return err
	}
	return &awaited{h}
}

// heldOf returns a request that its caller may make too.
func (s *Server) heldOf(ctx context.Context, id string) (access.Held, error) {
	h, err := s.Access.HeldRequest(id)
	if err == nil && !s.mayHeld(ctx, &h) {
		err = problem.New(problem.Forbidden, fmt.Sprintf("%s is for other roles", h.Operation))
	}
	return h, err
}

func (s *Server) mayHeld(ctx context.Context, h *access.Held) bool {
	for _, row := range s.served.rows {
		if row.id == h.Operation {
			return access.Of(ctx).May(row.roles...)
		}
	}
	return false
}

func (s *Server) heldList(ctx context.Context, in HeldListIn) (out HeldListOut, err error) {
	all, err := s.Access.HeldRequests()
	if err != nil {
		return out, err
	}
	var mine []access.Held
	for i := range all {
		if s.mayHeld(ctx, &all[i]) {
			all[i].Body = ""
			mine = append(mine, all[i])
		}
	}
	out.Held, out.Next, err = pageOf(&in.Page, listHeld, mine, func(h *access.Held) string { return h.Asked + " " + h.ID })
	return out, err
}

func (s *Server) heldShow(ctx context.Context, in HeldIn) (access.Held, error) {
	return s.heldOf(ctx, in.ID)
}

func (s *Server) withdrawHeld(ctx context.Context, in HeldIn) (access.Held, error) {
	if h, err := s.heldOf(ctx, in.ID); err != nil {
		return h, err
	}
	return s.Access.Withdraw(in.ID, access.Of(ctx))
}

// confirmHeld does a request that waits, as the person who asked for it. The one who
// confirms has the answer.
func (s *Server) confirmHeld(ctx context.Context, in ConfirmIn) (out ConfirmedOut, err error) {
	if _, err := s.heldOf(ctx, in.ID); err != nil {
		return out, err
	}
	h, first, err := s.Access.Confirm(in.ID, in.Body.Digest, access.Of(ctx))
	if err != nil {
		return out, err
	}
	answer := s.performed(ctx, &h, first)
	e, failed := problem.Read(answer.body)
	failed = failed && answer.status >= http.StatusBadRequest
	if out.Held, err = s.Access.Settle(h.ID, answer.status, answer.outcome(e)); failed {
		return out, e
	}
	out.Answer, out.Location = answer.body, answer.header.Get("Location")
	return out, err
}

// performed carries out a request as it is held, for as long as an operation may take:
// nobody who confirms says when to give up on what may be done nevertheless.
func (s *Server) performed(ctx context.Context, h *access.Held, first *access.Caller) *taken {
	ctx = access.With(context.WithValue(ctx, confirmedKey{}, true), first)
	answer := &taken{header: http.Header{}}
	ctx = access.WatchBegin(ctx, &answer.unbegun)
	r, err := http.NewRequestWithContext(ctx, h.Method, h.Path, strings.NewReader(h.Body))
	if err != nil { // it was read from a request
		failure(http.StatusInternalServerError, problem.Internal, err.Error(), "").write(answer)
		return answer
	}
	if h.Body != "" {
		r.Header.Set("Content-Type", mediaJSON)
	}
	s.served.ServeHTTP(answer, r)
	return answer
}

// taken takes in the answer to a request of this process.
type taken struct {
	header  http.Header
	status  int
	body    []byte
	unbegun bool // see [access.NotBegun]
}

// outcome returns what an answer, with e if it is a failure, says of what was done. That
// it may be tried again does not say that nothing was.
func (t *taken) outcome(e *problem.Error) access.Outcome {
	switch {
	case t.status != 0 && t.status < http.StatusBadRequest:
		return access.Known
	case t.unbegun:
		return access.Unbegun
	case t.status == 0 || t.status >= http.StatusInternalServerError || e == nil || e.Retryable:
		return access.Unknown
	}
	return access.Known
}

func (t *taken) Header() http.Header    { return t.header }
func (t *taken) WriteHeader(status int) { t.status = status }
func (t *taken) Write(b []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	t.body = append(t.body, b...)
	return len(b), nil
}
