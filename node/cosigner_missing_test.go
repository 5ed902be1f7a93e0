package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
	"atoll/node/peer"
	"atoll/node/profile"
)

// stopCosigners stops two of four cosigners: nothing becomes final.
func (n *network) stopCosigners() {
	n.stop("auditor")
	n.stop("registrar")
}

// An agency that waits for cosigners says so and names them, and its bank does
// not report it as late. That holds when the agency answered, and when the bank
// stopped waiting earlier.
func TestNotFinalIsNotLate(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 3)
	bank := n.members["bank-a"]
	for _, name := range []string{"bank-a", "bank-b", "tax"} { // so that each knows since when the log is not final
		n.must(n.members[name].Finalise(n.ctx, 1))
	}
	n.stopCosigners()
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Open: time.Hour})
	n.must(err)
	request, err := bank.sealAsk(n.askFor(a, "tax"))
	n.must(err)
	const want = "not_final: auditor registrar"
	n.until(func() error { // on a busy machine another cosigner may count as silent for a moment
		stream, err := bank.host.Stream(n.ctx, "tax", peer.Ask, request)
		if err == nil {
			_, err = io.ReadAll(stream)
			n.must(stream.Close())
		}
		var told *peer.Error
		if !errors.As(err, &told) || told.Code != codeNotFinal || !told.Retryable || bank.heldReason(a, "tax", told) != want {
			return fmt.Errorf("tax answers %w", err)
		}
		return nil
	})
	for _, wait := range []time.Duration{2 * time.Second, 6 * time.Second} {
		n.until(func() error { return n.notLate(a, wait, want) })
	}
	for _, name := range []string{"bank-a", "bank-b", "tax"} {
		n.until(func() error {
			s, err := n.members[name].Status()
			if err == nil && (s.NotFinal == nil || s.NotFinal.Since == "" || !slices.Equal(s.NotFinal.Missing, []string{"auditor", "registrar"}) || s.NotFinal.Quorum != 3 || s.NotFinal.Handover) {
				err = fmt.Errorf("%s: %+v", name, s.NotFinal)
			}
			return err
		})
	}

	// Only names of cosigners are accepted from an agency's message.
	lie := &peer.Error{Code: codeNotFinal, Message: missingMark + "court bank-b \x1b[2J mallory"}
	if got := bank.heldReason(a, "tax", lie); got != "not_final: court" {
		t.Errorf("told a lie, the bank says %q", got)
	}

	n.open("registrar", nil)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	s, err := n.members["bank-a"].Status()
	n.must(err)
	if s.NotFinal != nil {
		t.Errorf("final again, and %+v", s.NotFinal)
	}
	n.open("auditor", nil)
	n.agree()
}

// notLate returns nil if a bank that waits for so long has the court's answer, whose
// data waits for no cosigner, and learns for what the tax office waits.
func (n *network) notLate(a *Asked, wait time.Duration, want string) error {
	n.t.Helper()
	bank := n.members["bank-a"]
	pieces, err := bank.Collect(n.ctx, a, wait, nil)
	n.must(err)
	f, err := profile.Parse([]byte(template))
	n.must(err)
	p, err := bank.Profile(f, a, pieces)
	n.must(err)
	var names []string
	for _, m := range p.Log.Missing {
		names = append(names, m.Name)
	}
	for _, a := range pieces[1].Answers {
		if a.Result.Outcome != consent.Unavailable || a.Result.Reason != want {
			return fmt.Errorf("tax: %s because of %q, want %q", a.Result.Outcome, a.Result.Reason, want)
		}
	}
	switch {
	case !slices.Equal(outcomes(pieces, "court"), []string{"answered"}):
		return fmt.Errorf("court: %v", outcomes(pieces, "court"))
	case p.Log.State != "committed" || p.Log.Since == "" || !slices.Equal(names, []string{"auditor", "registrar"}):
		return fmt.Errorf("the profile rests on %+v", p.Log)
	}
	return nil
}

// Without a majority of voters the agency's answer cannot be logged. The bank
// reports that, and not that the agency was late.
func TestNoLogIsNotLate(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 3)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Open: time.Hour})
	n.must(err)
	n.must(n.members["tax"].WaitFor(n.ctx, a.Index+1))
	n.stop("auditor")
	n.stop("court")
	n.until(func() error {
		if leader := bank.replica.Leader(); leader != "" {
			return fmt.Errorf("%s leads", leader)
		}
		return nil
	})
	n.until(func() error { // on a busy machine tax may not have said so by then
		pieces, err := bank.Collect(n.ctx, a, 5*time.Second, nil)
		n.must(err)
		return reasonIs(pieces[1], consent.Unavailable, codeNoLog)
	})
	n.open("auditor", nil)
	n.open("court", nil)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
}

