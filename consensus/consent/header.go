package consent

import (
	"bytes"

	"atoll/crypto/sign"
)

// Kinds of the statements that make a consent.
const (
	KindGrant      = "consent.grant"  // a Header, signed by the consent key
	KindRevoke     = "consent.revoke" // a Revocation, signed by a revocation key
	KindTerms      = "consent.terms"  // Terms, signed by the credential key
	KindCredential = "credential"     // a Credential, signed by a registrar
)

// Labels of digests, see [sign.Digest].
const (
	labelTerms      = "atoll/v1/consent/terms"
	labelBody       = "atoll/v1/consent/body"
	labelSlice      = "atoll/v1/consent/slice"
	labelSection    = "atoll/v1/query/section"
	labelSlot       = "atoll/v1/query/slot"
	labelToken      = "atoll/v1/query/token"
	labelOperator   = "atoll/v1/query/operator"
	labelCredential = "atoll/v1/credential"
	labelAgencyKey  = "atoll/v1/consent/agency-key"
	labelCommitment = "atoll/v1/consent/agency-key-commitment"
	labelNotice     = "atoll/v1/consent/notice"
)

// Limits of a consent.
const (
	RevocationKeys = 4    // number of key ids in every consent; unused ones are random
	MaxDays        = 1830 // five years, the longest any purpose may allow
	MaxUses        = 100_000
	MaxPlainBody   = 32_767 // bytes of a body, which is padded before it is sealed
	MaxBody        = 48_000 // bytes of a sealed body: eight age stanzas and 32 KiB
)

// Frequency allows at most Uses uses in each window of Days days, windows
// counted from the first day of the consent. Zero in both means no such limit.
type Frequency struct {
	_    struct{} `cbor:",toarray"`
	Days uint32
	Uses uint32
}

// Bounds are the fields that header and terms share. The header shows them to
// the log; the terms state them under the subject's own name.
type Bounds struct {
	ID         []byte    `cbor:"1,keyasint"` // of the consent
	Bank       string    `cbor:"2,keyasint"` // member name
	NotBefore  Day       `cbor:"3,keyasint"` // first day
	NotAfter   Day       `cbor:"4,keyasint"` // last day, inclusive
	MaxUses    uint32    `cbor:"5,keyasint"` // queries in all, 1 to [MaxUses]
	Frequency  Frequency `cbor:"6,keyasint"`
	MaxAlerts  uint32    `cbor:"7,keyasint"` // monitoring messages in all
	Revocation [][]byte  `cbor:"8,keyasint"` // [RevocationKeys] key ids, ascending
}

// Header is the public part of a consent, signed by its consent key.
type Header struct {
	Key    []byte `cbor:"1,keyasint"` // Ed25519 public key; its KeyID is the consent's id
	Bounds Bounds `cbor:"2,keyasint"`
	Terms  []byte `cbor:"3,keyasint"` // digest of the terms payload
	Body   []byte `cbor:"4,keyasint"` // digest of the sealed body
}

// ConsentID returns the id as an array. The header must have passed Check.
func (b *Bounds) ConsentID() ID { return ID(b.ID) }

// Check reports whether the header is well-formed, looked at by itself. The
// error wraps [sign.ErrMalformed].
func (h *Header) Check() error {
	switch {
	case !sign.ValidKey(h.Key):
		return malformed("consent key")
	case len(h.Terms) != 32 || len(h.Body) != 32:
		return malformed("digest length")
	}
	if err := h.Bounds.Check(); err != nil {
		return err
	}
	if sign.KeyIDOf(h.Key) != h.Bounds.ConsentID() {
		return malformed("consent id is not that of its key")
	}
	return nil
}

// Check reports whether the bounds are consistent by themselves.
func (b *Bounds) Check() error {
	switch {
	case len(b.ID) != len(ID{}):
		return malformed("consent id of %d bytes", len(b.ID))
	case !ValidMember(b.Bank):
		return malformed("bank name")
	case b.NotBefore < 0 || b.NotAfter < b.NotBefore || b.NotAfter-b.NotBefore >= MaxDays:
		return malformed("a consent lasts 1 to %d days", MaxDays)
	case b.MaxUses == 0 || b.MaxUses > MaxUses:
		return malformed("a consent has 1 to %d uses", MaxUses)
	case (b.Frequency.Days == 0) != (b.Frequency.Uses == 0):
		return malformed("half a frequency")
	case b.Frequency.Days > MaxDays || b.Frequency.Uses > MaxUses:
		return malformed("frequency out of range")
	case b.MaxAlerts > MaxUses:
		return malformed("alerts out of range")
	case len(b.Revocation) != RevocationKeys || !ascending(b.Revocation, len(ID{})):
		return malformed("revocation keys: %d ascending key ids", RevocationKeys)
	}
	return nil
}

// Active reports whether the bounds allow a use on this day: nil, or a refusal
// with [NotYet] or [Expired].
func (b *Bounds) Active(day Day) *Refusal {
	switch {
	case day < b.NotBefore:
		return refuse(NotYet, "the consent begins later")
	case day > b.NotAfter:
		return refuse(Expired, "the consent has ended")
	}
	return nil
}

// Window returns the number of the frequency window that contains a day.
func (b *Bounds) Window(day Day) uint32 {
	if b.Frequency.Days == 0 || day < b.NotBefore {
		return 0
	}
	return uint32(day-b.NotBefore) / b.Frequency.Days
}

// BodyDigest returns the digest of a sealed body, as a header carries it.
func BodyDigest(sealed []byte) []byte { return digest(labelBody, sealed) }

// Revocation revokes a consent. It is signed by one of the consent's revocation
// keys.
type Revocation struct {
	Consent []byte `cbor:"1,keyasint"` // consent id
	Key     []byte `cbor:"2,keyasint"` // revocation public key
}

// Check reports whether the revocation is well-formed, looked at by itself.
func (r *Revocation) Check() error {
	if len(r.Consent) != len(ID{}) || !sign.ValidKey(r.Key) {
		return malformed("revocation")
	}
	return nil
}

// SignedBy reports whether the revocation names the key with this id.
func (r *Revocation) SignedBy(key []byte) bool {
	id := sign.KeyIDOf(r.Key)
	return bytes.Equal(id[:], key)
}

func digest(label string, data []byte) []byte {
	d := sign.Digest(label, data)
	return d[:]
}

// ascending reports whether all items have this size and each is greater than
// the one before. The list then has one order and no repetition.
func ascending(items [][]byte, size int) bool {
	for i, item := range items {
		if len(item) != size || i > 0 && string(items[i-1]) >= string(item) {
			return false
		}
	}
	return true
}
