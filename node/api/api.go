// Package api is what a member's own operators ask of its node, and later its
// loan system: a table of operations over a unix socket that only the node's
// user can open. Whoever can open it may do all that the member may.
//
// Its errors are told as [problem.Write] writes them. What strangers reach is
// package web's.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/profile"
)

// maxLocal is the size limit of a request to the local API in bytes.
const maxLocal = 1 << 20

// Server answers POST /v1/OPERATION, with one JSON document for the question and
// one for the answer.
type Server struct {
	Node     *node.Node
	Template *profile.Template // of a bank, or nil
}

// Operations of the local API.
const (
	OpStatus           = "status"
	OpCredentialIssue  = "credential.issue"
	OpCredentialRevoke = "credential.revoke"
	OpConsentAccept    = "consent.accept"
	OpConsentList      = "consent.list"
	OpEndings          = "endings"
	OpOffering         = "offering"
	OpPublish          = "catalog.publish"
	OpCatalog          = "catalog"
	OpEntry            = "entry"
	OpFinal            = "final"
	OpQuery            = "query.run" // answers with events, see [Event]
	OpPastQueries      = "query.list"
	OpPastQuery        = "query.show"

	OpCosigners         = "cosigners"
	OpCosignersPropose  = "cosigners.propose"
	OpCosignersApprove  = "cosigners.approve"
	OpCosignersHandover = "cosigners.handover"
)

// IssueIn asks a registrar to vouch for a key.
type IssueIn struct {
	Subject string `json:"subject"`
	Key     []byte `json:"key"` // Ed25519
	Days    uint32 `json:"days"`
}

// StatementOut is a statement with its place in the log.
type StatementOut struct {
	Statement []byte `json:"statement"`
	Entry     uint64 `json:"entry"`
}

// CarriedIn is what a subject has signed.
type CarriedIn struct {
	Statement []byte `json:"statement"`
	Sealed    []byte `json:"sealed"`
}

