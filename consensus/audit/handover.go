package audit

import (
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// heads are the roots of the log since a set of cosigners was approved and
// waits for its handover. The handover carries one of these heads.
type heads struct {
	first uint64 // size of the first
	roots []tlog.Hash
}

// walk follows the log from one set of cosigners to the next. The head with
// which the old cosigners hand over must be one of this very log. The rules
// have checked that the old cosigners signed it and that it covers the
// approvals.
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

// add keeps the present head of the tree, and only as many heads as a handover
// may look back. It keeps none if no set waits.
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

// Cosigners returns all sets of cosigners that the log has had so far, starting
// with that of genesis.
func (r *Replayer) Cosigners() ([]ledger.Cosigners, error) { return ledger.ReadCosigners(r.state) }

// CheckFinal reports whether a checkpoint of the log replayed so far is final
// according to the log itself. It is final if a quorum of the cosigners that
// the log names for heads of that size has cosigned it. If it is not final, and
// has cosignatures of members that have handed over or were not in force yet,
// the error wraps [ErrTampered]: they do not sign such heads. Cosignatures of
// outside witnesses are judged by the policy.
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
	if _, _, err = force.Verify(signed); err == nil {
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
		_, signatures, err := tlog.VerifyCheckpoint(signed, c.Origin, keys...)
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
