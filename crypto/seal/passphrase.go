package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"golang.org/x/text/unicode/norm"
)

// maxPassphraseWork limits the work that somebody else's file can cause.
const (
	maxPassphraseWork = 20
	maxPassphraseFile = 64 << 10 // bytes of plaintext
)

// ErrPassphrase means that a passphrase does not open a file.
var ErrPassphrase = errors.New("wrong passphrase")

// EncryptPassphrase seals a small secret, such as a subject's seed, under a
// passphrase (age, scrypt). Any age tool opens the result, with the passphrase in
// normal form C: one machine's keyboard composes é, another's does not.
func EncryptPassphrase(plaintext []byte, words string) ([]byte, error) {
	r, err := age.NewScryptRecipient(norm.NFC.String(words))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	r.SetWorkFactor(passphraseWork)
	return inMemory(plaintext, func(dst io.Writer) (io.WriteCloser, error) { return age.Encrypt(dst, r) })
}

// DecryptPassphrase opens what [EncryptPassphrase] sealed, and what was sealed
// under exactly these words. Errors wrap [ErrPassphrase] or [ErrBroken].
func DecryptPassphrase(sealed []byte, words string) ([]byte, error) {
	plaintext, err := decryptPassphrase(sealed, norm.NFC.String(words))
	if errors.Is(err, ErrPassphrase) && !norm.NFC.IsNormalString(words) {
		return decryptPassphrase(sealed, words)
	}
	return plaintext, err
}

func decryptPassphrase(sealed []byte, words string) ([]byte, error) {
	id, err := age.NewScryptIdentity(words)
	if err != nil {
		return nil, ErrPassphrase
	}
	id.SetMaxWorkFactor(maxPassphraseWork)
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBroken, err)
	}
	plaintext, err := io.ReadAll(io.LimitReader(r, maxPassphraseFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBroken, err)
	}
	return plaintext, nil
}
