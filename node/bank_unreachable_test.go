package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/peer"
)

// attempts counts the failed attempts to ask an agency that a bank logs.
type attempts struct {
	agency string
	count  atomic.Int64
}

func (a *attempts) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("member="+a.agency+" attempt=")) {
		a.count.Add(1)
	}
	return len(line), nil
}

// toTwo puts a question to court and tax on the log, with a long deadline.
func (n *network) toTwo() *Asked {
	n.t.Helper()
	id := n.grant(n.enrol(firm), 3)
	a, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Open: time.Hour})
	n.must(err)
	return a
}

func wantReason(t *testing.T, p Piece, outcome consent.Outcome, reason string) {
	t.Helper()
	if err := reasonIs(p, outcome, reason); err != nil {
		t.Error(err)
	}
}

// reasonIs returns nil if a piece has this outcome everywhere, for this reason.
func reasonIs(p Piece, outcome consent.Outcome, reason string) error {
	for _, a := range p.Answers {
		if a.Result.Outcome != outcome || a.Result.Reason != reason {
			return fmt.Errorf("%s: %s because of %q, want %s and %q", p.Agency, a.Result.Outcome, a.Result.Reason, outcome, reason)
		}
	}
	return nil
}

// A bank that has all other answers does not wait for an agency without a
// connection: here it would wait for longer than the test may last.
func TestUnreachable(t *testing.T) {
	n := newNetwork(t)
	a := n.toTwo()
	n.stop("court")
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Hour, nil)
	n.must(err)
	wantReason(t, pieces[0], consent.Unavailable, peer.Unreachable)
	wantOutcomes(t, pieces, "tax", "answered", "answered")

	// If the wait ends earlier, the reason is the same.
	n.until(func() error { // on a busy machine no attempt may have ended by then
		short, err := n.members["bank-a"].Collect(n.ctx, a, time.Second, nil)
		n.must(err)
		return reasonIs(short[0], consent.Unavailable, peer.Unreachable)
	})

	// The agency is back, and is asked again.
	n.open("court", nil)
	again, err := n.members["bank-a"].Collect(n.ctx, a, time.Hour, nil)
	n.must(err)
	wantOutcomes(t, again, "court", "answered")
	n.agree()
}

// Asking again completes a question. Answers that came before and have their
// receipt, and that their agency no longer keeps, are still part of the result,
// even if the agency is unreachable then.
func TestAskedAgainIsWhole(t *testing.T) {
	n := newNetwork(t)
	a := n.toTwo()
	n.stop("court")
	bank := n.members["bank-a"]
	first, err := bank.Collect(n.ctx, a, time.Hour, nil)
	n.must(err)
	wantOutcomes(t, first, "tax", "answered", "answered")
	n.awaitReceipt("tax", a)
	n.must(n.members["tax"].dropReceived())
	n.open("court", nil)
	again, err := bank.Collect(n.ctx, a, time.Hour, nil)
	n.must(err)
	wantOutcomes(t, again, "court", "answered")
	wantOutcomes(t, again, "tax", "answered", "answered")
	if !reflect.DeepEqual(again[1], first[1]) {
		t.Errorf("again %+v, first %+v", again[1], first[1])
	}
	n.agree()
}

// If an agency counted as unreachable comes back while another's answer is
// awaited, its answer is taken. An agency that is connected and slow is waited
// for.
func TestUnreachableComesBack(t *testing.T) {
	n := newNetwork(t)
	court := &attempts{agency: "court"}
	n.logger = func(string) *slog.Logger { return slog.New(slog.NewTextHandler(court, nil)) }
	n.restart("bank-a")
	a := n.toTwo()
	tax := n.members["tax"].Node
	slow := make(chan struct{})
	tax.host.HandleStream(peer.Ask, func(ctx context.Context, bank string, request []byte, w io.Writer) error {
		select {
		case <-slow:
		case <-ctx.Done():
			return ctx.Err()
		}
		return tax.serveAsk(ctx, bank, request, w)
	})
	n.stop("court")
	came, all := make(chan Piece, 2), make(chan []Piece, 1)
	go func() {
		pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Hour, func(p Piece) { came <- p })
		if err != nil {
			t.Error(err)
		}
		all <- pieces
	}()
	for court.count.Load() <= unreachableTries {
		select {
		case p := <-came:
			t.Fatalf("%s: %+v", p.Agency, p.Answers)
		case <-n.ctx.Done():
			t.Fatal("court is not tried any more")
		case <-time.After(10 * time.Millisecond):
		}
	}
	n.open("court", nil)
	if p := <-came; p.Agency != "court" || p.Digest == nil {
		t.Errorf("%s: %+v", p.Agency, p.Answers)
	}
	close(slow)
	wantOutcomes(t, <-all, "tax", "answered", "answered")
	n.agree()
}
