package ledger

import (
	"bytes"
	"math"
	"slices"

	"atoll/crypto/sign"
)

const (
	maxOpen      = 8              // proposals of one author that are open together, cosigners aside
	proposalLife = 14 * 24 * hour // of network time, after which a proposal ends
	maxUpdates   = 10             // of one member's card by itself on one day
)

// Proposal is a change that a member has proposed. Of proposals of cosigners, a
// member's newest replaces its earlier one; of others it may have several.
type Proposal struct {
	Index     uint64    `cbor:"1,keyasint"`
	Proposer  string    `cbor:"2,keyasint"`
	ID        []byte    `cbor:"3,keyasint"` // of the statement
	Amendment Amendment `cbor:"4,keyasint"`
	Approved  []string  `cbor:"5,keyasint"` // in the order of approval; not all of them may count any more
}

var openPrefix = []byte{'y'}

func openKey(proposer string, id []byte) []byte { return append(sized('y', proposer), id...) }

// OpenProposals returns the proposals that are open, those of cosigners aside,
// ascending by proposer.
func OpenProposals(v View) ([]Proposal, error) { return readAll[Proposal](v, openPrefix) }

// propose opens a proposal. It counts as approved by its author.
func (t *transaction) propose(p *Propose, a *Author) Verdict {
	c := &p.Amendment
	proposal := &Proposal{Index: t.state.Size, Proposer: a.Member, ID: p.ID, Amendment: *c}
	switch {
	case c.Action == ChangeCosigners:
		return t.proposeCosigners(proposal)
	case !c.hasRules():
		return Unsupported
	case len(list[Proposal](t, sized('y', a.Member))) >= maxOpen:
		return ProposalMany
	}
	if c.Action == ChangeRoles {
		if card := t.card(c.Card.Name); card != nil && !card.with(c.Card).equals(c.Card) {
			return MemberCard // approvers are shown this card, and only roles and titles of it would come into force
		}
	}
	if verdict := t.amendable(proposal); verdict != Accepted {
		return verdict
	}
	t.later(t.state.Time+proposalLife+1, due{Drop: [][]byte{openKey(a.Member, p.ID)}})
	t.support(proposal, a.Member)
	return Accepted
}

// hasRules reports whether the amendment can come into force so far.
func (c *Amendment) hasRules() bool {
	switch c.Action {
	case AddMember, ChangeRoles, ChangeVoters, ChangeCosigners, ChangePurposes, RemoveMember:
		return true
	}
	return false
}

// approve counts an approval. The checks of the proposal are made again, on the
// state of this moment.
func (t *transaction) approve(p *Approve, a *Author) Verdict {
	proposal := lookup[Proposal](t, openKey(p.Proposer, p.Proposal))
	if proposal == nil {
		return t.approveCosigners(p, a)
	}
	switch {
	case !proposal.Amendment.decidedBy(a.Member):
		return AuthorRole
	case slices.Contains(proposal.Approved, a.Member):
		return ProposalApproved
	case t.stale(proposal):
		return ProposalStale
	}
	if verdict := t.amendable(proposal); verdict != Accepted {
		return verdict
	}
	t.support(proposal, a.Member)
	return Accepted
}

// withdraw ends a proposal of the author.
func (t *transaction) withdraw(w *Withdraw, a *Author) Verdict {
	if lookup[Proposal](t, openKey(a.Member, w.Proposal)) != nil {
		t.drop(openKey(a.Member, w.Proposal))
		return Accepted
	}
	if p := lookup[Proposal](t, proposalKey(a.Member)); p != nil && bytes.Equal(p.ID, w.Proposal) {
		t.drop(proposalKey(a.Member))
		return Accepted
	}
	return ProposalUnknown
}

// decidedBy reports whether a member belongs to the electorate of a change. All
// that are in force do, less the one concerned.
func (c *Amendment) decidedBy(member string) bool {
	return c.Action != RemoveMember || member != c.Name
}

// threshold returns how many of the electorate have to agree: more than half,
// and the share that genesis asks of the founders.
func (c *Amendment) threshold(all *tally) uint64 {
	n := all.Members
	if c.Action == RemoveMember {
		n--
	}
	return max(n/2+1, (all.Approvals*n+all.Founders-1)/all.Founders)
}

// support writes a proposal with one member's approval, if that counts. The
// approval that completes the threshold puts the change into force. Approvals by
// members that leave are struck then, see remove.
func (t *transaction) support(p *Proposal, member string) {
	if p.Amendment.decidedBy(member) {
		p.Approved = append(p.Approved, member)
	}
	if uint64(len(p.Approved)) < p.Amendment.threshold(t.tally()) {
		t.put(openKey(p.Proposer, p.ID), p)
		return
	}
	t.drop(openKey(p.Proposer, p.ID))
	t.put(agreedKey(t.state.Size), p)
	t.enact(&p.Amendment)
}

