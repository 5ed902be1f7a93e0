package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// candidate makes keys for a newcomer, unless it has some, and returns what would
// admit it. Edit may change the card before its keys sign it.
func (w *world) candidate(name string, edit func(*Card), roles ...Role) Amendment {
	w.t.Helper()
	k, known := w.keys[name]
	if !known {
		k = NewKeys(sign.Secret(w.bytes32()), w.genesis.Origin, 0)
		w.keys[name] = k
	}
	c := Card{Name: name, Chinese: name, English: name, Roles: roles, Age: bytes.Repeat(w.bytes32(), ageRecipient/32), Addresses: []string{"/ip4/127.0.0.1/tcp/4001"}}
	k.Fill(&c)
	if edit != nil {
		edit(&c)
	}
	possession, err := k.Possession(w.network, &c)
	check(w.t, err)
	return Amendment{Action: AddMember, Card: &c, Possession: possession}
}

func (w *world) proposal(by string, a Amendment) (id, raw []byte) {
	w.t.Helper()
	id = w.id()
	return id, w.sign(by, KindPropose, Propose{Head{id}, a})
}

func (w *world) withdrawal(by string, id []byte) []byte {
	return w.sign(by, KindWithdraw, Withdraw{Head{w.id()}, id})
}

// roles returns the amendment that gives a member these roles.
func (w *world) roles(name string, roles ...Role) Amendment {
	w.t.Helper()
	c := *w.roster().Member(name)
	c.Roles = roles
	return Amendment{Action: ChangeRoles, Card: &c}
}

// removal removes a member; if it votes, these are the voters then.
func removal(name string, voters ...string) Amendment {
	return Amendment{Action: RemoveMember, Name: name, Names: voters}
}

func voting(voters ...string) Amendment { return Amendment{Action: ChangeVoters, Names: voters} }

func votersRow(verdict Verdict, voters ...string) row {
	return row{verdict, func(w *world) []byte { _, raw := w.proposal("tax", voting(voters...)); return raw }}
}

// settled has a voter state that raft has the voters which an entry has brought
// into force.
func (w *world) settled(by Answer) {
	w.t.Helper()
	w.want(w.sign("tax", KindSettled, Settled{Head{w.id()}, by.Index + 1}), Accepted)
}

func purposes(code string) Amendment {
	return Amendment{Action: ChangePurposes, Purposes: []consent.Purpose{{Code: code, Chinese: "x", English: "x", MaxDays: 1, MaxUses: 1, MaxDataLife: 1}}}
}

// moved returns the update by which a member has another address.
func (w *world) moved(name, address string) []byte {
	w.t.Helper()
	c := *w.roster().Member(name)
	c.Addresses = []string{address}
	return w.sign(name, KindUpdate, Update{Head: Head{w.id()}, Card: c})
}

func (w *world) roster() *Roster {
	w.t.Helper()
	r, err := RosterAt(w.state, w.head().Size)
	check(w.t, err)
	return r
}

func (w *world) opened() []Proposal {
	w.t.Helper()
	list, err := OpenProposals(w.state)
	check(w.t, err)
	return list
}

// enacted has a change approved by these members, or by as many as it needs, and
// returns the last entry.
func (w *world) enacted(a Amendment, by ...string) Answer {
	w.t.Helper()
	enough := len(by) == 0
	if enough {
		by = slices.DeleteFunc(w.roster().Names(), func(name string) bool { return name == a.Name })
	}
	id, raw := w.proposal(by[0], a)
	answer := w.want(raw, Accepted)
	for _, name := range by[1:] {
		if enough && answer.Changed {
			break
		}
		if answer.Changed {
			w.t.Fatalf("it is in force before %s approves", name)
		}
		answer = w.want(w.approval(name, by[0], id), Accepted)
	}
	if !answer.Changed {
		w.t.Fatal("it is not in force")
	}
	return answer
}

