package node

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/problem"
	"atoll/node/vault"
)

// manualTax is the tax office's catalog with an approval for each answer.
var manualTax = strings.Replace(taxCatalog, "    source: main\n", "    source: main\n    approval: manual\n", 1)

// ruled returns the tax office's catalog with another rule.
func ruled(allow string) string {
	return strings.Replace(taxCatalog, `purpose in ["pre_loan"] && product != "forbidden"`, allow, 1)
}

// taxPatience is how long taxSays waits for an agency that is to be asked again.
const taxPatience = time.Minute

// taxSays asks a query again and returns the outcome and the reason of the tax
// office's first output.
func (n *network) taxSays(a *Asked) (outcome consent.Outcome, reason string) {
	n.t.Helper()
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, taxPatience, nil)
	n.must(err)
	for _, p := range pieces {
		if p.Agency == "tax" {
			r := p.Answers[0].Result
			return r.Outcome, r.Reason
		}
	}
	n.t.Fatal("tax was not asked")
	return 0, ""
}

// put asks the tax office as somebody at bank-a.
func (n *network) put(id consent.ID, operator string) *Asked {
	n.t.Helper()
	a, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: operator, Wait: time.Minute, Offers: offers()[1:]})
	n.must(err)
	return a
}

// Rates are counted by bank, by operator and by dataset. Asking again is free,
// and a restart forgets nothing.
func TestRates(t *testing.T) {
	cases := []struct {
		rule    string
		who     []string // the operators, in order
		allowed int      // how many of the queries, the first ones
	}{
		{"asks_today <= 3", []string{"Wang", "Li", "Wang", "Li"}, 3},
		{"asks_month <= 2", []string{"Wang", "Li", "Wang"}, 2},
		{"operator_today <= 2", []string{"Wang", "Wang", "Wang"}, 2},
		{"operator_month <= 1", []string{"Wang", "Wang"}, 1},
		{`dataset != "vat" || dataset_today <= 2`, []string{"Wang", "Li", "Zhao"}, 2},
		{`dataset != "other" || dataset_today <= 1`, []string{"Wang", "Li"}, 2},
		{"total_month <= 1", []string{"Wang", "Li"}, 1},
	}
	n := newNetwork(t)
	s := n.enrol(firm)
	id := n.grant(s, 100)
	version := 3
	for _, c := range cases {
		version++
		n.stop("tax")
		n.clearRates()
		n.catalogs["tax"] = strings.Replace(ruled(c.rule), "version: 3", fmt.Sprintf("version: %d", version), 1)
		n.open("tax", nil)
		for i, who := range c.who {
			if i == len(c.who)-1 {
				n.restart("tax")
			}
			a := n.put(id, who)
			for range 2 { // asked again, it says the same and counts nothing
				if got, reason := n.taxSays(a); (got == consent.Answered) != (i < c.allowed) {
					t.Errorf("%s: query %d by %s: %s %s", c.rule, i+1, who, got, reason)
				}
			}
		}
	}
	// Two operators of one name at two banks, and at two agencies, are different.
	if string(consent.OperatorTag("bank-a", "tax", "Wang")) == string(consent.OperatorTag("bank-b", "tax", "Wang")) ||
		string(consent.OperatorTag("bank-a", "tax", "Wang")) == string(consent.OperatorTag("bank-a", "court", "Wang")) {
		t.Error("one tag for two")
	}
}

// clearRates forgets what the tax office, which is stopped, has counted.
func (n *network) clearRates() {
	n.t.Helper()
	keys := ledger.NewKeys(n.members["tax"].seed, n.genesis.Origin, 0)
	v, err := vault.Open(n.dir+"/tax", keys.Vault())
	n.must(err)
	all, err := v.Keys(rates)
	n.must(err)
	for _, k := range all {
		n.must(v.Delete(rates, k))
	}
	n.must(v.Close())
}

func always(catalog.Rates) bool { return true }

