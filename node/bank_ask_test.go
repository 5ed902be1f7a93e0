package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/peer"
)

// A bank asks two agencies under a consent and gets exact values. Repeated rows
// are counted and not summed, and a complete register answers that there is
// nothing.
func TestQuery(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 2)
	a, pieces := n.ask(id)
	if len(pieces) != 2 || pieces[0].Agency != "court" || pieces[1].Agency != "tax" {
		t.Fatalf("%+v", pieces)
	}
	wantOutcomes(t, pieces, "court", "answered")
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	tax := pieces[1].Answers
	if tax[0].Value != "12" || tax[1].Value != "1272.00" || tax[1].Unit != "CNY" || tax[1].Dropped != 12 {
		t.Errorf("tax: %+v", tax)
	}
	if open := pieces[0].Answers[0]; open.Value != "0" {
		t.Errorf("court: %+v", open)
	}
	// After the receipt the agency no longer keeps the bytes. Before it, asking
	// again returns the same bytes.
	again, err := n.members["bank-a"].Asked(n.ctx, ledger.StatementID(a.Ref.ID))
	n.must(err)
	if again.Index != a.Index || again.Operator != "Wang" {
		t.Errorf("asked again: %+v", again)
	}
	_, second := n.ask(id)
	wantOutcomes(t, second, "tax", "answered", "answered")
	_, err = n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: "Wang"})
	var no *NotAccepted
	if !errors.As(err, &no) || no.Verdict != ledger.ConsentUses {
		t.Errorf("a third use: %v", err)
	}
	n.agree()
}

// I8: an agency that found nothing says so, an unreachable agency has another
// outcome, and what the consent does not cover is not asked.
func TestSilence(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(unknown), 3)
	_, pieces := n.ask(id)
	wantOutcomes(t, pieces, "tax", "no_record", "no_record")
	n.stop("court")
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Offers: []consent.Offer{
		{Agency: "court", Items: []consent.Item{item("cases", "open", consent.Value, 0)}},
		{Agency: "tax", Items: []consent.Item{item("vat", "sales_12m", consent.Value, 24), item("vat", "sales_12m", consent.Band, 24)}},
	}})
	n.must(err)
	if len(a.Left) != 1 || a.Left[0].Item.Disclosure != consent.Band {
		t.Errorf("left: %+v", a.Left)
	}
	pieces, err = bank.Collect(n.ctx, a, time.Minute, nil) // it does not wait for who has no connection
	n.must(err)
	wantOutcomes(t, pieces, "court", "unavailable")
	wantOutcomes(t, pieces, "tax", "no_record")
	n.agree()
}

// I9: before its receipt a fragment has the same bytes each time, also if the
// agency was restarted between release and delivery. Two concurrent requests
// get the same bytes.
func TestSameBytesAgain(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 1)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	first := n.fetchRaw(a, "tax")
	var same sync.WaitGroup
	for range 8 {
		same.Go(func() {
			if !bytes.Equal(n.fetchRaw(a, "tax"), first) {
				t.Error("other bytes for the same query")
			}
		})
	}
	same.Wait()
	n.restart("tax")
	if !bytes.Equal(n.fetchRaw(a, "tax"), first) {
		t.Error("other bytes after a restart")
	}
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
}

// sealAsk seals an ask to its agency as it is now.
func (n *Node) sealAsk(ask *consent.Ask) ([]byte, error) {
	to, err := n.recipient(ask.Section.Agency)
	if err != nil {
		return nil, err
	}
	return sealTo(to, ask)
}

// fetchRaw asks one agency without Collect, so that no receipt is written.
func (n *network) fetchRaw(a *Asked, agency string) []byte {
	n.t.Helper()
	bank := n.members["bank-a"]
	request, err := bank.sealAsk(n.askFor(a, agency))
	n.must(err)
	for {
		stream, err := bank.host.Stream(n.ctx, agency, peer.Ask, request)
		var e *peer.Error
		if errors.As(err, &e) && e.Retryable && n.ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if err != nil {
			n.t.Error(err)
			return nil
		}
		data, err := ciphertext(stream)
		if err = errors.Join(err, stream.Close()); err != nil {
			n.t.Error(err)
		}
		return data
	}
}

// ciphertext reads an answer to an ask, without the checkpoint before it.
func ciphertext(answer io.Reader) ([]byte, error) {
	if _, err := readHanded(answer); err != nil {
		return nil, err
	}
	return io.ReadAll(answer)
}

