package audit

import (
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// heads are the roots that the log had while cosigners that were approved wait
// for their handover, which carries one of these heads.
type heads struct {
	first uint64 // size of the first
	roots []tlog.Hash
}

// walk follows the log from cosigners to cosigners: the head by which the old
// ones hand over must be one of this very log. The rules have seen that they
// signed it, and that it covers the approvals.
func (r *Replayer) walk(s *ledger.Statement, answer ledger.Answer) error {
	if h, ok := handoverOf(s, answer); ok {
		c, err := tlog.Unverified(h.Checkpoint)
		if err != nil {
			return &Tampered{answer.Index, err.Error()}
		}
		if root, ok := r.recent.at(c.Size); !ok || root != c.Root {
			return &Tampered{answer.Index, fmt.Sprintf("cosigners hand over with a head of %d entries that is not one of this log: there are two histories", c.Size)}
		}
	}
	waits := len(r.recent.roots) > 0
	if s != nil && (s.Kind == ledger.KindPropose || s.Kind == ledger.KindApprove || s.Kind == ledger.KindHandover) {
		next, err := ledger.ReadNext(r.state)
		if err != nil {
			return err
		}
		waits = next != nil
	}
	r.recent.add(r.tree, waits)
	return nil
}

func handoverOf(s *ledger.Statement, answer ledger.Answer) (*ledger.Handover, bool) {
	if s == nil || answer.Verdict != ledger.Accepted {
		return nil, false
	}
	h, ok := s.Payload.(*ledger.Handover)
	return h, ok
}

// add keeps the head of the tree as it is now, and no more of them than a
// handover may look back; or none, where nothing waits.
func (h *heads) add(tree *tlog.Tree, waits bool) {
	if !waits {
		*h = heads{}
		return
	}
	if len(h.roots) == 0 {
		h.first = tree.Size()
	}
	h.roots = append(h.roots, tree.Root())
	if len(h.roots) > 2*ledger.MaxHandoverLag {
		drop := len(h.roots) - ledger.MaxHandoverLag - 1
		h.first += uint64(drop)
		h.roots = slices.Clone(h.roots[drop:])
	}
}

func (h *heads) at(size uint64) (root tlog.Hash, ok bool) {
	if size < h.first || size-h.first >= uint64(len(h.roots)) {
		return root, false
	}
	return h.roots[size-h.first], true
}

// Cosigners returns all sets of cosigners that the log has had so far, walked
// from genesis.
func (r *Replayer) Cosigners() ([]ledger.Cosigners, error) { return ledger.ReadCosigners(r.state) }

// CheckFinal reports whether a checkpoint of the log as replayed so far is final by
// the log itself: cosigned by a quorum of those whom it names for heads of that
// size. Where it is not, and has cosignatures of others who have handed over or
// were not in force yet, the error wraps [ErrTampered]: they do not sign such
// heads. Cosignatures of outside witnesses are the policy's to judge.
func (r *Replayer) CheckFinal(signed []byte) (bool, error) {
	c, err := tlog.Unverified(signed)
	if err != nil {
		return false, tampered("%v", err)
	}
	sets, err := r.Cosigners()
	if err != nil || len(sets) == 0 {
		return false, err
	}
	force := ledger.At(sets, c.Size)
	if _, _, err = force.Open(signed); err == nil {
		return true, nil
	}
	current, err := force.Verifiers()
	if err != nil {
		return false, err
	}
	for i := range sets {
		keys, err := sets[i].Verifiers()
		if err != nil {
			return false, err
		}
		_, signatures, err := tlog.OpenCheckpoint(signed, c.Origin, keys...)
		if err != nil && !errors.Is(err, tlog.ErrSignature) {
			return false, tampered("%v", err)
		}
		for _, s := range signatures {
			if !slices.Contains(current, s.Key) {
				return false, tampered("the checkpoint of %d entries is cosigned by %s, which is not a cosigner of heads of that size, and by too few who are", c.Size, s.Key.Name())
			}
		}
	}
	return false, nil
}
