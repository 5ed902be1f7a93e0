package ledger

import (
	"math"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// The size of an answer reveals nothing about it, unless the answer is rows. What an agency seals has the
// size that the largest possible answer to the section would need. The size
// depends on the section alone, so that bank and auditor can compute it as
// well.

const (
	// AnswerRoom is the size of one answer in a fragment, in bytes with its
	// length: more than the largest answer that a catalog allows.
	AnswerRoom = 1024
	// aboutRoom is the size of the part of a fragment that says what it is about.
	aboutRoom = 256
	// MaxReason is the maximum length of the reason of a result, in bytes.
	MaxReason = 80
	// MarkSize is the length of [ReleaseDetail.Mark].
	MarkSize = 16
)

// FragmentRoom returns the size of the fragment that answers a section, in
// bytes of plaintext.
func FragmentRoom(s *consent.Section) uint64 {
	return aboutRoom + AnswerRoom*uint64(len(s.Wants))
}

// TableRoom returns the size of the largest fragment that answers a section of
// rows, in bytes of plaintext. The size of such a fragment tells how much there
// is, up to this. One without rows has the size that [FragmentRoom] gives.
func TableRoom(s *consent.Section, t *consent.Table) uint64 { return FragmentRoom(s) + t.MostBytes }

// ReleaseRoom returns the size of the sealed part of a release that answers a
// section.
func ReleaseRoom(s *consent.Section) uint64 {
	digest := make([]byte, 32)
	d := ReleaseDetail{Basis: consent.Basis{Salt: digest, Slice: digest, Credential: digest, Operator: digest[:16]}, Predicates: s.Predicates()}
	if len(d.Predicates) > 0 {
		d.Mark = digest[:MarkSize]
	}
	for _, w := range s.Wants {
		d.Results = append(d.Results, Result{
			Item: w.Item, Outcome: consent.Invalid, Version: math.MaxUint64, Rows: math.MaxUint64, AsOf: math.MaxUint64,
			Reason: strings.Repeat("x", MaxReason), Aside: math.MaxUint64,
		})
	}
	data, err := sign.Marshal(d)
	if err != nil {
		return math.MaxUint32 // an item whose name is not UTF-8: it is in no valid section, and no size fits it
	}
	return uint64(len(data))
}
