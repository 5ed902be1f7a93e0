package node

import (
	"slices"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/fragment"
)

// dishonest has the tax office, which runs a modified node, answer a query by
// what tell makes of the true answers for the bank, and by what log makes of
// them for the log.
func (n *network) dishonest(a *Asked, tell func([]fragment.Answer), log func([]ledger.Result)) {
	n.t.Helper()
	tax, ask := n.members["tax"], n.askFor(a, "tax")
	q, err := await(n.ctx, tax.Node, func() (*query, error) { return tax.query(a.Ref) })
	n.must(err)
	answers, err := tax.look(n.ctx, firm, ask.Section.Wants)
	n.must(err)
	slot, basis, err := answering(ask)
	n.must(err)
	detail := ledger.ReleaseDetail{Basis: basis, Predicates: ask.Section.Predicates()}
	if len(detail.Predicates) > 0 {
		detail.Mark = tax.subjectMark(firm)
	}
	for _, x := range answers {
		detail.Results = append(detail.Results, x.Result)
	}
	tell(answers)
	log(detail.Results)
	written, file, err := tax.spool(q, &ask.Section, inOrder(answers))
	n.must(err)
	n.must(file.Commit(spoolName(outPrefix, a.Ref, a.Ref.Bank), time.Now().Add(time.Hour)))
	s := ledger.Release{Head: tax.NewHead(), Query: a.Ref, Slot: slot, Digest: written.Digest[:], Bucket: written.Bucket}
	public, err := s.Public()
	n.must(err)
	plain, err := sign.Marshal(detail)
	n.must(err)
	s.Sealed, err = seal.BoxKept(sign.Secret(ask.Key), tax.keys.Answered(), tax.place(ledger.KindRelease, "tax", s.ID), public, plain, ledger.ReleaseRoom(&ask.Section))
	n.must(err)
	r := reply{Digest: s.Digest}
	r.Statement, err = tax.Sign(ledger.KindRelease, s)
	n.must(err)
	r.Admitted, err = tax.admitting(ask)
	n.must(err)
	n.must(tax.vault.Put(replies, queryKey(a.Ref), r, time.Now().Add(time.Hour)))
}

// An agency that tells the log of no answer and the bank of one, so that no
// auditor counts its predicates, or the bank of another outcome, is not
// believed. Nor is one that gives the value where yes or no was asked.
func TestAgencyTellsTheLogOtherwise(t *testing.T) {
	n := verifyingNetwork(t)
	id := n.verifiable(n.enrol(firm))
	keep := func([]ledger.Result) {}
	same := func([]fragment.Answer) {}
	for name, k := range map[string]struct {
		tell func([]fragment.Answer)
		log  func([]ledger.Result)
		want string
	}{
		"the same":                  {same, keep, "answered yes"},
		"no record for the log":     {same, func(r []ledger.Result) { r[0].Outcome = consent.NoRecord }, "invalid fragment.invalid"},
		"no record for the bank":    {func(a []fragment.Answer) { a[0].Result.Outcome, a[0].Value = consent.NoRecord, "" }, keep, "invalid fragment.invalid"},
		"rows that the log has not": {func(a []fragment.Answer) { a[0].Result.Rows = 12 }, keep, "invalid fragment.invalid"},
		"another day":               {func(a []fragment.Answer) { a[0].Result.AsOf++ }, keep, "invalid fragment.invalid"},
		"the value":                 {func(a []fragment.Answer) { a[0].Value = "1272.00" }, keep, "invalid fragment.invalid"},
		"nothing":                   {func(a []fragment.Answer) { a[0].Value = "" }, keep, "invalid fragment.invalid"},
	} {
		a := n.putPredicate(id, "ge 1000", time.Minute)
		n.dishonest(a, k.tell, k.log)
		if got := n.told(a); got != k.want {
			t.Errorf("%s: %s, want %s", name, got, k.want)
		}
	}
	if got := slices.DeleteFunc(n.findings(), func(f string) bool { return f[0] == '(' }); len(got) != 0 {
		t.Errorf("%q", got) // no auditor sees a fragment
	}
}
