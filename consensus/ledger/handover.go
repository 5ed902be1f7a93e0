package ledger

import (
	"bytes"
	"errors"
	"slices"

	"atoll/crypto/tlog"
)

var (
	proposalPrefix = []byte{'n'}
	nextKey        = []byte{'h'}
)

func proposalKey(proposer string) []byte { return append([]byte{'n'}, proposer...) }

// Proposals returns the proposed sets of cosigners, by proposer.
func Proposals(v View) ([]Proposal, error) { return readAll[Proposal](v, proposalPrefix) }

// Next is a set of cosigners that a quorum of the cosigners in force has
// approved. It takes effect by a handover.
type Next struct {
	Index    uint64    `cbor:"1,keyasint"` // of the entry that completed the quorum
	Proposer string    `cbor:"2,keyasint"`
	Proposal []byte    `cbor:"3,keyasint"` // id
	Set      Cosigners `cbor:"4,keyasint"` // its After is not known until the handover
}

// Handover returns the statement that puts the set into force, with a head that
// the cosigners in force have made final.
func (n *Next) Handover(head Head, checkpoint []byte) Handover {
	return Handover{Head: head, Checkpoint: checkpoint, Cosigners: n.Set.Keys, Faults: n.Set.Faults, Quorum: n.Set.Quorum}
}

// same reports whether a handover names this set.
func (c *Cosigners) same(h *Handover) bool {
	return c.Faults == h.Faults && c.Quorum == h.Quorum && slices.EqualFunc(c.Keys, h.Cosigners, func(a, b Cosigner) bool {
		return a.Member == b.Member && bytes.Equal(a.Key, b.Key)
	})
}

// ReadNext returns the set that waits for a handover, or nil.
func ReadNext(v View) (*Next, error) { return get[Next](v, nextKey) }

// MaxHandoverLag is the maximum number of entries between the head that a
// handover carries and the handover. An auditor has to keep the roots of that
// range.
const MaxHandoverLag = 4096

// cosigners returns the set in force for everything after the entry being
// decided.
func (t *transaction) cosigners() *Cosigners {
	if t.err != nil {
		return new(Cosigners)
	}
	var sets []Cosigners
	if sets, t.err = ReadCosigners(t.view); len(sets) == 0 {
		if t.err == nil {
			t.err = errors.New("the state has no cosigners: it was made by an earlier version; move it away and let this node catch up")
		}
		return new(Cosigners)
	}
	return &sets[len(sets)-1]
}

// proposeCosigners keeps a member's proposal of cosigners and replaces the
// member's last one. It counts as approved by its author if the author is a
// cosigner.
func (t *transaction) proposeCosigners(p *Proposal) Verdict {
	set, verdict := t.setOf(&p.Amendment)
	if verdict == Accepted {
		t.agree(p, set, p.Proposer)
	}
	return verdict
}

// setOf returns the set with these names and numbers, or the verdict against
// it. The set has to meet the conditions that [Genesis.Check] has for the first
// one.
func (t *transaction) setOf(c *Amendment) (*Cosigners, Verdict) {
	set := &Cosigners{Origin: t.cosigners().Origin, Faults: c.Faults, Quorum: c.Quorum}
	seen := map[string]bool{}
	for _, name := range c.Names {
		card := t.card(name)
		switch {
		case card == nil:
			return nil, CosignersMember
		case seen[string(card.Cosign)]:
			return nil, CosignersKeys
		}
		seen[string(card.Cosign)] = true
		set.Keys = append(set.Keys, Cosigner{Member: name, Key: card.Cosign})
	}
	if CheckQuorum(len(c.Names), int(c.Faults), int(c.Quorum)) != nil {
		return nil, CosignersQuorum
	}
	return set, Accepted
}

// approveCosigners counts a cosigner's approval of a proposal. Approvals by
// others do not count. A quorum of the cosigners could make any history final
// anyway, so it may pass on this power, and nobody else may.
func (t *transaction) approveCosigners(p *Approve, a *Author) Verdict {
	proposal := lookup[Proposal](t, proposalKey(p.Proposer))
	switch {
	case proposal == nil || !bytes.Equal(proposal.ID, p.Proposal):
		return ProposalUnknown
	case !t.cosigners().Has(a.Member):
		return AuthorRole
	case slices.Contains(proposal.Approved, a.Member):
		return ProposalApproved
	}
	set, verdict := t.setOf(&proposal.Amendment)
	if verdict != Accepted {
		return verdict
	}
	t.agree(proposal, set, a.Member)
	return Accepted
}

// agree writes the proposal with one member's approval, if that counts. The
// approval that completes the quorum makes the set wait for a handover, in
// place of any set that waited before. Approvals by cosigners that are members
// no more do not count.
func (t *transaction) agree(p *Proposal, set *Cosigners, member string) {
	if force := t.cosigners(); force.Has(member) {
		p.Approved = append(p.Approved, member)
		if t.alive(p.Approved) == int(force.Quorum) {
			t.put(nextKey, Next{Index: t.state.Size, Proposer: p.Proposer, Proposal: p.ID, Set: *set})
		}
	}
	t.put(proposalKey(p.Proposer), p)
}

// handover puts the approved set into force if it is the one that the handover
// names. The head in the handover shows that the old cosigners confirm the
// approvals. Whether it is a head of this log is checked by those that have its
// tree.
func (t *transaction) handover(h *Handover, a *Author) Verdict {
	force := t.cosigners()
	if !force.Has(a.Member) {
		return AuthorRole
	}
	next := lookup[Next](t, nextKey)
	if next == nil || !next.Set.same(h) {
		return CosignersApprovals
	}
	head, err := t.finalUnder(force, a, h.Checkpoint)
	if err != nil || head.Size <= next.Index || head.Size > t.state.Size || head.Size+MaxHandoverLag < t.state.Size {
		return CosignersCheckpoint
	}
	next.Set.After = t.state.Size + 1
	t.put(cosignersKey(next.Set.After), next.Set)
	t.drop(nextKey)
	proposals, err := Proposals(t.view)
	if err != nil && t.err == nil {
		t.err = err
	}
	for _, p := range proposals {
		t.drop(proposalKey(p.Proposer))
	}
	return Accepted
}

// finalUnder opens a checkpoint whose only lines are by cosigners in force and
// by the author in the name of the log.
func (t *transaction) finalUnder(force *Cosigners, a *Author, signed []byte) (tlog.Head, error) {
	card := t.card(a.Member)
	if card == nil {
		return tlog.Head{}, malformed("the author has no card")
	}
	log, err := tlog.NewLogVerifier(force.Origin, card.Log)
	if err != nil {
		return tlog.Head{}, err
	}
	head, signatures, err := force.Verify(signed, log)
	if err != nil {
		return head, err
	}
	_, lines, _ := bytes.Cut(signed, []byte("\n\n"))
	if n := bytes.Count(lines, []byte{'\n'}); n != len(signatures) {
		return head, malformed("a checkpoint with %d lines, %d of them by cosigners and author", n, len(signatures))
	}
	return head, nil
}
