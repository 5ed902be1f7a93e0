package ledger

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// applied returns the application of a newcomer, with all that a card may have.
func (w *world) applied(name string) (*Application, []byte) {
	w.t.Helper()
	a := w.candidate(name, func(c *Card) {
		c.Addresses = slices.Repeat([]string{strings.Repeat("a", maxAddress)}, maxAddresses)
		c.Chinese, c.English = strings.Repeat("b", maxTitle), strings.Repeat("c", maxTitle)
	}, everyDay(Agency, Auditor, Bank, Registrar)...)
	p := &Application{w.network[:], *a.Card, a.Possession}
	raw, err := sign.Marshal(p)
	check(w.t, err)
	return p, raw
}

// The largest application fits, says what it says in one encoding, and admits its
// card alone.
func TestApplication(t *testing.T) {
	w := newWorld(t)
	name := "f" + strings.Repeat("-", 30) + "f"
	p, raw := w.applied(name)
	got, err := ParseApplication(raw)
	check(t, err)
	again, err := sign.Marshal(got)
	if err != nil || !bytes.Equal(again, raw) || got.NetworkID() != w.network {
		t.Fatalf("%v, %d bytes of %d", err, len(again), len(raw))
	}
	made, err := w.keys[name].Apply(w.network, &p.Card)
	check(t, err)
	if same, err := sign.Marshal(made); err != nil || !bytes.Equal(same, raw) {
		t.Error("a newcomer makes another application of the same card")
	}
	w.enacted(got.Amendment())
	if c := w.roster().Member(name); c == nil || !c.equals(&p.Card) {
		t.Errorf("%+v", c)
	}
}

// A card that was altered, keys of another, another network and what is too
// large are refused.
func TestApplicationRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		edit func(*Application)
		want error
	}{
		"another role":     {func(a *Application) { a.Card.Roles = a.Card.Roles[1:] }, ErrPossession},
		"another title":    {func(a *Application) { a.Card.English = "Tax bureau" }, ErrPossession},
		"another network":  {func(a *Application) { a.Network = bytes.Repeat([]byte{1}, 32) }, ErrPossession},
		"another's key":    {func(a *Application) { a.Card.Cosign = w.roster().Member("tax").Cosign }, ErrPossession},
		"a network's half": {func(a *Application) { a.Network = a.Network[:16] }, sign.ErrMalformed},
		"three signatures": {func(a *Application) { a.Possession = a.Possession[:3] }, sign.ErrMalformed},
		"no role":          {func(a *Application) { a.Card.Roles = nil }, sign.ErrMalformed},
		"later keys":       {func(a *Application) { a.Card.Generation = 1 }, sign.ErrMalformed},
		"a long name":      {func(a *Application) { a.Card.Name = strings.Repeat("f", 33) }, sign.ErrMalformed},
	} {
		p, _ := w.applied("fire")
		c.edit(p)
		raw, err := sign.Marshal(p)
		check(t, err)
		if _, err := ParseApplication(raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, raw := w.applied("fire")
	if _, err := ParseApplication(append(raw, 0)); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("a byte behind: %v", err)
	}
	if _, err := ParseApplication(make([]byte, MaxApplication+1)); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("too large: %v", err)
	}
}

func FuzzParseApplication(f *testing.F) {
	w := newWorld(f)
	_, raw := w.applied("fire")
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseApplication(raw)
		if err != nil {
			if !errors.Is(err, sign.ErrMalformed) && !errors.Is(err, ErrPossession) {
				t.Fatal(err)
			}
			return
		}
		if again, err := sign.Marshal(a); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("an application with two encodings: %v", err)
		}
	})
}

// How a proposal stands is what the next approval meets.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	stands := func() *Progress {
		t.Helper()
		list := w.opened()
		if len(list) == 0 {
			t.Fatal("nothing is open")
		}
		s, err := ProgressOf(w.state, &list[0])
		check(t, err)
		return s
	}
	id, raw := w.proposal("tax", removal("bank-a"))
	w.want(raw, Accepted)
	s := stands()
	names := slices.DeleteFunc(w.roster().Names(), func(n string) bool { return n == "tax" || n == "bank-a" })
	if s.Member != "bank-a" || !slices.Equal(s.Approved, []string{"tax"}) || !slices.Equal(s.Missing, names) || s.Verdict != Accepted {
		t.Fatalf("%+v", s)
	}
	change := w.roles("bank-a", everyDay(Agency, Bank)...)
	last := w.enacted(change)
	if yes, err := Enacted(w.state, &change, last.Index); err != nil || !yes {
		t.Errorf("the change is not in force by its entry: %v", err)
	}
	if yes, err := Enacted(w.state, &change, last.Index-1); err != nil || yes {
		t.Errorf("the change is in force by an earlier entry: %v", err)
	}
	if s := stands(); s.Verdict != ProposalStale {
		t.Errorf("%+v", s)
	}
	w.want(w.approval(names[0], "tax", id), ProposalStale)
	w.want(w.withdrawal("tax", id), Accepted)

	id, raw = w.proposal("tax", removal("bank-a"))
	w.want(raw, Accepted)
	for needed := stands().Needed; needed > 0; needed-- {
		if s := stands(); s.Needed != needed || s.Verdict != Accepted {
			t.Fatalf("%d needed: %+v", needed, s)
		}
		w.want(w.approval(stands().Missing[0], "tax", id), Accepted)
	}
	if len(w.opened()) > 0 || w.roster().Member("bank-a") != nil {
		t.Error("with as many approvals as it needs it is not in force")
	}
	cards, err := CardsOf(w.state, "bank-a")
	check(t, err)
	if len(cards) != 2 || cards[0].From != 1 || cards[1].From != last.Index+1 || !cards[1].Card.Has(Agency) {
		t.Errorf("%+v", cards)
	}
	members, err := Members(w.state)
	check(t, err)
	if i := slices.IndexFunc(members, func(m Member) bool { return m.Name == "bank-a" }); i < 0 || members[i].Until == 0 {
		t.Error("a member that has left is forgotten")
	}
}
