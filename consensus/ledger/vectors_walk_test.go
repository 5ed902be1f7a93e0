package ledger

import (
	"bytes"
	"crypto/ed25519"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// idea is a proposal of cosigners.
type idea struct {
	by string
	id []byte
}

// walkGenesis has members whose roles end, and one that never submits anything.
func walkGenesis(s *stream, g *Genesis) {
	day := consent.DayOf(g.Time, g.Offset)
	s.join(g, "bank-c", Role{Name: Bank, NotBefore: day + 2, NotAfter: day + 9})
	s.join(g, "fire", Role{Name: Agency, NotBefore: 0, NotAfter: day + 5}, Role{Name: Registrar, NotBefore: day + 3, NotAfter: day + 40})
	s.join(g, "silent", everyDay(Auditor)...)
	g.Offset = -330
}

func pick[T any](s *stream, list []T) T { return list[s.dice.IntN(len(list))] }

// recent picks one of the last few items.
func recent[T any](s *stream, list []T, of int) T {
	return list[len(list)-1-s.dice.IntN(min(of, len(list)))]
}

func (s *stream) chance(percent int) bool { return s.dice.IntN(100) < percent }

func (s *stream) someone() string {
	for {
		if name := pick(s, s.genesis.Members).Name; name != "silent" {
			return name
		}
	}
}

var (
	banks    = []string{"bank-a", "bank-b", "bank-c"}
	agencies = []string{"court", "fire", "tax"}
)

// walk submits this many statements. Each is of a random kind and is meant to
// be accepted, almost accepted, or refused.
func (s *stream) walk(steps int) {
	s.pact(nil)
	s.query(s.pacts[0], "bank-a", s.now+hour, "tax")
	moves := []struct {
		weight int
		move   func() []byte
	}{
		{9, s.walkGrant}, {6, s.walkRevoke}, {18, s.walkOpen}, {20, s.walkRelease}, {8, s.walkRefuse}, {8, s.walkReceipt}, {8, s.walkTick},
		{7, s.walkCredential}, {4, s.walkOther}, {7, s.walkAgain}, {6, s.walkMutant}, {4, s.walkStranger}, {3, s.walkEdge}, {3, s.walkAmendment}, {3, s.walkCatalog},
	}
	total := 0
	for _, m := range moves {
		total += m.weight
	}
	for range steps {
		s.walkTime()
		n := s.dice.IntN(total)
		for _, m := range moves {
			if n -= m.weight; n < 0 {
				raw := m.move()
				s.say(raw)
				s.said = append(s.said, raw)
				break
			}
		}
	}
}

// walkTime lets time pass: mostly minutes, sometimes hours, after which members
// state their time.
func (s *stream) walkTime() {
	switch {
	case s.chance(1): // rarely, so that statements do not stay early for ever
		s.now = max(s.now, min(s.now+uint64(s.dice.IntN(20*hour)), s.head().Time+20*hour))
		for _, m := range s.genesis.Members {
			if m.Name != "silent" && s.chance(80) {
				s.say(s.sign(m.Name, KindTick, Tick{Head{s.id()}}))
			}
		}
	case s.chance(60):
		s.now += uint64(s.dice.IntN(4 * minute))
	}
}

func (s *stream) walkGrant() []byte {
	p := s.pact(func(b *consent.Bounds) {
		b.Bank = pick(s, banks)
		b.MaxUses = uint32(1 + s.dice.IntN(4))
		b.NotBefore += consent.Day(s.dice.IntN(3) - 1)
		b.NotAfter = b.NotBefore + consent.Day(s.dice.IntN(5))
		if s.chance(40) {
			b.Frequency = consent.Frequency{Days: uint32(1 + s.dice.IntN(2)), Uses: uint32(1 + s.dice.IntN(2))}
		}
		if s.chance(8) {
			b.NotBefore += 365 + consent.Day(s.dice.IntN(4))
			b.NotAfter = b.NotBefore + 1829
		}
	})
	switch n := s.dice.IntN(100); {
	case n < 8: // revoked before it is granted
		s.say(s.revocation(p, pick(s, []ed25519.PrivateKey{p.revoke, p.other, p.consent}), s.someone()))
	case n < 14:
		return s.grant(p, s.someone())
	case n < 18:
		p = recent(s, s.pacts, 30) // granted before, carried again
	case n < 21: // other bounds under a consent key that has a consent
		old := recent(s, s.pacts, 30)
		changed := *old
		changed.header.Bounds.MaxAlerts++
		p = &changed
	case n < 23:
		return s.grant(p, pick(s, banks))
	}
	return s.grant(p, p.header.Bounds.Bank)
}

func (s *stream) walkRevoke() []byte {
	p := recent(s, s.pacts, 40)
	key := p.revoke
	switch n := s.dice.IntN(10); {
	case n < 2:
		key = p.other
	case n < 4:
		key = p.consent
	}
	return s.revocation(p, key, s.someone())
}

func (s *stream) walkOpen() []byte {
	p := recent(s, s.pacts, 12)
	bank := p.header.Bounds.Bank
	if s.chance(6) {
		bank = s.someone()
	}
	deadline := s.now + uint64(1+s.dice.IntN(5*hour))
	if s.chance(6) {
		now := s.head().Time
		deadline = pick(s, []uint64{0, now - 1, now, now + 1, now + MaxQueryLife, now + MaxQueryLife + 1, 1<<64 - 1})
	}
	var slots []string
	for _, a := range agencies {
		if s.chance(75) {
			slots = append(slots, a)
		}
	}
	return s.ask(s.query(p, bank, deadline, slots...))
}

func (s *stream) walkRelease() []byte {
	q := recent(s, s.asked, 14)
	agency := pick(s, agencies)
	if s.chance(4) {
		agency = s.someone()
	}
	digest := s.bytes32()
	if len(q.released) > 0 && s.chance(40) {
		digest = pick(s, q.released).Digest // its own, or another's
	}
	q.released = append(q.released, Fragment{Agency: agency, Digest: digest})
	return s.releases(q, agency, digest)
}

func (s *stream) walkRefuse() []byte {
	agency := pick(s, agencies)
	if s.chance(5) {
		agency = s.someone()
	}
	return s.refuses(recent(s, s.asked, 14), agency)
}

func (s *stream) walkReceipt() []byte {
	q := recent(s, s.asked, 16)
	bank := q.bank
	if s.chance(6) {
		bank = s.someone()
	}
	var list []Fragment
	for _, f := range q.released {
		if s.chance(80) && !slices.ContainsFunc(list, func(o Fragment) bool { return o.Agency == f.Agency }) {
			list = append(list, f)
		}
	}
	switch {
	case len(list) == 0:
		list = append(list, Fragment{Agency: pick(s, agencies), Digest: s.bytes32()})
	case s.chance(10):
		list[0].Digest = s.bytes32()
	case s.chance(10):
		list = []Fragment{{Agency: pick(s, agencies), Digest: list[0].Digest}}
	}
	return s.receipt(bank, q.open.ID, list...)
}

func (s *stream) walkTick() []byte {
	now := s.now
	defer func() { s.now = now }()
	switch n := s.dice.IntN(10); {
	case n < 3:
		s.now += uint64(s.dice.IntN(2 * minute))
	case n < 5:
		s.now -= uint64(s.dice.IntN(30 * hour))
	case n < 6:
		s.now += uint64(s.dice.IntN(26 * hour))
	}
	return s.sign(s.someone(), KindTick, Tick{Head{s.id()}})
}

func (s *stream) walkCredential() []byte {
	registrar := pick(s, []string{"fire", "registrar"})
	if s.chance(10) {
		registrar = s.someone()
	}
	if len(s.digests) == 0 || s.chance(45) {
		s.digests = append(s.digests, s.bytes32())
		return s.sign(registrar, KindCredentialIssue, CredentialIssue{Head{s.id()}, s.digests[len(s.digests)-1], []byte("s")})
	}
	digest := recent(s, s.digests, 6)
	if s.chance(25) {
		return s.sign(registrar, KindCredentialIssue, CredentialIssue{Head{s.id()}, digest, []byte("s")})
	}
	return s.sign(registrar, KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest})
}

