package sign

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// Secret is 32 random bytes from which keys are derived: the seed of a member
// or a subject, or a consent's K. It prints as "[secret]" wherever it is
// formatted or logged, and refuses to be marshalled.
type Secret [32]byte

// NewSecret returns a fresh random secret.
func NewSecret() Secret {
	var s Secret
	rand.Read(s[:]) // never fails, see crypto/rand
	return s
}

func (Secret) String() string                 { return "[secret]" }
func (Secret) GoString() string               { return "[secret]" }
func (Secret) Format(f fmt.State, _ rune)     { fmt.Fprint(f, "[secret]") }
func (Secret) LogValue() slog.Value           { return slog.StringValue("[secret]") }
func (Secret) MarshalText() ([]byte, error)   { return nil, errSecret }
func (Secret) MarshalBinary() ([]byte, error) { return nil, errSecret }

var errSecret = errors.New("a secret is not to be marshalled")

const seedPrefix = "atoll-seed-"

// Reveal returns the text form of a seed: Bech32 (BIP 173) in upper case, so
// that a copying error is noticed. It is meant for the seed's key file and
// nothing else.
func (s Secret) Reveal() string {
	text, err := bech32.EncodeFromBase256(seedPrefix, s[:])
	if err != nil {
		panic(err) // constant prefix, bytes of fixed length
	}
	return strings.ToUpper(text)
}

// ParseSeed reads the text form that [Secret.Reveal] writes.
func ParseSeed(text string) (Secret, error) {
	prefix, data, err := bech32.DecodeToBase256(text)
	if err != nil || prefix != seedPrefix || len(data) != len(Secret{}) {
		return Secret{}, malformed("not a seed")
	}
	s := Secret(data)
	if s.Reveal() != text {
		return Secret{}, malformed("not a seed")
	}
	return s, nil
}

// Labels of key derivation. A label is never used for two purposes; SPEC.md has
// the table with the context of each.
const (
	LabelPeer       = "atoll/v1/member/peer"        // libp2p identity
	LabelStatement  = "atoll/v1/member/statement"   // a member's statements
	LabelLog        = "atoll/v1/member/log"         // signed-note type 0x01
	LabelCosign     = "atoll/v1/member/cosign"      // signed-note type 0x04
	LabelVault      = "atoll/v1/member/vault"       // what a member keeps at rest for itself
	LabelRows       = "atoll/v1/member/rows"        // fingerprints of rows of a member's registers
	LabelAnswered   = "atoll/v1/member/answered"    // which predicates a member has answered
	LabelCatalog    = "atoll/v1/member/catalog"     // salt of a version of a member's catalog
	LabelCredential = "atoll/v1/subject/credential" // a subject's terms
	LabelConsent    = "atoll/v1/subject/consent"    // one consent's header
	LabelRevocation = "atoll/v1/subject/revocation" // one consent's end
	LabelAge        = "atoll/v1/subject/age"        // a subject's age identity
	LabelKit        = "atoll/v1/subject/kit"        // what a subject keeps for itself
)

// Derive returns 32 bytes of HKDF-SHA-256 (RFC 5869) with s as key, no salt, and as info the label, a zero byte, and each context element behind
// its length as two bytes big-endian. Different labels or contexts give
// unrelated bytes.
func (s Secret) Derive(label string, context ...[]byte) Secret {
	info := append([]byte(label), 0)
	for _, c := range context {
		info = binary.BigEndian.AppendUint16(info, uint16(len(c)))
		info = append(info, c...)
	}
	out, err := hkdf.Key(sha256.New, s[:], nil, string(info), 32)
	if err != nil {
		panic(err) // 32 bytes are always within HKDF's limit
	}
	return Secret(out)
}

// Key derives an Ed25519 private key, see [Secret.Derive].
func (s Secret) Key(label string, context ...[]byte) ed25519.PrivateKey {
	d := s.Derive(label, context...)
	return ed25519.NewKeyFromSeed(d[:])
}

// Number returns n as eight bytes big-endian: a generation or a consent's
// number as context of [Secret.Derive].
func Number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
