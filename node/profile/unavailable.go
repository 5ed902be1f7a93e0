package profile

import (
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/reason"
)

// NotFinal is the reason for an output that its agency has ready and that waits
// for cosigners.
const NotFinal = "not_final"

// WaitsFor returns a reason with the members that it waits for, in the form of
// an [Input]: "not_final: court tax".
func WaitsFor(reason string, members []string) string {
	if len(members) == 0 {
		return reason
	}
	return reason + ": " + strings.Join(members, " ")
}

// Because writes a reason: the words for a code, or the agency's own words.
func (s *speaker) Because(code string) string { return clean(reason.Because(s.language, code)) }

// Lack describes in a few words why an input has no value: the outcome, or for
// unavailable the reason.
func (s *speaker) Lack(outcome, why string) string {
	if outcome == consent.Unavailable.String() {
		if text, ok := reason.Why(s.language, why); ok {
			return clean(text)
		}
	}
	return s.Code(outcome)
}

// Absent describes why an input has no value: the outcome, and the agency's
// reason.
func (s *speaker) Absent(outcome, why string) string { return Outcome(s.language, outcome, why) }

// State writes the state of the log.
func (s *speaker) State(p *Profile) string {
	if p.Log.State == "final" {
		return s.StateFinal
	}
	text := s.StateCommitted
	if p.Log.Since == "" {
		text += s.NeverFinal
	} else {
		text += strings.Replace(s.FinalSince, "%s", s.Clock(p, p.Log.Since), 1)
	}
	if len(p.Log.Missing) > 0 {
		var names []string
		for _, m := range p.Log.Missing {
			names = append(names, s.Of(m.Title))
		}
		text += s.Missing + strings.Join(slices.Compact(names), s.And)
	}
	return text
}

// Outcome writes the outcome of one output and the reason, in a language of
// package consent, made safe to show. It is for callers that report answers without a
// profile, too.
func Outcome(language, outcome, why string) string {
	return clean(reason.Absent(language, outcome, why))
}
