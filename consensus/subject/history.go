package subject

import (
	"errors"
	"fmt"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// History is what the log says about an enterprise, as far as it is final.
type History struct {
	Consents []*Granted `json:"consents"`
	Events   []Event    `json:"events"`
	Head     Standing   `json:"head"`

	Genesis *ledger.Genesis `json:"-"` // of the network, whose names and days it is told in
	Seen    *ledger.Seen    `json:"-"` // to be remembered, with the checkpoint: [SeenText]
	Signed  []byte          `json:"-"` // the checkpoint

	behind uint64 // the largest consent number that the log has, and one
}

// ErrNotFinal means that no quorum of cosigners stands behind a log that is shown.
var ErrNotFinal = errors.New("not final")

// Behind means that a log that is shown has fewer entries than the enterprise has
// seen of it. It is an [ErrNotFinal].
type Behind struct{ Shown, Seen uint64 }

func (b *Behind) Error() string {
	return fmt.Sprintf("%v: the log shown has %d entries, and had %d when this folder last saw it", ErrNotFinal, b.Shown, b.Seen)
}

func (b *Behind) Unwrap() error { return ErrNotFinal }

// Event is one thing that the log says about an enterprise's consents.
type Event struct {
	Entry    uint64   `json:"entry"`
	Time     string   `json:"time"` // network time, RFC 3339
	What     string   `json:"what"` // kind of the entry
	By       string   `json:"by"`   // member
	Verdict  string   `json:"verdict"`
	Consent  string   `json:"consent"`
	Operator string   `json:"operator"` // of a query: the person who asked
	Purpose  string   `json:"purpose"`
	Left     *uint32  `json:"left"`    // uses of the consent left behind it, of a grant or a query; null of others
	Outputs  []Output `json:"outputs"` // asked, or released
	Reason   string   `json:"reason"`  // of a refusal
}

// Output is one output that was asked of an agency, or what came of it.
type Output struct {
	Agency     string `json:"agency"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"`
	Predicate  string `json:"predicate"` // the condition that was to be answered by yes or no
	Outcome    string `json:"outcome"`   // "" where it was only asked
	Reason     string `json:"reason"`    // of the outcome

	Item consent.Item `json:"-"`
}

// Granted is a consent of this enterprise, as the log has it at its end.
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

	Body *consent.Body `json:"-"` // nil where it does not open

	header *consent.Header
}

// History verifies and replays a log, and picks what concerns this enterprise. Its
// head is one that a quorum of the cosigners whom the log names has signed, and
// continues what was seen before ([ledger.NewSeen] where nothing was). So many
// consent numbers are known to be used, or 0. Clock is that of the reader, by which
// the head is dated. Errors: [Behind] and [ErrNotFinal], which another member may
// help; those of package audit, where the log is at fault; the source's own.
func (w *Wallet) History(source audit.Source, seen *ledger.Seen, used uint64, clock func() time.Time) (*History, error) {
	log, err := audit.Open(source, nil)
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

// final insists that a log that was replayed is final by itself.
func (r *reader) final(log *audit.Log, clock func() time.Time) (*History, error) {
	if _, err := r.replay.CheckFinal(log.Signed); err != nil {
		return nil, err
	}
	sets, err := r.replay.Cosigners()
	if err != nil {
		return nil, err
	}
	set := ledger.At(sets, log.Size)
	head, signers, err := set.Open(log.Signed)
	if err != nil {
		return nil, fmt.Errorf("%w: no quorum of cosigners stands behind the log shown, it is one member's word: %w", ErrNotFinal, err)
	}
	if err := r.conclude(); err != nil {
		return nil, err
	}
	return &History{
		Consents: r.consents, Events: r.events, Head: StandingOf(head, set, signers, clock()),
		Genesis: r.wallet.Genesis, Seen: &ledger.Seen{Sets: sets, Head: head}, Signed: log.Signed, behind: r.numbers.behind,
	}, nil
}
