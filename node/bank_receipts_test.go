package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/vault"
)

// The tests in this file kill a bank between two steps of a query. The query
// spends one use, its agencies' bytes are the same, and what arrived gets its
// receipt.

// toTax returns a question to the tax agency alone, under a consent with a single
// use.
func (n *network) toTax() Question {
	n.t.Helper()
	return Question{Consent: n.grant(n.enrol(firm), 1), Operator: "Wang", Wait: time.Minute, Offers: offers()[1:]}
}

// again kills bank-a, starts it again and continues the query of which it has a
// record.
func (n *network) again(id []byte) *Asked {
	n.t.Helper()
	n.kill("bank-a")
	n.open("bank-a", nil)
	a, err := n.members["bank-a"].Asked(n.ctx, ledger.StatementID(id))
	n.must(err)
	return a
}

// The bank is killed after the question is stored and before it is submitted.
func TestBankKilledBeforeItsQuery(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	done, cancel := context.WithCancel(n.ctx)
	cancel()
	_, err := bank.Ask(done, n.toTax())
	open, ok := err.(*NotLogged)
	if !ok {
		t.Fatal(err)
	}
	a := n.again(open.Query[:])
	n.arrives(a, n.fetchRaw(a, "tax"))
	n.awaitReceipt("tax", a)
	n.agree()
}

// The bank is killed when its query is on the log, and the record in its vault
// does not say so. Nothing is submitted a second time: the log says where the
// query is.
func TestBankKilledAfterItsQuery(t *testing.T) {
	n := newNetwork(t)
	a, err := n.members["bank-a"].Ask(n.ctx, n.toTax())
	n.must(err)
	spooled := n.fetchRaw(a, "tax")
	again := n.again(a.Ref.ID)
	if again.Index != a.Index || !bytes.Equal(again.Opened, a.Opened) {
		t.Errorf("entry %d, was %d", again.Index, a.Index)
	}
	n.arrives(again, spooled)
	n.awaitReceipt("tax", a)
	n.agree()
	// With the receipt the index is stored: the log drops it after a day.
	var kept Asked
	for n.ctx.Err() == nil && kept.Index == 0 {
		n.must(n.members["bank-a"].vault.Get(questions, a.Ref.ID, &kept))
		time.Sleep(10 * time.Millisecond)
	}
	if kept.Index != a.Index {
		t.Errorf("entry %d is stored, not %d", kept.Index, a.Index)
	}
}

// The bank is killed when a fragment is in its vault and nothing else: the
// receipt, which nobody asked for, is given after the next start.
func TestBankKilledBeforeItsReceipt(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, n.toTax())
	n.must(err)
	p, err := bank.fetch(n.ctx, a, n.askFor(a, "tax"))
	n.must(err)
	n.must(bank.stored(n.ctx, spoolName(inPrefix, a.Ref, "tax")))
	n.kill("bank-a")
	n.open("bank-a", nil)
	n.awaitReceipt("tax", a)
	n.must(n.members["tax"].dropReceived())
	// The agency no longer has the bytes, and the bank does.
	bank = n.members["bank-a"]
	n.must(bank.WaitFor(n.ctx, n.members["tax"].Head().Size))
	again, err := bank.Asked(n.ctx, ledger.StatementID(a.Ref.ID))
	n.must(err)
	pieces, err := bank.Collect(n.ctx, again, time.Minute, nil)
	n.must(err)
	if !bytes.Equal(pieces[0].Digest, p.Digest) || !slices.Equal(pieces[0].Answers, p.Answers) {
		t.Errorf("%+v, before %+v", pieces[0], p)
	}
	n.once(a)
	n.onceReceived(a)
	n.agree()
}

// A bank's disk takes its time: its caller has the answers meanwhile, and the log no
// receipt. The bank is killed then, and gets the same bytes again.
func TestBankKilledBeforeItsFragmentIsStored(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, n.toTax())
	n.must(err)
	sent := n.fetchRaw(a, "tax")
	name := spoolName(inPrefix, a.Ref, "tax")
	bank.unstored.begin(name, sent) // so nobody stores it
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	f, err := bank.Received(a, "tax")
	n.must(err)
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes arrived, %d were sent (%v)", len(got), len(sent), err)
	}
	time.Sleep(3 * receiptDelay)
	if o, err := n.members["court"].outcome(a.Ref, "tax"); err != nil || o == nil || o.Received {
		t.Errorf("before the bytes are durable: %+v, %v", o, err)
	}
	n.kill("bank-a")
	n.open("bank-a", nil)
	again := n.again(a.Ref.ID)
	n.arrives(again, sent)
	n.awaitReceipt("tax", a)
	n.must(n.members["bank-a"].WaitFor(n.ctx, n.members["tax"].Head().Size))
	n.onceReceived(a)
	n.agree()
}

// A disk without room for a fragment keeps its caller from nothing. Later the
// fragment is stored, and gets its receipt.
func TestFragmentStoredLater(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, n.toTax())
	n.must(err)
	sent, name := n.fetchRaw(a, "tax"), spoolName(inPrefix, a.Ref, "tax")
	bank.unstored.begin(name, sent)
	_, err = bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	n.must(bank.store(name, sent, fragmentEnds(a)))
	bank.unstored.end(name)
	n.awaitReceipt("tax", a)
	f, err := bank.Received(a, "tax")
	n.must(err)
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes are stored, %d were sent (%v)", len(got), len(sent), err)
	}
	n.agree()
}

