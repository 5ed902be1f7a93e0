package ledger

import (
	"crypto/ed25519"
	"fmt"

	"atoll/consensus/consent"
)

// writtenLogs are cases that random walks do not reach: boundaries, ties, and
// rare events.
var writtenLogs = []struct {
	name    string
	genesis func(*stream, *Genesis)
	script  func(*stream)
}{
	{"founding", nil, scriptFounding},
	{"encodings", nil, scriptEncodings},
	{"fields", nil, scriptFields},
	{"keys", nil, scriptKeys},
	{"work that is due is done in order", nil, scriptDue},
	{"deadlines", nil, scriptDeadlines},
	{"days", nil, scriptDays},
	{"roles", rolesEnd, scriptRoles},
	{"windows", nil, scriptWindows},
	{"revocations", nil, scriptRevocations},
	{"receipts", nil, scriptReceipts},
	{"cosigners", nil, scriptCosigners},
	{"budget", smallBudget, scriptBudget},
	{"tombstones", nil, scriptTombstones},
	{"clocks", nil, scriptClocks},
	{"absent members", nil, scriptAbsent},
	{"carried", nil, scriptCarried},
	{"empty", nil, scriptEmpty},
	{"names", nil, scriptNames},
	{"auditors", allAuditors, scriptAuditors},
	{"checkpoints", nil, scriptCheckpoints},
	{"own work that is due is done in order", nil, scriptOwnDue},
	{"before the first day", atTheBeginning, scriptBeginning},
	{"answers that are paid for", smallBudget, scriptAnswers},
	{"catalogs", rolesEnd, scriptCatalogs},
	{"members", nil, scriptMembers},
}

// scriptDue has more work come due at one time than one entry does. Work is
// done in the order in which it was scheduled, and records stay valid until
// then.
func scriptDue(s *stream) {
	for _, probe := range []struct {
		at   int
		want Verdict
	}{{15, Accepted}, {31, Accepted}, {32, ConsentUses}, {39, ConsentUses}} {
		deadline := s.now + hour
		var pacts []*pact
		for i := range 40 {
			pacts = append(pacts, s.pact(func(b *consent.Bounds) { b.MaxUses = 1 }))
			s.must(s.grant(pacts[i], "bank-a"), Accepted)
			s.must(s.ask(s.query(pacts[i], "bank-a", deadline)), Accepted)
		}
		s.now = deadline + 1
		for _, voter := range []string{"auditor", "court"} { // the second moves the time and does 16
			s.must(s.sign(voter, KindTick, Tick{Head{s.id()}}), Accepted)
		}
		s.must(s.ask(s.query(pacts[probe.at], "bank-a", s.now+20*hour)), probe.want) // 16 more are done before it
		s.must(s.ask(s.query(pacts[probe.at], "bank-a", s.now+20*hour)), map[Verdict]Verdict{Accepted: ConsentUses, ConsentUses: Accepted}[probe.want])
	}
	// Queries are dropped a day after their deadline, in the order in which
	// they were opened.
	p := s.pact(func(b *consent.Bounds) { b.MaxUses = 100 })
	s.must(s.grant(p, "bank-a"), Accepted)
	s.pass(3 * hour) // older work is done
	var asked []*asked
	for i := range 40 {
		asked = append(asked, s.query(p, "bank-a", s.now+hour, "tax"))
		s.must(s.ask(asked[i]), Accepted)
	}
	s.at(s.now + hour + 24*hour)
	s.must(s.receipt("bank-a", asked[0].open.ID, Fragment{Agency: "tax", Digest: s.bytes32()}), FragmentUnknown)
	s.now++
	for _, voter := range []string{"auditor", "court"} {
		s.must(s.sign(voter, KindTick, Tick{Head{s.id()}}), Accepted)
	}
	s.must(s.receipt("bank-a", asked[32].open.ID, Fragment{Agency: "tax", Digest: s.bytes32()}), FragmentUnknown)
	s.must(s.receipt("bank-a", asked[32].open.ID, Fragment{Agency: "tax", Digest: s.bytes32()}), QueryUnknown)
}

