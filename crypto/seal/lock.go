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

// Lock seals a value that a member stores for itself: a random nonce (24
// bytes), then XChaCha20-Poly1305 under a key derived from the secret, with
// context as associated data. The context names the place where the value is
// stored, so that it opens there and nowhere else. There is no padding. There
// is no key commitment either: a lock is opened only by the member that made
// it, which has nobody to deceive. A secret may make any number of locks.
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

// Unlock opens a lock. The error is [ErrNotForUs] if the secret or the context
// differs from the one the lock was made with, or if the bytes were altered;
// these cases cannot be told apart. It wraps [ErrBroken] if there are too few
// bytes for a lock.
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