// walkCatalog has agencies publish, mostly newer versions.
func (s *stream) walkCatalog() []byte {
	by := pick(s, agencies)
	if s.chance(10) {
		by = s.someone()
	}
	if s.chance(60) {
		s.versions++
	}
	return s.sign(by, KindCatalog, s.catalog(s.versions))
}

// walkOther returns a statement of a kind that has no rules yet.
func (s *stream) walkOther() []byte {
	by := s.someone()
	switch s.dice.IntN(4) {
	case 0:
		ids := [][]byte{s.id(), s.id(), s.id()}
		if s.chance(80) {
			slices.SortFunc(ids, bytes.Compare)
		}
		return s.sign(by, KindDeleted, Deleted{Head{s.id()}, ids})
	case 1:
		return s.sign(by, KindObjectionAnswer, ObjectionAnswer{Head{s.id()}, s.bytes32(), []byte("s")})
	case 2:
		o := Objection{s.pacts[0].header.Key, QueryRef{Bank: "bank-a", ID: s.id()}, "tax", consent.BodyDigest([]byte("text"))}
		return s.carry(by, s.signed(s.pacts[0].consent, KindObjection, o), []byte(pick(s, []string{"text", "text", "other", ""})))
	}
	return s.sign(by, pick(s, []string{"network.split", "consent.grant", "genesis", "carrier", "terms", "consent.terms"}), Tick{Head{s.id()}})
}

