package subject

import (
	"errors"
	"fmt"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// History is what the final part of the log says about an enterprise.
type History struct {
	Consents []*Granted `json:"consents"`
	Events   []Event    `json:"events"`
	Head     Standing   `json:"head"`

	Genesis *ledger.Genesis `json:"-"` // of the network: its name and days are those of the history
	Known   *ledger.Known   `json:"-"` // members and purposes at the end of the log
	Seen    *ledger.Seen    `json:"-"` // to be stored together with the checkpoint: [SeenText]
	Signed  []byte          `json:"-"` // the checkpoint

	behind uint64 // one more than the largest consent number in the log
}

// ErrNotFinal means that no quorum of cosigners has signed the log that was
// shown.
var ErrNotFinal = errors.New("not final")

// Behind means that the log that was shown has fewer entries than the
// enterprise has seen of it. It is an [ErrNotFinal].
type Behind struct{ Shown, Seen uint64 }

func (b *Behind) Error() string {
	return fmt.Sprintf("%v: the log shown has %d entries, and had %d when this folder last saw it", ErrNotFinal, b.Shown, b.Seen)
}

func (b *Behind) Unwrap() error { return ErrNotFinal }

// Event is one entry of the log about an enterprise's consents.
type Event struct {
	Entry    uint64   `json:"entry"`
	Time     string   `json:"time"` // network time, RFC 3339
	What     string   `json:"what"` // kind of the entry
	By       string   `json:"by"`   // member
	Verdict  string   `json:"verdict"`
	Consent  string   `json:"consent"`
	Operator string   `json:"operator"` // of a query: the person who asked
	Purpose  string   `json:"purpose"`
	Left     *uint32  `json:"left"`    // for a grant or a query: uses of the consent left after it; null otherwise
	Outputs  []Output `json:"outputs"` // asked, or released
	Reason   string   `json:"reason"`  // of a refusal
}

// Output is one output that was asked of an agency, or its outcome.
type Output struct {
	Agency     string `json:"agency"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"`
	Predicate  string `json:"predicate"` // the condition to be answered by yes or no
	Outcome    string `json:"outcome"`   // "" if it was only asked
	Reason     string `json:"reason"`    // of the outcome

	Item consent.Item `json:"-"`
}

// Granted is a consent of this enterprise, in its state at the end of the log.
type Granted struct {
	Consent   string `json:"consent"`
	Entry     uint64 `json:"entry"`
	Bank      string `json:"bank"`
	Purpose   string `json:"purpose"`
	Product   string `json:"product"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	MaxUses   uint32 `json:"max_uses"`
	Used      uint32 `json:"used"`
	Left      uint32 `json:"left"`
	State     string `json:"state"` // active, not_yet, expired, revoked, void

	Body  *consent.Body `json:"-"` // nil if it does not open
	Known *ledger.Known `json:"-"` // members and purposes by which it was drawn up; nil if the body does not say

	header *consent.Header
}

// History verifies and replays a log, and returns the entries about this
// enterprise. The log's head must be signed by a quorum of the cosigners that
// the log names, and must continue what was seen before ([ledger.NewSeen] if
// nothing was). Used is the number of consent numbers known to be used, or 0.
// Clock is the reader's clock, by which the head is dated.
//
// Errors are [Behind] and [ErrNotFinal], for which another member may be asked;
// those of package audit, if the log is at fault; and the source's own.
func (w *Wallet) History(source audit.Source, seen *ledger.Seen, used uint64, clock func() time.Time) (*History, error) {
	log, err := audit.Load(source, nil)
	if err != nil {
		return nil, err
	}
	if log.Size < seen.Head.Size {
		return nil, &Behind{Shown: log.Size, Seen: seen.Head.Size}
	}
	r, err := w.reader(used)
	if err != nil {
		return nil, err
	}
	remembered := &seen.Head
	if remembered.Size == 0 {
		remembered = nil
	}
	if err := log.Verify(remembered, r.add); err != nil {
		return nil, err
	}
	return r.final(log, clock)
}

// final returns an error unless the replayed log is final according to itself.
func (r *reader) final(log *audit.Log, clock func() time.Time) (*History, error) {
	if _, err := r.replay.CheckFinal(log.Signed); err != nil {
		return nil, err
	}
	sets, err := r.replay.Cosigners()
	if err != nil {
		return nil, err
	}
	set := ledger.At(sets, log.Size)
	head, signers, err := set.Verify(log.Signed)
	if err != nil {
		return nil, fmt.Errorf("%w: no quorum of cosigners stands behind the log shown, it is one member's word: %w", ErrNotFinal, err)
	}
	if err := r.conclude(); err != nil {
		return nil, err
	}
	return &History{
		Consents: r.consents, Events: r.events, Head: StandingOf(head, set, signers, clock()),
		Genesis: r.wallet.Genesis, Known: r.known, Seen: &ledger.Seen{Sets: sets, Head: head}, Signed: log.Signed, behind: r.numbers.behind,
	}, nil
}
