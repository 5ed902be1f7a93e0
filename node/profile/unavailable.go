package profile

import (
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// NotFinal is the reason of an output that lies ready at its agency and waits
// for cosigners.
const NotFinal = "not_final"

// WaitsFor is a reason with the members that are waited for, as an [Input] has
// it: "not_final: court tax".
func WaitsFor(reason string, members []string) string {
	if len(members) == 0 {
		return reason
	}
	return reason + ": " + strings.Join(members, " ")
}

// why are the words for reasons of what is unavailable.
var why = map[string]Title{
	"timeout":         {"未在期限内应答", "no answer in time"},
	"unreachable":     {"无法连接该机构", "the agency cannot be reached"},
	"no_member":       {"本网络没有该成员", "this network has no such member"},
	"busy":            {"机构繁忙", "the agency is busy"},
	"log_unavailable": {"日志此时无法增加条目", "nothing could be put on the log"},
	"query_unknown":   {"查询未及时传到该机构", "the query did not get to the agency in time"},
	"fragment_gone":   {"机构已不再保存该片段", "the agency no longer keeps the fragment"},
	NotFinal:          {"已放行，尚未终局", "released, not yet final"},
}

// Because writes a reason: words for a code, or what the agency says.
func (s *speaker) Because(reason string) string {
	if t, ok := catalog.Says(reason); ok {
		return clean(t.In(s.language))
	}
	if text, ok := s.why(consent.Unavailable.String(), reason); ok {
		return text
	}
	return clean(reason)
}

// Lack says in a few words why an input has no value: the outcome, or where it
// is unavailable the reason.
func (s *speaker) Lack(outcome, reason string) string {
	if text, ok := s.why(outcome, reason); ok {
		return text
	}
	return s.Code(outcome)
}

// Absent says why an input has no value: outcome, and the agency's reason.
func (s *speaker) Absent(outcome, reason string) string {
	if text, ok := s.why(outcome, reason); ok {
		return text
	}
	text := s.Code(outcome)
	if reason != "" {
		text += " (" + s.Because(reason) + ")"
	}
	return text
}

func (s *speaker) why(outcome, reason string) (text string, ok bool) {
	code, members, _ := strings.Cut(reason, ": ")
	words, ok := why[code]
	if outcome != consent.Unavailable.String() || !ok {
		return "", false
	}
	text = words.In(s.language)
	if members != "" {
		text += s.Missing + clean(strings.Join(strings.Fields(members), s.And))
	}
	return text, true
}

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
