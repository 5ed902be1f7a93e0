package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/vault"
)

// Consent is a granted consent as its bank reads it.
type Consent struct {
	Header *consent.Header
	Terms  *consent.Terms
	Body   *consent.Body
	Index  uint64 // of the grant
	Used   uint32 // uses spent and not given back
	Ended  uint64 // index of the revocation, 0 while there is none
	Void   error  // why nothing can be asked under it though it stands on the log: a [*consent.Refusal], or nil
}

// ErrNoConsent means that the log has no such consent, or it is another bank's.
var ErrNoConsent = errors.New("no such consent of this bank")

const (
	consents    vault.Kind = "consent" // index of the grant, by consent id
	revocations vault.Kind = "revoked" // statements that came past the log, by consent id
)

// Accept takes in a consent that a subject has signed for this bank: it opens
// the body, checks that every part is what the header commits to, countersigns
// and submits. A consent that is accepted already is accepted again.
func (n *Node) Accept(ctx context.Context, statement, sealed []byte) (*Consent, error) {
	c, _, err := n.accept(ctx, statement, sealed)
	return c, err
}

// accept is Accept with the log's answer.
func (n *Node) accept(ctx context.Context, statement, sealed []byte) (c *Consent, answer ledger.Answer, err error) {
	h, err := parseHeader(statement)
	if err != nil {
		return nil, answer, err
	}
	if h.Bounds.Bank != n.Name {
		return nil, answer, &consent.Refusal{Code: consent.Mismatch, Detail: fmt.Sprintf("the consent is for %s", h.Bounds.Bank)}
	}
	n.Fresh(ctx) // the credential may have come to the log a moment ago
	if err := n.usable(h, sealed); err != nil {
		return nil, answer, err
	}
	answer, err = n.say(ctx, ledger.KindCarrier, ledger.Carrier{Head: NewHead(), Statement: statement, Sealed: sealed})
	if err != nil {
		return nil, answer, err
	}
	id := h.Bounds.ConsentID()
	if err := n.vault.Put(consents, id[:], answer.Index, n.endOf(h)); err != nil {
		return nil, answer, err
	}
	c, err = n.Consent(id)
	return c, answer, err
}

// usable says whether a consent that is not granted yet can ever be asked under:
// what the log cannot see of it is checked here, before it stands there.
func (n *Node) usable(h *consent.Header, sealed []byte) error {
	body, err := n.unseal(sealed)
	if err != nil {
		return err
	}
	terms, err := n.openTerms(h, body)
	if err != nil {
		return err
	}
	at, err := n.At()
	if err != nil {
		return err
	}
	if r := terms.Allowed(at.Purposes); r != nil {
		return r
	}
	if r := h.Bounds.Active(at.Day); r != nil && r.Code == consent.Expired {
		return r
	}
	return nil
}

// endOf is when a bank need no longer list a consent.
func (n *Node) endOf(h *consent.Header) time.Time {
	end := (h.Bounds.NotAfter + 1).Start(n.Genesis.Offset)
	return time.UnixMilli(int64(end)).Add(30 * 24 * time.Hour)
}

func parseHeader(statement []byte) (*consent.Header, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	if s.Kind != ledger.KindGrant {
		return nil, fmt.Errorf("%w: a %s where a consent belongs", sign.ErrMalformed, s.Kind)
	}
	h := new(consent.Header)
	if err := s.Decode(h); err != nil {
		return nil, err
	}
	return h, h.Check()
}

// unseal opens a sealed body as its bank.
func (n *Node) unseal(sealed []byte) (*consent.Body, error) {
	plain, err := seal.DecryptBytes(sealed, n.age)
	if err != nil {
		return nil, fmt.Errorf("the consent's body: %w", err)
	}
	body := new(consent.Body)
	return body, sign.Unmarshal(plain, body)
}

// openTerms checks a body against its header and the log.
func (n *Node) openTerms(h *consent.Header, body *consent.Body) (*consent.Terms, error) {
	issuer, err := n.issuer(body.Credential)
	if err != nil {
		return nil, err
	}
	at, err := n.At()
	if err != nil {
		return nil, err
	}
	return consent.OpenBody(h, body, issuer, at.Day)
}

// Consent returns a consent granted to this bank under which it can ask. The
// log has all of it: a bank that lost its vault has lost no consent.
func (n *Node) Consent(id consent.ID) (*Consent, error) {
	c, err := n.granted(id)
	if err == nil && c.Void != nil {
		return nil, c.Void
	}
	return c, err
}

