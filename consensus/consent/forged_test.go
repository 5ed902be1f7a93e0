package consent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// forgery is one way to alter a valid consent and the ask under it. It has the
// code that each of three checks returns: the bank opening the body, the agency
// admitting the ask, and the decision alone. An empty code means that this
// check does not look at what was altered.
type forgery struct {
	name           string
	body, ask, own Code
	bend           func(*story)
}

// termsEdits changes every field of the terms to another valid value.
var termsEdits = []struct {
	field string
	edit  func(*story, *Terms)
}{
	{"blind", func(s *story, t *Terms) { t.Blind = s.salt() }},
	{"id", func(s *story, t *Terms) { t.Bounds.ID = s.salt()[:16] }},
	{"bank", func(_ *story, t *Terms) { t.Bounds.Bank = "bank-b" }},
	{"first day", func(_ *story, t *Terms) { t.Bounds.NotBefore-- }},
	{"last day", func(_ *story, t *Terms) { t.Bounds.NotAfter++ }},
	{"uses", func(_ *story, t *Terms) { t.Bounds.MaxUses++ }},
	{"frequency", func(_ *story, t *Terms) { t.Bounds.Frequency.Uses++ }},
	{"alerts", func(_ *story, t *Terms) { t.Bounds.MaxAlerts++ }},
	{"revocation", func(_ *story, t *Terms) {
		t.Bounds.Revocation = slices.Clone(t.Bounds.Revocation)
		t.Bounds.Revocation[0] = make([]byte, 16)
	}},
	{"purpose", func(_ *story, t *Terms) { t.Purpose = "post_loan" }},
	{"product", func(_ *story, t *Terms) { t.Product = "抵押贷款" }},
	{"data life", func(_ *story, t *Terms) { t.DataLife++ }},
	{"language", func(_ *story, t *Terms) { t.Language = English }},
	{"notice", func(s *story, t *Terms) { t.Notice = s.salt() }},
	{"name", func(_ *story, t *Terms) { t.Name = "另一公司" }},
	{"date", func(_ *story, t *Terms) { t.Date++ }},
	{"slices", func(s *story, t *Terms) {
		t.Slices = slices.Clone(t.Slices)
		t.Slices[0] = make([]byte, 32)
	}},
}

// credentialEdits changes every field of the credential but its subject to
// another valid value.
var credentialEdits = []struct {
	field string
	edit  func(*story, *Credential)
}{
	{"salt", func(s *story, c *Credential) { c.Salt = s.salt() }},
	{"subject", func(_ *story, c *Credential) { c.Subject = "uscc:91110000600037341L" }},
	{"key", func(_ *story, c *Credential) { c.Key = stranger.Public().(ed25519.PublicKey) }},
	{"first day", func(_ *story, c *Credential) { c.NotBefore -= 5 }},
	{"last day", func(_ *story, c *Credential) { c.NotAfter += 5 }},
}

// sliceEdits changes every field of the tax office's slice.
var sliceEdits = []struct {
	field string
	own   Code // empty where the slice is malformed by itself
	edit  func(*story, *Slice)
}{
	{"salt", Mismatch, func(s *story, c *Slice) { c.Salt = s.salt() }},
	{"consent", Mismatch, func(s *story, c *Slice) { c.Consent = s.salt()[:16] }},
	{"agency", Mismatch, func(_ *story, c *Slice) { c.Agency = "power" }},
	{"commitment", Mismatch, func(s *story, c *Slice) { c.Commitment = s.salt() }},
	{"one more output", Mismatch, func(_ *story, c *Slice) {
		c.Items = append(c.Items, Item{Dataset: "vat", Output: "zz", Disclosure: Value, Months: 1})
	}},
	{"one output less", Mismatch, func(_ *story, c *Slice) { c.Items = c.Items[:2] }},
	{"a longer window", Mismatch, func(_ *story, c *Slice) { c.Items[1].Months = MaxMonths }},
	{"value for band", Mismatch, func(_ *story, c *Slice) { c.Items[1].Disclosure = Value }},
	{"another dataset", Mismatch, func(_ *story, c *Slice) { c.Items[2].Dataset = "wages" }},
	{"out of order", "", func(_ *story, c *Slice) { slices.Reverse(c.Items) }},
	{"an output twice", "", func(_ *story, c *Slice) { c.Items[0] = c.Items[1] }},
	{"no outputs", "", func(_ *story, c *Slice) { c.Items = nil }},
	{"no salt", "", func(_ *story, c *Slice) { c.Salt = nil }},
	{"a short commitment", "", func(_ *story, c *Slice) { c.Commitment = c.Commitment[:31] }},
}

