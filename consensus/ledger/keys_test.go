package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// anyones are keys under which crypto/ed25519 accepts one signature of any
// message: the neutral element in three encodings.
var anyones = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// byAnyone returns a statement that verifies under one of these keys.
func (w *world) byAnyone(key []byte, kind string, payload any) []byte {
	w.t.Helper()
	data, err := sign.Marshal(payload)
	check(w.t, err)
	signature := make([]byte, 64)
	signature[0] = 1
	id := sign.KeyIDOf(key)
	s, err := sign.Attach(kind, data, sign.Signature{KeyID: id[:], Bytes: signature})
	check(w.t, err)
	if err := s.Verify(w.network, key); err != nil {
		w.t.Fatalf("crypto/ed25519 does not take the key %x any more", key)
	}
	return s.Bytes()
}

// A statement that names a key of small order is malformed, however it is
// signed.
func TestKeysOfSmallOrder(t *testing.T) {
	if len(anyones) == 0 {
		t.Fatal("no keys")
	}
	for _, text := range anyones {
		key, err := hex.DecodeString(text)
		check(t, err)
		w := newWorld(t)
		d := w.compose(0, nil)
		h := d.header
		id := sign.KeyIDOf(key)
		h.Key, h.Bounds.ID = key, id[:]
		w.want(w.carry("bank-a", w.byAnyone(key, KindGrant, h), d.sealed), Malformed)
		w.want(w.carry("tax", w.byAnyone(key, KindRevoke, consent.Revocation{Consent: d.header.Bounds.ID, Key: key}), nil), Malformed)
		q := QueryRef{Bank: "bank-a", ID: w.id()}
		w.want(w.carry("tax", w.byAnyone(key, KindObjection, Objection{key, q, "tax", consent.BodyDigest([]byte("text"))}), []byte("text")), Malformed)

		c := consent.Credential{Salt: w.bytes32(), Subject: subject, Key: key, NotBefore: 1, NotAfter: 2}
		if err := c.Check(); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("a credential for %s: %v", text, err)
		}
		for name, field := range map[string]func(*Card) *[]byte{
			"peer": func(c *Card) *[]byte { return &c.Peer }, "statement": func(c *Card) *[]byte { return &c.Statement },
			"log": func(c *Card) *[]byte { return &c.Log }, "cosign": func(c *Card) *[]byte { return &c.Cosign },
		} {
			card := w.genesis.Members[0]
			check(t, card.Check())
			*field(&card) = key
			if err := card.Check(); !errors.Is(err, sign.ErrMalformed) {
				t.Errorf("a card with the %s key %s: %v", name, text, err)
			}
			g := *w.genesis
			g.Members = append([]Card{card}, g.Members[1:]...)
			if err := g.Check(); !errors.Is(err, sign.ErrMalformed) {
				t.Errorf("a genesis with the %s key %s: %v", name, text, err)
			}
		}
		w.want(w.carry("bank-a", d.grant, d.sealed), Accepted)
	}
}

// many makes a genesis of n members whose titles and addresses have ordinary
// lengths.
func many(t *testing.T, n int, roles ...Role) ([]byte, error) {
	w := newWorld(t)
	g := *w.genesis
	g.Members, g.Purposes = nil, nil
	for i := range n {
		c := Card{
			Name: fmt.Sprintf("agency-%02d", i), Chinese: "某某省人力资源和社会保障厅", English: "Department of Human Resources",
			Roles: roles, Age: append(make([]byte, ageRecipient-1), byte(i)),
			Addresses: []string{"/dns4/atoll.hrss.province.gov.cn/tcp/4001", "/ip4/203.119.206.101/udp/4001/quic-v1"},
		}
		NewKeys(sign.Secret{1, byte(i)}, g.Origin, 0).Fill(&c)
		g.Members = append(g.Members, c)
	}
	for i := range 4 {
		g.Purposes = append(g.Purposes, consent.Purpose{Code: fmt.Sprintf("purpose_%d", i), Chinese: "贷前", English: "Before a loan", DPV: "dpv:CreditChecking", MaxDays: 365, MaxUses: 100, MaxDataLife: 365})
	}
	for i := range n {
		g.Cosigners = append(g.Cosigners[:i:i], g.Members[i].Name)
	}
	g.Voters, g.Quorum = g.Cosigners[:7], uint8(2*n/3+1)
	var sigs []sign.Signature
	for i := range n {
		sig, err := SignGenesis(&g, NewKeys(sign.Secret{1, byte(i)}, g.Origin, 0).Statement())
		if err != nil {
			return nil, err
		}
		sigs = append(sigs, sig)
	}
	return Found(&g, sigs)
}

func TestLargestGenesisFits(t *testing.T) {
	raw, err := many(t, maxFounders, everyDay(Agency)...)
	check(t, err)
	if len(raw) > sign.MaxStatement {
		t.Errorf("%d bytes", len(raw))
	}
	t.Logf("%d members in %d bytes", maxFounders, len(raw))
	answer, _, err := Apply(NewMemory(), raw)
	if err != nil || answer.Verdict != Accepted {
		t.Errorf("%+v, %v", answer, err)
	}
	if _, err := many(t, maxFounders+1, everyDay(Agency)...); err == nil || !strings.Contains(err.Error(), "members") {
		t.Errorf("one more: %v", err)
	}
	if _, err := many(t, MaxAuditors+1, everyDay(Auditor)...); err == nil || !strings.Contains(err.Error(), "auditors") {
		t.Errorf("%d auditors: %v", MaxAuditors+1, err)
	}
}
