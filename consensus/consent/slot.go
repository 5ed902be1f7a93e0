package consent

import (
	"bytes"

	"atoll/crypto/sign"
)

// Slot is a place that a query has for the answer of one agency to one section.
// What query.open lists is its digest; the slot itself stands in the agency's
// release or refusal. Before that, nobody but bank and agency can tell a slot
// from a decoy, or whose it is; after it, everyone sees that this agency was
// asked this section, and of the section no more than its salted digest. The
// token, which nobody can make without the agency's key in the consent, keeps
// those who were not asked from answering.
type Slot struct {
	_       struct{} `cbor:",toarray"`
	Section []byte   // digest of the section
	Token   []byte   // see [QueryToken]
}

// slotParts is what the digest of a slot is over.
type slotParts struct {
	_       struct{} `cbor:",toarray"`
	Agency  string
	Section []byte
	Token   []byte
}

// Check reports whether the slot can be one, by itself.
func (s *Slot) Check() error {
	if len(s.Section) != 32 || len(s.Token) != 32 {
		return malformed("slot: field length")
	}
	return nil
}

// Digest is what query.open lists for an agency.
func (s *Slot) Digest(agency string) []byte {
	d, err := digestOf(labelSlot, slotParts{Agency: agency, Section: s.Section, Token: s.Token})
	if err != nil {
		return nil // an agency's name that is no text: the digest of no slot
	}
	return d
}

// Slot returns the place of the section under the agency's key.
func (s *Section) Slot(agencyKey sign.Secret) (Slot, error) {
	d, err := s.Digest()
	return Slot{Section: d, Token: QueryToken(agencyKey, s.Query)}, err
}

// QueryToken derives the token of a query under an agency's key.
func QueryToken(agencyKey sign.Secret, query []byte) []byte {
	token := agencyKey.Derive(labelToken, query)
	return token[:]
}

// Asked reports whether a section is one that a query has a slot for, given the
// query's id, its list of slots and the key of the section's agency: a bank
// cannot log one question and ask another.
func (s *Section) Asked(query [16]byte, slots [][]byte, agencyKey sign.Secret) bool {
	slot, err := s.Slot(agencyKey)
	return err == nil && bytes.Equal(s.Query, query[:]) && listed(slots, slot.Digest(s.Agency))
}

// Basis is what an agency decided by, sealed in its answer, so that an auditor
// can judge it by what it was shown and not by what a bank shows the auditor.
type Basis struct {
	_          struct{} `cbor:",toarray"`
	Salt       []byte   // of the section
	Slice      []byte   // digest
	Credential []byte   // digest
}

// Basis returns what the ask gives an agency to decide by.
func (a *Ask) Basis() (Basis, error) {
	slice, err := a.Slice.Digest()
	return Basis{Salt: a.Section.Salt, Slice: slice, Credential: CredentialDigest(a.Credential)}, err
}
