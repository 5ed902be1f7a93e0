package ledger

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
)

// membersGenesis has more banks and agencies, so that some can leave.
func membersGenesis(s *stream, g *Genesis) {
	s.join(g, "bank-c", everyDay(Bank)...)
	s.join(g, "fire", everyDay(Agency)...)
	s.join(g, "registry", everyDay(Registrar)...)
	g.Approvals = 5
}

// scriptMembers meets the limits of changes of members.
func scriptMembers(s *stream) {
	for i := range maxUpdates {
		s.must(s.moved("bank-b", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", i)), Accepted)
	}
	for range 5 {
		s.must(s.moved("bank-b", "/ip4/127.0.0.1/tcp/99"), MemberOften)
		_, raw := s.proposal("tax", Amendment{Action: RemoveMember, Name: "bank-b", TrustEnd: s.head().Size + 1})
		s.must(raw, MemberTrust)
		_, raw = s.proposal("tax", removal("registrar"))
		s.must(raw, MemberLast)
	}
	for i := range MaxAuditors - 1 {
		s.enacted(s.candidate(fmt.Sprintf("audit-%d", i), nil, everyDay(Auditor)...))
	}
	for range 5 {
		_, raw := s.proposal("tax", s.candidate("fire", nil, everyDay(Auditor)...))
		s.must(raw, MemberMany)
	}
	s.pass(dayMs)
	s.must(s.moved("bank-b", "/ip4/127.0.0.1/tcp/99"), Accepted)
	for _, name := range []string{"audit-0", "audit-1"} { // seats are vacant, and taken again
		s.enacted(removal(name))
	}
	s.enacted(s.candidate("fire", nil, everyDay(Auditor)...))
	s.pass(3 * dayMs)
	s.must(s.sign("fire", KindTick, Tick{Head{s.id()}}), Accepted)
	for _, change := range []Amendment{s.roles("bank-a", everyDay(Agency)...), removal("bank-a")} { // nobody answers a bank that is none
		s.enacted(s.roles("bank-a", everyDay(Bank, Registrar)...))
		p := s.pact(nil)
		s.must(s.grant(p, "bank-a"), Accepted)
		first, second := s.query(p, "bank-a", s.now+hour, "tax", "court"), s.query(p, "bank-a", s.now+hour, "tax", "court")
		s.must(s.ask(first), Accepted)
		s.must(s.ask(second), Accepted)
		s.must(s.releases(first, "court", s.bytes32()), Accepted)
		s.enacted(change)
		for _, q := range []*asked{first, second} {
			s.must(s.releases(q, "tax", s.bytes32()), QueryBank)
			s.must(s.refuses(q, "tax"), Accepted)
		}
		s.must(s.releases(second, "court", s.bytes32()), QueryBank)
		s.must(s.revocation(p, p.revoke, "tax"), Accepted)
	}
	digest := s.bytes32()
	s.enacted(s.candidate("registry", nil, everyDay(Registrar)...))
	s.must(s.sign("registry", KindCredentialIssue, CredentialIssue{Head{s.id()}, digest, []byte("x")}), Accepted)
	s.must(s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), CredentialUnknown)
	s.enacted(removal("registry"))
	s.must(s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), Accepted)
	digest = s.bytes32()
	s.enacted(s.roles("bank-b", everyDay(Bank, Registrar)...))
	s.must(s.sign("bank-b", KindCredentialIssue, CredentialIssue{Head{s.id()}, digest, []byte("x")}), Accepted)
	s.must(s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), CredentialUnknown)
	s.enacted(s.roles("bank-b", everyDay(Bank)...))
	s.must(s.sign("bank-b", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), AuthorRole)
	s.must(s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}), Accepted)
	for _, c := range []struct {
		title string
		want  Verdict
	}{
		{"Tax", MemberName}, {"ＴＡＸ", MemberName}, {" t-a.x", MemberName}, {"BANK B", MemberName}, {"Reg1strar", MemberName}, {"c〇urt", MemberName}, {"C0URT", MemberName},
		{"tаx", Malformed}, {"- -", Malformed}, {"（）", Malformed}, {"税务局", Accepted}, {"\U00020000x", Accepted},
	} {
		id, raw := s.proposal("tax", s.candidate("another-name", func(card *Card) { card.Chinese = c.title }, everyDay(Agency)...))
		if s.must(raw, c.want); c.want == Accepted {
			s.must(s.withdrawal("tax", id), Accepted)
		}
	}
	s.must(s.sign("tax", KindRecover, s.recovery()), Unsupported)
	wrong := s.recovery()
	slices.Reverse(wrong.Agreed)
	s.must(s.sign("tax", KindRecover, wrong), Malformed)
	s.must(s.sign("tax", KindAgree, Agree{1, 1, s.bytes32(), oldSet}), Malformed)
	scriptAttests(s)
	id, raw := s.proposal("tax", s.roles("fire", everyDay(Agency, Bank)...))
	s.must(raw, Accepted)
	s.enacted(s.roles("fire", everyDay(Agency, Auditor)...))
	for range 5 {
		s.must(s.approval("court", "tax", id), ProposalStale)
	}
	scriptVoters(s)
	s.must(s.sign("tax", KindAttest, Attest{Head{s.id()}, nil}), Malformed)
	s.must(s.sign("tax", KindAlive, Alive{Head{s.id()}, []byte("x")}), Unsupported)
	s.must(s.sign("tax", KindAlive, Alive{Head{s.id()}, nil}), Malformed)
}

