package ledger

import (
	"bytes"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Limits of fields, in bytes or items.
const (
	maxSealed  = consent.MaxBody     // of any sealed part
	maxAnswers = consent.MaxAgencies // in one query.receipt
	maxQueries = 1_000               // in one data.deleted
)

// Each check reports whether a payload is well-formed by itself: lengths,
// orders and ranges. Whatever depends on the state is decided by a rule.

func (q *QueryOpen) check() error {
	if len(q.Consent) != len(consent.ID{}) {
		return malformed("query.open: consent id")
	}
	if err := checkSealed(q.Sealed); err != nil {
		return err
	}
	return consent.CheckSlots(q.Slots)
}

func (q *QueryRef) check() error {
	if !consent.ValidMember(q.Bank) {
		return malformed("query: bank")
	}
	_, err := parseID(q.ID)
	return err
}

func (r *Release) check() error {
	if len(r.Digest) != 32 || r.Bucket == 0 {
		return malformed("fragment.release: digest or size")
	}
	return checkAnswer(&r.Query, &r.Slot, r.Sealed)
}

func (r *Refuse) check() error { return checkAnswer(&r.Query, &r.Slot, r.Sealed) }

// checkAnswer checks what releases and refusals have in common.
func checkAnswer(q *QueryRef, slot *consent.Slot, sealed []byte) error {
	if err := checkSealed(sealed); err != nil {
		return err
	}
	if err := slot.Check(); err != nil {
		return err
	}
	return q.check()
}

func (r *Receipt) check() error {
	if _, err := parseID(r.Query); err != nil {
		return err
	}
	if len(r.Fragments) == 0 || len(r.Fragments) > maxAnswers {
		return malformed("query.receipt: a list of 1 to %d", maxAnswers)
	}
	var agencies []string
	for _, f := range r.Fragments {
		if len(f.Digest) != 32 {
			return malformed("query.receipt: digest")
		}
		agencies = append(agencies, f.Agency)
	}
	return checkNames(agencies)
}

func (t *Tick) check() error { return nil }

func (c *CredentialIssue) check() error {
	if len(c.Digest) != 32 {
		return malformed("credential.issue: digest")
	}
	return checkSealed(c.Sealed)
}

func (c *CredentialRevoke) check() error {
	if len(c.Digest) != 32 {
		return malformed("credential.revoke: digest")
	}
	return nil
}

func (c *Catalog) check() error {
	if len(c.Digest) != 32 || len(c.Root) != 32 || c.Version == 0 {
		return malformed("catalog.publish: digest, version or root")
	}
	return nil
}

func (d *Deleted) check() error {
	for _, id := range d.Queries {
		if _, err := parseID(id); err != nil {
			return err
		}
	}
	return checkList("data.deleted", d.Queries, len(StatementID{}), maxQueries)
}

func (o *Objection) check() error {
	if !sign.ValidKey(o.Key) || len(o.Body) != 32 || !consent.ValidMember(o.Agency) {
		return malformed("objection.raise: key, digest or agency")
	}
	return o.Query.check()
}

func (o *ObjectionAnswer) check() error {
	if len(o.Objection) != 32 {
		return malformed("objection.answer: digest")
	}
	return checkSealed(o.Sealed)
}

func checkSealed(sealed []byte) error {
	if len(sealed) == 0 || len(sealed) > maxSealed {
		return malformed("sealed part of %d bytes, the limit is %d", len(sealed), maxSealed)
	}
	return nil
}

// checkList checks a list of 1 to most items of one size, strictly ascending.
func checkList(what string, list [][]byte, size, most int) error {
	if len(list) == 0 || len(list) > most {
		return malformed("%s: a list of 1 to %d", what, most)
	}
	for i, item := range list {
		if len(item) != size || i > 0 && bytes.Compare(list[i-1], item) >= 0 {
			return malformed("%s: the list is not ascending", what)
		}
	}
	return nil
}

// checkPurposes checks purposes, strictly ascending by code.
func checkPurposes(purposes []consent.Purpose) error {
	for i := range purposes {
		if err := purposes[i].Check(); err != nil {
			return err
		}
		if i > 0 && purposes[i-1].Code >= purposes[i].Code {
			return malformed("purposes are not ascending")
		}
	}
	return nil
}

// checkNames checks member names, strictly ascending.
func checkNames(names []string) error {
	for i, n := range names {
		if !consent.ValidMember(n) || i > 0 && names[i-1] >= n {
			return malformed("member names are valid and ascending")
		}
	}
	return nil
}
