package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Unsealed is what is sealed in an entry, as far as its kind has it. It contains
// names of subjects and people.
type Unsealed struct {
	Terms      *consent.Terms        // of the consent that the entry belongs to
	Body       *consent.Body         // consent.grant
	Credential *consent.Credential   // credential.issue
	Query      *ledger.QueryDetail   // query.open
	Release    *ledger.ReleaseDetail // fragment.release
	Refuse     *ledger.RefuseDetail  // fragment.refuse
}

// errHead means that a query does not say where in its bank's operators' log its request
// is.
var errHead = fmt.Errorf("%w: a query without a head of its bank's operators' log", sign.ErrMalformed)

var errNoConsent = errors.New("its consent could not be opened, or is unknown")

// Unseal decrypts what is sealed in the entry just added. It returns nil if the kind
// seals nothing or there is no identity. Errors wrap [seal.ErrNotForUs],
// [seal.ErrBroken] or [sign.ErrMalformed], or state that the consent with the
// key could not be opened.
func (i *Inspector) Unseal(e *Entry) (*Unsealed, error) {
	if i.identity == nil || e.Statement == nil {
		return nil, nil
	}
	o := new(Unsealed)
	var err error
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		g, err := i.unsealGrant(e, p)
		if err != nil {
			return nil, err
		}
		o.Terms, o.Body = g.Terms, g.Body
	case *ledger.CredentialIssue:
		o.Credential, err = i.unsealCredential(e, p)
	case *ledger.QueryOpen:
		g, err := i.lookupGrant(p.Consent)
		if err != nil {
			return nil, err
		}
		o.Terms = g.agreed()
		o.Query, err = unsealQuery(i.network(), e, p, g)
		return o.or(err)
	case *ledger.Release:
		g, err := i.grantOf(p.Query)
		if err != nil {
			return nil, err
		}
		o.Terms = g.agreed()
		o.Release, err = unsealRelease(i.network(), e, p, g)
		return o.or(err)
	case *ledger.Refuse:
		g, err := i.grantOf(p.Query)
		if err != nil {
			return nil, err
		}
		o.Terms = g.agreed()
		o.Refuse, err = unsealRefuse(i.network(), e, p, g)
		return o.or(err)
	default:
		return nil, nil
	}
	return o.or(err)
}

// UnsealUnder decrypts what is sealed in a query, a release or a refusal under the
// consent with this header and body, without a replay. Terms are not set. Of an entry of
// another kind it returns nil. Errors are those of [Inspector.Unseal].
func UnsealUnder(network sign.NetworkID, e *Entry, h *consent.Header, b *consent.Body) (*Unsealed, error) {
	g := &grant{Header: h, Body: b}
	o := new(Unsealed)
	var err error
	switch p := e.Statement.Payload.(type) {
	case *ledger.QueryOpen:
		o.Query, err = unsealQuery(network, e, p, g)
	case *ledger.Release:
		o.Release, err = unsealRelease(network, e, p, g)
	case *ledger.Refuse:
		o.Refuse, err = unsealRefuse(network, e, p, g)
	default:
		return nil, nil
	}
	return o.or(err)
}

func (o *Unsealed) or(err error) (*Unsealed, error) {
	if err != nil {
		return nil, err
	}
	return o, nil
}

// grant is a consent as the auditor keeps it.
type grant struct {
	Index   uint64          `cbor:"1,keyasint"`
	Header  *consent.Header `cbor:"2,keyasint"`
	Body    *consent.Body   `cbor:"3,keyasint,omitempty"` // nil if it could not be opened
	Terms   *consent.Terms  `cbor:"4,keyasint,omitempty"` // nil if the body is not valid
	Revoked bool            `cbor:"5,keyasint"`
	Misled  bool            `cbor:"6,keyasint,omitempty"` // the body shows another catalog than the agencies'
	Apart   bool            `cbor:"7,keyasint,omitempty"` // this auditor is none of those that must be able to open the body
}

func (g *grant) agreed() *consent.Terms {
	if g == nil {
		return nil
	}
	return g.Terms
}

// signer returns the key that signed the terms, which must be valid.
func (g *grant) signer() []byte {
	c, err := consent.ReadCredential(g.Body.Credential)
	if err != nil {
		return nil
	}
	return c.Key
}

func (g *grant) unsealed() bool { return g != nil && g.Body != nil }

// unsealGrant opens a consent's body and checks it against its header: every
// signature, digest and commitment in it. The returned grant has what could be
// opened, whatever the error.
func (i *Inspector) unsealGrant(e *Entry, h *consent.Header) (*grant, error) {
	g := &grant{Index: e.Index, Header: h}
	plain, err := seal.DecryptBytes(e.Statement.Carrier.Sealed, *i.identity)
	if err != nil {
		return g, err
	}
	body := new(consent.Body)
	if err := sign.Unmarshal(plain, body); err != nil {
		return g, err
	}
	if len(body.K) != len(sign.Secret{}) {
		return g, fmt.Errorf("%w: K of %d bytes", sign.ErrMalformed, len(body.K))
	}
	g.Body = body
	authority, err := i.authority(e, body.Credential)
	if err != nil {
		return g, err
	}
	g.Terms, err = consent.VerifyBody(h, body, authority, i.dayFor(e, body.Credential))
	return g, err
}

