package node

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/peer"
)

// question puts a query on the log and returns it with an honest ask of tax.
func (n *network) question(id consent.ID) (*Asked, *consent.Ask) {
	n.t.Helper()
	a, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	return a, n.askFor(a, "tax")
}

// send sends an ask to the tax office as bank-a, once.
func (n *network) send(ask *consent.Ask) (code string, sent int) {
	n.t.Helper()
	request, err := n.members["bank-a"].sealAsk(ask)
	n.must(err)
	return n.refusedBy("tax", request)
}

// withoutFinal stops two of four cosigners, so that nothing becomes final. The
// function it returns starts one of them again.
func (n *network) withoutFinal() (back func()) {
	n.t.Helper()
	n.stop("registrar")
	n.stop("auditor")
	return func() {
		n.t.Helper()
		n.open("auditor", nil)
	}
}

// I3: once a reply is stored, a later ask only names its query; nothing else in
// it is read. An ask for data that is not sensitive, or for nothing at all,
// does not get the stored bytes any sooner.
func TestLaterAskIsNotRead(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id, other := n.grant(s, 3), n.grant(s, 3)
	n.withoutFinal()
	a, ask := n.question(id)
	if code, sent := n.send(ask); code != codeNotFinal || sent != 0 {
		t.Fatalf("%q after %d bytes", code, sent)
	}
	nothing := *ask
	nothing.Section.Wants = []consent.Want{{Item: item("none", "none", consent.Value, 1)}}
	another := *ask
	c, err := n.members["bank-a"].Consent(other)
	n.must(err)
	another.Consent, another.Terms, another.Slice = other[:], c.Body.Terms, *c.Body.Slice("tax")
	key := consent.AgencyKey(c.Body.Secret(), other, "tax")
	another.Key = key[:]
	for name, later := range map[string]*consent.Ask{"a dataset that does not exist": &nothing, "another consent": &another} {
		if code, sent := n.send(later); code != codeNotFinal || sent != 0 {
			t.Errorf("%s: %q after %d bytes", name, code, sent)
		}
	}
	if o, err := n.members["bank-a"].awaitOutcome(n.ctx, a.Ref, "tax"); err != nil || len(o.Digest) != 32 {
		t.Errorf("%+v (%v)", o, err)
	}
}

// I4: if the consent or credential is revoked between release and delivery,
// nothing leaves, though the release is on the log and the agency learnt of the
// revocation from the log alone.
func TestTakenBackBeforeDelivery(t *testing.T) {
	for what, want := range map[string]string{"consent": "consent_revoked", "credential": "credential_revoked"} {
		t.Run(what, func(t *testing.T) {
			n := newNetwork(t)
			s := n.enrol(firm)
			a, ask := n.question(n.grant(s, 3))
			back := n.withoutFinal()
			if code, sent := n.send(ask); code != codeNotFinal || sent != 0 {
				t.Fatalf("%q after %d bytes", code, sent)
			}
			n.open("registrar", nil)
			back()
			n.takeBack(what, s)
			if code, sent := n.send(ask); code != want || sent != 0 {
				t.Errorf("%q after %d bytes, want %q", code, sent, want)
			}
			// The same while the agency waits for the release, after its first
			// decision.
			var r reply
			n.must(n.members["tax"].vault.Get(replies, queryKey(a.Ref), &r))
			var out bytes.Buffer
			err := n.members["tax"].deliver(n.ctx, a.Ref, &r, &out, 0)
			var e *peer.Error
			if !errors.As(err, &e) || e.Code != want || out.Len() != 0 {
				t.Errorf("%v after %d bytes, want %q", err, out.Len(), want)
			}
			n.agree()
		})
	}
}

// takeBack revokes a consent (the first of the subject) or its credential
// through the log, without telling an agency directly, and waits for the tax
// office's replica.
func (n *network) takeBack(what string, s *subject) {
	n.t.Helper()
	var answer ledger.Answer
	var err error
	if what == "credential" {
		answer, err = n.members["registrar"].RevokeCredential(n.ctx, s.credential, "")
	} else {
		statement, failed := s.keys.Revoke(0)
		n.must(failed)
		answer, err = n.members["bank-b"].putOnLog(n.ctx, ledger.KindCarrier, ledger.Carrier{Head: n.members["bank-b"].NewHead(), Statement: statement})
	}
	n.must(err)
	n.must(n.members["tax"].WaitFor(n.ctx, answer.Index+1))
}

// I4: if it is revoked between reply and release, nothing is released.
func TestTakenBackBeforeRelease(t *testing.T) {
	for what, want := range map[string]string{"consent": "consent_revoked", "credential": "credential_revoked"} {
		t.Run(what, func(t *testing.T) {
			n := newNetwork(t)
			s := n.enrol(firm)
			a, ask := n.question(n.grant(s, 3))
			n.stored(a, ask) // and the agency stops before the reply is submitted
			n.takeBack(what, s)
			if code, sent := n.send(ask); code != want || sent != 0 {
				t.Errorf("%q after %d bytes, want %q", code, sent, want)
			}
			if o, err := n.members["tax"].outcome(a.Ref, "tax"); err != nil || o != nil {
				t.Errorf("the log has %+v (%v)", o, err)
			}
			n.agree()
		})
	}
}

// stored has the tax office make its reply and store it in its vault.
func (n *network) stored(a *Asked, ask *consent.Ask) *reply {
	n.t.Helper()
	tax := n.members["tax"]
	n.must(tax.WaitFor(n.ctx, a.Index+1))
	q, err := tax.query(a.Ref)
	n.must(err)
	r, err := tax.replyTo(n.ctx, ask, q)
	n.must(err)
	if len(r.Digest) == 0 {
		n.t.Fatalf("the reply is a refusal: %s", r.Reason)
	}
	return r
}

// A reply stored by an earlier version, without the basis of its release, needs
// to be final.
func TestOldReplyNeedsFinal(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = lessSensitive(taxCatalog) })
	id := n.grant(n.enrol(firm), 3)
	n.withoutFinal()
	a, ask := n.question(id)
	r := n.stored(a, ask)
	if r.Admitted.Final {
		t.Fatal("a dataset of sensitivity 2 needs no cosigners")
	}
	kept := *r.Admitted
	put := func() {
		n.must(n.members["tax"].vault.Put(replies, queryKey(a.Ref), r, time.Now().Add(time.Hour)))
	}
	r.Admitted = nil
	put()
	if code, sent := n.send(ask); code != codeNotFinal || sent != 0 {
		t.Errorf("%q after %d bytes", code, sent)
	}
	r.Admitted = &kept
	put()
	if code, sent := n.send(ask); code != "" || sent == 0 {
		t.Errorf("%q after %d bytes", code, sent)
	}
}

func lessSensitive(catalog string) string {
	return string(bytes.ReplaceAll([]byte(catalog), []byte("sensitivity: 3"), []byte("sensitivity: 2")))
}
