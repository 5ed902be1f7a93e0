package subject

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// firm is an enterprise in a world, with a valid credential on its log.
type firm struct {
	*Wallet
	t          *testing.T
	w          *audittest.World
	genesis    []byte
	sealed     []byte
	credential []byte
}

const words = "correct horse battery"

func newFirm(t *testing.T) *firm {
	t.Helper()
	f := &firm{t: t, w: audittest.New(t)}
	e, err := ledger.ParseEntry(f.w.Leaves[0])
	f.check(err)
	f.genesis = e.Statement
	f.Wallet, f.sealed, err = New(f.genesis, audittest.Subject, words, rand.NewChaCha8([32]byte{5}))
	f.check(err)
	f.credential = f.w.Credential(f.Subject, f.Enrolment().Key, f.w.Today(), f.w.Today()+400)
	f.w.Issue(f.credential, f.credential)
	return f
}

func (f *firm) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// asked returns a bank's request for outputs of tax and court.
func (f *firm) asked() *Request {
	f.t.Helper()
	today := f.w.Today()
	offers := []consent.Offer{{Agency: "court", Items: []consent.Item{audittest.Cases}}, {Agency: "tax", Items: []consent.Item{audittest.Sales}}}
	r := &Request{Network: f.w.Network[:], Shown: f.w.Shown(offers), Draft: consent.Draft{
		Subject: f.Subject, Bank: "bank-a", Purpose: "pre_loan", Product: "loan", NotBefore: today, NotAfter: today + 29,
		MaxUses: 3, DataLife: 90, Language: consent.English, Name: "Deep Reef Ltd", Date: today, Offers: offers,
	}}
	for _, s := range r.Shown {
		e, err := ledger.ParseEntry(f.w.Leaves[s.Entry])
		f.check(err)
		r.Statements = append(r.Statements, e.Statement)
	}
	_, err := r.DrawUp(f.Network, f.Genesis)
	f.check(err)
	return r
}

// carry has a member put what the firm signed on the log.
func (f *firm) carry(member string, statement, sealed []byte) {
	f.t.Helper()
	a := f.w.SubmitAs(member, ledger.KindCarrier, ledger.Carrier{Head: f.w.Head(), Statement: statement, Sealed: sealed})
	if a.Verdict != ledger.Accepted {
		f.t.Fatalf("%s: %s", a.Verdict, a.Detail)
	}
}

// look reads the firm's history from the world's log, which is cosigned by the
// members by.
func (f *firm) look(seen *ledger.Seen, used uint64, by ...string) (*History, error) {
	source := audit.Source{Fetch: audittest.Fetch(f.w.Files(by...))}
	return f.History(source, seen, used, func() time.Time { return time.UnixMilli(int64(f.w.Now)) })
}

// All keys derive from the seed, which opens only with its passphrase and on
// its network.
func TestWallet(t *testing.T) {
	f := newFirm(t)
	again, err := Locked(f.genesis)
	f.check(err)
	again.Subject = f.Subject
	if err := again.Unlock(f.sealed, "another passphrase"); !errors.Is(err, seal.ErrPassphrase) {
		t.Errorf("opened with another passphrase: %v", err)
	}
	f.check(again.Unlock(f.sealed, words))
	if !bytes.Equal(again.Enrolment().Key, f.Enrolment().Key) || again.ConsentID(7) != f.ConsentID(7) || f.ConsentID(7) == f.ConsentID(8) {
		t.Error("other keys of the same seed")
	}
	if _, err := f.Credential(f.credential, f.Genesis.Roster()); err != nil {
		t.Error(err)
	}
	other := f.w.Credential(audittest.Other, f.Enrolment().Key, f.w.Today(), f.w.Today()+400)
	var refusal *consent.Refusal
	if _, err := f.Credential(other, f.Genesis.Roster()); !errors.As(err, &refusal) || refusal.Code != consent.BadSubject {
		t.Errorf("the credential of another enterprise: %v", err)
	}
	if _, err := f.Credential(f.genesis, f.Genesis.Roster()); err == nil {
		t.Error("a genesis is a credential")
	}
	for _, n := range []uint64{0, 5, 3_000} {
		if got, ok := f.NumberOf(f.ConsentID(n), 0); !ok || got != n {
			t.Errorf("consent %d is found as %d, %v", n, got, ok)
		}
	}
	if _, _, err := New(f.genesis, f.Subject, "1234567890", rand.NewChaCha8([32]byte{})); !errors.Is(err, seal.ErrGuessable) {
		t.Errorf("a seed under digits: %v", err)
	}
	if _, _, err := New([]byte("no genesis"), f.Subject, words, rand.NewChaCha8([32]byte{})); !errors.Is(err, sign.ErrMalformed) {
		t.Error(err)
	}
}