// A bank that is over its own rate uses up nothing of what other banks may ask.
func TestRefusedCountsForItsBank(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = ruled("dataset_today <= 1 && total_today <= 2") })
	id := n.grant(n.enrol(firm), 100)
	for i := range 4 {
		if got, reason := n.taxSays(n.put(id, "Wang")); (got == consent.Answered) != (i == 0) {
			t.Errorf("query %d: %s %s", i+1, got, reason)
		}
	}
	tax := n.members["tax"]
	a, ask := n.question(id)
	q, err := await(n.ctx, tax.Node, func() (*query, error) { return tax.query(a.Ref) })
	n.must(err)
	at, err := tax.At()
	n.must(err)
	r, err := tax.count(ask, q, at.Day, always)
	n.must(err)
	if of := r.Of("vat"); of.Bank.Today != 5 || of.Total.Today != 2 || of.Total.Month != 2 {
		t.Errorf("%+v", of)
	}
}

// An ask counts once, whether it is answered or not, and whatever else the bank
// asks under the same query.
func TestCountedOnce(t *testing.T) {
	n := newNetwork(t)
	a, ask := n.question(n.grant(n.enrol(firm), 3))
	tax := n.members["tax"]
	q, err := await(n.ctx, tax.Node, func() (*query, error) { return tax.query(ledger.QueryRef{Bank: "bank-a", ID: ask.Query}) })
	n.must(err)
	count := func(ask *consent.Ask) catalog.Rates {
		at, err := n.members["tax"].At()
		n.must(err)
		r, err := n.members["tax"].count(ask, q, at.Day, always)
		n.must(err)
		return r
	}
	first := count(ask)
	if first.Bank.Today != 1 || first.Of("vat").Bank.Month != 1 || first.Of("vat").Total.Today != 1 {
		t.Errorf("%+v", first)
	}
	if again := count(ask); !reflect.DeepEqual(first, again) {
		t.Errorf("%+v, then %+v", first, again)
	}
	n.restart("tax") // with it goes what nobody was answered
	n.arrives(a, n.fetchRaw(a, "tax"))
	n.restart("tax")
	if again := count(ask); !reflect.DeepEqual(first, again) {
		t.Errorf("answered as %+v, and after a restart %+v", first, again)
	}
	other := *ask
	other.Section.Wants = append([]consent.Want{}, ask.Section.Wants...)
	other.Section.Wants[0].Item.Dataset = "another"
	if r := count(&other); r.Of("another").Bank.Today != 1 || r.Bank.Today != 2 {
		t.Errorf("another section of the query: %+v", r)
	}
}

// Asks at the same time exceed no rate, and none is refused too early.
func TestRatesAtOnce(t *testing.T) {
	const allowed, asks = 4, 9
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = ruled(fmt.Sprintf("asks_today <= %d", allowed)) })
	id := n.grant(n.enrol(firm), 100)
	var asking sync.WaitGroup
	var answered, refused atomic.Int32
	for range asks {
		a := n.put(id, "Wang")
		asking.Go(func() {
			switch outcome, reason := n.taxSays(a); outcome {
			case consent.Answered:
				answered.Add(1)
			case consent.Refused:
				refused.Add(1)
			default:
				t.Errorf("%s %s", outcome, reason)
			}
		})
	}
	asking.Wait()
	if answered.Load() != allowed || refused.Load() != asks-allowed {
		t.Errorf("%d answered, %d refused", answered.Load(), refused.Load())
	}
}

