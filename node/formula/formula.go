// Package formula evaluates the formulas of catalogs and templates in CEL, the
// Common Expression Language, with exact decimals in place of integers and
// floating point.
//
// Use [Compile] when a file is read: it refuses a formula that does not parse,
// that names something that does not exist, or that gives another kind of
// result than wanted. Use [Formula.Run] for each subject: it ends within a
// fixed cost, does not panic on any value, and gives the same result on every
// machine.
//
// An unknown value is null, and null is never taken for a number, for false or
// for an empty list. Arithmetic, comparisons, conditions and aggregates over
// null are null in turn, unless it does not affect the result (true || null is
// true). A formula handles null explicitly: x == null, has_value(x), orElse(x,
// default), and known(list), which leaves nulls out.
//
// Numbers are exact fractions whose numerator and denominator have up to 200
// digits. Only [Round] and the function of that name round. The operators are +
// - * / < <= > >= == != ! && || ?: and in; the macros all, exists, exists_one,
// filter and map; [Functions] lists the functions. What a formula means is not
// checked: its author is responsible for that.
package formula

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

// Limits of a formula.
const (
	MaxSource  = 2000 // bytes of its text
	maxDepth   = 60   // of the text's nesting
	maxNested  = 3    // macros within macros
	maxNodes   = 2000
	maxCost    = 1_000_000 // in CEL units: a step over one row costs about 10
	maxReasons = 5         // maximum number in an error of Compile
)

// When is the name of the field that holds the time a record is about, as a
// [Period]. Formulas cannot name it; the caller puts it into each record.
const When = "_when"

// Period is the time that one record is about. Ages are whole months before the
// newest month of a flow, which has age 0.
type Period struct {
	Last           consent.Day // its last day, by which newest chooses
	Newest, Oldest int         // ages of its last and first month; Newest is the smaller
	Flow           bool        // whether there are ages: a state has none
}

// Codes of the reasons why a formula has no value, see [Formula.Eval].
const (
	NotPositive = "base.not_positive" // a ratio or growth with a base of 0 or less
	ValueGone   = "value.missing"     // the formula needs an empty field of a row
	NoRows      = "rows.none"         // the least, greatest, mean or newest of no rows
)

// ErrAcross means that a period crosses the boundary between two ranges of
// months, so that it belongs to neither.
var ErrAcross error = &problem{"a period lies across the edge of months that the formula tells apart"}

// ErrTied means that the rows of the newest day have different values.
var ErrTied error = &problem{"two newest rows differ"}

// Kind is the kind of a value. A value of any kind may be null.
type Kind uint8

const (
	Text   Kind = iota + 1 // string
	Bool                   // bool
	Number                 // *big.Rat, exact; decimal.Decimal is accepted too
	Date                   // consent.Day
	Rows                   // []map[string]any: records by field name
	Any                    // any of these, checked only when the formula runs
)

var kinds = [...]string{Text: "text", Bool: "bool", Number: "number", Date: "date", Rows: "rows", Any: "any"}

func (k Kind) String() string {
	if k < Text || k > Any {
		return "kind?"
	}
	return kinds[k]
}

// Formula is a compiled expression. It is safe for concurrent use.
type Formula struct {
	program cel.Program
	vars    map[string]Kind
	want    Kind
	reach   int
	asks    []string
	calls   map[string]bool
	fields  map[string]int
	tests   []TextTest
	numbers []string
	days    []string
	plain   bool
	texts   []string
	divides bool
	ratio   bool
	by      []string
	unsure  bool
	tree    *ast.AST      // as parsed, with macros expanded
	lines   bool          // whether the text has several lines
	uses    [][]condition // see [Formula.Takes]
}

// Compile reads an expression over the variables vars; their names may contain
// a dot. For a variable of kind [Rows], vars may also give the kinds of the
// fields as "rows.field": then fields that do not exist are found here rather
// than in [Formula.Run]. The error gives the column and, if the text has
// several lines, the line.
func Compile(source string, vars map[string]Kind, want Kind) (*Formula, error) {
	switch {
	case strings.TrimSpace(source) == "":
		return nil, errors.New("the formula is empty")
	case len(source) > MaxSource:
		return nil, fmt.Errorf("the formula has %d bytes, the limit is %d", len(source), MaxSource)
	case want < Text || want > Any:
		return nil, errors.New("no such kind of result")
	}
	env, err := environment(vars)
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(source)
	if issues.Err() != nil {
		return nil, explain(source, issues.Errors(), vars)
	}
	tree := ast.Copy(parsed.NativeRep())
	r := rewriter{source: []rune(source)}
	if err := r.rewrite(parsed.NativeRep()); err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, explain(source, issues.Errors(), vars)
	}
	if got := kindOf(checked.OutputType()); got != want && got != Any && want != Any {
		return nil, fmt.Errorf("the result is %s, not %s", typeName(checked.OutputType()), want)
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return nil, errors.New("the formula cannot be used: make it simpler")
	}
	return &Formula{
		program: program, vars: vars, want: want, reach: r.reach, asks: r.asks, calls: r.calls, fields: r.fields, tests: r.tests, numbers: r.numbers, days: r.days,
		plain: !r.knotty, texts: r.texts, divides: r.divides, ratio: r.ratio, by: r.by, unsure: r.unsure,
		tree: tree, lines: severalLines(source), uses: usesOf(tree.Expr(), vars, nil),
	}, nil
}

// Reach returns how many months back the formula looks by calls of months with
// literal arguments: the largest argument, or 0.
func (f *Formula) Reach() int { return f.reach }