// A consent is void once its registrar is removed and was not to be trusted any
// more when it issued the credential.
func TestConsentUnderVoidCredential(t *testing.T) {
	f := newFirm(t)
	d, err := f.Draft(f.asked(), 4, f.credential, rand.NewChaCha8([32]byte{6}))
	f.check(err)
	f.check(f.Countersign(d))
	signed, err := f.Grant(d)
	f.check(err)
	f.carry("bank-a", signed.Statement, signed.Sealed)
	f.w.Amend(f.w.Joining("registry", ledger.Registrar), "auditor", "court", "registrar", "tax")
	for end, want := range map[uint64]string{uint64(len(f.w.Leaves)): "active", 1: "void"} {
		w := *f.w
		w.State, w.Leaves = ledger.NewMemory(), nil
		for _, leaf := range f.w.Leaves {
			e, err := ledger.ParseEntry(leaf)
			f.check(err)
			w.Submit(e.Statement)
		}
		w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "registrar", TrustEnd: end}, "auditor", "court", "registry", "tax")
		g := *f
		g.w = &w
		h, err := g.look(ledger.NewSeen(f.Genesis), 0, "auditor", "court", "tax")
		f.check(err)
		if len(h.Consents) != 1 || h.Consents[0].State != want {
			t.Errorf("trust ends at entry %d: %+v, want %s", end, h.Consents, want)
		}
	}
}

// A consent is drafted, countersigned and granted in separate steps: the log
// accepts the result of all three, and the enterprise finds it there until it
// revokes it.
func TestConsentInThreeSteps(t *testing.T) {
	f := newFirm(t)
	r := f.asked()
	d, err := f.Draft(r, 4, f.credential, rand.NewChaCha8([32]byte{6}))
	f.check(err)
	if notice, err := r.Notice(f.Network, f.Genesis); err != nil || notice != d.Notice || d.ID != f.ConsentID(4) {
		t.Errorf("%v: the draft is for\n%s", err, d.Notice)
	}
	if _, err := f.Grant(d); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("granted before anybody has signed: %v", err)
	}
	f.check(f.Countersign(d))
	signed, err := f.Grant(d)
	f.check(err)
	if header, err := signed.Header(f.Network); err != nil || header.Bounds.Bank != "bank-a" || header.Bounds.ConsentID() != d.ID {
		t.Errorf("%+v, %v", header, err)
	}
	if _, err := signed.Header(sign.NetworkID{}); !errors.Is(err, sign.ErrSignature) {
		t.Errorf("on another network: %v", err)
	}
	f.carry("bank-a", signed.Statement, signed.Sealed)

	h, err := f.look(ledger.NewSeen(f.Genesis), 0, "auditor", "court", "tax")
	f.check(err)
	if len(h.Consents) != 1 || h.Consents[0].Consent != d.ID.String() || h.Consents[0].State != "active" || h.Consents[0].Left != 3 || h.Consents[0].Product != "loan" {
		t.Fatalf("%+v", h.Consents)
	}
	// Number 4 is used, whatever the enterprise knows.
	if next := h.Restored(0, false); next != 5+restoreMargin {
		t.Errorf("a wallet that knows nothing goes on with %d", next)
	}
	if next := h.Restored(2, true); next != 5+restoreMargin {
		t.Errorf("a wallet that is behind goes on with %d", next)
	}
	if next := h.Restored(9, true); next != 9 {
		t.Errorf("a wallet that knows goes on with %d", next)
	}

	revocation, err := f.Revoke(4)
	f.check(err)
	f.carry("court", revocation, nil)
	after, err := f.look(h.Seen, 5, "auditor", "tax")
	f.check(err)
	if after.Consents[0].State != "revoked" || len(after.Events) != 2 || after.Events[1].By != "court" {
		t.Errorf("%+v, %+v", after.Consents[0], after.Events)
	}

	// The stored head is read again, and no shorter log is accepted after it.
	text, err := SeenText(after.Seen, after.Signed)
	f.check(err)
	seen, err := ReadSeen(text, f.Genesis)
	f.check(err)
	f.w.Leaves = f.w.Leaves[:len(f.w.Leaves)-1]
	var behind *Behind
	if _, err := f.look(seen, 5, "auditor", "tax"); !errors.As(err, &behind) || !errors.Is(err, ErrNotFinal) || behind.Seen != behind.Shown+1 {
		t.Errorf("a shorter log: %v", err)
	}
	if _, err := f.look(ledger.NewSeen(f.Genesis), 5, "tax"); !errors.Is(err, ErrNotFinal) {
		t.Errorf("one member's word: %v", err)
	}
}

