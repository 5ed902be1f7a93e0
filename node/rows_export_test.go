package node

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"atoll/consensus/consent"
)

// RowsWorld is a network with rows, for tests of how package api gives them out.
type RowsWorld struct {
	Bank *Node
	Item consent.Item // of tax
	f    *invoicing
}

// NewRowsWorld has about 1.8 MB of rows.
func NewRowsWorld(t testing.TB) *RowsWorld {
	f := newWide(t)
	return &RowsWorld{f.members["bank-a"].Node, f.item, f}
}

// Consent returns the id of a consent to the rows.
func (w *RowsWorld) Consent() consent.ID { return w.f.id }

// Used returns how many uses are spent.
func (w *RowsWorld) Used() uint32 { return w.f.consent(w.f.id).Used }

// Answered asks for the rows until they have arrived, and returns their number.
func (w *RowsWorld) Answered() (a *Asked, rows uint64) {
	a = w.f.askRows(w.f.id)
	return a, w.f.collect(a, nil).Answers[0].Result.Rows
}

// Unasked asks a query that is not for rows.
func (w *RowsWorld) Unasked() *Asked {
	a, _ := w.f.ask(w.f.id)
	return a
}

// Silent asks for the rows and collects nothing.
func (w *RowsWorld) Silent() *Asked { return w.f.askRows(w.f.id) }

// Spooled returns the path of the rows of a query at the bank.
func (w *RowsWorld) Spooled(a *Asked) string {
	return filepath.Join(w.f.dir, "bank-a", "spool", spoolName(inPrefix, a.Ref, "tax"))
}

// Expire has the bank forget what expires within a time.
func (w *RowsWorld) Expire(within time.Duration) error {
	_, err := w.Bank.vault.Sweep(time.Now().Add(within), nil)
	return err
}

// Hold stops the agency in the middle of its first answer, until it is let go, and
// then waits for what it does about it.
func (w *RowsWorld) Hold(after int64) (sent func() int64, letGo func()) {
	h := w.f.hold(after)
	return h.bytes.Load, func() { h.free.Store(true); h.serving.Wait() }
}

// Begun returns how many bytes the bank has of an answer that is not complete.
func (w *RowsWorld) Begun(a *Asked) int64 { return w.f.begun(a) }

// Context is that of the test.
func (w *RowsWorld) Context() context.Context { return w.f.ctx }
