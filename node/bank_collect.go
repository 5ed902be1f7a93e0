package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/node/peer"
)

// unreachableTries is after how many attempts in a row to connect to an agency
// the rest of a query does not wait for it.
const unreachableTries = 8

// collect asks one agency until it has answered, for as long as ctx lasts. It
// calls settled when there is an answer, or hardly any hope for one: then it
// goes on only until alone is closed.
func (n *Node) collect(ctx context.Context, a *Asked, c *Consent, s *consent.Section, settled func(), alone <-chan struct{}) Piece {
	defer settled()
	key := consent.AgencyKey(c.Body.Secret(), consent.ID(a.Consent), s.Agency)
	ask := &consent.Ask{
		Query: a.Ref.ID, Consent: a.Consent, Terms: c.Body.Terms, Credential: c.Body.Credential,
		Slice: *c.Body.Slice(s.Agency), Section: *s, Key: key[:],
	}
	if p, ok := n.received(a, ask); ok {
		return p
	}
	var away error // of the last attempt before now, where it made no connection
	var told error // what the agency said last
	tries := 0     // such attempts in a row
	for attempt := 0; ; attempt++ {
		p, err := n.fetch(ctx, a, ask)
		if err == nil {
			return p
		}
		n.log.Warn("an agency did not answer a query", "agency", s.Agency, "attempt", attempt, "error", err)
		var e *peer.Error
		if errors.As(err, &e) && e.Code == codeGone { // this member's copy of the log is behind the agency's
			if p, err := n.kept(a, ask); err == nil {
				return p
			}
		}
		if !errors.As(err, &e) || !e.Retryable {
			return n.without(a, ask, err)
		}
		connected := slices.Contains(n.host.Connected(), s.Agency)
		if ctx.Err() != nil {
			switch {
			case away != nil && !connected: // nobody was there to be late
				err = away
			case told != nil && e.Code == peer.Timeout: // it was there, and said why it could not
				err = told
			}
			return n.without(a, ask, err)
		}
		var enough <-chan struct{}
		if e.Code == peer.Unreachable && !connected {
			away, tries, told = err, tries+1, nil
		} else {
			away, tries = nil, 0
		}
		switch e.Code {
		case peer.Unreachable, peer.Cut, peer.Timeout:
		default:
			told = err
		}
		if tries >= unreachableTries {
			settled()
			enough = alone
		}
		select {
		case <-time.After(min(2*time.Second, 100*time.Millisecond<<min(attempt, 5))):
		case <-enough:
			return n.without(a, ask, err)
		case <-ctx.Done():
		}
	}
}

// received returns the piece that has come before and has its receipt on the log:
// the agency keeps it no longer.
func (n *Node) received(a *Asked, ask *consent.Ask) (Piece, bool) {
	o, err := n.outcome(a.Ref, ask.Section.Agency)
	if err != nil || o == nil || !o.Received {
		return Piece{}, false
	}
	p, err := n.kept(a, ask)
	if err != nil {
		n.log.Warn("a fragment that was received before could not be read from the vault", "agency", ask.Section.Agency, "error", err)
	}
	return p, err == nil
}

// kept reads the piece of an agency from this bank's own vault.
func (n *Node) kept(a *Asked, ask *consent.Ask) (Piece, error) {
	o, err := n.outcome(a.Ref, ask.Section.Agency)
	if err == nil && o == nil {
		err = errNotReleased
	}
	if err != nil {
		return Piece{}, err
	}
	return n.openFragment(a, ask, o, spoolName(inPrefix, a.Ref, ask.Section.Agency))
}
