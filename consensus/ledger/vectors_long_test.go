package ledger

import "atoll/consensus/consent"

func smallBudget(_ *stream, g *Genesis) { g.Entries, g.Bytes = 12, 70_000 }

// nothing returns a statement that becomes a refused entry and counts against
// its author.
func (s *stream) nothing(by string) []byte {
	return s.sign(by, KindCredentialIssue, CredentialIssue{Head{s.id()}, s.bytes32(), []byte("s")})
}

// scriptBudget uses up what a member may add to the log on one day.
func scriptBudget(s *stream) {
	s.at((s.head().Day() + 1).Start(s.genesis.Offset) + hour)
	p := s.pact(func(b *consent.Bounds) { b.MaxUses = 9 })
	s.must(s.grant(p, "bank-a"), Accepted)
	q := s.query(p, "bank-a", s.now+hour, "tax", "court")
	s.must(s.ask(q), Accepted)
	for range 12 {
		s.must(s.nothing("tax"), AuthorRole)
	}
	over := s.nothing("tax")
	s.must(over, AuthorBudget)
	s.must(over, AuthorBudget) // it is not kept
	digest := s.bytes32()
	s.must(s.releases(q, "tax", digest), Accepted) // what was asked for is free if it is accepted
	s.must(s.releases(q, "tax", digest), AuthorBudget)
	s.must(s.revocation(p, p.consent, "tax"), AuthorBudget)
	s.must(s.revocation(s.pact(nil), p.revoke, "tax"), AuthorBudget)
	s.must(s.revocation(p, p.revoke, "tax"), Accepted) // so is the first revocation of an existing consent,
	s.must(s.revocation(p, p.other, "tax"), AuthorBudget)
	s.must(s.sign("tax", KindDeleted, Deleted{Head{s.id()}, [][]byte{s.id()}}), Unsupported)
	s.must(s.sign("tax", KindCatalog, s.catalog(1)), AuthorBudget)
	s.now++
	s.must(s.sign("tax", KindTick, Tick{Head{s.id()}}), Accepted) // and a tick
	_, raw := s.change("tax", newSet, 1, 3)
	s.must(raw, Accepted)
	s.must(s.nothing("court"), AuthorRole) // other members are not affected

	// Bytes are counted in leaves.
	long := Refuse{Query: QueryRef{Bank: "bank-a", ID: s.id()}, Slot: consent.Slot{Section: s.bytes32(), Token: s.bytes32()}, Sealed: make([]byte, 46_000)}
	for _, want := range []Verdict{QueryUnknown, AuthorBudget} {
		long.ID = s.id()
		s.must(s.sign("court", KindRefuse, long), want)
	}
	long.ID, long.Sealed = s.id(), make([]byte, 20_000)
	s.must(s.sign("court", KindRefuse, long), QueryUnknown)

	// Twenty proposals are free, and then as many as entries are allowed.
	for n := range 34 {
		_, raw := s.change("bank-b", newSet, 1, 3)
		s.must(raw, map[bool]Verdict{true: Accepted, false: AuthorBudget}[n < 32])
	}
	_, raw = s.change("bank-b", oldSet, 1, 3)
	s.must(raw, AuthorBudget)

	// The day is that of network time before the entry. A rejected statement
	// does not move network time.
	for range 10 {
		s.say(s.nothing("court"))
	}
	end := (s.head().Day() + 1).Start(s.genesis.Offset)
	s.at(end - 1)
	s.now = end
	s.must(s.sign("auditor", KindTick, Tick{Head{s.id()}}), Accepted)
	before := s.head().Time
	first := s.nothing("court")
	s.must(first, AuthorBudget)
	if s.head().Time != before {
		s.t.Fatal("a statement without an entry has moved network time")
	}
	s.must(s.sign("tax", KindTick, Tick{Head{s.id()}}), Accepted)
	if s.head().Time != end {
		s.t.Fatal("the day has not begun")
	}
	s.must(first, AuthorRole)
	s.must(over, AuthorRole)
	s.must(over, AuthorRole) // known
}

