package ledger

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// refused returns a statement that becomes an entry and is refused: a member
// without a registrar's role revokes a credential.
func (w *world) refused(member string) []byte {
	return w.sign(member, KindCredentialRevoke, CredentialRevoke{Head{w.id()}, w.bytes32()})
}

// revocation returns a revocation of a consent that nobody has granted.
func (w *world) revocation() []byte {
	key := sign.Secret(w.bytes32()).Key("x")
	raw, err := sign.Sign(key, w.network, KindRevoke, consent.Revocation{Consent: w.bytes32()[:16], Key: key.Public().(ed25519.PublicKey)})
	check(w.t, err)
	return raw
}

// records counts the records of the state.
func (w *world) records() (n int) {
	for range w.state.All {
		n++
	}
	return n
}

// unchanged submits a statement and expects an answer without an entry that
// leaves no trace.
func (w *world) unchanged(raw []byte, verdict Verdict) {
	w.t.Helper()
	before := map[string]string{}
	for k, v := range w.state.All {
		before[string(k)] = string(v)
	}
	answer := w.want(raw, verdict)
	if answer.New || answer.Leaf != nil || answer.Index != 0 || answer.Time != 0 {
		w.t.Errorf("%s has an entry: %+v", verdict, answer)
	}
	for k, v := range w.state.All {
		if before[string(k)] != string(v) {
			w.t.Errorf("%s changed the state at %q", verdict, k)
		}
		delete(before, string(k))
	}
	if len(before) > 0 {
		w.t.Errorf("%s dropped %d records", verdict, len(before))
	}
}

// A member may add exactly as many entries as genesis says. Other members, and
// the same member on the next day, may add more.
func TestBudgetOfEntries(t *testing.T) {
	w := newWorldWith(t, Budget{Entries: 5, Bytes: 1 << 20})
	for range 5 {
		w.want(w.refused("bank-a"), AuthorRole)
	}
	over := w.refused("bank-a")
	w.unchanged(over, AuthorBudget)
	w.want(w.refused("bank-b"), AuthorRole)
	w.pass(dayMs - (start+8*hour)%dayMs - 1) // to the last millisecond of the day
	w.unchanged(over, AuthorBudget)
	w.pass(1)
	answer := w.want(over, AuthorRole) // it was not remembered
	if !answer.New {
		t.Errorf("%+v", answer)
	}
	for range 4 {
		w.want(w.refused("bank-a"), AuthorRole)
	}
	w.unchanged(w.refused("bank-a"), AuthorBudget)
}

// Leaves count in bytes against the signer of the outer statement, up to the
// exact limit.
func TestBudgetOfBytes(t *testing.T) {
	w := newWorldWith(t, Budget{Entries: 100, Bytes: MaxEntry})
	sized := func(member string, n int) []byte {
		return w.sign(member, KindCredentialIssue, CredentialIssue{Head{w.id()}, w.bytes32(), make([]byte, n)})
	}
	first := w.want(sized("bank-a", maxSealed), AuthorRole)
	// The overhead around the sealed part is the same in both.
	rest := MaxEntry - len(first.Leaf) - (len(first.Leaf) - maxSealed)
	w.unchanged(sized("bank-a", rest+1), AuthorBudget)
	second := w.want(sized("bank-a", rest), AuthorRole)
	if len(first.Leaf)+len(second.Leaf) != MaxEntry {
		t.Fatalf("%d and %d bytes are not the budget to the byte", len(first.Leaf), len(second.Leaf))
	}
	w.unchanged(w.refused("bank-a"), AuthorBudget)
	d := w.compose(0, nil)
	w.unchanged(w.carry("bank-a", d.grant, d.sealed), AuthorBudget) // the carrier's, not the subject's
	w.want(w.refused("tax"), AuthorRole)
}

