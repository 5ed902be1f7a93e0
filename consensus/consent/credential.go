package consent

import (
	"crypto/ed25519"

	"atoll/crypto/sign"
)

// Credential is a registrar's statement that a key may sign for a subject. It
// has the kind "credential" and the registrar's signature. The log carries only
// its digest; whoever has the statement can prove that it matches the digest.
type Credential struct {
	Salt      []byte  `cbor:"1,keyasint"` // 32 random bytes, so that the digest reveals nothing
	Subject   Subject `cbor:"2,keyasint"`
	Key       []byte  `cbor:"3,keyasint"` // Ed25519 public key of the subject
	NotBefore Day     `cbor:"4,keyasint"`
	NotAfter  Day     `cbor:"5,keyasint"` // inclusive
}

// Check reports whether the credential is well-formed, looked at by itself.
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

// ReadCredential reads a credential without verifying the registrar's
// signature. To verify it, see [VerifyTerms].
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

// CredentialDigest returns the digest of a credential's statement that
// credential.issue puts on the log.
func CredentialDigest(statement []byte) []byte { return digest(labelCredential, statement) }

// Authority is what the ledger says about a credential: which registrar issued
// it and under which key.
type Authority struct {
	Network   sign.NetworkID
	Registrar ed25519.PublicKey // statement key of the registrar at the time of issue
}

// VerifyTerms verifies that the registrar signed the credential, that the
// credential is valid on the day, that the key it names signed the terms, and
// that both name one subject. It returns the terms that the subject agreed to.
// The caller has to look up by [CredentialDigest] that the credential is on the
// log and not revoked.
func VerifyTerms(a Authority, terms, credential []byte, day Day) (*Terms, error) {
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

// decodeVerified decodes the payload of a statement of this kind after
// verifying that the key signed it on the network.
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
