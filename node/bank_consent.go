package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/vault"
)

// Consent is a granted consent, as its bank sees it.
type Consent struct {
	Header *consent.Header
	Terms  *consent.Terms
	Body   *consent.Body
	Index  uint64 // of the grant
	Used   uint32 // uses spent and not given back
	Ended  uint64 // index of the revocation, 0 while there is none
	Void   error  // why nothing can be asked under it though it is on the log: a [*consent.Refusal], or nil
}

// ErrNoConsent means that the log has no such consent, or it belongs to another
// bank.
var ErrNoConsent = errors.New("no such consent of this bank")

const (
	consents    vault.Kind = "consent" // index of the grant, by consent id
	revocations vault.Kind = "revoked" // statements received directly, not from the log, by consent id
)

// Accept takes in a consent that a subject has signed for this bank. It opens
// the body, checks every part against the header's commitments, countersigns
// and submits. Accept may be repeated for a consent that is already accepted.
func (n *Node) Accept(ctx context.Context, statement, sealed []byte) (*Consent, error) {
	c, _, err := n.accept(ctx, statement, sealed, nil)
	return c, err
}

// accept is [Node.Accept] and returns the log's answer. door, unless nil, is
// called for a valid consent that is not on the log yet, and may reject it.
func (n *Node) accept(ctx context.Context, statement, sealed []byte, door func(consent.Subject, consent.ID) error) (c *Consent, answer ledger.Answer, err error) {
	h, err := parseHeader(statement)
	if err != nil {
		return nil, answer, err
	}
	if h.Bounds.Bank != n.Name {
		return nil, answer, &consent.Refusal{Code: consent.Mismatch, Detail: fmt.Sprintf("the consent is for %s", h.Bounds.Bank)}
	}
	n.Fresh(ctx) // the credential may have been logged a moment ago
	signed, err := n.usable(h, sealed)
	if err != nil {
		return nil, answer, err
	}
	id := h.Bounds.ConsentID()
	if door != nil {
		if known, err := n.grant(id); err != nil {
			return nil, answer, err
		} else if known == nil {
			if err := door(signed.Subject, id); err != nil {
				return nil, answer, err
			}
		}
	}
	answer, err = n.putOnLog(ctx, ledger.KindCarrier, ledger.Carrier{Head: n.NewHead(), Statement: statement, Sealed: sealed})
	if err != nil {
		return nil, answer, err
	}
	back, err := n.meets(signed, id)
	if err != nil {
		return nil, answer, err
	}
	if err := errors.Join(n.keepConsents(), n.vault.Update(vault.Record{Kind: consents, Key: id[:], Value: answer.Index, Expires: n.endOf(h)}, back)); err != nil {
		return nil, answer, err
	}
	c, err = n.Consent(id)
	return c, answer, err
}

// usable checks whether a consent that is not granted yet can ever be used for
// a query, and returns what was signed. It checks what the log cannot see, before
// the consent is logged.
func (n *Node) usable(h *consent.Header, sealed []byte) (*consent.Draft, error) {
	body, err := n.unseal(sealed)
	if err != nil {
		return nil, err
	}
	terms, err := n.verifyTerms(h, body)
	if err != nil {
		return nil, err
	}
	members, err := n.knownTo(terms, body)
	if err != nil {
		return nil, err
	}
	if err := n.decryptsForAll(sealed, body.Secret(), members.Roster.Readers(n.Name)); err != nil {
		return nil, err
	}
	at, err := n.At()
	if err != nil {
		return nil, err
	}
	if err := ledger.CheckShown(n.Genesis, members, terms, body, at.Day, n.publishedAt); err != nil {
		return nil, err
	}
	if r := terms.Dated(at.Day + 1); r != nil { // it may be logged tomorrow, and this bank answers for it
		return nil, r
	}
	if r := terms.Allowed(at.Purposes); r != nil {
		return nil, r
	}
	if r := h.Bounds.Active(at.Day); r != nil && r.Code == consent.Expired {
		return nil, r
	}
	signed := consent.DraftOf(terms, body.Slices)
	if granted, err := n.grant(h.Bounds.ConsentID()); err != nil || granted != nil {
		return &signed, err // what is granted stands, whatever was requested since
	}
	return &signed, n.asRequested(&signed)
}

// endOf returns the time after which a bank need no longer list a consent.
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

// unseal decrypts a sealed body with the bank's identity.
func (n *Node) unseal(sealed []byte) (*consent.Body, error) {
	plain, err := seal.DecryptBytes(sealed, n.age)
	if err != nil {
		return nil, fmt.Errorf("the consent's body: %w", err)
	}
	body := new(consent.Body)
	return body, sign.Unmarshal(plain, body)
}