// A member joins, gets a role and another title, moves and leaves; each holds
// from the entry after that which brings it about.
func TestMemberComesAndGoes(t *testing.T) {
	w := newWorld(t)
	w.want(w.sign("tax", KindTick, Tick{Head{w.id()}}), Accepted)
	a := w.candidate("fire", nil, everyDay(Agency)...)
	early := w.sign("fire", KindTick, Tick{Head{w.id()}})
	w.want(early, Unverified)
	joined := w.enacted(a)
	if seat, ok := w.roster().Seat("fire"); !ok || seat != 6 || w.head().Clocks.Time(seat) != joined.Time {
		t.Errorf("its clock has seat %d and time %d", seat, w.head().Clocks.Time(seat))
	}
	w.want(early, Accepted)
	w.now += minute
	w.want(w.sign("fire", KindCatalog, Catalog{Head{w.id()}, w.bytes32(), 1, w.bytes32()}), Accepted)

	w.want(w.sign("fire", KindCredentialIssue, CredentialIssue{Head{w.id()}, w.bytes32(), []byte("x")}), AuthorRole)
	c := *a.Card
	c.English, c.Roles = "Fire brigade", everyDay(Agency, Registrar)
	changed := w.enacted(Amendment{Action: ChangeRoles, Card: &c})
	w.want(w.sign("fire", KindCredentialIssue, CredentialIssue{Head{w.id()}, w.bytes32(), []byte("x")}), Accepted)

	moved := w.want(w.moved("fire", "/ip4/127.0.0.2/tcp/4001"), Accepted)
	last := w.sign("fire", KindTick, Tick{Head{w.id()}})
	left := w.enacted(Amendment{Action: RemoveMember, Name: "fire", TrustEnd: changed.Index})
	w.want(last, Unverified)
	w.want(early, Unverified) // what was answered before is not answered again
	for _, at := range []struct {
		index uint64
		title string
		roles int
		move  bool
	}{
		{joined.Index, "", 0, false}, {joined.Index + 1, "fire", 1, false}, {changed.Index, "fire", 1, false}, {changed.Index + 1, "Fire brigade", 2, false},
		{moved.Index, "Fire brigade", 2, false}, {moved.Index + 1, "Fire brigade", 2, true}, {left.Index, "Fire brigade", 2, true}, {left.Index + 1, "", 0, false},
	} {
		card, err := CardAt(w.state, "fire", at.index)
		check(t, err)
		if card == nil {
			card = &Card{Addresses: []string{""}}
		}
		if card.English != at.title || len(card.Roles) != at.roles || strings.Contains(card.Addresses[0], "127.0.0.2") != at.move {
			t.Errorf("entry %d: %q, %d roles, %v", at.index, card.English, len(card.Roles), card.Addresses)
		}
	}
	if s := w.head(); !s.Clocks.Vacant(6) || s.Clocks.Seats() != 7 {
		t.Error("its clock has not ended")
	}
	m, err := LookupMember(w.state, "fire")
	check(t, err)
	if m.TrustEnd != changed.Index || m.Until != left.Index+1 {
		t.Errorf("%+v", m)
	}
	w.enacted(w.candidate("water", nil, everyDay(Agency)...))
	if seat, _ := w.roster().Seat("water"); seat != 6 {
		t.Errorf("the next newcomer has seat %d", seat)
	}
}

// row is a line of the verdict table: what was said before, and a statement.
type row struct {
	verdict Verdict
	make    func(w *world) []byte
}

