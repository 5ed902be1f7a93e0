// Package profile makes a risk profile (企业全息风险画像) from agencies' answers and a
// template that the bank chose. It renders the profile for a terminal, a
// browser, a printer and a machine.
//
// A profile never takes silence for an answer. It begins with its coverage, and
// lists every output without a value with its outcome. The score is a range
// that covers every value the missing outputs could have had: a missing output
// is scored neither as clean nor as bad. Vetoes are separate from the score and
// are hit, passed or unknown; cross-checks compare what two agencies say. Every
// figure has its source, version, times and the log entry of its release.
//
// [Parse] reads a template, [Template.Assemble] makes the profile: the same
// facts give the same profile, byte for byte ([Profile.Encode]). The package is
// pure: no clock, no disk, no network, no floating point in anything scored.
//
// What it does not promise: that the template is wise. A template is an
// expert's scorecard, not a fitted model, and a profile is an aid to a person
// who decides; it is not a credit report (征信报告), and says so itself.
package profile

import (
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"atoll/consensus/consent"
)

// Schema names the format of an encoded [Profile]; schema.json describes it.
const Schema = "atoll.profile/v1"

// Title is a name in the two languages of the network.
type Title struct {
	Chinese string `yaml:"zh" json:"zh"`
	English string `yaml:"en" json:"en"`
}

// In returns the title in a language, [consent.Chinese] or [consent.English].
func (t Title) In(language string) string {
	if language == consent.Chinese {
		return t.Chinese
	}
	return t.English
}

// Named is something with a name in the network and a title for people.
type Named struct {
	Name  string `json:"name"`
	Title Title  `json:"title"`
}

// Profile is a risk profile. Decimals are text, because they are exact; times
// are RFC 3339 in UTC, civil days 2006-01-02. Every key is always present, and
// "" or 0 means unknown. Texts from agencies are stored unchanged: whoever
// shows them without the renderers of this package has to escape them.
type Profile struct {
	Schema     string      `json:"schema"`
	Statement  Title       `json:"statement"` // what a profile is and is not
	Template   Ref         `json:"template"`
	Network    string      `json:"network"`
	Query      string      `json:"query"`
	Consent    string      `json:"consent"`
	Subject    string      `json:"subject"`
	Pilot      bool        `json:"pilot"` // a code of the early Fujian pilot, valid despite a wrong check character
	Name       string      `json:"name"`  // of the enterprise, if the template asks for it
	Bank       Named       `json:"bank"`
	Operator   string      `json:"operator"`
	Purpose    Named       `json:"purpose"`
	Product    string      `json:"product"`
	At         string      `json:"at"`             // network time
	Offset     int16       `json:"offset_minutes"` // from UTC, for the network's civil days
	Again      string      `json:"again_until"`    // until when asking again spends no use; "" where it would bring nothing
	Command    string      `json:"-"`              // command line that asks again, for who reads the profile on a terminal; "": one with a placeholder
	Log        Log         `json:"log"`
	Coverage   Coverage    `json:"coverage"`
	Score      Score       `json:"score"`
	Stage      Stage       `json:"stage"`
	Vetoes     []Veto      `json:"vetoes"`
	Checks     []Check     `json:"checks"`
	Reasons    []Reason    `json:"reasons"`
	Gaps       []Gap       `json:"gaps"`
	Dimensions []Dimension `json:"dimensions"`
	Inputs     []Evidence  `json:"inputs"`
}

// Ref identifies the template by which a profile was made.
type Ref struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	Digest  string `json:"digest"` // SHA-256 of its bytes, hex
	Title   Title  `json:"title"`
	Author  string `json:"author"`
	Purpose string `json:"purpose"`
}

// Log is the state of the access log that a profile rests on.
type Log struct {
	Entry uint64 `json:"entry"` // index of query.open
	State string `json:"state"` // "committed", or "final" if every release used is final

	// If the state is committed: when the newest final checkpoint was signed
	// ("" for none), and which cosigners do not answer or do not sign.
	Since   string  `json:"final_since"`
	Missing []Named `json:"missing"`
}

// Coverage counts answers.
type Coverage struct {
	Answered   int     `json:"answered"`
	Of         int     `json:"of"`
	Agencies   []Share `json:"agencies"`
	Dimensions []Share `json:"dimensions"`
	Missing    []Miss  `json:"missing"`
}

// Share is the coverage of one agency or dimension.
type Share struct {
	Name     string `json:"name"`
	Title    Title  `json:"title"`
	Answered int    `json:"answered"`
	Of       int    `json:"of"`
}

// Miss is one input without a value, and the reason.
type Miss struct {
	Input   string `json:"input"`
	Title   Title  `json:"title"`
	Agency  string `json:"agency"`
	Outcome string `json:"outcome"` // a name of [consent.Outcome] or [NotAsked]
	Reason  string `json:"reason"`
	Acts    string `json:"acts"` // who has to act: "agency", "bank", "enterprise", "network", or "" for nobody
}

// NotAsked is the outcome of an input that the query did not ask for.
const NotAsked = "not_asked"

// Score is the range of the score, 0 to 100, to one decimal.
type Score struct {
	Worst      string `json:"worst"`
	Best       string `json:"best"`
	WorstGrade string `json:"worst_grade"`
	BestGrade  string `json:"best_grade"`
	Scale      []Step `json:"scale"` // the template's grades, best first
}

// Step is one grade and the lowest score that gets it.
type Step struct {
	Grade string `json:"grade"`
	From  string `json:"from"`
}

// Stage lists the stages of life that the enterprise may be in, and how they
// were determined.
type Stage struct {
	Possible []Named `json:"possible"`
	Tests    []Test  `json:"tests"`
}