// decryptsForAll checks that the auditors can decrypt a body too, which this bank
// has decrypted. The enterprise seals it, but this bank answers for it: a body
// that an auditor cannot open would be held against the bank.
func (n *Node) decryptsForAll(sealed []byte, k sign.Secret, readers []ledger.Card) error {
	to, err := recipients(readers)
	if err != nil {
		return err
	}
	err = seal.CheckShared(sealed, n.age, k, to...)
	var out *seal.LeftOut
	if errors.As(err, &out) {
		return &consent.Refusal{Code: consent.Unopenable, Detail: fmt.Sprintf("it cannot be seen that the consent's body opens for %s: it is not carried to the log", readers[out.Nth].Name)}
	}
	return err
}

// OtherMembers is the reason for rejecting a consent that rests on members who are
// not those of today.
const OtherMembers consent.Code = "consent.roster"

// knownTo returns the members that the signer of terms knew. They must be those of
// an attested roster of the last 48 h, or the founders if bank, agencies and
// auditors are founders still. Otherwise the error is a [*consent.Refusal].
func (n *Node) knownTo(terms *consent.Terms, body *consent.Body) (*ledger.Known, error) {
	if terms.Roster == 0 {
		founders := n.Genesis.Known()
		if !sameReaders(founders.Roster.Readers(n.Name), n.replica.Roster().Readers(n.Name)) {
			return nil, &consent.Refusal{Code: OtherMembers, Detail: "the consent was drawn up for the founders, and bank or auditors are others today"}
		}
		for _, s := range body.Slices {
			if founders.Roster.Member(s.Agency) == nil || n.replica.Roster().Member(s.Agency) == nil {
				return nil, &consent.Refusal{Code: OtherMembers, Detail: fmt.Sprintf("the consent was drawn up for the founders, and %s is none of them today", s.Agency)}
			}
		}
		return founders, nil
	}
	e, err := n.attestAt(terms.Roster)
	if err != nil {
		return nil, err
	}
	var known *ledger.Known
	if e != nil {
		err = n.replica.View(func(v ledger.View) error {
			state, err := ledger.Read(v)
			if err == nil && e.Time+ledger.MaxRosterAge >= state.Time {
				known, err = ledger.KnownAt(v, n.Genesis, e.Index)
			}
			return err
		})
	}
	if known != nil && known.Roster.Member(n.Name) == nil {
		known = nil
	}
	if known == nil && err == nil {
		err = &consent.Refusal{Code: OtherMembers, Detail: fmt.Sprintf("entry %d, by which the consent was drawn up, attests no roster of the last 48 hours", terms.Roster)}
	}
	return known, err
}

// attestAt returns the entry of an index if it is an accepted roster.attest,
// otherwise nil.
func (n *Node) attestAt(index uint64) (*ledger.Entry, error) {
	if index >= n.replica.Head().Size {
		return nil, nil
	}
	leaf, err := n.replica.Entry(index)
	if err != nil {
		return nil, err
	}
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return nil, err
	}
	a, err := ledger.AttestOf(e)
	if a == nil {
		return nil, err
	}
	return e, nil
}

// sameReaders reports whether a body is sealed to the same recipients.
func sameReaders(a, b []ledger.Card) bool {
	return slices.EqualFunc(a, b, func(x, y ledger.Card) bool { return x.Name == y.Name && bytes.Equal(x.Age, y.Age) })
}

// recipients returns the recipients to seal to for members.
func recipients(cards []ledger.Card) (to []seal.Recipient, err error) {
	for _, c := range cards {
		r, err := seal.RecipientFrom(c.Age)
		if err != nil {
			return nil, err
		}
		to = append(to, r)
	}
	return to, nil
}

// verifyTerms checks a decrypted body against its header and the log, and returns
// its terms.
func (n *Node) verifyTerms(h *consent.Header, body *consent.Body) (*consent.Terms, error) {
	issuer, err := n.issuer(body.Credential)
	if err != nil {
		return nil, err
	}
	at, err := n.At()
	if err != nil {
		return nil, err
	}
	return consent.VerifyBody(h, body, issuer, at.Day)
}

// Consent returns a consent granted to this bank under which it can ask. All of
// it is on the log: a bank that lost its vault has lost no consent.
func (n *Node) Consent(id consent.ID) (*Consent, error) {
	c, err := n.Granted(id)
	if err == nil && c.Void != nil {
		return nil, c.Void
	}
	return c, err
}