var proposals = map[string]row{
	"an add of a name that was used": {MemberName, func(w *world) []byte {
		w.enacted(w.candidate("fire", nil, everyDay(Agency)...))
		w.enacted(removal("fire"))
		delete(w.keys, "fire")
		_, raw := w.proposal("tax", w.candidate("fire", nil, everyDay(Agency)...))
		return raw
	}},
	"an add of a member": {MemberName, func(w *world) []byte {
		delete(w.keys, "bank-b")
		_, raw := w.proposal("tax", w.candidate("bank-b", nil, everyDay(Agency)...))
		return raw
	}},
	"an add with a title of another": {MemberName, func(w *world) []byte {
		_, raw := w.proposal("tax", w.candidate("tax-2", func(c *Card) { c.English = "tax" }, everyDay(Agency)...))
		return raw
	}},
	"an add with the other title of another": {MemberName, func(w *world) []byte {
		_, raw := w.proposal("tax", w.candidate("tax-2", func(c *Card) { c.Chinese = "tax" }, everyDay(Agency)...))
		return raw
	}},
	"an add of a second generation": {MemberCard, func(w *world) []byte {
		_, raw := w.proposal("tax", w.candidate("fire", func(c *Card) { c.Generation = 1 }, everyDay(Agency)...))
		return raw
	}},
	"an add with the key of a member": {MemberKeys, func(w *world) []byte {
		_, raw := w.proposal("tax", w.candidate("fire", func(c *Card) { c.Age = w.genesis.Members[0].Age }, everyDay(Agency)...))
		return raw
	}},
	"an add with the key of one that left": {MemberKeys, func(w *world) []byte {
		old := w.candidate("fire", nil, everyDay(Agency)...)
		w.enacted(old)
		w.enacted(removal("fire"))
		_, raw := w.proposal("tax", w.candidate("fire-2", func(c *Card) { c.Age = old.Card.Age }, everyDay(Agency)...))
		return raw
	}},
	"an add with a key twice": {MemberKeys, func(w *world) []byte {
		_, raw := w.proposal("tax", w.candidate("fire", func(c *Card) { c.Log = c.Peer }, everyDay(Agency)...))
		return raw
	}},
	"an add with other roles than its keys signed": {MemberKeys, func(w *world) []byte {
		a := w.candidate("fire", nil, everyDay(Agency)...)
		a.Card.Roles = everyDay(Bank)
		_, raw := w.proposal("tax", a)
		return raw
	}},
	"an add for another network": {MemberKeys, func(w *world) []byte {
		a := w.candidate("fire", nil, everyDay(Agency)...)
		var err error
		a.Possession, err = w.keys["fire"].Possession(sign.NetworkID{1}, a.Card)
		check(w.t, err)
		_, raw := w.proposal("tax", a)
		return raw
	}},
	"an add whose keys signed in another order": {MemberKeys, func(w *world) []byte {
		a := w.candidate("fire", nil, everyDay(Agency)...)
		slices.Reverse(a.Possession)
		_, raw := w.proposal("tax", a)
		return raw
	}},
	"an add of a seventh auditor": {MemberMany, func(w *world) []byte {
		for i := range MaxAuditors - 1 {
			w.enacted(w.candidate(fmt.Sprintf("audit-%d", i), nil, everyDay(Auditor)...))
		}
		_, raw := w.proposal("tax", w.candidate("fire", nil, everyDay(Auditor)...))
		return raw
	}},
	"an add": {Accepted, func(w *world) []byte {
		_, raw := w.proposal("tax", w.candidate("fire", nil, everyDay(Agency, Bank)...))
		return raw
	}},
	"roles of nobody": {MemberUnknown, func(w *world) []byte {
		a := w.candidate("fire", nil, everyDay(Agency)...)
		_, raw := w.proposal("tax", Amendment{Action: ChangeRoles, Card: a.Card})
		return raw
	}},
	"roles of one that left": {MemberUnknown, func(w *world) []byte {
		a := w.roles("bank-b", everyDay(Agency)...)
		w.enacted(removal("bank-b"), "auditor", "bank-a", "court")
		_, raw := w.proposal("tax", a)
		return raw
	}},
	"roles as they are": {MemberCard, func(w *world) []byte {
		_, raw := w.proposal("tax", w.roles("bank-b", everyDay(Bank)...))
		return raw
	}},
	"roles with another address": {MemberCard, func(w *world) []byte {
		a := w.roles("bank-b", everyDay(Agency)...)
		a.Card.Addresses = nil
		_, raw := w.proposal("tax", a)
		return raw
	}},
	"roles with another key": {MemberCard, func(w *world) []byte {
		a := w.roles("bank-b", everyDay(Agency)...)
		a.Card.Peer = w.genesis.Members[0].Peer
		_, raw := w.proposal("tax", a)
		return raw
	}},
	"roles with a title of another": {MemberName, func(w *world) []byte {
		a := w.roles("bank-b", everyDay(Bank)...)
		a.Card.English = "tax"
		_, raw := w.proposal("tax", a)
		return raw
	}},
	"roles that leave no auditor": {MemberLast, func(w *world) []byte {
		_, raw := w.proposal("tax", w.roles("auditor", everyDay(Agency)...))
		return raw
	}},
	"roles that leave no registrar today": {MemberLast, func(w *world) []byte {
		_, raw := w.proposal("tax", w.roles("registrar", Role{Name: Registrar, NotBefore: w.head().Day() + 1, NotAfter: 40_000}))
		return raw
	}},
	"roles of a seventh auditor": {MemberMany, func(w *world) []byte {
		for i := range MaxAuditors - 1 {
			w.enacted(w.candidate(fmt.Sprintf("audit-%d", i), nil, everyDay(Auditor)...))
		}
		_, raw := w.proposal("tax", w.roles("bank-b", everyDay(Auditor)...))
		return raw
	}},
	"roles": {Accepted, func(w *world) []byte {
		_, raw := w.proposal("tax", w.roles("bank-b", everyDay(Agency)...))
		return raw
	}},
	"purposes":   {Accepted, func(w *world) []byte { _, raw := w.proposal("tax", purposes("in_loan")); return raw }},
	"no purpose": {Malformed, func(w *world) []byte { _, raw := w.proposal("tax", Amendment{Action: ChangePurposes}); return raw }},
	"removal of nobody": {MemberUnknown, func(w *world) []byte {
		_, raw := w.proposal("tax", removal("fire"))
		return raw
	}},
	"removal with trust that ends ahead": {MemberTrust, func(w *world) []byte {
		_, raw := w.proposal("tax", Amendment{Action: RemoveMember, Name: "bank-b", TrustEnd: w.head().Size + 1})
		return raw
	}},
	"removal with trust that ends here": {Accepted, func(w *world) []byte {
		_, raw := w.proposal("tax", Amendment{Action: RemoveMember, Name: "bank-b", TrustEnd: w.head().Size})
		return raw
	}},
	"removal of a voter": {VotersMembers, func(w *world) []byte { _, raw := w.proposal("tax", removal("court")); return raw }},
	"removal of a voter, who is replaced": {Accepted, func(w *world) []byte {
		_, raw := w.proposal("tax", removal("court", "auditor", "bank-a", "tax"))
		return raw
	}},
	"removal of a voter, who stays one": {VotersMembers, func(w *world) []byte {
		_, raw := w.proposal("tax", removal("court", "auditor", "bank-a", "court"))
		return raw
	}},
	"removal of one that does not vote, with voters": {VotersMembers, func(w *world) []byte {
		_, raw := w.proposal("tax", removal("bank-b", "auditor", "bank-a", "tax"))
		return raw
	}},
	"removal of a voter, for two new ones": {VotersMany, func(w *world) []byte {
		_, raw := w.proposal("tax", removal("court", "auditor", "bank-a", "bank-b"))
		return raw
	}},
	"removal of a voter after that of another": {VotersUnsettled, func(w *world) []byte {
		w.settled(w.enacted(voting("auditor", "bank-a", "bank-b", "court", "tax")))
		w.enacted(removal("court", "auditor", "bank-a", "bank-b", "registrar", "tax"))
		_, raw := w.proposal("tax", removal("bank-b", "auditor", "bank-a", "tax"))
		return raw
	}},
	"removal of one that voted before, after that of another": {VotersUnsettled, func(w *world) []byte {
		w.enacted(voting("auditor", "bank-a", "tax"))
		w.enacted(voting("auditor", "court", "tax"))
		w.enacted(removal("bank-a"))
		_, raw := w.proposal("tax", removal("court", "auditor", "bank-b", "tax"))
		return raw
	}},
	"removal of one that never voted, after that of a voter": {Accepted, func(w *world) []byte {
		w.enacted(removal("court", "auditor", "bank-a", "tax"))
		_, raw := w.proposal("tax", removal("bank-b"))
		return raw
	}},
	"removal of a second voter, settled between": {Accepted, func(w *world) []byte {
		w.enacted(w.candidate("audit-2", nil, everyDay(Auditor)...))
		w.settled(w.enacted(removal("court", "auditor", "bank-a", "tax")))
		w.approved([]string{"auditor", "tax"}, []string{"audit-2", "auditor", "bank-a", "tax"}, 0, 3)
		w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", "auditor", "tax")), Accepted)
		_, raw := w.proposal("tax", removal("auditor", "bank-a", "registrar", "tax"))
		return raw
	}},
	"removal of the last registrar": {MemberLast, func(w *world) []byte { _, raw := w.proposal("tax", removal("registrar")); return raw }},
	"removal of too many cosigners": {CosignersQuorum, func(w *world) []byte {
		w.approved(oldSet, []string{"bank-a", "bank-b", "tax"}, 0, 2)
		w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
		w.enacted(removal("bank-a"), "auditor", "bank-b", "court")
		_, raw := w.proposal("tax", removal("bank-b"))
		return raw
	}},
	"removal of a cosigner that can be spared": {Accepted, func(w *world) []byte {
		w.approved(oldSet, []string{"bank-a", "bank-b", "tax"}, 0, 2)
		w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
		_, raw := w.proposal("tax", removal("bank-b"))
		return raw
	}},
	"nine proposals": {ProposalMany, func(w *world) []byte {
		for i := range maxOpen {
			_, raw := w.proposal("tax", purposes(fmt.Sprintf("p%d", i)))
			w.want(raw, Accepted)
		}
		_, raw := w.proposal("tax", removal("nobody"))
		return raw
	}},
	"one more after one was withdrawn": {Accepted, func(w *world) []byte {
		var id, raw []byte
		for i := range maxOpen {
			id, raw = w.proposal("tax", purposes(fmt.Sprintf("p%d", i)))
			w.want(raw, Accepted)
		}
		w.want(w.withdrawal("tax", id), Accepted)
		_, raw = w.proposal("tax", purposes("p9"))
		return raw
	}},
	"cosigners beside eight others": {Accepted, func(w *world) []byte {
		for i := range maxOpen {
			_, raw := w.proposal("tax", purposes(fmt.Sprintf("p%d", i)))
			w.want(raw, Accepted)
		}
		_, raw := w.change("tax", newSet, 1, 3)
		return raw
	}},
	"other keys":           {Unsupported, func(w *world) []byte { a := w.candidate("fire", nil); return w.replaced(a) }},
	"no voters":            votersRow(VotersMembers),
	"four voters":          votersRow(VotersMembers, "auditor", "bank-a", "court", "tax"),
	"a voter":              votersRow(VotersMembers, "tax"),
	"voters as they are":   votersRow(VotersMembers, "auditor", "court", "tax"),
	"voters and nobody":    votersRow(VotersMembers, "auditor", "court", "nobody"),
	"two new voters":       votersRow(VotersMany, "auditor", "bank-a", "bank-b"),
	"three new of five":    votersRow(VotersMany, "auditor", "bank-a", "bank-b", "registrar", "tax"),
	"a new voter":          votersRow(Accepted, "auditor", "bank-a", "tax"),
	"two more voters":      votersRow(Accepted, "auditor", "bank-a", "bank-b", "court", "tax"),
	"voters not ascending": votersRow(Malformed, "tax", "auditor", "court"),
	"one that voted, and is still new": {VotersMany, func(w *world) []byte {
		w.enacted(voting("auditor", "bank-a", "tax"))
		_, raw := w.proposal("tax", voting("auditor", "bank-a", "bank-b"))
		return raw
	}},
	"a ninth change that is not settled": {VotersUnsettled, func(w *world) []byte {
		for i := range maxUnsettled {
			w.enacted(voting("auditor", []string{"bank-a", "court"}[i%2], "tax"))
		}
		_, raw := w.proposal("tax", voting("auditor", "bank-a", "tax"))
		return raw
	}},
	"an eighth one": {Accepted, func(w *world) []byte {
		for i := range maxUnsettled - 1 {
			w.enacted(voting("auditor", []string{"bank-a", "court"}[i%2], "tax"))
		}
		_, raw := w.proposal("tax", voting("auditor", "court", "tax"))
		return raw
	}},
	"another new voter, once the first is settled": {Accepted, func(w *world) []byte {
		w.settled(w.enacted(voting("auditor", "bank-a", "tax")))
		_, raw := w.proposal("tax", voting("auditor", "bank-a", "bank-b"))
		return raw
	}},
	"version": {Unsupported, func(w *world) []byte {
		_, raw := w.proposal("tax", Amendment{Action: ChangeVersion, Version: 3})
		return raw
	}},
	"a reset": {Unsupported, func(w *world) []byte {
		_, raw := w.proposal("tax", Amendment{Action: ResetCosigners, Names: oldSet, Quorum: 2})
		return raw
	}},
	"settled by no voter": {AuthorRole, func(w *world) []byte {
		a := w.enacted(voting("auditor", "bank-a", "tax"))
		return w.sign("court", KindSettled, Settled{Head{w.id()}, a.Index + 1})
	}},
	"settled, of genesis":          {VotersStale, func(w *world) []byte { return w.sign("tax", KindSettled, Settled{Head{w.id()}, 1}) }},
	"settled before it is ordered": {VotersStale, func(w *world) []byte { return w.sign("tax", KindSettled, Settled{Head{w.id()}, w.size() + 1}) }},
	"settled, of a set before the newest": {VotersStale, func(w *world) []byte {
		a := w.enacted(voting("auditor", "bank-a", "tax"))
		w.enacted(voting("auditor", "bank-a", "court"))
		return w.sign("auditor", KindSettled, Settled{Head{w.id()}, a.Index + 1})
	}},
	"settled twice": {VotersStale, func(w *world) []byte {
		a := w.enacted(voting("auditor", "bank-a", "tax"))
		w.settled(a)
		return w.sign("tax", KindSettled, Settled{Head{w.id()}, a.Index + 1})
	}},
	"settled": {Accepted, func(w *world) []byte {
		a := w.enacted(voting("auditor", "bank-a", "tax"))
		return w.sign("bank-a", KindSettled, Settled{Head{w.id()}, a.Index + 1})
	}},
	"alive":                        {Unsupported, func(w *world) []byte { return w.sign("tax", KindAlive, Alive{Head{w.id()}, []byte("x")}) }},
	"a recovery":                   {Unsupported, func(w *world) []byte { return w.sign("tax", KindRecover, w.recovery()) }},
	"removal by the one concerned": {Accepted, func(w *world) []byte { _, raw := w.proposal("bank-b", removal("bank-b")); return raw }},
}

