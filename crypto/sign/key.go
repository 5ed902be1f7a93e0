package sign

import (
	"bytes"
	"crypto/ed25519"

	"filippo.io/edwards25519"
)

// ValidKey reports whether pub is a public key that a document may contain: a
// point of Ed25519's curve in its one encoding (RFC 8032 section 5.1.2), and
// none of the eight points of small order.
//
// crypto/ed25519 checks neither. But under a key of small order anybody can
// sign anything, and a point with two encodings is two keys with one owner.
// Code that counts keys or looks up a key's owner would be deceived, and other
// implementations would disagree with this one.
func ValidKey(pub []byte) bool {
	if len(pub) != ed25519.PublicKeySize {
		return false
	}
	point, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil || !bytes.Equal(point.Bytes(), pub) {
		return false
	}
	return new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 0
}
