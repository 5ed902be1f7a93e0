package consent

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"testing"

	"atoll/crypto/sign"
)

// story is one valid consent with one valid ask under it, made from fixed
// randomness. Tests alter it.
type story struct {
	t         testing.TB
	network   sign.NetworkID
	registrar ed25519.PrivateKey
	keyring   Keyring
	draft     Draft
	body      Body
	header    Header
	sealed    []byte
	ask       Ask
	logged    Logged
	at        string // the agency that gets the ask
	random    *rand.ChaCha8
}

const today = Day(20_717)

func tell(t testing.TB) *story {
	t.Helper()
	s := &story{t: t, network: sign.NetworkID{7}, registrar: sign.Secret{1}.Key("r"), at: "tax", random: rand.NewChaCha8([32]byte{3})}
	s.keyring = NewKeyring(sign.Secret{2}, s.network)
	s.draft = Draft{
		Subject: "uscc:914403001922038216", Bank: "bank-a", Purpose: "pre_loan", Product: "流动资金贷款",
		NotBefore: today, NotAfter: today + 29, MaxUses: 3, Frequency: Frequency{Days: 1, Uses: 2}, DataLife: 90, Language: Chinese, Name: "某科技有限公司", Date: today,
		Offers: []Offer{
			{Agency: "tax", Items: []Item{
				{Dataset: "vat", Output: "sales", Disclosure: Band, Months: 24},
				{Dataset: "vat", Output: "growth", Disclosure: Value, Months: 12},
				{Dataset: "vat", Output: "sales", Disclosure: Verify, Months: 24},
			}},
			{Agency: "court", Items: []Item{{Dataset: "cases", Output: "open", Disclosure: Count}}}, // a state
		},
	}
	c := s.compose(0)
	s.sealed = []byte("sealed")
	raw, err := c.Grant(s.sealed)
	s.check(err)
	s.header, s.body = s.open(raw), c.Body
	s.ask = s.asking("tax", []byte("0123456789abcdef"), Want{Item: s.draft.Offers[0].Items[0]})
	return s
}

func (s *story) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) salt() []byte {
	b := make([]byte, 32)
	s.random.Read(b)
	return b
}

func (s *story) credential(edit func(*Credential)) []byte {
	s.t.Helper()
	c := Credential{Salt: s.salt(), Subject: s.draft.Subject, Key: s.keyring.Credential(0).Public().(ed25519.PublicKey), NotBefore: today, NotAfter: today + 365}
	if edit != nil {
		edit(&c)
	}
	raw, err := sign.Sign(s.registrar, s.network, KindCredential, c)
	s.check(err)
	return raw
}

func (s *story) compose(n uint64) *Composed {
	s.t.Helper()
	c, err := Compose(s.draft, "notice", s.keyring, n, s.credential(nil), s.random)
	s.check(err)
	s.check(c.Countersign(s.keyring.Credential(0)))
	return c
}

// A consent cannot be granted before the subject has signed, and what is signed
// are the composed terms.
func TestGrantNeedsTheSubject(t *testing.T) {
	s := tell(t)
	c, err := Compose(s.draft, "notice", s.keyring, 1, s.credential(nil), s.random)
	s.check(err)
	if got, err := c.Grant(s.sealed); !errors.Is(err, sign.ErrMalformed) || got != nil {
		t.Errorf("granted unsigned: %v", err)
	}
	s.check(c.Countersign(s.keyring.Credential(0)))
	raw, err := c.Grant(s.sealed)
	s.check(err)
	h := s.open(raw)
	a := Authority{Network: s.network, Registrar: s.registrar.Public().(ed25519.PublicKey)}
	terms, err := VerifyBody(&h, &c.Body, a, today)
	s.check(err)
	if !bytes.Equal(terms.Notice, NoticeDigest("notice")) || terms.Bounds.ConsentID() != h.Bounds.ConsentID() {
		t.Errorf("signed for %+v", terms)
	}
	s.check(c.Countersign(s.keyring.Credential(1))) // a key other than the one the credential names
	if _, err := VerifyBody(&h, &c.Body, a, today); err == nil {
		t.Error("the terms count under any key")
	}
}

func (s *story) open(raw []byte) (h Header) {
	s.t.Helper()
	st, err := sign.Parse(raw)
	s.check(err)
	s.check(st.Decode(&h))
	s.check(h.Check())
	s.check(st.Verify(s.network, h.Key))
	return h
}

// asking makes the ask to one agency, and sets what the log says about its
// query.
func (s *story) asking(agency string, query []byte, wants ...Want) Ask {
	s.t.Helper()
	section := Section{Salt: s.salt(), Query: query, Agency: agency, Wants: wants, Operator: OperatorTag("bank-a", agency, "Wang")}
	list, err := SlotList([]Section{section}, s.body.Secret(), s.header.Bounds.ConsentID(), s.random)
	s.check(err)
	s.logged = Logged{
		Header: &s.header, Query: [16]byte(query), Slots: list,
		At:     At{Day: today, Purposes: []Purpose{{Code: "pre_loan", Chinese: "贷前", English: "Before a loan", MaxDays: 365, MaxUses: 10, MaxDataLife: 365}}},
		Issuer: Authority{Network: s.network, Registrar: s.registrar.Public().(ed25519.PublicKey)},
	}
	key := AgencyKey(s.body.Secret(), s.header.Bounds.ConsentID(), agency)
	return Ask{
		Query: query, Consent: s.header.Bounds.ID, Terms: s.body.Terms, Credential: s.body.Credential,
		Slice: *s.body.Slice(agency), Section: section, Key: key[:],
	}
}