// replaced proposes other keys for bank-b.
func (w *world) replaced(a Amendment) []byte {
	c := *w.roster().Member("bank-b")
	c.Generation, c.Peer, c.Statement, c.Log, c.Cosign = 1, a.Card.Peer, a.Card.Statement, a.Card.Log, a.Card.Cosign
	_, raw := w.proposal("tax", Amendment{Action: ReplaceKeys, Card: &c, Possession: a.Possession})
	return raw
}

// recovery is well-formed, with the consent of two members.
func (w *world) recovery() Recover {
	w.t.Helper()
	r := Recover{Head: Head{w.id()}, Era: 1, Size: 9, Root: w.bytes32(), Voters: oldSet}
	agree := Agree{r.Era, r.Size, r.Root, r.Voters}
	r.Agreed = [][]byte{w.sign("tax", KindAgree, agree), w.sign("court", KindAgree, agree)}
	slices.SortFunc(r.Agreed, func(a, b []byte) int {
		x, err := sign.Parse(a)
		check(w.t, err)
		y, err := sign.Parse(b)
		check(w.t, err)
		return bytes.Compare(x.KeyID[:], y.KeyID[:])
	})
	return r
}

func TestProposeVerdicts(t *testing.T) {
	for name, c := range proposals {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			raw := c.make(w)
			before := len(w.opened())
			a := w.want(raw, c.verdict)
			if more := len(w.opened()) - before; c.verdict != Accepted && (more != 0 || a.Changed) {
				t.Errorf("%d proposals more, changed %t", more, a.Changed)
			}
		})
	}
}