// stranger is a key of nobody on this network.
var stranger = sign.Secret{99}.Key("x")

// fieldForgeries alter single fields: unsigned, signed by a stranger, and, for
// terms, signed by the subject itself over a header with other content.
func fieldForgeries() (list []forgery) {
	for _, e := range termsEdits {
		list = append(list,
			forgery{"terms: " + e.field + " edited under the old signature", BadSubject, Mismatch, Mismatch, func(s *story) { s.tamper(e.edit) }},
			forgery{"terms: " + e.field + " signed by a stranger", BadSubject, Mismatch, Mismatch, func(s *story) { s.swear(stranger, e.edit) }},
			forgery{"terms: " + e.field + " signed again under the old header", Mismatch, Mismatch, Mismatch, func(s *story) { s.swear(s.keyring.Credential(0), e.edit) }},
		)
	}
	for _, e := range termsEdits[1:9] { // the bounds
		list = append(list,
			forgery{"header: " + e.field + " differs from signed terms", Mismatch, Mismatch, Mismatch, func(s *story) {
				s.swear(s.keyring.Credential(0), e.edit)
				t := s.terms()
				s.header.Terms, _ = t.Digest()
			}},
			forgery{"header: " + e.field + " edited", Mismatch, Mismatch, Mismatch, func(s *story) {
				t := s.terms()
				e.edit(s, &t)
				s.header.Bounds = t.Bounds
			}},
		)
	}
	for _, e := range sliceEdits {
		list = append(list, forgery{"slice: " + e.field + ", not one of the terms", Mismatch, Mismatch, e.own, func(s *story) { s.cut(e.edit) }})
	}
	for _, e := range credentialEdits {
		list = append(list,
			forgery{"credential: " + e.field + " edited under the old signature", BadSubject, BadSubject, "", func(s *story) { s.tamperCredential(e.edit) }},
			forgery{"credential: " + e.field + " signed by the subject", BadSubject, BadSubject, "", func(s *story) { s.vouch(s.keyring.Credential(0), e.edit) }},
		)
	}
	return list
}

