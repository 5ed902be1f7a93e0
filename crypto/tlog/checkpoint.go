package tlog

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"atoll/crypto/sign"

	"golang.org/x/mod/sumdb/note"
	sumdb "golang.org/x/mod/sumdb/tlog"
)

// A Checkpoint is the head of the log that Origin identifies
// (c2sp.org/tlog-checkpoint). It has no time; cosignatures have one.
type Checkpoint struct {
	Origin string
	Head
}

// CheckOrigin returns nil if origin is a valid name of a log: a URL without
// scheme and without slash at either end, of printable ASCII without space and
// plus, such as log.example.com/access/1. The specification recommends that
// form, atoll requires it. Errors: [ErrMalformed], [ErrTooLarge].
func CheckOrigin(origin string) error {
	if len(origin) > MaxNameBytes {
		return fmt.Errorf("%w: origin of %d bytes", ErrTooLarge, len(origin))
	}
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '+' }
	if origin == "" || strings.ContainsFunc(origin, bad) || strings.Contains(origin, "://") ||
		strings.HasPrefix(origin, "/") || strings.HasSuffix(origin, "/") {
		return fmt.Errorf("%w: origin %q", ErrMalformed, origin)
	}
	return nil
}

// Text returns what the log and its cosigners sign: origin, size and base64
// root, one per line.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// ParseCheckpoint is the inverse of [Checkpoint.Text]. It accepts no extension
// lines, which auditors could not check. Errors: [ErrMalformed], [ErrTooLarge],
// and [ErrInconsistent] for an empty tree with a root that is not its own.
func ParseCheckpoint(text []byte) (Checkpoint, error) {
	bad := fmt.Errorf("%w: checkpoint %.400q", ErrMalformed, text)
	lines := strings.SplitAfterN(string(text), "\n", 4)
	if len(lines) != 4 {
		return Checkpoint{}, bad
	}
	size, err := parseDecimal(strings.TrimSuffix(lines[1], "\n"))
	if err != nil {
		return Checkpoint{}, err
	}
	root, err := sumdb.ParseHash(strings.TrimSuffix(lines[2], "\n"))
	if err != nil {
		return Checkpoint{}, bad
	}
	c := Checkpoint{strings.TrimSuffix(lines[0], "\n"), Head{size, root}}
	if err := c.check(); err != nil {
		return Checkpoint{}, err
	}
	if c.Text() != string(text) {
		return Checkpoint{}, bad
	}
	return c, nil
}

// check refuses a checkpoint that no log is allowed to sign.
func (c Checkpoint) check() error {
	if err := CheckOrigin(c.Origin); err != nil {
		return err
	}
	return c.Head.check()
}

// check refuses a head that no tree of this package can have.
func (h Head) check() error {
	if h.Size > MaxTreeSize {
		return fmt.Errorf("%w: tree of %d entries", ErrTooLarge, h.Size)
	}
	if h.Size == 0 && h.Root != emptyRoot {
		return fmt.Errorf("%w: empty tree with root %s", ErrInconsistent, h.Root)
	}
	return nil
}

// A LogSigner signs checkpoints in the name of a log. It is also x/mod's
// note.Signer. It prints as its public key.
type LogSigner struct {
	Verifier
	key ed25519.PrivateKey
}

var _ note.Signer = LogSigner{}

// NewLogSigner returns a signer for the log with this origin. It returns
// [ErrMalformed] or [ErrTooLarge] for a bad origin or key.
func NewLogSigner(origin string, key ed25519.PrivateKey) (LogSigner, error) {
	public, err := publicKey(key)
	if err != nil {
		return LogSigner{}, err
	}
	v, err := NewLogVerifier(origin, public)
	return LogSigner{v, key}, err
}

// publicKey returns the public half of a key, recomputed from the private half:
// signing with halves that do not belong together reveals the private key.
func publicKey(key ed25519.PrivateKey) (ed25519.PublicKey, error) {
	if len(key) != ed25519.PrivateKeySize || !key.Equal(ed25519.NewKeyFromSeed(key.Seed())) {
		return nil, fmt.Errorf("%w: private key", ErrMalformed)
	}
	return key.Public().(ed25519.PublicKey), nil
}

// Sign returns the signature over a note text.
func (s LogSigner) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.key, text), nil }

// SignCheckpoint returns the checkpoint as a signed note with one line per
// signer. There is one signer, or two while the log's key is rotated: the old
// key and the new one. The caller vouches that the checkpoint is consistent
// with everything the log has ever signed.
//
// Errors: [ErrOrigin] if a signer belongs to another log, [ErrDuplicate],
// [ErrMalformed] if there is no signer or the checkpoint is invalid, and those
// of [ParseCheckpoint].
func SignCheckpoint(c Checkpoint, signers ...LogSigner) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(signers) == 0 || len(signers) > MaxSignatures {
		return nil, fmt.Errorf("%w: checkpoint with %d signers", ErrMalformed, len(signers))
	}
	var keys []Verifier
	var sign []note.Signer
	for _, s := range signers {
		if s.Name() != c.Origin {
			return nil, fmt.Errorf("%w: key of %s for a checkpoint of %s", ErrOrigin, s.Name(), c.Origin)
		}
		keys = append(keys, s.Verifier)
		sign = append(sign, s)
	}
	if err := checkDistinct(keys); err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.Text()}, sign...)
}