// tabled has a proposal of tax to remove bank-b, and another to give bank-b a
// role.
type tabled struct {
	*world
	removal, roles []byte // ids
}

func proposed(w *world) *tabled {
	w.t.Helper()
	s := &tabled{world: w}
	var raw []byte
	s.removal, raw = s.proposal("tax", removal("bank-b"))
	s.want(raw, Accepted)
	s.roles, raw = s.proposal("tax", s.world.roles("bank-b", everyDay(Agency, Bank)...))
	s.want(raw, Accepted)
	return s
}

var approvals = map[string]struct {
	verdict Verdict
	make    func(s *tabled) []byte
}{
	"nothing that was proposed": {ProposalUnknown, func(s *tabled) []byte { return s.approval("court", "tax", s.id()) }},
	"of another":                {ProposalUnknown, func(s *tabled) []byte { return s.approval("court", "auditor", s.removal) }},
	"by the one concerned":      {AuthorRole, func(s *tabled) []byte { return s.approval("bank-b", "tax", s.removal) }},
	"of its roles by a member":  {Accepted, func(s *tabled) []byte { return s.approval("bank-b", "tax", s.roles) }},
	"by the proposer":           {ProposalApproved, func(s *tabled) []byte { return s.approval("tax", "tax", s.removal) }},
	"twice": {ProposalApproved, func(s *tabled) []byte {
		s.want(s.approval("court", "tax", s.removal), Accepted)
		return s.approval("court", "tax", s.removal)
	}},
	"of what was withdrawn": {ProposalUnknown, func(s *tabled) []byte {
		s.want(s.withdrawal("tax", s.removal), Accepted)
		return s.approval("court", "tax", s.removal)
	}},
	"of what is in force": {ProposalUnknown, func(s *tabled) []byte {
		s.agree("tax", s.removal, "auditor", "bank-a")
		return s.approval("registrar", "tax", s.removal)
	}},
	"two weeks later":           {Accepted, func(s *tabled) []byte { s.pass(proposalLife); return s.approval("court", "tax", s.removal) }},
	"more than two weeks later": {ProposalUnknown, func(s *tabled) []byte { s.pass(proposalLife + 1); return s.approval("court", "tax", s.removal) }},
	"of one that has left since": {ProposalStale, func(s *tabled) []byte {
		s.agree("tax", s.removal, "auditor", "bank-a")
		return s.approval("court", "tax", s.roles)
	}},
	"of one that was changed since": {ProposalStale, func(s *tabled) []byte {
		s.agree("tax", s.roles, "auditor", "bank-a", "court")
		return s.approval("court", "tax", s.removal)
	}},
	"of one that has moved since": {Accepted, func(s *tabled) []byte {
		s.want(s.moved("bank-b", "/ip4/1.1.1.1/tcp/1"), Accepted)
		return s.approval("court", "tax", s.removal)
	}},
	"roles of one that has moved": {Accepted, func(s *tabled) []byte {
		s.want(s.moved("bank-b", "/ip4/1.1.1.1/tcp/1"), Accepted)
		return s.approval("court", "tax", s.roles)
	}},
	"of purposes that others changed": {ProposalStale, func(s *tabled) []byte {
		id, raw := s.proposal("tax", purposes("a"))
		s.want(raw, Accepted)
		s.enacted(purposes("b"))
		return s.approval("court", "tax", id)
	}},
	"of a name that was taken since": {ProposalStale, func(s *tabled) []byte {
		id, raw := s.proposal("tax", s.candidate("fire", nil, everyDay(Bank)...))
		s.want(raw, Accepted)
		s.enacted(s.candidate("fire", nil, everyDay(Bank)...))
		return s.approval("court", "tax", id)
	}},
	"of keys that were taken since": {MemberKeys, func(s *tabled) []byte {
		a := s.candidate("fire", nil, everyDay(Bank)...)
		id, raw := s.proposal("tax", a)
		s.want(raw, Accepted)
		s.enacted(s.candidate("fire-2", func(c *Card) { c.Age = a.Card.Age }, everyDay(Bank)...))
		return s.approval("court", "tax", id)
	}},
	"of the second removal, where each alone is harmless": {MemberLast, func(s *tabled) []byte {
		s.enacted(s.candidate("registry", nil, everyDay(Registrar)...))
		id, raw := s.proposal("tax", removal("registrar"))
		s.want(raw, Accepted)
		s.enacted(removal("registry"))
		return s.approval("court", "tax", id)
	}},
	"of voters that others changed": {ProposalStale, func(s *tabled) []byte {
		id, raw := s.proposal("tax", voting("auditor", "bank-a", "tax"))
		s.want(raw, Accepted)
		s.enacted(voting("auditor", "court", "registrar"))
		return s.approval("court", "tax", id)
	}},
	"of voters that a removal changed": {ProposalStale, func(s *tabled) []byte {
		id, raw := s.proposal("tax", voting("auditor", "bank-a", "tax"))
		s.want(raw, Accepted)
		s.enacted(removal("court", "auditor", "registrar", "tax"))
		return s.approval("bank-b", "tax", id)
	}},
	"of a removal with voters that others changed": {ProposalStale, func(s *tabled) []byte {
		id, raw := s.proposal("tax", removal("court", "auditor", "bank-a", "tax"))
		s.want(raw, Accepted)
		s.enacted(voting("bank-a", "court", "tax"))
		return s.approval("bank-a", "tax", id)
	}},
	"of voters while they are settled": {Accepted, func(s *tabled) []byte {
		a := s.enacted(voting("auditor", "bank-a", "tax"))
		id, raw := s.proposal("tax", voting("auditor", "court", "tax"))
		s.want(raw, Accepted)
		s.settled(a)
		return s.approval("court", "tax", id)
	}},
	"of voters of whom one has left": {VotersMembers, func(s *tabled) []byte {
		id, raw := s.proposal("tax", voting("auditor", "bank-b", "tax"))
		s.want(raw, Accepted)
		s.agree("tax", s.removal, "auditor", "bank-a")
		return s.approval("court", "tax", id)
	}},
	"of the removal of one that votes since": {VotersMembers, func(s *tabled) []byte {
		s.enacted(voting("auditor", "bank-b", "tax"))
		return s.approval("court", "tax", s.removal)
	}},
	"of the second removal of a voter": {VotersUnsettled, func(s *tabled) []byte {
		s.enacted(voting("auditor", "bank-a", "bank-b", "court", "tax"))
		s.enacted(voting("auditor", "bank-a", "tax"))
		id, raw := s.proposal("tax", removal("court"))
		s.want(raw, Accepted)
		s.agree("tax", s.removal, "auditor", "bank-a")
		return s.approval("registrar", "tax", id)
	}},
	"of cosigners by no cosigner": {AuthorRole, func(s *tabled) []byte {
		id, raw := s.change("tax", newSet, 1, 3)
		s.want(raw, Accepted)
		return s.approval("bank-a", "tax", id)
	}},
}

