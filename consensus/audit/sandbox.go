package audit

import (
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// WhatIf is a set of rules to add to those of the network. Nil and empty fields
// add nothing.
type WhatIf struct {
	UsesPerDay *uint64  // uses that a bank may spend on one day, in all its consents together
	Banned     []string // purposes for which no query is allowed; needs an identity
	MaxDays    *uint64  // a consent ends this many days after its first day, whatever its own end
	MaxMonths  *uint64  // no output reaches further back; needs an identity
	Final      bool     // every release waits for a final checkpoint
}

// Verdicts under a [WhatIf] that the network's own rules do not have.
const (
	SandboxUses    ledger.Verdict = "sandbox.uses_per_day"
	SandboxPurpose ledger.Verdict = "sandbox.purpose"
	SandboxDays    ledger.Verdict = "sandbox.max_days"
	SandboxMonths  ledger.Verdict = "sandbox.max_months"
	// SandboxUnknown means that the log does not contain the answer.
	SandboxUnknown ledger.Verdict = "unknown"
)

// Otherwise is an entry that would have been decided differently, or for which
// that is unknown.
type Otherwise struct {
	Index   uint64         `json:"index"`
	Time    uint64         `json:"time"` // network time, Unix milliseconds
	Kind    string         `json:"kind"`
	Author  string         `json:"author"`
	Then    ledger.Verdict `json:"then"`
	WhatIf  ledger.Verdict `json:"what_if"`
	Because ledger.Verdict `json:"because"` // the rule; empty: it follows from an earlier decision that differs
}

// Sandbox decides a log again, under the rules of the network and a [WhatIf],
// in a state of its own. Consequences of a decision follow by the same rules.
// An answer to a query that would have been refused has no query to answer; a
// use that would not have been spent is available to the next query. The
// sandbox does not consider that members would have acted differently.
type Sandbox struct {
	rules     WhatIf
	inspector *Inspector
	state     Store
	found     func(Otherwise)
	due       schedule
	spent     map[string]*spending // by bank
	released  map[string]bool      // queries whose deadline has not passed, by key
}

// spending is what a bank has used on its newest day.
type spending struct {
	day  consent.Day
	uses uint64
}

// NewSandbox returns a sandbox for an inspector that has not begun, with its
// state in an empty store. Found is called for each entry that would have been
// decided differently.
func NewSandbox(rules WhatIf, i *Inspector, state Store, found func(Otherwise)) *Sandbox {
	return &Sandbox{rules: rules, inspector: i, state: state, found: found, spent: map[string]*spending{}, released: map[string]bool{}}
}

// NeedsIdentity reports whether the rules concern what is sealed.
func (w *WhatIf) NeedsIdentity() bool { return len(w.Banned) > 0 || w.MaxMonths != nil }

// Add decides the entry that the inspector has just added.
func (s *Sandbox) Add(e *Entry) error {
	s.due.run(e.Time)
	if e.Kind == ledger.KindGenesis {
		_, changes, err := ledger.Apply(s.state, s.inspector.replay.founding)
		s.state.Apply(changes)
		if err == nil {
			err = s.checkPurposes()
		}
		return err
	}
	answer, changes, err := ledger.Decide(s.state, e.Statement)
	if err != nil {
		return err
	}
	out := Otherwise{Index: e.Index, Time: e.Time, Kind: e.Kind, Author: e.Author, Then: e.Verdict, WhatIf: answer.Verdict}
	if answer.Verdict == ledger.Accepted {
		refusal, err := s.refuse(e)
		if err != nil {
			return err
		}
		out.Because = refusal
		switch refusal {
		case "":
			s.accept(e)
		case SandboxUnknown:
			s.accept(e)
			out.WhatIf = SandboxUnknown
		default:
			out.WhatIf = refusal
			if _, changes, err = ledger.Overrule(s.state, e.Statement, refusal); err != nil {
				return err
			}
		}
	}
	s.state.Apply(changes)
	if out.WhatIf != out.Then {
		s.found(out)
	}
	return nil
}

// ErrNoPurpose means that a [WhatIf] bans a purpose that the network lacks.
var ErrNoPurpose = errors.New("not a purpose of this network")

// checkPurposes refuses a ban of purposes that the network does not have.
func (s *Sandbox) checkPurposes() error {
	known, err := ledger.Purposes(s.state)
	for _, code := range s.rules.Banned {
		if err == nil && !slices.ContainsFunc(known, func(p consent.Purpose) bool { return p.Code == code }) {
			err = fmt.Errorf("%w: %.70q", ErrNoPurpose, code)
		}
	}
	return err
}

// refuse returns the rule that would reject an entry that the network's rules
// accept, or nothing if no rule would.
func (s *Sandbox) refuse(e *Entry) (ledger.Verdict, error) {
	switch p := e.Statement.Payload.(type) {
	case *ledger.QueryOpen:
		return s.query(e, p)
	case *ledger.Release:
		q, err := ledger.LookupQuery(s.state, p.Query)
		if err != nil || q == nil {
			return "", err
		}
		over, err := s.over(e, q.Consent)
		switch {
		case err != nil || over:
			return SandboxDays, err
		case s.rules.Final:
			// Cosignatures are not entries. The log does not tell when a
			// checkpoint became final, or whether the agency waited for it.
			return SandboxUnknown, nil
		}
	}
	return "", nil
}

func (s *Sandbox) query(e *Entry, p *ledger.QueryOpen) (ledger.Verdict, error) {
	over, err := s.over(e, p.Consent)
	if err != nil || over {
		return SandboxDays, err
	}
	verdict := ledger.Verdict("")
	if s.rules.NeedsIdentity() {
		if verdict, err = s.sealed(e, p); err != nil || verdict != "" && verdict != SandboxUnknown {
			return verdict, err
		}
	}
	if s.rules.UsesPerDay != nil && s.spending(e).uses >= *s.rules.UsesPerDay {
		return SandboxUses, nil
	}
	return verdict, nil
}

// over reports whether a shorter consent would have ended before an entry.
func (s *Sandbox) over(e *Entry, id []byte) (bool, error) {
	if s.rules.MaxDays == nil {
		return false, nil
	}
	c, err := ledger.LookupConsent(s.state, consent.ID(id))
	if err != nil || c == nil {
		return false, err
	}
	return uint64(s.inspector.day(e)) >= uint64(c.NotBefore)+*s.rules.MaxDays, nil
}

// sealed judges a query by what is sealed in it.
func (s *Sandbox) sealed(e *Entry, p *ledger.QueryOpen) (ledger.Verdict, error) {
	q, err := s.inspector.lookup(ledger.QueryRef{Bank: e.Author, ID: p.ID})
	if err != nil {
		return "", err
	}
	if q == nil { // the query was refused
		o, err := s.inspector.Unseal(e)
		if err != nil || o == nil {
			return SandboxUnknown, nil
		}
		q = &query{Opened: true, Purpose: o.Query.Purpose, Sections: o.Query.Sections}
	}
	switch {
	case !q.Opened:
		return SandboxUnknown, nil
	case slices.Contains(s.rules.Banned, q.Purpose):
		return SandboxPurpose, nil
	case s.rules.MaxMonths == nil:
		return "", nil
	}
	for _, section := range q.Sections {
		for _, w := range section.Wants {
			if uint64(w.Item.Months) > *s.rules.MaxMonths {
				return SandboxMonths, nil
			}
		}
	}
	return "", nil
}

// spending returns what the author of an entry has used on its day.
func (s *Sandbox) spending(e *Entry) *spending {
	x := s.spent[e.Author]
	if x == nil {
		x = new(spending)
		s.spent[e.Author] = x
	}
	if today := s.inspector.day(e); x.day != today {
		*x = spending{day: today}
	}
	return x
}

// accept spends a use, and returns it as the rules do: when the deadline has
// passed without a release.
func (s *Sandbox) accept(e *Entry) {
	switch p := e.Statement.Payload.(type) {
	case *ledger.QueryOpen:
		x := s.spending(e)
		x.uses++
		day, key := x.day, string(queryKey(ledger.QueryRef{Bank: e.Author, ID: p.ID}))
		s.released[key] = false
		s.due.later(p.Deadline+1, func() {
			if !s.released[key] && x.day == day {
				x.uses--
			}
			delete(s.released, key)
		})
	case *ledger.Release:
		s.released[string(queryKey(p.Query))] = true
	}
}
