// Package subject implements the enterprise's side: its wallet, what it signs,
// and what it reads about itself in the log. All of it is a function of bytes.
// The caller stores the results, on a disk or in a browser, and provides clock
// and randomness. (Only package seal draws nonces itself, as age does; no
// result depends on their values.) No node is needed: a log is read through an
// [audit.Source], and signed statements reach the log through any member.
//
// An enterprise keeps:
//
//   - Its seed, encrypted ([New], [Wallet.Unlock]).
//   - The founding statement of its network ([Locked]).
//   - What it asked a registrar to certify ([Enrolment]), and the credential it
//     received ([Wallet.Credential]).
//   - The number of its next consent ([NextText]), with a copy of each consent
//     signed.
//   - What it has seen of the log ([SeenText]).
//
// The first two are enough to revoke a consent and to find everything else again
// in the log.
package subject

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Wallet is an enterprise on one network. It has no keys until it is unlocked.
type Wallet struct {
	Subject consent.Subject // the enterprise; "" if only the network is known
	Genesis *ledger.Genesis
	Network sign.NetworkID
	keys    consent.Keyring
}

// Enrolment is what a subject asks a registrar to certify.
type Enrolment struct {
	Subject consent.Subject `cbor:"1,keyasint"`
	Network []byte          `cbor:"2,keyasint"`
	Key     []byte          `cbor:"3,keyasint"` // Ed25519 credential key
}

// ErrNetwork means that a paper is of a network other than the reader's.
var ErrNetwork = errors.New("of another network")

// Check reports whether the enrolment is well-formed by itself, so that its
// content may be shown to people. Errors wrap [sign.ErrMalformed].
func (e *Enrolment) Check() error {
	if _, _, err := consent.ParseSubject(string(e.Subject)); err != nil {
		return err
	}
	if !sign.ValidKey(e.Key) {
		return fmt.Errorf("%w: no key", sign.ErrMalformed)
	}
	return nil
}

// Fingerprint returns the fingerprint of a key, for people to compare by
// telephone: 32 digits in groups of four.
func Fingerprint(key ed25519.PublicKey) string {
	return Groups(sign.KeyIDOf(key).String())
}

// Of reports whether the enrolment is for this network.
func (e *Enrolment) Of(network sign.NetworkID) bool { return bytes.Equal(e.Network, network[:]) }

// Locked returns an enterprise's wallet on the network of a founding statement,
// without keys.
func Locked(genesis []byte) (*Wallet, error) {
	g, id, err := ledger.VerifyGenesis(genesis)
	if err != nil {
		return nil, err
	}
	return &Wallet{Genesis: g, Network: id}, nil
}

// New draws the seed of an enterprise from random ([crypto/rand.Reader] outside
// of tests). It returns the enterprise's wallet on the network of a founding
// statement, unlocked, and the seed encrypted under a passphrase. Errors are those of
// [seal.CheckPassphrase] if the passphrase is weak.
func New(genesis []byte, id consent.Subject, words string, random io.Reader) (w *Wallet, sealed []byte, err error) {
	if w, err = Locked(genesis); err != nil {
		return nil, nil, err
	}
	_, code, _ := strings.Cut(string(id), ":")
	if err := seal.CheckPassphrase(words, code); err != nil {
		return nil, nil, err
	}
	var seed sign.Secret
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, nil, err
	}
	w.Subject, w.keys = id, consent.NewKeyring(seed, w.Network)
	sealed, err = seal.EncryptPassphrase([]byte(seed.Reveal()+"\n"), words)
	return w, sealed, err
}

// Unlock decrypts the seed that [New] has encrypted. Errors wrap those of
// package seal, or [sign.ErrMalformed] if the decrypted text is not a seed.
func (w *Wallet) Unlock(sealed []byte, words string) error {
	text, err := seal.DecryptPassphrase(sealed, words)
	if err != nil {
		return err
	}
	seed, err := sign.ParseSeed(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	w.keys = consent.NewKeyring(seed, w.Network)
	return nil
}

// Enrolment returns what a registrar has to certify.
func (w *Wallet) Enrolment() *Enrolment {
	return &Enrolment{Subject: w.Subject, Network: w.Network[:], Key: w.credentialKey()}
}

// Keys returns the keys of this enterprise on this network.
func (w *Wallet) Keys() consent.Keyring { return w.keys }

func (w *Wallet) credentialKey() ed25519.PublicKey {
	return w.keys.Credential(0).Public().(ed25519.PublicKey)
}

// age returns the identity that opens the bodies of this enterprise's consents.
func (w *Wallet) age() (seal.Identity, error) { return seal.IdentityFrom(w.keys.Age()) }

// Credential is [VerifyCredential], and checks that the credential is about this
// enterprise and its key. If it is about another, the error is a [*consent.Refusal].
func (w *Wallet) Credential(statement []byte, rosters ...*ledger.Roster) (*consent.Credential, error) {
	c, err := VerifyCredential(w.Network, statement, rosters...)
	if c == nil {
		return nil, err
	}
	if c.Subject != w.Subject || !w.credentialKey().Equal(ed25519.PublicKey(c.Key)) {
		return nil, &consent.Refusal{Code: consent.BadSubject, Detail: "the credential is about another enterprise or another key"}
	}
	return c, err
}

// ErrIssuer means that a credential is by nobody whom the reader knows: by a registrar
// that joined since, or that has left. It wraps [sign.ErrSignature].
var ErrIssuer = fmt.Errorf("%w: its registrar is not among the members that are known here", sign.ErrSignature)

// VerifyCredential reads a credential's statement and verifies that a member has
// signed it, by the first of these rosters that has the key. If none has it, the error
// is [ErrIssuer], and the credential is returned with it: a registrar that has left
// may have issued what still stands. Only the log shows whether the member is a
// registrar, and whether the credential is valid.
func VerifyCredential(network sign.NetworkID, statement []byte, rosters ...*ledger.Roster) (*consent.Credential, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	if s.Kind != consent.KindCredential {
		return nil, sign.ErrSignature
	}
	unknown := ErrIssuer
	for _, members := range rosters {
		if by := members.Author(s.KeyID); by != nil {
			if err := s.Verify(network, by.Key); err != nil {
				return nil, err
			}
			unknown = nil
			break
		}
	}
	c := new(consent.Credential)
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c, unknown
}