func TestApproveVerdicts(t *testing.T) {
	for name, c := range approvals {
		t.Run(name, func(t *testing.T) {
			s := proposed(newWorld(t))
			s.want(c.make(s), c.verdict)
		})
	}
}

// agree has members approve a proposal.
func (w *world) agree(proposer string, id []byte, names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.want(w.approval(name, proposer, id), Accepted)
	}
}

// How many have to agree, and who: more than half of those that are in force
// now, and the share that genesis asks of the founders; never the one concerned.
func TestElectorate(t *testing.T) {
	for _, c := range []struct {
		approvals, founders, n, want int
	}{{1, 3, 3, 2}, {1, 3, 4, 3}, {3, 6, 6, 4}, {3, 6, 5, 3}, {6, 6, 6, 6}, {6, 6, 5, 5}, {5, 6, 5, 5}, {5, 6, 7, 6}, {5, 6, 12, 10}, {4, 6, 40, 27}, {1, 36, 1, 1}, {36, 36, 40, 40}} {
		all := &tally{Approvals: uint64(c.approvals), Founders: uint64(c.founders), Members: uint64(c.n)}
		for action, more := range map[uint8]uint64{AddMember: 0, ChangeRoles: 0, ChangePurposes: 0, RemoveMember: 1} {
			all.Members = uint64(c.n) + more // the one concerned
			if got := (&Amendment{Action: action}).threshold(all); got != uint64(c.want) {
				t.Errorf("%d of %d founders: %d of %d agree to %d, want %d", c.approvals, c.founders, got, c.n, action, c.want)
			}
		}
	}
}