// stale reports whether an approved change has changed what a proposal is about
// since it was made. What a member changes by itself does not count: otherwise it
// could escape from a change that others want.
func (t *transaction) stale(p *Proposal) bool {
	c := &p.Amendment
	if c.Action == ChangePurposes {
		now, err := purposesOf(t.view, math.MaxUint64)
		if t.err == nil {
			t.err = err
		}
		return now != nil && now.From > p.Index
	}
	if len(c.Names) > 0 { // voters
		if sets := t.unsettled(); len(sets) == 0 || sets[len(sets)-1].From > p.Index {
			return true
		}
	}
	m := lookup[Member](t, memberKey(c.member()))
	return m != nil && m.Changed > p.Index
}

// member returns the name of the member that the amendment is about, or nothing.
func (c *Amendment) member() string {
	if c.Card != nil {
		return c.Card.Name
	}
	return c.Name
}

// amendable returns the verdict on a change, on the state of this moment.
func (t *transaction) amendable(p *Proposal) Verdict {
	switch c := &p.Amendment; c.Action {
	case AddMember:
		return t.mayJoin(p)
	case ChangeRoles:
		return t.mayChange(c.Card)
	case ChangeVoters:
		return t.mayVote(c.Names, "")
	case RemoveMember:
		return t.mayRemove(p)
	}
	return Accepted
}

func (t *transaction) mayJoin(p *Proposal) Verdict {
	c := &p.Amendment
	switch {
	case lookup[Member](t, memberKey(c.Card.Name)) != nil || t.imitates(c.Card, nil):
		return MemberName
	case c.Card.Generation != 0:
		return MemberCard
	}
	seen := map[string]bool{}
	for _, key := range c.Card.keys() {
		if seen[string(key)] || lookup[string](t, usedKey(key)) != nil {
			return MemberKeys
		}
		seen[string(key)] = true
	}
	all := t.tally()
	switch {
	case p.Index == t.state.Size && !c.Card.possessedBy(t.state.NetworkID(), c.Possession): // this does not change while it is open
		return MemberKeys
	case all.Members >= maxMembers || c.Card.Has(Auditor) && all.Auditors >= MaxAuditors:
		return MemberMany
	}
	return Accepted
}

func (t *transaction) mayChange(c *Card) Verdict {
	m, card := t.member(c.Name), t.card(c.Name)
	if m == nil || card == nil {
		return MemberUnknown
	}
	switch {
	case card.with(c).equals(card):
		return MemberCard
	case t.imitates(c, card):
		return MemberName
	case t.last(m, c.Roles):
		return MemberLast
	case c.Has(Auditor) && !card.Has(Auditor) && t.tally().Auditors >= MaxAuditors:
		return MemberMany
	}
	return Accepted
}

func (t *transaction) mayRemove(p *Proposal) Verdict {
	name, voters := p.Amendment.Name, p.Amendment.Names
	m := t.member(name)
	switch {
	case m == nil:
		return MemberUnknown
	case p.Amendment.TrustEnd > p.Index:
		return MemberTrust
	case t.state.Votes(int(m.Seat)) != (len(voters) > 0):
		return VotersMembers
	}
	if len(voters) > 0 {
		if verdict := t.mayVote(voters, name); verdict != Accepted {
			return verdict
		}
	}
	switch force := t.cosigners(); {
	case t.deserted(name):
		return VotersUnsettled
	case t.last(m, nil):
		return MemberLast
	case force.Has(name) && t.alive(force.Members()) <= int(force.Quorum):
		return CosignersQuorum
	}
	return Accepted
}

// alive returns how many of these are members.
func (t *transaction) alive(names []string) (n int) {
	for _, name := range names {
		if t.member(name) != nil {
			n++
		}
	}
	return n
}

// last reports whether a member with these roles in place of its own would leave
// the network without the auditor or the registrar that it has today.
func (t *transaction) last(m *Member, roles []Role) bool {
	day := t.state.Day()
	for _, role := range []string{Auditor, Registrar} {
		if !holds(m.Roles, role, day) || holds(roles, role, day) {
			continue
		}
		if !slices.ContainsFunc(t.members(), func(o Member) bool { return o.Name != m.Name && holds(o.Roles, role, day) }) {
			return true
		}
	}
	return false
}