// Test is one condition of a stage, in the order in which they were tried.
type Test struct {
	Stage  string   `json:"stage"`
	Title  Title    `json:"title"`
	When   string   `json:"when"`
	Words  Title    `json:"words"`  // the condition in words, "" where the template has none
	Result string   `json:"result"` // "yes", "no", "unknown"
	Inputs []string `json:"inputs"`
}

// Results of a [Veto].
const (
	Hit     = "hit"
	Passed  = "passed"
	Unknown = "unknown" // also of a [Check] and a [Test]
)

// Veto is a condition that is separate from the score.
type Veto struct {
	Name   string   `json:"name"`
	Title  Title    `json:"title"`
	When   string   `json:"when"`
	Words  Title    `json:"words"` // the condition in words, "" where the template has none
	Result string   `json:"result"`
	Inputs []string `json:"inputs"`
}

// Results of a [Check].
const (
	Normal    = "normal"
	Attention = "attention"
	Abnormal  = "abnormal"
)

// Check compares data of two agencies. A, B and Deviation are decimals,
// "low..high" where only a band is known, or "".
type Check struct {
	Name      string   `json:"name"`
	Title     Title    `json:"title"`
	Result    string   `json:"result"`
	A         string   `json:"a"`
	B         string   `json:"b"`
	AInputs   []string `json:"a_inputs"`
	BInputs   []string `json:"b_inputs"`
	Deviation string   `json:"deviation"`
	Attention string   `json:"attention"`
	Abnormal  string   `json:"abnormal"`
	Unit      string   `json:"unit"` // of A and B
	Measure   string   `json:"deviation_unit"`
}

// Reason is an indicator that certainly costs points.
type Reason struct {
	Indicator string `json:"indicator"`
	Title     Title  `json:"title"`
	Loss      string `json:"loss"` // points of the score, compared with the best bin
}

// Gap is a cause of the width of the score's range. Indicator is "" for the gap
// caused by an unknown stage.
type Gap struct {
	Indicator string   `json:"indicator"`
	Title     Title    `json:"title"`
	Cost      string   `json:"cost"` // points of the score
	State     string   `json:"state"`
	Inputs    []string `json:"inputs"` // inputs that would close the gap
}

// Dimension is one dimension with its indicators. Worst and Best are points of
// 100.
type Dimension struct {
	Name       string      `json:"name"`
	Title      Title       `json:"title"`
	Weights    []Weight    `json:"weights"` // of each stage, possible or not
	Worst      string      `json:"worst"`
	Best       string      `json:"best"`
	Indicators []Indicator `json:"indicators"`
}

// Weight is the weight of a dimension in one stage, of 100.
type Weight struct {
	Stage  string `json:"stage"`
	Title  Title  `json:"title"`
	Weight string `json:"weight"`
}

// States of an [Indicator].
const (
	Known     = "known"
	Banded    = "banded"    // its value is known as a band
	Missing   = "missing"   // an input has no value
	Undefined = "undefined" // its formula has no value for the inputs
)

// Indicator is one figure of a dimension. Weight "0" shows it without scoring
// it.
type Indicator struct {
	Name   string   `json:"name"`
	Title  Title    `json:"title"`
	Weight string   `json:"weight"` // within its dimension
	State  string   `json:"state"`
	Type   string   `json:"type"`  // "number", "text", "bool", "date", or "" where there is no value
	Value  string   `json:"value"` // "low..high" when banded
	Label  Title    `json:"label"` // explanation of a text, "" where the template has none
	Unit   string   `json:"unit"`
	Worst  string   `json:"worst"` // points of 100
	Best   string   `json:"best"`
	Inputs []string `json:"inputs"`
}

// Evidence is one input as it was asked and answered. Value and Unit are as the
// agency sent them; they are "" unless the outcome is answered.
type Evidence struct {
	Name       string `json:"name"`
	Title      Title  `json:"title"`
	Agency     Named  `json:"agency"`
	Dataset    string `json:"dataset"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"`    // of a flow; 0 for a state
	Predicate  string `json:"predicate"` // that was to be verified, such as "ge 500000"; otherwise ""
	Type       string `json:"type"`      // "number", "text", "bool" or "date"
	Outcome    string `json:"outcome"`
	Reason     string `json:"reason"`
	Value      string `json:"value"`
	Label      Title  `json:"label"` // explanation of a text, "" where the template has none
	Unit       string `json:"unit"`
	Version    uint64 `json:"version"`    // of the dataset
	AsOf       string `json:"as_of"`      // newest civil day that the data is about, 2006-01-02
	Fetched    string `json:"fetched_at"` // when the agency read its source
	Entry      uint64 `json:"entry"`      // log index of the release
	Rows       uint64 `json:"rows"`
	Dropped    uint64 `json:"dropped"` // rows left out because they repeat others
	Repeats    uint64 `json:"repeats"` // rows equal to others in every field; they are counted
	Covered    uint64 `json:"covered"` // months that the rows are about, of those asked
	Across     uint64 `json:"across"`  // periods left out because an end of those months divides them
	Aside      uint64 `json:"aside"`   // rows of the dataset of unknown owner that the agency has set aside
}

// Encode returns the profile as JSON, always the same bytes for the same
// profile: the form in which it is kept, embedded and digested. Invisible
// characters are escaped, so that it is safe on a terminal and within a page.
func (p *Profile) Encode() ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	safe := make([]byte, 0, len(data))
	for _, r := range string(data) { // only strings contain such characters
		if unicode.IsPrint(r) {
			safe = utf8.AppendRune(safe, r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			safe = fmt.Appendf(safe, `\u%04x`, u)
		}
	}
	return safe, nil
}