// Granted is [Node.Consent] and returns void consents as well.
func (n *Node) Granted(id consent.ID) (*Consent, error) {
	record, err := n.grant(id)
	if err != nil {
		return nil, err
	}
	if record == nil || record.Bank != n.Name {
		return nil, ErrNoConsent
	}
	o, err := n.opened(id, record.Index)
	if err != nil {
		return nil, err
	}
	c := &Consent{Header: o.header, Body: o.body, Index: record.Index, Used: record.Used, Ended: record.Revoked}
	o, err = n.standing(o)
	var refusal *consent.Refusal
	switch {
	case errors.As(err, &refusal):
		c.Void = refusal
		c.Terms, err = consent.ReadTerms(c.Body.Terms) // verified when the consent was accepted
		n.openings.drop(id)
	case err == nil && ended(record, o.day):
		c.Terms = o.terms
		n.openings.drop(id)
	case err == nil:
		c.Terms = o.terms
		n.openings.put(id, o)
	}
	return c, err
}

// Consents returns the consents that this bank has accepted, by ascending id,
// including void ones. Those so old that the log has dropped their state are
// left out. If the vault has none, because it is new or was lost, they are those
// on the log; again reports whether any was found there.
func (n *Node) Consents(after []byte, limit int) (list []*Consent, more, again bool, err error) {
	keys, again, err := n.consentKeys()
	if err != nil {
		return nil, false, false, err
	}
	for _, k := range keys {
		if after != nil && bytes.Compare(k, after) <= 0 {
			continue
		}
		c, err := n.Granted(consent.ID(k))
		if errors.Is(err, ErrNoConsent) {
			continue
		}
		if err != nil {
			return nil, false, false, err
		}
		if len(list) == limit {
			return list, true, again, nil
		}
		list = append(list, c)
	}
	return list, false, again, nil
}

// consentKeys returns the ids of this bank's consents, ascending, as the vault has
// them. If it has none, they are those on the log, and again is true if there is any.
// Nothing is stored: [Node.keepConsents] does that where something is done.
func (n *Node) consentKeys() (keys [][]byte, again bool, err error) {
	if keys, err = n.vault.Keys(consents); err != nil || len(keys) > 0 {
		return keys, false, err
	}
	keys, err = n.findConsents()
	return keys, len(keys) > 0, err
}

// searchedAtOnce is how many records of consents are read in one view of the
// state.
const searchedAtOnce = 1000

// findConsents returns the ids of this bank's consents on the log, ascending.
func (n *Node) findConsents() (keys [][]byte, err error) {
	for last, begun := []byte(nil), false; last != nil || !begun; begun = true {
		var ids []consent.ID
		err := n.replica.View(func(v ledger.View) (err error) {
			ids, last, err = ledger.ConsentsOf(v, n.Name, last, searchedAtOnce)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			keys = append(keys, id[:])
		}
	}
	return keys, nil
}

// keepConsents stores the ids of this bank's consents on the log in a vault that has
// none: the list is then complete, and the log is searched no more.
func (n *Node) keepConsents() error {
	if some, err := n.vault.KeysFrom(consents, nil, nil, 1); err != nil || len(some) > 0 {
		return err
	}
	keys, err := n.findConsents()
	if err != nil {
		return err
	}
	var records []vault.Record
	for _, k := range keys {
		c, err := n.Granted(consent.ID(k))
		if err != nil {
			return err
		}
		records = append(records, vault.Record{Kind: consents, Key: k, Value: c.Index, Expires: n.endOf(c.Header)})
	}
	return n.vault.Update(records...)
}

// Carried is the result of carrying a statement to the log.
type Carried struct {
	ledger.Answer
	Told    []string // agencies that hold a revocation sent to them directly, ascending
	Pending bool     // whether the log does not have it yet: this member keeps it until it has
}

// Carry brings a statement signed by a subject to the log: a revocation through
// any member, a consent through its bank alone. This member sends a revocation
// to the agencies directly as well, whatever the log does with it.
func (n *Node) Carry(ctx context.Context, statement, sealed []byte) (c Carried, err error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return c, err
	}
	switch s.Kind {
	case ledger.KindGrant:
		c.Answer, err = n.carryGrant(ctx, statement, sealed)
		return c, err
	case ledger.KindRevoke:
		r, err := n.verifyRevocation(statement)
		if err != nil {
			return c, err
		}
		return n.carryRevocation(ctx, r, statement)
	}
	return c, fmt.Errorf("%w: a %s is not carried for subjects", sign.ErrMalformed, s.Kind)
}

// carryGrant is [Node.Accept] for a consent that came from outside, and returns
// the log's answer.
func (n *Node) carryGrant(ctx context.Context, statement, sealed []byte) (ledger.Answer, error) {
	_, answer, err := n.accept(ctx, statement, sealed, n.grants.take)
	var no *NotAccepted
	if errors.As(err, &no) {
		return no.Answer, nil
	}
	return answer, err
}
