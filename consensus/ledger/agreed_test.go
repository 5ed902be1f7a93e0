package ledger

import (
	"bytes"
	"slices"
	"testing"
)

// What members agreed on is kept with whose approvals brought it about: not those
// of members that had left by then, and nothing of what a member changes by itself.
func TestWhoAgreed(t *testing.T) {
	w := newWorld(t)
	joined := w.enacted(w.candidate("fire", nil, everyDay(Agency)...), "tax", "court", "bank-a", "auditor")
	w.want(w.moved("tax", "/ip4/127.0.0.9/tcp/1"), Accepted)
	id, raw := w.proposal("fire", purposes("struck"))
	w.want(raw, Accepted)
	purpose, raw := w.proposal("tax", purposes("other"))
	w.want(raw, Accepted)
	w.want(w.approval("fire", "tax", purpose), Accepted)
	left := w.enacted(removal("fire"), "court", "tax", "bank-a", "auditor")
	w.want(w.approval("court", "fire", id), ProposalUnknown)
	for _, by := range []string{"court", "auditor"} {
		w.want(w.approval(by, "tax", purpose), Accepted)
	}
	other := w.want(w.approval("bank-a", "tax", purpose), Accepted)
	if !other.Changed {
		t.Fatal("the purposes are not in force")
	}
	all, err := AgreedFrom(w.state, 0)
	check(t, err)
	want := []struct {
		at    Answer
		about string
		by    []string
	}{
		{joined, "fire", []string{"tax", "court", "bank-a", "auditor"}}, {left, "fire", []string{"court", "tax", "bank-a", "auditor"}}, {other, "", []string{"tax", "court", "auditor", "bank-a"}},
	}
	if len(all) != len(want) {
		t.Fatalf("%d changes", len(all))
	}
	for i, c := range want {
		if a := all[i]; a.Entry != c.at.Index || a.Amendment.member() != c.about || !slices.Equal(a.Approved, c.by) {
			t.Errorf("%d: entry %d about %q, by %q", i, a.Entry, a.Amendment.member(), a.Approved)
		}
		a, err := AgreedAt(w.state, c.at.Index)
		if err != nil || a == nil || a.Proposer != c.by[0] {
			t.Errorf("%d: %+v, %v", i, a, err)
		}
		if a, err := AgreedAt(w.state, c.at.Index-1); err != nil || a != nil {
			t.Errorf("%d: the entry before has brought about %+v, %v", i, a, err)
		}
	}
	if later, err := AgreedFrom(w.state, left.Index); err != nil || len(later) != 2 || !bytes.Equal(later[1].ID, purpose) {
		t.Errorf("%d changes since, %v", len(later), err)
	}
}

// When a member was given a vote and lost it, by a change of voters or as successor
// of one that was removed.
func TestVotesOf(t *testing.T) {
	w := newWorld(t)
	first := w.enacted(voting("auditor", "bank-a", "tax"))
	w.settled(first)
	second := w.enacted(voting("bank-a", "court", "tax"))
	w.settled(second)
	third := w.enacted(removal("bank-a", "court", "registrar", "tax"))
	for name, want := range map[string][]Vote{
		"tax":       {{0, true}},
		"auditor":   {{0, true}, {second.Index, false}},
		"court":     {{0, true}, {first.Index, false}, {second.Index, true}},
		"bank-a":    {{first.Index, true}, {third.Index, false}},
		"registrar": {{third.Index, true}},
		"bank-b":    nil,
		"nobody":    nil,
	} {
		if got, err := VotesOf(w.state, name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v (%v)", name, got, want, err)
		}
	}
}
