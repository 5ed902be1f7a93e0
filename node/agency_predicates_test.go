package node

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/profile"
	"atoll/node/vault"
)

var (
	salesVerified   = item("vat", "sales_12m", consent.Verify, 24)
	returnsVerified = item("vat", "returns", consent.Verify, 24)
)

// verifyingNetwork has a tax office that verifies: sales of 1272, 12 returns.
func verifyingNetwork(t *testing.T) *network {
	return verifyingNetworkWith(t, func(*network) {})
}

// verifyingNetworkWith calls prepare before the network is founded.
func verifyingNetworkWith(t *testing.T, prepare func(*network)) *network {
	return newNetworkWith(t, func(n *network) {
		prepare(n)
		n.catalogs["tax"] = strings.NewReplacer(
			"disclose: [value, band], bands: [0, 1000, 1000000]", "disclose: [value, verify], verify: {ops: [ge, lt], points: [500, 1000, 1200, 1300, 1400, 2000]}",
			"disclose: [count]", "disclose: [count, verify], verify: {ops: [ge], points: [1, 2, 3, 4, 5, 6, 7, 8]}",
		).Replace(taxCatalog)
	})
}

// verifiable grants a consent under which both outputs are verified.
func (n *network) verifiable(s *subject) consent.ID {
	n.t.Helper()
	d := n.draft(s, 100)
	d.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{returnsVerified, salesVerified}}}
	statement, sealed := n.sign(s, d)
	c, err := n.members["bank-a"].Accept(n.ctx, statement, sealed)
	n.must(err)
	return c.Header.Bounds.ConsentID()
}

// verify asks one predicate and returns the answer: outcome, value, reason.
func (n *network) verify(id consent.ID, i consent.Item, predicate string) string {
	n.t.Helper()
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{
		Consent: id, Operator: "Wang", Wait: 20 * time.Second, Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{i}}},
		Verify: []profile.Predicate{{Agency: "tax", Item: i, Text: predicate}},
	})
	n.must(err)
	return n.told(a)
}

// told collects the answer to a question with one want.
func (n *network) told(a *Asked) string {
	n.t.Helper()
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, 20*time.Second, nil)
	n.must(err)
	if len(pieces) != 1 || len(pieces[0].Answers) != 1 {
		n.t.Fatalf("%+v", pieces)
	}
	x := pieces[0].Answers[0]
	return strings.TrimSpace(x.Result.Outcome.String() + " " + x.Value + x.Result.Reason)
}

// wants checks what is answered to a predicate about sales.
func (n *network) wants(id consent.ID, predicate, want string) {
	n.t.Helper()
	if got := n.verify(id, salesVerified, predicate); got != want {
		n.t.Errorf("%s: %s, want %s", predicate, got, want)
	}
}

// undeclared asks as a bank would whose node does not care what the consent
// declares.
func (n *network) undeclared(id consent.ID, predicate string) string {
	n.t.Helper()
	bank := n.members["bank-a"]
	c, err := bank.freshConsent(n.ctx, id)
	n.must(err)
	head := bank.NewHead()
	a := &Asked{Ref: ledger.QueryRef{Bank: "bank-a", ID: head.ID}, Consent: id[:], Operator: "Wang", Deadline: bank.replica.Deadline(time.Minute)}
	n.must(bank.sections(a, c, &Question{
		Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{salesVerified}}}, Verify: []profile.Predicate{{Agency: "tax", Item: salesVerified, Text: "ge 500"}},
	}))
	a.Sections[0].Wants[0].Predicate = predicate
	n.must(bank.signQuery(a, c, head, [32]byte{}))
	n.must(bank.submitQuery(n.ctx, a))
	return n.told(a)
}

// loseVault ends a member, puts other files in the place of those of its vault,
// and starts it again.
func (n *network) loseVault(member string, backup map[string][]byte) {
	n.t.Helper()
	n.stop(member)
	for _, name := range []string{"vault.db", "vault.journal"} {
		path := filepath.Join(n.dir, member, name)
		if data, ok := backup[name]; ok {
			n.must(os.WriteFile(path, data, 0o600))
		} else {
			n.must(os.Remove(path))
		}
	}
	n.open(member, nil)
}