// During maintenance the bank hears immediately why and until when, the use goes
// back by rule, and a restart does not end it.
func TestMaintenance(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 3)
	tax, bank := n.members["tax"], n.members["bank-a"]
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	m, err := tax.BeginMaintenance(until, "数据库升级", "Zhao")
	n.must(err)
	if m.On == nil || !m.On.Until.Equal(until) || m.On.By != "Zhao" {
		t.Fatalf("%+v", m)
	}
	n.restart("tax")
	tax = n.members["tax"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Open: 15 * time.Second, Offers: offers()[1:]})
	n.must(err)
	begin := time.Now()
	got, reason := n.taxSays(a)
	want := "maintenance: " + until.In(time.FixedZone("", 8*3600)).Format(time.RFC3339) + " | 数据库升级"
	if got != consent.Unavailable || reason != want {
		t.Errorf("%s %q, want %q", got, reason, want)
	}
	if time.Since(begin) > taxPatience/2 {
		t.Error("the bank went on asking")
	}
	n.returned(id, 0) // by the ledger, once the deadline has passed
	if _, err := tax.EndMaintenance(); err != nil {
		t.Fatal(err)
	}
	if got, reason := n.taxSays(n.put(id, "Wang")); got != consent.Answered {
		t.Errorf("afterwards: %s %s", got, reason)
	}
	for _, bad := range []Window{{Reason: "", Until: until}, {Reason: "x", Until: time.Now().Add(-time.Minute)}, {Reason: "x", Until: until.AddDate(1, 0, 0)}, {Reason: "a | b", Until: until}} {
		if _, err := tax.BeginMaintenance(bad.Until, bad.Reason, "Zhao"); err == nil {
			t.Errorf("accepted: %+v", bad)
		}
	}
}

func (n *network) consent(id consent.ID) *Consent {
	n.t.Helper()
	c, err := n.members["bank-a"].Consent(id)
	n.must(err)
	return c
}

// Windows that node.yaml declares begin and end by themselves; the operator may
// end one earlier.
func TestDeclaredMaintenance(t *testing.T) {
	n := newNetwork(t)
	now := time.Now()
	tax := n.members["tax"]
	tax.windows = []Window{{From: now.Add(-time.Hour), Until: now.Add(time.Hour), Reason: "a"}, {From: now.Add(2 * time.Hour), Until: now.Add(3 * time.Hour), Reason: "b"}, {From: now.Add(-3 * time.Hour), Until: now.Add(-2 * time.Hour), Reason: "c"}}
	for at, want := range map[time.Duration]string{0: "a", 90 * time.Minute: "", 150 * time.Minute: "b", 4 * time.Hour: ""} {
		m, err := tax.maintenanceAt(now.Add(at))
		n.must(err)
		got := ""
		if m.On != nil {
			got = m.On.Reason
		}
		if got != want {
			t.Errorf("after %s: %q, want %q", at, got, want)
		}
	}
	m, err := tax.EndMaintenance()
	n.must(err)
	if m.On != nil || len(m.Declared) != 2 {
		t.Errorf("ended: %+v", m)
	}
	if m, err = tax.maintenanceAt(now.Add(150 * time.Minute)); err != nil || m.On == nil {
		t.Errorf("the next one: %+v %v", m, err)
	}
}

// Outside of its hours an agency says when it opens.
func TestClosedAgency(t *testing.T) {
	today := consent.DayOf(uint64(time.Now().UnixMilli()), 480)
	n := newNetworkWith(t, func(n *network) {
		n.catalogs["tax"] = taxCatalog + fmt.Sprintf("hours: {days: [mon, tue, wed, thu, fri, sat, sun], from: \"00:00\", to: \"24:00\", closed: [%q]}\n", today.String()+".."+(today+1).String())
	})
	opens := today + 2
	got, reason := n.taxSays(n.put(n.grant(n.enrol(firm), 3), "Wang"))
	if want := "agency_closed: " + opens.String() + "T00:00:00+08:00"; got != consent.Unavailable || reason != want {
		t.Errorf("%s %q, want %q", got, reason, want)
	}
}

// pendingID returns the only query in the tax office's queue.
func (n *network) pendingID() string {
	n.t.Helper()
	list, err := n.members["tax"].PendingQueries()
	n.must(err)
	if len(list) != 1 || list[0].Subject != "" || list[0].Bank != "bank-a" || len(list[0].Items) != 2 {
		n.t.Fatalf("%+v", list)
	}
	return list[0].Query
}