// scriptTombstones revokes consents that were never granted.
func scriptTombstones(s *stream) {
	var first *pact
	for n := range 103 {
		p := s.pact(nil)
		if n == 0 {
			first = p
		}
		s.must(s.revocation(p, p.revoke, "registrar"), map[bool]Verdict{true: Accepted, false: AuthorBudget}[n < 100])
	}
	s.must(s.revocation(first, first.revoke, "registrar"), Accepted) // known
	s.must(s.revocation(first, first.other, "tax"), Accepted)
	s.must(s.grant(first, "bank-a"), ConsentRevoked)
	s.pass(24 * hour)
	p := s.pact(nil)
	s.must(s.revocation(p, p.revoke, "registrar"), Accepted)
}

// scriptClocks has wrong clocks: one, two of three, and then right again.
func scriptClocks(s *stream) {
	tick := func(by string, ms uint64, want Verdict) {
		s.t.Helper()
		s.now = ms
		s.must(s.sign(by, KindTick, Tick{Head{s.id()}}), want)
	}
	start := s.head().Time
	time := func(ms uint64) {
		s.t.Helper()
		if t := s.head().Time; t != start+ms {
			s.t.Fatalf("network time is %d ms after the start, want %d", t-start, ms)
		}
	}
	tick("tax", start+24*hour, Accepted)
	tick("tax", start+24*hour+1, Early)
	time(0)
	tick("court", start+3*hour, Accepted)
	time(3 * hour)
	tick("tax", start+2*hour, Accepted) // right again, and nobody's time is affected
	time(3 * hour)
	tick("tax", start+27*hour, Accepted)
	tick("court", start+27*hour, Accepted)
	time(24 * hour) // as far as two voters go without the others
	tick("court", start+48*hour, Accepted)
	tick("tax", start+48*hour, Accepted)
	time(24 * hour)
	tick("bank-a", start+hour, Accepted)
	tick("bank-b", start+hour, Accepted)
	tick("registrar", start+hour, Accepted)
	time(25 * hour)
	tick("registrar", start+30*hour, Accepted)
	time(25 * hour)
	tick("bank-a", start+30*hour, Accepted)
	time(48 * hour)
	tick("auditor", start-1, Late)
	tick("auditor", start, Accepted)
	tick("tax", start+26*hour, Accepted)
	tick("court", start+26*hour, Accepted)
	time(48 * hour)
	for n, by := range []string{"auditor", "bank-a", "bank-b", "court", "registrar", "tax"} {
		tick(by, start+49*hour+uint64(n), Accepted)
	}
}

// scriptAbsent has members submit nothing for so long that they no longer
// count, and a handover with a head that is too old by one entry.
func scriptAbsent(s *stream) {
	start := s.head().Time
	id, raw := s.change("auditor", newSet, 1, 3)
	s.must(raw, Accepted)
	s.must(s.approval("court", "auditor", id), Accepted)
	size := s.size() // size of the first head that has the approvals
	note := s.finalBy(s.genesis.Origin, size, "tax", oldSet...)
	voters := []string{"auditor", "court", "tax"}
	s.now = start + CallAfter // exactly when they are called
	for _, voter := range voters[:2] {
		s.must(s.sign(voter, KindTick, Tick{Head{s.id()}}), Accepted)
	}
	for n := 0; s.size() < size+AbsentAfter+8; n++ {
		s.now = start + 24*hour + uint64(max(n-2, 0)) // network time is held at a day ahead of the others
		s.must(s.sign(voters[n%3], KindTick, Tick{Head{s.id()}}), Accepted)
	}
	if s.head().Time <= start+24*hour {
		s.t.Fatal("those who say nothing hold network time for ever")
	}
	s.must(s.handover("tax", note), CosignersCheckpoint)
	s.must(s.handover("tax", s.finalBy(s.genesis.Origin, s.size()-MaxHandoverLag-1, "tax", oldSet...)), CosignersCheckpoint)
	s.must(s.handover("tax", s.finalBy(s.genesis.Origin, s.size()-MaxHandoverLag, "tax", oldSet...)), Accepted)
	for n, by := range []string{"bank-a", "bank-b", "registrar", "auditor", "court", "tax"} { // members that submit something count again
		s.now = start + 40*hour + uint64(n)
		s.must(s.sign(by, KindTick, Tick{Head{s.id()}}), Accepted)
	}
}
