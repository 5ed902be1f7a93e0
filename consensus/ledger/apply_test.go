package ledger

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

func TestQueryToReceipt(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	q := w.open(d)
	w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
	r := w.release(q)
	w.want(w.sign("tax", KindRelease, r), Accepted)
	w.want(w.sign("court", KindRefuse, w.refuse(q)), Accepted)
	w.want(w.receipt("bank-a", q.ID, Fragment{Agency: "tax", Digest: r.Digest}), Accepted)
	w.want(w.receipt("bank-a", q.ID, Fragment{Agency: "tax", Digest: r.Digest}), FragmentUnknown)
	if got := w.used(d); got != 1 {
		t.Fatalf("used %d, want 1", got)
	}
}

// Each case submits one statement to a world with consent 0 granted and query q
// open under it, and names the expected verdict.
func TestVerdicts(t *testing.T) {
	type scene struct {
		*world
		d *deal
		q QueryOpen
	}
	cases := map[string]struct {
		verdict Verdict
		make    func(s scene) []byte
	}{
		"grant by an agency": {AuthorRole, func(s scene) []byte {
			d := s.compose(1, nil)
			return s.carry("tax", d.grant, d.sealed)
		}},
		"grant carried by another bank": {ConsentBank, func(s scene) []byte {
			d := s.compose(1, nil)
			return s.carry("bank-b", d.grant, d.sealed)
		}},
		"grant that has ended": {ConsentExpired, func(s scene) []byte {
			d := s.compose(1, func(d *consent.Draft) { d.NotBefore -= 9; d.NotAfter = d.NotBefore + 3 })
			return s.carry("bank-a", d.grant, d.sealed)
		}},
		"grant that begins in years": {ConsentBounds, func(s scene) []byte {
			d := s.compose(1, func(d *consent.Draft) { d.NotBefore += 367; d.NotAfter += 367 })
			return s.carry("bank-a", d.grant, d.sealed)
		}},
		"same consent key, other bounds": {Conflict, func(s scene) []byte {
			d := s.compose(0, func(d *consent.Draft) { d.MaxUses = 100 })
			return s.carry("bank-a", d.grant, d.sealed)
		}},
		"body swapped": {Malformed, func(s scene) []byte {
			d := s.compose(1, nil)
			return s.carry("bank-a", d.grant, []byte("another body"))
		}},
		"consent presented as a query": {Malformed, func(s scene) []byte { return s.d.grant }},
		"revoked with a key of another consent": {ConsentKey, func(s scene) []byte {
			other := s.d.keyring.Revocation(7)
			id := s.d.id()
			raw, err := sign.Sign(other, s.network, KindRevoke, consent.Revocation{Consent: id[:], Key: other.Public().(ed25519.PublicKey)})
			check(s.t, err)
			return s.carry("court", raw, nil)
		}},
		"query by an agency":    {AuthorRole, func(s scene) []byte { return s.sign("tax", KindQueryOpen, s.open(s.d)) }},
		"query by another bank": {ConsentBank, func(s scene) []byte { return s.sign("bank-b", KindQueryOpen, s.open(s.d)) }},
		"query without consent": {ConsentUnknown, func(s scene) []byte { return s.sign("bank-a", KindQueryOpen, s.open(s.compose(5, nil))) }},
		"query past its deadline": {QueryDeadline, func(s scene) []byte {
			q := s.open(s.d)
			q.Deadline = s.now - 1
			return s.sign("bank-a", KindQueryOpen, q)
		}},
		"query that never ends": {QueryDeadline, func(s scene) []byte {
			q := s.open(s.d)
			q.Deadline = s.now + MaxQueryLife + minute
			return s.sign("bank-a", KindQueryOpen, q)
		}},
		"query id reused": {Conflict, func(s scene) []byte {
			q := s.q
			q.Deadline++
			return s.sign("bank-a", KindQueryOpen, q)
		}},
		"release by a bank":       {AuthorRole, func(s scene) []byte { return s.sign("bank-b", KindRelease, s.release(s.q)) }},
		"release without a query": {QueryUnknown, func(s scene) []byte { return s.sign("tax", KindRelease, s.release(s.open(s.d))) }},
		"second release": {FragmentSecond, func(s scene) []byte {
			s.want(s.sign("tax", KindRelease, s.release(s.q)), Accepted)
			return s.sign("tax", KindRelease, s.release(s.q))
		}},
		"release after a refusal": {FragmentSecond, func(s scene) []byte {
			s.want(s.sign("tax", KindRefuse, s.refuse(s.q)), Accepted)
			return s.sign("tax", KindRelease, s.release(s.q))
		}},
		"release after the deadline": {QueryClosed, func(s scene) []byte {
			s.pass(minute + 1)
			return s.sign("tax", KindRelease, s.release(s.q))
		}},
		"release after revocation": {ConsentRevoked, func(s scene) []byte {
			raw, err := s.d.keyring.Revoke(0)
			check(s.t, err)
			s.want(s.carry("court", raw, nil), Accepted)
			return s.sign("tax", KindRelease, s.release(s.q))
		}},
		"receipt for nothing": {FragmentUnknown, func(s scene) []byte {
			return s.receipt("bank-a", s.q.ID, Fragment{Agency: "tax", Digest: make([]byte, 32)})
		}},
		"receipt for another bank's query": {QueryUnknown, func(s scene) []byte {
			return s.receipt("bank-b", s.q.ID, Fragment{Agency: "tax", Digest: make([]byte, 32)})
		}},
		"tick by a learner": {Accepted, func(s scene) []byte { return s.sign("bank-b", KindTick, Tick{Head{s.id()}}) }},
		"tick by a clock set back": {Accepted, func(s scene) []byte {
			s.pass(minute)
			s.now -= hour
			return s.sign("tax", KindTick, Tick{Head{s.id()}})
		}},
		"tick dated three days ago": {Late, func(s scene) []byte {
			s.now -= 3 * dayMs
			return s.sign("tax", KindTick, Tick{Head{s.id()}})
		}},
		"tick dated two days ahead": {Early, func(s scene) []byte {
			s.now += 2 * dayMs
			return s.sign("tax", KindTick, Tick{Head{s.id()}})
		}},
		"credential by a bank": {AuthorRole, func(s scene) []byte {
			return s.sign("bank-a", KindCredentialIssue, CredentialIssue{Head{s.id()}, s.bytes32(), []byte("x")})
		}},
		"credential issued twice": {CredentialExists, func(s scene) []byte {
			digest := s.bytes32()
			s.want(s.sign("registrar", KindCredentialIssue, CredentialIssue{Head{s.id()}, digest, []byte("x")}), Accepted)
			return s.sign("registrar", KindCredentialIssue, CredentialIssue{Head{s.id()}, digest, []byte("x")})
		}},
		"credential revoked that was not issued": {CredentialUnknown, func(s scene) []byte {
			return s.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, s.bytes32()})
		}},
		"a kind whose rules come later": {Unsupported, func(s scene) []byte {
			return s.sign("bank-a", KindDeleted, Deleted{Head{s.id()}, [][]byte{s.id()}})
		}},
		"a catalog":           {Accepted, func(s scene) []byte { return s.sign("tax", KindCatalog, s.catalog(1)) }},
		"a catalog of a bank": {AuthorRole, func(s scene) []byte { return s.sign("bank-a", KindCatalog, s.catalog(1)) }},
		"a catalog of another agency's version": {Accepted, func(s scene) []byte {
			s.want(s.sign("court", KindCatalog, s.catalog(7)), Accepted)
			return s.sign("tax", KindCatalog, s.catalog(1))
		}},
		"another catalog under the same version": {CatalogVersion, func(s scene) []byte {
			s.want(s.sign("tax", KindCatalog, s.catalog(2)), Accepted)
			return s.sign("tax", KindCatalog, s.catalog(2))
		}},
		"an older catalog": {CatalogVersion, func(s scene) []byte {
			s.want(s.sign("tax", KindCatalog, s.catalog(2)), Accepted)
			s.want(s.sign("tax", KindCatalog, s.catalog(4)), Accepted)
			return s.sign("tax", KindCatalog, s.catalog(3))
		}},
		"a kind nobody knows": {Malformed, func(s scene) []byte { return s.sign("tax", "coffee.brew", Tick{Head{s.id()}}) }},
		"not a member": {Unverified, func(s scene) []byte {
			raw, err := sign.Sign(sign.Secret{77}.Key("x"), s.network, KindTick, Tick{Head{s.id()}})
			check(s.t, err)
			return raw
		}},
		"another network": {Unverified, func(s scene) []byte {
			raw, err := sign.Sign(s.keys["tax"].Statement(), sign.NetworkID{1}, KindTick, Tick{Head{s.id()}})
			check(s.t, err)
			return raw
		}},
		"dated three days ago": {Late, func(s scene) []byte {
			s.now -= 3 * dayMs
			return s.sign("court", KindCatalog, s.catalog(1))
		}},
		"dated two days ahead": {Early, func(s scene) []byte {
			s.now += 2 * dayMs
			return s.sign("court", KindCatalog, s.catalog(1))
		}},
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := scene{world: w, d: w.granted(0, nil)}
			s.q = w.open(s.d)
			w.want(w.sign("bank-a", KindQueryOpen, s.q), Accepted)
			raw := c.make(s)
			before := w.head()
			a := w.want(raw, c.verdict)
			if noLeaf := a.Leaf == nil; noLeaf != (w.head().Size == before.Size) {
				t.Fatalf("leaf %t, size %d to %d", !noLeaf, before.Size, w.head().Size)
			}
			again := w.submit(raw)
			if again.Leaf != nil || again.Verdict != c.verdict {
				t.Fatalf("a retry got %s and leaf %t", again.Verdict, again.Leaf != nil)
			}
		})
	}
}

