package node

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/catalog"
	"atoll/node/peer"
	"atoll/node/profile"
	"atoll/node/source"
	"atoll/node/source/servers"
)

// unreadable are reasons of a source that gives nothing.
var unreadable = []string{"source.unreachable", "source.timeout", "source.paused"}

// TestKilledDatabase: PostgreSQL is killed while it is read for an answer. The
// bank hears so immediately, the log has no answer, no predicate is spent, and
// the same query is answered once the server runs again. Where it does not
// before the deadline, the use goes back.
func TestKilledDatabase(t *testing.T) {
	server := servers.OwnPostgres(t)
	name := server.Database(t)
	db := server.DB(t, name)
	for _, statement := range []string{
		"CREATE TABLE vat (uscc text NOT NULL, period date NOT NULL, sales numeric(18,2) NOT NULL)",
		fmt.Sprintf("INSERT INTO vat SELECT '%s', (date_trunc('month', now() AT TIME ZONE 'Asia/Shanghai') - i * interval '1 month')::date, 100.5 + i FROM generate_series(1, 24) i", firm[5:]),
		"CREATE INDEX ON vat (uscc)", "CREATE ROLE reader LOGIN PASSWORD '" + server.Password + "'", "GRANT SELECT ON vat TO reader",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%.60s: %v", statement, err)
		}
	}
	t.Setenv("ATOLL_TEST_DATABASE", server.Password)
	n := verifyingNetworkWith(t, func(n *network) {
		n.sources = map[string]source.Config{"tax": {Name: "main", Kind: "postgres", Connection: source.Connection{
			Address: net.JoinHostPort(server.Host, strconv.Itoa(server.Port)), Database: name, User: "reader", Password: source.Secret{Env: "ATOLL_TEST_DATABASE"}, TLS: source.TLS{CA: server.CA},
		}}}
	})
	id := n.verifiable(n.enrol(firm))
	for n.verify(id, returnsVerified, "ge 1") != "answered yes" { // the keys are being checked
		time.Sleep(50 * time.Millisecond)
	}
	used, tax := n.consent(id).Used, n.members["tax"]

	held, err := db.Begin()
	n.must(err)
	_, err = held.Exec("LOCK TABLE vat IN ACCESS EXCLUSIVE MODE")
	n.must(err)
	a := n.putPredicate(id, "ge 1000", 5*time.Minute)
	told := make(chan string, 1)
	go func() { told <- n.told(a) }()
	for waits := 0; waits == 0; time.Sleep(10 * time.Millisecond) {
		n.must(db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND wait_event_type = 'Lock'").Scan(&waits))
	}
	server.Kill(t)
	got := <-told
	if outcome, reason, _ := strings.Cut(got, " "); outcome != "unavailable" || !slices.Contains(unreadable, reason) {
		t.Errorf("killed: %s", got)
	}
	if o, err := tax.outcome(a.Ref, "tax"); err != nil || o != nil {
		t.Errorf("the log has %+v (%v)", o, err)
	}
	if before, err := tax.answeredBefore(tax.answeredKey("bank-a", tax.subjectMark(firm), salesVerified)); err != nil || len(before.List) != 0 {
		t.Errorf("spent for nothing: %+v %v", before, err)
	}
	lost := n.putPredicate(id, "ge 500", 6*time.Second)
	if got := n.told(lost); !strings.HasPrefix(got, "unavailable") {
		t.Errorf("while it is down: %s", got)
	}
	n.returned(id, used+1) // that of a, whose deadline is later

	server.Start(t)
	for got = n.told(a); got != "answered yes"; got = n.told(a) {
		if outcome, reason, _ := strings.Cut(got, " "); outcome != "unavailable" || !slices.Contains(unreadable, reason) && reason != "source.checking" {
			t.Fatalf("started again: %s", got)
		}
		time.Sleep(100 * time.Millisecond)
		n.must(n.ctx.Err())
	}
	if now := n.consent(id).Used; now != used+1 {
		t.Errorf("%d uses, want %d", now, used+1)
	}
}

