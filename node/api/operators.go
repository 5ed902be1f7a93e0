package api

import (
	"context"
	"fmt"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
)

// AcknowledgeIn says who has seen an alarm and what was done.
type AcknowledgeIn struct {
	ID   string `json:"id"`
	By   string `json:"by"`
	Note string `json:"note"`
}

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

// CarriedIn contains a statement signed by a subject.
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
	FoundAgain bool         `json:"found_again"` // the bank's vault had none, and they were found on the log
}

// OfferingIn asks which of these outputs can be asked.
type OfferingIn struct {
	Offers []consent.Offer `json:"offers"`
}

// OfferingOut is the material for a request for consent.
type OfferingOut struct {
	Network  []byte            `json:"network"`
	Day      consent.Day       `json:"day"`      // the network's day
	Purposes []consent.Purpose `json:"purposes"` // the purposes that a consent may have
	Members  []byte            `json:"members"`  // CBOR of [ledger.AttestedProof]; nil: they are the founders

	node.Offering
}

// PublishedOut tells where an agency's catalog is on the log.
type PublishedOut struct {
	Version uint64 `json:"version"`
	Entry   uint64 `json:"entry"`
	Text    []byte `json:"text"` // of the catalog that the node answers with
}

// EndingsIn asks which roles end by a day, and which credentials do, or which
// one of a subject.
type EndingsIn struct {
	By      consent.Day     `json:"by"`
	Subject consent.Subject `json:"subject"` // "" for the credentials behind all consents
}

// CatalogIn names an agency.
type CatalogIn struct {
	Agency string `json:"agency"` // "" for the member itself
}

// EntryIn names an entry.
type EntryIn struct {
	Index uint64 `json:"index"`
}

// BytesOut contains text or bytes.
type BytesOut struct {
	Bytes []byte `json:"bytes"`
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

func (s *Server) acknowledge(_ context.Context, in AcknowledgeIn) (node.Alarm, error) {
	return s.Node.Acknowledge(in.ID, in.By, in.Note)
}

func (s *Server) status(context.Context, Nothing) (node.Status, error) { return s.Node.Status() }

func (s *Server) consents(context.Context, Nothing) (ConsentsOut, error) {
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
	case c.Void != nil: // the credential behind it is no longer valid
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
	members, err := s.provedMembers(ctx)
	return OfferingOut{s.Node.Network[:], at.Day, at.Purposes, members, *found}, err
}

// provedMembers returns the encoded proof of who the members are, nil if they are the
// founders.
func (s *Server) provedMembers(ctx context.Context) ([]byte, error) {
	p, err := s.Node.MembersProof(ctx)
	if err != nil || p == nil {
		return nil, err
	}
	return sign.Marshal(p)
}

func (s *Server) publish(ctx context.Context, _ Nothing) (PublishedOut, error) {
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
