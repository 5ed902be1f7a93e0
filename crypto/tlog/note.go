package tlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"atoll/crypto/sign"

	"golang.org/x/mod/sumdb/note"
)

// Signature types (c2sp.org/signed-note). A type is part of the key ID, so the
// same key bytes under another type are another key.
const (
	typeLog         = 0x01 // Ed25519 over the text
	typeCosignature = 0x04 // Ed25519 over time and text (c2sp.org/tlog-cosignature)
)

// A Verifier is a named public key: a log's (type 0x01) or a cosigner's (type
// 0x04). Verifiers are comparable, and serve as x/mod's note.Verifier. The
// zero Verifier accepts nothing.
type Verifier struct {
	name string
	kind byte
	id   uint32
	key  [ed25519.PublicKeySize]byte
}

var _ note.Verifier = Verifier{}

// NewLogVerifier returns the key of the log with this origin. It returns
// [ErrMalformed] or [ErrTooLarge] for a bad origin or key.
func NewLogVerifier(origin string, key ed25519.PublicKey) (Verifier, error) {
	if err := CheckOrigin(origin); err != nil {
		return Verifier{}, err
	}
	return newVerifier(origin, typeLog, key)
}

// NewCosignerVerifier returns the key of the cosigner with this name, by
// custom a URL without scheme. A cosignature does not commit to the name: a
// key must never belong to two cosigners. It returns [ErrMalformed] or
// [ErrTooLarge] for a bad name or key.
func NewCosignerVerifier(name string, key ed25519.PublicKey) (Verifier, error) {
	return newVerifier(name, typeCosignature, key)
}

func newVerifier(name string, kind byte, key []byte) (Verifier, error) {
	if err := checkName(name); err != nil {
		return Verifier{}, err
	}
	if !sign.ValidKey(key) {
		return Verifier{}, fmt.Errorf("%w: %s: not an Ed25519 public key", ErrMalformed, name)
	}
	v := Verifier{name: name, kind: kind, key: [ed25519.PublicKeySize]byte(key)}
	sum := sha256.Sum256([]byte(name + "\n" + string(v.material())))
	v.id = binary.BigEndian.Uint32(sum[:])
	return v, nil
}

// ParseVerifier is the inverse of [Verifier.String]. It returns [ErrMalformed]
// for any other text, keys of other types included.
func ParseVerifier(vkey string) (Verifier, error) {
	bad := fmt.Errorf("%w: verifier key %.400q", ErrMalformed, vkey)
	name, rest, _ := strings.Cut(vkey, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	material, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(material) != 1+ed25519.PublicKeySize {
		return Verifier{}, bad
	}
	if kind := material[0]; kind != typeLog && kind != typeCosignature {
		return Verifier{}, fmt.Errorf("%w: unknown type %#02x", bad, kind)
	}
	v, err := newVerifier(name, material[0], material[1:])
	if err != nil {
		return Verifier{}, err
	}
	// The comparison checks the key ID too.
	if v.String() != vkey {
		return Verifier{}, bad
	}
	return v, nil
}

// String returns the vkey: NAME+hex(key ID)+base64(type ‖ public key).
func (v Verifier) String() string {
	return fmt.Sprintf("%s+%08x+%s", v.name, v.id, base64.StdEncoding.EncodeToString(v.material()))
}

func (v Verifier) material() []byte { return append([]byte{v.kind}, v.key[:]...) }

// Name returns the key name; for a log key, the origin.
func (v Verifier) Name() string { return v.name }

// KeyHash returns the key ID: the first four bytes, big-endian, of
// SHA-256(name ‖ 0x0A ‖ type ‖ public key).
func (v Verifier) KeyHash() uint32 { return v.id }

// Public returns the key itself.
func (v Verifier) Public() ed25519.PublicKey { return ed25519.PublicKey(v.key[:]) }

// Cosigner reports whether the key belongs to a cosigner, not to a log.
func (v Verifier) Cosigner() bool { return v.kind == typeCosignature }

// Verify reports whether sig, the signature line's bytes after the key ID, is
// this key's signature over the text.
func (v Verifier) Verify(text, sig []byte) bool { return v.verifyBy(nil, text, sig) }

// verifyBy is Verify with tables of some keys.
func (v Verifier) verifyBy(tables *sign.Keys, text, sig []byte) bool {
	switch v.kind {
	case typeLog:
		return tables.Verify(v.key[:], text, sig)
	case typeCosignature:
		time, sig, ok := splitCosignature(sig)
		return ok && tables.Verify(v.key[:], cosignedMessage(time, text), sig)
	}
	return false
}

// checkName refuses what cannot be a key name. It checks only properties of
// characters that no Unicode version changes.
func checkName(name string) error {
	if len(name) > MaxNameBytes {
		return fmt.Errorf("%w: key name of %d bytes", ErrTooLarge, len(name))
	}
	bad := func(r rune) bool { return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r) }
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("%w: key name %q", ErrMalformed, name)
	}
	return nil
}

