package ledger

import (
	"fmt"
	"slices"

	"atoll/crypto/tlog"
)

// CosignerOf returns the key by which a member cosigns checkpoints. Its name is
// the log's origin, a slash and the member's.
func CosignerOf(g *Genesis, member string) (tlog.Verifier, error) {
	card := g.Member(member)
	if card == nil || !slices.Contains(g.Cosigners, member) {
		return tlog.Verifier{}, fmt.Errorf("%q is not a cosigner", member)
	}
	return tlog.NewCosignerVerifier(g.Origin+"/"+member, card.Cosign)
}
