// Package profile makes a risk profile (企业全息风险画像) out of what agencies
// answered, by a template that the bank chose, and renders it for a terminal,
// a browser, a printer and a machine.
//
// A profile never takes silence for an answer. It opens with its coverage;
// every output that gave no value is named with what became of it, and the
// score is a range that holds every value the missing ones could have had:
// nothing that is missing is scored as clean, nor as bad. Vetoes stand outside
// the score and are hit, passed or unknown; cross-checks compare what two
// agencies say. Every figure carries its source, version, times and the log
// entry by which it was released.
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

// Schema names the form of an encoded [Profile]; schema.json describes it.
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

// Named is something with a name of the network and a title for people.
type Named struct {
	Name  string `json:"name"`
	Title Title  `json:"title"`
}

// Profile is a risk profile. Decimals are text, because they are exact; times
// are RFC 3339 in UTC, civil days 2006-01-02; every key is always there, and "" or 0 stands for
// what is not known. Texts from agencies stand here as they came: whoever
// shows them elsewhere than by the renderers of this package escapes them.
type Profile struct {
	Schema     string      `json:"schema"`
	Statement  Title       `json:"statement"` // what a profile is and is not
	Template   Ref         `json:"template"`
	Network    string      `json:"network"`
	Query      string      `json:"query"`
	Consent    string      `json:"consent"`
	Subject    string      `json:"subject"`
	Pilot      bool        `json:"pilot"` // a code of the early Fujian pilot, valid with a wrong check character
	Name       string      `json:"name"`  // the enterprise's, where the template asks for it
	Bank       Named       `json:"bank"`
	Operator   string      `json:"operator"`
	Purpose    Named       `json:"purpose"`
	Product    string      `json:"product"`
	At         string      `json:"at"`             // network time
	Offset     int16       `json:"offset_minutes"` // of the network's civil days from UTC
	Again      string      `json:"again_until"`    // until when asking again is free; "" where nothing would come of it
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

// Ref says which template a profile was made by.
type Ref struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	Digest  string `json:"digest"` // SHA-256 of its bytes, hex
	Title   Title  `json:"title"`
	Author  string `json:"author"`
	Purpose string `json:"purpose"`
}

// Log says which state of the access log a profile rests on.
type Log struct {
	Entry uint64 `json:"entry"` // index of query.open
	State string `json:"state"` // "committed", or "final" where every release used is final

	// Where it is committed: when the newest final checkpoint was signed, "" for
	// none, and which cosigners do not answer or do not sign.
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

// Miss is one input without a value, and why.
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

// Score is the range that the score lies in, 0 to 100, to one decimal.
type Score struct {
	Worst      string `json:"worst"`
	Best       string `json:"best"`
	WorstGrade string `json:"worst_grade"`
	BestGrade  string `json:"best_grade"`
	Scale      []Step `json:"scale"` // the template's grades, the best first
}

// Step is one grade and the score that it starts at.
type Step struct {
	Grade string `json:"grade"`
	From  string `json:"from"`
}

// Stage says which stages of its life the enterprise may be in and how that
// was told.
type Stage struct {
	Possible []Named `json:"possible"`
	Tests    []Test  `json:"tests"`
}

// Test is one condition of a stage, in the order they were tried.
type Test struct {
	Stage  string   `json:"stage"`
	Title  Title    `json:"title"`
	When   string   `json:"when"`
	Words  Title    `json:"words"`  // what when says, "" where the template does not
	Result string   `json:"result"` // "yes", "no", "unknown"
	Inputs []string `json:"inputs"`
}

// Results of a [Veto].
const (
	Hit     = "hit"
	Passed  = "passed"
	Unknown = "unknown" // of a [Check] and a [Test] too
)

// Veto is a condition that stands outside the score.
type Veto struct {
	Name   string   `json:"name"`
	Title  Title    `json:"title"`
	When   string   `json:"when"`
	Words  Title    `json:"words"` // what when says, "" where the template does not
	Result string   `json:"result"`
	Inputs []string `json:"inputs"`
}

// Results of a [Check].
const (
	Normal    = "normal"
	Attention = "attention"
	Abnormal  = "abnormal"
)

// Check compares what two agencies say. A, B and Deviation are decimals, or
// "low..high" where a band is all that is known, or "".
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

// Reason is an indicator that surely costs points.
type Reason struct {
	Indicator string `json:"indicator"`
	Title     Title  `json:"title"`
	Loss      string `json:"loss"` // points of the score, against the best bin
}

// Gap is what widens the range of the score. Indicator is "" for the gap that
// a stage leaves which cannot be told.
type Gap struct {
	Indicator string   `json:"indicator"`
	Title     Title    `json:"title"`
	Cost      string   `json:"cost"` // points of the score
	State     string   `json:"state"`
	Inputs    []string `json:"inputs"` // that would close it
}

// Dimension is one dimension with its indicators. Worst and Best are of 100.
type Dimension struct {
	Name       string      `json:"name"`
	Title      Title       `json:"title"`
	Weights    []Weight    `json:"weights"` // of each stage, possible or not
	Worst      string      `json:"worst"`
	Best       string      `json:"best"`
	Indicators []Indicator `json:"indicators"`
}

// Weight is what a dimension counts in one stage, of 100.
type Weight struct {
	Stage  string `json:"stage"`
	Title  Title  `json:"title"`
	Weight string `json:"weight"`
}

// States of an [Indicator].
const (
	Known     = "known"
	Banded    = "banded"    // its value lies in a band
	Missing   = "missing"   // an input has no value
	Undefined = "undefined" // its formula has no value for the inputs there are
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
	Label  Title    `json:"label"` // what a text means, "" where the template does not say
	Unit   string   `json:"unit"`
	Worst  string   `json:"worst"` // points of 100
	Best   string   `json:"best"`
	Inputs []string `json:"inputs"`
}

// Evidence is one input as it was asked and answered. Value and Unit are as
// the agency sent them, "" unless the outcome is answered.
type Evidence struct {
	Name       string `json:"name"`
	Title      Title  `json:"title"`
	Agency     Named  `json:"agency"`
	Dataset    string `json:"dataset"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"` // of a flow; 0 for a state
	Type       string `json:"type"`   // "number", "text", "bool" or "date"
	Outcome    string `json:"outcome"`
	Reason     string `json:"reason"`
	Value      string `json:"value"`
	Label      Title  `json:"label"` // what a text means, "" where the template does not say
	Unit       string `json:"unit"`
	Version    uint64 `json:"version"`    // of the dataset
	AsOf       string `json:"as_of"`      // newest civil day that the data is about, 2006-01-02
	Fetched    string `json:"fetched_at"` // when the agency read its source
	Entry      uint64 `json:"entry"`      // log index of the release
	Rows       uint64 `json:"rows"`
	Dropped    uint64 `json:"dropped"` // rows left out because they repeat others
	Repeats    uint64 `json:"repeats"` // rows equal to others in every field, and counted
	Covered    uint64 `json:"covered"` // months that the rows are about, of those asked
	Across     uint64 `json:"across"`  // periods left out because they lie across an end of those months
	Aside      uint64 `json:"aside"`   // rows of the dataset of unknown owner that the agency has set aside
}

// Encode returns the profile as JSON, always the same bytes for the same
// profile: what is kept, embedded and digested. What cannot be seen stands
// escaped in it, so that it is safe on a terminal and within a page.
func (p *Profile) Encode() ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	safe := make([]byte, 0, len(data))
	for _, r := range string(data) { // only strings have such characters
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
