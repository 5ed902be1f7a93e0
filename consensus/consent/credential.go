package consent

import (
	"crypto/ed25519"

	"atoll/crypto/sign"
)

// Credential is a registrar's word that a key speaks for a subject. It is a
// statement of kind "credential" signed by the registrar; the log carries only
// its digest, and who holds the statement can show that the digest is its own.
type Credential struct {
	Salt      []byte  `cbor:"1,keyasint"` // 32 random bytes, so that the digest tells nothing
	Subject   Subject `cbor:"2,keyasint"`
	Key       []byte  `cbor:"3,keyasint"` // Ed25519 public key of the subject
	NotBefore Day     `cbor:"4,keyasint"`
	NotAfter  Day     `cbor:"5,keyasint"` // inclusive
}

// Check reports whether the credential can be one, by itself.
func (c *Credential) Check() error {
	if _, _, err := ParseSubject(string(c.Subject)); err != nil {
		return err
	}
	switch {
	case len(c.Salt) != 32 || !sign.ValidKey(c.Key):
		return malformed("credential: salt or key")
	case c.NotBefore < 0 || c.NotAfter < c.NotBefore || c.NotAfter-c.NotBefore >= 2*MaxDays:
		return malformed("credential: a credential lasts 1 to %d days", 2*MaxDays)
	}
	return nil
}

// ReadCredential reads a credential without its signature: what somebody says
// that a registrar signed. See [OpenTerms].
func ReadCredential(statement []byte) (*Credential, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	if s.Kind != KindCredential {
		return nil, malformed("kind %q where %q belongs", s.Kind, KindCredential)
	}
	c := new(Credential)
	return c, s.Decode(c)
}

// CredentialDigest is what credential.issue puts on the log for a credential's
// statement.
func CredentialDigest(statement []byte) []byte { return digest(labelCredential, statement) }

// Authority is what someone who holds the ledger knows of a credential: who
// issued it on the log, under which key.
type Authority struct {
	Network   sign.NetworkID
	Registrar ed25519.PublicKey // statement key of the registrar at the time of issue
}

// OpenTerms checks that the credential was signed by the registrar, that the
// terms were signed by the key it names, and that both are about one subject
// at one time. What it returns is what the subject agreed to. That the
// credential stands on the log unrevoked is for the caller to look up by
// [CredentialDigest].
func OpenTerms(a Authority, terms, credential []byte, day Day) (*Terms, error) {
	var c Credential
	if err := decodeVerified(a.Network, KindCredential, credential, a.Registrar, &c); err != nil {
		return nil, refuse(BadSubject, "credential: %v", err)
	}
	if err := c.Check(); err != nil {
		return nil, refuse(BadSubject, "%v", err)
	}
	if day < c.NotBefore || day > c.NotAfter {
		return nil, refuse(BadSubject, "the credential is not valid on this day")
	}
	var t Terms
	if err := decodeVerified(a.Network, KindTerms, terms, c.Key, &t); err != nil {
		return nil, refuse(BadSubject, "terms: %v", err)
	}
	if err := t.Check(); err != nil {
		return nil, refuse(BadSubject, "%v", err)
	}
	if t.Subject != c.Subject {
		return nil, refuse(BadSubject, "terms and credential name different subjects")
	}
	return &t, nil
}

// decodeVerified reads the payload of a statement of this kind, if the key signed
// it on the network.
func decodeVerified(network sign.NetworkID, kind string, raw []byte, key ed25519.PublicKey, v any) error {
	s, err := sign.Parse(raw)
	if err != nil {
		return err
	}
	if s.Kind != kind {
		return malformed("kind %q where %q belongs", s.Kind, kind)
	}
	if err := s.Verify(network, key); err != nil {
		return err
	}
	return s.Decode(v)
}