// scriptDeadlines tests the limits of a query's life.
func scriptDeadlines(s *stream) {
	p := s.pact(func(b *consent.Bounds) { b.MaxUses = 20 })
	s.must(s.grant(p, "bank-a"), Accepted)
	now := s.head().Time
	for _, c := range []struct {
		deadline uint64
		want     Verdict
	}{{now, QueryDeadline}, {now + 1, Accepted}, {now + MaxQueryLife, Accepted}, {now + MaxQueryLife + 1, QueryDeadline}, {0, QueryDeadline}, {1<<64 - 1, QueryDeadline}} {
		s.must(s.ask(s.query(p, "bank-a", c.deadline)), c.want)
	}
	q := s.query(p, "bank-a", now+hour, "court", "tax")
	s.must(s.ask(q), Accepted)
	digest := s.bytes32()
	s.must(s.releases(q, "registrar", digest), AuthorRole)
	s.at(now + hour)
	s.must(s.releases(q, "tax", digest), Accepted)
	s.must(s.releases(q, "tax", digest), FragmentSecond)
	s.must(s.refuses(q, "tax"), FragmentSecond)
	s.at(now + hour + 1)
	s.must(s.releases(q, "court", digest), QueryClosed)
	s.must(s.refuses(q, "court"), QueryClosed)
	s.must(s.refuses(q, "tax"), FragmentSecond)
	s.at(now + 25*hour)
	s.must(s.receipt("bank-a", q.open.ID, Fragment{Agency: "tax", Digest: digest}), Accepted)
	s.at(now + 25*hour + 1)
	s.must(s.receipt("bank-a", q.open.ID, Fragment{Agency: "tax", Digest: digest}), QueryUnknown)
	s.must(s.refuses(q, "court"), QueryUnknown)
	s.must(s.ask(q), Accepted) // its answer is kept for longer: the same one, from the log
	s.at(now + MaxEarly + Retention + 1)
	s.must(s.ask(q), Late)
}

// scriptDays tests the limits of days, at the offset of genesis.
func scriptDays(s *stream) {
	s.at((s.head().Day() + 1).Start(s.genesis.Offset)) // a day begins
	today := s.head().Day()
	tomorrow := s.pact(func(b *consent.Bounds) { b.NotBefore, b.NotAfter = today+1, today+1 })
	for _, c := range []struct {
		from, to consent.Day
		want     Verdict
	}{
		{today - 1, today - 1, ConsentExpired}, {today - 1, today, Accepted}, {today + 366, today + 366, Accepted}, {today + 367, today + 367, ConsentBounds},
		{today, today + 1829, Accepted}, {today, today + 1830, Malformed}, {today + 1, today, Malformed}, {1<<31 - 1, 1<<31 - 1, ConsentBounds}, {0, 0, ConsentExpired},
	} {
		s.must(s.grant(s.pact(func(b *consent.Bounds) { b.NotBefore, b.NotAfter = c.from, c.to }), "bank-a"), c.want)
	}
	s.must(s.grant(tomorrow, "bank-a"), Accepted)
	s.at((today + 1).Start(s.genesis.Offset) - 1)
	s.must(s.ask(s.query(tomorrow, "bank-a", s.now+hour)), ConsentNotYet)
	s.at((today + 1).Start(s.genesis.Offset))
	s.must(s.ask(s.query(tomorrow, "bank-a", s.now+hour)), Accepted)
	end := (today + 2).Start(s.genesis.Offset)
	s.at(end - 1)
	q := s.query(tomorrow, "bank-a", end+hour, "court", "tax")
	s.must(s.ask(q), Accepted)
	s.must(s.releases(q, "court", s.bytes32()), Accepted)
	s.at(end)
	s.must(s.releases(q, "tax", s.bytes32()), ConsentExpired)
	s.must(s.refuses(q, "tax"), Accepted)
	s.must(s.ask(s.query(tomorrow, "bank-a", end+hour)), ConsentExpired)
	again := s.grant(tomorrow, "bank-a")
	s.must(again, Accepted) // known
	s.at(end + 48*hour)
	s.must(s.ask(s.query(tomorrow, "bank-a", s.now+hour)), ConsentExpired)
	s.must(s.grant(tomorrow, "bank-b"), Accepted) // known, whichever bank carries it
	s.at(end + 48*hour + 1)
	s.must(s.ask(s.query(tomorrow, "bank-a", s.now+hour)), ConsentUnknown)
	s.must(s.grant(tomorrow, "bank-b"), ConsentBank)
	s.must(s.grant(tomorrow, "bank-a"), ConsentExpired)
}