// The bank is killed after its receipt is on the log: no second one is accepted.
func TestBankKilledAfterItsReceipt(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, n.toTax())
	n.must(err)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.awaitReceipt("tax", a)
	again := n.again(a.Ref.ID)
	bank = n.members["bank-a"]
	pieces, err = bank.Collect(n.ctx, again, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.must(bank.giveReceipts())
	n.once(a)
	n.onceReceived(a)
	n.agree()
}

// onceReceived checks that the log has accepted one receipt for a query. A bank whose
// copy of the log is behind after its start may give another, which has no effect.
func (n *network) onceReceived(a *Asked) {
	n.t.Helper()
	receipts := n.logged(func(v ledger.Verdict, s *ledger.Statement) bool {
		r, ok := s.Payload.(*ledger.Receipt)
		return ok && v == ledger.Accepted && bytes.Equal(r.Query, a.Ref.ID)
	})
	if receipts != 1 {
		n.t.Errorf("%d receipts", receipts)
	}
}

// An agency's release is on the log, but other bytes come: they get no receipt,
// while those of another agency do, in the receipt for the same query.
func TestNoReceiptBeforeTheBytes(t *testing.T) {
	n := newNetwork(t)
	tax := n.members["tax"].Node
	tax.host.HandleStream(peer.Ask, func(ctx context.Context, bank string, request []byte, w io.Writer) error {
		var sent bytes.Buffer
		if err := tax.serveAsk(ctx, bank, request, &sent); err != nil {
			return err
		}
		data := sent.Bytes()
		data[len(data)-1] ^= 1
		_, err := w.Write(data)
		return err
	})
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: n.grant(n.enrol(firm), 1), Operator: "Wang", Wait: time.Minute})
	n.must(err)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "court", "answered")
	wantOutcomes(t, pieces, "tax", "invalid", "invalid")
	n.awaitReceipt("court", a)
	o, err := n.members["court"].outcome(a.Ref, "tax") // the receipt is there, and perhaps not here yet
	n.must(err)
	if o == nil || o.Received {
		t.Errorf("the log says of bytes that are not those of the release: %+v", o)
	}
	if _, err := bank.Received(a, "tax"); !errors.Is(err, vault.ErrNone) {
		t.Errorf("the bank keeps what came: %v", err)
	}
	n.agree()
}

// An ask that was sealed ahead to a key that its agency no longer has is sealed
// again.
func TestSealedAheadToAnotherKey(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, n.toTax())
	n.must(err)
	if s := a.ahead["tax"](); s == nil || s.to != n.members["tax"].age.Recipient() {
		t.Fatal("not sealed ahead")
	}
	former := bank.age.Recipient()
	request, err := sealTo(former, n.askFor(a, "tax"))
	n.must(err)
	a.ahead["tax"] = func() *sealedAsk { return &sealedAsk{former, request} }
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
}

// A bank opens a consent once, and sees nevertheless what has happened to it.
func TestOpenedOnce(t *testing.T) {
	n := newNetwork(t)
	who := n.enrol(firm)
	id, other := n.grant(who, 3), n.grant(who, 3)
	bank := n.members["bank-a"]
	first, err := bank.Consent(id)
	n.must(err)
	n.ask(id)
	second, err := bank.Consent(id)
	n.must(err)
	if second.Body != first.Body || second.Terms != first.Terms {
		t.Error("opened again")
	}
	if first.Used != 0 || second.Used != 1 {
		t.Errorf("%d uses, then %d", first.Used, second.Used)
	}

	statement, err := who.keys.Revoke(0)
	n.must(err)
	answer, err := bank.Carry(n.ctx, statement, nil)
	n.must(err)
	c, err := bank.Consent(id)
	n.must(err)
	if c.Ended != answer.Index || len(bank.openings.ids()) != 1 {
		t.Errorf("ended at %d, taken back at %d; %d are kept", c.Ended, answer.Index, len(bank.openings.ids()))
	}

	// The credential does not stand any more: nothing can be asked.
	_, err = bank.Consent(other)
	n.must(err)
	_, err = n.members["registrar"].Submit(n.ctx, ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: n.members["registrar"].NewHead(), Digest: consent.CredentialDigest(who.credential)})
	n.must(err)
	bank.Fresh(n.ctx)
	_, err = bank.Consent(other)
	if refusal, ok := err.(*consent.Refusal); !ok || refusal.Code != consent.BadSubject {
		t.Errorf("under a revoked credential: %v", err)
	}
	if len(bank.openings.ids()) != 0 {
		t.Error("what has ended is kept")
	}
	n.agree()
}

// Opened consents are forgotten when they end, and the one that was not used for
// the longest time when there are too many.
func TestOpeningsAreBounded(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	who := n.enrol(firm)
	id := n.grant(who, 3)
	for range maxOpened + 9 {
		bank.openings.put(consent.ID(freshSalt()[:len(sign.KeyID{})]), &opening{})
		if bank.openings.get(id, 0) == nil {
			c, err := bank.grant(id)
			n.must(err)
			if bank.openings.get(id, c.Index) == nil {
				t.Fatal("what was used is forgotten")
			}
		}
	}
	if kept := len(bank.openings.ids()); kept != maxOpened {
		t.Errorf("%d are kept", kept)
	}
	n.must(bank.dropEnded()) // the log has none of the others
	if kept := bank.openings.ids(); len(kept) != 1 || kept[0] != id {
		t.Errorf("%d are kept", len(kept))
	}
}