// What others have paid for is free if it is accepted, and counts if it is
// refused; everything else counts in both cases.
func TestWhatIsFree(t *testing.T) {
	w := newWorldWith(t, Budget{Entries: 4, Bytes: 1 << 20})
	d, e := w.granted(0, nil), w.granted(1, nil)
	q := w.open(d)
	w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
	digest := w.bytes32()
	w.want(w.sign("registrar", KindCredentialIssue, CredentialIssue{Head{w.id()}, digest, []byte("x")}), Accepted)
	id, proposal := w.change("court", []string{"auditor", "court", "tax"}, 0, 2)
	w.want(proposal, Accepted)
	w.want(w.approval("tax", "court", id), Accepted)
	for _, member := range []string{"auditor", "bank-a", "court", "registrar", "tax"} {
		for i := 0; w.submit(w.refused(member)).Verdict != AuthorBudget; i++ {
			if i > 4 {
				t.Fatalf("%s is never over its budget", member)
			}
		}
	}
	r := w.release(q)
	w.want(w.sign("tax", KindRelease, r), Accepted)
	w.unchanged(w.sign("tax", KindRelease, w.release(q)), AuthorBudget)
	w.want(w.sign("court", KindRefuse, w.refuse(q)), Accepted)
	w.unchanged(w.sign("court", KindRefuse, w.refuse(q)), AuthorBudget)
	w.want(w.receipt("bank-a", q.ID, Fragment{Agency: "tax", Digest: r.Digest}), Accepted)
	w.unchanged(w.receipt("bank-a", q.ID, Fragment{Agency: "tax", Digest: r.Digest}), AuthorBudget)
	w.unchanged(w.sign("bank-a", KindQueryOpen, w.open(d)), AuthorBudget)
	w.want(w.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{w.id()}, digest}), Accepted)
	w.unchanged(w.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{w.id()}, digest}), AuthorBudget)
	w.want(w.approval("auditor", "court", id), Accepted)
	w.unchanged(w.approval("auditor", "court", id), AuthorBudget)
	w.unchanged(w.carry("tax", w.revocation(), nil), AuthorBudget)
	for n, carrier := range []string{"tax", "bank-a"} {
		raw, err := d.keyring.Revoke(uint64(n))
		check(t, err)
		w.want(w.carry(carrier, raw, nil), Accepted)
		if again := w.want(w.carry("court", raw, nil), Accepted); !again.Known {
			t.Errorf("%+v", again)
		}
	}
	_, next := w.change("tax", []string{"auditor", "court", "tax"}, 0, 2)
	w.want(next, Accepted)
	w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", "auditor", "court", "tax")), Accepted)
	w.unchanged(w.handover("tax", []byte("x")), AuthorBudget)
	if c, err := LookupConsent(w.state, e.id()); err != nil || c.Revoked == 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// Some proposals a day are free, so that a network can change however busy it
// is. Further ones are charged, because nobody else pays for them.
func TestFreeProposalsAreBounded(t *testing.T) {
	w := newWorldWith(t, Budget{Entries: 3, Bytes: 1 << 20})
	propose := func() []byte {
		_, raw := w.change("bank-a", []string{"auditor", "court", "tax"}, 0, 2)
		return raw
	}
	for range freeProposals + 3 {
		w.want(propose(), Accepted)
	}
	w.unchanged(propose(), AuthorBudget)
	w.unchanged(w.refused("bank-a"), AuthorBudget)
}

// Ticks have a budget of their own: a member that has used up its day still
// states its time, and no member can fill the log with ticks.
func TestBudgetOfTicks(t *testing.T) {
	w := newWorldWith(t, Budget{Entries: 1, Bytes: 1 << 20})
	w.want(w.refused("tax"), AuthorRole)
	w.unchanged(w.refused("tax"), AuthorBudget)
	size := w.head().Size
	const most = 20_000
	said, err := get[spent](w.state, spentKey("tax"))
	check(t, err)
	said.Ticks = most - 1 // as if it had ticked this often
	record, err := sign.Marshal(said)
	check(t, err)
	w.state.Apply([]Change{{spentKey("tax"), record}})
	for _, verdict := range []Verdict{Accepted, AuthorBudget} {
		w.now++
		w.want(w.sign("tax", KindTick, Tick{Head{w.id()}}), verdict)
	}
	w.want(w.sign("court", KindTick, Tick{Head{w.id()}}), Accepted)
	if got := w.head().Size - size; got != 2 {
		t.Errorf("%d entries", got)
	}
}

// Revocations of consents that do not exist leave records for years: each
// member can make a few a day, whoever requests it. Revocations of granted
// consents are not limited.
func TestTombstonesAreBounded(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	for range maxTombstones {
		w.want(w.carry("court", w.revocation(), nil), Accepted)
	}
	before := w.records()
	for range 50 {
		w.unchanged(w.carry("court", w.revocation(), nil), AuthorBudget)
	}
	if got := w.records(); got != before {
		t.Errorf("%d records more", got-before)
	}
	raw, err := d.keyring.Revoke(0)
	check(t, err)
	w.want(w.carry("court", raw, nil), Accepted)
	w.want(w.carry("tax", w.revocation(), nil), Accepted)
}

// A statement of a kind without rules makes no entry, however often it is
// submitted.
func TestUnsupportedHasNoEntry(t *testing.T) {
	w := newWorld(t)
	query := QueryRef{Bank: "bank-a", ID: w.id()}
	key := sign.Secret{7}.Key("x")
	body := []byte("sealed")
	objection, err := sign.Sign(key, w.network, KindObjection, Objection{Key: key.Public().(ed25519.PublicKey), Query: query, Agency: "tax", Body: consent.BodyDigest(body)})
	check(t, err)
	for _, raw := range [][]byte{
		w.sign("bank-a", KindDeleted, Deleted{Head{w.id()}, [][]byte{w.id()}}),
		w.sign("tax", KindPropose, Propose{Head{w.id()}, Amendment{Action: ChangeVersion, Version: 3}}),
		w.sign("tax", KindObjectionAnswer, ObjectionAnswer{Head{w.id()}, w.bytes32(), body}),
		w.carry("court", objection, body),
	} {
		w.unchanged(raw, Unsupported)
	}
}

