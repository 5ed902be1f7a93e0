//go:build !race

package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/peer"
)

// In the tests below a bank with a modified node asks an agency for rows, or an
// agency with one answers slowly.

// grantRowsTo has another bank accept a consent to the invoices.
func (f *invoicing) grantRowsTo(bank string) consent.ID {
	f.t.Helper()
	d := f.draft(f.subject, 9)
	d.Bank, d.Offers = bank, []consent.Offer{{Agency: "tax", Items: []consent.Item{f.item}}}
	statement, sealed := f.sign(f.subject, d)
	c, err := f.members[bank].Accept(f.ctx, statement, sealed)
	f.must(err)
	return c.Header.Bounds.ConsentID()
}

func (f *invoicing) askRowsAs(bank string, id consent.ID) *Asked {
	f.t.Helper()
	a, err := f.members[bank].Ask(f.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{f.item}}}})
	f.must(err)
	return a
}

// from asks the tax office for the rest of an answer as a bank whose node may ask
// from any byte.
func (f *invoicing) from(a *Asked, at uint64) (rest []byte, code string) {
	f.t.Helper()
	ask := *f.askFor(a, "tax")
	ask.From = at
	bank := f.members["bank-a"]
	request, err := bank.sealAsk(&ask)
	f.must(err)
	stream, err := bank.host.Stream(f.ctx, "tax", peer.Ask, request)
	if err == nil {
		rest, err = ciphertext(stream)
		err = errors.Join(err, stream.Close())
	}
	var e *peer.Error
	if errors.As(err, &e) {
		code = e.Code
	} else {
		f.must(err)
	}
	return rest, code
}

// TestResumeAnywhere: from whatever byte a bank asks, it gets the end of what was
// released to it, and nothing of anybody else's.
func TestResumeAnywhere(t *testing.T) {
	f := newInvoicing(t, 2000, 10_000, 1<<20, "")
	a := f.askRows(f.id)
	whole, code := f.from(a, 0)
	size := uint64(len(whole))
	if code != "" || size < 10_000 {
		t.Fatalf("%d bytes, %s", size, code)
	}
	for _, at := range []uint64{1, size / 2, size - 1, size, size + 1, 1 << 40, math.MaxInt64} {
		rest, code := f.from(a, at)
		if want := whole[min(at, size):]; code != "" || !bytes.Equal(rest, want) {
			t.Errorf("from %d: %d bytes, %s, want %d", at, len(rest), code, len(want))
		}
	}
	for _, at := range []uint64{math.MaxInt64 + 1, math.MaxUint64} {
		if rest, code := f.from(a, at); len(rest) > 0 || code != codeAsk {
			t.Errorf("from %d: %d bytes, %s", at, len(rest), code)
		}
	}
	tax := f.members["tax"]
	request, err := f.members["bank-a"].sealAsk(f.askFor(a, "tax"))
	f.must(err)
	other := *f.askFor(a, "tax")
	other.Query = freshSalt()[:16]
	unlogged, err := f.members["bank-a"].sealAsk(&other)
	f.must(err)
	for name, k := range map[string]struct {
		bank    string
		request []byte
	}{"another bank's query": {"bank-b", request}, "a query that is not on the log": {"bank-a", unlogged}} {
		ctx, cancel := context.WithTimeout(f.ctx, 3*time.Second)
		var out bytes.Buffer
		var e *peer.Error
		if err := tax.serveAsk(ctx, k.bank, k.request, &out); !errors.As(err, &e) || e.Code != codeUnknown || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, out.Len())
		}
		cancel()
	}
	f.takeBack("consent", f.subject)
	for _, at := range []uint64{0, size / 2, size} {
		if rest, code := f.from(a, at); len(rest) > 0 || code != codeRevoked {
			t.Errorf("after the consent was taken back, from %d: %d bytes, %s", at, len(rest), code)
		}
	}
	again := f.askRows(f.grantRows(f.subject)) // the agency goes on with others
	if p := f.collect(again, nil); p.Answers[0].Result.Outcome != consent.Answered {
		t.Errorf("%+v", p.Answers)
	}
	f.emptySorting()
}

// TestRowsOfOneBank: while an answer of rows is made for one bank, no further one
// is made for it, and another bank gets its own.
func TestRowsOfOneBank(t *testing.T) {
	f := newInvoicing(t, 100, 1000, 1<<20, "")
	tax, bank := f.members["tax"], f.members["bank-a"]
	slow, err := tax.tables.begin(f.ctx, "bank-a")
	f.must(err)
	var asked []*Asked
	var running sync.WaitGroup
	pieces := make([]Piece, 5)
	for i := range pieces {
		a := f.askRows(f.id)
		asked = append(asked, a)
		running.Go(func() { pieces[i], _ = bank.CollectRows(f.ctx, a, time.Minute, nil) })
	}
	other := f.askRowsAs("bank-b", f.grantRowsTo("bank-b"))
	p, err := f.members["bank-b"].CollectRows(f.ctx, other, time.Minute, nil)
	if err != nil || p.Answers[0].Result.Outcome != consent.Answered {
		t.Errorf("the other bank: %+v, %v", p, err)
	}
	_, formulas := f.ask(f.grantRows(f.subject))
	wantOutcomes(t, formulas, "tax", "answered") // of the same bank, and no rows
	for _, a := range asked {
		if o, err := tax.outcome(a.Ref, "tax"); err != nil || o != nil {
			t.Errorf("answered meanwhile: %+v, %v", o, err)
		}
	}
	slow()
	running.Wait()
	for _, p := range pieces {
		if len(p.Answers) != 1 || p.Answers[0].Result.Outcome != consent.Answered {
			t.Errorf("afterwards: %+v", p)
		}
	}
	if tax.tables.all != 0 || len(tax.tables.of) != 0 {
		t.Errorf("left: %d, %v", tax.tables.all, tax.tables.of)
	}
}

