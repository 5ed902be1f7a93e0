package replica

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/consensus/ledger"
)

// NotFinalError means that the log is not final up to a size. It tells whose
// cosignatures are missing, by each cosigner's last answer. It wraps what ended
// the wait, such as [context.DeadlineExceeded].
type NotFinalError struct {
	Size     uint64   // of the head that is not final
	Handover bool     // Size is a handover's: the cosigners before it have to sign
	Of       []string // the cosigners for that size
	Quorum   int      // how many of them have to sign
	Missing  []string // those that do not answer, or do not sign; empty if they are not the cause
	Cause    error    // what ended the wait
	Last     error    // of the last round, or nil
}

func (e *NotFinalError) Error() string {
	text := fmt.Sprintf("size %d is not final yet", e.Size)
	if len(e.Missing) > 0 {
		text += fmt.Sprintf(": %d of %s have to sign, missing: %s", e.Quorum, strings.Join(e.Of, " "), strings.Join(e.Missing, " "))
	}
	if e.Last != nil {
		text += fmt.Sprintf(" (%v)", e.Last)
	}
	return text
}

func (e *NotFinalError) Unwrap() error { return e.Cause }

// silentAfter is how long a request to a cosigner may be under way before the
// cosigner counts as not answering.
const silentAfter = 750 * time.Millisecond

// seat is a cosigner's place in one of the log's sets: the same member may be
// missing in one set and sign in another.
type seat struct {
	after  uint64 // see [ledger.Cosigners]
	member string
}

// hearing is what is known of a cosigner's answers.
type hearing struct {
	open    int       // requests under way
	waiting time.Time // since when, without any answer
	asked   time.Time // when the last answered request was sent
	err     error     // that answer: nil for a cosignature
}

// ask records that a cosigner is asked, and returns the time.
func (f *finals) ask(s seat) time.Time {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.heard == nil {
		f.heard = map[seat]*hearing{}
	}
	h := f.heard[s]
	if h == nil {
		h = &hearing{}
		f.heard[s] = h
	}
	if h.open == 0 {
		h.waiting = now
	}
	h.open++
	return now
}

// hear records the answer to a request sent at that time. If a later request
// has been answered already, it changes nothing.
func (f *finals) hear(s seat, asked time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.heard[s]
	h.open--
	h.waiting = time.Now()
	if !asked.Before(h.asked) {
		h.asked, h.err = asked, err
	}
}

// missing returns the cosigners of a set that do not answer, or do not sign.
// One that shows a later final head instead is not missing.
func (f *finals) missing(set *ledger.Cosigners) (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range set.Members() {
		h := f.heard[seat{set.After, m}]
		if h == nil {
			continue
		}
		silent := h.open > 0 && time.Since(h.waiting) > silentAfter
		if silent || h.err != nil && !errors.Is(h.err, errSuperseded) {
			names = append(names, m)
		}
	}
	return names
}

// Lacks returns what a head of that size lacks to be final, by what is known
// here without asking anybody, or nil if it is final. The error wraps nothing.
func (r *Replica) Lacks(size uint64) *NotFinalError {
	e, _ := r.lacks(size, nil, nil)
	return e
}

// lacks is Lacks, and returns the newest final checkpoint.
func (r *Replica) lacks(size uint64, cause, last error) (*NotFinalError, Final) {
	final := r.Final()
	if final.Size >= size {
		return nil, final
	}
	e := &NotFinalError{Size: size, Cause: cause, Last: last}
	if after := r.trust.pending(final.Size, size); after > 0 {
		e.Size, e.Handover = after, true
	}
	set := r.trust.at(e.Size)
	e.Of, e.Quorum = set.Members(), int(set.Quorum)
	e.Missing = r.finals.missing(set)
	return e, final
}

// FinalSince returns when the newest final checkpoint that this member knows
// became final, by the clocks of those who cosigned it. It returns the zero time
// if there is none.
func (r *Replica) FinalSince() (at time.Time) {
	final := r.Final()
	if final.Size == 0 {
		return at
	}
	set := r.trust.at(final.Size)
	_, signatures, err := set.VerifyBy(r.trust.heads, final.Signed, r.trust.members.Load().logs...)
	if err != nil {
		return at
	}
	var signed []time.Time
	for _, s := range signatures {
		if s.Time > 0 {
			signed = append(signed, time.Unix(int64(s.Time), 0))
		}
	}
	state, err := r.ledgerState()
	if err != nil || state == nil {
		return at
	}
	return finalAt(signed, int(set.Quorum), r.now(), time.UnixMilli(int64(state.Time)))
}

// finalAt returns when the last one of a quorum signed. One clock that is ahead
// does not move it where more than the quorum signed. A time that has not come
// yet by now, this member's clock, is a wrong clock's: then it is network time,
// which is never ahead.
func finalAt(signed []time.Time, quorum int, now, network time.Time) (at time.Time) {
	slices.SortFunc(signed, time.Time.Compare)
	if len(signed) > 0 {
		at = signed[min(max(quorum, 1), len(signed))-1]
	}
	if at.After(now) && at.After(network) {
		at = network
	}
	return at
}
