// Package sign makes and checks atoll's statements: small signed facts that
// mean the same thing to every member, today and in ten years.
//
// A statement is a COSE_Sign1 (RFC 9052) over deterministic CBOR (RFC 8949
// section 4.2.1), signed with Ed25519 (RFC 8032) as crypto/ed25519 checks it.
// The kind of a statement is its protected typ header (RFC 9596), so that a
// consent is never read as a query. The network it belongs to is its
// external_aad, so that nothing replays on another network.
//
// Use [Sign] and [Parse] for statements, [Batch] to verify again many that were
// decided on before, and [Attach] where many sign one payload (genesis);
// [Marshal] and [Unmarshal] for anything that is hashed or signed, and [Secret]
// for keys.
//
// Every statement has exactly one encoding: what is parsed is rebuilt from its
// meaning and must come out as the same bytes. Not promised here: that a
// statement is true, new, or allowed. That is for package ledger to decide.
package sign

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// MaxStatement is the size limit of one statement in bytes, signature and
// headers included. It leaves room in a log entry of 65,535 bytes.
const MaxStatement = 60_000

var (
	// ErrMalformed means that bytes do not have the expected content, or not in
	// its one permitted encoding.
	ErrMalformed = errors.New("malformed")
	// ErrSignature means that a signature does not verify under the key,
	// network and kind at hand.
	ErrSignature = errors.New("signature does not verify")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// NetworkID names a network: the SHA-256 of its genesis payload. The zero
// value stands for "no network yet" and is used by genesis alone.
type NetworkID [sha256.Size]byte

func (n NetworkID) String() string { return hex.EncodeToString(n[:]) }

// aad is the external_aad of a statement on this network.
func (n NetworkID) aad() []byte {
	if n == (NetworkID{}) {
		return nil
	}
	return n[:]
}

// KeyID names a public key: the first 16 bytes of its SHA-256. A consent's id
// is the KeyID of its consent key, so that nobody can squat it.
type KeyID [16]byte

func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// ParseKeyID reads what String writes.
func ParseKeyID(text string) (KeyID, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(KeyID{}) || hex.EncodeToString(raw) != text {
		return KeyID{}, malformed("key id %.40q: 32 digits of 0-9 and a-f", text)
	}
	return KeyID(raw), nil
}

// KeyIDOf returns the KeyID of a public key.
func KeyIDOf(pub ed25519.PublicKey) KeyID {
	sum := sha256.Sum256(pub)
	return KeyID(sum[:16])
}

// Digest returns SHA-256(label || 0x00 || data). Labels keep the digests of
// different things apart even where their bytes agree; SPEC.md lists them.
func Digest(label string, data []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(data)
	return [sha256.Size]byte(h.Sum(nil))
}
