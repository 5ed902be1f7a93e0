package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"

	"atoll/crypto/sign"
)

// labelPossession keeps what a key signs about its card apart from all else that
// it signs.
const labelPossession = "atoll/v1/member/possession"

const (
	possessed     = 4 // Ed25519 keys of a card
	signatureSize = ed25519.SignatureSize
)

// possession is what each Ed25519 key of a card signs. It covers the card as a
// whole, so that nobody can alter the roles of an application.
func (c *Card) possession(network sign.NetworkID) ([]byte, error) {
	raw, err := sign.Marshal(c)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(raw)
	message := append([]byte(labelPossession), 0)
	return append(append(message, network[:]...), digest[:]...), nil
}

// Possession proves that the holder of the keys has made the card, for this
// network: signatures by the peer, statement, log and cosign key.
func (k Keys) Possession(network sign.NetworkID, c *Card) ([][]byte, error) {
	message, err := c.possession(network)
	if err != nil {
		return nil, err
	}
	var list [][]byte
	for _, key := range []ed25519.PrivateKey{k.Peer(), k.Statement(), k.Log(), k.Cosign()} {
		list = append(list, ed25519.Sign(key, message))
	}
	return list, nil
}

// possessedBy reports whether the signatures are those of the card's keys, see
// [Keys.Possession].
func (c *Card) possessedBy(network sign.NetworkID, signatures [][]byte) bool {
	message, err := c.possession(network)
	keys := c.keys()[:possessed]
	if err != nil || len(signatures) != len(keys) {
		return false
	}
	for i, key := range keys {
		if !ed25519.Verify(key, message, signatures[i]) {
			return false
		}
	}
	return true
}
