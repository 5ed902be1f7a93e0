// Package consent defines what a subject allows one bank to ask, of whom, for
// what purpose, for how long and how often. It decides whether a question is
// covered by that.
//
// A consent has parts for different readers. The log sees the [Header]: bounds,
// fresh keys and digests, but no name of the subject. The bank, the auditors
// and the subject see the [Body]: [Terms] signed by the subject's credential
// key, one [Slice] for each agency, the [Credential], and the secret K. An
// agency sees an [Ask]: the terms, its own slice, and its own [Section] of the
// query.
//
// [Covers] makes the decision. The bank calls it before asking, the agency
// before releasing, and the auditor years later; all get the same answer. The
// package is pure: it uses no clock, no disk and no network, and no randomness
// except the source passed to it.
package consent

import (
	"fmt"
	"regexp"
	"sync"
	"time"

	"atoll/crypto/sign"
)

// Code is a stable machine-readable reason, such as "consent.expired". The same
// codes are used in verdicts, refusals, JSON errors and audit findings.
type Code string

// Reasons why a consent does not cover a question.
const (
	Mismatch   Code = "consent.mismatch"    // header, terms, slice or section contradict each other
	NotYet     Code = "consent.not_yet"     // before its first day
	Expired    Code = "consent.expired"     // after its last day
	Revoked    Code = "consent.revoked"     // revoked by the subject
	NotCovered Code = "consent.not_covered" // names an output, disclosure or window that the consent does not have
	BadPurpose Code = "consent.purpose"     // a purpose that the network does not have, or terms beyond its rule
	Unopenable Code = "consent.unopenable"  // its carrier cannot verify that all required readers can open its body
	BadCatalog Code = "consent.catalog"     // the catalog outputs it shows differ from those catalogs, or from what is asked
	BadNotice  Code = "consent.notice"      // the signed text is not the notice of this consent
	BadSubject Code = "consent.subject"     // credential and terms name different subjects, or do not verify
)

// Refusal is the error that explains why something is not covered.
type Refusal struct {
	Code   Code
	Detail string // plain words, with no value that identifies a subject
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

func refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", sign.ErrMalformed, fmt.Sprintf(format, args...))
}

// Day is a civil day as the number of days since 1970-01-01, in the network's
// own offset from UTC (a field of genesis). "Until 31 December" thus means the
// end of that day where the enterprise is. Days before 1970 are negative; they
// occur in data, and no statement may contain one.
type Day int32

const millisPerDay = 24 * 60 * 60 * 1000

// DayOf returns the day of a time in Unix milliseconds, at an offset from UTC
// in minutes.
func DayOf(ms uint64, offset int16) Day {
	local := int64(ms) + int64(offset)*60_000
	if local < 0 {
		return 0
	}
	return Day(local / millisPerDay)
}

// Start returns the first millisecond of the day.
func (d Day) Start(offset int16) uint64 {
	return uint64(max(0, int64(d)*millisPerDay-int64(offset)*60_000))
}

// Zone returns the time zone of a network by its offset from UTC in minutes, under
// the name that people are shown: UTC+08:00, or UTC where there is no offset.
func Zone(offset int16) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	sign, m := '+', int(offset)
	if m < 0 {
		sign, m = '-', -m
	}
	return time.FixedZone(fmt.Sprintf("UTC%c%02d:%02d", sign, m/60, m%60), int(offset)*60)
}

// ID names a consent: the KeyID of its consent key.
type ID = sign.KeyID

var memberName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`) })
var itemName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`) })

// ValidMember reports whether name is valid as a member's name: 2 to 32
// characters of a-z, 0-9 and "-".
func ValidMember(name string) bool { return memberName().MatchString(name) }

// ValidItem reports whether name is valid for a dataset, output or purpose: up
// to 64 characters of a-z, 0-9 and "_".
func ValidItem(name string) bool { return itemName().MatchString(name) }
