package profile

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/consensus/strict"
	"atoll/node/formula"
)

// Template is a bank's scorecard: what is asked of whom, and how the answers
// are evaluated. [Parse] makes it. It is not changed afterwards and is safe for
// concurrent use.
type Template struct {
	Name    string
	Version uint64
	Title   Title
	Author  string
	Purpose string // code of the purpose that it is written for
	Needs   []Need // in the order of the template

	doc    document
	lines  strict.Lines
	digest [32]byte
}

// Need is one input of a template: an output of an agency, asked for in one
// disclosure over a number of months.
type Need struct {
	Name       string
	Agency     string
	Dataset    string
	Output     string
	Disclosure consent.Disclosure
	Months     uint32
	Title      Title
	Predicate  string // of the disclosure verify, such as "ge 500000"; otherwise ""
	Unit       string // exact unit of an answer; "" for none
	Least      *Number
	Most       *Number // no value is outside these; they close the open end of a band

	// Values maps each accepted spelling of a text to the spelling that
	// formulas see; nil accepts any text. Any other text is invalid.
	Values map[string]string

	kind formula.Kind
}

// Item returns the need as an item of a consent.
func (n *Need) Item() consent.Item {
	return consent.Item{Dataset: n.Dataset, Output: n.Output, Disclosure: n.Disclosure, Months: n.Months}
}

// Predicates returns what this template asks about outputs that are verified.
func (t *Template) Predicates() (list []Predicate) {
	for i := range t.Needs {
		if n := &t.Needs[i]; n.Predicate != "" {
			list = append(list, Predicate{n.Agency, n.Item(), n.Predicate})
		}
	}
	return list
}

// Predicate is what a template asks about an output that an agency verifies.
type Predicate struct {
	Agency string
	Item   consent.Item
	Text   string // see [consent.ParsePredicate]
}

// asks reports whether an item is the need's. It ignores the meaning of the
// output, which the consent states.
func (n *Need) asks(item consent.Item) bool {
	item.Meaning = consent.Meaning{}
	return n.Item() == item
}

// Number is an exact decimal of a template.
type Number struct{ decimal.Decimal }

// Digest returns SHA-256 of the template's bytes.
func (t *Template) Digest() [32]byte { return t.digest }

// Offers returns what a consent must cover so that this template can be
// answered in full: agencies ascending, items in the order of
// [consent.CompareItems].
func (t *Template) Offers() []consent.Offer {
	var offers []consent.Offer
	for i := range t.Needs {
		n := &t.Needs[i]
		at := slices.IndexFunc(offers, func(o consent.Offer) bool { return o.Agency == n.Agency })
		if at < 0 {
			at = len(offers)
			offers = append(offers, consent.Offer{Agency: n.Agency})
		}
		offers[at].Items = append(offers[at].Items, n.Item())
	}
	slices.SortFunc(offers, func(a, b consent.Offer) int { return cmp.Compare(a.Agency, b.Agency) })
	for _, o := range offers {
		slices.SortFunc(o.Items, consent.CompareItems)
	}
	return offers
}

// document is the YAML form of a template.
type document struct {
	Name       string      `yaml:"name"`
	Version    uint64      `yaml:"version"`
	Title      Title       `yaml:"title"`
	Author     string      `yaml:"author"`
	Purpose    string      `yaml:"purpose"`
	Subject    string      `yaml:"subject"` // the input with the enterprise's name
	Inputs     []input     `yaml:"inputs"`
	Stages     []stage     `yaml:"stages"`
	Dimensions []dimension `yaml:"dimensions"`
	Indicators []indicator `yaml:"indicators"`
	Vetoes     []veto      `yaml:"vetoes"`
	Checks     []check     `yaml:"checks"`
	Grades     []grade     `yaml:"grades"`
}