// A bank gets four different predicates about an output answered, by however
// many consents, and the same ones again. New points in a new catalog, a lost
// vault and an old backup of it change nothing about that.
func TestPredicatesAreNoSearch(t *testing.T) {
	n := verifyingNetwork(t)
	s := n.enrol(firm)
	first, second := n.verifiable(s), n.verifiable(s)
	n.must(n.members["tax"].vault.Put(answeredTo, []byte("backup"), uint64(0), time.Time{})) // so that there is a file to back up
	backup := snapshot(t, filepath.Join(n.dir, "tax"))

	n.wants(first, "ge 1000", "answered yes")
	n.wants(second, "ge 1300", "answered no")
	if got := n.undeclared(first, "ge 1272"); got != "refused predicate.undeclared" {
		t.Errorf("a point of the bank's own: %s", got)
	}
	n.wants(first, "lt 1300", "answered yes")
	n.wants(second, "ge 1200", "answered yes")
	n.wants(first, "ge 2000", "refused predicate.spent")
	n.wants(second, "ge 2000", "refused predicate.spent")
	n.wants(second, "ge 1000", "answered yes")

	n.loseVault("tax", nil)
	n.wants(first, "ge 2000", "refused predicate.spent")
	n.wants(first, "ge 1300", "answered no")
	status, err := n.members["tax"].Status()
	n.must(err)
	if p := status.Predicates; p == nil || !p.Counted || p.Read != p.Of || p.Blocked != "" {
		t.Errorf("status: %+v", p)
	}
	n.loseVault("tax", backup)
	n.wants(first, "ge 2000", "refused predicate.spent")

	n.renew("tax", "version: 3", "version: 4", "points: [500, 1000, 1200,", "points: [500, 1000, 1250,")
	third := n.verifiable(s)
	n.wants(third, "ge 1250", "refused predicate.spent")
	n.wants(third, "ge 1000", "answered yes")

	// Of an enterprise that the register does not have, nothing is told and
	// nothing is spent.
	stranger := n.verifiable(n.enrol(unknown))
	for _, p := range []string{"ge 500", "ge 1000", "ge 1250", "ge 1300", "ge 1400", "ge 2000"} {
		n.wants(stranger, p, "no_record")
	}
	n.agree()
	if got := slices.DeleteFunc(n.findings(), func(f string) bool { return strings.HasPrefix(f, "(") }); !slices.Equal(got, []string{"audit.predicate@bank-a"}) {
		t.Errorf("the auditor finds %q", got)
	}
}

// One predicate over ever shorter windows is as many predicates: month by month
// they would give away the sales of each.
func TestPredicateOfEachWindow(t *testing.T) {
	n := verifyingNetwork(t)
	s := n.enrol(firm)
	id := n.verifiable(s)
	for _, k := range []struct {
		months uint32
		want   string
	}{{24, "answered yes"}, {12, "answered yes"}, {11, "answered unknown"}, {10, "answered unknown"}, {9, "refused predicate.spent"}, {11, "answered unknown"}} {
		i := salesVerified
		i.Months = k.months
		if got := n.verify(id, i, "ge 1000"); !strings.HasPrefix(got, k.want) {
			t.Errorf("over %d months: %s, want %s", k.months, got, k.want)
		}
	}
	if got := n.verify(id, salesVerified, "lt 1300"); got != "refused predicate.spent" {
		t.Errorf("another one: %s", got)
	}
}

