package profile

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// today is the variable that holds the civil day of the query.
const today = "today"

type variables map[string]formula.Kind

func variablesOf(needs []Need) variables {
	v := variables{today: formula.Date}
	for _, n := range needs {
		v[n.Name] = n.kind
	}
	return v
}

// expression is a formula of a template with the inputs that it uses, in the
// order of the template.
type expression struct {
	formula *formula.Formula
	inputs  []string
	decides bool // its result is not a text, which may be any
}

var (
	words = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"[^"]*"|'[^']*'|[A-Za-z_][A-Za-z0-9_]*`) })

	// byEnds matches comparisons whose result over a band depends only on its
	// two ends.
	byEnds = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\s*[a-z][a-z0-9_]*\s*((<|<=|>|>=)\s*-?[0-9]+(\.[0-9]+)?\s*)?$`)
	})

	// outs are the functions that turn a missing value into a value. They are
	// not allowed in a template: a missing value widens the range and never
	// counts as an answer.
	outs = []string{"null", "has", "has_value", "orElse", "known"}
)

// maxBands limits how often a formula runs: once for each corner.
const maxBands = 6

func (c *checker) compile(path, source string, want formula.Kind, steady bool) (e expression) {
	if strings.Contains(source, `\`) {
		c.bad(path, "模板的公式中不得有反斜杠", "a formula of a template has no backslash")
		return e
	}
	e.decides = want != formula.Text && want != formula.Any
	bands, named := 0, words().FindAllString(source, -1)
	for _, n := range c.t.Needs {
		if slices.Contains(named, n.Name) {
			e.inputs = append(e.inputs, n.Name)
			if n.banded() {
				bands++
			}
		}
	}
	for _, out := range outs {
		if slices.Contains(named, out) {
			c.bad(path, "%s：模板不以缺失的值作判断", "%s: a template does not decide on what is missing", out)
			return e
		}
	}
	switch {
	case len(e.inputs) == 0:
		if _, err := formula.Compile(source, c.vars, want); err != nil { // a mistyped input, more often than none
			c.faulty(path, err)
			return e
		}
		c.bad(path, "公式中没有任何输入项", "the formula uses no input")
		return e
	case bands > maxBands:
		c.bad(path, "一个公式中有 %d 个区间，上限为 %d", "%d bands in one formula, the limit is %d", bands, maxBands)
	case bands > 0 && !steady && !byEnds().MatchString(source):
		c.bad(path, "对区间的公式只在区间两端计算，仅当其间单调时才有意义：若是单调的，请写 steady: true", "a formula over a band is run at the band's ends, which tells only where it rises or falls steadily between them: if it does, say steady: true")
	}
	var err error
	if e.formula, err = formula.Compile(source, c.vars, want); err != nil {
		c.faulty(path, err)
	}
	return e
}

// deviation compiles the formula of a check over a and b. The default needs no
// formula: it is computed on ranges, exactly.
func (c *checker) deviation(path string, x *check) (e expression) {
	if x.Deviation == "" {
		return e
	}
	banded := func(name string) bool { return c.t.Needs[c.t.need(name)].banded() }
	if !x.Steady && (slices.ContainsFunc(x.a.inputs, banded) || slices.ContainsFunc(x.b.inputs, banded)) {
		c.bad(path+".deviation", "对区间，请去掉（即 abs(a - b)），或在其单调时写 steady: true", "over a band, leave it out for abs(a - b), or say steady: true if it rises or falls steadily")
	}
	named := words().FindAllString(x.Deviation, -1)
	for _, out := range outs {
		if slices.Contains(named, out) {
			c.bad(path+".deviation", "%s：模板不以缺失的值作判断", "%s: a template does not decide on what is missing", out)
		}
	}
	var err error
	if e.formula, err = formula.Compile(x.Deviation, variables{"a": formula.Number, "b": formula.Number}, formula.Number); err != nil {
		c.faulty(path+".deviation", err)
	}
	return e
}

// banded reports whether answers to the need are bands.
func (n *Need) banded() bool { return n.Disclosure == consent.Band }

// result is what a formula gives over what is known: its value at every corner
// of the bands, or the reason why there is none.
type result struct {
	ends  []any // one value, or least and most; nil where they are unknown
	state string
}

// run computes an expression at every corner. Missing inputs are null and make
// the result null unless they do not affect it.
func (e *expression) run(w world) result {
	absent := slices.ContainsFunc(e.inputs, func(name string) bool { return w[name] == nil })
	state := Undefined
	if absent {
		state = Missing
	}
	var ends []any
	for corner := range 1 << bandsOf(e.inputs, w) {
		v, err := e.formula.Run(w.at(e.inputs, corner))
		if err != nil || !single(v) {
			return result{nil, state}
		}
		ends = append(ends, v)
	}
	if ends = spread(ends); len(ends) == 1 {
		return result{ends, Known}
	}
	return result{ends, Banded}
}

// single reports whether a result is one value that can be shown.
func single(v any) bool {
	switch v.(type) {
	case *big.Rat, consent.Day, string, bool:
		return true
	}
	return false
}

func bandsOf(inputs []string, w world) (n int) {
	for _, name := range inputs {
		if len(w[name]) == 2 {
			n++
		}
	}
	return n
}

// at selects one end of every band by the bits of corner.
func (w world) at(inputs []string, corner int) map[string]any {
	values := map[string]any{today: w[today][0]}
	for _, name := range inputs {
		ends := w[name]
		switch len(ends) {
		case 1:
			values[name] = ends[0]
		case 2:
			values[name] = ends[corner&1]
			corner >>= 1
		}
	}
	return values
}

// spread reduces the values at the corners: numbers to least and most, others
// to their one value; nil where the corners differ.
func spread(values []any) []any {
	low, high := values[0], values[0]
	for _, v := range values[1:] {
		x, number := v.(*big.Rat)
		if !number {
			if !same(v, low) {
				return nil
			}
			continue
		}
		if l, ok := low.(*big.Rat); ok && x.Cmp(l) < 0 {
			low = x
		}
		if h, ok := high.(*big.Rat); ok && x.Cmp(h) > 0 {
			high = x
		}
	}
	if same(low, high) {
		return []any{low}
	}
	return []any{low, high}
}

// truth returns the result of a condition.
func (r result) truth() string {
	if len(r.ends) != 1 {
		return Unknown
	}
	if r.ends[0] == true {
		return yes
	}
	return no
}

const (
	yes = "yes"
	no  = "no"
)

// numbers returns least and most of a result of kind number; ok is false where
// there is no number.
func (r result) numbers() (low, high *big.Rat, ok bool) {
	if len(r.ends) == 0 {
		return nil, nil, false
	}
	low, ok = r.ends[0].(*big.Rat)
	high, also := r.ends[len(r.ends)-1].(*big.Rat)
	return low, high, ok && also
}