func (s *story) terms() (t Terms) {
	s.t.Helper()
	st, err := sign.Parse(s.body.Terms)
	s.check(err)
	s.check(st.Decode(&t))
	return t
}

func TestAdmit(t *testing.T) {
	s := tell(t)
	terms, err := s.ask.Admit("tax", s.logged)
	s.check(err)
	if terms.Subject != s.draft.Subject || terms.Purpose != "pre_loan" {
		t.Fatalf("terms %+v", terms)
	}
	// The last day is included, and the other agency is served with its own
	// key.
	s.logged.At.Day = today + 29
	_, err = s.ask.Admit("tax", s.logged)
	s.check(err)
	court := s.asking("court", []byte("fedcba9876543210"), Want{Item: s.draft.Offers[1].Items[0]})
	_, err = court.Admit("court", s.logged)
	s.check(err)
	// A state as of today is not the same as a flow of past months.
	flow := s.draft.Offers[1].Items[0]
	flow.Months = 1
	court = s.asking("court", []byte("fedcba9876543210"), Want{Item: flow})
	var refusal *Refusal
	if _, err = court.Admit("court", s.logged); !errors.As(err, &refusal) || refusal.Code != NotCovered {
		t.Errorf("months of a state: %v", err)
	}
}

func TestVerifyBody(t *testing.T) {
	s := tell(t)
	terms, err := VerifyBody(&s.header, &s.body, s.logged.Issuer, today)
	s.check(err)
	if terms.Subject != s.draft.Subject {
		t.Fatalf("subject %s", terms.Subject)
	}
	for name, bend := range map[string]func(b *Body){
		"another K":       func(b *Body) { b.K = s.salt() },
		"short K":         func(b *Body) { b.K = b.K[:16] },
		"slice twice":     func(b *Body) { b.Slices = append(b.Slices, b.Slices[0]) },
		"slice altered":   func(b *Body) { b.Slices[0].Items[0].Months++ },
		"slice malformed": func(b *Body) { b.Slices[0].Salt = nil },
		"no terms":        func(b *Body) { b.Terms = nil },
	} {
		s := tell(t)
		bend(&s.body)
		if _, err := VerifyBody(&s.header, &s.body, s.logged.Issuer, today); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// The log sees nothing that two consents of one subject share.
func TestConsentsAreUnlinkable(t *testing.T) {
	s := tell(t)
	one, err := s.compose(1).Grant(s.sealed)
	s.check(err)
	two, err := s.compose(2).Grant([]byte("another body"))
	s.check(err)
	a, b := s.open(one), s.open(two)
	seen := map[string]bool{}
	for _, h := range []Header{a, b} {
		for _, field := range append([][]byte{h.Key, h.Bounds.ID, h.Terms, h.Body}, h.Bounds.Revocation...) {
			if seen[string(field)] {
				t.Errorf("%x stands in both", field)
			}
			seen[string(field)] = true
		}
	}
	for _, raw := range [][]byte{one, two} {
		for _, word := range []string{"914403001922038216", "vat", "sales", "pre_loan", "tax", "court", "贷款"} {
			if bytes.Contains(raw, []byte(word)) {
				t.Errorf("the log sees %q", word)
			}
		}
	}
}

func TestDays(t *testing.T) {
	for _, c := range []struct {
		ms     uint64
		offset int16
		want   string
	}{
		{0, 0, "1970-01-01"}, {0, 480, "1970-01-01"}, {16*60*60*1000 - 1, 480, "1970-01-01"}, {16 * 60 * 60 * 1000, 480, "1970-01-02"},
		{1_798_732_799_999, 480, "2026-12-31"}, {1_798_732_800_000, 480, "2027-01-01"}, {1_798_732_800_000, 0, "2026-12-31"}, {1_798_732_800_000, -60, "2026-12-31"},
	} {
		d := DayOf(c.ms, c.offset)
		if d.String() != c.want {
			t.Errorf("%d at %d is %s, want %s", c.ms, c.offset, d, c.want)
		}
		if start := d.Start(c.offset); start > c.ms || DayOf(start, c.offset) != d {
			t.Errorf("%s starts at %d", d, start)
		}
	}
}

func TestOutcomeNames(t *testing.T) {
	for o := Answered; o <= Invalid; o++ {
		text, err := o.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Outcome
		if err := back.UnmarshalText(text); err != nil || back != o {
			t.Errorf("%s comes back as %s: %v", o, back, err)
		}
	}
	var o Outcome
	for _, bad := range []string{"", "clean", "Answered"} {
		if err := o.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is an outcome", bad)
		}
	}
	if _, err := Outcome(0).MarshalText(); err == nil {
		t.Error("no outcome has a name")
	}
}