type input struct {
	Name       string  `yaml:"name"`
	Agency     string  `yaml:"agency"`
	Dataset    string  `yaml:"dataset"`
	Output     string  `yaml:"output"`
	Disclosure string  `yaml:"disclosure"`
	Months     uint32  `yaml:"months"`
	Verify     string  `yaml:"verify"` // the predicate to be answered
	Type       string  `yaml:"type"`   // number (the default), text, bool or date
	Unit       string  `yaml:"unit"`
	Least      *Number `yaml:"least"`
	Most       *Number `yaml:"most"`
	Title      Title   `yaml:"title"`

	Values map[string][]string `yaml:"values"` // accepted spellings of each text, besides itself
}

type stage struct {
	Name   string `yaml:"name"`
	Title  Title  `yaml:"title"`
	When   string `yaml:"when"`
	Words  Title  `yaml:"words"` // the condition in words, for people
	Steady bool   `yaml:"steady"`

	when expression
}

type dimension struct {
	Name    string            `yaml:"name"`
	Title   Title             `yaml:"title"`
	Weights map[string]Number `yaml:"weights"` // by stage
}

type indicator struct {
	Name      string  `yaml:"name"`
	Dimension string  `yaml:"dimension"`
	Title     Title   `yaml:"title"`
	Weight    Number  `yaml:"weight"`
	Value     string  `yaml:"value"`
	Steady    bool    `yaml:"steady"`
	Unit      string  `yaml:"unit"`
	Bins      []bin   `yaml:"bins"`
	Missing   *points `yaml:"missing"`

	Labels map[string]Title `yaml:"labels"` // explanations of texts, such as M of a credit grade

	value expression
}

// bin gives points to values below a cut point, or to the texts that it lists;
// the last bin of a list has neither and takes the remaining values.
type bin struct {
	Below  *Number  `yaml:"below"`
	Is     []string `yaml:"is"`
	Points Number   `yaml:"points"`
}

type points struct {
	Points [2]Number `yaml:"points"`
}

type veto struct {
	Name   string `yaml:"name"`
	Title  Title  `yaml:"title"`
	When   string `yaml:"when"`
	Words  Title  `yaml:"words"` // the condition in words, for people
	Steady bool   `yaml:"steady"`

	when expression
}

type check struct {
	Name      string `yaml:"name"`
	Title     Title  `yaml:"title"`
	A         string `yaml:"a"`
	B         string `yaml:"b"`
	Steady    bool   `yaml:"steady"`
	Deviation string `yaml:"deviation"` // formula over a and b; by default abs(a - b)
	Attention Number `yaml:"attention"`
	Abnormal  Number `yaml:"abnormal"`
	Unit      string `yaml:"unit"`           // of a and b
	Measure   string `yaml:"deviation_unit"` // by default the unit of a and b, if the deviation is the default

	a, b      expression
	deviation expression
}

type grade struct {
	From  Number `yaml:"from"`
	Grade string `yaml:"grade"`
}

// scored reports whether the indicator counts.
func (i *indicator) scored() bool { return i.Weight.Sign() > 0 }

// kind returns the kind of the indicator's result.
func (i *indicator) kind() formula.Kind {
	switch {
	case len(i.Bins) == 0:
		return formula.Any
	case i.Bins[0].Is != nil:
		return formula.Text
	}
	return formula.Number
}

// reach returns the least and the most points of an indicator.
func (i *indicator) reach() (worst, best Number) {
	worst, best = i.Bins[0].Points, i.Bins[0].Points
	for _, b := range i.Bins[1:] {
		worst, best = lesser(worst, b.Points), greater(best, b.Points)
	}
	return worst, best
}

// absent returns the least and the most points that an indicator without a
// value could have had.
func (i *indicator) absent() (worst, best Number) {
	if i.Missing != nil {
		return i.Missing.Points[0], i.Missing.Points[1]
	}
	return i.reach()
}

func lesser(a, b Number) Number {
	if b.LessThan(a.Decimal) {
		return b
	}
	return a
}

func greater(a, b Number) Number {
	if b.GreaterThan(a.Decimal) {
		return b
	}
	return a
}