// askFor returns the ask that Collect sends to an agency.
func (n *network) askFor(a *Asked, agency string) *consent.Ask {
	n.t.Helper()
	c, err := n.members["bank-a"].Consent(consent.ID(a.Consent))
	n.must(err)
	for _, s := range a.Sections {
		if s.Agency == agency {
			key := consent.AgencyKey(c.Body.Secret(), consent.ID(a.Consent), agency)
			return &consent.Ask{
				Query: a.Ref.ID, Consent: a.Consent, Terms: c.Body.Terms, Credential: c.Body.Credential,
				Slice: *c.Body.Slice(agency), Section: s, Key: key[:],
			}
		}
	}
	n.t.Fatalf("%s is not asked", agency)
	return nil
}

// I3: without a quorum nothing can be committed, and no byte leaves. When the
// quorum is back, the answer comes.
func TestNoQuorumNoByte(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 1)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	n.must(n.members["tax"].WaitFor(n.ctx, a.Index+1))
	n.stop("auditor")
	n.stop("court")
	request, err := bank.sealAsk(n.askFor(a, "tax"))
	n.must(err)
	ctx, cancel := context.WithTimeout(n.ctx, 3*time.Second)
	defer cancel()
	stream, err := bank.host.Stream(ctx, "tax", peer.Ask, request)
	if err == nil {
		b, _ := io.ReadAll(stream)
		t.Fatalf("%d bytes left without a committed release", len(b))
	}
	n.open("auditor", nil)
	n.open("court", nil)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
}

// I3 and I4: after a revocation through a member that is neither bank nor
// agency, no query under the consent is answered, whether it was open before or
// comes later. No byte leaves.
func TestRevoked(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id := n.grant(s, 5)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	statement, err := s.keys.Revoke(0)
	n.must(err)
	answer, err := n.members["bank-b"].Carry(n.ctx, statement, nil)
	n.must(err)
	if answer.Verdict != ledger.Accepted {
		t.Fatalf("revocation: %+v", answer)
	}
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "court", "revoked")
	wantOutcomes(t, pieces, "tax", "revoked", "revoked")
	for _, p := range pieces {
		if p.Digest != nil {
			t.Errorf("%s released after the revocation", p.Agency)
		}
	}
	_, err = bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang"})
	var no *NotAccepted
	if !errors.As(err, &no) || no.Verdict != ledger.ConsentRevoked {
		t.Errorf("a query after the revocation: %v", err)
	}
	// The same revocation through two members is one revocation.
	again, err := n.members["tax"].Carry(n.ctx, statement, nil)
	n.must(err)
	if !again.Known || again.Index != answer.Index {
		t.Errorf("again: %+v", again)
	}
	n.agree()
}

// A revocation sent to an agency directly stops it right away, even if the log
// never has it.
func TestRevokedPastTheLog(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id := n.grant(s, 5)
	statement, err := s.keys.Revoke(0)
	n.must(err)
	n.abreast("tax") // it knows no consent that it has not on its log
	_, err = n.members["bank-b"].host.Call(n.ctx, "tax", peer.Revoke, statement)
	n.must(err)
	_, pieces := n.ask(id)
	wantOutcomes(t, pieces, "tax", "revoked", "revoked")
	wantOutcomes(t, pieces, "court", "answered")
	// A revocation signed by another key does not count.
	other := n.enrol(unknown)
	forged, err := other.keys.Revoke(7)
	n.must(err)
	var no *peer.Error
	if _, err = n.members["bank-b"].host.Call(n.ctx, "court", peer.Revoke, forged); !errors.As(err, &no) || no.Code != codeConsent {
		t.Errorf("a revocation of something unknown: %v", err)
	}
	if _, err = n.members["bank-b"].host.Call(n.ctx, "court", peer.Revoke, statement[:len(statement)-1]); err == nil {
		t.Error("bytes that are no revocation were taken")
	}
	n.agree()
}

