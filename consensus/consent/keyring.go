package consent

import (
	"crypto/ed25519"

	"atoll/crypto/sign"
)

// Keyring derives all keys of one subject on one network from its seed. Whoever
// has the seed finds every consent again by counting; nobody else can link two
// of them.
type Keyring struct {
	seed    sign.Secret
	network sign.NetworkID
}

// NewKeyring returns the keys of the subject with this seed.
func NewKeyring(seed sign.Secret, network sign.NetworkID) Keyring {
	return Keyring{seed, network}
}

// Credential returns the key that signs terms. A registrar binds it to the
// subject; a lost one is replaced by the next generation, counted from 0.
func (k Keyring) Credential(generation uint64) ed25519.PrivateKey {
	return k.seed.Key(sign.LabelCredential, k.network[:], sign.Number(generation))
}

// Consent returns the key of consent number n.
func (k Keyring) Consent(n uint64) ed25519.PrivateKey {
	return k.seed.Key(sign.LabelConsent, k.network[:], sign.Number(n))
}

// Revocation returns the key that revokes consent number n.
func (k Keyring) Revocation(n uint64) ed25519.PrivateKey {
	return k.seed.Key(sign.LabelRevocation, k.network[:], sign.Number(n))
}

// Age returns the secret of the age identity to which bodies are sealed for
// the subject.
func (k Keyring) Age() sign.Secret { return k.seed.Derive(sign.LabelAge, k.network[:]) }

// Kit returns the secret under which the subject keeps what it has.
func (k Keyring) Kit() sign.Secret { return k.seed.Derive(sign.LabelKit, k.network[:]) }

// Revoke signs the revocation of consent number n.
func (k Keyring) Revoke(n uint64) ([]byte, error) {
	key := k.Revocation(n)
	id := sign.KeyIDOf(k.Consent(n).Public().(ed25519.PublicKey))
	return sign.Sign(key, k.network, KindRevoke, Revocation{Consent: id[:], Key: key.Public().(ed25519.PublicKey)})
}