// A request that is about another enterprise, of another network, or by
// somebody that is not a bank is not drafted.
func TestDraftRefuses(t *testing.T) {
	f := newFirm(t)
	for name, c := range map[string]struct {
		bend func(*Request)
		want error
	}{
		"another enterprise": {func(r *Request) { r.Draft.Subject = audittest.Other }, ErrSubject},
		"another network":    {func(r *Request) { r.Network = bytes.Repeat([]byte{1}, 32) }, ErrNetwork},
		"another title":      {func(r *Request) { r.Shown[0].Outputs[0].Leaf.OutputEnglish = "a courtesy" }, ErrShown},
	} {
		r := f.asked()
		c.bend(r)
		if d, err := f.Draft(r, 0, f.credential, rand.NewChaCha8([32]byte{6})); !errors.Is(err, c.want) || d != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := f.asked()
	r.Draft.Bank = "tax"
	_, err := r.DrawUp(f.Network, f.Genesis)
	f.check(err)
	d, err := f.Draft(r, 0, f.credential, rand.NewChaCha8([32]byte{6}))
	f.check(err)
	f.check(f.Countersign(d))
	var refusal *consent.Refusal
	if _, err := f.Grant(d); !errors.As(err, &refusal) || refusal.Code != consent.Mismatch {
		t.Errorf("sealed to whom is no bank: %v", err)
	}
}

// The number of the next consent is read as it was written, or refused.
func TestNext(t *testing.T) {
	for _, n := range []uint64{0, 7, 1<<32 - 1} {
		if got, err := ReadNext(NextText(n)); err != nil || got != n {
			t.Errorf("%d is read as %d, %v", n, got, err)
		}
	}
	for _, text := range []string{"", "many", "-1", "1 2", "4294967296"} {
		if _, err := ReadNext([]byte(text)); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An enrolment that is shown has a valid code and a valid key.
func TestEnrolment(t *testing.T) {
	f := newFirm(t)
	e := f.Enrolment()
	f.check(e.Check())
	if !e.Of(f.Network) || e.Of(sign.NetworkID{}) {
		t.Error("of another network")
	}
	key := bytes.Repeat([]byte{1}, 32)
	if got := Fingerprint(key); got != "72cd 6e84 22c4 07fb 6d09 8690 f113 0b7d" {
		t.Errorf("fingerprint %s", got)
	}
	for name, bad := range map[string]*Enrolment{
		"no key":     {Subject: e.Subject, Key: e.Key[:31]},
		"no subject": {Key: e.Key},
		"a cursor":   {Subject: "uscc:\x1b[2J", Key: e.Key},
	} {
		if err := bad.Check(); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