func TestRetryIsFree(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	raw := w.sign("bank-a", KindQueryOpen, w.open(d))
	first := w.want(raw, Accepted)
	for range 5 {
		again := w.want(raw, Accepted)
		if !again.Known || again.Index != first.Index || again.Leaf != nil {
			t.Fatalf("retry: %+v", again)
		}
	}
	if got := w.used(d); got != 1 {
		t.Fatalf("used %d, want 1", got)
	}
}

func TestUsesNeverExceedTheLimit(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	accepted := 0
	for range 10 {
		q := w.open(d)
		a := w.submit(w.sign("bank-a", KindQueryOpen, q))
		switch a.Verdict {
		case Accepted:
			accepted++
			w.want(w.sign("tax", KindRelease, w.release(q)), Accepted)
		case ConsentUses:
		default:
			t.Fatalf("verdict %s", a.Verdict)
		}
	}
	if accepted != 3 {
		t.Fatalf("%d accepted, want 3", accepted)
	}
}

func TestUnusedUseComesBack(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, func(d *consent.Draft) { d.MaxUses = 2 })
	first, second := w.open(d), w.open(d)
	w.want(w.sign("bank-a", KindQueryOpen, first), Accepted)
	w.want(w.sign("bank-a", KindQueryOpen, second), Accepted)
	w.want(w.sign("tax", KindRelease, w.release(second)), Accepted)
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), ConsentUses)
	w.pass(minute + 1)
	// The entry that returns the use of the first query may be the same one
	// that needs the returned use.
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), Accepted)
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), ConsentUses)
	if got := w.used(d); got != 2 {
		t.Fatalf("used %d, want 2", got)
	}
}

