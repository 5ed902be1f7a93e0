package consent

import (
	"bytes"
	"reflect"
	"slices"
)

// At is the moment of a decision: the network's day and its purpose rules. A
// decision takes time from no other source.
type At struct {
	Day      Day
	Purposes []Purpose
}

// Covers decides whether the section may be asked of the agency it names, and
// answered by it. It returns nil, or the first reason against it. Header and
// terms must belong to one consent and agree in all fields they share. The
// slice must be one that the terms list, and every wanted output must be in the
// slice. All four must have passed their own Check. Signatures, revocation and
// uses are checked by the ledger.
func Covers(h *Header, t *Terms, s *Slice, q *Section, at At) *Refusal {
	if err := related(h, t, s); err != nil {
		return err
	}
	if s.Agency != q.Agency {
		return refuse(Mismatch, "the section is for another agency")
	}
	if err := h.Bounds.Active(at.Day); err != nil {
		return err
	}
	if err := allowPurpose(at.Purposes, t); err != nil {
		return err
	}
	for _, w := range q.Wants {
		i := slices.IndexFunc(s.Items, func(i Item) bool { return i.Named() == w.Item.Named() })
		if i < 0 {
			return refuse(NotCovered, "%s of %s.%s is not in the consent", w.Item.Disclosure, w.Item.Dataset, w.Item.Output)
		}
		if w.Item.Meaning != s.Items[i].Meaning {
			return refuse(NotCovered, "%s.%s means something else than what the consent has under this name", w.Item.Dataset, w.Item.Output)
		}
		if (w.Item.Months == 0) != (s.Items[i].Months == 0) {
			return refuse(NotCovered, "%s.%s: what stands today and what was in past months are two things, and the consent has the other one", w.Item.Dataset, w.Item.Output)
		}
		if w.Item.Months > s.Items[i].Months {
			return refuse(NotCovered, "%s.%s reaches back %d months, the consent %d", w.Item.Dataset, w.Item.Output, w.Item.Months, s.Items[i].Months)
		}
	}
	return nil
}

// related reports whether the parts of a consent belong to each other.
func related(h *Header, t *Terms, s *Slice) *Refusal {
	terms, err := t.Digest()
	if err != nil || !bytes.Equal(terms, h.Terms) {
		return refuse(Mismatch, "the terms are not those of the header")
	}
	if !reflect.DeepEqual(h.Bounds, t.Bounds) {
		return refuse(Mismatch, "header and terms disagree")
	}
	slice, err := s.Digest()
	if err != nil || !listed(t.Slices, slice) {
		return refuse(Mismatch, "the slice is not one of the terms")
	}
	if !bytes.Equal(s.Consent, h.Bounds.ID) {
		return refuse(Mismatch, "the slice is of another consent")
	}
	return nil
}
