package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/node/peer"
)

// Collect asks all agencies of a question in parallel. It returns when each has
// answered or wait is over, with one piece for each agency in the order of the
// question. After unreachableTries failed connections in a row, which take some
// seven seconds, an agency counts as unreachable. Collect does not wait for
// unreachable agencies once all others have answered. Called again it returns
// the same bytes: from this bank's vault once they have their receipt. What
// arrived gets a receipt a moment later. Collect gives the
// cosigners a second to make the query and its answers final. Progress, unless
// nil, is called with each piece as it comes, one at a time.
func (n *Node) Collect(ctx context.Context, a *Asked, wait time.Duration, progress func(Piece)) ([]Piece, error) {
	if wait == 0 {
		wait = defaultWait
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	// The replica of a bank that has just started may not have reached the
	// query again.
	if err := n.replica.WaitFor(waiting, a.Index+1); err != nil {
		return nil, err
	}
	c, err := n.Consent(consent.ID(a.Consent))
	if err != nil {
		return nil, err
	}
	covering, covered := context.WithCancel(waiting)
	defer covered()
	pieces := make([]Piece, len(a.Sections))
	var running, hoping sync.WaitGroup
	var telling sync.Mutex
	hoping.Add(len(a.Sections))
	alone := make(chan struct{})
	running.Go(func() {
		hoping.Wait()
		close(alone)
	})
	for i := range a.Sections {
		running.Go(func() {
			pieces[i] = n.collect(waiting, a, c, &a.Sections[i], sync.OnceFunc(hoping.Done), alone)
			if entry := pieces[i].Entry; entry > 0 { // while others have not answered
				go func() { _ = n.replica.Finalise(covering, entry+1) }() // see [Node.cover]
			}
			if progress != nil {
				telling.Lock()
				defer telling.Unlock()
				progress(pieces[i])
			}
		})
	}
	running.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.acknowledge(a, c, pieces)
	n.cover(ctx, a, pieces)
	return pieces, nil
}

// unreachableTries is the number of failed attempts in a row to connect to an
// agency after which a query no longer waits for it.
const unreachableTries = 8

// collect asks one agency until it has answered, for as long as ctx lasts. It
// calls settled when there is an answer, or when the agency is unreachable. In
// the latter case it continues only until alone is closed.
func (n *Node) collect(ctx context.Context, a *Asked, c *Consent, s *consent.Section, settled func(), alone <-chan struct{}) Piece {
	defer settled()
	ask := askOf(a, c, s)
	if p, ok := n.received(a, ask); ok {
		return p
	}
	var away error // error of the previous attempt, if it made no connection
	var told error // the last error that the agency sent
	tries := 0     // number of failed connections in a row
	for attempt := 0; ; attempt++ {
		p, err := n.fetch(ctx, a, ask)
		if err == nil {
			return p
		}
		n.log.Warn("an agency did not answer a query", "entry", a.Index, "member", s.Agency, "attempt", attempt, "error", err)
		var e *peer.Error
		if errors.As(err, &e) && e.Code == codeGone { // this member's copy of the log is behind the agency's
			if p, err := n.kept(a, ask); err == nil {
				return p
			}
		}
		if !errors.As(err, &e) || !e.Retryable || isPause(e) { // the bank asks again when the pause is over
			return n.without(a, ask, err)
		}
		connected := slices.Contains(n.host.Connected(), s.Agency)
		if ctx.Err() != nil {
			switch {
			case away != nil && !connected: // there was no connection, so the answer was not merely late
				err = away
			case told != nil && e.Code == peer.Timeout: // the agency was connected, and had said why it could not answer
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

// askOf returns the ask for a section.
func askOf(a *Asked, c *Consent, s *consent.Section) *consent.Ask {
	key := consent.AgencyKey(c.Body.Secret(), consent.ID(a.Consent), s.Agency)
	return &consent.Ask{
		Query: a.Ref.ID, Consent: a.Consent, Terms: c.Body.Terms, Credential: c.Body.Credential,
		Slice: *c.Body.Slice(s.Agency), Section: *s, Key: key[:],
	}
}
