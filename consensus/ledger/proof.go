package ledger

import (
	"errors"
	"fmt"
	"slices"

	"atoll/crypto/tlog"
)

// Proof shows to somebody who has no replica that an entry stands on the log,
// by the cosignatures of a quorum and by nobody's word: see [Seen.Follow].
//
// Where there are more handovers than one proof shows, it ends with the last of
// those that it shows and proves no entry: see [Proof.Partial].
type Proof struct {
	Handovers   []Handed    // since the head that was seen, in order
	Entry       tlog.Proof  // of the entry, its Extra, under a final checkpoint
	Consistency []tlog.Hash // of that checkpoint with the head before it
}

// Partial reports whether a proof leads over handovers only, and no entry stands
// in it: whoever has followed it asks again from the head that it led to.
func (r *Proof) Partial() bool {
	e := &r.Entry
	return len(r.Handovers) > 0 && len(e.Checkpoint)+len(e.Extra)+len(e.Path)+len(r.Consistency) == 0 && e.Index == 0
}

// Handed shows that cosigners have handed over: a handover's entry as the last
// one under a head that the old ones have made final.
type Handed struct {
	Entry       tlog.Proof
	Consistency []tlog.Hash // of its checkpoint with the head before it
}

// MaxProofHandovers is how many handovers one proof shows at most: with those of 40
// members it stays below what a client reads of an answer.
const MaxProofHandovers = 64

// Seen is what somebody without a replica knows of a log: who makes heads final,
// walked from genesis, and the largest final head so far.
type Seen struct {
	Sets []Cosigners // in the order in which they came into force, never empty
	Head tlog.Head
}

// NewSeen is what genesis says, before anything was seen.
func NewSeen(g *Genesis) *Seen {
	return &Seen{Sets: []Cosigners{g.Founders()}, Head: tlog.New(nil).Head()}
}

// Proven is what a proof has shown.
type Proven struct {
	Entry   *Entry           // nil where the proof was partial
	Seen    *Seen            // to go on from
	Set     *Cosigners       // who made the head final
	Signers []tlog.Signature // of those, who signed it
}

// ErrUnproven means that a proof does not show what it should: whoever made it
// is at fault or lies. ErrOlder means that its head is smaller than what was seen
// before, which a server that is behind has no better.
var (
	ErrUnproven = errors.New("this proves nothing")
	ErrOlder    = errors.New("the head is older than one that was seen")
)

func unproven(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnproven, fmt.Errorf(format, args...))
}

// Follow verifies a proof: from head to head, each final under those whom the
// one before has put into force, and each the continuation of the one before.
// Lines by anybody else, the log's own included, count for nothing. Errors wrap
// [ErrUnproven] or [ErrOlder]; s is not changed.
func (s *Seen) Follow(r *Proof) (*Proven, error) {
	if len(r.Handovers) > MaxProofHandovers {
		return nil, unproven("%d handovers", len(r.Handovers))
	}
	at := &Seen{Sets: slices.Clone(s.Sets), Head: s.Head}
	for i := range r.Handovers {
		if err := at.handOver(&r.Handovers[i]); err != nil {
			return nil, err
		}
	}
	if r.Partial() {
		return &Proven{Seen: at}, nil
	}
	set, signers, err := at.advance(r.Entry.Checkpoint, r.Consistency)
	if err != nil {
		return nil, err
	}
	entry, err := at.entry(&r.Entry)
	if err != nil {
		return nil, err
	}
	return &Proven{Entry: entry, Seen: at, Set: set, Signers: signers}, nil
}

// advance goes on to a head that is final and continues the present one.
func (s *Seen) advance(signed []byte, consistency []tlog.Hash) (*Cosigners, []tlog.Signature, error) {
	c, err := tlog.Unverified(signed)
	if err != nil {
		return nil, nil, unproven("its checkpoint: %w", err)
	}
	if c.Size < s.Head.Size {
		return nil, nil, fmt.Errorf("%w: %d entries of %d", ErrOlder, c.Size, s.Head.Size)
	}
	set := At(s.Sets, c.Size)
	head, signers, err := set.Open(signed)
	if err != nil {
		return nil, nil, unproven("%w", err)
	}
	if err := tlog.CheckConsistency(s.Head, head, consistency); err != nil {
		return nil, nil, unproven("it does not continue what was seen: %w", err)
	}
	s.Head = head
	return set, signers, nil
}