func TestUseComesBackToTheEntryThatNeedsIt(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, func(d *consent.Draft) { d.MaxUses = 1 })
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), Accepted)
	w.now += minute + 1
	// Two voters' statements bring network time exactly to the deadline: the
	// second of them is processed at the new time.
	w.want(w.sign("tax", KindTick, Tick{Head{w.id()}}), Accepted)
	s := w.head()
	if s.Time != start {
		t.Fatalf("one voter moved time to %d", s.Time)
	}
	w.want(w.sign("court", KindTick, Tick{Head{w.id()}}), Accepted)
	if got := w.used(d); got != 0 {
		t.Fatalf("used %d, want 0", got)
	}
}

func TestFrequency(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, func(d *consent.Draft) {
		d.MaxUses = 10
		d.Frequency = consent.Frequency{Days: 1, Uses: 2}
	})
	spend := func(want Verdict) {
		t.Helper()
		q := w.open(d)
		w.want(w.sign("bank-a", KindQueryOpen, q), want)
		if want == Accepted {
			w.want(w.sign("tax", KindRelease, w.release(q)), Accepted)
		}
	}
	spend(Accepted)
	spend(Accepted)
	spend(ConsentFrequency)
	w.pass(dayMs)
	spend(Accepted)
	spend(Accepted)
	spend(ConsentFrequency)
}

