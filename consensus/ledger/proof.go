package ledger

import (
	"errors"
	"fmt"
	"slices"

	"atoll/crypto/tlog"
)

// Proof proves to a reader without a replica that an entry is on the log. It
// relies on the cosignatures of a quorum and on nobody's word, see
// [Seen.Verify].
//
// If there are more handovers than one proof may have, the proof ends with the
// last one it includes and proves no entry, see [Proof.Partial].
type Proof struct {
	Handovers   []Handed    // since the head that was seen, in order
	Entry       tlog.Proof  // of the entry, its Extra, under a final checkpoint
	Consistency []tlog.Hash // of that checkpoint with the head before it
}

// Partial reports whether a proof contains handovers only and no entry. Its
// reader then requests the next proof from the head that this proof led to.
func (r *Proof) Partial() bool {
	e := &r.Entry
	return len(r.Handovers) > 0 && len(e.Checkpoint)+len(e.Extra)+len(e.Path)+len(r.Consistency) == 0 && e.Index == 0
}

// Handed proves that cosigners have handed over. The handover is the last entry
// under a head that the old cosigners have made final.
type Handed struct {
	Entry       tlog.Proof
	Consistency []tlog.Hash // of its checkpoint with the head before it
}

// MaxProofHandovers is the maximum number of handovers in one proof. With the
// handovers of 40 members, a proof stays below the size that a client reads of
// an answer.
const MaxProofHandovers = 64

// Seen is what a reader without a replica knows about a log: who makes heads
// final, followed from genesis, and the largest final head so far.
type Seen struct {
	Sets []Cosigners // in the order in which they came into force, never empty
	Head tlog.Head
}

// NewSeen returns what genesis defines, before any head was seen.
func NewSeen(g *Genesis) *Seen {
	return &Seen{Sets: []Cosigners{g.Founders()}, Head: tlog.New(nil).Head()}
}

// Proven is what a proof has proved.
type Proven struct {
	Entry   *Entry           // nil if the proof was partial
	Seen    *Seen            // to continue from
	Set     *Cosigners       // the cosigners that made the head final
	Signers []tlog.Signature // signatures of the head by cosigners of the set
}

// ErrUnproven means that a proof does not prove what it should: its maker made
// an error or lies. ErrOlder means that its head is smaller than one seen
// before; a server that is behind has no larger one.
var (
	ErrUnproven = errors.New("this proves nothing")
	ErrOlder    = errors.New("the head is older than one that was seen")
)

func unproven(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnproven, fmt.Errorf(format, args...))
}

// Verify verifies a proof from head to head. Each head must be final under the
// cosigners that the one before has put into force, and must continue the one
// before. Lines by anybody else, the log's own included, count for nothing.
// Errors wrap [ErrUnproven] or [ErrOlder]. It does not change s.
func (s *Seen) Verify(r *Proof) (*Proven, error) {
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

// advance moves to a head that is final and continues the present one.
func (s *Seen) advance(signed []byte, consistency []tlog.Hash) (*Cosigners, []tlog.Signature, error) {
	c, err := tlog.Unverified(signed)
	if err != nil {
		return nil, nil, unproven("its checkpoint: %w", err)
	}
	if c.Size < s.Head.Size {
		return nil, nil, fmt.Errorf("%w: %d entries of %d", ErrOlder, c.Size, s.Head.Size)
	}
	set := At(s.Sets, c.Size)
	head, signers, err := set.Verify(signed)
	if err != nil {
		return nil, nil, unproven("%w", err)
	}
	if err := tlog.CheckConsistency(s.Head, head, consistency); err != nil {
		return nil, nil, unproven("it does not continue what was seen: %w", err)
	}
	s.Head = head
	return set, signers, nil
}

// entry verifies the entry of a proof under the present head and parses it.
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

// handOver moves to the head by which cosigners have made their handover final,
// and to the cosigners that the handover puts into force.
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

// Dated returns a time at which an honest cosigner knew of no head larger than
// the one that these signatures made final, see [tlog.Dated]. It counts
// signatures by cosigners of the set, of whom Faults may be dishonest.
func (c *Cosigners) Dated(signatures []tlog.Signature, now uint64) uint64 {
	own, err := c.Verifiers()
	if err != nil {
		return 0
	}
	others := func(s tlog.Signature) bool { return !slices.Contains(own, s.Key) }
	return tlog.Dated(slices.DeleteFunc(slices.Clone(signatures), others), int(c.Faults), now)
}

// Ground is a log from which proofs are made.
type Ground struct {
	Sets   []Cosigners                        // the newest final head
	Final  tlog.Head                          // the newest
	Signed []byte                             // its checkpoint
	Hand   func(size uint64) ([]byte, error)  // returns the checkpoint by which cosigners made their handover, the last entry of this size, final
	Entry  func(index uint64) ([]byte, error) // leaf
	Tile   tlog.ReadTile
}

// Prove proves an entry under the final head to a reader that has seen a head
// of size seen. If one proof cannot reach that far, it returns a partial one.
// It returns [tlog.ErrNotInTree] if the final head does not cover the entry or
// the head that was seen.
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

// prove proves an entry under a checkpoint, and that the checkpoint continues
// the head that was seen.
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