// Approvals by members that have left do not count, and what they proposed ends;
// the others' proposals then need as many as are left.
func TestApprovalsOfTheGoneAreStruck(t *testing.T) {
	w := newWorld(t)
	id, raw := w.proposal("tax", purposes("a"))
	w.want(raw, Accepted)
	own, raw := w.proposal("bank-b", purposes("b"))
	w.want(raw, Accepted)
	set, raw := w.change("bank-b", newSet, 1, 3)
	w.want(raw, Accepted)
	w.agree("tax", id, "bank-b")
	w.enacted(removal("bank-b"), "auditor", "bank-a", "court")
	w.want(w.approval("court", "bank-b", own), ProposalUnknown)
	w.want(w.approval("court", "bank-b", set), ProposalUnknown)
	if a := w.want(w.approval("auditor", "tax", id), Accepted); a.Changed {
		t.Error("an approval by one that has left counts")
	}
	if a := w.want(w.approval("court", "tax", id), Accepted); !a.Changed { // three of five
		t.Error("the threshold is not that of those who are left")
	}
	if list, err := Purposes(w.state); err != nil || len(list) != 1 || list[0].Code != "a" {
		t.Errorf("in force are %+v (%v)", list, err)
	}
	if list, err := PurposesAt(w.state, 5); err != nil || list[0].Code != "pre_loan" {
		t.Errorf("before were %+v (%v)", list, err)
	}
}

// The one concerned does not decide about its removal, also not by having
// proposed it.
func TestTheOneConcernedDoesNotDecide(t *testing.T) {
	w := newWorld(t)
	id, raw := w.proposal("bank-b", removal("bank-b"))
	w.want(raw, Accepted)
	w.agree("bank-b", id, "auditor", "court")
	if m, err := LookupMember(w.state, "bank-b"); err != nil || m.Until != 0 {
		t.Fatalf("two of five have removed it: %+v (%v)", m, err)
	}
	w.agree("bank-b", id, "tax")
	w.want(w.sign("bank-b", KindTick, Tick{Head{w.id()}}), Unverified)
}

// A waiting set of cosigners ends with the membership of one of them, and
// approvals by a cosigner that has left do not count.
func TestRemovedCosigner(t *testing.T) {
	w := newWorld(t)
	four := []string{"auditor", "bank-b", "court", "tax"}
	w.approved(oldSet, four, 0, 3)
	w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
	w.approved([]string{"auditor", "bank-b", "court"}, []string{"auditor", "bank-b", "court", "registrar"}, 0, 3)
	id, raw := w.change("tax", oldSet, 0, 2)
	w.want(raw, Accepted)
	w.want(w.approval("bank-b", "tax", id), Accepted)
	w.enacted(removal("bank-b"), "auditor", "bank-a", "court")
	if next, err := ReadNext(w.state); err != nil || next != nil {
		t.Errorf("a set with the member removed waits: %+v (%v)", next, err)
	}
	w.want(w.approval("auditor", "tax", id), Accepted)
	if next, err := ReadNext(w.state); err != nil || next != nil {
		t.Errorf("the approval of the member removed counts: %+v (%v)", next, err)
	}
	w.want(w.approval("court", "tax", id), Accepted)
	if next, err := ReadNext(w.state); err != nil || next == nil {
		t.Errorf("three cosigners that are members agree: %+v (%v)", next, err)
	}
	_, raw = w.change("tax", four, 0, 3)
	w.want(raw, CosignersMember)
}