// entry opens the entry of a proof under the present head.
func (s *Seen) entry(p *tlog.Proof) (*Entry, error) {
	if err := tlog.CheckInclusion(s.Head, p.Index, tlog.LeafHash(p.Extra), p.Path); err != nil {
		return nil, unproven("%w", err)
	}
	e, err := ParseEntry(p.Extra)
	if err != nil {
		return nil, unproven("entry %d: %w", p.Index, err)
	}
	if e.Index != p.Index {
		return nil, unproven("entry %d says that it is entry %d", p.Index, e.Index)
	}
	return e, nil
}

// handOver goes on to the head by which cosigners have made their handover
// final, and to those whom it puts into force.
func (s *Seen) handOver(h *Handed) error {
	last := s.Sets[len(s.Sets)-1].After
	if _, _, err := s.advance(h.Entry.Checkpoint, h.Consistency); err != nil {
		return err
	}
	e, err := s.entry(&h.Entry)
	if err != nil {
		return err
	}
	if s.Head.Size != e.Index+1 || s.Head.Size <= last {
		return unproven("entry %d is not the last one under its head of %d", e.Index, s.Head.Size)
	}
	statement, err := Parse(e.Statement)
	if err != nil {
		return unproven("entry %d: %w", e.Index, err)
	}
	to, ok := statement.Payload.(*Handover)
	if !ok || e.Verdict != Accepted {
		return unproven("entry %d is no handover", e.Index)
	}
	next := Cosigners{After: s.Head.Size, Origin: s.Sets[0].Origin, Keys: to.Cosigners, Faults: to.Faults, Quorum: to.Quorum}
	if !tlog.Safe(len(next.Keys), int(next.Faults), int(next.Quorum)) {
		return unproven("entry %d: a quorum of %d of %d cosigners", e.Index, next.Quorum, len(next.Keys))
	}
	s.Sets = append(s.Sets, next)
	return nil
}

// Dated returns when an honest cosigner knew of no larger head than one that
// was made final with these signatures, see [tlog.Dated]: by those of the set, of
// whom Faults may lie.
func (c *Cosigners) Dated(signatures []tlog.Signature, now uint64) uint64 {
	own, err := c.Verifiers()
	if err != nil {
		return 0
	}
	others := func(s tlog.Signature) bool { return !slices.Contains(own, s.Key) }
	return tlog.Dated(slices.DeleteFunc(slices.Clone(signatures), others), int(c.Faults), now)
}

// Ground is a log that proofs are made of.
type Ground struct {
	Sets   []Cosigners                        // as far as the log says
	Final  tlog.Head                          // the newest
	Signed []byte                             // its checkpoint
	Hand   func(size uint64) ([]byte, error)  // the checkpoint by which cosigners made their handover, the last entry of so many, final
	Entry  func(index uint64) ([]byte, error) // leaf
	Tile   tlog.ReadTile
}

// Prove proves an entry under the final head, to somebody who has seen a head
// of so many entries, or leads there as far as one proof can. It returns [tlog.ErrNotInTree] where the final head does
// not cover the entry, or not what was seen.
func (g *Ground) Prove(index, seen uint64) (*Proof, error) {
	if seen > g.Final.Size || index >= g.Final.Size {
		return nil, fmt.Errorf("%w: entry %d and %d that were seen, of %d that are final", tlog.ErrNotInTree, index, seen, g.Final.Size)
	}
	r := &Proof{}
	for _, set := range g.Sets {
		if set.After <= seen || set.After > g.Final.Size {
			continue
		}
		if len(r.Handovers) == MaxProofHandovers {
			return r, nil
		}
		signed, err := g.Hand(set.After)
		if err != nil {
			return nil, err
		}
		p, path, err := g.prove(signed, set.After-1, seen)
		if err != nil {
			return nil, err
		}
		r.Handovers = append(r.Handovers, Handed{*p, path})
		seen = set.After
	}
	p, path, err := g.prove(g.Signed, index, seen)
	if err != nil {
		return nil, err
	}
	r.Entry, r.Consistency = *p, path
	return r, nil
}

// prove shows an entry under a checkpoint, and that as the continuation of what
// was seen.
func (g *Ground) prove(signed []byte, index, seen uint64) (*tlog.Proof, []tlog.Hash, error) {
	c, err := tlog.Unverified(signed)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := g.Entry(index)
	if err != nil {
		return nil, nil, err
	}
	path, err := tlog.ProveInclusion(c.Head, index, g.Tile)
	if err != nil {
		return nil, nil, err
	}
	consistency, err := tlog.ProveConsistency(seen, c.Head, g.Tile)
	return &tlog.Proof{Extra: leaf, Index: index, Path: path, Checkpoint: signed}, consistency, err
}