// A query for a dataset that demands approval waits, also over restarts at
// every step; the agency answers it by itself once somebody has approved it.
func TestApproval(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	id := n.grant(n.enrol(firm), 10)
	a := n.put(id, "Wang")
	if open := time.UnixMilli(int64(a.Deadline)); time.Until(open) < 8*time.Hour {
		t.Errorf("the bank leaves until %s", open)
	}
	for range 2 {
		if got, reason := n.taxSays(a); got != consent.Unavailable || !strings.HasPrefix(reason, "approval_pending: 20") {
			t.Fatalf("%s %q", got, reason)
		}
		n.restart("tax")
	}
	query := n.pendingID()
	shown, err := n.members["tax"].PendingShow(query[:8])
	n.must(err)
	if shown.Subject != string(firm) || shown.Purpose != "pre_loan" || shown.Decision != nil {
		t.Errorf("%+v", shown)
	}
	// Of two decisions at the same time, one counts.
	var wg sync.WaitGroup
	var mu sync.Mutex
	var done []string
	for i, by := range []string{"Zhao", "Qian"} {
		wg.Go(func() {
			p, err := n.members["tax"].Decide(n.ctx, query, Decision{Approved: i == 0, By: by})
			mu.Lock()
			defer mu.Unlock()
			var e *problem.Error
			switch {
			case err == nil:
				done = append(done, p.Outcome)
			case errors.As(err, &e) && (e.Code == PendingDecided || e.Code == problem.NotFound):
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(done) != 1 {
		t.Fatalf("%v", done)
	}
	got, reason := n.taxSays(a)
	if done[0] == DecisionReleased && got != consent.Answered || done[0] == DecisionRefused && (got != consent.Refused || reason != string(ApprovalDenied)) || done[0] == DecisionUnlogged {
		t.Errorf("decided %v, the bank hears %s %q", done, got, reason)
	}
	if _, err := n.members["tax"].Decide(n.ctx, query, Decision{Approved: true, By: "Sun"}); err == nil {
		t.Error("decided twice")
	}
	// Nobody decides in time.
	late := n.put(id, "Wang")
	n.taxSays(late)
	n.edit(late, func(w *waiting) { w.Until = uint64(time.Now().UnixMilli()) })
	if got, reason := n.taxSays(late); got != consent.Refused || reason != string(ApprovalLate) {
		t.Errorf("late: %s %q", got, reason)
	}
	// A crash after the decision: the node goes on by itself.
	crashed := n.put(id, "Wang")
	n.taxSays(crashed)
	n.edit(crashed, func(w *waiting) {
		w.Decision = &Decision{Approved: true, By: "Zhao", At: uint64(time.Now().UnixMilli())}
	})
	n.restart("tax")
	o, err := n.members["bank-a"].awaitOutcome(n.ctx, crashed.Ref, "tax")
	n.must(err)
	if len(o.Digest) == 0 {
		t.Error("refused")
	}
	n.must(n.members["tax"].WaitFor(n.ctx, o.Index+1))
	n.report(3, 2)
}

// edit changes a query in the tax office's queue, as its disk would be after a
// crash.
func (n *network) edit(a *Asked, change func(*waiting)) {
	n.t.Helper()
	tax := n.members["tax"]
	w := new(waiting)
	n.must(tax.vault.Get(pending, queryKey(a.Ref), w))
	change(w)
	n.must(tax.vault.Put(pending, queryKey(a.Ref), w, time.Time{}))
}

// report checks that the sums of the tax office's report are those of the log,
// and how many queries people have decided.
func (n *network) report(least, decisions int) {
	n.t.Helper()
	tax := n.members["tax"]
	d, err := tax.Disclosures(n.ctx, "", "")
	n.must(err)
	releases, refusals := 0, 0
	for i := uint64(1); i < tax.Head().Size; i++ {
		s, err := tax.statement(i)
		n.must(err)
		switch p := s.Payload.(type) {
		case *ledger.Release:
			if s.KeyID == n.keyOf("tax") && p.Query.Bank == "bank-a" {
				releases++
			}
		case *ledger.Refuse:
			if s.KeyID == n.keyOf("tax") && p.Query.Bank == "bank-a" {
				refusals++
			}
		}
	}
	if len(d.Banks) != 1 {
		n.t.Fatalf("%+v", d)
	}
	b := d.Banks[0]
	outputs, reasons, decided := 0, 0, 0
	for _, o := range b.Outputs {
		outputs += o.Count
	}
	for _, r := range b.Reasons {
		reasons += r.Count
	}
	for _, a := range b.Approvals {
		decided += a.Approved + a.Denied
	}
	if b.Releases != releases || b.Refusals != refusals || b.Answered != releases+refusals || b.Unrecorded != 0 || outputs != 2*releases || reasons != refusals || b.Answered < least || decided != decisions {
		n.t.Errorf("the log has %d releases and %d refusals, the report says %+v", releases, refusals, b)
	}
	if none, err := tax.Disclosures(n.ctx, "", "bank-b"); err != nil || len(none.Banks) != 0 {
		n.t.Errorf("%+v %v", none, err)
	}
	if none, err := tax.Disclosures(n.ctx, "2020-01", ""); err != nil || len(none.Banks) != 0 {
		n.t.Errorf("%+v %v", none, err)
	}
	if _, err := tax.Disclosures(n.ctx, "2020-13", ""); err == nil {
		n.t.Error("a month without a calendar")
	}
}

// What was revoked while it waited is not released, whoever approves it, and is
// refused even if nobody does.
func TestRevokedWhilePending(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	s := n.enrol(firm)
	id := n.grant(s, 10)
	a := n.put(id, "Wang")
	n.taxSays(a)
	n.edit(a, func(w *waiting) { w.Decision = &Decision{Approved: true, By: "Zhao", At: 1} })
	n.stop("tax") // before the node comes to it
	n.revoke(s)
	n.open("tax", nil)
	if got, reason := n.taxSays(a); got != consent.RevokedNow {
		t.Errorf("the bank hears %s %s", got, reason)
	}
	n.settledBy("tax", a)
	if o, err := n.members["tax"].outcome(a.Ref, "tax"); err != nil || o != nil && len(o.Digest) != 0 {
		t.Errorf("released after the revocation: %v", err)
	}
}

// A bank fills its own part of the queue and no more.
func TestPendingIsBounded(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	id := n.grant(n.enrol(firm), 10)
	a := n.put(id, "Wang")
	n.taxSays(a)
	tax := n.members["tax"]
	w := new(waiting)
	n.must(tax.vault.Get(pending, queryKey(a.Ref), w))
	for i := range maxPendingOfBank - 1 {
		ref := ledger.QueryRef{Bank: "bank-a", ID: append([]byte{byte(i), 1}, a.Ref.ID[2:]...)}
		n.must(tax.vault.Put(pending, queryKey(ref), w, time.Time{}))
	}
	if got, reason := n.taxSays(n.put(id, "Wang")); got != consent.Unavailable || reason != "approval_full: " {
		t.Errorf("%s %q", got, reason)
	}
	keys, err := tax.vault.Keys(pending)
	n.must(err)
	if len(keys) > maxPendingOfBank {
		t.Errorf("%d in the queue", len(keys))
	}
}

// What a person has approved is the ask that was shown, not another one that
// the bank sends under the same query.
func TestApprovedAskIsTheOneShown(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	a, ask := n.question(n.grant(n.enrol(firm), 3))
	n.send(ask)
	w, _, err := n.members["tax"].awaiting(queryKey(a.Ref))
	n.must(err)
	other := *ask
	other.Section.Wants = ask.Section.Wants[:1]
	if code, sent := n.send(&other); code != codePending || sent != 0 {
		t.Errorf("%q, %d bytes", code, sent)
	}
	after, kept, err := n.members["tax"].awaiting(queryKey(a.Ref))
	n.must(err)
	if string(after.Ask) != string(w.Ask) || len(kept.Section.Wants) != len(ask.Section.Wants) {
		t.Error("the ask in the queue was replaced")
	}
}

// The pauses' messages come from other members: what is no time is left out.
func TestForeignPause(t *testing.T) {
	n := &Node{Genesis: &ledger.Genesis{Offset: 480}}
	for message, want := range map[string]string{
		"2026-12-01T00:00:00Z":         "maintenance: 2026-12-01T08:00:00+08:00",
		"2026-12-01T00:00:00Z | 升级":    "maintenance: 2026-12-01T08:00:00+08:00 | 升级",
		"tomorrow | x":                 "maintenance:  | x",
		"9999-12-31T23:59:59Z":         "maintenance: ",
		"":                             "maintenance: ",
		"2026-12-01T00:00:00Z |  ":     "maintenance: 2026-12-01T08:00:00+08:00",
		"2026-12-01T00:00:00Z | a | b": "maintenance: 2026-12-01T08:00:00+08:00 | a | b",
	} {
		e := pause(codeMaintenance, time.Time{}, "")
		e.Message = message
		if got := n.pausedUntil(e); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}

// keyOf returns the id of a member's statement key.
func (n *network) keyOf(member string) sign.KeyID {
	keys := ledger.NewKeys(n.members[member].seed, n.genesis.Origin, 0)
	return sign.KeyIDOf(keys.Statement().Public().(ed25519.PublicKey))
}

// revoke takes a consent back through bank-b, and waits until the log has it.
func (n *network) revoke(s *subject) {
	n.t.Helper()
	statement, err := s.keys.Revoke(0)
	n.must(err)
	a, err := n.members["bank-b"].Carry(n.ctx, statement, nil)
	n.must(err)
	if a.Verdict != ledger.Accepted {
		n.t.Fatalf("%+v", a)
	}
}

// The first decision counts, also where it has not been carried out yet.
func TestDecidedOnce(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	a := n.put(n.grant(n.enrol(firm), 3), "Wang")
	n.taxSays(a)
	key := queryKey(a.Ref)
	tax := n.members["tax"]
	if _, err := tax.decide(n.ctx, key, "", Decision{By: "Zhao", At: uint64(time.Now().UnixMilli())}); err != nil {
		t.Fatal(err)
	}
	_, err := tax.decide(n.ctx, key, "", Decision{Approved: true, By: "Qian", At: uint64(time.Now().UnixMilli())})
	var e *problem.Error
	if !errors.As(err, &e) || e.Code != PendingDecided && e.Code != problem.NotFound {
		t.Errorf("decided again: %v", err)
	}
	o, err := n.members["bank-a"].awaitOutcome(n.ctx, a.Ref, "tax")
	n.must(err)
	if len(o.Digest) != 0 {
		t.Error("released although it was denied first")
	}
	if _, err := tax.Decide(n.ctx, ledger.StatementID(a.Ref.ID).String(), Decision{By: ""}); err == nil {
		t.Error("nobody has decided")
	}
}

// Answers of which the agency has lost its record are counted apart, and are
// not left out.
func TestReportWithoutRecords(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 3)
	n.taxSays(n.put(id, "Wang"))
	lost := n.put(id, "Wang")
	n.taxSays(lost)
	tax := n.members["tax"]
	n.must(tax.vault.Delete(disclosures, queryKey(lost.Ref)))
	d, err := tax.Disclosures(n.ctx, "", "bank-a")
	n.must(err)
	if len(d.Banks) != 1 || d.Banks[0].Releases != 2 || d.Banks[0].Unrecorded != 1 || len(d.Banks[0].Outputs) != 2 {
		t.Errorf("%+v", d)
	}
}

// settledBy waits until a query is out of an agency's queue.
func (n *network) settledBy(agency string, a *Asked) {
	n.t.Helper()
	for {
		waits, _, err := n.members[agency].awaiting(queryKey(a.Ref))
		n.must(err)
		if waits == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
		n.must(n.ctx.Err())
	}
}

// What a person approves is checked again: by the rules too, as they are then.
func TestRulesAtApproval(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	a := n.put(n.grant(n.enrol(firm), 3), "Wang")
	n.taxSays(a)
	n.stop("tax")
	n.catalogs["tax"] = strings.Replace(strings.Replace(manualTax, `purpose in ["pre_loan"]`, `purpose in ["post_loan"]`, 1), "version: 3", "version: 4", 1)
	n.open("tax", nil)
	_, err := n.members["tax"].Publish(n.ctx)
	n.must(err)
	p, err := n.members["tax"].Decide(n.ctx, n.pendingID(), Decision{Approved: true, By: "Zhao"})
	n.must(err)
	if got, reason := n.taxSays(a); got != consent.Refused || !strings.HasPrefix(reason, string(RulesRefused)) {
		t.Errorf("%+v; the bank hears %s %s", p, got, reason)
	}
}