// ConsentOut is a consent as its bank sees it.
type ConsentOut struct {
	Consent   string `json:"consent"`
	Subject   string `json:"subject"`
	Purpose   string `json:"purpose"`
	Product   string `json:"product"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	MaxUses   uint32 `json:"max_uses"`
	Used      uint32 `json:"used"`
	State     string `json:"state"` // active, used_up, not_yet, expired, revoked, void
	Entry     uint64 `json:"entry"`
}

// ConsentsOut lists a bank's consents.
type ConsentsOut struct {
	Consents   []ConsentOut `json:"consents"`
	FoundAgain bool         `json:"found_again"` // on the log: the bank's vault knew of none
}

// OfferingIn asks what of this can be asked.
type OfferingIn struct {
	Offers []consent.Offer `json:"offers"`
}

// OfferingOut is what a request for consent is made of.
type OfferingOut struct {
	Network  []byte            `json:"network"`
	Day      consent.Day       `json:"day"`      // the network's day
	Purposes []consent.Purpose `json:"purposes"` // what a consent may be for

	node.Offering
}

// PublishedOut is where an agency's catalog is on the log.
type PublishedOut struct {
	Version uint64 `json:"version"`
	Entry   uint64 `json:"entry"`
	Text    []byte `json:"text"` // of the catalog by which the node answers
}

// EndingsIn asks which roles, and of a subject which credential, end by a day.
type EndingsIn struct {
	By      consent.Day     `json:"by"`
	Subject consent.Subject `json:"subject"` // "" for those behind all consents
}

// CatalogIn names an agency.
type CatalogIn struct {
	Agency string `json:"agency"` // "" for the member itself
}

// EntryIn names an entry.
type EntryIn struct {
	Index uint64 `json:"index"`
}

// BytesOut is text or bytes.
type BytesOut struct {
	Bytes []byte `json:"bytes"`
}

// ServeHTTP implements http.Handler, for patterns with {operation}.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLocal))
	if err != nil {
		problem.Write(w, http.StatusRequestEntityTooLarge, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "send less"})
		return
	}
	name := r.PathValue("operation")
	if name == OpQuery {
		s.serveQuery(w, r, in)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patienceOf(r))
	defer cancel()
	if name == OpCosignersHandover { // its caller says how long
		ctx = r.Context()
	}
	out, err := s.do(ctx, name, in)
	if err != nil {
		e := s.explain(err)
		problem.Write(w, e.Status(), e)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return // the caller has gone
	}
}

// localPatience is how long an operation may take that has no time of its own.
const localPatience = 30 * time.Second

// WaitHeader says how many milliseconds a caller waits for the answer, where that
// is less: by then it is given a reason.
const WaitHeader = "Atoll-Wait"

func patienceOf(r *http.Request) time.Duration {
	ms, err := strconv.ParseUint(r.Header.Get(WaitHeader), 10, 32)
	if err != nil {
		return localPatience
	}
	return min(localPatience, time.Duration(ms)*time.Millisecond)
}

// explain is Explain where this node may know the cause: a wait that ended
// because nothing can be put on the log says that, and a query that may still
// get there how to go on with it.
func (s *Server) explain(err error) *problem.Error {
	e := node.Explain(err)
	if e.Code != problem.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		return e
	}
	if cause := s.Node.Obstacle(); cause != "" {
		e = problem.New(problem.NoLeader, cause)
		e.Retryable = true
	}
	var open *node.NotLogged
	if errors.As(err, &open) {
		e.Message = fmt.Sprintf("the log has not taken query %s: %s", open.Query, e.Message)
		e.Hint = "when atoll status shows a leader, ask this query again, which spends no second use"
	}
	return e
}

// do runs one operation.
func (s *Server) do(ctx context.Context, name string, in []byte) (any, error) {
	switch name {
	case OpStatus:
		return s.Node.Status()
	case OpCredentialIssue:
		return with(ctx, in, s.issue)
	case OpCredentialRevoke:
		return with(ctx, in, s.revokeCredential)
	case OpConsentAccept:
		return with(ctx, in, s.accept)
	case OpConsentList:
		return s.consents()
	case OpPastQueries:
		return with(ctx, in, s.pastQueries)
	case OpPastQuery:
		return with(ctx, in, s.pastQuery)
	case OpEndings:
		return with(ctx, in, s.endings)
	case OpOffering:
		return with(ctx, in, s.offering)
	case OpPublish:
		return s.publish(ctx)
	case OpCatalog:
		return with(ctx, in, s.catalog)
	case OpEntry:
		return with(ctx, in, s.entry)
	case OpFinal:
		return with(ctx, in, s.final)
	case OpCosigners:
		return with(ctx, in, s.cosigners)
	case OpCosignersPropose:
		return with(ctx, in, s.proposeCosigners)
	case OpCosignersApprove:
		return with(ctx, in, s.approveCosigners)
	case OpCosignersHandover:
		return with(ctx, in, s.handOver)
	}
	return nil, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("no operation %.60q", name), Hint: "are command and node of the same version?"}
}

// with decodes the question of an operation, strictly.
func with[In, Out any](ctx context.Context, in []byte, f func(context.Context, In) (Out, error)) (any, error) {
	var v In
	if err := strict(in, &v); err != nil {
		return nil, err
	}
	return f(ctx, v)
}

func strict(in []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(in))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "are command and node of the same version?"}
	}
	return nil
}

func (s *Server) issue(ctx context.Context, in IssueIn) (StatementOut, error) {
	subject, _, err := consent.ParseSubject(in.Subject)
	if err != nil {
		return StatementOut{}, err
	}
	statement, answer, err := s.Node.Issue(ctx, subject, in.Key, in.Days)
	return StatementOut{statement, answer.Index}, err
}

func (s *Server) revokeCredential(ctx context.Context, in StatementOut) (StatementOut, error) {
	answer, err := s.Node.RevokeCredential(ctx, in.Statement)
	return StatementOut{Entry: answer.Index}, err
}

func (s *Server) accept(ctx context.Context, in CarriedIn) (ConsentOut, error) {
	c, err := s.Node.Accept(ctx, in.Statement, in.Sealed)
	if err != nil {
		return ConsentOut{}, err
	}
	at, err := s.Node.At()
	return consentOut(c, at.Day), err
}

func (s *Server) consents() (ConsentsOut, error) {
	all, again, err := s.Node.Consents()
	if err != nil {
		return ConsentsOut{}, err
	}
	at, err := s.Node.At()
	if err != nil {
		return ConsentsOut{}, err
	}
	out := ConsentsOut{Consents: []ConsentOut{}, FoundAgain: again}
	for _, c := range all {
		out.Consents = append(out.Consents, consentOut(c, at.Day))
	}
	return out, nil
}

func consentOut(c *node.Consent, today consent.Day) ConsentOut {
	b := &c.Header.Bounds
	out := ConsentOut{
		Consent: b.ConsentID().String(), Subject: string(c.Terms.Subject), Purpose: c.Terms.Purpose, Product: c.Terms.Product,
		NotBefore: b.NotBefore.String(), NotAfter: b.NotAfter.String(), MaxUses: b.MaxUses, Used: c.Used, Entry: c.Index, State: "active",
	}
	r := b.Active(today)
	switch {
	case c.Ended != 0:
		out.State = "revoked"
	case r != nil && r.Code == consent.NotYet:
		out.State = "not_yet"
	case r != nil:
		out.State = "expired"
	case c.Void != nil: // the credential behind it does not stand any more
		out.State = "void"
	case c.Used >= b.MaxUses:
		out.State = "used_up"
	}
	return out
}

func (s *Server) offering(ctx context.Context, in OfferingIn) (OfferingOut, error) {
	at, err := s.Node.At()
	if err != nil {
		return OfferingOut{}, err
	}
	found, err := s.Node.Offering(ctx, in.Offers)
	if err != nil {
		return OfferingOut{}, err
	}
	return OfferingOut{s.Node.Network[:], at.Day, at.Purposes, *found}, nil
}

func (s *Server) publish(ctx context.Context) (PublishedOut, error) {
	p, err := s.Node.Publish(ctx)
	if err != nil {
		return PublishedOut{}, err
	}
	c, err := s.Node.CatalogOf(ctx, s.Node.Name)
	if err != nil {
		return PublishedOut{}, err
	}
	return PublishedOut{p.Version, p.Index, c.Bytes()}, nil
}

func (s *Server) endings(_ context.Context, in EndingsIn) ([]node.Ending, error) {
	return s.Node.Endings(in.By, in.Subject)
}

func (s *Server) catalog(ctx context.Context, in CatalogIn) (BytesOut, error) {
	if in.Agency == "" {
		in.Agency = s.Node.Name
	}
	c, err := s.Node.CatalogOf(ctx, in.Agency)
	if err != nil {
		return BytesOut{}, err
	}
	return BytesOut{c.Bytes()}, nil
}

func (s *Server) entry(_ context.Context, in EntryIn) (BytesOut, error) {
	if size := s.Node.Head().Size; in.Index >= size {
		return BytesOut{}, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("the log has %d entries", size), Hint: "atoll log show lists them"}
	}
	leaf, err := s.Node.Entry(in.Index)
	return BytesOut{leaf}, err
}
