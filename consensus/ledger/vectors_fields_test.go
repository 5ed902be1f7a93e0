package ledger

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// unsigned has the form of possession.
var unsigned = slices.Repeat([][]byte{make([]byte, 64)}, 4)

// scriptKeys puts odd keys wherever a statement names a key.
func scriptKeys(s *stream) {
	for _, key := range oddKeys {
		want := func(valid Verdict) Verdict {
			if sign.ValidKey(key) {
				return valid
			}
			return Malformed
		}
		id := sign.KeyIDOf(key)
		p := s.pact(nil)
		h := p.header
		h.Key, h.Bounds.ID = key, id[:]
		forge := func(kind string, payload any) []byte {
			data, err := sign.Marshal(payload)
			check(s.t, err)
			signature := make([]byte, 64)
			signature[0] = 1 // crypto/ed25519 accepts it under neutral keys
			st, err := sign.Attach(kind, data, sign.Signature{KeyID: id[:], Bytes: signature})
			check(s.t, err)
			return st.Bytes()
		}
		s.must(s.carry("bank-a", forge(KindGrant, h), p.sealed), want(Unverified))
		s.must(s.carry("tax", forge(KindRevoke, consent.Revocation{Consent: p.header.Bounds.ID, Key: key}), nil), want(Unverified))
		s.must(s.carry("tax", forge(KindObjection, Objection{key, QueryRef{Bank: "bank-a", ID: s.id()}, "tax", consent.BodyDigest([]byte("x"))}), []byte("x")), want(Unverified))
		for field := range 4 {
			card := s.genesis.Members[0]
			*[]*[]byte{&card.Peer, &card.Statement, &card.Log, &card.Cosign}[field] = key
			s.must(s.sign("tax", KindPropose, Propose{Head{s.id()}, Amendment{Action: ReplaceKeys, Card: &card, Possession: unsigned}}), want(Unsupported))
		}
		s.must(s.sign("tax", KindHandover, Handover{Head{s.id()}, []byte("x"), []Cosigner{{Member: "tax", Key: key}}, 0, 1}), want(CosignersApprovals))
	}
}

// bare is an amendment that encodes empty fields instead of omitting them.
type bare struct {
	Action   uint8             `cbor:"1,keyasint"`
	Names    []string          `cbor:"3,keyasint"`
	Faults   uint8             `cbor:"4,keyasint"`
	Quorum   uint8             `cbor:"5,keyasint"`
	Purposes []consent.Purpose `cbor:"6,keyasint"`
	Version  uint64            `cbor:"7,keyasint"`
}

type bareCarrier struct {
	ID        []byte `cbor:"1,keyasint"`
	Statement []byte `cbor:"2,keyasint"`
	Sealed    []byte `cbor:"3,keyasint"`
}

// quorums is an amendment that always encodes f.
type quorums struct {
	Action uint8    `cbor:"1,keyasint"`
	Names  []string `cbor:"3,keyasint"`
	Faults uint64   `cbor:"4,keyasint"`
	Quorum uint64   `cbor:"5,keyasint"`
}

