package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// What a signature is that does not count for a genesis.
var (
	ErrNotFounder   = errors.New("no member of this genesis has the key of the signature")
	ErrOtherGenesis = errors.New("the signature is not of this genesis")
)

// Fingerprint is the start of a SHA-256, which people compare by telephone: 128
// bits, so that nobody can make something else with the same one.
type Fingerprint [16]byte

// String returns the fingerprint in groups of four digits, to be read out.
func (f Fingerprint) String() string { return tlog.Spoken(hex.EncodeToString(f[:])) }

// ParseFingerprint reads 32 hexadecimal digits as people write them down: in
// groups or not, small letters or capitals. It reports whether the text is that.
func ParseFingerprint(text string) (f Fingerprint, ok bool) {
	text = strings.NewReplacer(" ", "", "-", "", ":", "").Replace(strings.TrimSpace(text))
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(f) {
		return f, false
	}
	return Fingerprint(raw), true
}

// Fingerprint returns that of the card: all that it says, and all of its keys.
func (c *Card) Fingerprint() (Fingerprint, error) {
	raw, err := sign.Marshal(c)
	if err != nil {
		return Fingerprint{}, err
	}
	sum := sha256.Sum256(raw)
	return Fingerprint(sum[:16]), nil
}

// ID returns the id of the network that this genesis founds, once all have
// signed it.
func (g *Genesis) ID() (sign.NetworkID, error) {
	payload, err := sign.Marshal(g)
	if err != nil {
		return sign.NetworkID{}, err
	}
	return NetworkID(payload), nil
}

// Fingerprint returns that of the genesis, the start of the id of its network.
func (g *Genesis) Fingerprint() (Fingerprint, error) {
	id, err := g.ID()
	return Fingerprint(id[:16]), err
}

// SignedBy returns the member whose signature of this genesis s is. The error is
// [ErrNotFounder] where no member has its key, and [ErrOtherGenesis], with the
// name of the member, where it is by a member's key and does not verify.
func (g *Genesis) SignedBy(s sign.Signature) (name string, err error) {
	payload, err := sign.Marshal(g)
	if err != nil {
		return "", err
	}
	statement, err := sign.Attach(KindGenesis, payload, s)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(g.Members, func(c Card) bool { return sign.KeyIDOf(c.Statement) == statement.KeyID })
	if i < 0 {
		return "", ErrNotFounder
	}
	if err := statement.Verify(sign.NetworkID{}, g.Members[i].Statement); err != nil {
		return g.Members[i].Name, fmt.Errorf("%w: %w", ErrOtherGenesis, err)
	}
	return g.Members[i].Name, nil
}
