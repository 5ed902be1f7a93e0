package node

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/peer"
)

// attempts counts what a bank logs of asking an agency in vain.
type attempts struct {
	agency string
	count  atomic.Int64
}

func (a *attempts) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("msg=asking agency="+a.agency)) {
		a.count.Add(1)
	}
	return len(line), nil
}

// toTwo puts a question to court and tax on the log. They may answer for long.
func (n *network) toTwo() *Asked {
	n.t.Helper()
	id := n.grant(n.enrol(firm), 3)
	a, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Open: time.Hour})
	n.must(err)
	return a
}

func wantReason(t *testing.T, p Piece, outcome consent.Outcome, reason string) {
	t.Helper()
	for _, a := range p.Answers {
		if a.Result.Outcome != outcome || a.Result.Reason != reason {
			t.Errorf("%s: %s because of %q, want %s and %q", p.Agency, a.Result.Outcome, a.Result.Reason, outcome, reason)
		}
	}
}

// An agency to which there is no connection does not hold up those who have all
// the other answers: here they would wait for longer than the test may last.
func TestUnreachable(t *testing.T) {
	n := newNetwork(t)
	a := n.toTwo()
	n.stop("court")
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Hour, nil)
	n.must(err)
	wantReason(t, pieces[0], consent.Unavailable, peer.Unreachable)
	wantOutcomes(t, pieces, "tax", "answered", "answered")

	// A patience that ends before gives the same reason.
	short, err := n.members["bank-a"].Collect(n.ctx, a, time.Second, nil)
	n.must(err)
	wantReason(t, short[0], consent.Unavailable, peer.Unreachable)

	// It is back, and is asked again.
	n.open("court", nil)
	again, err := n.members["bank-a"].Collect(n.ctx, a, time.Hour, nil)
	n.must(err)
	wantOutcomes(t, again, "court", "answered")
	n.agree()
}

// A question is completed by asking again: what has come and has its receipt,
// which its agency has dropped, is still part of the answer, whoever is away then.
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

// While another's answer is awaited, an agency that was thought hopeless and
// comes back has its answer heard. One that is there and slow is waited for.
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
