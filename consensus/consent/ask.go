package consent

import (
	"bytes"
	"math"

	"atoll/crypto/sign"
)

// Ask is what a bank sends to one agency, sealed to that agency. It has all
// that the agency needs to decide, and nothing about what other agencies are
// asked.
type Ask struct {
	Query      []byte  `cbor:"1,keyasint"` // query id
	Consent    []byte  `cbor:"2,keyasint"` // consent id
	Terms      []byte  `cbor:"3,keyasint"` // statement of kind consent.terms
	Credential []byte  `cbor:"4,keyasint"` // statement of kind credential
	Slice      Slice   `cbor:"5,keyasint"`
	Section    Section `cbor:"6,keyasint"`
	Key        []byte  `cbor:"7,keyasint"` // K_agency

	// From is the byte of the answer from which the bank wants it: before that, it
	// has the bytes from an earlier ask of the same query.
	From uint64 `cbor:"8,keyasint,omitempty"`
}

// Check reports whether the ask is well-formed, looked at by itself.
func (a *Ask) Check() error {
	if len(a.Query) != 16 || len(a.Consent) != len(ID{}) || len(a.Key) != len(sign.Secret{}) || a.From > math.MaxInt64 {
		return malformed("ask: field length")
	}
	if err := a.Slice.Check(); err != nil {
		return err
	}
	return a.Section.Check()
}

// Logged is what the log says about the query that an ask belongs to.
type Logged struct {
	Header *Header   // of the consent that the query names
	Query  [16]byte  // id
	Slots  [][]byte  // that the query lists
	At     At        // the moment of the decision
	Issuer Authority // of the credential
}

// Vouched reports whether the ask belongs to the logged query and to the named
// agency. The terms have to be those of the header and list the slice. The
// slice has to be the agency's and commit to the key. The query has to have a
// slot for the section under that key.
//
// An agency must seal or log nothing in answer to an ask that fails this check:
// readers of the log would take the mismatch for the agency's fault.
func (a *Ask) Vouched(agency string, l Logged) *Refusal {
	if err := a.Check(); err != nil {
		return refuse(Mismatch, "%v", err)
	}
	if !bytes.Equal(a.Consent, l.Header.Bounds.ID) || !bytes.Equal(a.Query, l.Query[:]) {
		return refuse(Mismatch, "the ask is about another query")
	}
	if a.Section.Agency != agency || a.Slice.Agency != agency {
		return refuse(Mismatch, "the ask is for another agency")
	}
	t, err := ReadTerms(a.Terms)
	if err != nil {
		return refuse(Mismatch, "the terms: %v", err)
	}
	if r := related(l.Header, t, &a.Slice); r != nil {
		return r
	}
	if !a.Slice.Holds(sign.Secret(a.Key)) {
		return refuse(Mismatch, "the slice commits to another key")
	}
	if !a.Section.Asked(l.Query, l.Slots, sign.Secret(a.Key)) {
		return refuse(Mismatch, "the query has no slot for the section")
	}
	return nil
}

// Admit makes all checks of an ask against the log that the named agency makes
// before it reads its data. It checks [Ask.Vouched], the subject's signature on
// the terms, the registrar's signature on the credential, and [Covers]. It
// returns the terms, or the first reason against the ask as a [*Refusal].
func (a *Ask) Admit(agency string, l Logged) (*Terms, error) {
	if r := a.Vouched(agency, l); r != nil {
		return nil, r
	}
	t, err := VerifyTerms(l.Issuer, a.Terms, a.Credential, l.At.Day)
	if err != nil {
		return nil, err
	}
	if r := Covers(l.Header, t, &a.Slice, &a.Section, l.At); r != nil {
		return nil, r
	}
	return t, nil
}