// scriptAttests attests rosters that are and that are not those of their entries.
func scriptAttests(s *stream) {
	before := s.attested()
	s.must(s.attest("tax", before), Accepted)
	s.must(s.attest("court", before), Accepted)
	for range 5 {
		s.must(s.attest("tax", s.bytes32()), RosterDigest)
		s.must(s.attest("bank-b", before), AuthorRole)
	}
	changes := []func(){
		func() { s.must(s.moved("tax", "/ip4/127.0.0.1/tcp/1234"), Accepted) },
		func() { s.enacted(s.roles("tax", everyDay(Agency, Bank)...)) },
		func() { s.enacted(s.candidate("attested", nil, everyDay(Agency)...)) },
		func() { s.enacted(removal("attested")) },
		func() { s.enacted(purposes("attested")) },
	}
	for _, change := range changes {
		change()
		s.must(s.attest("tax", before), RosterDigest)
		before = s.attested()
		s.must(s.attest("tax", before), Accepted)
	}
}

// attested is the digest of the roster of the next entry.
func (w *world) attested() []byte {
	w.t.Helper()
	a, err := AttestedAt(w.state, w.head().Size)
	check(w.t, err)
	digest, err := a.Digest()
	check(w.t, err)
	return digest
}

func (w *world) attest(member string, digest []byte) []byte {
	w.t.Helper()
	return w.sign(member, KindAttest, Attest{Head{w.id()}, digest})
}

// walkAttest attests the roster of the next entry, or another one.
func (s *stream) walkAttest() []byte {
	digest := s.attested()
	if s.chance(20) {
		digest[0]++
	}
	return s.attest(pick(s, append(slices.Clone(oldSet), "bank-b")), digest)
}

// scriptVoters has a voter leave, and the next ones wait until raft has followed.
func scriptVoters(s *stream) {
	s.settled(s.enacted(voting("audit-2", "auditor", "bank-b", "court", "tax")))
	a := s.enacted(removal("court", "audit-2", "auditor", "bank-b", "fire", "tax"))
	for range 5 {
		_, raw := s.proposal("tax", removal("bank-b", "audit-2", "auditor", "tax"))
		s.must(raw, VotersUnsettled)
	}
	for range 3 { // the clocks of the new set move network time
		s.now += 12 * hour
		for _, name := range []string{"audit-2", "fire", "tax"} {
			s.tick(name)
		}
	}
	s.settled(a)
	s.enacted(removal("bank-b", "audit-2", "auditor", "tax"))
	var ids [][]byte
	for i := range maxOpen {
		id, raw := s.proposal("audit-2", purposes(fmt.Sprintf("p%d", i)))
		s.must(raw, Accepted)
		ids = append(ids, id)
	}
	for range 5 {
		_, raw := s.proposal("audit-2", voting("auditor", "fire", "tax"))
		s.must(raw, ProposalMany)
	}
	for _, id := range ids {
		s.must(s.withdrawal("audit-2", id), Accepted)
	}
}

// member is a name that is or was a member's, or will be one's.
func (s *stream) member() string {
	if s.chance(90) {
		return pick(s, s.roster().Names())
	}
	return pick(s, []string{"bank-b", "fire", "new-1", "new-2", "nobody"})
}

// signer is like member, but somebody who has keys.
func (s *stream) signer() string {
	for {
		if name := s.member(); s.keys[name] != (Keys{}) {
			return name
		}
	}
}

