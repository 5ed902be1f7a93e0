package sign

import (
	"bytes"
	"crypto/ed25519"
	"strings"
)

const (
	typPrefix = "application/vnd.atoll."
	typSuffix = "+cbor"
	maxKind   = 40

	tagSign1 = 0xd2 // CBOR's tag 18
	algEdDSA = -8   // RFC 9053
)

// Statement is a parsed COSE_Sign1, not yet verified: a kind, the id of the
// key that claims to have signed, a payload.
type Statement struct {
	Kind    string // such as "query.open"; a-z, dots
	KeyID   KeyID  // of the signing key
	Payload []byte // deterministic CBOR, decoded by [Statement.Decode]

	raw       []byte
	protected []byte // header, encoded
	signature []byte
}

// envelope and protected mirror COSE_Sign1 = [protected, unprotected, payload,
// signature] of RFC 9052 section 4.2. Libraries for COSE take more than the one
// encoding (other key orders, unprotected headers, longer lengths), so that
// statements are written and read here, by [Marshal] and [Unmarshal].
type envelope struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected struct{}
	Payload     []byte
	Signature   []byte
}

type protected struct {
	Alg int64  `cbor:"1,keyasint"`
	KID []byte `cbor:"4,keyasint"`
	Typ string `cbor:"16,keyasint"`
}

// signed mirrors Sig_structure of RFC 9052 section 4.4: what is signed.
type signed struct {
	_         struct{} `cbor:",toarray"`
	Context   string
	Protected []byte
	Aad       []byte
	Payload   []byte
}

// Sign returns a statement of the given kind with this payload, signed for one
// network. The payload is marshalled with [Marshal]. Sign fails if the
// statement would exceed [MaxStatement] or the kind is invalid.
func Sign(key ed25519.PrivateKey, network NetworkID, kind string, payload any) ([]byte, error) {
	if !validKind(kind) {
		return nil, malformed("kind %q", kind)
	}
	body, err := Marshal(payload)
	if err != nil {
		return nil, err
	}
	kid := KeyIDOf(key.Public().(ed25519.PublicKey))
	header, err := encodeHeader(kid[:], kind)
	if err != nil {
		return nil, err
	}
	message, err := encodeMessage(header, network, body)
	if err != nil {
		return nil, err
	}
	raw, err := encodeStatement(header, body, ed25519.Sign(key, message))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxStatement {
		return nil, malformed("statement of %d bytes, the limit is %d", len(raw), MaxStatement)
	}
	return raw, nil
}

// encodeHeader returns the protected header of a statement.
func encodeHeader(kid []byte, kind string) ([]byte, error) {
	return Marshal(protected{Alg: algEdDSA, KID: kid, Typ: typPrefix + kind + typSuffix})
}

// encodeMessage returns what is signed of a statement.
func encodeMessage(header []byte, network NetworkID, payload []byte) ([]byte, error) {
	return Marshal(signed{Context: "Signature1", Protected: header, Aad: network.aad(), Payload: payload})
}

// encodeStatement joins header, payload and signature.
func encodeStatement(header, payload, signature []byte) ([]byte, error) {
	raw, err := Marshal(envelope{Protected: header, Payload: payload, Signature: signature})
	return append([]byte{tagSign1}, raw...), err
}

// Parse reads a statement in its one encoding and leaves the signature to
// [Statement.Verify]. The error wraps [ErrMalformed].
func Parse(raw []byte) (*Statement, error) {
	if len(raw) > MaxStatement {
		return nil, malformed("statement of %d bytes, the limit is %d", len(raw), MaxStatement)
	}
	if len(raw) == 0 || raw[0] != tagSign1 {
		return nil, malformed("not a tagged COSE_Sign1")
	}
	raw = bytes.Clone(raw)
	e, err := openEnvelope(raw[1:])
	if err != nil {
		return nil, err
	}
	var p protected
	if err := Unmarshal(e.Protected, &p); err != nil {
		return nil, err
	}
	kind, err := p.kind()
	if err != nil {
		return nil, err
	}
	sig := Signature{KeyID: p.KID, Bytes: e.Signature}
	if err := sig.check(); err != nil {
		return nil, err
	}
	return &Statement{
		Kind: kind, KeyID: KeyID(p.KID), Payload: e.Payload,
		raw: raw, protected: e.Protected, signature: e.Signature,
	}, nil
}