// A Signature is a verified signature: its key and, for a cosignature, its
// time, in seconds since 1970 by the cosigner's clock. A log's signature has no
// time.
type Signature struct {
	Key  Verifier
	Time uint64
}

// VerifyCheckpoint parses a signed checkpoint of the log with this origin and
// verifies it with the given keys, at least one of which must have signed. It
// returns the signatures by these keys, in the order of their lines, and
// ignores lines by other keys. A log key counts only if its name is the origin.
//
// It does not decide who had to sign: for that see [Policy].
//
// Errors: [ErrMalformed] and [ErrTooLarge] for the bytes; [ErrDuplicate] if two
// lines or two keys are the same key; [ErrOrigin]; [ErrSignature] if no key has
// signed, or if the signature of one is wrong. A note with one bad line of a
// known key is not to be believed in any part (c2sp.org/signed-note).
func VerifyCheckpoint(signed []byte, origin string, keys ...Verifier) (Checkpoint, []Signature, error) {
	return VerifyCheckpointBy(nil, signed, origin, keys...)
}

// VerifyCheckpointBy is VerifyCheckpoint with tables of some keys.
func VerifyCheckpointBy(tables *sign.Keys, signed []byte, origin string, keys ...Verifier) (Checkpoint, []Signature, error) {
	c, found, err := verifySigned(tables, signed, keys)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Origin != origin {
		return Checkpoint{}, nil, fmt.Errorf("%w: %s, not %s", ErrOrigin, c.Origin, origin)
	}
	if len(found) == 0 {
		return Checkpoint{}, nil, fmt.Errorf("%w: checkpoint not signed by any of %d keys", ErrSignature, len(keys))
	}
	return c, found, nil
}

// Unverified reads a signed checkpoint and verifies no signature. It is for
// callers who need the size in order to know whose signatures count. Its errors
// are those of [VerifyCheckpoint] for the bytes.
func Unverified(signed []byte) (Checkpoint, error) {
	c, _, err := parseSigned(signed)
	return c, err
}

// verifySigned parses a signed checkpoint and verifies every line by one of the keys.
// There may be none.
func verifySigned(tables *sign.Keys, signed []byte, keys []Verifier) (Checkpoint, []Signature, error) {
	c, sigs, err := parseSigned(signed)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if err := checkDistinct(keys); err != nil {
		return Checkpoint{}, nil, err
	}
	found, err := verify(tables, c, sigs, keys)
	return c, found, err
}

// parseSigned splits a signed checkpoint without verifying anything.
func parseSigned(signed []byte) (Checkpoint, []signature, error) {
	if len(signed) > MaxNoteBytes {
		return Checkpoint{}, nil, fmt.Errorf("%w: checkpoint of %d bytes", ErrTooLarge, len(signed))
	}
	// A checkpoint's text has no empty line, so the first one ends it.
	text, lines, ok := bytes.Cut(signed, []byte("\n\n"))
	if !ok {
		return Checkpoint{}, nil, fmt.Errorf("%w: checkpoint without signatures", ErrMalformed)
	}
	c, err := ParseCheckpoint(signed[:len(text)+1])
	if err != nil {
		return Checkpoint{}, nil, err
	}
	sigs, err := parseSignatures(lines)
	return c, sigs, err
}

// verify checks every signature by one of the keys.
func verify(tables *sign.Keys, c Checkpoint, sigs []signature, keys []Verifier) ([]Signature, error) {
	var found []Signature
	text := []byte(c.Text())
	for _, s := range sigs {
		for _, k := range keys {
			if s.name != k.name || s.id != k.id || !k.Cosigner() && k.name != c.Origin {
				continue
			}
			if !k.verifyBy(tables, text, s.sig) {
				return nil, fmt.Errorf("%w: by %s+%08x", ErrSignature, k.name, k.id)
			}
			valid := Signature{Key: k}
			if k.Cosigner() {
				valid.Time, _, _ = splitCosignature(s.sig)
			}
			found = append(found, valid)
		}
	}
	return found, nil
}

// ClockSkew is how far, in seconds, one correct clock may be ahead of another.
// A cosignature dated further ahead than that by the reader's clock was not
// made at the time it states.
const ClockSkew = 3600

// Dated returns a time, in seconds since 1970, at which an honest cosigner knew
// of no larger head than the one with these signatures. It is the newest time
// that neither the given number of liars nor a clock that is ahead can have
// made up, or 0 if there is none. now is the time by the reader's clock.
func Dated(signatures []Signature, liars int, now uint64) uint64 {
	var times []uint64
	for _, s := range signatures {
		times = append(times, s.Time)
	}
	slices.Sort(times)
	for i := len(times) - 1 - max(0, liars); i >= 0; i-- {
		if times[i] <= now+ClockSkew {
			return times[i]
		}
	}
	return 0
}
