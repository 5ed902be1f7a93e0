package ledger

import (
	"bytes"
	"reflect"
	"testing"

	"atoll/crypto/sign"
)

// Voters attest the roster under which the entry is judged, and nothing else.
func TestAttest(t *testing.T) {
	w := newWorld(t)
	founders, err := w.genesis.Attested().Digest()
	check(t, err)
	w.want(w.attest("bank-a", founders), AuthorRole)
	w.want(w.attest("tax", w.bytes32()), RosterDigest)
	w.want(w.attest("tax", founders), Accepted)
	w.want(w.attest("court", founders), Accepted)
	w.enacted(w.candidate("fire", nil, everyDay(Agency)...))
	at := w.size()
	w.want(w.attest("tax", founders), RosterDigest)
	w.want(w.attest("tax", w.attested()), Accepted)

	for index, names := range map[uint64]int{1: 6, at - 1: 6, at: 7, w.size(): 7} {
		a, err := AttestedAt(w.state, index)
		check(t, err)
		digest, err := a.Digest()
		check(t, err)
		if founded := bytes.Equal(digest, founders); len(a.Members) != names || founded != (names == 6) {
			t.Errorf("entry %d: %d members, those of genesis %t", index, len(a.Members), founded)
		}
		roster, err := RosterAt(w.state, index)
		check(t, err)
		if got := a.Roster(); !reflect.DeepEqual(got.Members(), roster.Members()) || !reflect.DeepEqual(got.Voters(), roster.Voters()) {
			t.Errorf("entry %d: the attested roster has %q, that of the index %q", index, got.Names(), roster.Names())
		}
	}
	if _, err := AttestedAt(w.state, w.size()+1); err == nil {
		t.Error("a state knows the roster of an entry that it does not reach")
	}
}

// Whatever enterprises rely on is under the digest.
func TestAttestedChanges(t *testing.T) {
	w := newWorld(t)
	seen := map[string]string{string(w.attested()): "genesis"}
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"addresses", func() { w.want(w.moved("tax", "/ip4/127.0.0.1/tcp/1234"), Accepted) }},
		{"roles", func() { w.enacted(w.roles("tax", everyDay(Agency, Bank)...)) }},
		{"a newcomer", func() { w.enacted(w.candidate("fire", nil, everyDay(Agency)...)) }},
		{"a removal", func() { w.enacted(removal("bank-b")) }},
		{"purposes", func() { w.enacted(purposes("other")) }},
		{"cosigners", func() {
			w.approved(oldSet, []string{"bank-a", "registrar", "tax"}, 0, 2)
			w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
		}},
	} {
		c.change()
		digest := string(w.attested())
		if other, ok := seen[digest]; ok {
			t.Errorf("%s: the digest is that of %s", c.what, other)
		}
		seen[digest] = c.what
		w.want(w.attest("court", []byte(digest)), Accepted)
	}
}

// A roster that was attested reads as what it was.
func TestAttestedEncodes(t *testing.T) {
	w := newWorld(t)
	w.enacted(w.candidate("fire", nil, everyDay(Agency)...))
	a, err := AttestedAt(w.state, w.size())
	check(t, err)
	raw, err := sign.Marshal(a)
	check(t, err)
	again := new(Attested)
	check(t, sign.Unmarshal(raw, again))
	if !reflect.DeepEqual(a, again) {
		t.Errorf("%+v reads as %+v", a, again)
	}
}
