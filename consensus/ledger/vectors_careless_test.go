package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// These cases can be decided wrongly by an implementation that decides all
// others right, see TestVectorsCatch.

// fields is a payload with fields that the Go types omit.
type fields map[uint64]any

// scriptCarried carries bodies that were not signed, and statements whose key
// id belongs to another key than the one they name.
func scriptCarried(s *stream) {
	p := s.pact(nil)
	grant := s.signed(p.consent, KindGrant, p.header)
	s.must(s.carry("bank-a", grant, append(bytes.Clone(p.sealed), 0)), Malformed)
	s.must(s.carry("bank-a", grant, p.sealed[1:]), Malformed)
	s.must(s.carry("bank-a", grant, nil), Malformed)
	s.must(s.sign("bank-a", KindCarrier, fields{1: s.id(), 2: grant, 3: []byte{}}), Malformed)
	objection := s.signed(p.consent, KindObjection, Objection{p.header.Key, QueryRef{Bank: "bank-a", ID: s.id()}, "tax", consent.BodyDigest([]byte("x"))})
	s.must(s.carry("tax", objection, []byte("y")), Malformed)
	s.must(s.carry("tax", objection, []byte("x")), Unsupported)
	header, err := sign.Marshal(p.header)
	check(s.t, err)
	revocation, err := sign.Marshal(consent.Revocation{Consent: p.header.Bounds.ID, Key: p.revoke.Public().(ed25519.PublicKey)})
	check(s.t, err)
	for _, id := range [][]byte{p.header.Bounds.Revocation[0], s.bytes32()[:16]} {
		s.must(s.carry("bank-a", s.signAs(p.consent, id, KindGrant, header), p.sealed), Unverified)
	}
	s.must(s.carry("bank-a", s.signAs(p.consent, p.header.Bounds.ID, KindGrant, header), p.sealed), Accepted)
	for _, id := range [][]byte{p.header.Bounds.ID, s.bytes32()[:16]} {
		s.must(s.carry("tax", s.signAs(p.revoke, id, KindRevoke, revocation), nil), Unverified)
	}
	s.must(s.revocation(p, p.revoke, "tax"), Accepted)
}

// scriptEmpty has sealed parts that are empty or missing, and sizes of zero.
func scriptEmpty(s *stream) {
	query := QueryRef{Bank: "bank-a", ID: s.id()}
	slot := consent.Slot{Section: s.bytes32(), Token: s.bytes32()}
	var slots [][]byte
	for n := range 8 {
		slots = append(slots, append(make([]byte, 31), byte(n)))
	}
	for _, c := range []struct {
		by, kind string
		sealed   uint64 // its field
		payload  fields
		want     Verdict
	}{
		{"bank-a", KindQueryOpen, 5, fields{2: s.bytes32()[:16], 3: s.now + hour, 4: slots}, ConsentUnknown},
		{"tax", KindRelease, 6, fields{2: query, 3: slot, 4: s.bytes32(), 5: 1}, QueryUnknown},
		{"tax", KindRefuse, 4, fields{2: query, 3: slot}, QueryUnknown},
		{"registrar", KindCredentialIssue, 3, fields{2: s.bytes32()}, Accepted},
		{"tax", KindObjectionAnswer, 3, fields{2: s.bytes32()}, Unsupported},
		{"tax", KindHandover, 2, fields{3: []Cosigner{{Member: "tax", Key: s.genesis.Members[0].Cosign}}, 4: 0, 5: 1}, CosignersApprovals},
	} {
		for n, sealed := range [][]byte{nil, {}, {1}} {
			c.payload[1] = s.id()
			delete(c.payload, c.sealed)
			if n > 0 {
				c.payload[c.sealed] = sealed
			}
			want := Malformed
			if n == 2 {
				want = c.want
			}
			s.must(s.sign(c.by, c.kind, c.payload), want)
		}
	}
	for _, size := range []uint64{0, 1, math.MaxUint64} {
		want := QueryUnknown
		if size == 0 {
			want = Malformed
		}
		s.must(s.sign("tax", KindRelease, fields{1: s.id(), 2: query, 3: slot, 4: s.bytes32(), 5: size, 6: []byte("b")}), want)
	}
}

