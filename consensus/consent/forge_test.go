package consent

import (
	"bytes"
	"crypto/ed25519"
	"slices"

	"atoll/crypto/sign"
)

// The tools of forgers, and of subjects that sign what they should not.

func (s *story) setTerms(raw []byte)      { s.body.Terms, s.ask.Terms = raw, raw }
func (s *story) setCredential(raw []byte) { s.body.Credential, s.ask.Credential = raw, raw }

// attach combines an edited payload with the signature of another payload.
func (s *story) attach(kind string, raw []byte, payload any) []byte {
	s.t.Helper()
	old, err := sign.Parse(raw)
	s.check(err)
	data, err := sign.Marshal(payload)
	s.check(err)
	st, err := sign.Attach(kind, data, old.Signature())
	s.check(err)
	return st.Bytes()
}

// tamper edits the terms without a key, so their signature becomes wrong.
func (s *story) tamper(edit func(*story, *Terms)) {
	s.t.Helper()
	t := s.terms()
	edit(s, &t)
	s.setTerms(s.attach(KindTerms, s.body.Terms, t))
}

// swear edits the terms and signs them.
func (s *story) swear(key ed25519.PrivateKey, edit func(*story, *Terms)) {
	s.t.Helper()
	t := s.terms()
	edit(s, &t)
	raw, err := sign.Sign(key, s.network, KindTerms, t)
	s.check(err)
	s.setTerms(raw)
}

// swearOn has the subject sign the same terms for another network or kind.
func (s *story) swearOn(network sign.NetworkID, kind string) {
	s.t.Helper()
	raw, err := sign.Sign(s.keyring.Credential(0), network, kind, s.terms())
	s.check(err)
	s.setTerms(raw)
}

// agree has the subject sign other terms, and signs a header that matches them.
func (s *story) agree(edit func(*Terms)) {
	s.t.Helper()
	s.swear(s.keyring.Credential(0), func(_ *story, t *Terms) { edit(t) })
	t := s.terms()
	s.header.Bounds = t.Bounds
	var err error
	s.header.Terms, err = t.Digest()
	s.check(err)
}

// opened returns the credential as it is now.
func (s *story) opened() (c Credential) {
	s.t.Helper()
	st, err := sign.Parse(s.body.Credential)
	s.check(err)
	s.check(st.Decode(&c))
	return c
}

func (s *story) tamperCredential(edit func(*story, *Credential)) {
	s.t.Helper()
	c := s.opened()
	edit(s, &c)
	s.setCredential(s.attach(KindCredential, s.body.Credential, c))
}

// vouch edits the credential and signs it.
func (s *story) vouch(key ed25519.PrivateKey, edit func(*story, *Credential)) {
	s.t.Helper()
	c := s.opened()
	edit(s, &c)
	raw, err := sign.Sign(key, s.network, KindCredential, c)
	s.check(err)
	s.setCredential(raw)
}

// vouchOn has the registrar sign the same credential for another network or
// kind.
func (s *story) vouchOn(network sign.NetworkID, kind string) {
	s.t.Helper()
	raw, err := sign.Sign(s.registrar, network, kind, s.opened())
	s.check(err)
	s.setCredential(raw)
}

func (s *story) vouchLong() {
	s.vouch(s.registrar, func(_ *story, c *Credential) { c.NotBefore -= 9; c.NotAfter += 100 })
}

// cut edits the tax office's slice, in the body and in the ask.
func (s *story) cut(edit func(*story, *Slice)) {
	c := s.ask.Slice
	c.Items = slices.Clone(c.Items)
	edit(s, &c)
	s.ask.Slice, s.body.Slices[0] = c, c
}

// cutAgreed edits the slice and has the subject list and sign it.
func (s *story) cutAgreed(edit func(*story, *Slice)) {
	s.t.Helper()
	old, err := s.ask.Slice.Digest()
	s.check(err)
	s.cut(edit)
	new, err := s.ask.Slice.Digest()
	s.check(err)
	s.agree(func(t *Terms) {
		for i, d := range t.Slices {
			if bytes.Equal(d, old) {
				t.Slices[i] = new
			}
		}
		slices.SortFunc(t.Slices, bytes.Compare)
	})
}

// relog alters the section and logs the altered one, as the bank of a query
// can.
func (s *story) relog(edit func(*Section)) {
	s.t.Helper()
	edit(&s.ask.Section)
	var err error
	s.logged.Slots, err = SlotList([]Section{s.ask.Section}, s.body.Secret(), s.header.Bounds.ConsentID(), s.random)
	s.check(err)
}

// relogRaw does the same with a section that no honest bank would log.
func (s *story) relogRaw(edit func(*Section)) {
	s.t.Helper()
	edit(&s.ask.Section)
	slot, err := s.ask.Section.Slot(sign.Secret(s.ask.Key))
	s.check(err)
	s.logged.Slots = [][]byte{slot.Digest(s.ask.Section.Agency)}
}

func (s *story) useKey(agency string) {
	key := AgencyKey(s.body.Secret(), s.header.Bounds.ConsentID(), agency)
	s.ask.Key = key[:]
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}
