// Package reason has the words, in both languages, for the outcomes of a query and
// for the codes of reasons behind them: an agency's, a bank's, and those of the rules
// of the log. Whoever shows an outcome, on a terminal or in a page, takes its words
// from here. What strangers wrote is in these texts as it is: who shows them makes it
// harmless.
package reason

import (
	"fmt"
	"strings"
	"time"

	"atoll/consensus/consent"
)

// Text is one text in both languages.
type Text struct{ Chinese, English string }

// In returns the text in a language of package consent.
func (t Text) In(language string) string {
	if language == consent.Chinese {
		return t.Chinese
	}
	return t.English
}

// Outcome returns the words for the name of an outcome.
func Outcome(name string) (words Text, ok bool) {
	words, ok = outcomes[name]
	return words, ok
}

// Pauses reports whether a reason of the outcome unavailable says that the
// agency will answer at another time.
func Pauses(reason string) bool {
	code, _, _ := strings.Cut(reason, ": ")
	_, ok := pauses[code]
	return ok
}

// Why returns the words for a reason of the outcome unavailable, in a language of
// package consent. ok is false where there are none.
func Why(language, reason string) (text string, ok bool) {
	code, about, _ := strings.Cut(reason, ": ")
	if text, ok := paused(language, code, about); ok {
		return text, true
	}
	words, ok := why[code]
	if !ok {
		return "", false
	}
	text = words.In(language)
	if about != "" {
		text += missing.In(language) + strings.Join(strings.Fields(about), and.In(language))
	}
	return text, true
}

// Until returns when an agency answers again that answers nobody now, by its reason. ok is
// false for any other reason, and where the time is not known.
func Until(reason string) (at time.Time, ok bool) {
	code, about, _ := strings.Cut(reason, ": ")
	if code != "maintenance" && code != "agency_closed" {
		return at, false
	}
	said, _, _ := strings.Cut(about, " | ")
	at, err := time.Parse(time.RFC3339, said)
	return at, err == nil
}

// paused writes a reason that ends at a known time.
func paused(language, code, about string) (text string, ok bool) {
	words, ok := pauses[code]
	if !ok {
		return "", false
	}
	said, own, _ := strings.Cut(about, " | ")
	until := soon.In(language)
	if t, err := time.Parse(time.RFC3339, said); err == nil {
		until = t.Format("2006-01-02 15:04 UTC-07:00")
	}
	text = fmt.Sprintf(words.In(language), until)
	if own != "" {
		text += colon.In(language) + own
	}
	return text, true
}

// ruled writes a refusal by an agency's rule, in the agency's own words if it
// sent them.
func ruled(language, about string) string {
	text := register["agency.rules"].In(language)
	parts := strings.SplitN(about, " | ", 3)
	own := Text{Chinese: parts[0], English: parts[0]}
	if len(parts) == 3 {
		own = Text{Chinese: parts[1], English: parts[2]}
	}
	if own.In(language) != "" {
		text += colon.In(language) + own.In(language)
	}
	return text
}

// Because writes a reason: the words for a code, or the agency's own words.
func Because(language, reason string) string {
	code, about, _ := strings.Cut(reason, ": ")
	if code == "agency.rules" {
		return ruled(language, about)
	}
	if t, ok := becauses[code]; ok {
		return t.In(language)
	}
	if t, ok := Says(reason); ok {
		return t.In(language)
	}
	if text, ok := Why(language, reason); ok {
		return text
	}
	return reason
}

// Says returns the words for a reason that an agency finds in its register, including
// the part after the code where the words need it. ok is false where there are none.
func Says(reason string) (words Text, ok bool) {
	code, about, _ := strings.Cut(reason, ": ")
	words, ok = register[code]
	words.Chinese, words.English = strings.Replace(words.Chinese, "%s", about, 1), strings.Replace(words.English, "%s", about, 1)
	return words, ok
}

// Absent describes why there is no value: the outcome, and the agency's reason. Of an
// outcome without words it has the name.
func Absent(language, outcome, reason string) string {
	if outcome == consent.Unavailable.String() {
		if text, ok := Why(language, reason); ok {
			return text
		}
	}
	text := outcome
	if words, ok := outcomes[outcome]; ok {
		text = words.In(language)
	}
	if reason != "" && outcome != consent.Answered.String() {
		text += " (" + Because(language, reason) + ")"
	}
	return text
}

// Verdict returns the words for a code with which the rules of the log do not accept a
// query, or an agency refuses one; empty ones if there are none.
func Verdict(code string) Text { return verdicts[code] }