func rolesEnd(s *stream, g *Genesis) {
	day := consent.DayOf(g.Time, g.Offset)
	s.join(g, "fire", Role{Name: Agency, NotBefore: day + 1, NotAfter: day + 2}, Role{Name: Bank, NotBefore: day + 2, NotAfter: day + 2}, Role{Name: Registrar, NotBefore: day, NotAfter: day})
}

// scriptCatalogs has agencies publish their catalogs, one of them only while it
// has the role.
func scriptCatalogs(s *stream) {
	for _, c := range []struct {
		by      string
		version uint64
		want    Verdict
	}{
		{"tax", 1, Accepted}, {"tax", 1, CatalogVersion}, {"tax", 2, Accepted}, {"tax", 1, CatalogVersion}, {"tax", 9, Accepted}, {"tax", 8, CatalogVersion},
		{"court", 3, Accepted}, {"court", 2, CatalogVersion}, {"tax", 10, Accepted}, {"court", 1<<64 - 1, Accepted}, {"court", 1<<64 - 1, CatalogVersion},
		{"court", 1, CatalogVersion}, {"bank-a", 1, AuthorRole}, {"registrar", 1, AuthorRole}, {"auditor", 1, AuthorRole}, {"fire", 1, AuthorRole},
	} {
		s.must(s.sign(c.by, KindCatalog, s.catalog(c.version)), c.want)
	}
	once := s.sign("tax", KindCatalog, s.catalog(11))
	s.must(once, Accepted)
	s.must(once, Accepted) // known
	day := s.head().Day()
	for n := consent.Day(1); n < 4; n++ {
		s.at((day + n).Start(s.genesis.Offset))
		want := Accepted
		if n == 3 {
			want = AuthorRole
		}
		s.must(s.sign("fire", KindCatalog, s.catalog(uint64(n))), want)
	}
}

// scriptRoles has roles begin and end.
func scriptRoles(s *stream) {
	day := s.head().Day()
	for n := consent.Day(0); n < 4; n++ {
		role := func(ok bool, other Verdict) Verdict {
			if ok {
				return other
			}
			return AuthorRole
		}
		p := s.pact(func(b *consent.Bounds) { b.MaxUses = 9 })
		s.must(s.grant(p, "bank-a"), Accepted)
		q := s.query(p, "bank-a", s.now+hour, "fire")
		s.must(s.ask(q), Accepted)
		s.must(s.releases(q, "fire", s.bytes32()), role(n == 1 || n == 2, Accepted))
		s.must(s.refuses(q, "fire"), role(n == 1 || n == 2, FragmentSecond))
		own := s.pact(func(b *consent.Bounds) { b.Bank = "fire" })
		s.must(s.grant(own, "fire"), role(n == 2, Accepted))
		s.must(s.ask(s.query(own, "fire", s.now+hour)), role(n == 2, Accepted))
		s.must(s.receipt("fire", s.id(), Fragment{Agency: "tax", Digest: s.bytes32()}), role(n == 2, QueryUnknown))
		digest := s.bytes32()
		s.must(s.sign("fire", KindCredentialIssue, CredentialIssue{Head{s.id()}, digest, []byte("s")}), role(n == 0, Accepted))
		s.must(s.sign("fire", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), role(n == 0, Accepted))
		s.must(s.sign("fire", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), role(n == 0, CredentialRevoked))
		s.must(s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), CredentialUnknown) // another registrar's, or nobody's
		s.at((day + n + 1).Start(s.genesis.Offset))
	}
}