// openEnvelope is [Unmarshal] of an envelope, whose parts share the memory of raw.
func openEnvelope(raw []byte) (e envelope, err error) {
	r := reader(raw)
	part := func() (b []byte) {
		if err == nil {
			b, err = r.str(majorBytes)
		}
		return b
	}
	err = r.exactly(majorArray, 4)
	e.Protected = part()
	if err == nil {
		err = r.exactly(majorMap, 0)
	}
	e.Payload, e.Signature = part(), part()
	if err == nil && len(r) != 0 {
		err = errTrailing
	}
	return e, err
}

// Signature is one key's signature over a payload that is kept elsewhere: a
// statement without its payload. Genesis lists one for each founder.
type Signature struct {
	_     struct{} `cbor:",toarray"`
	KeyID []byte   // [KeyID] of the signing key
	Bytes []byte   // Ed25519 signature
}

// Signature returns the statement without its payload.
func (s *Statement) Signature() Signature {
	return Signature{KeyID: s.KeyID[:], Bytes: s.signature}
}

// Attach joins a kind, a payload and a signature into the statement that was
// signed. It does not verify the signature, see [Statement.Verify].
func Attach(kind string, payload []byte, sig Signature) (*Statement, error) {
	if !validKind(kind) {
		return nil, malformed("kind %q", kind)
	}
	if err := sig.check(); err != nil {
		return nil, err
	}
	header, err := encodeHeader(sig.KeyID, kind)
	if err != nil {
		return nil, err
	}
	raw, err := encodeStatement(header, payload, sig.Bytes)
	if err != nil {
		return nil, err
	}
	return &Statement{
		Kind: kind, KeyID: KeyID(sig.KeyID), Payload: payload,
		raw: raw, protected: header, signature: sig.Bytes,
	}, nil
}

func (s *Signature) check() error {
	if len(s.KeyID) != len(KeyID{}) {
		return malformed("key id of %d bytes", len(s.KeyID))
	}
	if len(s.Bytes) != ed25519.SignatureSize {
		return malformed("signature of %d bytes", len(s.Bytes))
	}
	return nil
}

func (p *protected) kind() (string, error) {
	kind, ok := strings.CutPrefix(p.Typ, typPrefix)
	kind, ok2 := strings.CutSuffix(kind, typSuffix)
	switch {
	case p.Alg != algEdDSA:
		return "", malformed("algorithm %d", p.Alg)
	case !ok || !ok2 || !validKind(kind):
		return "", malformed("typ %q", p.Typ)
	}
	return kind, nil
}

// validKind reports whether kind is lower-case words joined by dots.
func validKind(kind string) bool {
	if kind == "" || len(kind) > maxKind || kind[0] == '.' || kind[len(kind)-1] == '.' {
		return false
	}
	for _, c := range []byte(kind) {
		if (c < 'a' || c > 'z') && c != '.' {
			return false
		}
	}
	return true
}

// Verify checks that pub signed the statement for this network. The error
// wraps [ErrSignature].
func (s *Statement) Verify(network NetworkID, pub ed25519.PublicKey) error {
	return s.VerifyBy(nil, network, pub)
}

// VerifyBy is Verify with tables of some keys.
func (s *Statement) VerifyBy(keys *Keys, network NetworkID, pub ed25519.PublicKey) error {
	message, ok := s.message(network, pub)
	if !ok || !keys.Verify(pub, message, s.signature) {
		return ErrSignature
	}
	return nil
}

// message returns the bytes that pub must have signed. ok reports whether pub
// is the key that the statement names.
func (s *Statement) message(network NetworkID, pub ed25519.PublicKey) (message []byte, ok bool) {
	if len(pub) != ed25519.PublicKeySize || KeyIDOf(pub) != s.KeyID {
		return nil, false
	}
	message, err := encodeMessage(s.protected, network, s.Payload)
	return message, err == nil
}

// Decode reads the payload into v as [Unmarshal] does.
func (s *Statement) Decode(v any) error { return Unmarshal(s.Payload, v) }

// Bytes returns the statement as it was parsed. The caller must not change it.
func (s *Statement) Bytes() []byte { return s.raw }
