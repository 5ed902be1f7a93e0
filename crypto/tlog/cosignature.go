package tlog

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"

	"atoll/crypto/sign"
)

// A Cosigner signs checkpoints of logs in its own name, with a time
// (c2sp.org/tlog-cosignature, cosignature/v1). A cosignature states: at that
// time this was the largest consistent tree I knew for this origin.
//
// It prints as its public key.
type Cosigner struct {
	Verifier
	key ed25519.PrivateKey
}

// NewCosigner returns the cosigner with this name. Its key must serve no other
// purpose: see [NewCosignerVerifier]. It returns [ErrMalformed] or
// [ErrTooLarge] for a bad name or key.
func NewCosigner(name string, key ed25519.PrivateKey) (Cosigner, error) {
	public, err := publicKey(key)
	if err != nil {
		return Cosigner{}, err
	}
	v, err := NewCosignerVerifier(name, public)
	return Cosigner{v, key}, err
}

// Cosign returns the cosignature line for a checkpoint, newline included. time
// is in seconds since 1970. It takes a Checkpoint, not a text, so that a
// cosigner signs the head of a tree that it has itself. The caller has made
// sure that the tree is consistent with all it cosigned before, and has stored
// the new head.
//
// Errors: [ErrMalformed] for a time of 2^63 or more, and those of
// [ParseCheckpoint].
func (s Cosigner) Cosign(c Checkpoint, time uint64) (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	if time > math.MaxInt64 {
		return "", fmt.Errorf("%w: cosignature time %d", ErrMalformed, time)
	}
	sig := binary.BigEndian.AppendUint64(nil, time)
	sig = append(sig, ed25519.Sign(s.key, cosignedMessage(time, []byte(c.Text())))...)
	return signature{s.name, s.id, sig}.String(), nil
}

// cosignedMessage returns the bytes under the Ed25519 signature. They do not
// name the cosigner.
func cosignedMessage(time uint64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", time), text...)
}

// splitCosignature returns the time and the Ed25519 signature in a cosignature.
func splitCosignature(sig []byte) (time uint64, ed []byte, ok bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, nil, false
	}
	time = binary.BigEndian.Uint64(sig)
	return time, sig[8:], time <= math.MaxInt64
}

// Attach adds cosignature lines, as a cosigner returned them, to a signed
// checkpoint. Each line by one of the cosigners is verified first, since a
// single bad line of a known key makes every verifier refuse the whole
// checkpoint. Lines by unknown keys, which a witness may add, are left out. The
// signatures already there are not verified.
//
// It adds all lines or none. Call it once per answer, so that a bad answer
// harms nobody but its sender.
//
// Errors: [ErrSignature] for a wrong cosignature, or if there is none by the
// cosigners; [ErrDuplicate] for a second line by the same key, or two cosigners
// with one key; [ErrMalformed], [ErrTooLarge].
func Attach(signed []byte, lines string, cosigners ...Verifier) ([]byte, error) {
	return AttachBy(nil, signed, lines, cosigners...)
}

// AttachBy is Attach with tables of some keys.
func AttachBy(tables *sign.Keys, signed []byte, lines string, cosigners ...Verifier) ([]byte, error) {
	c, _, err := parseSigned(signed)
	if err != nil {
		return nil, err
	}
	if len(lines) > MaxNoteBytes {
		return nil, fmt.Errorf("%w: cosignatures of %d bytes", ErrTooLarge, len(lines))
	}
	add, err := parseSignatures([]byte(lines))
	if err != nil {
		return nil, err
	}
	if err := checkDistinct(cosigners); err != nil {
		return nil, err
	}
	out := append([]byte(nil), signed...)
	for _, s := range add {
		known, err := verify(tables, c, []signature{s}, cosigners)
		if err != nil {
			return nil, err
		}
		if len(known) > 0 && known[0].Key.Cosigner() {
			out = append(out, s.String()...)
		}
	}
	if len(out) == len(signed) {
		return nil, fmt.Errorf("%w: no cosignature by any of %d cosigners", ErrSignature, len(cosigners))
	}
	// This finds a key that had signed before, and one signature too many.
	if _, _, err := parseSigned(out); err != nil {
		return nil, err
	}
	return out, nil
}
