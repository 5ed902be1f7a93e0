package consent

import (
	"bytes"

	"atoll/crypto/sign"
)

// Ask is what a bank sends one agency, sealed to it: all that the agency needs
// to decide, and nothing of what others are asked.
type Ask struct {
	Query      []byte  `cbor:"1,keyasint"` // query id
	Consent    []byte  `cbor:"2,keyasint"` // consent id
	Terms      []byte  `cbor:"3,keyasint"` // statement of kind consent.terms
	Credential []byte  `cbor:"4,keyasint"` // statement of kind credential
	Slice      Slice   `cbor:"5,keyasint"`
	Section    Section `cbor:"6,keyasint"`
	Key        []byte  `cbor:"7,keyasint"` // K_agency
}

// Check reports whether the ask can be one, by itself.
func (a *Ask) Check() error {
	if len(a.Query) != 16 || len(a.Consent) != len(ID{}) || len(a.Key) != len(sign.Secret{}) {
		return malformed("ask: field length")
	}
	if err := a.Slice.Check(); err != nil {
		return err
	}
	return a.Section.Check()
}

// Logged is what the log says of the query that an ask belongs to.
type Logged struct {
	Header *Header   // of the consent that the query names
	Query  [16]byte  // id
	Slots  [][]byte  // that the query lists
	At     At        // the moment of the decision
	Issuer Authority // of the credential
}

// Vouched reports whether the ask is about the logged query and the named agency,
// and whether its key and its section are: the terms are those of the header,
// they list the slice, the slice is the agency's and commits to the key, and
// the query has a slot for the section under that key. Of an ask that is not
// so nothing may be sealed or logged: whoever reads the log would take it for
// the agency's fault.
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

// Admit is all that the named agency checks of an ask against the log before
// it looks into its data: it is [Ask.Vouched], the subject's key signed the
// terms and the registrar vouched for it, and [Covers] allows it. It returns
// the terms, or the first reason why not as a [*Refusal].
func (a *Ask) Admit(agency string, l Logged) (*Terms, error) {
	if r := a.Vouched(agency, l); r != nil {
		return nil, r
	}
	t, err := OpenTerms(l.Issuer, a.Terms, a.Credential, l.At.Day)
	if err != nil {
		return nil, err
	}
	if r := Covers(l.Header, t, &a.Slice, &a.Section, l.At); r != nil {
		return nil, r
	}
	return t, nil
}
