package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"atoll/crypto/sign"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	boxLabel   = "atoll/v1/box"
	keptLabel  = "atoll/v1/box/kept"
	saltSize   = 32
	commitSize = 32
	// MaxBox is the size limit of a box's padded plaintext in bytes. A box has
	// to fit into a statement of at most 60,000 bytes.
	MaxBox = 32 << 10
	// BoxOverhead is what a box adds to the bucket of its plaintext, in bytes.
	BoxOverhead = saltSize + commitSize + chacha20poly1305.Overhead
)

// Place identifies the statement that carries a box. A box opens with the Place
// that it was made for and no other.
type Place struct {
	Network sign.NetworkID
	Kind    string // of the statement
	Author  string // member name
	ID      [16]byte
}

func (p Place) info() string {
	info := append([]byte(boxLabel), 0)
	for _, part := range [][]byte{p.Network[:], []byte(p.Kind), []byte(p.Author), p.ID[:]} {
		info = binary.BigEndian.AppendUint16(info, uint16(len(part)))
		info = append(info, part...)
	}
	return string(info)
}

// keys derives a box's key, nonce and commitment. ChaCha20-Poly1305 by itself
// commits to no key. With the commitment a box opens under one key only, so
// nobody can show an auditor other content than the reader saw.
func (p Place) keys(secret sign.Secret, salt []byte) (key, nonce, commitment []byte) {
	const k, n = chacha20poly1305.KeySize, chacha20poly1305.NonceSize
	okm, err := hkdf.Key(sha256.New, secret[:], salt, p.info(), k+n+commitSize)
	if err != nil {
		panic(err) // constant length, within HKDF's limit
	}
	return okm[:k], okm[k : k+n], okm[k+n:]
}

// Box seals a small value under a secret: salt (32 random bytes), key
// commitment (32), ChaCha20-Poly1305 (RFC 8439) of the padded plaintext with
// the statement's public part as associated data. The plaintext may have up to
// [MaxBox]-1 bytes.
func Box(secret sign.Secret, place Place, public, plaintext []byte) ([]byte, error) {
	return BoxPadded(secret, place, public, plaintext, 0)
}

// BoxPadded is [Box] for a plaintext whose size must stay hidden: a plaintext
// of up to room bytes is padded as one of room bytes would be.
func BoxPadded(secret sign.Secret, place Place, public, plaintext []byte, room uint64) ([]byte, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return boxSalted(secret, place, public, plaintext, room, salt)
}

// BoxKept is [BoxPadded] for a member that may lose the secret and nothing but
// its own one: with that, [KeptSecret] finds the secret again. The salt is the
// secret, masked by bytes that follow from own and the place. To anyone without
// own it is random. No two boxes may have one place.
func BoxKept(secret, own sign.Secret, place Place, public, plaintext []byte, room uint64) ([]byte, error) {
	salt := place.mask(own, secret)
	return boxSalted(secret, place, public, plaintext, room, salt[:])
}

// KeptSecret returns the secret of a box that [BoxKept] has made with own in
// this place. Of any other box it returns bytes that open nothing.
func KeptSecret(own sign.Secret, place Place, box []byte) (secret sign.Secret) {
	if len(box) < saltSize {
		return secret
	}
	return place.mask(own, sign.Secret(box[:saltSize]))
}

// mask adds bytes that follow from own and the place, by exclusive or.
func (p Place) mask(own, s sign.Secret) (masked sign.Secret) {
	mask := own.Derive(keptLabel, []byte(p.info()))
	subtle.XORBytes(masked[:], mask[:], s[:])
	return masked
}

func boxSalted(secret sign.Secret, place Place, public, plaintext []byte, room uint64, salt []byte) ([]byte, error) {
	size := Bucket(max(uint64(len(plaintext)), room) + 1)
	if size > MaxBox {
		return nil, fmt.Errorf("seal: %d bytes do not fit into a box", size)
	}
	box := append(make([]byte, 0, BoxOverhead+size), salt...)
	key, nonce, commitment := place.keys(secret, box[:saltSize])
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	padded := make([]byte, size)
	padded[copy(padded, plaintext)] = padMark
	return aead.Seal(append(box, commitment...), nonce, padded, public), nil
}

// Unbox opens a box in its place. The error is [ErrNotForUs] if the secret, the
// place or the public part differs from the one the box was made with. It wraps
// [ErrBroken] if the bytes cannot be a box.
func Unbox(secret sign.Secret, place Place, public, box []byte) ([]byte, error) {
	size := uint64(len(box)) - BoxOverhead
	if len(box) < BoxOverhead || size > MaxBox || size != Bucket(size) {
		return nil, fmt.Errorf("%w: box of %d bytes", ErrBroken, len(box))
	}
	key, nonce, commitment := place.keys(secret, box[:saltSize])
	if subtle.ConstantTimeCompare(commitment, box[saltSize:saltSize+commitSize]) != 1 {
		return nil, ErrNotForUs
	}
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	padded, err := aead.Open(nil, nonce, box[saltSize+commitSize:], public)
	if err != nil {
		return nil, ErrNotForUs
	}
	plaintext := bytes.TrimRight(padded, "\x00")
	n := len(plaintext) - 1
	if n < 0 || plaintext[n] != padMark {
		return nil, fmt.Errorf("%w: wrong padding", ErrBroken)
	}
	return plaintext[:n], nil
}
