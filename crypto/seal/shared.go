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

// Where one party seals a file and another answers for it, a reader has to see
// for whom else the file opens. age's stanzas do not show that: only its own
// recipient can check a stanza. Here the randomness of each stanza
// is derived from a secret that is part of the plaintext. Whoever opens the
// file can therefore make the other recipients' stanzas again and compare. The
// file is an ordinary age file.
//
// It costs no secrecy: whoever knows the secret has the plaintext, and to
// everybody else HKDF's output is as good as random. Fujisaki and Okamoto
// showed that randomness may be derived from the message. The file key is an
// input of the derivation too, so that the same secret sealed twice never gives
// two file keys the same stanza key.
//
// Two alternatives were rejected. If the carrier made the seal, no check would
// be needed, but the enterprise would sign what it has not sealed, and would
// have to give its own recipient to the bank. One secret for the whole file
// would need a writer of our own for age's format.
const (
	labelPostQuantum = "atoll/v1/seal/mlkem768"
	labelClassic     = "atoll/v1/seal/x25519"
)

// LeftOut is the error for a file that, as far as can be checked, does not open
// for one of its recipients.
type LeftOut struct{ Nth int } // index of the recipient, from 0

func (l *LeftOut) Error() string {
	return fmt.Sprintf("stanza %d is not the one that recipient %d opens", l.Nth+1, l.Nth+1)
}

// EncryptShared is [EncryptBytes] for what [CheckShared] checks. The secret
// must be random and part of the plaintext. The recipients have the first
// stanzas, in their order, so that each tries only checked stanzas before its
// own.
func EncryptShared(plaintext []byte, secret sign.Secret, stanzas int, to ...Recipient) ([]byte, error) {
	var all []age.Recipient
	for _, r := range to {
		all = append(all, &shared{secret, r})
	}
	return inMemory(plaintext, func(dst io.Writer) (io.WriteCloser, error) { return encrypt(dst, 0, stanzas, all) })
}

// CheckShared reports whether a file opens for all these recipients. The caller
// has opened the file with an identity and found the secret in it. The
// recipients must have its first stanzas, as [EncryptShared] makes them. The
// error is a [*LeftOut] if one of them has not, and otherwise one of those of
// [Decrypt]. Stanzas after the first ones may be for anybody, and prevent no
// recipient from opening the file.
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

// watcher is an identity that remembers the stanzas and the file key it was
// shown.
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

// WrapWithLabels makes age refuse recipients of other kinds in the same file,
// as it does with [age.HybridRecipient].
func (s *shared) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	all, err := s.Wrap(fileKey)
	return all, []string{"postquantum"}, err
}

// stanza makes an age stanza of type mlkem768x25519: HPKE (RFC 9180) in base
// mode over MLKEM768-X25519. Its randomness is derived here, not drawn.
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
	// The package's name says "test" because badly chosen randomness breaks the
	// encryption; this randomness is 32 bytes of HKDF.
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