// TestSlowCheckHoldsUpNobody: the keys of one table are read for an hour. The
// agency's other table is checked and answers meanwhile, in the same answer too,
// banks hear of the one that it is being checked, and status says since when.
func TestSlowCheckHoldsUpNobody(t *testing.T) {
	server := servers.Postgres(t)
	name := server.Database(t)
	server.Exec(t, name,
		"CREATE TABLE vat (uscc text NOT NULL, period date NOT NULL, sales numeric(18,2) NOT NULL)",
		fmt.Sprintf("INSERT INTO vat SELECT '%s', (date_trunc('month', now() AT TIME ZONE 'Asia/Shanghai') - i * interval '1 month')::date, 100.5 + i FROM generate_series(1, 24) i", firm[5:]),
		fmt.Sprintf("CREATE VIEW ledger AS SELECT '%s'::text AS uscc, date '2026-01-01' AS period, 1.5::numeric AS sales WHERE pg_sleep(3600) IS NOT NULL", firm[5:]),
		"CREATE ROLE slow_reader LOGIN PASSWORD '"+server.Password+"'", "GRANT SELECT ON vat, ledger TO slow_reader")
	t.Cleanup(func() { server.Exec(t, name, "DROP OWNED BY slow_reader", "DROP ROLE slow_reader") })
	t.Setenv("ATOLL_TEST_DATABASE", server.Password)
	n := newNetworkWith(t, func(n *network) {
		before, vat, _ := strings.Cut(taxCatalog, "  - name: vat\n")
		vat, rules, _ := strings.Cut(vat, "rules:\n")
		n.catalogs["tax"] = before + "  - name: ledger\n" + strings.Replace(vat, "table: vat", "table: ledger", 1) + "  - name: vat\n" + vat + "rules:\n" + rules
		n.sources = map[string]source.Config{"tax": {Name: "main", Kind: "postgres", Connection: source.Connection{
			Address: net.JoinHostPort(server.Host, strconv.Itoa(server.Port)), Database: name, User: "slow_reader", Password: source.Secret{Env: "ATOLL_TEST_DATABASE"}, TLS: source.TLS{CA: server.CA},
		}}}
	})
	tax := n.members["tax"]
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if list := tax.registers.list(); len(list) == 2 && list[1].Checked != "" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the other table is not checked: %+v", list)
		}
	}
	if list := tax.registers.list(); list[0].Dataset != "ledger" || list[0].Checked != "" || list[0].Checking == "" || list[1].Checking != "" {
		t.Errorf("%+v", list)
	}
	s := n.enrol(firm)
	d := n.draft(s, 100)
	d.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{item("ledger", "returns", consent.Count, 24), item("vat", "returns", consent.Count, 24)}}}
	statement, sealed := n.sign(s, d)
	c, err := n.members["bank-a"].Accept(n.ctx, statement, sealed)
	n.must(err)
	for range 3 {
		a, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: c.Header.Bounds.ConsentID(), Operator: "Wang", Wait: time.Minute, Offers: d.Offers})
		n.must(err)
		pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Minute, nil)
		n.must(err)
		wantOutcomes(t, pieces, "tax", "unavailable", "answered")
		if r := pieces[0].Answers[0].Result.Reason; r != string(source.Checking) {
			t.Errorf("the reason is %q", r)
		}
	}
}

// putPredicate asks a predicate about sales under a deadline.
func (n *network) putPredicate(id consent.ID, predicate string, open time.Duration) *Asked {
	n.t.Helper()
	a, err := n.members["bank-a"].Ask(n.ctx, Question{
		Consent: id, Operator: "Wang", Wait: 20 * time.Second, Open: open, Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{salesVerified}}},
		Verify: []profile.Predicate{{Agency: "tax", Item: salesVerified, Text: predicate}},
	})
	n.must(err)
	return a
}

// returned waits until no more than so many uses of a consent are spent.
func (n *network) returned(id consent.ID, used uint32) {
	n.t.Helper()
	for c := n.consent(id); c.Used > used; c = n.consent(id) {
		time.Sleep(100 * time.Millisecond)
		for _, m := range n.members { // network time follows the clocks of all
			_, err := m.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: m.NewHead()})
			n.must(err)
		}
	}
}

// A query of which nothing can be read is not answered at all: the same query
// is answered when the source can be read, and only then.
func TestNothingReadIsNoAnswer(t *testing.T) {
	n := newNetwork(t)
	a, ask := n.question(n.grant(n.enrol(firm), 1))
	table, aside := filepath.Join(n.dir, "tax/data/vat.csv"), filepath.Join(n.dir, "tax/data/aside")
	n.must(os.Rename(table, aside))
	for range 2 {
		if code, sent := n.send(ask); code != codeSource || sent != 0 {
			t.Errorf("%q after %d bytes", code, sent)
		}
	}
	tax := n.members["tax"]
	if o, err := tax.outcome(a.Ref, "tax"); err != nil || o != nil {
		t.Errorf("the log has %+v (%v)", o, err)
	}
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, 20*time.Second, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "unavailable", "unavailable")
	for _, p := range pieces {
		if r := p.Answers[0].Result.Reason; p.Agency == "tax" && r != "source.not_readable" {
			t.Errorf("the reason is %q", r)
		}
	}
	n.must(os.Rename(aside, table))
	pieces, err = n.members["bank-a"].Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
}

// The reason comes from another member: what is no such reason is left out.
func TestForeignReason(t *testing.T) {
	n := &Node{}
	for message, want := range map[string]string{
		"source.timeout": "source.timeout", catalog.PredicateCounting: catalog.PredicateCounting, "source.keys": source.Failed, "": source.Failed, "timeout": source.Failed, "\x1b[2J": source.Failed,
	} {
		if outcome, got := n.reasonWithout(nil, nil, &peer.Error{Code: codeSource, Message: message}, nil); got != want || outcome != consent.Unavailable {
			t.Errorf("%q: %s %q, want %q", message, outcome, got, want)
		}
	}
}
