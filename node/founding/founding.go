// Package founding is the founder's side of founding a network over HTTP: it
// gathers the cards of all members, offers them the draft of the genesis, and
// gathers their signatures.
//
// Strangers can reach whatever serves a [Gathering], so it keeps nothing that
// the founder does not wait for. A card counts if it has the fingerprint that
// its member has told the founder by telephone; a signature counts if it is a
// member's and of the draft. Everything else is refused and leaves no trace, so
// that there is nothing to fill, to replace or to race for. What counts is kept
// before it is acknowledged.
//
// What a founder serves can be false too: each member compares the fingerprint
// of the draft by telephone before it signs, and the genesis with the draft that
// it signed. This package does no I/O: package web serves it, and the founder's
// command keeps its papers in files.
package founding

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

// Kept is a paper that a gathering keeps: a card or signature of a member, or
// the genesis, of which Member is "".
type Kept struct {
	Kind   string // of paper
	Member string
	Text   []byte
}

// State is how far a gathering has come. It is shown to whoever sends a paper
// that counts, and has nothing that will not be in the genesis.
type State struct {
	Origin   string   `json:"origin"`   // of the log
	Cards    []string `json:"cards"`    // members whose card is missing
	Unsigned []string `json:"unsigned"` // members that have not signed the draft; none before there is one
	Drafted  bool     `json:"drafted"`
	Founded  bool     `json:"founded"`
	Without  []string `json:"without"` // members that have yet to say that they have the genesis
}

// Gathering is what a founder has gathered. Its methods are safe for concurrent
// use.
type Gathering struct {
	origin string
	keep   func(Kept) error

	mu         sync.Mutex
	expected   map[string]ledger.Fingerprint // of each member's card
	cards      map[string]ledger.Card
	draft      *ledger.Genesis
	draftText  []byte
	signatures map[string]sign.Signature
	genesis    []byte          // paper
	has        map[string]bool // the genesis, by its own word
	changed    chan struct{}
}

// New returns a gathering for the log with this origin, by the fingerprints of
// the cards of all members, the founder's own included. keep stores a paper
// that counts; when it fails the paper does not count, and is to be sent again.
func New(origin string, expected map[string]ledger.Fingerprint, keep func(Kept) error) *Gathering {
	return &Gathering{
		origin: origin, keep: keep, expected: expected, cards: map[string]ledger.Card{}, signatures: map[string]sign.Signature{},
		has: map[string]bool{}, changed: make(chan struct{}),
	}
}

// Changed is closed at the next change.
func (g *Gathering) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// change tells those who wait. The caller holds the lock.
func (g *Gathering) change() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// State returns how far the gathering has come.
func (g *Gathering) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := State{Origin: g.origin, Cards: []string{}, Unsigned: []string{}, Without: []string{}, Drafted: g.draft != nil, Founded: g.genesis != nil}
	for name := range g.expected {
		if _, ok := g.cards[name]; !ok {
			s.Cards = append(s.Cards, name)
		}
		if _, ok := g.signatures[name]; !ok && s.Drafted {
			s.Unsigned = append(s.Unsigned, name)
		}
		if s.Founded && !g.has[name] {
			s.Without = append(s.Without, name)
		}
	}
	slices.Sort(s.Cards)
	slices.Sort(s.Unsigned)
	slices.Sort(s.Without)
	return s
}