// scriptFields tests the limits of fields.
func scriptFields(s *stream) {
	propose := func(a any) []byte {
		return s.sign("tax", KindPropose, struct {
			ID        []byte `cbor:"1,keyasint"`
			Amendment any    `cbor:"2,keyasint"`
		}{s.id(), a})
	}
	// Fields that are 0 or empty are omitted.
	s.must(propose(quorums{5, newSet, 1, 3}), Accepted)
	s.must(propose(quorums{5, newSet, 0, 3}), Malformed)
	s.must(propose(Amendment{Action: 5, Names: newSet, Quorum: 3}), Accepted)
	s.must(propose(quorums{5, newSet, 256, 3}), Malformed)
	s.must(propose(quorums{5, newSet, 255, 255}), CosignersQuorum)
	s.must(propose(bare{Action: 5, Names: newSet, Quorum: 3}), Malformed)
	s.must(propose(Amendment{Action: 7}), Unsupported)
	s.must(propose(Amendment{Action: 7, Version: 1<<64 - 1}), Unsupported)
	s.must(propose(Amendment{Action: 7, Version: 3, Quorum: 1}), Malformed)
	s.must(propose(Amendment{Action: 1}), Malformed)
	s.must(propose(Amendment{Action: 0}), Malformed)
	s.must(propose(Amendment{Action: 8}), Malformed)
	s.must(propose(Amendment{Action: 4}), VotersMembers)
	s.must(propose(Amendment{Action: 6}), Malformed)
	s.must(propose(Amendment{Action: 9}), Unsupported)
	s.must(propose(Amendment{Action: 10}), Malformed)
	s.must(propose(Amendment{Action: 4, Names: []string{"tax", "tax"}}), Malformed)
	p := s.pact(nil)
	revoke := s.signed(p.revoke, KindRevoke, consent.Revocation{Consent: p.header.Bounds.ID, Key: p.revoke.Public().(ed25519.PublicKey)})
	s.must(s.sign("tax", KindCarrier, bareCarrier{s.id(), revoke, nil}), Malformed)
	s.must(s.sign("tax", KindCarrier, bareCarrier{s.id(), revoke, []byte{1}}), Malformed)
	s.must(s.sign("tax", KindRevoke, consent.Revocation{Consent: p.header.Bounds.ID, Key: p.header.Key}), Malformed)

	// Which ids are UUIDv7.
	for n, edit := range []func(id []byte){func([]byte) {}, func(id []byte) { id[6] ^= 0x10 }, func(id []byte) { id[6] ^= 0x80 }, func(id []byte) { id[8] ^= 0x40 }, func(id []byte) { id[8] ^= 0x80 }} {
		s.now++
		made := func() []byte {
			id := s.id()
			edit(id)
			return id
		}
		want := func(v Verdict) Verdict {
			if n > 0 {
				return Malformed
			}
			return v
		}
		slot := consent.Slot{Section: s.bytes32(), Token: s.bytes32()}
		s.must(s.sign("tax", KindTick, Tick{Head{made()}}), want(Accepted))
		s.must(s.sign("tax", KindRefuse, Refuse{Head{s.id()}, QueryRef{Bank: "bank-a", ID: made()}, slot, []byte("b")}), want(QueryUnknown))
		s.must(s.receipt("bank-a", made(), Fragment{Agency: "tax", Digest: s.bytes32()}), want(QueryUnknown))
		s.must(s.sign("tax", KindApprove, Approve{Head{s.id()}, "court", made()}), want(ProposalUnknown))
		s.must(s.sign("tax", KindDeleted, Deleted{Head{s.id()}, [][]byte{made()}}), want(Unsupported))
		p := s.pact(nil)
		s.must(s.carry("tax", s.signed(p.consent, KindObjection, Objection{p.header.Key, QueryRef{Bank: "bank-a", ID: made()}, "tax", consent.BodyDigest([]byte("x"))}), []byte("x")), want(Unsupported))
	}

	// Bounds.
	for _, c := range []struct {
		edit func(*consent.Bounds)
		want Verdict
	}{
		{func(b *consent.Bounds) { b.MaxUses = 100_000 }, Accepted}, {func(b *consent.Bounds) { b.MaxUses = 100_001 }, Malformed}, {func(b *consent.Bounds) { b.MaxUses = 0 }, Malformed},
		{func(b *consent.Bounds) { b.MaxAlerts = 100_000 }, Accepted}, {func(b *consent.Bounds) { b.MaxAlerts = 100_001 }, Malformed},
		{func(b *consent.Bounds) { b.Frequency = consent.Frequency{Days: 1830, Uses: 100_000} }, Accepted},
		{func(b *consent.Bounds) { b.Frequency = consent.Frequency{Days: 1831, Uses: 1} }, Malformed}, {func(b *consent.Bounds) { b.Frequency = consent.Frequency{Days: 1, Uses: 100_001} }, Malformed},
		{func(b *consent.Bounds) { b.Frequency = consent.Frequency{Days: 1} }, Malformed}, {func(b *consent.Bounds) { b.Frequency = consent.Frequency{Uses: 1} }, Malformed},
		{func(b *consent.Bounds) { b.Bank = "b" }, Malformed}, {func(b *consent.Bounds) { b.Bank = "b-" }, Malformed}, {func(b *consent.Bounds) { b.Bank = "bank-z" }, ConsentBank},
		{func(b *consent.Bounds) { b.Bank = strings.Repeat("b", 32) }, ConsentBank}, {func(b *consent.Bounds) { b.Bank = strings.Repeat("b", 33) }, Malformed},
		{func(b *consent.Bounds) { b.Bank = "bank_a" }, Malformed}, {func(b *consent.Bounds) { b.Bank = "1bank" }, Malformed}, {func(b *consent.Bounds) { b.Bank = "bank-a\n" }, Malformed},
		{func(b *consent.Bounds) { b.Revocation = b.Revocation[:3] }, Malformed}, {func(b *consent.Bounds) { b.Revocation = append(b.Revocation, b.ID) }, Malformed},
		{func(b *consent.Bounds) { slices.Reverse(b.Revocation) }, Malformed}, {func(b *consent.Bounds) { b.ID = make([]byte, 16) }, Malformed},
		{func(b *consent.Bounds) { b.NotBefore, b.NotAfter = -1, 9 }, Malformed},
	} {
		s.must(s.grant(s.pact(c.edit), "bank-a"), c.want)
	}

	// Lists.
	digests := func(n int) (list [][]byte) {
		for i := range n {
			list = append(list, append(make([]byte, 31), byte(i)))
		}
		return list
	}
	for _, n := range []int{0, 1, 64, 65} {
		want := QueryUnknown
		if n == 0 || n == 65 {
			want = Malformed
		}
		var list []Fragment
		for i, d := range digests(n) {
			list = append(list, Fragment{Agency: fmt.Sprintf("agency%02d", i), Digest: d})
		}
		s.must(s.receipt("bank-a", s.id(), list...), want)
	}
	for _, n := range []int{0, 1, 7, 8, 9, 16, 64, 72} {
		want := ConsentUnknown
		if n == 0 || n%8 != 0 || n > 64 {
			want = Malformed
		}
		s.must(s.sign("bank-a", KindQueryOpen, QueryOpen{Head{s.id()}, s.bytes32()[:16], s.now + hour, digests(n), []byte("b")}), want)
	}
	s.must(s.sign("bank-a", KindQueryOpen, QueryOpen{Head{s.id()}, s.bytes32()[:16], s.now + hour, digests(8), nil}), Malformed)
	s.must(s.sign("tax", KindCatalog, s.catalog(0)), Malformed)
	s.must(s.sign("tax", KindCatalog, Catalog{Head{s.id()}, s.bytes32()[:31], 1, s.bytes32()}), Malformed)
	s.must(s.sign("tax", KindCatalog, Catalog{Head{s.id()}, s.bytes32(), 1, s.bytes32()[:31]}), Malformed)
	s.must(s.sign("tax", KindCatalog, Catalog{Head{s.id()}, s.bytes32(), 1, nil}), Malformed)

	// Cards and texts.
	for _, c := range []struct {
		edit func(*Card)
		want Verdict
	}{
		{func(c *Card) { c.Chinese = strings.Repeat("税", 40) }, Unsupported}, {func(c *Card) { c.Chinese = strings.Repeat("税", 40) + "x" }, Malformed}, {func(c *Card) { c.English = "" }, Malformed},
		{func(c *Card) { c.Addresses = nil }, Unsupported}, {func(c *Card) { c.Addresses = slices.Repeat([]string{"a"}, 8) }, Unsupported}, {func(c *Card) { c.Addresses = slices.Repeat([]string{"a"}, 9) }, Malformed},
		{func(c *Card) { c.Addresses = []string{strings.Repeat("a", 200)} }, Unsupported}, {func(c *Card) { c.Addresses = []string{strings.Repeat("a", 201)} }, Malformed},
		{func(c *Card) { c.Addresses = []string{""} }, Malformed}, {func(c *Card) { c.Age = c.Age[1:] }, Malformed}, {func(c *Card) { c.Roles = nil }, Malformed},
		{func(c *Card) { c.Roles = []Role{{Name: Bank, NotBefore: 2, NotAfter: 1}} }, Malformed}, {func(c *Card) { c.Roles = []Role{{Name: Bank, NotBefore: -1, NotAfter: 1}} }, Malformed},
		{func(c *Card) { c.Roles = []Role{{Name: Bank, NotAfter: 1}, {Name: Agency, NotAfter: 1}} }, Malformed}, {func(c *Card) { c.Roles = []Role{{Name: "judge", NotAfter: 1}} }, Malformed},
		{func(c *Card) { c.Roles = []Role{{Name: Bank, NotAfter: 1}, {Name: Bank, NotAfter: 2}} }, Malformed}, {func(c *Card) { c.Roles = everyDay(Agency, Auditor, Bank, Registrar) }, Unsupported},
		{func(c *Card) { c.Generation = 1<<64 - 1 }, Unsupported}, {func(c *Card) { c.Name = "Tax" }, Malformed},
		{func(c *Card) { c.Log = c.Peer }, Unsupported}, // only genesis checks whether a key occurs twice
	} {
		card := s.genesis.Members[0]
		c.edit(&card)
		s.must(propose(Amendment{Action: ReplaceKeys, Card: &card, Possession: unsigned}), c.want)
	}
	for _, u := range [][2]rune{
		{0, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	} {
		for _, r := range []rune{max(u[0]-1, 0), u[0], u[1], u[1] + 1} {
			card := s.genesis.Members[0]
			card.Addresses = []string{"Tax" + string(r) + "office"}
			want := Unsupported
			if !consent.ValidText(string(r)) {
				want = Malformed
			}
			s.must(propose(Amendment{Action: ReplaceKeys, Card: &card, Possession: unsigned}), want)
		}
	}
	for _, u := range [][2]rune{
		{0x20, 0x7e}, {0xb7, 0xb7}, {0x2014, 0x2014}, {0x2018, 0x2019}, {0x201c, 0x201d}, {0x3001, 0x3002}, {0x3007, 0x3011}, {0x3400, 0x4dbf},
		{0x4e00, 0x9fff}, {0xff01, 0xff5e}, {0x20000, 0x2f7ff}, {0x30000, 0x323af},
	} {
		for i, r := range []rune{u[0] - 1, u[0], u[1], u[1] + 1} {
			card := s.genesis.Members[0]
			card.Chinese = "税" + string(r)
			s.must(propose(Amendment{Action: ReplaceKeys, Card: &card, Possession: unsigned}), []Verdict{Malformed, Unsupported, Unsupported, Malformed}[i])
		}
	}
	good := consent.Purpose{Code: "x", Chinese: "x", English: "x", MaxDays: 1830, MaxUses: 100_000, MaxDataLife: 3660}
	for _, c := range []struct {
		edit func(*consent.Purpose)
		want Verdict
	}{
		{func(*consent.Purpose) {}, Accepted}, {func(p *consent.Purpose) { p.MaxDays++ }, Malformed}, {func(p *consent.Purpose) { p.MaxUses++ }, Malformed}, {func(p *consent.Purpose) { p.MaxDataLife++ }, Malformed},
		{func(p *consent.Purpose) { p.MaxDays = 0 }, Malformed}, {func(p *consent.Purpose) { p.DPV = "dpv:x" }, Accepted}, {func(p *consent.Purpose) { p.DPV = "\n" }, Malformed}, {func(p *consent.Purpose) { p.Code = "X" }, Malformed},
		{func(p *consent.Purpose) { p.Chinese = strings.Repeat("x", 200) }, Accepted}, {func(p *consent.Purpose) { p.Chinese = strings.Repeat("x", 201) }, Malformed},
		{func(p *consent.Purpose) { p.Code = strings.Repeat("x", 64) }, Accepted}, {func(p *consent.Purpose) { p.Code = strings.Repeat("x", 65) }, Malformed}, {func(p *consent.Purpose) { p.Code = "贷" }, Malformed},
	} {
		p := good
		c.edit(&p)
		s.must(propose(Amendment{Action: ChangePurposes, Purposes: []consent.Purpose{p}}), c.want)
	}
	s.must(propose(Amendment{Action: ChangePurposes, Purposes: []consent.Purpose{good, good}}), Malformed)
}

// scriptFounding begins with statements that cannot be a log's first entry;
// each of them is submitted to the empty log.
func scriptFounding(s *stream) {
	founded := s.lines[0]
	founded.Log = ""
	s.lines, s.state, s.leaves = nil, NewMemory(), nil
	say := func(raw []byte) { s.must(raw, Malformed) }
	say(s.sign("tax", KindTick, Tick{Head{s.id()}}))
	found := func(edit func(*Genesis)) []byte {
		g := *s.genesis
		g.Members = slices.Clone(g.Members)
		edit(&g)
		payload, err := sign.Marshal(g)
		check(s.t, err)
		f := founding{Payload: payload}
		signers := s.genesis.Members
		if len(g.Members) > len(signers) {
			signers = g.Members
		}
		for _, m := range signers {
			raw, err := sign.Sign(s.keys[m.Name].Statement(), sign.NetworkID{}, KindGenesis, g)
			check(s.t, err)
			st, err := sign.Parse(raw)
			check(s.t, err)
			f.Signatures = append(f.Signatures, st.Signature())
		}
		slices.SortFunc(f.Signatures, func(a, b sign.Signature) int { return bytes.Compare(a.KeyID, b.KeyID) })
		raw, err := sign.Marshal(f)
		check(s.t, err)
		return raw
	}
	for _, edit := range []func(*Genesis){
		func(g *Genesis) { g.Version++ }, func(g *Genesis) { g.Version-- }, func(g *Genesis) { g.Suite = "atoll-2" }, func(g *Genesis) { g.Name = "测试\u200b网" },
		func(g *Genesis) { g.Origin = "Log.test" }, func(g *Genesis) { g.Origin = "log.test/" }, func(g *Genesis) { g.Time = 0 }, func(g *Genesis) { g.Time = 1 << 48 },
		func(g *Genesis) { g.Offset = 841 }, func(g *Genesis) { g.Offset = -841 }, func(g *Genesis) { g.Approvals = 0 }, func(g *Genesis) { g.Approvals = 7 },
		func(g *Genesis) { g.Voters = g.Voters[:2] }, func(g *Genesis) { g.Voters = []string{"auditor", "court", "nobody"} }, func(g *Genesis) { g.Cosigners = []string{"tax", "court", "auditor"} },
		func(g *Genesis) { g.Quorum = 3 }, func(g *Genesis) { g.Faults = 1 }, func(g *Genesis) { g.Purposes = nil }, func(g *Genesis) { slices.Reverse(g.Members) },
		func(g *Genesis) { g.Members[1].Log = g.Members[0].Peer }, func(g *Genesis) { g.Members[1].Age = g.Members[0].Age }, func(g *Genesis) { g.Members[0].Cosign = oddKeys[1] },
		func(g *Genesis) { g.Members = g.Members[:5] },
		func(g *Genesis) { // seven auditors
			s.join(g, "fire")
			allAuditors(s, g)
		},
	} {
		say(found(edit))
	}
	good := found(func(*Genesis) {})
	if !bytes.Equal(good, founded.Statement) {
		s.t.Fatal("not the founding document of the world")
	}
	wrong := bytes.Clone(good)
	wrong[len(wrong)-1] ^= 1
	say(wrong)
	var f founding
	check(s.t, sign.Unmarshal(good, &f))
	f.Signatures = f.Signatures[1:]
	raw, err := sign.Marshal(f)
	check(s.t, err)
	say(raw)
	s.must(good, Accepted)
	s.must(good, Accepted) // known
	say(wrong)
	say(found(func(g *Genesis) { g.Name = "另一个网" }))
	s.lines[0].Log = "founding"
	for range 5 { // what follows from it
		s.now++
		s.must(s.sign("tax", KindTick, Tick{Head{s.id()}}), Accepted)
	}
}