// Asks returns the variables and the fields of rows whose presence of a value
// the formula tests, by has_value or by comparison with null.
func (f *Formula) Asks() []string { return f.asks }

// Calls reports whether the formula uses a function or operator.
func (f *Formula) Calls(function string) bool { return f.calls[function] }

// Reads reports whether the formula uses a variable or a field of rows.
func (f *Formula) Reads(field string) bool { return f.fields[field] > 0 }

// Weighs reports whether the formula does more with a variable or a field of
// rows than test whether it has a value.
func (f *Formula) Weighs(field string) bool {
	asked := 0
	for _, name := range f.asks {
		if name == field {
			asked++
		}
	}
	return f.fields[field] > asked
}

// Ratio reports whether the result is a fraction of 1, made by ratio or growth.
func (f *Formula) Ratio() bool { return f.ratio }

// Divides reports whether the formula divides, by /, by a number that may be
// below 0.
func (f *Formula) Divides() bool { return f.divides }

// Divisors returns the variables that the divisors of / are made of. If sure,
// no divisor is below 0 as long as none of these variables is.
func (f *Formula) Divisors() (names []string, sure bool) { return f.by, !f.unsure }

// Doubts reports whether the formula tests, in whatever form, whether anything
// has a value.
func (f *Formula) Doubts() bool {
	return f.calls[fnHasValue] || f.calls[fnOrElse] || f.calls[fnKnown] || f.calls[fnNull]
}

// TextTest is one comparison of a field or variable with a text by ==, != or
// in, as written in the formula: Field is "status" or, of a row, "rows.status".
type TextTest struct{ Field, Text string }

// TextTests returns the formula's tests of equality with a text, in order.
func (f *Formula) TextTests() []TextTest { return f.tests }

// Texts returns the literal texts in the formula, other than in date("…").
func (f *Formula) Texts() []string { return f.texts }

// Written returns the literal numbers, without their signs, and the literal
// days in the formula. If plain, the formula consists only of comparisons of
// variables with these or with texts, joined by && || ! ?:. Its result then
// does not change between two neighbouring literals.
func (f *Formula) Written() (numbers []*big.Rat, days []consent.Day, plain bool) {
	for _, text := range f.numbers {
		if r, ok := new(big.Rat).SetString(text); ok {
			numbers = append(numbers, r)
		}
	}
	for _, text := range f.days {
		if d, err := ParseDate(text); err == nil {
			days = append(days, d)
		}
	}
	return numbers, days, f.plain
}

// Run is [Formula.Eval] for callers that do not need the reason for a null.
func (f *Formula) Run(values map[string]any) (any, error) {
	v, _, err := f.Eval(values)
	return v, err
}

// Eval computes the formula. Values are nil for null, or of type string, bool,
// [decimal.Decimal], [*big.Rat] or [consent.Day]; for [Rows] they are
// []map[string]any of those. A variable that is left out is null. The result
// has one of these types, with numbers as *big.Rat. For a null result, why is
// the code of the reason, if there is one. Errors name functions, kinds and
// fields, never a value.
func (f *Formula) Eval(values map[string]any) (v any, why string, err error) {
	input := make(map[string]any, len(f.vars))
	for name, kind := range f.vars {
		if isField(f.vars, name) {
			continue
		}
		v := values[name]
		if !fits(v, kind) {
			return nil, "", fmt.Errorf("the value of %s is not %s", name, kind)
		}
		input[name] = toCEL(v)
	}
	out, _, err := f.program.Eval(input)
	if err != nil {
		return nil, "", runError(err)
	}
	if n, ok := out.(nothing); ok {
		return nil, n.why, nil
	}
	v, ok := fromCEL(out)
	if !ok || !fits(v, f.want) {
		return nil, "", fmt.Errorf("the result is not %s", f.want)
	}
	return v, "", nil
}

// fits reports whether a value can be used where kind is wanted.
func fits(v any, kind Kind) bool {
	got := Any
	switch v.(type) {
	case nil:
		return true
	case string:
		got = Text
	case bool:
		got = Bool
	case decimal.Decimal, *big.Rat:
		got = Number
	case consent.Day:
		got = Date
	case []map[string]any:
		got = Rows
	default:
		return false
	}
	return got == kind || kind == Any
}

// fromCEL converts a result to what [Formula.Run] returns.
func fromCEL(v ref.Val) (any, bool) {
	switch v := v.(type) {
	case types.Null:
		return nil, true
	case types.String:
		return string(v), true
	case types.Bool:
		return bool(v), true
	case number:
		return v.r, true
	case date:
		return consent.Day(v), true
	case traits.Lister:
		rows := []map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			row, ok := it.Next().Value().(map[string]any)
			if !ok {
				return nil, false
			}
			rows = append(rows, row)
		}
		return rows, true
	}
	return nil, false
}

// severalLines reports whether a position in the formula needs a line number.
func severalLines(source string) bool { return strings.Contains(strings.TrimSpace(source), "\n") }

// runError keeps only those parts of an error that cannot contain a value.
func runError(err error) error {
	var ours *problem
	var cancelled interpreter.EvalCancelledError
	switch text := err.Error(); {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &cancelled):
		return errors.New("the formula takes too many steps: make it simpler, or its rows fewer")
	case strings.HasPrefix(text, "no such overload"):
		return errors.New("an operator or function is used on kinds of values that it does not take")
	case strings.HasPrefix(text, "no such key"):
		return errors.New("a row has no such field")
	}
	return errors.New("the formula cannot be computed on these values")
}
