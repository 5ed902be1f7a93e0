package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"sync"
)

// TokenPrefix begins the text of every token, so that scanners of repositories and of
// logs recognise one that has got there.
const TokenPrefix = "atolltok_"

// Sizes of a token in bytes: the secret, and its checksum, by which a token that was
// cut or mistyped is recognised without a look at any file.
const (
	secretSize   = 32
	checksumSize = 4
)

// tokenText is how a token is written: base32 in lower case.
var tokenText = sync.OnceValue(func() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
})

// newSecret returns the text of a new token: the prefix, and 256 random bits with a
// checksum.
func newSecret() string {
	secret := make([]byte, secretSize)
	rand.Read(secret) // it never fails
	return TokenPrefix + tokenText().EncodeToString(append(secret, checksum(secret)...))
}

// NewSecret returns a new secret, and its digest, which is all that whoever makes the
// token has to know: see [Wish].
func NewSecret() (text, digest string) {
	text = newSecret()
	d, _ := digestOf(text)
	return text, hex.EncodeToString(d[:])
}

func checksum(secret []byte) []byte {
	sum := sha256.Sum256(append([]byte("atoll/v1/token/checksum\x00"), secret...))
	return sum[:checksumSize]
}

// digest is what is stored of a token or of a client's certificate.
type digest [sha256.Size]byte

// digestOf returns the SHA-256 of a token's secret. A slow hash, as for passwords,
// would add nothing: nobody can try 2^256 secrets. It reports false for what no node
// has made.
func digestOf(text string) (d digest, ok bool) {
	encoded, ok := strings.CutPrefix(text, TokenPrefix)
	b, err := tokenText().DecodeString(encoded)
	if !ok || err != nil || len(b) != secretSize+checksumSize || tokenText().EncodeToString(b) != encoded {
		return d, false
	}
	secret := b[:secretSize]
	return sha256.Sum256(append([]byte("atoll/v1/token\x00"), secret...)), subtle.ConstantTimeCompare(checksum(secret), b[secretSize:]) == 1
}

// FingerprintOf returns the SHA-256 of a client's certificate in DER.
func FingerprintOf(certificate []byte) (d [sha256.Size]byte) { return sha256.Sum256(certificate) }

// id returns the public name of a token, which is in lists and logs. It tells nothing
// about the secret: only the holder of 256 bits can compute it.
func (d digest) id() string { return hex.EncodeToString(d[:6]) }
