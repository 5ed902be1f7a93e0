package founding

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

const testOrigin = "log.test.invalid/1"

// founders are three members with their keys, and a gathering that expects them.
type founders struct {
	t     *testing.T
	keys  map[string]ledger.Keys
	cards []ledger.Card
	kept  []Kept
	full  error // of the disk
	*Gathering
}

func newFounders(t *testing.T) *founders {
	f := &founders{t: t, keys: map[string]ledger.Keys{}}
	expected := map[string]ledger.Fingerprint{}
	for i, name := range []string{"aa", "bb", "cc"} {
		c := f.card(name, byte(i+1))
		f.cards = append(f.cards, c)
		expected[name] = f.print(c)
	}
	f.Gathering = New(testOrigin, expected, func(k Kept) error {
		if f.full == nil {
			f.kept = append(f.kept, k)
		}
		return f.full
	})
	return f
}

func (f *founders) card(name string, seed byte) ledger.Card {
	c := ledger.Card{Name: name, Chinese: "甲", English: name, Age: bytes.Repeat([]byte{seed}, 1216), Roles: []ledger.Role{{Name: ledger.Agency, NotAfter: 30_000}}}
	f.keys[name] = ledger.NewKeys(sign.Secret{seed}, testOrigin, 0)
	f.keys[name].Fill(&c)
	return c
}

func (f *founders) print(c ledger.Card) ledger.Fingerprint {
	print, err := c.Fingerprint()
	if err != nil {
		f.t.Fatal(err)
	}
	return print
}

func (f *founders) draft() *ledger.Genesis {
	return &ledger.Genesis{
		Version: ledger.FormatVersion, Name: "test", Origin: testOrigin, Suite: ledger.Suite, Time: 1, Members: f.cards, Voters: []string{"aa", "bb", "cc"},
		Cosigners: []string{"aa", "bb", "cc"}, Quorum: 2, Approvals: 2, Entries: 1, Bytes: 100_000,
		Purposes: []consent.Purpose{{Code: "x", Chinese: "甲", English: "x", MaxDays: 1, MaxUses: 1, MaxDataLife: 1}},
	}
}

func (f *founders) signature(g *ledger.Genesis, keys ledger.Keys) []byte {
	s, err := ledger.SignGenesis(g, keys.Statement())
	if err != nil {
		f.t.Fatal(err)
	}
	return paperOf(paper.Signature, s)
}

// refused insists on an error with a code, and on a gathering that is as before.
func (f *founders) refused(what, code string, do func() error) {
	f.t.Helper()
	before, kept := fmt.Sprint(f.State()), len(f.kept)
	err := do()
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != code || p.Hint == "" {
		f.t.Errorf("%s: %v, want %s", what, err, code)
	}
	if after := fmt.Sprint(f.State()); after != before || len(f.kept) != kept {
		f.t.Errorf("%s leaves a trace: %s, before %s", what, after, before)
	}
}

// Only the card counts whose fingerprint the founder was told, whatever comes before
// it or after it.
func TestCards(t *testing.T) {
	f := newFounders(t)
	other := f.cards[0]
	other.Addresses = []string{"/ip4/192.0.2.1/tcp/1"}
	mine := f.card("aa", 77)
	stranger := f.card("mallory", 9)
	bent := f.cards[0]
	bent.Statement = bytes.Repeat([]byte{1}, 31)
	junk := func() {
		t.Helper()
		f.refused("another address", problem.FoundingCard, func() error { return f.Card(paperOf(paper.Card, other)) })
		f.refused("other keys", problem.FoundingCard, func() error { return f.Card(paperOf(paper.Card, mine)) })
		f.refused("a stranger", problem.FoundingCard, func() error { return f.Card(paperOf(paper.Card, stranger)) })
		f.refused("no card", problem.Malformed, func() error { return f.Card(paperOf(paper.Card, bent)) })
		f.refused("no paper", problem.Malformed, func() error { return f.Card([]byte("card")) })
		f.refused("another paper", problem.Malformed, func() error { return f.Card(paperOf(paper.Draft, f.draft())) })
		f.refused("two papers", problem.Malformed, func() error {
			return f.Card(append(paperOf(paper.Card, f.cards[0]), paperOf(paper.Card, mine)...))
		})
	}
	junk()
	for i, c := range f.cards {
		changed := f.Changed()
		if err := f.Card(paperOf(paper.Card, c)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		default:
			t.Error("nobody is told of a card")
		}
		if err := f.Card(paperOf(paper.Card, c)); err != nil || len(f.kept) != i+1 || f.kept[i].Member != c.Name {
			t.Errorf("the same card again: %v, %d kept", err, len(f.kept))
		}
		junk()
	}
	if s := f.State(); len(s.Cards) != 0 || len(f.Cards()) != 3 || f.Cards()[0].Name != "aa" {
		t.Errorf("%+v", s)
	}
}

