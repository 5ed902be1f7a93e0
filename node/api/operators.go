package api

import (
	"context"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/access"
)

// AcknowledgeIn acknowledges an alarm.
type AcknowledgeIn struct {
	ID   string `path:"id"`
	Body Acknowledgement
}

// Acknowledgement says who has seen an alarm and what was done.
type Acknowledgement struct {
	By   string `json:"by,omitempty"` // the named person; by a token its owner
	Note string `json:"note"`
}

// IssueIn asks a registrar to vouch for a key.
type IssueIn struct {
	Subject string `json:"subject"`
	Key     []byte `json:"key"` // Ed25519
	Days    uint32 `json:"days"`
	By      string `json:"by,omitempty"` // the named person at the registrar; by a token its owner
}

// EndCredentialIn asks a registrar to end a credential.
type EndCredentialIn struct {
	Statement []byte `json:"statement"`
	By        string `json:"by,omitempty"` // as in [IssueIn]
}

// StatementOut is a statement with its place in the log.
type StatementOut struct {
	Statement []byte `json:"statement,omitempty"` // where this node has made it
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
	Name      string `json:"name"` // of the enterprise, as it has signed it
	Purpose   string `json:"purpose"`
	Product   string `json:"product"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	MaxUses   uint32 `json:"max_uses"`
	Used      uint32 `json:"used"`
	State     string `json:"state"` // active, used_up, not_yet, expired, revoked, void
	Entry     uint64 `json:"entry"`
}

// ConsentIn names a consent by its id or the beginning of its id.
type ConsentIn struct {
	Consent string `path:"consent"`
}

// ConsentsIn asks for a bank's consents.
type ConsentsIn struct{ Page }

// ConsentsOut is a page of a bank's consents, by ascending id.
type ConsentsOut struct {
	Consents   []ConsentOut `json:"consents"`
	FoundAgain bool         `json:"found_again"` // the bank's vault had none, and they were found on the log
	Next       string       `json:"next"`        // cursor of what follows; "" at the end
}

func (c ConsentsOut) following() string { return c.Next }

// OfferingIn asks which of these outputs can be asked.
type OfferingIn struct {
	Offers []Offer `json:"offers,omitempty"`
}

// OfferingOut is the material for a request for consent.
type OfferingOut struct {
	Network  []byte      `json:"network"`
	Day      consent.Day `json:"day"`               // the network's day, since 1970-01-01
	Purposes []Purpose   `json:"purposes"`          // the purposes that a consent may have
	Members  []byte      `json:"members,omitempty"` // CBOR of [ledger.AttestedProof]; missing: they are the founders

	Offers     []Offer  `json:"offers"`     // as wanted, each item with the meaning of its output; zero if no catalog has it
	Shown      [][]byte `json:"shown"`      // CBOR of [consent.Shown]: those of them that the catalogs have
	Statements [][]byte `json:"statements"` // the catalog.publish of each that is shown
	Without    []string `json:"without"`    // agencies whose catalog is unavailable now
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
	By      consent.Day     `json:"by"`                // since 1970-01-01
	Subject consent.Subject `json:"subject,omitempty"` // "" for the credentials behind all consents
}

// CatalogIn names an agency.
type CatalogIn struct {
	Agency string `path:"agency"`
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
	by, err := operatorOf(ctx, in.By)
	if err != nil {
		return StatementOut{}, err
	}
	statement, answer, err := s.Node.Issue(ctx, subject, in.Key, in.Days, by)
	return StatementOut{statement, answer.Index}, err
}

func (s *Server) revokeCredential(ctx context.Context, in EndCredentialIn) (StatementOut, error) {
	by, err := operatorOf(ctx, in.By)
	if err != nil {
		return StatementOut{}, err
	}
	answer, err := s.Node.RevokeCredential(ctx, in.Statement, by)
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

func (s *Server) acknowledge(ctx context.Context, in AcknowledgeIn) (node.Alarm, error) {
	by, err := operatorOf(ctx, in.Body.By)
	if err != nil {
		return node.Alarm{}, err
	}
	return s.Node.Acknowledge(in.ID, by, in.Body.Note)
}

// status tells of tokens to those alone who see to them, and to their owners.
func (s *Server) status(ctx context.Context, _ Nothing) (node.Status, error) {
	out, err := s.nodeStatus(ctx)
	for _, e := range s.accessEndings() {
		if c := access.Of(ctx); e.Token == "" || e.Token == c.Token || c.May(admins...) {
			out.Endings = append(slices.Clip(out.Endings), e) // the rest is read by others
		}
	}
	return out, err
}

// nodeStatus returns what does not depend on who asks.
func (s *Server) nodeStatus(ctx context.Context) (node.Status, error) {
	if handedOf(ctx) == nil {
		return s.Node.Status()
	}
	var partly node.Status // with an error
	out, err := s.recent.of(recentKey{"node", nil}, func() (any, error) {
		var err error
		partly, err = s.Node.Status()
		return partly, err
	})
	if err != nil {
		return partly, err
	}
	return out.(node.Status), nil
}

// accessEndings returns the tokens, and the certificate, that end soon.
func (s *Server) accessEndings() (list []node.Ending) {
	if s.Access == nil {
		return nil
	}
	tokens, now := s.Access.Lasting()
	for _, t := range tokens {
		made, until := t.Life()
		if e := node.EndingAccess("token", made, until, now); e != nil {
			e.Token, e.Owner = t.ID, t.Owner+" "+t.Number
			list = append(list, *e)
		}
	}
	if s.Certificate != nil {
		file, from, until := s.Certificate.Life()
		if e := node.EndingAccess("certificate", from, until, time.Now()); e != nil {
			e.File = file
			list = append(list, *e)
		}
	}
	return list
}

func (s *Server) consents(_ context.Context, in ConsentsIn) (ConsentsOut, error) {
	after, err := in.after(listConsents)
	if err != nil {
		return ConsentsOut{}, err
	}
	list, more, again, err := s.Node.Consents(after, in.size())
	if err != nil {
		return ConsentsOut{}, err
	}
	at, err := s.Node.At()
	if err != nil {
		return ConsentsOut{}, err
	}
	out := ConsentsOut{Consents: []ConsentOut{}, FoundAgain: again}
	for _, c := range list {
		out.Consents = append(out.Consents, consentOut(c, at.Day))
	}
	if more {
		last := list[len(list)-1].Header.Bounds.ConsentID()
		out.Next = cursorOf(listConsents, last[:])
	}
	return out, nil
}

func consentOut(c *node.Consent, today consent.Day) ConsentOut {
	b := &c.Header.Bounds
	out := ConsentOut{
		Consent: b.ConsentID().String(), Subject: string(c.Terms.Subject), Name: c.Terms.Name, Purpose: c.Terms.Purpose, Product: c.Terms.Product,
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
	offers, err := offersOf(in.Offers)
	if err != nil {
		return OfferingOut{}, err
	}
	found, err := s.Node.Offering(ctx, offers)
	if err != nil {
		return OfferingOut{}, err
	}
	out := OfferingOut{
		Network: s.Node.Network[:], Day: at.Day, Purposes: purposesOut(at.Purposes),
		Offers: offersOut(found.Offers), Shown: [][]byte{}, Statements: append([][]byte{}, found.Statements...), Without: found.Without,
	}
	for i := range found.Shown {
		shown, err := sign.Marshal(&found.Shown[i])
		if err != nil {
			return OfferingOut{}, err
		}
		out.Shown = append(out.Shown, shown)
	}
	out.Members, err = s.provedMembers(ctx)
	return out, err
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

func (s *Server) ownCatalog(ctx context.Context, _ Nothing) (BytesOut, error) {
	return s.catalog(ctx, CatalogIn{s.Node.Name})
}

func (s *Server) catalog(ctx context.Context, in CatalogIn) (BytesOut, error) {
	c, err := s.Node.CatalogOf(ctx, in.Agency)
	if err != nil {
		return BytesOut{}, err
	}
	return BytesOut{c.Bytes()}, nil
}