// scriptNames proposes as many names as fit, exact to the byte.
func scriptNames(s *stream) {
	list := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("n%031d", i))
		}
		return names
	}
	propose := func(action uint8, names []string) []byte {
		a := Amendment{Action: action, Names: names}
		if action == ChangeCosigners {
			a.Quorum = 3
		}
		payload, err := sign.Marshal(Propose{Head{s.id()}, a})
		check(s.t, err)
		return s.signBytes(s.keys["tax"].Statement(), KindPropose, payload)
	}
	for _, n := range []int{36, 37, 64, 256} {
		s.must(propose(ChangeVoters, list(n)), VotersMembers)
		s.must(propose(ChangeCosigners, list(n)), CosignersMember)
	}
	text := func(n int) int { // bytes of a name in CBOR
		if n < 24 {
			return 1 + n
		}
		return 2 + n
	}
	for _, size := range []int{60_000, 60_001} { // bytes of a statement
		some := list(1500)
		left := size - len(propose(ChangeCosigners, some))
		names := list(len(some) + left/34 - 1) // each of these is 34 bytes
		left -= 34 * (len(names) - len(some))
		for last := 2; last <= 32; last++ { // two more fill the rest
			second := left - text(last) - 2
			if second >= 24 && second <= 32 {
				names = append(names, strings.Repeat("y", last), strings.Repeat("z", second))
				break
			}
		}
		statement := propose(ChangeCosigners, names)
		if len(statement) != size {
			s.t.Fatalf("a statement of %d bytes, want %d", len(statement), size)
		}
		want := CosignersMember
		if size > 60_000 {
			want = Malformed
		}
		s.must(statement, want)
	}
}

// allAuditors is a genesis with the maximum number of auditors.
func allAuditors(_ *stream, g *Genesis) {
	members := append([]Card{}, g.Members...)
	for i := range members {
		members[i].Roles = everyDay(Auditor)
	}
	g.Members = members
}

// scriptAuditors has them submit something.
func scriptAuditors(s *stream) {
	for _, m := range s.genesis.Members {
		s.must(s.sign(m.Name, KindTick, Tick{Head{s.id()}}), Accepted)
		s.must(s.nothing(m.Name), AuthorRole)
	}
}

// atTheBeginning is a genesis at the beginning of 1970, where the local day is
// still in 1969.
func atTheBeginning(_ *stream, g *Genesis) { g.Time, g.Offset = 1, -840 }

// scriptBeginning has consents of that day.
func scriptBeginning(s *stream) {
	for _, last := range []consent.Day{0, 1} {
		p := s.pact(func(b *consent.Bounds) { b.NotBefore, b.NotAfter = last, last })
		s.must(s.grant(p, "bank-a"), Accepted)
		s.must(s.ask(s.query(p, "bank-a", s.now+hour)), map[bool]Verdict{true: Accepted, false: ConsentNotYet}[last == 0])
	}
}

// note is a checkpoint in the making: lines by any signer about any text.
type note struct {
	s    *stream
	text string
	body []byte
}

func (s *stream) note(origin, size string, more ...string) *note {
	root := base64.StdEncoding.EncodeToString(s.bytes32())
	text := strings.Join(append([]string{origin, size, root}, more...), "\n") + "\n"
	return &note{s, text, []byte(text + "\n")}
}

func (n *note) line(name, hashed string, key ed25519.PrivateKey, kind byte, between, message []byte) *note {
	id := sha256.Sum256(append([]byte(hashed+"\n"), append([]byte{kind}, key.Public().(ed25519.PublicKey)...)...))
	data := append(append(id[:4:4], between...), ed25519.Sign(key, message)...)
	n.body = append(n.body, fmt.Sprintf("\u2014 %s %s\n", name, base64.StdEncoding.EncodeToString(data))...)
	return n
}