// Members' signatures of the draft found the network, with the last of them and in
// whatever order; no other signature does anything.
func TestSignatures(t *testing.T) {
	f := newFounders(t)
	g := f.draft()
	early := f.signature(g, f.keys["aa"])
	waits := func(what string, do func() error) {
		t.Helper()
		f.refused(what, problem.FoundingWaiting, do)
		if p := new(problem.Error); !errors.As(do(), &p) || !p.Retryable {
			t.Errorf("%s: to be tried again: %v", what, p)
		}
	}
	waits("a draft before there is one", func() error { _, err := f.Draft(); return err })
	waits("a signature before there is a draft", func() error { return f.Sign(early) })
	for _, c := range f.cards {
		if err := f.Card(paperOf(paper.Card, c)); err != nil {
			t.Fatal(err)
		}
	}
	f.Offer(g)
	text, err := f.Draft()
	var got ledger.Genesis
	if err != nil || paper.ReadInto(text, paper.Draft, &got) != nil || got.Name != g.Name {
		t.Errorf("draft: %v", err)
	}
	another := f.draft()
	another.Name = "another"
	damaged := strings.Replace(string(early), "\n", "\nAAAA", 1)
	for i, name := range []string{"bb", "cc", "aa"} {
		f.refused("of another draft", problem.FoundingSignature, func() error { return f.Sign(f.signature(another, f.keys["aa"])) })
		f.refused("of a stranger", problem.FoundingSignature, func() error { return f.Sign(f.signature(g, ledger.NewKeys(sign.Secret{99}, testOrigin, 0))) })
		f.refused("damaged", problem.Malformed, func() error { return f.Sign([]byte(damaged)) })
		waits("the genesis before all have signed", func() error { _, err := f.Genesis(); return err })
		for range 2 {
			if err := f.Sign(f.signature(g, f.keys[name])); err != nil {
				t.Fatal(err)
			}
			if i == 2 {
				break
			}
		}
	}
	text, err = f.Genesis()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := paper.Read(text, paper.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	want, err := g.ID()
	if _, id, bad := ledger.VerifyGenesis(raw); err != nil || bad != nil || id != want {
		t.Errorf("%v, %v: network %v, want %v", err, bad, id, want)
	}
	if k := f.kept[len(f.kept)-1]; k.Kind != paper.Genesis || !bytes.Equal(k.Text, text) || len(f.kept) != 7 {
		t.Errorf("%d papers kept, the last a %s", len(f.kept), k.Kind)
	}
	// A member says that it has the genesis by its signature, and by no other.
	if s := f.State(); !s.Founded || !slices.Equal(s.Without, []string{"aa", "bb", "cc"}) {
		t.Errorf("%+v", s)
	}
	f.refused("of another draft", problem.FoundingSignature, func() error { return f.Sign(f.signature(another, f.keys["aa"])) })
	if err := f.Sign(early); err != nil {
		t.Error(err)
	}
	if s := f.State(); !slices.Equal(s.Without, []string{"bb", "cc"}) {
		t.Errorf("%+v", s)
	}
}

// What cannot be stored is not acknowledged, and may be sent again.
func TestKeptFirst(t *testing.T) {
	f := newFounders(t)
	full := errors.New("disk full")
	again := func(what string, do func() error) {
		t.Helper()
		before := fmt.Sprint(f.State())
		f.full = full
		if err := do(); !errors.Is(err, full) {
			t.Errorf("%s: %v", what, err)
		}
		if after := fmt.Sprint(f.State()); after != before {
			t.Errorf("%s counts and is not stored: %s, before %s", what, after, before)
		}
		f.full = nil
		if err := do(); err != nil || fmt.Sprint(f.State()) == before {
			t.Errorf("%s again: %v", what, err)
		}
	}
	for _, c := range f.cards {
		again("a card", func() error { return f.Card(paperOf(paper.Card, c)) })
	}
	g := f.draft()
	f.Offer(g)
	for _, name := range []string{"aa", "bb"} {
		again("a signature", func() error { return f.Sign(f.signature(g, f.keys[name])) })
	}
	last := f.signature(g, f.keys["cc"])
	f.keep = func(k Kept) error {
		if k.Kind == paper.Genesis {
			return full
		}
		return nil
	}
	if err := f.Sign(last); !errors.Is(err, full) || f.State().Founded {
		t.Errorf("%v, founded %v", err, f.State().Founded)
	}
	f.keep = func(Kept) error { return nil }
	if err := f.Sign(last); err != nil || !f.State().Founded {
		t.Errorf("%v, founded %v", err, f.State().Founded)
	}
}

// All that members send at the same time counts once.
func TestAtOnce(t *testing.T) {
	f := newFounders(t)
	g := f.draft()
	var wait sync.WaitGroup
	for _, c := range f.cards {
		for range 4 {
			wait.Go(func() {
				if err := f.Card(paperOf(paper.Card, c)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	f.Offer(g)
	for _, c := range f.cards {
		text := f.signature(g, f.keys[c.Name])
		for range 4 {
			wait.Go(func() {
				if err := f.Sign(text); err != nil {
					t.Error(err)
				}
				f.State()
				f.Genesis()
			})
		}
	}
	wait.Wait()
	if s := f.State(); !s.Founded || len(f.kept) != 7 {
		t.Errorf("%+v, %d kept", s, len(f.kept))
	}
}