// handmade are the other forgeries, each written by hand.
var handmade = []forgery{
	// Signatures and statements.
	{"terms signed by a stranger", BadSubject, BadSubject, "", func(s *story) { s.swear(stranger, func(*story, *Terms) {}) }},
	{"terms with a payload bit", BadSubject, Mismatch, Mismatch, func(s *story) { s.setTerms(flipped(s.body.Terms, len(s.body.Terms)/2)) }},
	{"credential with a payload bit", BadSubject, BadSubject, "", func(s *story) { s.setCredential(flipped(s.body.Credential, 40)) }},
	{"terms of another network", BadSubject, BadSubject, "", func(s *story) { s.swearOn(sign.NetworkID{8}, KindTerms) }},
	{"terms of no network", BadSubject, BadSubject, "", func(s *story) { s.swearOn(sign.NetworkID{}, KindTerms) }},
	{"terms as a grant", BadSubject, Mismatch, "", func(s *story) { s.swearOn(s.network, KindGrant) }},
	{"terms cut", BadSubject, Mismatch, "", func(s *story) { s.setTerms(s.body.Terms[:len(s.body.Terms)-1]) }},
	{"terms with a byte behind", BadSubject, Mismatch, "", func(s *story) { s.setTerms(append(bytes.Clone(s.body.Terms), 0)) }},
	{"terms with another signature bit", BadSubject, BadSubject, "", func(s *story) { s.setTerms(flipped(s.body.Terms, len(s.body.Terms)-1)) }},
	{"terms missing", BadSubject, Mismatch, "", func(s *story) { s.setTerms(nil) }},
	{"credential in place of the terms", BadSubject, Mismatch, "", func(s *story) { s.setTerms(s.body.Credential) }},
	{"credential of another network", BadSubject, BadSubject, "", func(s *story) { s.vouchOn(sign.NetworkID{8}, KindCredential) }},
	{"credential as terms", BadSubject, BadSubject, "", func(s *story) { s.vouchOn(s.network, KindTerms) }},
	{"credential with a byte behind", BadSubject, BadSubject, "", func(s *story) { s.setCredential(append(bytes.Clone(s.body.Credential), 0)) }},
	{"credential missing", BadSubject, BadSubject, "", func(s *story) { s.setCredential(nil) }},
	{"issuer is another registrar", BadSubject, BadSubject, "", func(s *story) { s.logged.Issuer.Registrar = stranger.Public().(ed25519.PublicKey) }},
	{"issuer is unknown", BadSubject, BadSubject, "", func(s *story) { s.logged.Issuer.Registrar = nil }},
	{"issuer of another network", BadSubject, BadSubject, "", func(s *story) { s.logged.Issuer.Network = sign.NetworkID{8} }},

	// Statements that the registrar and the subject should not have signed.
	{"credential for another subject", BadSubject, BadSubject, "", func(s *story) { s.vouch(s.registrar, credentialEdits[1].edit) }},
	{"credential for another key", BadSubject, BadSubject, "", func(s *story) { s.vouch(s.registrar, credentialEdits[2].edit) }},
	{"credential that has ended", BadSubject, BadSubject, "", func(s *story) {
		s.vouch(s.registrar, func(_ *story, c *Credential) { c.NotBefore -= 9; c.NotAfter = today - 1 })
	}},
	{"credential that begins tomorrow", BadSubject, BadSubject, "", func(s *story) {
		s.vouch(s.registrar, func(_ *story, c *Credential) { c.NotBefore = today + 1 })
	}},
	{"credential for a lifetime", BadSubject, BadSubject, "", func(s *story) {
		s.vouch(s.registrar, func(_ *story, c *Credential) { c.NotAfter = today + 2*MaxDays })
	}},
	{"credential of a mistyped subject", BadSubject, BadSubject, "", func(s *story) {
		s.vouch(s.registrar, func(_ *story, c *Credential) { c.Subject = "uscc:914403001922038217" })
	}},
	{"terms of a mistyped subject", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Subject = "uscc:914403001922038217" }) }},
	{"terms of another subject", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Subject = "uscc:91110000600037341L" }) }},
	{"terms in no language", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Language = "fr" }) }},
	{"terms with a reversed product name", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Product = "loan \u202eeerf" }) }},
	{"terms without a name", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Name = "" }) }},
	{"terms without a notice", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Notice = nil }) }},
	{"terms that keep data for ever", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.DataLife = MaxDataLife + 1 }) }},
	{"terms without blinding", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Blind = nil }) }},
	{"slices not padded", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Slices = t.Slices[:7] }) }},
	{"slices padded too far", BadSubject, BadSubject, "", func(s *story) {
		s.agree(func(t *Terms) {
			for len(t.Slices) < MaxAgencies+digestGroup {
				t.Slices = append(t.Slices, s.salt())
			}
			slices.SortFunc(t.Slices, bytes.Compare)
		})
	}},
	{"slices out of order", BadSubject, BadSubject, "", func(s *story) {
		s.agree(func(t *Terms) { t.Slices[0], t.Slices[1] = t.Slices[1], t.Slices[0] })
	}},
	{"slices with one twice", BadSubject, BadSubject, "", func(s *story) { s.agree(func(t *Terms) { t.Slices[0] = t.Slices[1] }) }},
	{"no slices", BadSubject, Mismatch, "", func(s *story) { s.agree(func(t *Terms) { t.Slices = nil }) }},

	// The header.
	{"header over other terms", Mismatch, Mismatch, Mismatch, func(s *story) { s.header.Terms = s.salt() }},
	{"header of the next consent", Mismatch, Mismatch, Mismatch, func(s *story) {
		raw, err := s.compose(1).Grant(s.sealed)
		s.check(err)
		s.header = s.open(raw)
		s.ask.Consent = s.header.Bounds.ID
	}},
	{"body of the next consent", Mismatch, "", "", func(s *story) { s.body = s.compose(1).Body }},
	{"ask under the next consent's terms", "", Mismatch, Mismatch, func(s *story) { s.ask.Terms = s.compose(1).Body.Terms }},

	// Slices that the subject should not have signed.
	{"slice of another consent, agreed", Mismatch, Mismatch, Mismatch, func(s *story) { s.cutAgreed(sliceEdits[1].edit) }},
	{"slice committed to another key, agreed", Mismatch, Mismatch, "", func(s *story) { s.cutAgreed(sliceEdits[3].edit) }},
	{"slice out of order, agreed", Mismatch, Mismatch, "", func(s *story) { s.cutAgreed(sliceEdits[9].edit) }},
	{"two slices for the court, agreed", Mismatch, Mismatch, Mismatch, func(s *story) { s.cutAgreed(func(_ *story, c *Slice) { c.Agency = "court" }) }},
	{"slice of the court", "", Mismatch, Mismatch, func(s *story) { s.ask.Slice = *s.body.Slice("court") }},
	{"slice of the court with its key", "", Mismatch, Mismatch, func(s *story) { s.ask.Slice = *s.body.Slice("court"); s.useKey("court") }},
	{"slice of the court under this name", "", Mismatch, Mismatch, func(s *story) {
		s.ask.Slice = *s.body.Slice("court")
		s.ask.Slice.Agency = "tax"
	}},

	// The slices in the body and the key they commit to.
	{"body: another K", Mismatch, "", "", func(s *story) { s.body.K = s.salt() }},
	{"body: K too short", Mismatch, "", "", func(s *story) { s.body.K = s.body.K[:31] }},
	{"body: a slice twice", Mismatch, "", "", func(s *story) { s.body.Slices = append(s.body.Slices, s.body.Slices[0]) }},
	{"body: a slice that nobody agreed to", Mismatch, "", "", func(s *story) {
		c := s.body.Slices[0]
		c.Agency, c.Commitment = "power", Commit(AgencyKey(s.body.Secret(), s.header.Bounds.ConsentID(), "power"))
		s.body.Slices = append(s.body.Slices, c)
	}},

	// The ask.
	{"ask for another agency", "", Mismatch, "", func(s *story) { s.at = "court" }},
	{"ask about another query", "", Mismatch, "", func(s *story) { s.ask.Query = s.salt()[:16] }},
	{"ask about another consent", "", Mismatch, "", func(s *story) { s.ask.Consent = s.salt()[:16] }},
	{"ask with a short query id", "", Mismatch, "", func(s *story) { s.ask.Query = s.ask.Query[:15] }},
	{"ask with another key", "", Mismatch, "", func(s *story) { s.ask.Key = s.salt() }},
	{"ask with the court's key", "", Mismatch, "", func(s *story) { s.useKey("court") }},
	{"ask with K itself", "", Mismatch, "", func(s *story) { s.ask.Key = s.body.K }},
	{"ask with a long key", "", Mismatch, "", func(s *story) { s.ask.Key = append(s.ask.Key, 0) }},
	{"log has another query", "", Mismatch, "", func(s *story) { s.logged.Query[15] ^= 1 }},
	{"log has no slot", "", Mismatch, "", func(s *story) { s.logged.Slots = nil }},
	{"log has decoys alone", "", Mismatch, "", func(s *story) {
		for i := range s.logged.Slots {
			s.logged.Slots[i] = s.salt()
		}
	}},

	// The section differs from the logged one, or nobody may log it.
	{"section: another salt", "", Mismatch, "", func(s *story) { s.ask.Section.Salt = s.salt() }},
	{"section: one more output than logged", "", Mismatch, "", func(s *story) {
		s.ask.Section.Wants = append(s.ask.Section.Wants, Want{Item: s.body.Slices[0].Items[2], Predicate: "x > 1"})
	}},
	{"section: another output than logged", "", Mismatch, "", func(s *story) { s.ask.Section.Wants[0].Item = s.body.Slices[0].Items[0] }},
	{"section: a shorter window than logged", "", Mismatch, "", func(s *story) { s.ask.Section.Wants[0].Item.Months-- }},
	{"section: of another query", "", Mismatch, "", func(s *story) { s.relog(func(q *Section) { q.Query = s.salt()[:16] }) }},
	{"section: for another agency", "", Mismatch, Mismatch, func(s *story) { s.relog(func(q *Section) { q.Agency = "court" }) }},
	{"section: out of order", "", Mismatch, "", func(s *story) {
		s.relogRaw(func(q *Section) {
			q.Wants = []Want{{Item: s.body.Slices[0].Items[1]}, {Item: s.body.Slices[0].Items[0]}}
		})
	}},
	{"section: an output twice", "", Mismatch, "", func(s *story) { s.relogRaw(func(q *Section) { q.Wants = append(q.Wants, q.Wants[0]) }) }},
	{"section: two predicates on one output", "", Mismatch, "", func(s *story) {
		s.relogRaw(func(q *Section) {
			i := s.body.Slices[0].Items[2]
			q.Wants = []Want{{Item: i, Predicate: "x > 1"}, {Item: i, Predicate: "x > 2"}}
		})
	}},
	{"section: no predicate where one belongs", "", Mismatch, "", func(s *story) { s.relogRaw(func(q *Section) { q.Wants[0].Item.Disclosure = Verify }) }},
	{"section: a predicate on a band", "", Mismatch, "", func(s *story) { s.relogRaw(func(q *Section) { q.Wants[0].Predicate = "x > 1" }) }},
	{"section: a predicate without end", "", Mismatch, "", func(s *story) {
		s.relogRaw(func(q *Section) {
			q.Wants[0] = Want{Item: s.body.Slices[0].Items[2], Predicate: strings.Repeat("x", maxPredicate+1)}
		})
	}},
	{"section: nothing wanted", "", Mismatch, "", func(s *story) { s.relogRaw(func(q *Section) { q.Wants = nil }) }},
	{"section: a window without end", "", Mismatch, "", func(s *story) { s.relogRaw(func(q *Section) { q.Wants[0].Item.Months = MaxMonths + 1 }) }},
	{"section: a disclosure nobody knows", "", Mismatch, "", func(s *story) { s.relogRaw(func(q *Section) { q.Wants[0].Item.Disclosure = Rows + 1 }) }},
	{"section: rows beside something else", "", Mismatch, "", func(s *story) {
		s.relogRaw(func(q *Section) {
			q.Wants = append(q.Wants, Want{Item: Item{Dataset: "zzz", Output: "rows", Disclosure: Rows}})
		})
	}},
	{"wants the rows of what goes by band", "", NotCovered, NotCovered, func(s *story) {
		s.relog(func(q *Section) { q.Wants = q.Wants[:1]; q.Wants[0].Item.Disclosure = Rows })
	}},

	// Outside the slice, but honestly logged.
	{"wants an output not granted", "", NotCovered, NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Output = "margin" }) }},
	{"wants a dataset not granted", "", NotCovered, NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Dataset = "income" }) }},
	{"wants the value of what goes by band", "", NotCovered, NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Disclosure = Value }) }},
	{"wants a state where months are granted", "", NotCovered, NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Months = 0 }) }},
	{"wants a month more", "", NotCovered, NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item.Months++ }) }},
	{"wants the court's output from tax", "", NotCovered, NotCovered, func(s *story) { s.relog(func(q *Section) { q.Wants[0].Item = s.draft.Offers[1].Items[0] }) }},
	{"wants one output granted and one not", "", NotCovered, NotCovered, func(s *story) {
		s.relog(func(q *Section) {
			q.Wants = append(q.Wants, Want{Item: Item{Dataset: "vat", Output: "zz", Disclosure: Value, Months: 1}})
		})
	}},

	// Time and purpose. The credential is valid on all of these days.
	{"a day early", "", NotYet, NotYet, func(s *story) { s.vouchLong(); s.logged.At.Day = today - 1 }},
	{"a day late", "", Expired, Expired, func(s *story) { s.logged.At.Day = today + 30 }},
	{"a year late", "", Expired, Expired, func(s *story) { s.vouchLong(); s.logged.At.Day = today + 400 }},
	{"a purpose the network lacks", "", BadPurpose, BadPurpose, func(s *story) { s.agree(func(t *Terms) { t.Purpose = "marketing" }) }},
	{"a purpose the network dropped", "", BadPurpose, BadPurpose, func(s *story) { s.logged.At.Purposes[0].Code = "post_loan" }},
	{"no purposes", "", BadPurpose, BadPurpose, func(s *story) { s.logged.At.Purposes = nil }},
	{"a purpose of fewer days", "", BadPurpose, BadPurpose, func(s *story) { s.logged.At.Purposes[0].MaxDays = 29 }},
	{"a purpose of fewer uses", "", BadPurpose, BadPurpose, func(s *story) { s.logged.At.Purposes[0].MaxUses = 2 }},
	{"a purpose of a shorter data life", "", BadPurpose, BadPurpose, func(s *story) { s.logged.At.Purposes[0].MaxDataLife = 89 }},
	{"data kept a day longer than the purpose allows", "", BadPurpose, BadPurpose, func(s *story) { s.agree(func(t *Terms) { t.DataLife = 366 }) }},
}

