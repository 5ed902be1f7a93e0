package consent

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// story is one valid consent with one valid ask under it, made of fixed
// randomness, for tests to bend.
type story struct {
	t         *testing.T
	network   sign.NetworkID
	registrar ed25519.PrivateKey
	keyring   Keyring
	draft     Draft
	body      Body
	header    Header
	sealed    []byte
	ask       Ask
	logged    Logged
	random    *rand.ChaCha8
}

const today = Day(20_717)

func tell(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, network: sign.NetworkID{7}, registrar: sign.Secret{1}.Key("r"), random: rand.NewChaCha8([32]byte{3})}
	s.keyring = NewKeyring(sign.Secret{2}, s.network)
	s.draft = Draft{
		Subject: "uscc:914403001922038216", Bank: "bank-a", Purpose: "pre_loan", Product: "流动资金贷款",
		NotBefore: today, NotAfter: today + 29, MaxUses: 3, Frequency: Frequency{Days: 1, Uses: 2}, DataLife: 90, Language: Chinese,
		Offers: []Offer{
			{Agency: "tax", Items: []Item{
				{Dataset: "vat", Output: "sales", Disclosure: Band, Months: 24},
				{Dataset: "vat", Output: "growth", Disclosure: Value, Months: 12},
				{Dataset: "vat", Output: "sales", Disclosure: Verify, Months: 24},
			}},
			{Agency: "court", Items: []Item{{Dataset: "cases", Output: "open", Disclosure: Count, Months: 36}}},
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
	c, err := Compose(s.draft, "notice", s.keyring, 0, n, s.credential(nil), s.random)
	s.check(err)
	return c
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

// asking makes the ask to one agency and what the log says of its query.
func (s *story) asking(agency string, query []byte, wants ...Want) Ask {
	s.t.Helper()
	section := Section{Salt: s.salt(), Query: query, Agency: agency, Wants: wants}
	list, err := SectionList([]Section{section}, s.random)
	s.check(err)
	s.logged = Logged{
		Header: &s.header, Query: [16]byte(query), Sections: list,
		At:     At{Day: today, Purposes: []Purpose{{Code: "pre_loan", Chinese: "贷前", English: "Before a loan", MaxDays: 365, MaxUses: 10, MaxDataLife: 365}}},
		Issuer: Authority{Network: s.network, Registrar: s.registrar.Public().(ed25519.PublicKey)},
	}
	key := AgencyKey(s.body.Secret(), s.header.Bounds.ConsentID(), agency)
	return Ask{
		Query: query, Consent: s.header.Bounds.ID, Terms: s.body.Terms, Credential: s.body.Credential,
		Slice: *s.body.Slice(agency), Section: section, Key: key[:],
	}
}

// resign replaces the terms by edited ones that the subject signed, and the
// header by one that commits to them, as a subject itself could.
func (s *story) resign(edit func(*Terms)) {
	s.t.Helper()
	t := s.terms()
	edit(&t)
	raw, err := sign.Sign(s.keyring.Credential(0), s.network, KindTerms, t)
	s.check(err)
	s.ask.Terms = raw
	s.header.Terms, err = t.Digest()
	s.check(err)
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
	// The last day counts, and so does the other agency with its own key.
	s.logged.At.Day = today + 29
	_, err = s.ask.Admit("tax", s.logged)
	s.check(err)
	court := s.asking("court", []byte("fedcba9876543210"), Want{Item: s.draft.Offers[1].Items[0]})
	_, err = court.Admit("court", s.logged)
	s.check(err)
}

// Every way in which one part of a valid consent and ask may be bent, with
// the code of the refusal.
var mutations = map[string]struct {
	code Code
	bend func(*story)
}{
	// The subject and its keys.
	"terms signed by another subject": {BadSubject, func(s *story) {
		t := s.terms()
		raw, err := sign.Sign(sign.Secret{99}.Key("x"), s.network, KindTerms, t)
		s.check(err)
		s.ask.Terms = raw
	}},
	"terms signed on another network": {BadSubject, func(s *story) {
		raw, err := sign.Sign(s.keyring.Credential(0), sign.NetworkID{8}, KindTerms, s.terms())
		s.check(err)
		s.ask.Terms = raw
	}},
	"terms signed as another kind": {BadSubject, func(s *story) {
		raw, err := sign.Sign(s.keyring.Credential(0), s.network, KindGrant, s.terms())
		s.check(err)
		s.ask.Terms = raw
	}},
	"terms with a flipped bit":        {BadSubject, func(s *story) { s.ask.Terms = flipped(s.ask.Terms, len(s.ask.Terms)/2) }},
	"terms cut":                       {BadSubject, func(s *story) { s.ask.Terms = s.ask.Terms[:len(s.ask.Terms)-1] }},
	"no terms":                        {BadSubject, func(s *story) { s.ask.Terms = nil }},
	"terms about another subject":     {BadSubject, func(s *story) { s.resign(func(t *Terms) { t.Subject = "uscc:91110000600037341L" }) }},
	"terms about a malformed subject": {BadSubject, func(s *story) { s.resign(func(t *Terms) { t.Subject = "uscc:914403001922038217" }) }},
	"credential of another registrar": {BadSubject, func(s *story) { s.registrar = sign.Secret{50}.Key("r"); s.ask.Credential = s.credential(nil) }},
	"credential for another key":      {BadSubject, func(s *story) { s.ask.Credential = s.credential(func(c *Credential) { c.Key = s.salt() }) }},
	"credential for another subject": {BadSubject, func(s *story) {
		s.ask.Credential = s.credential(func(c *Credential) { c.Subject = "uscc:91110000600037341L" })
	}},
	"credential that has ended": {BadSubject, func(s *story) {
		s.ask.Credential = s.credential(func(c *Credential) { c.NotBefore -= 9; c.NotAfter = today - 1 })
	}},
	"credential not yet valid":  {BadSubject, func(s *story) { s.ask.Credential = s.credential(func(c *Credential) { c.NotBefore = today + 1 }) }},
	"credential without a salt": {BadSubject, func(s *story) { s.ask.Credential = s.credential(func(c *Credential) { c.Salt = nil }) }},
	"terms in the credential":   {BadSubject, func(s *story) { s.ask.Credential = s.ask.Terms }},
	"credential with a flip":    {BadSubject, func(s *story) { s.ask.Credential = flipped(s.ask.Credential, 40) }},

	// Header and terms.
	"terms of another header": {Mismatch, func(s *story) { s.header.Terms = s.salt() }},
	"header names more uses":  {Mismatch, func(s *story) { s.header.Bounds.MaxUses = 100 }},
	"header begins earlier":   {Mismatch, func(s *story) { s.header.Bounds.NotBefore-- }},
	"header ends later":       {Mismatch, func(s *story) { s.header.Bounds.NotAfter++ }},
	"header for another bank": {Mismatch, func(s *story) { s.header.Bounds.Bank = "bank-b" }},
	"header drops frequency":  {Mismatch, func(s *story) { s.header.Bounds.Frequency = Frequency{} }},
	"header allows alerts":    {Mismatch, func(s *story) { s.header.Bounds.MaxAlerts = 1 }},
	"header swaps a revocation key": {Mismatch, func(s *story) {
		s.header.Bounds.Revocation = slices.Clone(s.header.Bounds.Revocation)
		s.header.Bounds.Revocation[0] = make([]byte, 16)
	}},
	"terms allow more than the header": {Mismatch, func(s *story) { s.resign(func(t *Terms) { t.Bounds.MaxUses = 9 }) }},
	"header of another consent":        {Mismatch, func(s *story) { s.header.Bounds.ID = s.salt()[:16] }},

	// The slice.
	"slice with one more output": {Mismatch, func(s *story) {
		s.ask.Slice.Items = append(slices.Clone(s.ask.Slice.Items), Item{Dataset: "vat", Output: "zz", Disclosure: Value, Months: 1})
	}},
	"slice with a longer window":   {Mismatch, func(s *story) { s.ask.Slice.Items = slices.Clone(s.ask.Slice.Items); s.ask.Slice.Items[1].Months = 120 }},
	"slice with another salt":      {Mismatch, func(s *story) { s.ask.Slice.Salt = s.salt() }},
	"slice of another agency":      {Mismatch, func(s *story) { s.ask.Slice = *s.body.Slice("court") }},
	"slice renamed to this agency": {Mismatch, func(s *story) { c := *s.body.Slice("court"); c.Agency = "tax"; s.ask.Slice = c; s.useKey("tax") }},
	"slice of another consent":     {Mismatch, func(s *story) { s.ask.Slice.Consent = s.salt()[:16] }},
	"slice out of order":           {Mismatch, func(s *story) { slices.Reverse(s.ask.Slice.Items) }},
	"slice without items":          {Mismatch, func(s *story) { s.ask.Slice.Items = nil }},
	"slice committed elsewhere":    {Mismatch, func(s *story) { s.ask.Slice.Commitment = s.salt() }},
	"key that the slice lacks":     {Mismatch, func(s *story) { s.ask.Key = s.salt() }},
	"key of another agency":        {Mismatch, func(s *story) { s.useKey("court") }},
	"short key":                    {Mismatch, func(s *story) { s.ask.Key = s.ask.Key[:31] }},

	// The section and the query.
	"section not logged": {Mismatch, func(s *story) {
		s.logged.Sections, _ = SectionList([]Section{{Salt: s.salt(), Query: s.ask.Query, Agency: "tax", Wants: s.ask.Section.Wants}}, s.random)
	}},
	"section with another salt":  {Mismatch, func(s *story) { s.ask.Section.Salt = s.salt() }},
	"section of another query":   {Mismatch, func(s *story) { s.relog(func(q *Section) { q.Query = s.salt()[:16] }) }},
	"ask for another query":      {Mismatch, func(s *story) { s.logged.Query[0] ^= 1 }},
	"section for another agency": {Mismatch, func(s *story) { s.relog(func(q *Section) { q.Agency = "court" }) }},
	"section repeats an output":  {Mismatch, func(s *story) { s.relogRaw(func(q *Section) { q.Wants = append(q.Wants, q.Wants[0]) }) }},
	"verify without a predicate": {Mismatch, func(s *story) { s.relogRaw(func(q *Section) { q.Wants[0].Item.Disclosure = Verify }) }},
	"predicate on a band":        {Mismatch, func(s *story) { s.relogRaw(func(q *Section) { q.Wants[0].Predicate = "x > 1" }) }},
	"empty section":              {Mismatch, func(s *story) { s.relogRaw(func(q *Section) { q.Wants = nil }) }},

	// What is asked.
	"an output not granted":       {NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Output = "margin" }) }},
	"a dataset not granted":       {NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Dataset = "income" }) }},
	"value where band is granted": {NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Disclosure = Value }) }},
	"a longer window":             {NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Months = 25 }) }},

	// Time and purpose.
	"a day early": {NotYet, func(s *story) {
		s.logged.At.Day = today - 1
		s.ask.Credential = s.credential(func(c *Credential) { c.NotBefore-- })
	}},
	"a day late":                    {Expired, func(s *story) { s.logged.At.Day = today + 30 }},
	"a purpose the network lacks":   {BadPurpose, func(s *story) { s.resign(func(t *Terms) { t.Purpose = "marketing" }) }},
	"purpose rules allow less time": {BadPurpose, func(s *story) { s.logged.At.Purposes[0].MaxDays = 29 }},
	"purpose rules allow less uses": {BadPurpose, func(s *story) { s.logged.At.Purposes[0].MaxUses = 2 }},
	"data kept longer than allowed": {BadPurpose, func(s *story) { s.resign(func(t *Terms) { t.DataLife = 366 }) }},
	"no purpose rules":              {BadPurpose, func(s *story) { s.logged.At.Purposes = nil }},
}