// An answer without an entry moves no clock; otherwise a clock could be moved
// without cost.
func TestNoEntryMovesNoClock(t *testing.T) {
	w := newWorldWith(t, Budget{Entries: 1, Bytes: 1 << 20})
	w.want(w.refused("tax"), AuthorRole)
	w.want(w.refused("court"), AuthorRole)
	w.now += hour
	w.unchanged(w.refused("tax"), AuthorBudget)
	w.unchanged(w.refused("court"), AuthorBudget)
	w.unchanged(w.sign("court", KindDeleted, Deleted{Head{w.id()}, [][]byte{w.id()}}), Unsupported)
	w.unchanged(w.sign("tax", KindDeleted, Deleted{Head{w.id()}, [][]byte{w.id()}}), Unsupported)
	if got := w.head().Time; got != start {
		t.Errorf("network time moved by %d ms", got-start)
	}
}

// What a leader foretells is what the rules decide. An answer without an entry
// is foretold: it can be given without storing the statement first.
func TestForetell(t *testing.T) {
	w := newWorldWith(t, Budget{Entries: 4, Bytes: 1 << 20})
	d := w.granted(0, nil)
	q := w.sign("bank-a", KindQueryOpen, w.open(d))
	w.want(q, Accepted)
	w.want(w.refused("bank-a"), AuthorRole)
	id := w.id()
	conflict := func() []byte {
		return w.sign("bank-a", KindReceipt, Receipt{Head{id}, w.id(), []Fragment{{Agency: "tax", Digest: w.bytes32()}}})
	}
	w.want(conflict(), QueryUnknown)
	other := conflict()
	late, early := "", ""
	w.now -= 3 * dayMs
	late = string(w.refused("tax"))
	w.now += 6 * dayMs
	early = string(w.refused("tax"))
	w.now -= 3 * dayMs
	for _, raw := range [][]byte{
		q, other, []byte(late), []byte(early), w.refused("bank-a"), w.sign("tax", KindDeleted, Deleted{Head{w.id()}, [][]byte{w.id()}}),
		w.refused("tax"), w.sign("tax", KindTick, Tick{Head{w.id()}}),
	} {
		s, err := Parse(raw)
		check(t, err)
		want, changes, err := Apply(w.state, raw)
		check(t, err)
		got, err := Foretell(w.state, s)
		check(t, err)
		if changes == nil && (got.Verdict != want.Verdict || got.Index != want.Index || got.Known != want.Known) || changes != nil && got.Verdict != "" {
			t.Errorf("%s foretold, %s with %d changes decided", got.Verdict, want.Verdict, len(changes))
		}
	}
}

// A malformed statement costs no more than detecting it: the signatures of a
// founding document are not verified each time somebody submits one.
func TestMalformedIsCheap(t *testing.T) {
	w := newWorld(t)
	e, err := ParseEntry(w.leaves[0])
	check(t, err)
	known := w.submit(e.Statement)
	if !known.Known || known.Index != 0 || known.Verdict != Accepted {
		t.Errorf("genesis again: %+v", known)
	}
	bent := slices.Clone(e.Statement)
	bent[len(bent)-1] ^= 1 // of the last signature
	w.unchanged(bent, Malformed)
	opening := testing.AllocsPerRun(10, func() { _, _, err = VerifyGenesis(bent) })
	refusing := testing.AllocsPerRun(10, func() { _, _, _ = Verify(w.state, bent, nil) })
	if err == nil || refusing > opening/2 {
		t.Errorf("%v allocations to refuse it, %v to open it (%v)", refusing, opening, err)
	}
}

// A genesis of version 1 is reported as such, and a budget of zero founds
// nothing.
func TestGenesisVersion(t *testing.T) {
	w := newWorld(t)
	g := *w.genesis
	g.Version, g.Entries, g.Bytes = 1, 0, 0
	if err := g.Check(); !errors.Is(err, ErrVersion) || !errors.Is(err, sign.ErrMalformed) || !strings.Contains(err.Error(), "this log is of format version 1") {
		t.Errorf("%v", err)
	}
	for _, b := range []Budget{{0, 1 << 20}, {1, 0}, {1, MaxEntry - 1}, {maxBudget + 1, 1 << 20}, {1, maxBudget + 1}} {
		g := *w.genesis
		g.Entries, g.Bytes = b.Entries, b.Bytes
		if err := g.Check(); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%+v: %v", b, err)
		}
	}
}