// scriptWindows spends uses, gets them back and starts a new window.
func scriptWindows(s *stream) {
	s.at((s.head().Day() + 1).Start(s.genesis.Offset))
	day := s.head().Day()
	p := s.pact(func(b *consent.Bounds) {
		b.NotBefore, b.NotAfter, b.MaxUses, b.Frequency = day, day+20, 9, consent.Frequency{Days: 2, Uses: 2}
	})
	s.must(s.grant(p, "bank-a"), Accepted)
	ask := func(want Verdict, agencies ...string) *asked {
		q := s.query(p, "bank-a", s.now+hour, agencies...)
		s.must(s.ask(q), want)
		return q
	}
	q := ask(Accepted, "tax")
	s.must(s.releases(q, "tax", s.bytes32()), Accepted)
	ask(Accepted)
	ask(ConsentFrequency)
	s.at(s.now + hour + 1) // the use of the unanswered query is returned to its window
	ask(Accepted)
	ask(ConsentFrequency)
	second := (day + 2).Start(s.genesis.Offset)
	s.at(second - 1)
	ask(Accepted) // the last use of the first window,
	s.at(second)
	r := ask(Accepted, "tax") // and one of the second
	s.must(s.releases(r, "tax", s.bytes32()), Accepted)
	s.at(second + hour) // before it is returned: that frees a use, but none in this window
	ask(Accepted)
	ask(ConsentFrequency)
	s.at(s.now + 2*hour)
	r = ask(Accepted, "court", "tax")
	s.must(s.refuses(r, "court"), Accepted)
	ask(ConsentFrequency)
	s.at(s.now + 2*hour) // a refusal releases nothing: the use is returned
	r = ask(Accepted, "court", "tax")
	s.must(s.refuses(r, "court"), Accepted)
	s.must(s.releases(r, "tax", s.bytes32()), Accepted)
	s.at(s.now + 2*hour)
	ask(ConsentFrequency)
	// Uses run out before windows do.
	few := s.pact(func(b *consent.Bounds) { b.MaxUses = 1; b.Frequency = consent.Frequency{Days: 1830, Uses: 100_000} })
	s.must(s.grant(few, "bank-a"), Accepted)
	q = s.query(few, "bank-a", s.now+hour, "tax")
	s.must(s.ask(q), Accepted)
	s.must(s.ask(s.query(few, "bank-a", s.now+hour)), ConsentUses)
	s.must(s.revocation(few, few.revoke, "tax"), Accepted)
	s.must(s.releases(q, "tax", s.bytes32()), ConsentRevoked)
	s.must(s.refuses(q, "tax"), Accepted)
	s.must(s.ask(s.query(few, "bank-a", s.now+hour)), ConsentRevoked)
}

// scriptRevocations submits revocations before the grant, twice, by different
// members.
func scriptRevocations(s *stream) {
	for _, early := range []bool{true, false} {
		for _, n := range []int{0, 1, 2} {
			p := s.pact(nil)
			key := []struct {
				key  string
				want Verdict
			}{{"revoke", ConsentRevoked}, {"other", ConsentRevoked}, {"consent", Accepted}}[n]
			signer := map[string]ed25519.PrivateKey{"revoke": p.revoke, "other": p.other, "consent": p.consent}[key.key]
			if early {
				s.must(s.revocation(p, signer, "tax"), Accepted)
				s.must(s.revocation(p, signer, "court"), Accepted) // known
				s.must(s.grant(p, "bank-a"), key.want)
				s.must(s.grant(p, "bank-a"), key.want) // a refused one is not kept; an accepted one is known
				continue
			}
			s.must(s.grant(p, "bank-a"), Accepted)
			if key.want == Accepted {
				s.must(s.revocation(p, signer, "tax"), ConsentKey)
				s.must(s.revocation(p, signer, "court"), ConsentKey) // another entry
				continue
			}
			s.must(s.revocation(p, signer, "tax"), Accepted)
			s.must(s.revocation(p, signer, "court"), Accepted) // known
			second := p.other
			if key.key == "other" {
				second = p.revoke
			}
			s.must(s.revocation(p, second, "bank-b"), ConsentRevoked)
			s.must(s.revocation(p, second, "bank-b"), ConsentRevoked)
		}
	}
	// Other bytes under a known name.
	p := s.pact(nil)
	s.must(s.grant(p, "bank-a"), Accepted)
	p.header.Bounds.MaxAlerts = 1
	s.must(s.grant(p, "bank-a"), Conflict)
	id := s.id()
	for n, want := range []Verdict{CredentialUnknown, CredentialUnknown, Conflict} {
		d := make([]byte, 32)
		d[0] = byte(n / 2)
		s.must(s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{id}, d}), want)
	}
	s.must(s.sign("tax", KindCredentialRevoke, CredentialRevoke{Head{id}, make([]byte, 32)}), AuthorRole) // ids are unique per author
}

