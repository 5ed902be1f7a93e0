package consent

import (
	"bytes"

	"atoll/crypto/sign"
)

// Slot is a place in a query for the answer of one agency to one section.
// Query.open lists the digest of the slot; the slot itself is published in the
// agency's release or refusal.
//
// Before that, only the bank and the agency can tell a slot from a decoy or
// know its agency. Afterwards everyone sees that this agency was asked this
// section, and sees nothing of the section but its salted digest.
//
// Only the holder of the agency's key in the consent can make the token. It
// keeps members that were not asked from answering.
type Slot struct {
	_       struct{} `cbor:",toarray"`
	Section []byte   // digest of the section
	Token   []byte   // see [QueryToken]
}

// slotParts is the content from which the digest of a slot is computed.
type slotParts struct {
	_       struct{} `cbor:",toarray"`
	Agency  string
	Section []byte
	Token   []byte
}

// Check reports whether the slot is well-formed, looked at by itself.
func (s *Slot) Check() error {
	if len(s.Section) != 32 || len(s.Token) != 32 {
		return malformed("slot: field length")
	}
	return nil
}

// Digest returns the digest that query.open lists for an agency.
func (s *Slot) Digest(agency string) []byte {
	d, err := digestOf(labelSlot, slotParts{Agency: agency, Section: s.Section, Token: s.Token})
	if err != nil {
		return nil // an agency's name that is not UTF-8: nil equals the digest of no slot
	}
	return d
}

// Slot returns the slot of the section under the agency's key.
func (s *Section) Slot(agencyKey sign.Secret) (Slot, error) {
	d, err := s.Digest()
	return Slot{Section: d, Token: QueryToken(agencyKey, s.Query)}, err
}

// QueryToken derives the token of a query under an agency's key.
func QueryToken(agencyKey sign.Secret, query []byte) []byte {
	token := agencyKey.Derive(labelToken, query)
	return token[:]
}

// Asked reports whether the query has a slot for the section, given the query's
// id, its list of slots and the key of the section's agency. It keeps a bank
// from logging one question and asking another.
func (s *Section) Asked(query [16]byte, slots [][]byte, agencyKey sign.Secret) bool {
	slot, err := s.Slot(agencyKey)
	return err == nil && bytes.Equal(s.Query, query[:]) && listed(slots, slot.Digest(s.Agency))
}

// Basis is what an agency based its decision on, sealed in its answer. An
// auditor judges the agency by what the agency was shown, not by what the bank
// shows the auditor.
type Basis struct {
	_          struct{} `cbor:",toarray"`
	Salt       []byte   // of the section
	Slice      []byte   // digest
	Credential []byte   // digest
	Operator   []byte   // of the section
}

// Basis returns what the ask gives the agency to base its decision on.
func (a *Ask) Basis() (Basis, error) {
	slice, err := a.Slice.Digest()
	return Basis{Salt: a.Section.Salt, Slice: slice, Credential: CredentialDigest(a.Credential), Operator: a.Section.Operator}, err
}

// operatorTag is the length of an operator's tag, in bytes.
const operatorTag = 16

// OperatorTag returns the tag under which one agency sees an operator of a
// bank: the same in all queries, so that the agency can count them, and another
// one at every agency. It is a pseudonym and no secret: who has a list of the
// bank's staff can compute their tags. The auditor compares it with the name
// that the query has under seal.
func OperatorTag(bank, agency, operator string) []byte {
	d, err := digestOf(labelOperator, [3]string{bank, agency, operator})
	if err != nil {
		return nil // a name that is not UTF-8: no section has such a tag
	}
	return d[:operatorTag]
}
