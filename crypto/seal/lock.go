package seal

import (
	"crypto/rand"
	"fmt"

	"atoll/crypto/sign"

	"golang.org/x/crypto/chacha20poly1305"
)

const lockLabel = "atoll/v1/lock"

// LockOverhead is what a lock adds to its plaintext, in bytes.
const LockOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// Lock seals what a member keeps at rest for itself: a random nonce (24
// bytes), then XChaCha20-Poly1305 under a key derived from the secret, with
// context as associated data. The context says where the value is stored, so that
// it opens there and nowhere else. There is no padding, and no key commitment:
// whoever opens a lock made it, and has nobody to deceive. A secret may make
// any number of locks.
func Lock(secret sign.Secret, context, plaintext []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, LockOverhead+len(plaintext))
	rand.Read(nonce) // never fails, see crypto/rand
	key := secret.Derive(lockLabel)
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic(err) // a key of constant length
	}
	return aead.Seal(nonce, nonce, plaintext, context)
}

// Unlock opens a lock. The error is [ErrNotForUs] where secret or context is
// another than the lock was made with, or the bytes were altered, which cannot
// be told apart; it wraps [ErrBroken] where they are too few for a lock.
func Unlock(secret sign.Secret, context, sealed []byte) ([]byte, error) {
	if len(sealed) < LockOverhead {
		return nil, fmt.Errorf("%w: lock of %d bytes", ErrBroken, len(sealed))
	}
	key := secret.Derive(lockLabel)
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	nonce, sealed := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plaintext, err := aead.Open(nil, nonce, sealed, context)
	if err != nil {
		return nil, ErrNotForUs
	}
	return plaintext, nil
}