// scriptReceipts names fragments that arrived, that are named twice, that never
// arrived, and another agency's.
func scriptReceipts(s *stream) {
	p := s.pact(func(b *consent.Bounds) { b.MaxUses = 9 })
	s.must(s.grant(p, "bank-a"), Accepted)
	q, other := s.query(p, "bank-a", s.now+hour, "court", "tax"), s.query(p, "bank-a", s.now+hour, "tax")
	s.must(s.ask(q), Accepted)
	s.must(s.ask(other), Accepted)
	a, b, c := s.bytes32(), s.bytes32(), s.bytes32()
	tax := func(digest []byte) Fragment { return Fragment{Agency: "tax", Digest: digest} }
	court := func(digest []byte) Fragment { return Fragment{Agency: "court", Digest: digest} }
	s.must(s.receipt("bank-a", q.open.ID, tax(a)), FragmentUnknown)
	s.must(s.releases(q, "court", a), Accepted)
	s.must(s.receipt("bank-a", q.open.ID, tax(a)), FragmentUnknown)
	s.must(s.releases(q, "tax", a), Accepted) // the same bytes do not identify their agency
	s.must(s.releases(other, "tax", b), Accepted)
	s.must(s.receipt("bank-a", q.open.ID, tax(a), court(c)), FragmentUnknown)
	s.must(s.receipt("bank-a", q.open.ID, tax(b)), FragmentUnknown)
	s.must(s.receipt("bank-a", q.open.ID, Fragment{Agency: "registrar", Digest: a}, tax(a)), FragmentUnknown)
	s.must(s.receipt("bank-b", q.open.ID, tax(a)), QueryUnknown)
	s.must(s.receipt("tax", q.open.ID, tax(a)), AuthorRole)
	s.must(s.receipt("bank-a", q.open.ID, tax(a)), Accepted)
	s.must(s.receipt("bank-a", q.open.ID, tax(a)), FragmentUnknown)
	s.must(s.receipt("bank-a", q.open.ID, court(a), tax(a)), FragmentUnknown)
	s.must(s.receipt("bank-a", q.open.ID, court(a)), Accepted)
	s.must(s.receipt("bank-a", q.open.ID, court(a)), FragmentUnknown)
	s.must(s.receipt("bank-a", other.open.ID, tax(a)), FragmentUnknown)
	s.must(s.receipt("bank-a", other.open.ID, tax(b)), Accepted)
	// A slot belongs to one agency and takes one answer.
	last := s.query(p, "bank-a", s.now+hour, "court")
	s.must(s.ask(last), Accepted)
	last.slots["tax"] = last.slots["court"]
	s.must(s.releases(last, "tax", c), QuerySlot)
	s.must(s.refuses(last, "tax"), QuerySlot)
	s.must(s.refuses(last, "court"), Accepted)
	s.must(s.releases(last, "court", c), FragmentSecond)
	s.must(s.receipt("bank-a", last.open.ID, court(c)), FragmentUnknown)
	s.must(s.receipt("bank-a", last.open.ID, court(make([]byte, 32))), FragmentUnknown)
	// One fragment of each agency, in order.
	for _, payload := range []any{
		Receipt{Head{s.id()}, q.open.ID, []Fragment{tax(a), court(a)}}, Receipt{Head{s.id()}, q.open.ID, []Fragment{tax(a), tax(c)}},
		Receipt{Head{s.id()}, q.open.ID, []Fragment{tax(a[1:])}}, Receipt{Head{s.id()}, q.open.ID, []Fragment{{Agency: "Tax", Digest: a}}},
		struct {
			ID      []byte   `cbor:"1,keyasint"`
			Query   []byte   `cbor:"2,keyasint"`
			Digests [][]byte `cbor:"3,keyasint"`
		}{s.id(), q.open.ID, [][]byte{a}},
	} {
		s.must(s.sign("bank-a", KindReceipt, payload), Malformed)
	}
}

