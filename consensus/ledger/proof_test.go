package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"atoll/crypto/tlog"
)

// ground returns the world's log as a source of proofs, final at its present
// size by the named members. Hand says which members made each handover final.
func (w *world) ground(hand map[uint64][]string, by ...string) *Ground {
	w.t.Helper()
	full := map[tlog.Tile][]byte{}
	tree := tlog.New(func(t tlog.Tile, hashes []byte) { full[t] = hashes })
	for _, leaf := range w.leaves {
		check(w.t, tree.Append(leaf))
	}
	return &Ground{
		Sets: w.sets(), Final: tree.Head(), Signed: w.finalBy(w.genesis.Origin, w.size(), "bank-b", by...),
		Hand: func(size uint64) ([]byte, error) {
			return w.finalBy(w.genesis.Origin, size, "bank-b", hand[size]...), nil
		},
		Entry: func(index uint64) ([]byte, error) { return w.leaves[index], nil },
		Tile: func(t tlog.Tile) ([]byte, error) {
			return tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return full[t], nil })
		},
	}
}

// twice returns a world that has handed over twice, and the members that made
// that final.
func twice(t testing.TB) (*world, map[uint64][]string) {
	w := newWorld(t)
	w.approved(oldSet, newSet, 1, 3)
	first := w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
	w.pass(minute)
	w.approved([]string{"registrar", "court", "auditor"}, third, 1, 3)
	second := w.want(w.handover("auditor", w.finalBy(w.genesis.Origin, w.size(), "auditor", "auditor", "registrar", "tax")), Accepted)
	w.pass(minute)
	return w, map[uint64][]string{first.Index + 1: oldSet, second.Index + 1: {"auditor", "court", "tax"}}
}

func (w *world) proof(g *Ground, index, seen uint64) *Proof {
	w.t.Helper()
	r, err := g.Prove(index, seen)
	check(w.t, err)
	return r
}

// A reader that knows only genesis follows the proof to the present cosigners,
// and continues from there.
func TestProof(t *testing.T) {
	w, hand := twice(t)
	g := w.ground(hand, "bank-a", "court", "registrar")
	r := w.proof(g, 3, 0)
	p, err := NewSeen(w.genesis).Verify(r)
	check(t, err)
	if len(r.Handovers) != 2 || p.Entry.Index != 3 || p.Seen.Head != g.Final || len(p.Seen.Sets) != 3 || !slices.Equal(p.Set.Members(), third) {
		t.Fatalf("%+v", p)
	}
	if at := p.Set.Dated(p.Signers, w.now/1000); at != w.now/1000 {
		t.Errorf("signed at %d, want %d", at, w.now/1000)
	}
	w.pass(minute)
	g = w.ground(hand, "auditor", "court", "registrar")
	r = w.proof(g, w.size()-1, p.Seen.Head.Size)
	again, err := p.Seen.Verify(r)
	check(t, err)
	if len(r.Handovers) != 0 || again.Seen.Head != g.Final {
		t.Errorf("%+v", again)
	}
	if _, err := again.Seen.Verify(w.proof(w.groundAt(hand, p.Seen.Head.Size), 3, 0)); !errors.Is(err, ErrOlder) {
		t.Errorf("an older head: %v", err)
	}
}

// groundAt returns the ground as it was at a size.
func (w *world) groundAt(hand map[uint64][]string, size uint64) *Ground {
	past := *w
	past.leaves = w.leaves[:size]
	g := past.ground(hand, third[1:]...)
	return g
}

