package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/vault"
)

// verifyRevocation parses a revocation and verifies its signature.
func (n *Node) verifyRevocation(statement []byte) (*consent.Revocation, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	r := new(consent.Revocation)
	if s.Kind != ledger.KindRevoke {
		return nil, fmt.Errorf("%w: a %s where a revocation belongs", sign.ErrMalformed, s.Kind)
	}
	if err := s.Decode(r); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	return r, s.Verify(n.Network, r.Key)
}

// Revokes reports whether a statement is a valid revocation of a consent that
// is on this member's log and has not ended. Such a statement takes precedence
// over all else that strangers send. Any other statement costs one lookup in
// the state.
func (n *Node) Revokes(statement []byte) bool {
	s, err := sign.Parse(statement)
	if err != nil || s.Kind != ledger.KindRevoke {
		return false
	}
	r := new(consent.Revocation)
	if s.Decode(r) != nil || r.Check() != nil {
		return false
	}
	c, err := n.grant(consent.ID(r.Consent))
	if err != nil || c == nil || c.Revoked != 0 || !slices.ContainsFunc(c.Revocation, r.SignedBy) {
		return false
	}
	return s.Verify(n.Network, r.Key) == nil
}

// carryRevocation brings a revocation to the log and to every agency. If the
// log has the consent, the revocation is stored first: it survives a log
// without majority, unreachable agencies, and a restart of this member. Any
// other may revoke nothing. It is stored only if the log does not take it, up
// to a number that strangers cannot raise.
func (n *Node) carryRevocation(ctx context.Context, r *consent.Revocation, statement []byte) (Carried, error) {
	known, err := n.grant(consent.ID(r.Consent))
	if err != nil {
		return Carried{}, err
	}
	if known != nil {
		if answer, err := n.decided(known, r, statement); err != nil || answer.Verdict != "" {
			return Carried{Answer: answer}, err
		}
	}
	key, e := errandKey(r), &errand{Statement: statement}
	if known == nil {
		return n.carryUnknown(ctx, key, e)
	}
	if _, busy := n.underWay.LoadOrStore(string(key), true); !busy {
		defer n.underWay.Delete(string(key))
	}
	if err := n.signErrand(e); err != nil {
		return Carried{}, err
	}
	if err := n.keepErrand(key, e, known); err != nil {
		return Carried{}, err
	}
	c := n.runErrand(ctx, e, errandPatience, map[string]bool{})
	return c, n.noteErrand(key, e, known)
}

// carryUnknown carries a revocation of a consent that this member's copy of the
// log does not have: the consent may be on its way there, or not exist.
// Agencies are told only while few of these revocations are under way.
func (n *Node) carryUnknown(ctx context.Context, key []byte, e *errand) (c Carried, err error) {
	away := map[string]bool{}
	select {
	case n.unknown <- struct{}{}:
		defer func() { <-n.unknown }()
	default:
		away = n.everyAgency()
	}
	if c = n.runErrand(ctx, e, errandPatience, away); c.Pending {
		err = n.keepErrand(key, e, nil)
	}
	return c, err
}

// decided returns the answer to a revocation if this member's own copy of the
// log already decides it.
func (n *Node) decided(c *ledger.Consent, r *consent.Revocation, statement []byte) (ledger.Answer, error) {
	switch {
	case !slices.ContainsFunc(c.Revocation, r.SignedBy):
		return ledger.Answer{Verdict: ledger.ConsentKey, Detail: "the key is not one by which this consent is taken back"}, nil
	case c.Revoked == 0:
		return ledger.Answer{}, nil
	}
	s, err := n.statement(c.Revoked)
	if err != nil {
		return ledger.Answer{}, err
	}
	if s.Carrier != nil && bytes.Equal(s.Carrier.Statement, statement) {
		return ledger.Answer{Verdict: ledger.Accepted, Index: c.Revoked, Known: true, Kind: ledger.KindRevoke}, nil
	}
	return ledger.Answer{Verdict: ledger.ConsentRevoked, Index: c.Revoked, Detail: "it has been taken back with another key"}, nil
}

// revocationKept is how long an agency keeps a revocation that it received
// directly: longer than any query under its consent can be open.
const revocationKept = 30 * 24 * time.Hour

// serveRevocation stores a revocation that another member sends directly. If
// the log does not have the consent, it stores nothing and waits for nothing,
// so that made-up revocations do not hold up others. The sender sends it again.
func (n *Node) serveRevocation(_ context.Context, _ string, statement []byte) ([]byte, error) {
	r, err := n.verifyRevocation(statement)
	if err != nil {
		return nil, &peer.Error{Code: peer.Malformed, Message: "not a revocation, or not signed by the key it names"}
	}
	known, err := n.grant(consent.ID(r.Consent))
	switch {
	case err != nil:
		return nil, err
	case known == nil:
		return nil, &peer.Error{Code: codeConsent, Message: "the log, as this member has it, has no such consent", Retryable: true}
	case known.Revoked != 0 || !slices.ContainsFunc(known.Revocation, r.SignedBy):
		return nil, nil // it would change nothing
	}
	return nil, n.vault.Put(revocations, r.Consent, statement, time.Now().Add(revocationKept))
}

// bringHeld makes errands of the revocations that were received directly and
// are still not on the log: the sender may have told no other agency. If this
// member refuses a query because of a revocation, the log has to show that
// revocation. Otherwise an auditor would take the refusal for a lie, and other
// agencies would go on answering.
func (n *Node) bringHeld() error {
	ids, err := n.vault.Keys(revocations)
	if err != nil {
		return err
	}
	for _, id := range ids {
		known, err := n.grant(consent.ID(id))
		if err != nil {
			return err
		}
		if known == nil || known.Revoked != 0 {
			continue
		}
		var statement []byte
		if err := n.vault.Get(revocations, id, &statement); errors.Is(err, vault.ErrNone) {
			continue
		} else if err != nil {
			return err
		}
		r, err := n.verifyRevocation(statement)
		if err != nil {
			return err
		}
		key := errandKey(r)
		if err := n.vault.Get(errands, key, new(errand)); !errors.Is(err, vault.ErrNone) {
			if err != nil {
				return err
			}
			continue // there is an errand for it already
		}
		if err := n.keepErrand(key, &errand{Statement: statement}, known); err != nil {
			return err
		}
	}
	return nil
}

// holdsRevocation reports whether this member holds a valid revocation of a
// consent that was sent to it directly.
func (n *Node) holdsRevocation(h *consent.Header) (bool, error) {
	var statement []byte
	err := n.vault.Get(revocations, h.Bounds.ID, &statement)
	if errors.Is(err, vault.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := n.verifyRevocation(statement)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(h.Bounds.Revocation, r.SignedBy), nil
}