// Queries that come at the same time do not get more answered together than one
// after the other.
func TestPredicatesAtOnce(t *testing.T) {
	n := verifyingNetwork(t)
	s := n.enrol(firm)
	ids := []consent.ID{n.verifiable(s), n.verifiable(s)}
	answers := make([]string, 8)
	var asking sync.WaitGroup
	for i := range answers {
		asking.Go(func() {
			answers[i] = n.verify(ids[i%2], returnsVerified, "ge "+string(rune('1'+i)))
		})
	}
	asking.Wait()
	slices.Sort(answers)
	if !slices.Equal(answers, slices.Concat(slices.Repeat([]string{"answered yes"}, 4), slices.Repeat([]string{"refused predicate.spent"}, 4))) {
		t.Errorf("%q", answers)
	}
}

// An agency that dies between its reply and the log has spent the predicate, and
// brings the same reply to the log when the bank asks again.
func TestPredicateSpentBeforeTheLog(t *testing.T) {
	n := verifyingNetwork(t)
	id := n.verifiable(n.enrol(firm))
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{
		Consent: id, Operator: "Wang", Wait: time.Minute, Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{salesVerified}}},
		Verify: []profile.Predicate{{Agency: "tax", Item: salesVerified, Text: "ge 1000"}},
	})
	n.must(err)
	ask := n.askFor(a, "tax")
	tax := n.members["tax"]
	n.must(tax.WaitFor(n.ctx, a.Index+1))
	q, err := tax.query(a.Ref)
	n.must(err)
	r, err := tax.replyTo(n.ctx, ask, q)
	n.must(err)
	n.kill("tax")
	n.open("tax", nil)
	tax = n.members["tax"]
	before, err := tax.answeredBefore(tax.answeredKey("bank-a", tax.subjectMark(firm), salesVerified))
	n.must(err)
	if len(before.List) != 1 || before.List[0].Predicate != "ge 1000 / 24" || before.List[0].At != q.Deadline {
		t.Errorf("spent: %+v", before)
	}
	if got := n.told(a); got != "answered yes" {
		t.Error(got)
	}
	var kept reply
	n.must(tax.vault.Get(replies, queryKey(a.Ref), &kept))
	if !bytes.Equal(kept.Statement, r.Statement) {
		t.Error("another reply than before")
	}
	for name, data := range snapshot(t, filepath.Join(n.dir, "tax")) {
		if strings.HasPrefix(name, "vault.") && bytes.Contains(data, []byte(firm[5:])) {
			t.Errorf("%s names the subject", name)
		}
	}
	for _, p := range []string{"ge 1200", "ge 1300", "ge 1400"} {
		n.verify(id, salesVerified, p)
	}
	n.wants(id, "ge 2000", "refused predicate.spent")
}

// A predicate counts for a year of network time. The machine's clock deletes no
// record of it.
func TestPredicatesExpireByNetworkTime(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	p := predicates{}.with("ge 1", 10*day, 10*day).with("ge 2", 20*day, 20*day)
	if got := len(p.live((10 + consent.PredicateDays) * day)); got != 2 {
		t.Errorf("%d count on the last day", got)
	}
	if got := p.live((10+consent.PredicateDays)*day + 1); len(got) != 1 || got[0].Predicate != "ge 2" {
		t.Errorf("after it: %+v", got)
	}
	again := p.with("ge 1", 30*day, 30*day).with("ge 1", 5*day, 30*day)
	if len(again.List) != 2 || again.List[1] != (predicateAt{Predicate: "ge 1", At: 30 * day}) || !again.expires().Equal(time.UnixMilli((30+consent.PredicateDays)*day)) {
		t.Errorf("%+v", again)
	}
	v, err := vault.Open(t.TempDir(), [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Put(answered, []byte("k"), p, p.expires()); err != nil {
		t.Fatal(err)
	}
	late := time.UnixMilli(100 * 365 * day)
	for _, at := range []struct {
		network int64
		swept   int
	}{{20 * day, 0}, {(20 + consent.PredicateDays) * day, 1}} {
		if swept, err := v.Sweep(late, map[vault.Kind]time.Time{answered: time.UnixMilli(at.network)}); err != nil || swept != at.swept {
			t.Errorf("at network time %d: %d swept, %v", at.network, swept, err)
		}
	}
}
