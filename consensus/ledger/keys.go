package ledger

import (
	"crypto/ed25519"

	"atoll/crypto/sign"
)

// Keys derives the Ed25519 keys of one generation of a member from its seed.
// The context is the origin of the log rather than the network id, which
// commits to these very keys.
type Keys struct {
	seed       sign.Secret
	origin     string
	generation uint64
}

// NewKeys returns the keys of a member.
func NewKeys(seed sign.Secret, origin string, generation uint64) Keys {
	return Keys{seed, origin, generation}
}

func (k Keys) derive(label string) ed25519.PrivateKey {
	return k.seed.Key(label, []byte(k.origin), sign.Number(k.generation))
}

// Peer returns the key of the member's libp2p identity.
func (k Keys) Peer() ed25519.PrivateKey { return k.derive(sign.LabelPeer) }

// Statement returns the key that signs the member's statements.
func (k Keys) Statement() ed25519.PrivateKey { return k.derive(sign.LabelStatement) }

// Log returns the key that signs checkpoints (signed-note type 0x01).
func (k Keys) Log() ed25519.PrivateKey { return k.derive(sign.LabelLog) }

// Cosign returns the key that cosigns checkpoints (signed-note type 0x04).
func (k Keys) Cosign() ed25519.PrivateKey { return k.derive(sign.LabelCosign) }

// Vault returns the secret under which the member encrypts its own records. It
// survives a change of keys.
func (k Keys) Vault() sign.Secret { return k.seed.Derive(sign.LabelVault, []byte(k.origin)) }

// Rows returns the secret from which fingerprints of rows of the member's
// registers are computed. It survives a change of keys.
func (k Keys) Rows() sign.Secret { return k.seed.Derive(sign.LabelRows, []byte(k.origin)) }

// Answered returns the secret by which the member finds out which predicates it
// has answered, and of whom. It survives a change of keys.
func (k Keys) Answered() sign.Secret { return k.seed.Derive(sign.LabelAnswered, []byte(k.origin)) }

// Signers returns the ids of the keys that have signed the member's statements,
// in all generations so far.
func (k Keys) Signers() (ids []sign.KeyID) {
	for g := range k.generation + 1 {
		key := NewKeys(k.seed, k.origin, g).Statement()
		ids = append(ids, sign.KeyIDOf(key.Public().(ed25519.PublicKey)))
	}
	return ids
}

// Fill puts the public keys and their generation into a member's card.
func (k Keys) Fill(c *Card) {
	public := func(key ed25519.PrivateKey) []byte { return key.Public().(ed25519.PublicKey) }
	c.Generation = k.generation
	c.Peer, c.Statement = public(k.Peer()), public(k.Statement())
	c.Log, c.Cosign = public(k.Log()), public(k.Cosign())
}