// walkAgain returns an earlier statement, or other bytes under its id.
func (s *stream) walkAgain() []byte {
	if len(s.said) == 0 {
		return s.walkTick()
	}
	raw := recent(s, s.said, 400)
	st, err := Parse(raw)
	if err != nil || st.Carrier != nil || s.chance(70) {
		return raw
	}
	a, err := AuthorAt(s.state, st.KeyID, s.head().Size)
	check(s.t, err)
	if a == nil {
		return raw
	}
	return s.sign(a.Member, KindCredentialRevoke, CredentialRevoke{Head{st.ID[:]}, s.bytes32()})
}

// walkStranger returns a statement signed by a non-member, for another network,
// or with the wrong key.
func (s *stream) walkStranger() []byte {
	payload := CredentialRevoke{Head{s.id()}, s.bytes32()}
	var raw []byte
	var err error
	switch s.dice.IntN(5) {
	case 0:
		raw, err = sign.Sign(ed25519.NewKeyFromSeed(s.bytes32()), s.network, KindCredentialRevoke, payload)
	case 1:
		raw, err = sign.Sign(s.keys["registrar"].Statement(), sign.NetworkID(s.bytes32()), KindCredentialRevoke, payload)
	case 2:
		raw, err = sign.Sign(s.keys["registrar"].Log(), s.network, KindCredentialRevoke, payload)
	case 3:
		raw = s.sign("registrar", KindCredentialRevoke, payload)
		at := len(raw) - 1 - s.dice.IntN(64)
		raw[at] ^= byte(1 << s.dice.IntN(8))
	default: // the carried statement is signed by a key other than the one it names
		p := recent(s, s.pacts, 10)
		inner, err2 := sign.Parse(s.signed(p.revoke, KindRevoke, consent.Revocation{Consent: p.header.Bounds.ID, Key: p.other.Public().(ed25519.PublicKey)}))
		check(s.t, err2)
		raw = s.carry(s.someone(), inner.Bytes(), nil)
	}
	check(s.t, err)
	return raw
}

// walkEdge returns a statement dated as far from network time as allowed, or
// farther.
func (s *stream) walkEdge() []byte {
	now, t := s.now, s.head().Time
	defer func() { s.now = now }()
	s.now = pick(s, []uint64{t - Retention, t - Retention - 1, t + MaxEarly, t + MaxEarly + 1, t + 3*MaxEarly, t - 3*Retention, 1<<48 - 1, 0})
	if s.chance(50) {
		return s.sign(s.someone(), KindTick, Tick{Head{s.id()}})
	}
	return s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, s.bytes32()})
}

