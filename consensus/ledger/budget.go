package ledger

import "atoll/consensus/consent"

// What one member may add to the log on one network day beside the budget of
// genesis. These are part of the rules.
const (
	maxTicks      = 20_000 // ticks, which cost nothing else
	freeProposals = 20     // accepted proposals that cost nothing; more are paid for
	maxTombstones = 100    // accepted revocations of consents that are not granted yet
	freeAnswer    = 5_000  // bytes of the leaf of an accepted release or refusal; more are paid for
)

// Budget is what a member may add to the log on one network day: as much for
// each, so that none of them can fill the disks of all.
type Budget struct {
	Entries uint64
	Bytes   uint64 // of leaves
}

// DefaultBudget leaves room for a thousand queries a second for some minutes
// of each day, and for no more than a disk can bear for years.
var DefaultBudget = Budget{Entries: 1_000_000, Bytes: 2 << 30}

const maxBudget = 1 << 48 // of either number

// spent is what a member has added to the log on the newest day on which it
// added anything that counts.
type spent struct {
	_          struct{} `cbor:",toarray"`
	Day        consent.Day
	Entries    uint64
	Bytes      uint64
	Ticks      uint64
	Proposals  uint64 // accepted and free
	Tombstones uint64
}

func spentKey(member string) []byte { return append([]byte{'b'}, member...) }

// spentOn returns what a member has added on a day.
func (t *transaction) spentOn(day consent.Day, member string) *spent {
	s := lookup[spent](t, spentKey(member))
	if s == nil || s.Day != day {
		return &spent{Day: day}
	}
	return s
}

// charge counts an entry against the signer of the outer statement and reports
// whether its budget of the day allows the entry. The day is that of network
// time before the entry. An entry that costs nothing is always allowed, and
// nothing is written for it.
func (t *transaction) charge(day consent.Day, s *Statement, a *Author, verdict Verdict, leaf int) bool {
	earned := verdict == Accepted && t.earned(s)
	beyond := beyondFree(s, leaf)
	if earned && beyond == 0 {
		return true
	}
	x := t.spentOn(day, a.Member)
	switch {
	case earned:
		x.Bytes += beyond
	case s.Kind == KindTick:
		x.Ticks++
	case s.Kind == KindPropose && verdict == Accepted && x.Proposals < freeProposals:
		x.Proposals++
	default:
		x.Entries++
		x.Bytes += uint64(leaf)
		if s.Kind == KindRevoke && verdict == Accepted {
			x.Tombstones++
		}
	}
	t.put(spentKey(a.Member), x)
	return x.Entries <= t.state.Entries && x.Bytes <= t.state.Bytes && x.Ticks <= maxTicks && x.Tombstones <= maxTombstones
}

// earned reports whether an accepted statement costs nothing, because there can
// be no more of its kind than others have paid for: an answer for each agency
// and query, a receipt for each fragment, the end of a consent or credential
// that was granted or issued, a cosigner's word on a proposal.
func (t *transaction) earned(s *Statement) bool {
	switch p := s.Payload.(type) {
	case *Release, *Refuse, *Receipt, *CredentialRevoke, *Approve, *Handover:
		return true
	case *consent.Revocation:
		return lookup[Consent](t, consentKey(p.Consent)) != nil
	}
	return false
}

// beyondFree returns how many bytes of what is earned are paid for all the same.
// Who earns an answer pays for its question, but not by the answer's size: a
// bank and an agency that lie together would fill the log at 48,000 bytes for a
// question of 500. All other kinds that are earned are small by their form.
func beyondFree(s *Statement, leaf int) uint64 {
	switch s.Payload.(type) {
	case *Release, *Refuse:
		return uint64(max(leaf-freeAnswer, 0))
	}
	return 0
}

// Foretell returns the answer that [Decide] gives to a statement without making
// it an entry, for whoever would rather not write it down first; else an answer
// without a verdict. The signatures are as in Decide the caller's to verify,
// but for an answer that is Known: those bytes were verified when they became
// an entry.
func Foretell(v View, s *Statement) (Answer, error) {
	t := &transaction{view: v}
	var err error
	if t.state, err = Read(v); err != nil || t.state == nil {
		return Answer{}, err
	}
	author := t.author(s.KeyID)
	if t.err != nil || author == nil {
		return Answer{}, t.err
	}
	if answer := t.recall(s.identities(author.Member)); answer.Verdict != "" || t.err != nil {
		return answer, t.err
	}
	if answer := t.state.untimely(s.ID.Time()); answer.Verdict != "" {
		return answer, nil
	}
	if !t.foretellable(s, author) {
		return Answer{}, t.err
	}
	answer, _, err := Decide(v, s)
	if err != nil || answer.New {
		return Answer{}, err
	}
	return answer, nil
}

// foretellable reports whether the rules of its kind or the budget of its author may
// give a statement no entry.
func (t *transaction) foretellable(s *Statement, a *Author) bool {
	switch s.Payload.(type) {
	case *Deleted, *Objection, *ObjectionAnswer, *Propose, *consent.Revocation, *Tick:
		return true
	}
	x := t.spentOn(t.state.Day(), a.Member)
	return x.Entries >= t.state.Entries || x.Bytes+MaxEntry > t.state.Bytes
}