// cosigned adds a cosignature with a time.
func (n *note) cosigned(by string, seconds uint64) *note {
	name := n.s.genesis.Origin + "/" + by
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, n.text)
	return n.line(name, name, n.s.keys[by].Cosign(), 4, binary.BigEndian.AppendUint64(nil, seconds), []byte(message))
}

// logged adds a line by a member's log key under one name, with the key hash of
// another name.
func (n *note) logged(by, name, hashed string) *note {
	return n.line(name, hashed, n.s.keys[by].Log(), 1, nil, []byte(n.text))
}

// scriptCheckpoints hands over with checkpoints that are slightly wrong.
func scriptCheckpoints(s *stream) {
	origin, now := s.genesis.Origin, s.now/1000
	id, proposal := s.change("tax", newSet, 1, 3)
	s.must(proposal, Accepted)
	s.must(s.approval("court", "tax", id), Accepted)
	next := s.waiting(nil)
	good := func() *note {
		return s.note(origin, fmt.Sprint(s.size())).cosigned("auditor", now).cosigned("court", now)
	}
	for _, n := range []func() *note{
		func() *note {
			return s.note(origin, fmt.Sprint(s.size())).cosigned("auditor", now).cosigned("court", 1<<63)
		},
		func() *note { return good().cosigned("tax", 1<<63) },
		func() *note { return good().cosigned("tax", math.MaxUint64) },
		func() *note { return good().cosigned("court", now+1) }, // twice
		func() *note { return good().cosigned("registrar", now) },
		func() *note { return good().logged("tax", origin+"/tax", origin+"/tax") },
		func() *note { return good().logged("tax", origin+"/tax", origin) },
		func() *note { return good().logged("tax", "log.test/other/1", "log.test/other/1") },
		func() *note { return good().logged("tax", "log.test/other/1", origin) },
		func() *note { return good().logged("tax", origin, origin).logged("tax", origin, origin) },
		func() *note { return good().logged("court", origin, origin) },
		func() *note { return good().logged("tax", origin, "x") },
		func() *note { return s.note(origin, fmt.Sprint(s.size())).cosigned("auditor", now) },
		func() *note {
			return s.note(origin, "0"+fmt.Sprint(s.size())).cosigned("auditor", now).cosigned("court", now)
		},
		func() *note {
			return s.note(origin, fmt.Sprint(s.size()), "more").cosigned("auditor", now).cosigned("court", now)
		},
		func() *note {
			return s.note(origin+"x", fmt.Sprint(s.size())).cosigned("auditor", now).cosigned("court", now)
		},
	} {
		s.must(s.handover("tax", n().body), CosignersCheckpoint)
	}
	s.must(s.handover("tax", s.note(origin, fmt.Sprint(s.size())).cosigned("auditor", 0).cosigned("court", math.MaxInt64).body), Accepted)
	// The set that waited is in force, and no longer waits.
	for range 2 {
		next.ID = s.id()
		next.Checkpoint = s.note(origin, fmt.Sprint(s.size())).cosigned("auditor", now).cosigned("court", now).cosigned("registrar", now).logged("tax", origin, origin).body
		s.must(s.sign("tax", KindHandover, next), CosignersApprovals)
	}
}

// dueAt counts the work due at exactly this time.
func (s *stream) dueAt(ms uint64) (n int) {
	s.t.Helper()
	for key := range s.state.All {
		if key[0] == duePrefix[0] && binary.BigEndian.Uint64(key[1:]) == ms {
			n++
		}
	}
	return n
}

// behind puts this many due records at a time before the record that is made
// next.
func (s *stream) behind(n int, ms uint64) {
	s.t.Helper()
	for s.dueAt(ms) < n {
		s.must(s.nothing("bank-b"), AuthorRole)
	}
	if got := s.dueAt(ms); got != n {
		s.t.Fatalf("%d are due then, want %d", got, n)
	}
}

// reach moves network time to a point that a single entry reaches. That entry
// does the first 16 of the work due then.
func (s *stream) reach(ms uint64) {
	s.t.Helper()
	s.at(ms - 1)
	s.now = ms
	for _, voter := range []string{"auditor", "court"} {
		s.must(s.sign(voter, KindTick, Tick{Head{s.id()}}), Accepted)
	}
	if s.head().Time != ms {
		s.t.Fatal("network time does not follow")
	}
}

