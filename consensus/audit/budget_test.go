package audit_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// A log of format version 1 still verifies, and a replay reports its version
// rather than tampering.
func TestEarlierVersion(t *testing.T) {
	w := audittest.New(t)
	bundle, err := os.ReadFile("testdata/v1.bundle")
	if err != nil {
		t.Fatal(err)
	}
	if w.Leaves, err = tlog.ParseBundle(bundle, 18); err != nil {
		t.Fatal(err)
	}
	l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(w.Files("auditor", "tax"))}, policy(t, w.Policy(2)))
	if err == nil {
		err = l.Verify(nil, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := audit.NewReplayer()
	err = l.Verify(nil, func(leaf []byte) error {
		_, err := r.Add(leaf)
		return err
	})
	if !errors.Is(err, audit.ErrOutdated) || errors.Is(err, audit.ErrTampered) || !strings.Contains(err.Error(), "this log is of format version 1") {
		t.Errorf("%v", err)
	}
}

// Without added rules the sandbox decides as the network did, also at the
// limits of budgets. An entry that other rules would have refused costs its
// author nothing.
func TestSandboxOverBudget(t *testing.T) {
	w := audittest.NewWith(t, func(g *ledger.Genesis) { g.Entries, g.Bytes = 4, 1<<20 })
	d := w.Grant(w.Enrol(audittest.Subject, 1), nil)
	q := w.Ask(d, nil)
	w.Ask(d, nil)
	w.Ask(d, nil) // the last entry of the bank's day
	w.Release("tax", q, nil)
	w.Release("court", q, nil)
	for range 2 {
		w.Release("tax", q, nil) // refused, and counted
	}
	w.Receive(q, "court", "tax")
	w.Pass(audittest.Day)
	w.Ask(d, nil)
	none := uint64(0)
	for name, c := range map[string]struct {
		rules audit.WhatIf
		want  int
	}{"as it was": {audit.WhatIf{}, 0}, "no uses": {audit.WhatIf{UsesPerDay: &none}, 9}} {
		r := audit.NewReplayer()
		i := audit.NewInspector(r, nil, func(audit.Finding) {})
		var found []audit.Otherwise
		s := audit.NewSandbox(c.rules, i, ledger.NewMemory(), func(o audit.Otherwise) { found = append(found, o) })
		for _, leaf := range w.Leaves {
			e, err := r.Add(leaf)
			if err == nil {
				err = i.Add(e)
			}
			if err == nil {
				err = s.Add(e)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range found {
			if o.WhatIf == ledger.AuthorBudget {
				t.Errorf("%s: %+v", name, o)
			}
		}
		if len(found) != c.want {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// A log with an entry beyond its author's budget violates the rules.
func TestReplayRefusesWhatIsOverBudget(t *testing.T) {
	w := audittest.NewWith(t, func(g *ledger.Genesis) { g.Entries, g.Bytes = 2, 1<<20 })
	f := w.Enrol(audittest.Subject, 1)
	d := w.Grant(f, nil)
	w.Ask(d, nil)
	state := *w.State
	over := w.Statement("bank-a", ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: w.Head(), Digest: make([]byte, 32)})
	if answer, _, err := ledger.Apply(&state, over); err != nil || answer.Verdict != ledger.AuthorBudget {
		t.Fatal(answer, err)
	}
	e := ledger.Entry{Index: uint64(len(w.Leaves)), Time: w.Now, Verdict: ledger.AuthorRole, Statement: over}
	leaf, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	r, err := replayedWorld(w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Add(leaf); !errors.Is(err, audit.ErrTampered) || !strings.Contains(err.Error(), string(ledger.AuthorBudget)) {
		t.Errorf("%v", err)
	}
}