func TestConsentEndsWithItsLastDay(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, func(d *consent.Draft) { d.NotAfter = d.NotBefore + 1; d.MaxUses = 100 })
	end := (d.draft.NotAfter + 1).Start(w.genesis.Offset)
	w.pass(end - 1 - w.now)
	q := w.open(d)
	w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
	w.pass(1)
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), ConsentExpired)
	w.want(w.sign("tax", KindRelease, w.release(q)), ConsentExpired)
}

func TestTombstone(t *testing.T) {
	w := newWorld(t)
	d := w.compose(0, nil)
	raw, err := d.keyring.Revoke(0)
	check(t, err)
	first := w.want(w.carry("court", raw, nil), Accepted)
	again := w.want(w.carry("bank-b", raw, nil), Accepted)
	if !again.Known || again.Index != first.Index {
		t.Fatalf("one revocation by two members: %+v", again)
	}
	w.want(w.carry("bank-a", d.grant, d.sealed), ConsentRevoked)
	// A stranger's revocation under a key that the consent does not name is not
	// a tombstone.
	e := w.compose(1, nil)
	stranger := sign.Secret{42}.Key("x")
	id := e.id()
	raw, err = sign.Sign(stranger, w.network, KindRevoke, consent.Revocation{Consent: id[:], Key: stranger.Public().(ed25519.PublicKey)})
	check(t, err)
	w.want(w.carry("court", raw, nil), Accepted)
	w.want(w.carry("bank-a", e.grant, e.sealed), Accepted)
}

// A grant that a stranger submitted first is refused to the stranger and still
// available to its bank.
func TestNobodySquatsAGrant(t *testing.T) {
	w := newWorld(t)
	d := w.compose(0, nil)
	w.want(w.carry("bank-b", d.grant, d.sealed), ConsentBank)
	w.want(w.carry("court", d.grant, d.sealed), AuthorRole)
	w.want(w.carry("bank-a", d.grant, d.sealed), Accepted)
}

// The state is bounded: after all queries have ended, the remaining records do
// not grow with the number of queries.
func TestStateIsBounded(t *testing.T) {
	sizes := map[int]int{}
	for _, queries := range []int{5, 80} {
		w := newWorld(t)
		d := w.granted(0, func(d *consent.Draft) { d.MaxUses = 100 })
		for range queries {
			q := w.open(d)
			w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
			w.want(w.sign("tax", KindRelease, w.release(q)), Accepted)
		}
		for range 80 {
			w.pass(dayMs)
		}
		n := 0
		for range w.state.All {
			n++
		}
		sizes[queries] = n
	}
	if sizes[5] != sizes[80] {
		t.Fatalf("records left after 5 queries %d, after 80 %d", sizes[5], sizes[80])
	}
}

// Replaying the statements of the leaves gives the same leaves and state (I7).
func TestReplay(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	for range 5 {
		q := w.open(d)
		w.submit(w.sign("bank-a", KindQueryOpen, q))
		w.submit(w.sign("tax", KindRelease, w.release(q)))
		w.pass(minute)
	}
	again := NewMemory()
	for i, leaf := range w.leaves {
		e, err := ParseEntry(leaf)
		check(t, err)
		a, changes, err := Apply(again, e.Statement)
		check(t, err)
		if !bytes.Equal(a.Leaf, leaf) {
			t.Fatalf("entry %d differs", i)
		}
		again.Apply(changes)
	}
	for k, v := range w.state.All {
		if got, _ := again.Get(k); !bytes.Equal(got, v) {
			t.Fatalf("state differs at %x", k)
		}
	}
}
