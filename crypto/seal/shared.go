package seal

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"atoll/crypto/sign"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// What one person seals and another answers for must show whom it opens for.
// age's stanzas do not: whether a stanza opens for its recipient, nobody else
// can tell. Here the randomness of each follows from a secret that is in the
// plaintext, so that whoever opens the file makes the stanzas of the others
// again and compares. The file is an age file like any other.
//
// It costs no secrecy: whoever knows the secret has the plaintext, and to
// everybody else HKDF's output is as good as random (that randomness may follow
// from the message is what Fujisaki and Okamoto showed). The file key takes part
// in it, so that the same secret sealed twice never has one stanza key for two
// file keys.
//
// Ways that were not taken: a seal made by whoever carries it needs no check,
// but the enterprise would sign what it has not sealed, and give its own
// recipient to the bank; and one secret for all of the file would need a writer
// of our own for age's format.
const (
	labelPostQuantum = "atoll/v1/seal/mlkem768"
	labelClassic     = "atoll/v1/seal/x25519"
)

// LeftOut is the error that says whom a file does not open for, as far as can
// be seen.
type LeftOut struct{ Nth int } // of the recipients, from 0

func (l *LeftOut) Error() string {
	return fmt.Sprintf("stanza %d is not the one that recipient %d opens", l.Nth+1, l.Nth+1)
}

// EncryptShared is [EncryptBytes] for what [CheckShared] checks. The secret must
// be random and part of the plaintext. The recipients have the first stanzas, in
// their order: nobody tries a stanza before his own that was not checked.
func EncryptShared(plaintext []byte, secret sign.Secret, stanzas int, to ...Recipient) ([]byte, error) {
	var all []age.Recipient
	for _, r := range to {
		all = append(all, &shared{secret, r})
	}
	return inMemory(plaintext, func(dst io.Writer) (io.WriteCloser, error) { return encrypt(dst, 0, stanzas, all) })
}

// CheckShared reports whether a file that opens with an identity, and in which this
// secret was found, opens for all these recipients too: they have its first
// stanzas, as [EncryptShared] makes them. The error is a [*LeftOut] where one has
// not, and else as those of [Decrypt]. What stands behind in the file may be for
// anybody, and keeps none of these from opening it.
func CheckShared(sealed []byte, with Identity, secret sign.Secret, to ...Recipient) error {
	w := &watcher{Identity: with.id}
	s := &source{r: bytes.NewReader(sealed)}
	if _, err := age.Decrypt(s, w); err != nil {
		return s.explain(err)
	}
	for n, r := range to {
		want, err := (&shared{secret, r}).stanza(w.key)
		if err != nil || n >= len(w.stanzas) || !sameStanza(w.stanzas[n], want) {
			return &LeftOut{n} // nobody can seal to a recipient that is no key
		}
	}
	return nil
}

func sameStanza(a, b *age.Stanza) bool {
	return a.Type == b.Type && slices.Equal(a.Args, b.Args) && bytes.Equal(a.Body, b.Body)
}

// watcher is an identity that remembers what it was shown.
type watcher struct {
	age.Identity
	stanzas []*age.Stanza
	key     []byte // of the file
}

func (w *watcher) Unwrap(stanzas []*age.Stanza) (key []byte, err error) {
	w.stanzas = stanzas
	w.key, err = w.Identity.Unwrap(stanzas)
	return w.key, err
}

// shared is a recipient whose stanza follows from a secret.
type shared struct {
	secret sign.Secret
	to     Recipient
}

// Wrap implements [age.Recipient].
func (s *shared) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	one, err := s.stanza(fileKey)
	return []*age.Stanza{one}, err
}

// WrapWithLabels has age refuse recipients of other kinds beside it, as it does
// with [age.HybridRecipient].
func (s *shared) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	all, err := s.Wrap(fileKey)
	return all, []string{"postquantum"}, err
}

// stanza is age's of type mlkem768x25519: HPKE (RFC 9180) in base mode over
// MLKEM768-X25519, whose randomness is derived here instead of drawn.
func (s *shared) stanza(fileKey []byte) (*age.Stanza, error) {
	const size = mlkem.EncapsulationKeySize768
	pq, err := mlkem.NewEncapsulationKey768(s.to[:size])
	if err != nil {
		return nil, fmt.Errorf("%w: not a hybrid age recipient", sign.ErrMalformed)
	}
	classic, err := ecdh.X25519().NewPublicKey(s.to[size:])
	if err != nil {
		return nil, fmt.Errorf("%w: not a hybrid age recipient", sign.ErrMalformed)
	}
	// The package is named for tests because who chooses this randomness badly
	// loses all; ours are 32 bytes of HKDF.
	random := s.secret.Derive(labelPostQuantum, fileKey, s.to[:])
	one, enc, err := mlkemtest.Encapsulate768(pq, random[:])
	if err != nil {
		return nil, err
	}
	random = s.secret.Derive(labelClassic, fileKey, s.to[:])
	ephemeral, err := ecdh.X25519().NewPrivateKey(random[:])
	if err != nil {
		return nil, err
	}
	two, err := ephemeral.ECDH(classic)
	if err != nil {
		return nil, fmt.Errorf("%w: a hybrid age recipient of small order", sign.ErrMalformed)
	}
	point := ephemeral.PublicKey().Bytes()
	both := sha3.Sum256(slices.Concat(one, two, point, s.to[size:], []byte(`\.//^\`)))
	body, err := hpkeSeal(both[:], fileKey)
	return &age.Stanza{Type: "mlkem768x25519", Args: []string{base64.RawStdEncoding.EncodeToString(append(enc, point...))}, Body: body}, err
}

// hpkeSeal seals the first message under a KEM's shared secret as HPKE does:
// RFC 9180, sections 5.1 and 5.2, mode base, HKDF-SHA256, ChaCha20-Poly1305, and
// age's info.
func hpkeSeal(secret, message []byte) ([]byte, error) {
	const kem, kdf, aead, info = 0x647a, 0x0001, 0x0003, "age-encryption.org/mlkem768x25519"
	suite := []byte("HPKE-v1HPKE")
	for _, id := range []uint16{kem, kdf, aead} {
		suite = binary.BigEndian.AppendUint16(suite, id)
	}
	extract := func(salt []byte, label, input string) []byte {
		out, err := hkdf.Extract(sha256.New, slices.Concat(suite, []byte(label), []byte(input)), salt)
		if err != nil {
			panic(err) // only under rules that forbid short secrets, which SHA-256's are not
		}
		return out
	}
	context := slices.Concat([]byte{0}, extract(nil, "psk_id_hash", ""), extract(nil, "info_hash", info))
	root := extract(secret, "secret", "")
	expand := func(label string, size int) []byte {
		out, err := hkdf.Expand(sha256.New, root, string(slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(size)), suite, []byte(label), context)), size)
		if err != nil {
			panic(err) // of constant length, within HKDF's limit
		}
		return out
	}
	key, nonce := expand("key", chacha20poly1305.KeySize), expand("base_nonce", chacha20poly1305.NonceSize)
	c, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	return c.Seal(nil, nonce, message, nil), nil
}