// authority returns the registrar that vouches for a credential on which an
// entry is based, according to the log. The error is a [*consent.Refusal] if
// the credential is not on the log, or had been revoked when the entry's author
// could know.
func (i *Inspector) authority(e *Entry, credential []byte) (a consent.Authority, err error) {
	record, err := i.standing(e, consent.CredentialDigest(credential))
	if err != nil {
		return a, err
	}
	if record == nil {
		return a, &consent.Refusal{Code: consent.BadSubject, Detail: "the credential does not stand on the log, or was revoked"}
	}
	key, err := i.statementKey(record.Registrar, record.Index)
	return consent.Authority{Network: i.network(), Registrar: key}, err
}

// statementKey returns the key with which a member signed what an entry
// carries.
func (i *Inspector) statementKey(member string, index uint64) (ed25519.PublicKey, error) {
	card, err := ledger.CardAt(i.replay.View(), member, index)
	if err == nil && card == nil {
		err = fmt.Errorf("the state has no card of %s", member)
	}
	if err != nil {
		return nil, err
	}
	return card.Statement, nil
}

// unsealCredential opens what a registrar has sealed to the auditors and checks
// that it matches the entry.
func (i *Inspector) unsealCredential(e *Entry, c *ledger.CredentialIssue) (*consent.Credential, error) {
	statement, err := seal.DecryptBytes(c.Sealed, *i.identity)
	if err != nil {
		return nil, err
	}
	if string(consent.CredentialDigest(statement)) != string(c.Digest) {
		return nil, &consent.Refusal{Code: consent.Mismatch, Detail: "what is sealed is not the credential that the digest names"}
	}
	key, err := i.statementKey(e.Author, e.Index)
	if err != nil {
		return nil, err
	}
	return parseCredential(statement, i.network(), key)
}

func parseCredential(statement []byte, network sign.NetworkID, registrar ed25519.PublicKey) (*consent.Credential, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	if s.Kind != consent.KindCredential {
		return nil, fmt.Errorf("%w: a %s where a credential belongs", sign.ErrMalformed, s.Kind)
	}
	if err := s.Verify(network, registrar); err != nil {
		return nil, &consent.Refusal{Code: consent.BadSubject, Detail: "the credential is not signed by the registrar that issued it"}
	}
	c := new(consent.Credential)
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	return c, c.Check()
}

func unsealQuery(network sign.NetworkID, e *Entry, q *ledger.QueryOpen, g *grant) (*ledger.QueryDetail, error) {
	if !g.unsealed() {
		return nil, errNoConsent
	}
	public, err := q.Public()
	if err != nil {
		return nil, err
	}
	detail, err := unbox[ledger.QueryDetail](network, e, g.Body.Secret(), public, q.Sealed)
	if err == nil && len(detail.Operators) != 32 {
		return nil, errHead
	}
	return detail, err
}

func unsealRelease(network sign.NetworkID, e *Entry, r *ledger.Release, g *grant) (*ledger.ReleaseDetail, error) {
	if !g.unsealed() {
		return nil, errNoConsent
	}
	public, err := r.Public()
	if err != nil {
		return nil, err
	}
	return unbox[ledger.ReleaseDetail](network, e, g.agencyKey(e.Author), public, r.Sealed)
}

func unsealRefuse(network sign.NetworkID, e *Entry, r *ledger.Refuse, g *grant) (*ledger.RefuseDetail, error) {
	if !g.unsealed() {
		return nil, errNoConsent
	}
	public, err := r.Public()
	if err != nil {
		return nil, err
	}
	return unbox[ledger.RefuseDetail](network, e, g.agencyKey(e.Author), public, r.Sealed)
}

func (g *grant) agencyKey(agency string) sign.Secret {
	return consent.AgencyKey(g.Body.Secret(), g.Header.Bounds.ConsentID(), agency)
}

// unbox opens the sealed part of an entry under a secret of its consent.
func unbox[T any](network sign.NetworkID, e *Entry, secret sign.Secret, public, box []byte) (*T, error) {
	place := seal.Place{Network: network, Kind: e.Kind, Author: e.Author, ID: e.Statement.ID}
	plain, err := seal.Unbox(secret, place, public, box)
	if err != nil {
		return nil, err
	}
	detail := new(T)
	if err := sign.Unmarshal(plain, detail); err != nil {
		return nil, err
	}
	return detail, nil
}