// scriptOwnDue has work scheduled by one entry come due at one time, in the
// middle of the work that one entry does. The order is the consent or query,
// then the answer, then the answer to what is carried.
func scriptOwnDue(s *stream) {
	other := func(id []byte) []byte {
		return s.sign("bank-a", KindCredentialRevoke, CredentialRevoke{Head{id}, make([]byte, 32)})
	}
	for left := 3; left >= 0; left-- { // of its three records, after those 16
		tomorrow := (s.head().Day() + 1).Start(s.genesis.Offset)
		s.now = tomorrow // by the time of its author
		end := tomorrow + Retention + 1
		p := s.pact(func(b *consent.Bounds) { b.NotAfter = b.NotBefore })
		s.behind(expirePerStep-3+left, end)
		grant := s.grant(p, "bank-a")
		s.must(grant, Accepted)
		st, err := Parse(grant)
		check(s.t, err)
		s.now = s.head().Time
		s.reach(end)
		s.must(other(st.ID[:]), map[bool]Verdict{true: Conflict, false: Late}[left >= 2])
		s.must(grant, map[bool]Verdict{true: Accepted, false: Late}[left >= 1])
		s.must(s.grant(p, "bank-b"), map[bool]Verdict{true: Accepted, false: ConsentBank}[left >= 1]) // known, or new
		s.must(s.ask(s.query(p, "bank-a", s.now+hour)), ConsentUnknown)
	}
	for left := 2; left >= 0; left-- {
		p := s.pact(func(b *consent.Bounds) { b.MaxUses = 9 })
		s.must(s.grant(p, "bank-a"), Accepted)
		s.at(s.now + minute)
		end := s.now + Retention + 1
		s.behind(expirePerStep-2+left, end)
		ask := s.ask(s.query(p, "bank-a", s.now+MaxQueryLife))
		s.must(ask, Accepted)
		s.reach(end)
		s.must(ask, map[bool]Verdict{true: Accepted, false: Late}[left >= 1])
	}
}

// scriptAnswers has answers that are charged, exact to the byte.
func scriptAnswers(s *stream) {
	p := s.pact(func(b *consent.Bounds) { b.MaxUses = 20 })
	s.must(s.grant(p, "bank-a"), Accepted)
	answer := func(q *asked, kind string, leaf int) []byte {
		return s.sized(leaf, func(sealed []byte) []byte {
			payload := fields{1: s.id(), 2: QueryRef{Bank: q.bank, ID: q.open.ID}, 3: s.slot(q, "tax"), 4: sealed}
			if kind == KindRelease {
				payload[4], payload[5], payload[6] = s.bytes32(), 1024, sealed
			}
			return s.sign("tax", kind, payload)
		})
	}
	asked := func() *asked {
		q := s.query(p, "bank-a", s.now+hour, "tax")
		s.must(s.ask(q), Accepted)
		return q
	}
	for range 12 { // all its entries
		s.must(s.nothing("tax"), AuthorRole)
	}
	x, err := get[spent](s.state, spentKey("tax"))
	check(s.t, err)
	s.must(answer(asked(), KindRelease, 5_000+int(s.genesis.Bytes-x.Bytes)-30_000), Accepted)
	s.must(answer(asked(), KindRefuse, 30_000), Accepted) // and all its bytes but 5,000
	q := asked()
	s.must(answer(q, KindRelease, 10_001), AuthorBudget)
	s.must(answer(q, KindRefuse, 10_001), AuthorBudget)
	s.must(answer(q, KindRefuse, 10_000), Accepted)
	for _, kind := range []string{KindRelease, KindRefuse} {
		q := asked()
		s.must(answer(q, kind, 5_001), AuthorBudget)
		s.must(answer(q, kind, 5_000), Accepted)
	}
	s.must(s.nothing("tax"), AuthorBudget)
	s.must(s.nothing("court"), AuthorRole)
}