// scriptCosigners approves more than needed, approves another set, and hands
// over.
func scriptCosigners(s *stream) {
	origin := s.genesis.Origin
	final := func(size uint64, by ...string) []byte { return s.finalBy(origin, size, "tax", by...) }
	id, raw := s.change("bank-a", newSet, 1, 3)
	s.must(raw, Accepted)
	s.must(s.handover("tax", final(s.size(), oldSet...)), CosignersApprovals)
	s.must(s.approval("bank-a", "bank-a", id), AuthorRole)
	s.must(s.approval("tax", "bank-a", id), Accepted)
	s.must(s.approval("tax", "bank-a", id), ProposalApproved)
	s.must(s.approval("court", "bank-b", id), ProposalUnknown)
	s.must(s.approval("court", "bank-a", id), Accepted)   // two of three
	s.must(s.approval("auditor", "bank-a", id), Accepted) // no further effect
	p := s.size() - 2
	again, raw := s.change("bank-a", third, 0, 3) // its newest proposal is the one in effect,
	s.must(raw, Accepted)
	s.must(s.approval("tax", "bank-a", id), ProposalUnknown)
	s.must(s.approval("tax", "bank-a", again), Accepted)
	for _, c := range []struct {
		size uint64
		by   []string
		want Verdict
	}{
		{p, oldSet, CosignersCheckpoint}, {s.size() + 2, oldSet, CosignersCheckpoint}, {s.size() + 2, oldSet, Accepted}, // H is one more with each
	} {
		s.must(s.handover("tax", final(c.size, c.by...)), c.want) // and the waiting set stays
	}
	s.must(s.approval("court", "bank-a", again), ProposalUnknown)
	s.must(s.handover("tax", final(s.size(), oldSet...)), CosignersApprovals)
	// Proposals that form no valid set.
	for _, c := range []struct {
		names []string
		f, k  uint8
		want  Verdict
	}{
		{[]string{"nobody", "tax"}, 0, 2, CosignersMember}, {nil, 0, 0, CosignersQuorum}, {oldSet, 0, 3, CosignersQuorum}, {oldSet, 0, 2, Accepted},
		{oldSet, 1, 2, CosignersQuorum}, {newSet, 0, 2, CosignersQuorum}, {newSet, 255, 255, CosignersQuorum}, {newSet, 1, 3, Accepted}, {[]string{"tax"}, 0, 1, CosignersQuorum},
		{[]string{"tax", "court"}, 0, 2, Malformed},
	} {
		_, raw := s.change("registrar", c.names, c.f, c.k)
		s.must(raw, c.want)
	}
	// A waiting set replaces another; a late approval does not bring back the
	// first.
	first, raw := s.change("tax", oldSet, 0, 2)
	s.must(raw, Accepted)
	second, raw := s.change("court", third, 0, 3)
	s.must(raw, Accepted)
	for _, by := range []string{"court", "auditor"} {
		s.must(s.approval(by, "tax", first), Accepted)
	}
	waiting := s.waiting(nil)
	for _, by := range []string{"tax", "auditor"} {
		s.must(s.approval(by, "court", second), Accepted)
	}
	s.must(s.approval("registrar", "tax", first), Accepted)
	waiting.ID, waiting.Checkpoint = s.id(), final(s.size(), newSet...)
	s.must(s.sign("tax", KindHandover, waiting), CosignersApprovals)
	for _, note := range [][]byte{
		final(s.size(), "auditor", "court"), s.finalBy("log.test/other/1", s.size(), "tax", newSet...), s.finalBy(origin, s.size(), "bank-a", newSet...),
		append(final(s.size(), newSet...), "\u2014 x AAAAAAAA\n"...), []byte("x"), final(s.size(), "auditor", "court", "registrar", "bank-a"),
	} {
		s.must(s.handover("tax", note), CosignersCheckpoint)
	}
	s.must(s.handover("bank-a", final(s.size(), newSet...)), AuthorRole)
	s.must(s.handover("registrar", s.finalBy(origin, s.size(), "registrar", "court", "registrar", "tax")), Accepted)
	s.must(s.handover("tax", final(s.size(), third...)), AuthorRole)
	s.must(s.approval("court", "tax", first), ProposalUnknown)
	if sets := s.sets(); len(sets) != 3 || fmt.Sprint(sets[2].Members()) != fmt.Sprint(third) {
		s.t.Fatalf("in force are %v", sets)
	}
}