// doors runs all three checks: the bank's, the agency's, and the decision
// alone.
func (s *story) doors() (body, ask, own error) {
	_, body = VerifyBody(&s.header, &s.body, s.logged.Issuer, today)
	_, ask = s.ask.Admit(s.at, s.logged)
	var t Terms
	st, err := sign.Parse(s.ask.Terms)
	if err != nil || st.Decode(&t) != nil || t.Check() != nil || s.ask.Slice.Check() != nil || s.ask.Section.Check() != nil {
		return body, ask, nil // Covers takes no malformed input
	}
	if r := Covers(&s.header, &t, &s.ask.Slice, &s.ask.Section, s.logged.At); r != nil {
		own = r
	}
	return body, ask, own
}

// fingerprint returns the digest of all that the three checks see.
func (s *story) fingerprint() [sha256.Size]byte {
	s.t.Helper()
	h := sha256.New()
	for _, part := range []any{
		s.header, s.body, s.ask, s.at, s.logged.Query, s.logged.Slots, s.logged.At.Day, s.logged.At.Purposes, s.logged.Issuer.Network, []byte(s.logged.Issuer.Registrar),
	} {
		data, err := sign.Marshal(part)
		s.check(err)
		h.Write(data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// No forgery passes any check that looks at what was altered. Each is refused
// with its own stable code, no refusal names the subject, and no two forgeries
// are the same.
func TestForgeries(t *testing.T) {
	s := tell(t)
	if body, ask, own := s.doors(); body != nil || ask != nil || own != nil {
		t.Fatalf("the true consent is refused: %v, %v, %v", body, ask, own)
	}
	seen := map[[sha256.Size]byte]string{s.fingerprint(): "nothing at all"}
	ran := 0
	for _, f := range append(fieldForgeries(), handmade...) {
		t.Run(f.name, func(t *testing.T) {
			ran++
			s := tell(t)
			f.bend(s)
			if as, twice := seen[s.fingerprint()]; twice {
				t.Fatalf("the same mutation as %q", as)
			}
			seen[s.fingerprint()] = f.name
			if f.body == "" && f.ask == "" && f.own == "" {
				t.Fatal("no door looks at it")
			}
			body, ask, own := s.doors()
			wantCode(t, "the bank", body, f.body)
			wantCode(t, "the agency", ask, f.ask)
			wantCode(t, "the decision", own, f.own)
		})
	}
	if ran < 40 {
		t.Errorf("only %d forgeries ran", ran)
	}
}

func wantCode(t *testing.T, door string, err error, want Code) {
	t.Helper()
	var r *Refusal
	switch {
	case want == "" && err != nil:
		t.Errorf("%s refuses: %v", door, err)
	case want != "" && (!errors.As(err, &r) || r.Code != want):
		t.Errorf("%s: %v, want %s", door, err, want)
	case err != nil && (strings.Contains(err.Error(), "914403001922038216") || strings.Contains(err.Error(), "91110000600037341L")):
		t.Errorf("%s names the subject: %v", door, err)
	}
}
