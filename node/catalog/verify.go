package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// maxPoints limits the points with which one output is compared.
const maxPoints = 20

type fileVerify struct {
	Ops    []string  `yaml:"ops"`
	Points []written `yaml:"points"`
}

// verify checks with which points an output is compared, and how. It comes
// after the formula, which decides what texts the output can have.
func (c *checker) verify(path string, where phrase, d *Dataset, f *fileOutput, o *Output) {
	if slices.Contains(f.Disclose, consent.Verify.String()) != (len(f.Verify.Ops)+len(f.Verify.Points) > 0) {
		c.problem(path+".verify", "%s: verify (ops and points) and the disclosure verify belong together", where)
		return
	}
	if len(f.Verify.Ops)+len(f.Verify.Points) == 0 || o.Type == 0 {
		return
	}
	if o.Type == TypeBool {
		c.problem(path+".verify", "%s: verify compares numbers, days and texts; disclose a truth as value", where)
		return
	}
	c.ops(path+".verify.ops", where, f.Verify.Ops, o)
	if !c.size(path+".verify.points", where.key("verify: points"), len(f.Verify.Points), 1, maxPoints) {
		return
	}
	texts := d.Texts(o)
	for i, text := range f.Verify.Points {
		at := fmt.Sprintf("%s.verify.points[%d]", path, i)
		v, ok := o.point(string(text), texts)
		switch {
		case !ok && o.Type == TypeText:
			c.problem(at, "%s: verify: a point of a text is one of the values that the output's field declares, not %.40q", where, string(text))
			continue
		case !ok:
			c.problem(at, "%s: verify: a point is written as the output is, without zeros behind it: 500000, 0.25 or 2026-01-31, not %.40q", where, string(text))
			continue
		case o.Type == TypeText && slices.Contains(o.Points, string(text)):
			c.problem(at, "%s: verify: %.40q is there twice", where, string(text))
		case o.Type != TypeText && len(o.points) > 0 && order(o.points[len(o.points)-1], v) >= 0:
			c.problem(at, "%s: verify: points ascend", where)
		}
		o.Points, o.points = append(o.Points, string(text)), append(o.points, v)
	}
}

// ops checks the operators: those that order for numbers and days, equality for
// texts.
func (c *checker) ops(path string, where phrase, list []string, o *Output) {
	allowed := consent.Ops[:len(consent.Ops)-1]
	if o.Type == TypeText {
		allowed = consent.Ops[len(consent.Ops)-1:]
	}
	var names []string
	for _, op := range allowed {
		names = append(names, string(op))
		if slices.Contains(list, string(op)) {
			o.Ops = append(o.Ops, op)
		}
	}
	for i, text := range list {
		if !slices.Contains(names, text) || slices.Contains(list[:i], text) {
			c.problem(fmt.Sprintf("%s[%d]", path, i), "%s: verify: ops: some of %s, each once, not %.40q", where, strings.Join(names, ", "), text)
		}
	}
	if len(list) == 0 {
		c.problem(path, "%s: verify: ops: some of %s, each once, not %.40q", where, strings.Join(names, ", "), "")
	}
}

// point reads a point. Each value has one spelling, so that the same point in a
// later version of the catalog has the same text.
func (o *Output) point(text string, texts []string) (v any, ok bool) {
	switch {
	case o.Type == TypeText:
		return text, slices.Contains(texts, text)
	case o.Type == TypeDate:
		d, err := formula.ParseDate(text)
		return d, err == nil && d.String() == text
	case !plainNumber().MatchString(text):
		return nil, false
	}
	d := decimal.RequireFromString(text)
	return d, d.String() == text && d.Equal(d.Truncate(o.Scale)) && formula.Leaves(d)
}

// twins warns of outputs that verify the same number: a bank could ask as many
// predicates of each.
func (c *checker) twins(path string, where phrase, f *fileDataset) {
	for i := range f.Outputs {
		for j := range i {
			a, b := &f.Outputs[i], &f.Outputs[j]
			if len(a.Verify.Points) > 0 && len(b.Verify.Points) > 0 && a.Value == b.Value && a.Field == b.Field && a.Months == b.Months {
				c.warn(fmt.Sprintf("%s.outputs[%d].verify", path, i), "%s: computed as %s is: a bank gets %d predicates of each answered, and so twice as many of one value", where.dot(a.Name), shown(b.Name), consent.MaxPredicates)
			}
		}
	}
}

// order compares two values of one output.
func order(a, b any) int {
	switch a := a.(type) {
	case decimal.Decimal:
		return a.Cmp(b.(decimal.Decimal))
	case consent.Day:
		return cmp.Compare(a, b.(consent.Day))
	}
	return cmp.Compare(a.(string), b.(string))
}

// undecided is what an answer holds where the rows do not tell the value.
type undecided struct{}

// verifiable turns the answer to an item that is to be verified into one that
// only [Answer.Verify] can complete. A subject without a record has no_record,
// as everywhere.
func (a Answer) verifiable(rows int) Answer {
	switch {
	case a.held != nil:
	case a.Outcome == consent.NoRecord && rows > 0:
		a.held = undecided{}
	default:
		return a
	}
	a.Outcome, a.Value, a.Unit = consent.Invalid, "", ""
	if _, ok := a.held.(undecided); !ok {
		a.Reason = predicateNone
	}
	return a
}

// Verify completes an answer to an item that is to be verified: it reports whether
// the predicate holds, by yes, no or unknown. The output is compared as it
// would be disclosed, rounded to its scale. A predicate that the output does
// not declare leaves the answer invalid; callers refuse it before.
func (a Answer) Verify(o *Output, p consent.Predicate) Answer {
	held := a.held
	a.held = nil
	if held == nil || !o.Declares(p) {
		return a
	}
	a.Outcome = consent.Answered
	if _, ok := held.(undecided); ok {
		a.Value = consent.Unknown
		return a
	}
	a.Value, a.Reason = consent.No, ""
	if p.Op.Holds(order(held, o.points[slices.Index(o.Points, p.Point)])) {
		a.Value = consent.Yes
	}
	return a
}

// Declares reports whether the output answers a predicate.
func (o *Output) Declares(p consent.Predicate) bool {
	return slices.Contains(o.Ops, p.Op) && slices.Contains(o.Points, p.Point)
}

// Predicates returns the predicates that the output answers, by operator, then
// point.
func (o *Output) Predicates() (list []consent.Predicate) {
	for _, op := range o.Ops {
		for _, point := range o.Points {
			list = append(list, consent.Predicate{Op: op, Point: point})
		}
	}
	return list
}
