package node

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/vault"
)

// past checks the state of a bank's newest query.
func (n *network) past(want QueryState) PastQuery {
	n.t.Helper()
	list, _, all, err := n.members["bank-a"].PastQueries(nil, 100)
	n.must(err)
	if len(list) == 0 || all != len(list) || list[0].State != want {
		n.t.Fatalf("%d: %+v, want %s", all, list, want)
	}
	return list[0]
}

// A bank finds every query that it has submitted, with its state, including one
// during which it was killed, and one that its vault has lost.
func TestPastQueries(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 4)
	bank := n.members["bank-a"]
	if list, _, all, err := bank.PastQueries(nil, 9); err != nil || len(list) != 0 || all != 0 {
		t.Errorf("%v, %d, %v", list, all, err)
	}

	// The bank was killed before the query was logged: no use is spent, and the
	// query can be continued.
	done, cancel := context.WithCancel(n.ctx)
	cancel()
	var open *NotLogged
	if _, err := bank.Ask(done, Question{Consent: id, Operator: "Wang", Wait: time.Second, Open: time.Minute}); !errors.As(err, &open) {
		t.Fatal(err)
	}
	n.restart("bank-a")
	bank = n.members["bank-a"]
	q := n.past(QueryUnlogged)
	if q.ID != open.Query || q.Operator != "Wang" || q.Consent != id || !q.State.Again() || len(q.Answers) != 2 {
		t.Errorf("%+v", q)
	}
	if full, err := bank.PastQuery(q.ID); err != nil || full.Subject != firm {
		t.Errorf("%+v, %v", full, err)
	}
	a, err := bank.Asked(n.ctx, q.ID)
	n.must(err)
	if q = n.past(QueryOpen); q.Index != a.Index || q.Verdict != ledger.Accepted || q.Deadline != a.Deadline {
		t.Errorf("%+v", q)
	}
	_, err = bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	if q = n.past(QueryComplete); !q.Answers[0].Released || !q.Answers[1].Released || q.Answers[1].Index <= q.Index {
		t.Errorf("%+v", q)
	}

	// The newer of two comes first, and the limit is kept.
	n.stop("court")
	second, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Li", Open: 8 * time.Second})
	n.must(err)
	list, _, all, err := bank.PastQueries(nil, 1)
	if err != nil || all != 2 || len(list) != 1 || list[0].ID != ledger.StatementID(second.Ref.ID) || list[0].State != QueryOpen {
		t.Errorf("%+v, %d, %v", list, all, err)
	}
	n.found(second, q.ID, id)
	time.Sleep(time.Until(time.UnixMilli(int64(second.Deadline) + 1)))
	n.past(QueryOver)

	// The vault is lost, and the log still has them.
	n.loseVault("bank-a", nil)
	bank = n.members["bank-a"]
	if q = n.past(QueryLost); q.ID != ledger.StatementID(second.Ref.ID) || q.Operator != "" || q.Consent != id || q.State.Again() {
		t.Errorf("%+v", q)
	}
	if _, err := bank.PastQuery(ledger.StatementID{}); !errors.Is(err, vault.ErrNone) {
		t.Error(err)
	}
}

// found checks that bank-a accepts the beginning of an id if it is unique.
func (n *network) found(second *Asked, first ledger.StatementID, id consent.ID) {
	n.t.Helper()
	bank, newest := n.members["bank-a"], ledger.StatementID(second.Ref.ID)
	for _, text := range []string{newest.String(), newest.String()[:24]} {
		if got, err := bank.FindQuery(text); err != nil || got != newest {
			n.t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{id.String(), id.String()[:8]} {
		if got, err := bank.FindConsent(text); err != nil || got != id {
			n.t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	var unknown *UnknownID
	if _, err := bank.FindQuery(newest.String()[:8]); !errors.As(err, &unknown) || len(unknown.Fits) != 2 || !strings.Contains(unknown.Error(), first.String()) {
		n.t.Errorf("two put within a minute: %v", err)
	}
	for _, text := range []string{"", id.String()[:7], "00000000", id.String() + "0"} {
		if _, err := bank.FindConsent(text); !errors.As(err, &unknown) || len(unknown.Fits) > 0 {
			n.t.Errorf("%q: %v", text, err)
		}
	}
}

// The state of a query at each time.
func TestQueryState(t *testing.T) {
	const deadline, day = 1000, uint64(24 * time.Hour / time.Millisecond)
	none, both := []AgencyAnswer{{"court", 0, false}, {"tax", 7, true}}, []AgencyAnswer{{"court", 8, false}, {"tax", 7, true}}
	for _, c := range []struct {
		q    PastQuery
		now  uint64
		lost bool
		want QueryState
	}{
		{PastQuery{}, deadline, false, QueryUnlogged},
		{PastQuery{}, deadline + 1, false, QueryLapsed},
		{PastQuery{}, deadline + day + 1, false, QueryClosed},
		{PastQuery{Index: 5, Answers: none}, deadline, false, QueryOpen},
		{PastQuery{Index: 5, Answers: none}, deadline + 1, false, QueryOver},
		{PastQuery{Index: 5, Answers: both}, deadline + day, false, QueryComplete},
		{PastQuery{Index: 5, Answers: both}, deadline + day + 1, false, QueryClosed},
		{PastQuery{Index: 5, Verdict: ledger.Accepted, Answers: both}, deadline, false, QueryComplete},
		{PastQuery{Index: 5, Verdict: ledger.ConsentUses, Answers: none}, deadline, false, QueryRejected},
		{PastQuery{Index: 5, Verdict: ledger.Accepted}, deadline, true, QueryLost},
	} {
		c.q.Deadline = deadline
		if got := c.q.state(c.now, c.lost); got != c.want {
			t.Errorf("%+v at %d: %s, want %s", c.q, c.now, got, c.want)
		}
	}
}

// A bank that has lost its vault finds its consents on the log, and reports
// that it did.
func TestConsentsFoundAgain(t *testing.T) {
	n := newNetwork(t)
	ids := map[consent.ID]bool{n.grant(n.enrol(firm), 4): true, n.grant(n.enrol(unknown), 1): true}
	bank := n.members["bank-a"]
	if list, _, again, err := bank.Consents(nil, 100); err != nil || again || len(list) != 2 {
		t.Errorf("%d, %v, %v", len(list), again, err)
	}
	n.loseVault("bank-a", nil)
	bank = n.members["bank-a"]
	n.must(bank.WaitFor(n.ctx, n.members["tax"].Head().Size))
	for i, found := range []bool{true, true, false} { // whoever reads stores nothing; the next query does
		if i == 2 {
			n.ask(slices.Collect(maps.Keys(ids))[0])
		}
		list, _, again, err := bank.Consents(nil, 100)
		if err != nil || again != found || len(list) != 2 {
			t.Fatalf("%d, %v, %v", len(list), again, err)
		}
		for _, c := range list {
			if !ids[c.Header.Bounds.ConsentID()] {
				t.Errorf("%s", c.Header.Bounds.ConsentID())
			}
		}
	}
	if list, _, again, err := n.members["bank-b"].Consents(nil, 100); err != nil || again || len(list) != 0 {
		t.Errorf("another bank: %d, %v, %v", len(list), again, err)
	}
}