// granted is Consent for those too that are void.
func (n *Node) granted(id consent.ID) (*Consent, error) {
	record, err := n.grant(id)
	if err != nil {
		return nil, err
	}
	if record == nil || record.Bank != n.Name {
		return nil, ErrNoConsent
	}
	s, err := n.statement(record.Index)
	if err != nil {
		return nil, err
	}
	c := &Consent{Index: record.Index, Used: record.Used, Ended: record.Revoked}
	var ok bool
	if c.Header, ok = s.Payload.(*consent.Header); !ok {
		return nil, fmt.Errorf("entry %d is a %s, where the state says a consent", record.Index, s.Kind)
	}
	if c.Body, err = n.unseal(s.Carrier.Sealed); err != nil {
		return nil, err
	}
	var refusal *consent.Refusal
	if c.Terms, err = n.openTerms(c.Header, c.Body); errors.As(err, &refusal) {
		c.Void = refusal
		c.Terms, err = consent.ReadTerms(c.Body.Terms) // verified when the consent was accepted
	}
	return c, err
}

// Consents returns the consents that this bank has accepted, by ascending id,
// void ones too. Those that are so old that the log has forgotten their state
// are left out.
func (n *Node) Consents() (list []*Consent, err error) {
	keys, err := n.vault.Keys(consents)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		c, err := n.granted(consent.ID(k))
		if errors.Is(err, ErrNoConsent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// Carry brings what a subject has signed to the log: a revocation through any
// member, a consent through its bank alone. Agencies hear of a revocation from
// this member directly, whatever the log does with it.
func (n *Node) Carry(ctx context.Context, statement, sealed []byte) (ledger.Answer, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return ledger.Answer{}, err
	}
	switch s.Kind {
	case ledger.KindGrant:
		_, answer, err := n.accept(ctx, statement, sealed)
		var no *NotAccepted
		if errors.As(err, &no) {
			return no.Answer, nil
		}
		return answer, err
	case ledger.KindRevoke:
		if _, err := n.openRevocation(statement); err != nil {
			return ledger.Answer{}, err
		}
		n.spread(statement)
		return n.Say(ctx, ledger.KindCarrier, ledger.Carrier{Head: NewHead(), Statement: statement, Sealed: sealed})
	}
	return ledger.Answer{}, fmt.Errorf("%w: a %s is not carried for subjects", sign.ErrMalformed, s.Kind)
}

// openRevocation reads a revocation and checks its signature.
func (n *Node) openRevocation(statement []byte) (*consent.Revocation, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	r := new(consent.Revocation)
	if s.Kind != ledger.KindRevoke {
		return nil, fmt.Errorf("%w: a %s where a revocation belongs", sign.ErrMalformed, s.Kind)
	}
	if err := s.Decode(r); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	return r, s.Verify(n.Network, r.Key)
}

const (
	spreadWait    = 10 * time.Second
	grantPatience = 5 * time.Second // of an agency, for the consent that is taken back
)

// spread sends a revocation to every agency, past the log: a leader that holds
// it back gains nothing.
func (n *Node) spread(statement []byte) {
	for _, m := range n.Genesis.Members {
		agency := slices.ContainsFunc(m.Roles, func(r ledger.Role) bool { return r.Name == ledger.Agency })
		if !agency {
			continue
		}
		n.running.Go(func() {
			ctx, cancel := context.WithTimeout(n.ctx, spreadWait)
			defer cancel()
			var err error
			if m.Name == n.Name {
				_, err = n.serveRevocation(ctx, n.Name, statement)
			} else {
				_, err = n.host.Call(ctx, m.Name, peer.Revoke, statement)
			}
			if err != nil {
				n.log.Warn("spreading a revocation", "agency", m.Name, "error", err)
			}
		})
	}
}

// revocationKept is how long an agency keeps a revocation that came past the
// log: longer than any query under its consent can be open.
const revocationKept = 30 * 24 * time.Hour

// serveRevocation keeps a revocation that another member sends past the log. It
// may be faster than the consent on its way through the log, which is waited
// for: of a consent that the log does not have nothing is kept.
func (n *Node) serveRevocation(ctx context.Context, _ string, statement []byte) ([]byte, error) {
	r, err := n.openRevocation(statement)
	if err != nil {
		return nil, &peer.Error{Code: peer.Malformed, Message: "not a revocation, or not signed by the key it names"}
	}
	ctx, cancel := context.WithTimeout(ctx, grantPatience)
	defer cancel()
	known, err := await(ctx, n, func() (*ledger.Consent, error) { return n.grant(consent.ID(r.Consent)) })
	if ctx.Err() != nil {
		return nil, &peer.Error{Code: codeConsent, Message: "the log, as this member has it, has no such consent", Retryable: true}
	}
	if err != nil || !slices.ContainsFunc(known.Revocation, r.SignedBy) {
		return nil, err
	}
	return nil, n.vault.Put(revocations, r.Consent, statement, time.Now().Add(revocationKept))
}

// holdsRevocation says whether this member holds a valid revocation of a
// consent, on the log or not.
func (n *Node) holdsRevocation(h *consent.Header) (bool, error) {
	var statement []byte
	err := n.vault.Get(revocations, h.Bounds.ID, &statement)
	if errors.Is(err, vault.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := n.openRevocation(statement)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(h.Bounds.Revocation, r.SignedBy), nil
}