// By itself a member changes its addresses, ten times a day.
func TestUpdateVerdicts(t *testing.T) {
	w := newWorld(t)
	say := func(edit func(*Card), possession ...[]byte) []byte {
		c := *w.roster().Member("bank-b")
		edit(&c)
		return w.sign("bank-b", KindUpdate, Update{Head{w.id()}, c, possession})
	}
	any4 := slices.Repeat([][]byte{make([]byte, 64)}, 4)
	w.want(say(func(*Card) {}), MemberCard)
	w.want(say(func(c *Card) { c.Name = "bank-a"; c.Addresses = nil }), MemberCard)
	w.want(say(func(c *Card) { c.English = "x"; c.Addresses = nil }), MemberCard)
	w.want(say(func(c *Card) { c.Roles = everyDay(Agency); c.Addresses = nil }), MemberCard)
	w.want(say(func(c *Card) { c.Addresses = nil }, any4...), MemberCard)
	w.want(say(func(c *Card) { c.Addresses = nil }, any4[1:]...), Malformed)
	w.want(say(func(c *Card) { c.Generation = 1 }, any4...), Unsupported)
	w.want(say(func(c *Card) { c.Age = bytes.Repeat([]byte{99}, ageRecipient) }), Unsupported)
	for i := range maxUpdates {
		w.want(w.moved("bank-b", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", i)), Accepted)
	}
	w.want(w.moved("bank-b", "/ip4/127.0.0.1/tcp/99"), MemberOften)
	w.want(w.moved("bank-a", "/ip4/127.0.0.1/tcp/99"), Accepted)
	w.pass(dayMs)
	w.want(w.moved("bank-b", "/ip4/127.0.0.1/tcp/99"), Accepted)
	w.want(w.withdrawal("bank-b", w.id()), ProposalUnknown)
	id, raw := w.change("bank-b", newSet, 1, 3)
	w.want(raw, Accepted)
	w.want(w.withdrawal("bank-a", id), ProposalUnknown)
	w.want(w.withdrawal("bank-b", id), Accepted)
	w.want(w.approval("tax", "bank-b", id), ProposalUnknown)
}

// Nothing is released to a bank that has left or lost the role, though the query
// was open before. A refusal is still recorded.
func TestNoReleaseToABankThatLeft(t *testing.T) {
	for name, change := range map[string]func(w *world) Amendment{
		"left":          func(*world) Amendment { return removal("bank-a") },
		"lost the role": func(w *world) Amendment { return w.roles("bank-a", everyDay(Agency)...) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.granted(0, nil)
			q := w.asking(d, "court", "tax")
			release := w.sign("tax", KindRelease, w.release(q))
			w.enacted(change(w))
			w.want(release, QueryBank)
			raw, err := d.keyring.Revoke(0)
			check(t, err)
			w.want(w.carry("court", raw, nil), Accepted)
			w.want(w.sign("tax", KindRefuse, w.refuse(q)), Accepted)
		})
	}
}

// A title is free when the last member that has it has left, and not before:
// founders may have equal ones.
func TestTitlesAreCounted(t *testing.T) {
	s := newStream(t, "namesakes", func(s *stream, g *Genesis) {
		g.Members = slices.Clone(g.Members)
		for i := range g.Members {
			if name := g.Members[i].Name; name == "bank-a" || name == "bank-b" {
				g.Members[i].Chinese, g.Members[i].English = "银行", "Bank"
			}
		}
	})
	try := func(name, title string) []byte {
		_, raw := s.proposal("tax", s.candidate(name, func(c *Card) { c.English = title }, everyDay(Agency)...))
		return raw
	}
	s.want(try("fire", "Bank"), MemberName)
	s.enacted(removal("bank-a"))
	s.want(try("fire-2", "Bank"), MemberName)
	s.want(try("fire-3", "银行"), MemberName)
	c := *s.roster().Member("bank-b")
	c.English = "The bank"
	s.enacted(Amendment{Action: ChangeRoles, Card: &c})
	s.want(try("fire-4", "银行"), MemberName)
	s.want(try("fire-5", "Bank"), Accepted)
	s.want(try("fire-6", "The bank"), MemberName)
	s.enacted(removal("bank-b"))
	s.want(try("fire-7", "银行"), Accepted)
}

// An application that nobody approved in two weeks is over. The newcomer has used
// nothing up: the same may be proposed again, and admits it.
func TestApplicationAgain(t *testing.T) {
	w := newWorld(t)
	a := w.candidate("fire", nil, everyDay(Agency)...)
	id, raw := w.proposal("tax", a)
	w.want(raw, Accepted)
	w.pass(proposalLife + 1)
	w.want(w.approval("court", "tax", id), ProposalUnknown)
	w.enacted(a)
	if w.roster().Member("fire") == nil {
		t.Error("it is no member")
	}
}