func (s *story) useKey(agency string) {
	key := AgencyKey(s.body.Secret(), s.header.Bounds.ConsentID(), agency)
	s.ask.Key = key[:]
}

// relog bends the section and logs the bent one.
func (s *story) relog(edit func(*Section)) {
	s.t.Helper()
	edit(&s.ask.Section)
	var err error
	s.logged.Sections, err = SectionList([]Section{s.ask.Section}, s.random)
	s.check(err)
}

// relogRaw does the same with a section that no honest bank could list.
func (s *story) relogRaw(edit func(*Section)) {
	s.t.Helper()
	edit(&s.ask.Section)
	d, err := s.ask.Section.Digest()
	s.check(err)
	s.logged.Sections = [][]byte{d}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func TestMutations(t *testing.T) {
	if len(mutations) < 40 {
		t.Fatalf("%d mutations", len(mutations))
	}
	for name, m := range mutations {
		t.Run(name, func(t *testing.T) {
			s := tell(t)
			m.bend(s)
			_, err := s.ask.Admit("tax", s.logged)
			var r *Refusal
			if !errors.As(err, &r) || r.Code != m.code {
				t.Fatalf("got %v, want %s", err, m.code)
			}
			if strings.Contains(err.Error(), "914403001922038216") || strings.Contains(err.Error(), "91110000600037341L") {
				t.Fatalf("the refusal names the subject: %v", err)
			}
		})
	}
	s := tell(t)
	if _, err := s.ask.Admit("court", s.logged); err == nil {
		t.Error("another agency admits the ask")
	}
}

func TestOpenBody(t *testing.T) {
	s := tell(t)
	terms, err := OpenBody(&s.header, &s.body, s.logged.Issuer, today)
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
		if _, err := OpenBody(&s.header, &s.body, s.logged.Issuer, today); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// Two consents of one subject share nothing that the log sees.
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

func TestNotice(t *testing.T) {
	titles := map[string]string{"tax": "省税务局", "bank-a": "甲银行", "pre_loan": "贷前调查", "vat": "增值税申报", "vat.sales": "销售额", "vat.growth": "销售额增长率", "court": "省法院", "cases": "案件", "cases.open": "未结案件"}
	for _, lang := range []string{Chinese, English} {
		s := tell(t)
		s.draft.Language = lang
		got, err := Notice(s.draft, func(name string) string {
			if lang == English {
				return ""
			}
			return titles[name]
		})
		s.check(err)
		file := "testdata/notice." + lang + ".txt"
		if os.Getenv("UPDATE") != "" {
			s.check(os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		s.check(err)
		if got != string(want) {
			t.Errorf("%s:\n%s", lang, got)
		}
	}
	if _, err := Notice(Draft{Language: "fr"}, func(string) string { return "" }); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("french: %v", err)
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
