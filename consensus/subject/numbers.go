package subject

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// A consent's keys derive from its number. A number used twice would be one key
// for two consents: the log refuses the second, and whoever holds both can link
// them, or choose. So an enterprise remembers the next one, and one that does not,
// since the seed alone was restored, asks the log first.

const (
	// consentGap is how many numbers without a consent end the search for one.
	consentGap = 100
	// restoreMargin is how many numbers behind the last one on the log are left out
	// after a restore: they may have been signed and not have got there yet.
	restoreMargin = 10
	// searchedNumbers is how many numbers are tried for one consent, however few an
	// enterprise knows to be used: some seconds.
	searchedNumbers = 1 << 15
)

// NextText is how the number of the next consent is written.
func NextText(next uint64) []byte { return fmt.Appendf(nil, "%d\n", next) }

// ReadNext reads what [NextText] has written. Errors wrap [sign.ErrMalformed].
func ReadNext(text []byte) (uint64, error) {
	next, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: no number", sign.ErrMalformed)
	}
	return next, nil
}

// ConsentID is the id of consent number n.
func (w *Wallet) ConsentID(n uint64) consent.ID {
	return sign.KeyIDOf(w.keys.Consent(n).Public().(ed25519.PublicKey))
}

// Revoke signs that consent number n is taken back.
func (w *Wallet) Revoke(n uint64) ([]byte, error) { return w.keys.Revoke(n) }

// NumberOf finds the number of a consent by deriving: a gap beyond those that are
// known to be used, and in any case so far that an enterprise which was restored, or
// whose memory is damaged, can take back what it signed before.
func (w *Wallet) NumberOf(id consent.ID, used uint64) (n uint64, ok bool) {
	for n := range max(used+consentGap, searchedNumbers) {
		if w.ConsentID(n) == id {
			return n, true
		}
	}
	return 0, false
}

// numbers finds an enterprise's consents in a log by deriving, always a gap beyond
// the last that was found.
type numbers struct {
	w       *Wallet
	known   map[string]uint64 // by id
	derived uint64
	behind  uint64 // the last that was found
}

func newNumbers(w *Wallet, used uint64) *numbers {
	n := &numbers{w: w, known: map[string]uint64{}}
	n.derive(used + consentGap)
	return n
}

func (n *numbers) derive(to uint64) {
	for ; n.derived < to; n.derived++ {
		n.known[n.w.ConsentID(n.derived).String()] = n.derived
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

// Restored is the number of the next consent of an enterprise that has looked
// through the log: behind all that it knows to be used, and where it did not know
// (marked is false), or the log has more, with a margin behind those of the log.
func (h *History) Restored(used uint64, marked bool) uint64 {
	if marked && h.behind <= used {
		return used
	}
	return max(used, h.behind+restoreMargin)
}