// imitates reports whether a newcomer, or a member with another card now, is
// called as another member is.
func (t *transaction) imitates(c, now *Card) bool {
	return slices.ContainsFunc(c.titles(), func(title string) bool {
		return (now == nil || !slices.Contains(now.titles(), title)) && t.titled(title) > 0
	})
}

// enact puts an approved change into force, from the next entry on.
func (t *transaction) enact(c *Amendment) {
	next := t.state.Size + 1
	switch c.Action {
	case AddMember:
		t.admit(c.Card, next)
	case ChangeRoles:
		t.replaceCard(t.card(c.Card.Name).with(c.Card), true)
	case ChangePurposes:
		t.put(purposesKey(next), inForce{From: next, List: c.Purposes})
	case ChangeVoters:
		t.vote(c.Names, next, 0)
	case RemoveMember:
		if len(c.Names) > 0 {
			t.vote(c.Names, next, 0)
		}
		t.remove(c, next)
	}
	t.changed = true
}

// remove ends a membership, and all that depends on it: the member's clock, its
// proposals, and a set of cosigners that waits with its key.
func (t *transaction) remove(c *Amendment, next uint64) {
	m, card := t.member(c.Name), t.card(c.Name)
	if m == nil || card == nil {
		return
	}
	m.Until, m.Left, m.Changed, m.TrustEnd = next, t.state.Time, t.state.Size, c.TrustEnd
	t.put(memberKey(m.Name), m)
	if s := lookup[signer](t, authorKey(sign.KeyIDOf(card.Statement))); s != nil {
		s.Until = next
		t.put(authorKey(sign.KeyIDOf(card.Statement)), s)
	}
	t.state.Clocks.end(int(m.Seat))
	t.count(card, nil)
	t.touched = append(t.touched, m.Name)
	t.drop(spentKey(m.Name))
	t.drop(proposalKey(m.Name))
	t.strike(m.Name)
	if waiting := lookup[Next](t, nextKey); waiting != nil && waiting.Set.Has(m.Name) {
		t.drop(nextKey)
	}
}

// strike ends the proposals of a member that leaves, and takes its approvals
// from those of others.
func (t *transaction) strike(member string) {
	for _, p := range list[Proposal](t, openPrefix) {
		key := openKey(p.Proposer, p.ID)
		i := slices.Index(p.Approved, member)
		switch {
		case p.Proposer == member:
			t.drop(key)
		case i >= 0:
			p.Approved = slices.Delete(p.Approved, i, i+1)
			t.put(key, p)
		}
	}
}

// update replaces the addresses on the author's card.
func (t *transaction) update(u *Update, a *Author) Verdict {
	m, card := t.member(a.Member), t.card(a.Member)
	if m == nil || card == nil {
		return AuthorRole
	}
	moved := *card
	moved.Addresses = u.Card.Addresses
	day := t.state.Day()
	switch said := moved.with(&u.Card); {
	case u.Card.Name != card.Name || !said.equals(&moved):
		return MemberCard
	case !moved.sameKeys(&u.Card):
		return Unsupported
	case len(u.Possession) > 0 || moved.equals(card):
		return MemberCard
	case m.UpdateDay == day && m.Updates >= maxUpdates:
		return MemberOften
	}
	t.replaceCard(&moved, false)
	return Accepted
}

// replaceCard gives a member another card from the next entry on. Others is set
// if they have approved it.
func (t *transaction) replaceCard(c *Card, others bool) {
	m, next, day := t.member(c.Name), t.state.Size+1, t.state.Day()
	if m == nil {
		return
	}
	t.count(t.card(c.Name), c)
	m.Newest, m.Roles = next, c.Roles
	switch {
	case others:
		m.Changed = t.state.Size
	case m.UpdateDay == day:
		m.Updates++
	default:
		m.UpdateDay, m.Updates = day, 1
	}
	t.put(memberKey(m.Name), m)
	t.put(cardKey(m.Name, next), c)
	t.changed, t.touched = true, append(t.touched, m.Name)
}

// with returns the card with the roles and titles of another.
func (c *Card) with(o *Card) *Card {
	n := *c
	n.Chinese, n.English, n.Roles = o.Chinese, o.English, o.Roles
	return &n
}

func (c *Card) equals(o *Card) bool {
	return c.Name == o.Name && c.Chinese == o.Chinese && c.English == o.English && slices.Equal(c.Roles, o.Roles) &&
		slices.Equal(c.Addresses, o.Addresses) && c.sameKeys(o)
}

// sameKeys reports whether two cards have the same keys of the same generation.
func (c *Card) sameKeys(o *Card) bool {
	return c.Generation == o.Generation && slices.EqualFunc(c.keys(), o.keys(), bytes.Equal)
}
