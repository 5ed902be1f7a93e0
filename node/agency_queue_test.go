package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/peer"
	"atoll/node/problem"
	"atoll/node/vault"
)

// In the tests below banks attack the queue of queries that a person has to
// approve.

// A person looks at one query. The bank withdraws it and brings another one in,
// whose id begins alike: the beginning that the person types approves nothing.
func TestApprovalOfAnotherQuery(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	id := n.grant(n.enrol(firm), 3)
	a := n.put(id, "Wang")
	n.taxSays(a)
	tax, whole := n.members["tax"], ledger.StatementID(a.Ref.ID).String()
	if shown, err := tax.PendingShow(whole[:18]); err != nil || shown.Query != whole {
		t.Fatalf("%+v %v", shown, err)
	}
	var e *problem.Error
	for length := 8; length < len(whole); length += 9 {
		if _, err := tax.Decide(n.ctx, whole[:length], Decision{Approved: true, By: "Zhao"}); !errors.As(err, &e) || e.Code != problem.Usage {
			t.Errorf("approved by %q: %v", whole[:length], err)
		}
	}
	if w, _, err := tax.awaiting(queryKey(a.Ref)); err != nil || w == nil || w.Decision != nil {
		t.Errorf("decided: %+v %v", w, err)
	}
	if p, err := tax.Decide(n.ctx, whole, Decision{Approved: true, By: "Zhao"}); err != nil || p.Outcome != DecisionReleased {
		t.Errorf("by the whole id: %+v %v", p, err)
	}
}

// A bank that takes one answer slowly holds up that query. What others wait for
// is settled meanwhile.
func TestSlowBankHoldsUpNobody(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	id := n.grant(n.enrol(firm), 3)
	slow, other := n.put(id, "Wang"), n.put(id, "Li")
	n.taxSays(slow)
	n.taxSays(other)
	tax := n.members["tax"]
	first, second := slow, other // the slow one comes first in the queue
	if string(queryKey(other.Ref)) < string(queryKey(slow.Ref)) {
		first, second = other, slow
	}
	done, err := tax.asking.take(n.ctx, string(queryKey(first.Ref)))
	n.must(err)
	defer done()
	for _, a := range []*Asked{first, second} {
		n.edit(a, func(w *waiting) { w.Decision = &Decision{Approved: true, By: "Zhao", At: 1} })
	}
	n.must(tax.vault.Put(unsent, queryKey(first.Ref), first.Deadline, time.Time{}))
	go tax.settlePending()
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	if _, err := n.members["bank-a"].awaitOutcome(ctx, second.Ref, "tax"); err != nil {
		t.Errorf("the other query: %v", err)
	}
}

var flood = flag.Int("asks", 1_200, "how many asks TestFloodOfAsks makes")

// A flood of asks of six banks fills the places that each has. No bank keeps
// another one out, and what does not fit is not stored.
func TestFloodOfAsks(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	a, ask := n.question(n.grant(n.enrol(firm), 3))
	tax := n.members["tax"]
	q, err := await(n.ctx, tax.Node, func() (*query, error) { return tax.query(a.Ref) })
	n.must(err)
	w := waiting{Until: q.Deadline, Deadline: q.Deadline}
	var full []vault.Record
	for i := range maxPending - 1 { // of five banks that work together
		ref := ledger.QueryRef{Bank: fmt.Sprintf("bank-%d", i%5), ID: append([]byte{byte(i), byte(i >> 8)}, a.Ref.ID[2:]...)}
		full = append(full, vault.Record{Kind: pending, Key: queryKey(ref), Value: w})
	}
	n.must(tax.vault.Update(full...))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	waits, turned := 0, 0
	for i := range *flood {
		other := *q
		other.ref = ledger.QueryRef{Bank: []string{"bank-0", "bank-a", "bank-1", "bank-2"}[i%4], ID: append([]byte{byte(i), byte(i >> 8), 9}, a.Ref.ID[3:]...)}
		err := tax.queue(ask, &other, time.Now(), time.Hour)
		var e *peer.Error
		switch {
		case errors.As(err, &e) && e.Code == codePending && other.ref.Bank != "bank-0":
			waits++
		case errors.As(err, &e) && e.Code == codeQueueFull:
			turned++
		default:
			t.Fatalf("ask %d of %s: %v", i, other.ref.Bank, err)
		}
	}
	keys, err := tax.vault.Keys(pending)
	n.must(err)
	own := map[string]int{}
	for _, k := range keys {
		bank, _, _ := strings.Cut(string(k), "\x00")
		own[bank]++
	}
	share := maxPending / tax.banks()
	if own["bank-a"] != min(share, maxPendingOfBank) || len(keys) > 2*maxPending || waits+turned != *flood {
		t.Errorf("%d wait, %d of bank-a, %d were turned away", len(keys), own["bank-a"], turned)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d MiB of memory", grown>>20)
	}
}

// A decision does not outlive what it was about.
func TestDecisionAfterItsQuery(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	id := n.grant(n.enrol(firm), 3)
	a := n.put(id, "Wang")
	n.taxSays(a)
	n.edit(a, func(w *waiting) {
		w.Deadline, w.Decision = 1, &Decision{Approved: true, By: "Zhao", At: 1} // by network time it is over
	})
	tax := n.members["tax"]
	n.must(tax.settlePending())
	n.settledBy("tax", a)
	if o, err := tax.outcome(a.Ref, "tax"); err != nil || o != nil {
		t.Errorf("answered after the deadline: %+v %v", o, err)
	}
}

// A lost vault knows of no approval: the query waits anew, and what was
// disclosed before is counted as unrecorded.
func TestApprovalInALostVault(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })
	id := n.grant(n.enrol(firm), 3)
	a, lost := n.put(id, "Wang"), n.put(id, "Wang")
	n.taxSays(a)
	if p, err := n.members["tax"].Decide(n.ctx, ledger.StatementID(a.Ref.ID).String(), Decision{Approved: true, By: "Zhao"}); err != nil || p.Outcome != DecisionReleased {
		t.Fatalf("%+v %v", p, err)
	}
	n.taxSays(lost)
	n.loseVault("tax", nil)
	if got, reason := n.taxSays(lost); got != consent.Unavailable || !strings.HasPrefix(reason, "approval_pending") {
		t.Errorf("%s %s", got, reason)
	}
	d, err := n.members["tax"].Disclosures(n.ctx, "", "bank-a")
	n.must(err)
	if len(d.Banks) != 1 || d.Banks[0].Answered != 1 || d.Banks[0].Releases != 1 || d.Banks[0].Unrecorded != 1 || len(d.Banks[0].Approvals) != 0 {
		t.Errorf("%+v", d)
	}
}