// TestUnreceivedRows: a bank that gives no receipts fills its own part of an
// agency's disk. Others get their rows, and it gets its own once it has given
// receipts.
func TestUnreceivedRows(t *testing.T) {
	f := newInvoicing(t, 100, 1000, 1<<20, "")
	tax := f.members["tax"]
	var kept []string
	for left := int64(unreceivedOfBank); left > 0; left -= consent.MaxTableBytes {
		file, err := tax.vault.Create()
		f.must(err)
		_, err = file.Write(make([]byte, 128<<10)) // so many that they are in the folder
		f.must(err)
		name := spoolName(outPrefix, ledger.QueryRef{Bank: "bank-a", ID: freshSalt()[:16]}, "bank-a")
		f.must(file.Commit(name, time.Now().Add(time.Hour)))
		f.must(os.Truncate(filepath.Join(f.dir, "tax", "spool", name), consent.MaxTableBytes)) // without blocks on the disk
		kept = append(kept, name)
	}
	a := f.askRows(f.id)
	if rest, code := f.from(a, 0); len(rest) > 0 || code != codeUnreceived {
		t.Errorf("%d bytes, %s", len(rest), code)
	}
	other := f.askRowsAs("bank-b", f.grantRowsTo("bank-b"))
	if p, err := f.members["bank-b"].CollectRows(f.ctx, other, time.Minute, nil); err != nil || p.Answers[0].Result.Outcome != consent.Answered {
		t.Errorf("the other bank: %+v, %v", p, err)
	}
	f.must(tax.vault.Drop(kept[0]))
	if p := f.collect(a, nil); p.Answers[0].Result.Outcome != consent.Answered {
		t.Errorf("after a receipt: %+v", p)
	}
}

// TestTrickle: an agency that sends its answer byte by byte holds up nobody for
// longer than one that sends nothing. What has come stays, and the rest follows
// when it is asked for again.
func TestTrickle(t *testing.T) {
	f := newInvoicing(t, 1000, 2000, 1<<20, "")
	tax, bank := f.members["tax"], f.members["bank-a"]
	tax.host.HandleStream(peer.Ask, func(ctx context.Context, from string, request []byte, w io.Writer) error {
		return tax.serveAsk(ctx, from, request, writerFunc(func(p []byte) (int, error) {
			for i := range p {
				if _, err := w.Write(p[i : i+1]); err != nil {
					return i, err
				}
				time.Sleep(2 * time.Millisecond)
			}
			return len(p), nil
		}))
	})
	a := f.askRows(f.id)
	came := int64(0)
	p, err := bank.CollectRows(f.ctx, a, 3*time.Second, func(now RowsProgress) { came = now.Bytes })
	f.must(err)
	if r := p.Answers[0].Result; r.Outcome != consent.Unavailable || r.Reason != "timeout" {
		t.Errorf("%+v after %d bytes", r, came)
	}
	tax.host.HandleStream(peer.Ask, tax.serveAsk)
	if p := f.collect(a, nil); p.Answers[0].Result.Outcome != consent.Answered {
		t.Errorf("%+v", p)
	}
	f.sameRows(f.rows(a))
}

// Rows that were approved may take half an hour to read: nobody else's approved
// query waits for that. What leaves goes on at a byte as without approval, until
// the consent is taken back.
func TestApprovedRowsHoldUpNobody(t *testing.T) {
	f := newInvoicingBy(t, strings.Replace(rowsCatalog, "    source: main\n", "    source: main\n    approval: manual\n", 1), 1000, 10_000, 1<<20, "")
	tax := f.members["tax"]
	slow, other := f.askRows(f.id), f.askRowsAs("bank-b", f.grantRowsTo("bank-b"))
	for _, a := range []*Asked{slow, other} {
		if p, err := f.members[a.Ref.Bank].CollectRows(f.ctx, a, time.Minute, nil); err != nil || !strings.HasPrefix(p.Answers[0].Result.Reason, codePending) {
			t.Fatalf("%+v %v", p, err)
		}
	}
	reading, err := tax.tables.begin(f.ctx, "bank-a") // another answer for that bank
	f.must(err)
	for _, a := range []*Asked{slow, other} {
		f.edit(a, func(w *waiting) { w.Decision = &Decision{Approved: true, By: "Zhao", At: 1} })
	}
	if err := tax.settlePending(); err != nil {
		t.Errorf("the queue waited for the rows until they were given up: %v", err)
	}
	if _, err := f.members["bank-b"].awaitOutcome(f.ctx, other.Ref, "tax"); err != nil {
		t.Errorf("the other query: %v", err)
	}
	if o, err := tax.outcome(slow.Ref, "tax"); err != nil || o != nil {
		t.Errorf("the slow one: %+v %v", o, err)
	}
	reading()
	if _, err := f.members["bank-a"].awaitOutcome(f.ctx, slow.Ref, "tax"); err != nil {
		t.Errorf("the slow one, afterwards: %v", err)
	}
	whole, code := f.from(slow, 0)
	if rest, again := f.from(slow, uint64(len(whole)/2)); len(whole) == 0 || code+again != "" || !bytes.Equal(rest, whole[len(whole)/2:]) {
		t.Errorf("%d and %d bytes, %s %s", len(whole), len(rest), code, again)
	}
	f.takeBack("consent", f.subject)
	if rest, code := f.from(slow, uint64(len(whole)/2)); len(rest) > 0 || code != codeRevoked {
		t.Errorf("after the consent was taken back: %d bytes, %s", len(rest), code)
	}
}
