package subject

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// A consent's keys derive from its number. If a number were used twice, two
// consents would share one key. The log refuses the second, and whoever has
// both can link them or choose between them. An enterprise therefore stores its
// next number. If it does not have that number, because only the seed was
// restored, it reads the log first.

const (
	// consentGap is the number of consecutive numbers without a consent after
	// which the search for one ends.
	consentGap = 100
	// restoreMargin is the number of numbers after the last one on the log that
	// are skipped after a restore: they may have been signed without having
	// reached the log.
	restoreMargin = 10
	// searchedNumbers is the least number of numbers that are tried for one
	// consent, however few are known to be used. Trying them takes some
	// seconds.
	searchedNumbers = 1 << 15
)

// NextText returns the number of the next consent as it is stored.
func NextText(next uint64) []byte { return fmt.Appendf(nil, "%d\n", next) }

// ReadNext parses the output of [NextText]. Errors wrap [sign.ErrMalformed].
func ReadNext(text []byte) (uint64, error) {
	next, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: no number", sign.ErrMalformed)
	}
	return next, nil
}

// ConsentID returns the id of consent number n.
func (w *Wallet) ConsentID(n uint64) consent.ID {
	return sign.KeyIDOf(w.keys.Consent(n).Public().(ed25519.PublicKey))
}

// Revoke signs the revocation of consent number n.
func (w *Wallet) Revoke(n uint64) ([]byte, error) { return w.keys.Revoke(n) }

// NumberOf finds the number of a consent by deriving ids. It searches up to a
// gap beyond the numbers known to be used, and at least searchedNumbers. An
// enterprise whose memory was restored or damaged can thus revoke what it
// signed before.
func (w *Wallet) NumberOf(id consent.ID, used uint64) (n uint64, ok bool) {
	for n := range max(used+consentGap, searchedNumbers) {
		if w.ConsentID(n) == id {
			return n, true
		}
	}
	return 0, false
}

// numbers finds an enterprise's consents in a log by deriving ids, always up to
// a gap beyond the last one found.
type numbers struct {
	w       *Wallet
	known   map[string]uint64 // by id
	short   map[[8]byte]bool  // the ids' bytes that an index has
	derived uint64
	behind  uint64 // one more than the last number found
}

func newNumbers(w *Wallet, used uint64) *numbers {
	n := &numbers{w: w, known: map[string]uint64{}, short: map[[8]byte]bool{}}
	n.derive(used + consentGap)
	return n
}

func (n *numbers) derive(to uint64) {
	for ; n.derived < to; n.derived++ {
		id := n.w.ConsentID(n.derived)
		n.known[id.String()], n.short[[8]byte(id[:])] = n.derived, true
	}
}

// mine reports whether a consent is this enterprise's.
func (n *numbers) mine(id string) bool {
	number, ok := n.known[id]
	if ok {
		n.behind = max(n.behind, number+1)
		n.derive(number + 1 + consentGap)
	}
	return ok
}

// revokes reports whether a revocation of one of this enterprise's consents is by
// the key that revokes it. The log also accepts others before the consent is
// granted, by any key, and they take nothing back: no header names their key.
func (n *numbers) revokes(id string, r *consent.Revocation) bool {
	key := sign.KeyIDOf(n.w.keys.Revocation(n.known[id]).Public().(ed25519.PublicKey))
	return r.SignedBy(key[:])
}

// Restored returns the number of the next consent of an enterprise that has
// read the log. It is greater than all numbers that the enterprise knows to be
// used. If the enterprise did not know (marked is false), or the log has more,
// it also leaves a margin after the numbers on the log.
func (h *History) Restored(used uint64, marked bool) uint64 {
	if marked && h.behind <= used {
		return used
	}
	return max(used, h.behind+restoreMargin)
}
