package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
)

// sandbox decides a world's log under other rules and returns the differences,
// one line for each entry.
func sandbox(t *testing.T, w *audittest.World, id *seal.Identity, rules audit.WhatIf) (lines []string) {
	t.Helper()
	r := audit.NewReplayer()
	i := audit.NewInspector(r, id, func(audit.Finding) {})
	s := audit.NewSandbox(rules, i, ledger.NewMemory(), func(o audit.Otherwise) {
		lines = append(lines, fmt.Sprintf("%d %s %s: %s, not %s, %s", o.Index, o.Author, o.Kind, o.WhatIf, o.Then, o.Because))
	})
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
	return lines
}

func n(n uint64) *uint64 { return &n }

func TestSandboxChangesNothing(t *testing.T) {
	w := troubled(t)
	for name, rules := range map[string]audit.WhatIf{
		"no rules": {}, "wide rules": {UsesPerDay: n(1000), MaxDays: n(1000), MaxMonths: n(120), Banned: []string{"post_loan"}},
	} {
		if got := sandbox(t, w, auditor(w), rules); len(got) > 0 {
			t.Errorf("%s: %s", name, strings.Join(got, "\n"))
		}
	}
}

// If a rule refuses an entry, what depends on that entry is refused too.
func TestSandbox(t *testing.T) {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.MaxUses = 2 })
	w.Serve(d) // 5 to 8
	w.Serve(d) // 9 to 12
	w.Ask(d, nil)
	w.Pass(audittest.Day) // 14 to 25
	later := w.Grant(f, func(c *audittest.Consenting) {
		c.Draft.NotBefore, c.Draft.NotAfter, c.Draft.Purpose = w.Today(), w.Today()+10, "post_loan"
		c.Draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 6}}}}
	})
	w.Pass(audittest.Day) // 27 to 38
	q := w.Ask(later, func(a *audittest.Asking) { a.Detail.Purpose = "post_loan" })
	w.Release("tax", q, nil)
	q = w.Ask(later, func(a *audittest.Asking) { a.Detail.Purpose = "post_loan" })
	w.Refuse("tax", q, "agency.rules", nil)
	w.Receive(q, "tax") // rejected by the network too
	for _, c := range []struct {
		name  string
		rules audit.WhatIf
		want  []string
	}{
		{"uses per day", audit.WhatIf{UsesPerDay: n(1)}, []string{
			"9 bank-a query.open: sandbox.uses_per_day, not accepted, sandbox.uses_per_day",
			"10 court fragment.release: query.unknown, not accepted, ",
			"11 tax fragment.release: query.unknown, not accepted, ",
			"12 bank-a query.receipt: query.unknown, not accepted, ",
			"13 bank-a query.open: sandbox.uses_per_day, not consent.uses, sandbox.uses_per_day",
			"41 bank-a query.open: sandbox.uses_per_day, not accepted, sandbox.uses_per_day",
			"42 tax fragment.refuse: query.unknown, not accepted, ",
			"43 bank-a query.receipt: query.unknown, not fragment.unknown, ",
		}},
		{"a use that is free", audit.WhatIf{MaxMonths: n(12)}, nil},
		{"banned purpose", audit.WhatIf{Banned: []string{"post_loan"}}, []string{
			"39 bank-a query.open: sandbox.purpose, not accepted, sandbox.purpose",
			"40 tax fragment.release: query.unknown, not accepted, ",
			"41 bank-a query.open: sandbox.purpose, not accepted, sandbox.purpose",
			"42 tax fragment.refuse: query.unknown, not accepted, ",
			"43 bank-a query.receipt: query.unknown, not fragment.unknown, ",
		}},
		{"shorter consents", audit.WhatIf{MaxDays: n(1)}, []string{
			"39 bank-a query.open: sandbox.max_days, not accepted, sandbox.max_days",
			"40 tax fragment.release: query.unknown, not accepted, ",
			"41 bank-a query.open: sandbox.max_days, not accepted, sandbox.max_days",
			"42 tax fragment.refuse: query.unknown, not accepted, ",
			"43 bank-a query.receipt: query.unknown, not fragment.unknown, ",
		}},
		{"final", audit.WhatIf{Final: true}, []string{
			"6 court fragment.release: unknown, not accepted, unknown",
			"7 tax fragment.release: unknown, not accepted, unknown",
			"10 court fragment.release: unknown, not accepted, unknown",
			"11 tax fragment.release: unknown, not accepted, unknown",
			"40 tax fragment.release: unknown, not accepted, unknown",
		}},
	} {
		got := sandbox(t, w, auditor(w), c.rules)
		if c.name == "a use that is free" {
			// All of the first consent reaches too far back: none of its uses
			// is spent, and the third query is refused for its own reason.
			if len(got) != 9 || !strings.HasPrefix(got[8], "13 bank-a query.open: sandbox.max_months, not consent.uses") {
				t.Errorf("%s:\n%s", c.name, strings.Join(got, "\n"))
			}
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s", c.name, strings.Join(got, "\n"))
		}
	}
}

// A use that other rules would not have spent is available to a query that was
// refused: that query is decided differently too.
func TestSandboxFreesUses(t *testing.T) {
	w := audittest.New(t)
	d := w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) {
		c.Draft.MaxUses = 2
	})
	w.Serve(d)
	w.Serve(d)
	w.Pass(audittest.Day)
	w.Ask(d, nil) // consent.uses
	got := sandbox(t, w, nil, audit.WhatIf{UsesPerDay: n(1)})
	if last := got[len(got)-1]; len(got) != 5 || last != "25 bank-a query.open: accepted, not consent.uses, " {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

// A use is returned if nothing was released, in the sandbox as in the network.
func TestSandboxGivesUsesBack(t *testing.T) {
	w := audittest.New(t)
	d := w.Grant(w.Enrol(audittest.Subject, 1), nil)
	w.Refuse("tax", w.Ask(d, nil), "agency.rules", nil)
	w.Pass(2 * audittest.Minute)
	w.Serve(d)
	if got := sandbox(t, w, nil, audit.WhatIf{UsesPerDay: n(1)}); len(got) > 0 {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

// Entries that this auditor cannot open are unknown, and decided as they were.
func TestSandboxUnopened(t *testing.T) {
	w := audittest.New(t)
	w.Serve(w.Grant(w.Enrol(audittest.Subject, 1), nil))
	bank := w.Ages["bank-b"]
	got := sandbox(t, w, &bank, audit.WhatIf{Banned: []string{"pre_loan"}})
	if len(got) != 1 || got[0] != "5 bank-a query.open: unknown, not accepted, unknown" {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}