// A revocation that reaches an agency before the consent does is sent again by
// its carrier, and then stops the agency.
func TestRevocationOvertakes(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	n.agree()
	statement, sealed := n.sign(s, n.draft(s, 5))
	revocation, err := s.keys.Revoke(0)
	n.must(err)
	tell := func() error {
		_, err := n.members["bank-b"].host.Call(n.ctx, "tax", peer.Revoke, revocation)
		return err
	}
	var early *peer.Error
	if err := tell(); !errors.As(err, &early) || early.Code != codeConsent || !early.Retryable {
		t.Fatalf("before the consent: %v", err)
	}
	c, err := n.members["bank-a"].Accept(n.ctx, statement, sealed)
	n.must(err)
	for err = tell(); errors.As(err, &early); err = tell() {
		time.Sleep(10 * time.Millisecond)
	}
	n.must(err)
	_, pieces := n.ask(c.Header.Bounds.ConsentID())
	wantOutcomes(t, pieces, "tax", "revoked", "revoked")
	n.agree()
}

// An agency's own rules refuse. The log records the refusal, and the bank reads
// the reason.
func TestOwnRules(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	d := n.draft(s, 2)
	d.Product = "forbidden"
	statement, sealed := n.sign(s, d)
	c, err := n.members["bank-a"].Accept(n.ctx, statement, sealed)
	n.must(err)
	_, pieces := n.ask(c.Header.Bounds.ConsentID())
	wantOutcomes(t, pieces, "tax", "refused", "refused")
	wantOutcomes(t, pieces, "court", "answered")
	tax := pieces[1]
	if tax.Entry == 0 || !strings.HasPrefix(tax.Answers[0].Result.Reason, "agency.rules: known_purposes | ") {
		t.Errorf("%+v", tax)
	}
	n.agree()
}

// An ask that is forged, altered or about something else gets no data, whoever
// sends it, and harms nobody else.
func TestAsksThatAreNotTrue(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id := n.grant(s, 9)
	bank, thief := n.members["bank-a"], n.members["bank-b"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	n.must(n.members["tax"].WaitFor(n.ctx, a.Index+1))
	send := func(from *member, ask *consent.Ask) error {
		request, err := from.sealAsk(ask)
		n.must(err)
		ctx, cancel := context.WithTimeout(n.ctx, 2*time.Second)
		defer cancel()
		stream, err := from.host.Stream(ctx, "tax", peer.Ask, request)
		if err == nil {
			stream.Close()
		}
		return err
	}
	if send(thief, n.askFor(a, "tax")) == nil {
		t.Error("another bank got an answer to this bank's query")
	}
	other := n.askFor(a, "tax") // within the consent, but another question than the one on the log
	other.Section.Wants = append([]consent.Want{}, other.Section.Wants...)
	other.Section.Wants[0].Item.Months = 12
	if send(bank, other) == nil {
		t.Error("a section that was not logged was answered")
	}
	// None of those asks is on the log, or prevents the answer to the true ask.
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	for i, garbage := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte{7}, 300<<10)} {
		if _, err := bank.host.Stream(n.ctx, "tax", peer.Ask, garbage); err == nil {
			t.Errorf("garbage %d was answered", i)
		}
	}
	// The agency goes on.
	_, pieces = n.ask(id)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
}

// A source that fails has another outcome than one without a record.
func TestBrokenSource(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 3)
	n.write("tax/data/vat.csv", "uscc,period\n")
	_, pieces := n.ask(id)
	wantOutcomes(t, pieces, "tax", "invalid", "invalid")
	n.must(os.Remove(filepath.Join(n.dir, "tax/data/vat.csv")))
	_, pieces = n.ask(id)
	wantOutcomes(t, pieces, "tax", "unavailable", "unavailable")
	n.agree()
}

// I4 under load: 64 concurrent queries through one bank, with a change of
// leader, spend exactly the uses that there are.
func TestExactUses(t *testing.T) {
	n := newNetwork(t)
	const uses = 20
	id := n.grant(n.enrol(firm), uses)
	bank := n.members["bank-a"]
	var accepted, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if i == 16 {
				for _, name := range n.genesis.Voters {
					if n.members[name].replica.Leader() == name {
						n.restart(name)
						break
					}
				}
				return
			}
			a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: fmt.Sprint("clerk ", i), Wait: time.Minute})
			var no *NotAccepted
			switch {
			case errors.As(err, &no) && no.Verdict == ledger.ConsentUses:
				refused.Add(1)
			case err != nil:
				t.Error(err)
			default:
				accepted.Add(1)
				if _, err := bank.Collect(n.ctx, a, time.Minute, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if accepted.Load() != uses || refused.Load() != 63-uses {
		t.Errorf("%d accepted, %d refused, want %d and %d", accepted.Load(), refused.Load(), uses, 63-uses)
	}
	n.agree()
}