// Proofs by a server without keys, with too few, or with old ones prove
// nothing.
func TestProofForged(t *testing.T) {
	w, hand := twice(t)
	good := func() *Proof { return w.proof(w.ground(hand, third[1:]...), 3, 0) }
	signedBy := func(by ...string) *Proof { return w.proof(w.ground(hand, by...), 3, 0) }
	change := func(f func(r *Proof)) *Proof { r := good(); f(r); return r }
	cases := map[string]*Proof{
		"nobody has cosigned":            signedBy(),
		"one cosignature too few":        signedBy(third[:2]...),
		"the set before the handover":    signedBy("court", "registrar", "tax"),
		"the founders":                   signedBy(oldSet...),
		"a handover that nobody signed":  w.proof(w.ground(map[uint64][]string{}, third[1:]...), 3, 0),
		"a handover signed by too few":   w.proof(w.ground(map[uint64][]string{6: oldSet[:1], 13: newSet[1:]}, third[1:]...), 3, 0),
		"a handover left out":            change(func(r *Proof) { r.Handovers = r.Handovers[1:] }),
		"the last handover left out":     change(func(r *Proof) { r.Handovers = r.Handovers[:1] }),
		"handovers in the wrong order":   change(func(r *Proof) { slices.Reverse(r.Handovers) }),
		"a handover twice":               change(func(r *Proof) { r.Handovers = append(r.Handovers, r.Handovers[1]) }),
		"too many handovers":             change(func(r *Proof) { r.Handovers = make([]Handed, MaxProofHandovers+1) }),
		"another entry":                  change(func(r *Proof) { r.Entry.Extra = w.leaves[4] }),
		"another index":                  change(func(r *Proof) { r.Entry.Index++ }),
		"a path cut off":                 change(func(r *Proof) { r.Entry.Path = r.Entry.Path[1:] }),
		"a path that is longer":          change(func(r *Proof) { r.Entry.Path = append(r.Entry.Path, tlog.Hash{}) }),
		"no consistency":                 change(func(r *Proof) { r.Consistency = nil }),
		"a handover without consistency": change(func(r *Proof) { r.Handovers[1].Consistency = nil }),
		"a handover's path cut off":      change(func(r *Proof) { r.Handovers[0].Entry.Path = nil }),
		"no checkpoint":                  change(func(r *Proof) { r.Entry.Checkpoint = nil }),
		"half a checkpoint":              change(func(r *Proof) { r.Entry.Checkpoint = r.Entry.Checkpoint[:70] }),
	}
	seen := NewSeen(w.genesis)
	for name, r := range cases {
		if p, err := seen.Verify(r); !errors.Is(err, ErrUnproven) && !errors.Is(err, ErrOlder) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if len(seen.Sets) != 1 || seen.Head != tlog.New(nil).Head() {
		t.Errorf("what was seen has changed: %+v", seen)
	}
	_, err := seen.Verify(good())
	check(t, err)
}

// Only an accepted handover puts cosigners into force: not a refused one, not
// another statement, not one that is further down.
func TestProofHandover(t *testing.T) {
	w, hand := twice(t)
	g := w.ground(hand, third[1:]...)
	for _, index := range []uint64{4, 6} { // an approval; the tick after the handover
		g.Sets = []Cosigners{{}, {After: index + 1}}
		hand[index+1] = oldSet
		if _, err := NewSeen(w.genesis).Verify(w.proof(g, 3, 0)); !errors.Is(err, ErrUnproven) {
			t.Errorf("entry %d: %v", index, err)
		}
	}
	// The first handover, shown under a larger head of the same signers.
	g = w.ground(hand, third[1:]...)
	r := w.proof(g, 3, 0)
	hand[8] = oldSet
	p, path, err := g.prove(w.finalBy(w.genesis.Origin, 8, "tax", oldSet...), 5, 0)
	check(t, err)
	r.Handovers[0] = Handed{*p, path}
	if _, err := NewSeen(w.genesis).Verify(r); !errors.Is(err, ErrUnproven) {
		t.Error(err)
	}
}

// Two histories are both cosigned: a reader that has seen one does not accept
// the other as its continuation.
func TestProofFork(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	a.pass(minute)
	b.pass(2 * minute)
	b.pass(minute)
	p, err := NewSeen(a.genesis).Verify(a.proof(a.ground(nil, oldSet...), 1, 0))
	check(t, err)
	if _, err := p.Seen.Verify(b.proof(b.ground(nil, oldSet...), 1, p.Seen.Head.Size)); !errors.Is(err, ErrUnproven) {
		t.Errorf("a fork passes: %v", err)
	}
	_, err = NewSeen(b.genesis).Verify(b.proof(b.ground(nil, oldSet...), 1, 0))
	check(t, err) // the signatures are right: only a remembered head shows the fork
}

// Neither a recent cosignature by one dishonest cosigner, nor any number of
// clocks that were ahead, makes an old head look new.
func TestDated(t *testing.T) {
	w := newWorld(t)
	set := w.genesis.Founders()
	keys, err := set.Verifiers()
	check(t, err)
	set.Faults = 1
	signed := func(times ...uint64) (list []tlog.Signature) {
		for i, at := range times {
			list = append(list, tlog.Signature{Key: keys[i], Time: at})
		}
		return list
	}
	for i, c := range []struct {
		list []tlog.Signature
		want uint64
	}{{signed(10, 20, 900), 20}, {signed(900, 10, 20), 20}, {signed(30), 0}, {nil, 0}, {signed(10, 20, 900_000), 20}, {signed(10, 800_000, 900_000), 10}, {append(signed(10, 20), tlog.Signature{Time: 999}), 10}} {
		if got := set.Dated(c.list, 1000); got != c.want {
			t.Errorf("case %d: %d, want %d", i, got, c.want)
		}
	}
}

// A proof is made of what a log has, and refused for what it does not have.
func TestProofBeyond(t *testing.T) {
	w := newWorld(t)
	w.pass(minute)
	g := w.ground(nil, oldSet...)
	for _, at := range [][2]uint64{{w.size(), 0}, {0, w.size() + 1}} {
		if _, err := g.Prove(at[0], at[1]); !errors.Is(err, tlog.ErrNotInTree) {
			t.Errorf("%v: %v", at, err)
		}
	}
	g.Entry = func(uint64) ([]byte, error) { return nil, fmt.Errorf("no disk") }
	if _, err := g.Prove(0, 0); err == nil {
		t.Error("a proof without an entry")
	}
}

// A reader that missed more handovers than fit into one proof continues from
// where the last proof ended, and arrives. A proof that leads nowhere is
// refused.
func TestProofOverManyHandovers(t *testing.T) {
	const handovers = MaxProofHandovers + 3
	w := newWorld(t)
	both := []string{"auditor", "court", "registrar"} // in every set but the first
	by, hand := oldSet, map[uint64][]string{}
	for i := range handovers {
		to := newSet
		if i%2 == 1 {
			to = third
		}
		w.approved(by, to, 1, 3)
		hand[w.want(w.handover(by[0], w.finalBy(w.genesis.Origin, w.size(), by[0], by...)), Accepted).Index+1] = by
		w.pass(minute)
		by = both
	}
	g := w.ground(hand, both...)
	first := w.proof(g, 3, 0)
	p, err := NewSeen(w.genesis).Verify(first)
	check(t, err)
	if !first.Partial() || p.Entry != nil || len(p.Seen.Sets) != MaxProofHandovers+1 {
		t.Fatalf("%d sets, %+v", len(p.Seen.Sets), p.Entry)
	}
	last, err := p.Seen.Verify(w.proof(g, 3, p.Seen.Head.Size))
	check(t, err)
	if last.Entry == nil || last.Entry.Index != 3 || last.Seen.Head != g.Final || len(last.Seen.Sets) != handovers+1 {
		t.Errorf("%+v", last)
	}
	for name, r := range map[string]*Proof{
		"nothing at all":              {},
		"a handover of it twice":      {Handovers: []Handed{first.Handovers[0], first.Handovers[0]}},
		"what was walked over before": {Handovers: first.Handovers[1:]},
	} {
		if p, err := NewSeen(w.genesis).Verify(r); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, err := last.Seen.Verify(first); !errors.Is(err, ErrOlder) {
		t.Errorf("walking back: %v", err)
	}
}