// membersWalk proposes, approves and withdraws changes of members repeatedly,
// between queries. Most of what is proposed comes into force.
func (s *stream) membersWalk(steps int) {
	s.pact(nil)
	s.query(s.pacts[0], "bank-a", s.now+hour, "tax")
	var waiting []idea
	other := []func() []byte{s.walkGrant, s.walkOpen, s.walkRelease, s.walkRefuse, s.walkTick, s.walkCredential, s.walkCatalog, s.walkReceipt, s.walkAttest}
	for range steps {
		s.now = min(s.now+uint64(s.dice.IntN(20*minute)), s.head().Time+20*hour) // or else nothing but early statements follows
		if s.chance(3) {
			s.membersTime()
		}
		switch n := s.dice.IntN(100); {
		case n < 7 || len(waiting) == 0:
			i := idea{by: s.signer()}
			var raw []byte
			if i.id, raw = s.proposal(i.by, s.amendment()); s.say(raw).Verdict == Accepted {
				waiting = append(waiting, i)
			}
		case n < 60: // an approval
			i := recent(s, waiting, 4)
			s.say(s.approval(s.assenting(i), i.by, i.id))
		case n < 63:
			i := recent(s, waiting, 6)
			s.say(s.withdrawal(i.by, i.id))
		case n < 68:
			if name := s.signer(); s.roster().Member(name) != nil {
				s.say(s.moved(name, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", s.dice.IntN(9))))
			}
		case n < 71:
			var names []string
			for _, name := range s.roster().Names() {
				if s.chance(60) {
					names = append(names, name)
				}
			}
			i := idea{by: s.signer()}
			var raw []byte
			if i.id, raw = s.change(i.by, names, 0, uint8(len(names)*2/3+1)); s.say(raw).Verdict == Accepted {
				waiting = append(waiting, i)
			}
		case n < 73:
			s.say(s.walkHandover("tax"))
		case n < 76:
			sets, err := VoterSets(s.state)
			check(s.t, err)
			by, set := s.signer(), pick(s, sets)
			if s.chance(80) {
				by, set = pick(s, s.roster().Voters()), sets[len(sets)-1]
			}
			s.say(s.sign(by, KindSettled, Settled{Head{s.id()}, set.From}))
		default:
			s.say(pick(s, other)())
		}
	}
}

// assenting is mostly a member that has not approved a proposal.
func (s *stream) assenting(i idea) string {
	p, err := get[Proposal](s.state, openKey(i.by, i.id))
	check(s.t, err)
	if p == nil || s.chance(10) {
		return s.signer()
	}
	names := s.roster().Names()
	left := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(p.Approved, name) })
	if len(left) == 0 {
		return pick(s, names)
	}
	return pick(s, left)
}

// membersTime lets hours or days pass, which all members state.
func (s *stream) membersTime() {
	s.now += uint64(s.dice.IntN(20 * hour))
	for _, name := range s.roster().Names() {
		if s.chance(90) {
			s.say(s.sign(name, KindTick, Tick{Head{s.id()}}))
		}
	}
}

// otherVoters are those of now, or one or two less, and others in their place.
// Without is a name that is not among them.
func (s *stream) otherVoters(without string) []string {
	voters, names := s.roster().Voters(), s.roster().Names()
	is := func(name string) bool { return name == without }
	voters, names = slices.DeleteFunc(voters, is), slices.DeleteFunc(names, is)
	s.dice.Shuffle(len(voters), func(i, j int) { voters[i], voters[j] = voters[j], voters[i] })
	s.dice.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	voters = voters[:len(voters)-s.dice.IntN(3)]
	for _, name := range names {
		if len(voters) >= 3 && len(voters)%2 == 1 && s.chance(70) {
			break
		}
		if !slices.Contains(voters, name) {
			voters = append(voters, name)
		}
	}
	slices.Sort(voters)
	return voters
}

// amendment is a change that comes into force if enough members approve it, or
// nearly one.
func (s *stream) amendment() Amendment {
	day := s.head().Day()
	r := s.roster()
	term := func(role string) Role {
		return Role{Name: role, NotBefore: max(0, day-consent.Day(s.dice.IntN(3))), NotAfter: day + consent.Day(s.dice.IntN(300))}
	}
	switch n := s.dice.IntN(12); {
	case n < 4:
		name := fmt.Sprintf("new-%d", s.dice.IntN(60))
		if s.keys[name] != (Keys{}) && r.Member(name) != nil {
			return removal(name)
		}
		a := s.candidate(name, func(c *Card) {
			switch s.dice.IntN(20) {
			case 0:
				c.English = "tax"
			case 1:
				c.Generation = 1
			case 2:
				c.Age = s.genesis.Members[0].Age
			}
		}, term(pick(s, []string{Agency, Bank, Auditor, Registrar})))
		if s.chance(4) {
			a.Card.Chinese = "another"
		}
		return a
	case n < 6:
		name := s.member()
		if r.Member(name) == nil {
			return removal(name)
		}
		a := s.roles(name, term(pick(s, []string{Agency, Bank, Auditor, Registrar})))
		if s.chance(10) {
			a.Card.Addresses = nil
		}
		return a
	case n < 9:
		a := removal(s.member())
		if s.chance(30) {
			a.Name = pick(s, r.Voters())
		}
		a.TrustEnd = uint64(s.dice.IntN(int(s.head().Size) + 2))
		if voters := r.Voters(); slices.Contains(voters, a.Name) && s.chance(90) || s.chance(5) {
			a.Names = s.otherVoters(a.Name)
		}
		return a
	case n < 11:
		return voting(s.otherVoters("")...)
	}
	return purposes(pick(s, []string{"a", "b", "c"}))
}