// Card takes the card of a member: a paper. The same card may be sent again at
// any time. The error is a [*problem.Error].
func (g *Gathering) Card(text []byte) error {
	var c ledger.Card
	if err := paper.ReadInto(text, paper.Card, &c); err != nil {
		return problem.New(problem.Malformed, err.Error())
	}
	if err := c.Check(); err != nil {
		return problem.New(problem.Malformed, err.Error())
	}
	print, err := c.Fingerprint()
	if err != nil {
		return problem.New(problem.Malformed, err.Error())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	want, ok := g.expected[c.Name]
	if !ok {
		return problem.New(problem.FoundingCard, fmt.Sprintf("the founder does not expect a member called %s", c.Name))
	}
	if print != want {
		return problem.New(problem.FoundingCard, fmt.Sprintf("this is not the card of %s whose fingerprint the founder was told: this one has %s", c.Name, print))
	}
	if _, ok := g.cards[c.Name]; ok {
		return nil
	}
	if err := g.keep(Kept{paper.Card, c.Name, paperOf(paper.Card, c)}); err != nil {
		return err
	}
	g.cards[c.Name] = c
	g.change()
	return nil
}

// Cards returns the cards that there are, ascending by name.
func (g *Gathering) Cards() []ledger.Card {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]ledger.Card, 0, len(g.cards))
	for _, c := range g.cards {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b ledger.Card) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return list
}

// Offer lets members have the draft. The founder has agreed to it.
func (g *Gathering) Offer(draft *ledger.Genesis) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draft, g.draftText = draft, paperOf(paper.Draft, draft)
	g.change()
}

// Draft returns the draft, a paper. The error is a [*problem.Error] while there
// is none.
func (g *Gathering) Draft() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draft == nil {
		return nil, waiting("the founder has no draft yet")
	}
	return g.draftText, nil
}

// Sign takes a member's signature of the draft: a paper. Once all have signed,
// the network is founded. A member that has the genesis sends its signature
// once more, which says so. The error is a [*problem.Error].
func (g *Gathering) Sign(text []byte) error {
	var s sign.Signature
	if err := paper.ReadInto(text, paper.Signature, &s); err != nil {
		return problem.New(problem.Malformed, err.Error())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draft == nil {
		return waiting("the founder has no draft yet")
	}
	name, err := g.draft.SignedBy(s)
	switch {
	case errors.Is(err, ledger.ErrOtherGenesis):
		return problem.New(problem.FoundingSignature, fmt.Sprintf("%s has signed another draft", name))
	case errors.Is(err, ledger.ErrNotFounder):
		return problem.New(problem.FoundingSignature, "no member of the draft has the key of the signature")
	case err != nil:
		return problem.New(problem.Malformed, err.Error())
	}
	if g.genesis != nil {
		if !g.has[name] {
			g.has[name] = true
			g.change()
		}
		return nil
	}
	return g.sign(name, s)
}

// sign keeps a signature that counts, and founds the network with the last one.
// The caller holds the lock.
func (g *Gathering) sign(name string, s sign.Signature) error {
	if _, ok := g.signatures[name]; !ok {
		if err := g.keep(Kept{paper.Signature, name, paperOf(paper.Signature, s)}); err != nil {
			return err
		}
		g.signatures[name] = s
		g.change()
	}
	if len(g.signatures) < len(g.draft.Members) {
		return nil
	}
	all := make([]sign.Signature, 0, len(g.signatures))
	for _, s := range g.signatures {
		all = append(all, s)
	}
	raw, err := ledger.Found(g.draft, all)
	if err != nil {
		return err
	}
	text := paper.Text(paper.Genesis, raw)
	if err := g.keep(Kept{paper.Genesis, "", text}); err != nil {
		return err
	}
	g.genesis = text
	g.change()
	return nil
}

// Genesis returns the genesis, a paper. The error is a [*problem.Error] while
// there is none.
func (g *Gathering) Genesis() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.genesis == nil {
		return nil, waiting("not all members have signed yet")
	}
	return g.genesis, nil
}

func waiting(what string) error {
	e := problem.New(problem.FoundingWaiting, what)
	e.Retryable = true
	return e
}

// paperOf is the paper of something that was read from one, and so encodes.
func paperOf(kind string, v any) []byte {
	text, err := paper.TextOf(kind, v)
	if err != nil {
		panic(err) // a value that decoded does not encode
	}
	return text
}
