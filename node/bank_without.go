package node

import (
	"context"
	"errors"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/source"
)

// without returns the piece of an agency that delivered nothing, with the
// reason: from the log if the log has one.
func (n *Node) without(a *Asked, ask *consent.Ask, why error) Piece {
	p := Piece{Agency: ask.Section.Agency}
	outcome, reason := n.reasonWithout(a, ask, why, &p)
	for _, w := range ask.Section.Wants {
		p.Answers = append(p.Answers, fragment.Answer{Result: ledger.Result{Item: w.Item, Outcome: outcome, Reason: reason}})
	}
	return p
}

// outcomeGrace is how long a bank waits for its replica to have the refusal
// that an agency has just reported.
const outcomeGrace = 3 * time.Second

func (n *Node) reasonWithout(a *Asked, ask *consent.Ask, why error, p *Piece) (consent.Outcome, string) {
	var e *peer.Error
	if !errors.As(why, &e) {
		// Bytes came, but they are not what the log or the question requires.
		if isFalse(why) {
			return consent.Invalid, "fragment.invalid"
		}
		return consent.Unavailable, n.silence(a, p.Agency)
	}
	switch e.Code {
	case codeNotFinal:
		return consent.Unavailable, n.heldReason(a, p.Agency, e)
	case peer.Timeout:
		return consent.Unavailable, n.silence(a, p.Agency)
	case codeRevoked:
		return consent.RevokedNow, string(consent.Revoked)
	case codeExpired:
		return consent.ExpiredNow, string(consent.Expired)
	case codeMaintenance, codeClosed, codePending, codeQueueFull:
		return consent.Unavailable, n.pausedUntil(e)
	case codeSource:
		return consent.Unavailable, unread(e.Message)
	case codeRefused:
		ctx, cancel := context.WithTimeout(n.ctx, outcomeGrace)
		defer cancel()
		o, err := n.awaitOutcome(ctx, a.Ref, p.Agency)
		if err == nil && len(o.Digest) == 0 {
			p.Entry = o.Index
			return n.refusedFor(ask, o)
		}
	}
	return consent.Unavailable, e.Code
}

// unread returns the reason that an agency gives for having read nothing, if it
// is one that people have words for.
func unread(reason string) string {
	if source.Code(reason).Outcome() == consent.Unavailable || reason == catalog.PredicateCounting {
		return reason
	}
	return source.Failed
}

// refusedFor decrypts the reason of a refusal on the log.
func (n *Node) refusedFor(ask *consent.Ask, o *ledger.Outcome) (consent.Outcome, string) {
	s, err := n.statement(o.Index)
	if err != nil {
		return consent.Refused, ""
	}
	r, ok := s.Payload.(*ledger.Refuse)
	if !ok {
		return consent.Refused, ""
	}
	public, err := r.Public()
	if err != nil {
		return consent.Refused, ""
	}
	plain, err := seal.Unbox(sign.Secret(ask.Key), n.place(ledger.KindRefuse, ask.Section.Agency, r.ID), public, r.Sealed)
	if err != nil {
		return consent.Refused, "refusal.unreadable"
	}
	var d ledger.RefuseDetail
	if err := sign.Unmarshal(plain, &d); err != nil {
		return consent.Refused, "refusal.unreadable"
	}
	switch d.Reason {
	case consent.Revoked:
		return consent.RevokedNow, string(d.Reason)
	case consent.Expired:
		return consent.ExpiredNow, string(d.Reason)
	case RulesRefused:
		return consent.Refused, string(d.Reason) + ": " + d.Detail
	}
	return consent.Refused, string(d.Reason)
}
