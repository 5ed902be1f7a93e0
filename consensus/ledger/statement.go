package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Statement is a parsed statement of a member. It is well-formed, and so is the
// statement it carries, if any. Its signatures are not verified yet.
type Statement struct {
	Kind    string      // kind of the content: for a carrier, of the carried statement
	ID      StatementID // the member's
	KeyID   sign.KeyID  // of the member's statement key
	Payload any         // *QueryOpen, *consent.Header and so on, by kind
	Carrier *Carrier    // nil unless the member carries a subject's statement

	raw     []byte
	outer   *sign.Statement
	carried *sign.Statement   // nil unless the member carries a subject's statement
	key     ed25519.PublicKey // key that must have signed the carried statement
}

// payload is implemented by the Go type of every kind.
type payload interface{ check() error }

type ownPayload interface {
	payload
	head() []byte
}

// own maps the kinds that members sign themselves to their payloads.
var own = map[string]func() ownPayload{
	KindQueryOpen:        func() ownPayload { return new(QueryOpen) },
	KindRelease:          func() ownPayload { return new(Release) },
	KindRefuse:           func() ownPayload { return new(Refuse) },
	KindReceipt:          func() ownPayload { return new(Receipt) },
	KindTick:             func() ownPayload { return new(Tick) },
	KindCredentialIssue:  func() ownPayload { return new(CredentialIssue) },
	KindCredentialRevoke: func() ownPayload { return new(CredentialRevoke) },
	KindCatalog:          func() ownPayload { return new(Catalog) },
	KindPropose:          func() ownPayload { return new(Propose) },
	KindApprove:          func() ownPayload { return new(Approve) },
	KindWithdraw:         func() ownPayload { return new(Withdraw) },
	KindUpdate:           func() ownPayload { return new(Update) },
	KindHandover:         func() ownPayload { return new(Handover) },
	KindAlive:            func() ownPayload { return new(Alive) },
	KindSettled:          func() ownPayload { return new(Settled) },
	KindAttest:           func() ownPayload { return new(Attest) },
	KindRecover:          func() ownPayload { return new(Recover) },
	KindDeleted:          func() ownPayload { return new(Deleted) },
	KindObjectionAnswer:  func() ownPayload { return new(ObjectionAnswer) },
}

// Parse reads a member's statement. The error wraps [sign.ErrMalformed].
// Genesis is read by [VerifyGenesis] instead.
func Parse(raw []byte) (*Statement, error) {
	outer, err := sign.Parse(raw)
	if err != nil {
		return nil, err
	}
	s := &Statement{Kind: outer.Kind, KeyID: outer.KeyID, raw: outer.Bytes(), outer: outer}
	if outer.Kind == KindCarrier {
		return s, s.parseCarried()
	}
	make, ok := own[outer.Kind]
	if !ok {
		return nil, malformed("kind %q", outer.Kind)
	}
	p := make()
	if err := outer.Decode(p); err != nil {
		return nil, err
	}
	if s.ID, err = parseID(p.head()); err != nil {
		return nil, err
	}
	s.Payload = p
	return s, p.check()
}

func (s *Statement) parseCarried() (err error) {
	s.Carrier = new(Carrier)
	if err := s.outer.Decode(s.Carrier); err != nil {
		return err
	}
	if s.ID, err = parseID(s.Carrier.ID); err != nil {
		return err
	}
	if s.carried, err = sign.Parse(s.Carrier.Statement); err != nil {
		return err
	}
	s.Kind = s.carried.Kind
	switch s.Kind {
	case KindGrant:
		return s.parseGrant()
	case KindRevoke:
		return s.parseRevocation()
	case KindObjection:
		return s.parseObjection()
	}
	return malformed("a carrier of kind %q", s.Kind)
}

func (s *Statement) parseGrant() error {
	h := new(consent.Header)
	s.Payload = h
	if err := s.carried.Decode(h); err != nil {
		return err
	}
	if err := h.Check(); err != nil {
		return err
	}
	s.key = h.Key
	return s.checkBody(h.Body)
}

func (s *Statement) parseRevocation() error {
	r := new(consent.Revocation)
	s.Payload = r
	if err := s.carried.Decode(r); err != nil {
		return err
	}
	s.key = r.Key
	if len(s.Carrier.Sealed) != 0 {
		return malformed("consent.revoke has no sealed part")
	}
	return r.Check()
}

func (s *Statement) parseObjection() error {
	o := new(Objection)
	s.Payload = o
	if err := s.carried.Decode(o); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	s.key = o.Key
	return s.checkBody(o.Body)
}

// checkBody checks that the sealed part is the one that the subject signed.
func (s *Statement) checkBody(digest []byte) error {
	if err := checkSealed(s.Carrier.Sealed); err != nil {
		return err
	}
	if !bytes.Equal(consent.BodyDigest(s.Carrier.Sealed), digest) {
		return malformed("the sealed part is not the one that was signed")
	}
	return nil
}

// Verify checks the signatures: the member's with the author key, and that of
// the carried statement with the key it names. The error wraps
// [sign.ErrSignature].
func (s *Statement) Verify(network sign.NetworkID, author ed25519.PublicKey) error {
	return s.verify(nil, network, author)
}

// verify is Verify with tables of some keys.
func (s *Statement) verify(keys *sign.Keys, network sign.NetworkID, author ed25519.PublicKey) error {
	if err := s.outer.VerifyBy(keys, network, author); err != nil {
		return err
	}
	if s.carried == nil {
		return nil
	}
	return s.carried.Verify(network, s.key)
}

// into adds the signatures that Verify checks to a batch.
func (s *Statement) into(b *sign.Batch, network sign.NetworkID, author ed25519.PublicKey) {
	b.Add(s.outer, network, author)
	if s.carried != nil {
		b.Add(s.carried, network, s.key)
	}
}

// Bytes returns the statement as it was parsed. The caller must not change it.
func (s *Statement) Bytes() []byte { return s.raw }

// identities returns the names under which the log remembers a statement, each
// with the digest of the bytes that the name stands for. These are the member's
// own id and, for a carried statement, its content: one revocation carried by
// two members is one revocation.
func (s *Statement) identities(author string) []identity {
	ids := []identity{{idKey(author, s.ID[:]), sha256.Sum256(s.raw)}}
	if s.carried == nil {
		return ids
	}
	var key []byte
	switch p := s.Payload.(type) {
	case *consent.Header:
		key = idKey("", append([]byte("g"), p.Bounds.ID...))
	case *consent.Revocation:
		id := sign.KeyIDOf(p.Key)
		key = revocationKey(p.Consent, id[:])
	default:
		sum := sha256.Sum256(s.Carrier.Statement)
		key = idKey("", append([]byte("o"), sum[:]...))
	}
	return append(ids, identity{key, sha256.Sum256(s.Carrier.Statement)})
}

type identity struct {
	key    []byte
	digest [32]byte
}
