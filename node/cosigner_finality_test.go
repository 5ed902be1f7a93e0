package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"atoll/crypto/tlog"
	"atoll/node/peer"
	"atoll/node/witness"
)

// sameFinals checks every member's checkpoint by the policy that is distributed
// with it, and against the member's own log.
func (n *network) sameFinals() {
	n.t.Helper()
	for _, m := range n.members {
		if m.Node == nil || m.Final().Size == 0 {
			continue
		}
		final := m.Final()
		c, cosigned, err := n.policy(m).Verify(final.Signed)
		n.must(err)
		root, err := tlog.RootAt(final.Size, m.replica.Head(), m.replica.ReadTile)
		n.must(err)
		if c.Head != final.Head || root != final.Root || len(cosigned) < int(n.genesis.Quorum) {
			n.t.Errorf("%s: final at %d, cosigned by %d", m.name, final.Size, len(cosigned))
		}
	}
}

// policy returns the policy that verifies a member's export, with or without
// outside witnesses.
func (n *network) policy(m *member, outside ...witness.Witness) *tlog.Policy {
	n.t.Helper()
	signer, err := tlog.NewLogSigner(n.genesis.Origin, m.keys.Log())
	n.must(err)
	text, err := PolicyFor(m.Cosigners(m.replica.Head().Size), signer.Verifier, outside)
	n.must(err)
	p, err := tlog.ParsePolicy([]byte(text))
	n.must(err)
	if !p.Safe(int(n.genesis.Faults)) {
		n.t.Errorf("the policy does not withstand %d liars:\n%s", n.genesis.Faults, text)
	}
	return p
}

// I3: no byte of a sensitive fragment leaves before its release is final; other
// fragments do not wait for cosigners. When the cosigners are back, the same
// bytes come.
func TestNotFinalNoByte(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 3)
	bank := n.members["bank-a"]
	// Two of four cosigners are gone; two of three voters are there.
	n.stop("registrar")
	n.stop("auditor")
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	request, err := bank.sealAsk(n.askFor(a, "tax"))
	n.must(err)
	code, sent := n.refusedBy("tax", request)
	if code != codeNotFinal || sent != 0 {
		t.Fatalf("%q after %d bytes", code, sent)
	}
	o, err := bank.awaitOutcome(n.ctx, a.Ref, "tax")
	n.must(err)
	if bank.Final().Size > o.Index {
		t.Fatal("the release is final without a quorum")
	}
	if len(n.fetchRaw(a, "court")) == 0 {
		t.Error("nothing from an agency whose data waits for nobody")
	}
	n.open("registrar", nil)
	data := n.fetchRaw(a, "tax")
	if len(data) == 0 || !bytes.Equal(data, n.fetchRaw(a, "tax")) {
		t.Errorf("%d bytes, and others the second time", len(data))
	}
	if n.members["tax"].Final().Size <= o.Index {
		t.Error("the bytes came before the release was final")
	}
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	if !bank.Covered(a, pieces) {
		t.Error("an answered query is not final")
	}
	n.open("auditor", nil)
	n.agree()
}

// refusedBy asks an agency once, and says with which code it ended and after
// how many bytes.
func (n *network) refusedBy(agency string, request []byte) (code string, sent int) {
	n.t.Helper()
	stream, err := n.members["bank-a"].host.Stream(n.ctx, agency, peer.Ask, request)
	if err == nil {
		var data []byte
		data, err = io.ReadAll(stream)
		sent = len(data)
		err = errors.Join(err, stream.Close())
	}
	var e *peer.Error
	if errors.As(err, &e) {
		code = e.Code
	}
	return code, sent
}

// A member's checkpoint is final by the policy that goes with it, and covers
// what has just happened. Before anything is final it is signed by that member
// alone.
func TestCheckpointIsFinal(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 1)
	for _, m := range n.members {
		size := m.replica.Head().Size
		n.until(func() error { // the cosigners have a second, of which a busy machine may need more
			signed, err := m.Checkpoint()
			n.must(err)
			c, _, err := n.policy(m).Verify(signed)
			if err == nil && c.Size < size {
				err = fmt.Errorf("%s: a checkpoint of %d entries, of %d", m.name, c.Size, size)
			}
			return err
		})
		status, err := m.Status()
		n.must(err)
		if status.Final < size || status.Quorum != 3 || len(status.Cosigners) != 4 || len(status.Alarms) != 0 {
			t.Errorf("%+v", status)
		}
	}
	n.stop("registrar")
	n.stop("auditor")
	tax := n.members["tax"]
	before := tax.Final().Size
	a, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: "Wang"})
	n.must(err)
	n.must(tax.WaitFor(n.ctx, a.Index+1))
	signed, err := tax.Checkpoint()
	n.must(err)
	c, _, err := n.policy(tax).Verify(signed)
	n.must(err)
	if c.Size < before || c.Size >= tax.replica.Head().Size {
		t.Errorf("without cosigners: a checkpoint of %d, final was %d, the log has %d", c.Size, before, tax.replica.Head().Size)
	}
	n.agree()
}