// template asks for all that the tests' consents cover.
const template = `name: plain
version: 1
title: {zh: 简表, en: Plain}
author: Bank A
purpose: pre_loan
inputs:
  - {name: cases, title: {zh: 未结案件, en: open cases}, agency: court, dataset: cases, output: open, disclosure: value, months: 0}
  - {name: returns, title: {zh: 申报次数, en: returns}, agency: tax, dataset: vat, output: returns, disclosure: count, months: 24}
  - {name: sales, title: {zh: 销售额, en: sales}, agency: tax, dataset: vat, output: sales_12m, disclosure: value, months: 24, unit: CNY}
stages:
  - {name: any, title: {zh: 任何, en: any}}
dimensions:
  - {name: tax, title: {zh: 纳税, en: tax}, weights: {any: 100}}
indicators:
  - {name: cases, dimension: tax, title: {zh: 未结案件, en: open cases}, weight: 50, value: cases, bins: [{below: 1, points: 100}, {points: 0}]}
  - {name: sales, dimension: tax, title: {zh: 销售额, en: sales}, weight: 50, value: sales + returns, bins: [{below: 1000000, points: 40}, {points: 90}]}
grades: [{from: 70, grade: A}, {from: 0, grade: B}]
`

// A handover is done when the old cosigners are no longer needed, and no
// earlier: then they stop for good, and the log goes on becoming final. Until
// then, the answer names the cosigners that have to stay up, and the same call
// goes on waiting.
func TestHandoverIsDoneWhenOldMayStop(t *testing.T) {
	n := newNetworkWith(t, func(n *network) {
		n.genesis.Cosigners = []string{"auditor", "bank-a", "bank-b", "registrar"} // all but one are no voters
	})
	id, _, err := n.members["bank-a"].ProposeCosigners(n.ctx, []string{"auditor", "bank-b", "court", "tax"}, 1, 3)
	n.must(err)
	for _, by := range []string{"bank-b", "registrar"} {
		_, err := n.members[by].Approve(n.ctx, "bank-a", id)
		n.must(err)
	}
	// The registrar signs the head that is part of the handover, and nothing
	// after.
	n.must(n.members["bank-a"].Finalise(n.ctx, n.members["bank-a"].replica.Head().Size))
	n.stop("bank-b")
	registrar := n.members["registrar"]
	registrar.host.Handle(peer.Cosign, func(ctx context.Context, from string, request []byte) ([]byte, error) {
		text, _, _ := bytes.Cut(request, []byte("\n\n"))
		c, err := tlog.ParseCheckpoint(append(bytes.Clone(text), '\n'))
		if err == nil {
			err = registrar.WaitFor(ctx, c.Size)
		}
		if after := registrar.Cosigners(c.Size + 1).After; err != nil || after > 0 && c.Size >= after {
			return nil, errors.New("no")
		}
		return registrar.serveCosign(ctx, from, request)
	})
	var h Handover
	n.until(func() (err error) { // on a busy machine it needs several calls to get that far
		ctx, cancel := context.WithTimeout(n.ctx, 5*time.Second)
		defer cancel()
		if h, err = n.members["bank-a"].HandOver(ctx); err == nil && h.Done {
			t.Fatalf("without those before: %+v", h)
		}
		if err == nil && (h.Lack == nil || !h.Lack.Handover || !slices.Equal(h.Lack.Missing, []string{"bank-b", "registrar"}) || !slices.Equal(h.Old, n.genesis.Cosigners)) {
			err = fmt.Errorf("%+v, %+v", h, h.Lack)
		}
		return err
	})
	// There is something after the handover that waits for it.
	_, err = n.members["tax"].Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: n.members["tax"].NewHead()})
	n.must(err)
	s, err := n.members["tax"].Status()
	n.must(err)
	if s.NotFinal == nil || !s.NotFinal.Handover {
		t.Errorf("status: %+v", s.NotFinal)
	}
	registrar.host.Handle(peer.Cosign, registrar.serveCosign)
	again, err := n.members["bank-a"].HandOver(n.ctx)
	n.must(err)
	if !again.Done || again.Entry != h.Entry || again.Lack != nil {
		t.Fatalf("with them: %+v", again)
	}
	// They stop right then.
	n.stop("registrar")
	n.stop("bank-a")
	answer, err := n.members["tax"].Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: n.members["tax"].NewHead()})
	n.must(err)
	for _, name := range []string{"auditor", "court", "tax"} {
		n.must(n.members[name].Finalise(n.ctx, answer.Index+1))
	}
	n.agree()
}
