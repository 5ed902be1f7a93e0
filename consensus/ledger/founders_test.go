package ledger

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// Whose signature of a genesis one is, and what it is where it is none.
func TestSignedBy(t *testing.T) {
	w := newWorld(t)
	g, keys := w.genesis, w.keys
	other := *g
	other.Name = "another"
	for i := range g.Members {
		name := g.Members[i].Name
		s, err := SignGenesis(g, keys[name].Statement())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := g.SignedBy(s); got != name || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := other.SignedBy(s); got != name || !errors.Is(err, ErrOtherGenesis) {
			t.Errorf("another genesis: %q, %v", got, err)
		}
		s.Bytes = bytes.Clone(s.Bytes)
		s.Bytes[0] ^= 1
		if _, err := g.SignedBy(s); !errors.Is(err, ErrOtherGenesis) {
			t.Errorf("a damaged signature: %v", err)
		}
	}
	s, err := SignGenesis(g, NewKeys(sign.Secret{99}, g.Origin, 0).Statement())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.SignedBy(s); got != "" || !errors.Is(err, ErrNotFounder) {
		t.Errorf("a stranger: %q, %v", got, err)
	}
	for _, bad := range []sign.Signature{{}, {KeyID: make([]byte, 16)}, {KeyID: make([]byte, 15), Bytes: make([]byte, 64)}} {
		if _, err := g.SignedBy(bad); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%x: %v", bad.KeyID, err)
		}
	}
}

// A fingerprint covers all that a card or a genesis says, and is read as people
// write it down.
func TestFingerprints(t *testing.T) {
	g := newWorld(t).genesis
	print, err := g.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	id, err := g.ID()
	if err != nil || !bytes.HasPrefix(id[:], print[:]) {
		t.Errorf("%v, %v of network %v", print, err, id)
	}
	spoken := print.String()
	for _, text := range []string{spoken, strings.ToUpper(spoken), strings.ReplaceAll(spoken, " ", ""), strings.ReplaceAll(spoken, " ", "-"), " " + spoken + "\n"} {
		if got, ok := ParseFingerprint(text); !ok || got != print {
			t.Errorf("%q is read as %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", spoken[:38], spoken + " 00", strings.Replace(spoken, " ", ",", 1), strings.Repeat("g", 32)} {
		if got, ok := ParseFingerprint(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	seen := map[Fingerprint]string{}
	for what, change := range map[string]func(c *Card){
		"nothing": func(*Card) {}, "a title": func(c *Card) { c.Chinese += "x" }, "an address": func(c *Card) { c.Addresses = append(c.Addresses, "https://x.test") },
		"a role": func(c *Card) { c.Roles = append([]Role{}, Role{Name: Bank, NotAfter: 1}) }, "a key": func(c *Card) { c.Cosign = c.Log }, "the recipient": func(c *Card) { c.Age = bytes.Repeat([]byte{1}, len(c.Age)) },
	} {
		c := g.Members[0]
		c.Addresses = append([]string{}, c.Addresses...)
		change(&c)
		print, err := c.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		if seen[print] != "" {
			t.Errorf("cards that differ by %s and %s have one fingerprint", what, seen[print])
		}
		seen[print] = what
	}
}