// walkAmendment returns a proposal of a change that nobody will approve, some
// with texts that nobody may sign.
func (s *stream) walkAmendment() []byte {
	a := Amendment{Action: uint8(s.dice.IntN(11))}
	title := "税务局" + pick(s, []string{"", "", "x", "\u00ad", "\u200b", "\u2028", "\u2029", "\u202e", "\u2060", "\ufe0f", "\ufeff", "\U000e0101", "\u3164", "\u0000", "\u00a0", "\u3000", "é"})
	if s.chance(70) {
		card := s.genesis.Members[0]
		card.Chinese = title
		card.Roles = everyDay(pick(s, []string{Agency, Bank, "nobody"}))
		if s.chance(20) {
			card.Peer = pick(s, oddKeys)
		}
		a.Card = &card
	}
	if a.Action > 3 && s.chance(80) {
		a.Card = nil
	}
	if a.Action < 3 && s.chance(80) {
		a.Possession = unsigned
	}
	if a.Action == 8 && s.chance(80) {
		a.Name = s.someone()
	}
	if a.Action == 4 {
		a.Names = pick(s, [][]string{nil, {"court", "tax"}, {"tax", "court"}, {"x", "y"}, {"ab", "cd"}})
	}
	if a.Action == 6 {
		a.Purposes = []consent.Purpose{{Code: "after_loan", Chinese: title, English: "After", MaxDays: uint32(s.dice.IntN(2)), MaxUses: 1, MaxDataLife: 3660}}
	}
	if a.Action == 7 {
		a.Version = uint64(s.dice.IntN(3))
	}
	if a.Action == 5 {
		a.Action = 7
	}
	return s.sign(s.someone(), KindPropose, Propose{Head{s.id()}, a})
}

// cosignersWalk proposes, approves and hands over repeatedly.
func (s *stream) cosignersWalk(steps int) {
	for range steps {
		s.now += uint64(s.dice.IntN(10 * minute))
		by := pick(s, s.genesis.Members).Name
		switch n := s.dice.IntN(10); {
		case n < 3 || len(s.ideas) == 0:
			var names []string
			for _, m := range s.genesis.Members {
				if s.chance(75) {
					names = append(names, m.Name)
				}
			}
			if s.chance(8) {
				names = append(names, "zz-nobody")
			}
			size := len(names)
			id, raw := s.change(by, names, uint8(s.dice.IntN(2)), uint8(max(0, 2*size/3+1-s.dice.IntN(4)/3)))
			s.ideas = append(s.ideas, idea{by, id})
			s.say(raw)
		case n < 8:
			i := recent(s, s.ideas, 3)
			proposer := i.by
			if s.chance(5) {
				proposer = by
			}
			s.say(s.approval(by, proposer, i.id))
		default:
			s.say(s.walkHandover(by))
		}
	}
}

func (s *stream) walkHandover(by string) []byte {
	sets := s.sets()
	force := sets[len(sets)-1]
	if force.Has(by) || s.chance(80) {
		by = pick(s, force.Keys).Member
	}
	var signers []string
	for _, name := range force.Members() {
		if s.chance(92) {
			signers = append(signers, name)
		}
	}
	size, origin := s.size(), s.genesis.Origin
	if s.chance(20) {
		size -= uint64(s.dice.IntN(int(min(size, 30))))
	}
	if s.chance(4) {
		origin = "log.test/other/1"
	}
	note := s.finalBy(origin, size, by, signers...)
	switch n := s.dice.IntN(30); n {
	case 0:
		note = note[:len(note)-1]
	case 1:
		note[s.dice.IntN(len(note))] ^= 1
	case 2:
		note = append(note, "\u2014 somebody AAAAAAAA\n"...)
	case 3:
		note = s.finalBy(origin, size, pick(s, s.genesis.Members).Name, signers...)
	case 4: // a line twice
		lines := bytes.SplitAfter(note, []byte("\n"))
		note = append(note, lines[len(lines)-2]...)
	}
	h := s.waiting(note)
	switch s.dice.IntN(20) {
	case 0:
		h.Quorum++
	case 1:
		h.Cosigners = slices.Clone(h.Cosigners)
		h.Cosigners[0].Key = s.genesis.Members[0].Peer
	case 2:
		h.Cosigners = h.Cosigners[1:]
	}
	return s.sign(by, KindHandover, h)
}
