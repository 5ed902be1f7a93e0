package subject

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
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
	Indexes []Indexed       `json:"-"` // of the copies, if the log was looked at and not replayed

	network sign.NetworkID
	behind  uint64 // one more than the largest consent number in the log
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
	Foreign  bool     `json:"foreign"` // a revocation by a key that is not this enterprise's: it takes nothing back, whatever the verdict
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
	if len(sets) == 0 { // without genesis nobody can have cosigned it
		return nil, fmt.Errorf("%w: the log shown is empty", ErrNotFinal)
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
		Genesis: r.wallet.Genesis, Known: r.known, Seen: &ledger.Seen{Sets: sets, Head: head}, Signed: log.Signed, network: r.wallet.Network, behind: r.numbers.behind,
	}, nil
}

// Use is what the log has under the number of a consent that was signed.
type Use int

// Uses of a number.
const (
	Free      Use = iota // nothing that takes effect: what was refused, and what strangers revoke, takes no number
	Sent                 // the very consent
	Another              // another consent, signed by another device with the same seed
	TakenBack            // a revocation by this enterprise, which no consent outlives
)

// Use returns what the log has under the number of a consent of this enterprise,
// compared with what was signed. Only a number that another consent has calls for
// signing under another one: whatever a stranger can put on the log must not, or
// a bank that knows the id could have a second consent signed while the first can
// still be granted.
func (h *History) Use(id consent.ID, signed *Signed) (Use, error) {
	mine, err := signed.Header(h.network)
	if err != nil {
		return Free, err
	}
	wanted, err := sign.Marshal(mine)
	if err != nil {
		return Free, err
	}
	use := Free
	for _, g := range h.Consents {
		if g.Consent != id.String() {
			continue
		}
		had, err := sign.Marshal(g.header)
		if err != nil {
			return Free, err
		}
		if !bytes.Equal(had, wanted) {
			return Another, nil // also if that one was taken back: it was not this one
		}
		use = Sent
	}
	if slices.ContainsFunc(h.Events, func(e Event) bool {
		return e.Consent == id.String() && e.What == ledger.KindRevoke && e.Verdict == string(ledger.Accepted) && !e.Foreign
	}) {
		return TakenBack, nil
	}
	return use, nil
}

// Compared is what another server of the log says of the log that a history was
// read from.
type Compared struct {
	Size uint64 // entries under its final head
	Same bool   // one of the two heads continues the other, or is the same
}

// Compare compares the log of another server with the one that this history was
// read from, which first gives access to. The other head must be final too, by
// the cosigners of this history. Errors are [ErrNotFinal], of package audit, or
// the sources' own: a server that does not answer has shown no other log.
func (h *History) Compare(first, other audit.Source) (Compared, error) {
	log, err := audit.Load(other, nil)
	if err != nil {
		return Compared{}, err
	}
	head, _, err := ledger.At(h.Seen.Sets, log.Size).Verify(log.Signed)
	if err != nil {
		return Compared{}, fmt.Errorf("%w: %w", ErrNotFinal, err)
	}
	small, large, tiles := h.Seen.Head, head, other
	if small.Size > large.Size {
		small, large, tiles = large, small, first
	}
	path, err := tlog.ProveConsistency(small.Size, large, func(t tlog.Tile) ([]byte, error) { return tiles.Fetch(t.Path()) })
	if err == nil {
		err = tlog.CheckConsistency(small, large, path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Compared{}, fmt.Errorf("%w: %w", audit.ErrIncomplete, err)
	case err != nil && !errors.Is(err, tlog.ErrInconsistent):
		return Compared{}, err
	}
	return Compared{Size: head.Size, Same: err == nil}, nil
}
