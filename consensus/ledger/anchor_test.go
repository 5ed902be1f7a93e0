package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// anchored returns the anchor at the end of the world's log. Nobody has cosigned
// its checkpoint: an anchor does not know who should.
func (w *world) anchored() *Anchor {
	w.t.Helper()
	tree := tlog.New(nil)
	for _, leaf := range w.leaves {
		check(w.t, tree.Append(leaf))
	}
	signer, err := tlog.NewLogSigner(w.genesis.Origin, w.keys["tax"].Log())
	check(w.t, err)
	signed, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: w.genesis.Origin, Head: tree.Head()}, signer)
	check(w.t, err)
	a, err := AnchorAt(w.state, signed)
	check(w.t, err)
	return a
}

// An anchor names the members in force at its head, has one encoding, and is read
// as it was written.
func TestAnchor(t *testing.T) {
	w := newWorld(t)
	w.enacted(w.candidate("fire", nil, everyDay(Agency)...))
	a := w.anchored()
	raw, err := a.Encode(w.network)
	check(t, err)
	got, err := ParseAnchor(raw, w.network)
	check(t, err)
	if !reflect.DeepEqual(got, a) || got.Head().Size != uint64(len(w.leaves)) {
		t.Fatalf("%+v", got)
	}
	r, want := got.Roster(), w.roster()
	if !slices.Equal(r.Names(), want.Names()) || !slices.Equal(r.Voters(), want.Voters()) || !r.Member("fire").equals(want.Member("fire")) {
		t.Errorf("%v, voters %v", r.Names(), r.Voters())
	}
	if r.Author(sign.KeyIDOf(want.Member("tax").Statement)) != nil {
		t.Error("it claims to know who authors statements")
	}
	slices.Reverse(r.Members())
	if !reflect.DeepEqual(got, a) {
		t.Error("what was done with an answer altered the anchor")
	}
}

// The largest anchor is within the limit.
func TestAnchorFits(t *testing.T) {
	w := newWorld(t)
	a := w.anchored()
	signer := *w.roster().Member("tax")
	a.Members, a.Voters = nil, nil
	for i := range maxMembers - 1 {
		name := fmt.Sprintf("m%02d", i) + strings.Repeat("a", 29)
		p, _ := w.applied(name)
		a.Members = append(a.Members, p.Card)
		a.Voters = append(a.Voters, p.Card.Name)
	}
	a.Members = append(a.Members, signer)
	raw, err := a.Encode(w.network)
	check(t, err)
	if _, err := ParseAnchor(raw, w.network); err != nil {
		t.Errorf("%d bytes: %v", len(raw), err)
	}
}

func TestAnchorRefused(t *testing.T) {
	w := newWorld(t)
	for name, edit := range map[string]func(*Anchor){
		"no checkpoint":     func(a *Anchor) { a.Checkpoint = nil },
		"a long checkpoint": func(a *Anchor) { a.Checkpoint = bytes.Repeat([]byte("a"), maxCheckpoint+1) },
		"no members":        func(a *Anchor) { a.Members, a.Voters = nil, nil },
		"too many members":  func(a *Anchor) { a.Members = slices.Repeat(a.Members, 1+maxMembers/len(a.Members)) },
		"out of order":      func(a *Anchor) { slices.Reverse(a.Members) },
		"a member twice":    func(a *Anchor) { a.Members[1] = a.Members[0] },
		"a key twice":       func(a *Anchor) { a.Members[1].Peer = a.Members[0].Peer },
		"a bad card":        func(a *Anchor) { a.Members[0].Roles = nil },
		"no voters":         func(a *Anchor) { a.Voters = nil },
		"a strange voter":   func(a *Anchor) { a.Voters = []string{"nobody"} },
		"voters disordered": func(a *Anchor) { slices.Reverse(a.Voters) },
		"signed by nobody": func(a *Anchor) {
			stranger, err := tlog.NewLogSigner(a.Origin(), NewKeys(sign.Secret{99}, a.Origin(), 0).Log())
			check(t, err)
			a.Checkpoint, err = tlog.SignCheckpoint(tlog.Checkpoint{Origin: a.Origin(), Head: a.Head()}, stranger)
			check(t, err)
		},
	} {
		a := w.anchored()
		edit(a)
		raw, err := a.Encode(w.network)
		check(t, err)
		if _, err := ParseAnchor(raw, w.network); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw, err := w.anchored().Encode(w.network)
	check(t, err)
	for name, raw := range map[string][]byte{"a byte behind": append(raw, 0), "too large": make([]byte, MaxAnchor+1), "half": raw[:len(raw)/2], "nothing": {}} {
		if _, err := ParseAnchor(raw, w.network); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every changed bit shows, in the head as in the cards: a head that the members
// have not signed would be held against them, and a changed address dialed.
func TestDamagedAnchor(t *testing.T) {
	w := newWorld(t)
	raw, err := w.anchored().Encode(w.network)
	check(t, err)
	for i := range raw {
		damaged := bytes.Clone(raw)
		damaged[i] ^= 1 << (i % 8)
		if _, err := ParseAnchor(damaged, w.network); !errors.Is(err, sign.ErrMalformed) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if _, err := ParseAnchor(raw, sign.NetworkID{1}); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("in the folder of another network: %v", err)
	}
}

func FuzzParseAnchor(f *testing.F) {
	w := newWorld(f)
	network := w.network
	raw, err := w.anchored().Encode(network)
	check(f, err)
	f.Add(raw[:len(raw)-sha256.Size])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if sum := anchorSum(network, raw); len(raw) > 0 { // otherwise only damage would be found
			raw = append(bytes.Clone(raw), sum[:]...)
		}
		a, err := ParseAnchor(raw, network)
		if err != nil {
			if !errors.Is(err, sign.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again, err := a.Encode(network); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("an anchor with two encodings: %v", err)
		}
		if a.Head().Size == 0 || len(a.Roster().Voters()) == 0 {
			t.Fatal("an anchor without a log")
		}
	})
}
