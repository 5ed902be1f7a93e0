package ledger

import "atoll/consensus/consent"

// Limits of what one member may add to the log on one network day in addition
// to the budget of genesis. They are part of the rules.
const (
	maxTicks      = 20_000 // ticks, which have no other cost
	freeProposals = 20     // accepted proposals of cosigners that cost nothing; further ones are charged
	maxTombstones = 100    // accepted revocations of consents that have not been granted
	freeAnswer    = 5_000  // free bytes of the leaf of an accepted release or refusal; further bytes are charged
)

// Budget is what each member may add to the log on one network day. It is the
// same for all members, so that no member can fill the disks of all.
type Budget struct {
	Entries uint64
	Bytes   uint64 // of leaves
}

// DefaultBudget allows a thousand queries a second for some minutes of each
// day, and no more than a disk can hold for years.
var DefaultBudget = Budget{Entries: 1_000_000, Bytes: 2 << 30}

const maxBudget = 1 << 48 // of either number

// spent is what a member has added to the log on its newest day: the last one
// on which it added anything that counts.
type spent struct {
	_          struct{} `cbor:",toarray"`
	Day        consent.Day
	Entries    uint64
	Bytes      uint64
	Ticks      uint64
	Proposals  uint64 // accepted and not charged
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
// whether the signer's budget of the day allows the entry. The day is that of
// network time before the entry. An entry that costs nothing is always allowed,
// and nothing is written for it.
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
	case verdict == Accepted && isCosigners(s) && x.Proposals < freeProposals:
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

// earned reports whether an accepted statement costs nothing because other
// charged statements bound the number of its kind. These are an answer for each
// agency and query, a receipt for each fragment, and the end of a granted
// consent, issued credential or own proposal. An approval is one for each member
// and proposal.
func (t *transaction) earned(s *Statement) bool {
	switch p := s.Payload.(type) {
	case *Release, *Refuse, *Receipt, *CredentialRevoke, *Approve, *Withdraw, *Handover:
		return true
	case *consent.Revocation:
		return lookup[Consent](t, consentKey(p.Consent)) != nil
	}
	return false
}

// isCosigners reports whether the statement proposes cosigners. Other proposals
// have the size of cards, or of many purposes, and are charged.
func isCosigners(s *Statement) bool {
	p, ok := s.Payload.(*Propose)
	return ok && p.Amendment.Action == ChangeCosigners
}

// beyondFree returns how many bytes of an earned statement are charged anyway.
// The bank pays for the question, not for the size of its answer. A lying bank
// and agency could therefore fill the log together, at 48,000 bytes for a
// question of 500. All other earned kinds are small by their form.
func beyondFree(s *Statement, leaf int) uint64 {
	switch s.Payload.(type) {
	case *Release, *Refuse:
		return uint64(max(leaf-freeAnswer, 0))
	}
	return 0
}

// Foretell returns the answer that [Decide] would give to a statement without
// making it an entry, for callers that avoid storing such a statement first. If
// Decide would make an entry, the answer has no verdict. As with Decide, the
// caller has to verify the signatures. An answer that is Known needs no
// verification: those bytes were verified when they became an entry.
func Foretell(v View, s *Statement) (Answer, error) {
	t := &transaction{view: v}
	var err error
	if t.state, err = Read(v); err != nil || t.state == nil {
		return Answer{}, err
	}
	author := t.author(s.KeyID)
	if t.err != nil {
		return Answer{}, t.err
	}
	if author == nil {
		return gone(), nil
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

// foretellable reports whether the statement may get no entry, by the rules of
// its kind or by the budget of its author.
func (t *transaction) foretellable(s *Statement, a *Author) bool {
	switch s.Payload.(type) {
	case *Deleted, *Objection, *ObjectionAnswer, *Propose, *Update, *Alive, *Settled, *Recover, *consent.Revocation, *Tick:
		return true
	}
	x := t.spentOn(t.state.Day(), a.Member)
	return x.Entries >= t.state.Entries || x.Bytes+MaxEntry > t.state.Bytes
}