// checkDistinct refuses two keys with the same public key, whatever their
// names and types.
func checkDistinct(keys []Verifier) error {
	seen := make(map[[ed25519.PublicKeySize]byte]string, len(keys))
	for _, k := range keys {
		if other, ok := seen[k.key]; ok {
			return fmt.Errorf("%w: %s and %s are the same public key", ErrDuplicate, other, k.name)
		}
		seen[k.key] = k.name
	}
	return nil
}

// A signature is one line under a note: the claimed key and its signature.
type signature struct {
	name string
	id   uint32
	sig  []byte
}

const signaturePrefix = "\u2014 "

// String returns the line: em dash, name, base64(key ID ‖ signature), newline.
func (s signature) String() string {
	blob := append(binary.BigEndian.AppendUint32(nil, s.id), s.sig...)
	return signaturePrefix + s.name + " " + base64.StdEncoding.EncodeToString(blob) + "\n"
}

// parseSignature is the inverse of signature.String.
func parseSignature(line string) (signature, error) {
	bad := fmt.Errorf("%w: signature line %.400q", ErrMalformed, line)
	rest, ok := strings.CutPrefix(line, signaturePrefix)
	name, encoded, ok2 := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
	blob, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || !ok2 || err != nil || len(blob) < 5 {
		return signature{}, bad
	}
	if err := checkName(name); err != nil {
		return signature{}, err
	}
	s := signature{name, binary.BigEndian.Uint32(blob), blob[4:]}
	// base64 has spare bits that decoders ignore: without the comparison one
	// signature would have several spellings.
	if s.String() != line {
		return signature{}, bad
	}
	return s, nil
}

// parseSignatures parses one or more signature lines, no two by the same key.
func parseSignatures(lines []byte) ([]signature, error) {
	var sigs []signature
	type nameID struct {
		name string
		id   uint32
	}
	seen := make(map[nameID]bool)
	for line := range bytes.Lines(lines) {
		if len(sigs) == MaxSignatures {
			return nil, fmt.Errorf("%w: more than %d signatures", ErrTooLarge, MaxSignatures)
		}
		s, err := parseSignature(string(line))
		if err != nil {
			return nil, err
		}
		if key := (nameID{s.name, s.id}); seen[key] {
			return nil, fmt.Errorf("%w: two signatures by %s+%08x", ErrDuplicate, s.name, s.id)
		} else {
			seen[key] = true
		}
		sigs = append(sigs, s)
	}
	if len(sigs) == 0 {
		return nil, fmt.Errorf("%w: no signature lines", ErrMalformed)
	}
	return sigs, nil
}

// parseDecimal parses a number without sign or leading zeroes.
func parseDecimal(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("%w: number %.40q", ErrMalformed, s)
	}
	return n, nil
}
