package formula

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Functions that only the rewriter can name, since "@" cannot occur in a
// formula's text.
const (
	fnNumber   = "@number"  // a decimal from its text
	fnNull     = "@null"    // null, of any type
	fnIsNull   = "@is_null" // x == null
	fnEqual    = "@equal"   // ==, null where either side is
	fnNotEqual = "@differ"  // !=, likewise
	fnNeed     = "@need"    // its argument, or a nullError where the argument is null
	fnRestore  = "@restore" // its argument, or null where the argument is a nullError
	fnLatest   = "@latest"  // the rows of the newest day
	fnSingle   = "@single"  // the single value of a list
	fnMonths   = "months"   // a member function of rows
	fnDate     = "date"
	fnHasValue = "has_value"
	fnOrElse   = "orElse"
	fnRatio    = "ratio"
	fnGrowth   = "growth"
	fnKnown    = "known"
	fnNewest   = "newest" // a macro
)

// plainNames turns names from this file back into what an author writes.
var plainNames = strings.NewReplacer(fnEqual, "_==_", fnNotEqual, "_!=_", fnIsNull, "_==_", "list(row of rows)", "rows", "row of rows", "a row", "string", "text", "dyn", "any", " (in container '')", "")

// nullError carries null through CEL's own logic, which knows true, false and
// errors: an error on one side of && or || counts only where the other side
// does not decide. Null needs exactly that treatment, so it is an error there
// and becomes null again right outside.
type nullError struct{ why string }

func (*nullError) Error() string { return "null" }

// absent returns null with a reason, or plain null where there is none.
func absent(why string) ref.Val {
	if why == "" {
		return types.NullValue
	}
	return nothing{why: why}
}

// expandNewest expands newest(rows, r, x) to the single value of x in the rows
// of the newest day.
func expandNewest(h cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	values, err := cel.MapMacro.Expander()(h, h.NewCall(fnLatest, args[0]), args[1:])
	if err != nil {
		return nil, err
	}
	return h.NewCall(fnSingle, values), nil
}

// rewriter changes a parsed expression in place: literals become decimals, and
// equality and logic handle null.
type rewriter struct {
	source  []rune
	info    *ast.SourceInfo
	factory ast.ExprFactory
	last    int64 // highest id in use
	reach   int
	asks    []string
	calls   map[string]bool
	fields  map[string]int // how often the formula uses each
	tests   []TextTest
	numbers []string // literals, without their signs
	days    []string // literals in date("…")
	texts   []string // literals other than in date("…")
	divides bool     // whether a divisor may be 0 or less
	by      []string // the variables in divisors
	unsure  bool     // whether a divisor may be below 0 whatever its variables are
	ratio   bool     // whether the result is a ratio or growth
	knotty  bool     // whether there is more than comparisons with literals
	err     error
}

func (r *rewriter) rewrite(a *ast.AST) error {
	if n := ast.NodeCount(a); n > maxNodes {
		return fmt.Errorf("the formula has %d parts, the limit is %d", n, maxNodes)
	}
	r.info, r.factory, r.last, r.calls = a.SourceInfo(), ast.NewExprFactory(), ast.MaxID(a), map[string]bool{}
	r.fields = map[string]int{}
	r.ratio = isRatio(a.Expr())
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(r.visit))
	return r.err
}

func (r *rewriter) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.LiteralKind:
		r.literal(e)
	case ast.CallKind:
		r.call(e)
	case ast.IdentKind:
		r.fields[e.AsIdent()]++
	case ast.SelectKind:
		r.fields[e.AsSelect().FieldName()]++
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		r.knotty = true
		r.need(c.IterRange())
		r.restore(e, r.factory.NewComprehension(r.id(e), c.IterRange(), c.IterVar(), c.AccuVar(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()))
	}
}

func (r *rewriter) call(e ast.Expr) {
	c := e.AsCall()
	r.calls[c.FunctionName()] = true
	if c.FunctionName() == fnLatest {
		r.calls[fnNewest] = true
	}
	r.knot(c)
	switch args := c.Args(); c.FunctionName() {
	case operators.Equals:
		r.test(args[0], args[1])
		r.equality(e, fnEqual)
	case operators.NotEquals:
		r.test(args[0], args[1])
		r.equality(e, fnNotEqual)
	case operators.In:
		if args[1].Kind() == ast.ListKind {
			for _, element := range args[1].AsList().Elements() {
				r.test(args[0], element)
			}
		}
	case operators.LogicalAnd, operators.LogicalOr:
		for _, arg := range args {
			r.need(arg)
		}
		r.restore(e, r.factory.NewCall(r.id(e), c.FunctionName(), args...))
	case operators.Conditional:
		r.need(args[0])
		r.restore(e, r.factory.NewCall(r.id(e), c.FunctionName(), args...))
	case operators.Divide:
		r.divides = r.divides || !isWritten(args[1]) && !counts(args[1])
		names, sure := notBelowZero(args[1])
		r.by, r.unsure = append(r.by, names...), r.unsure || !sure
	case fnHasValue:
		if len(args) == 1 {
			r.ask(args[0])
		}
	case fnMonths:
		if c.IsMemberFunction() && len(args) == 2 {
			for _, end := range args {
				months, ok := written(end)
				if !ok {
					r.fail(end, "months takes whole numbers that are written, such as months(0, 12): how far back a formula looks has to be written in it")
				}
				r.reach = max(r.reach, months)
			}
		}
	}
}

// isRatio reports whether an expression is a ratio or growth: as it is,
// rounded, with something added, or in one of two branches.
func isRatio(e ast.Expr) bool {
	if e.Kind() != ast.CallKind {
		return false
	}
	switch c := e.AsCall(); c.FunctionName() {
	case fnRatio, fnGrowth:
		return true
	case "round", "abs", fnOrElse, operators.Negate, operators.Add, operators.Subtract, operators.Conditional:
		return slices.ContainsFunc(c.Args(), isRatio)
	}
	return false
}

// notBelowZero returns the variables of an expression that is 0 or more as long
// as each of them is. sure is false where this cannot be derived from the
// expression's form.
func notBelowZero(e ast.Expr) (names []string, sure bool) {
	var parts []ast.Expr
	switch {
	case e.Kind() == ast.IdentKind:
		return []string{e.AsIdent()}, true
	case counts(e):
		return nil, true
	case e.Kind() == ast.ListKind:
		parts = e.AsList().Elements()
	case e.Kind() != ast.CallKind:
		return nil, false
	case e.AsCall().FunctionName() == fnNumber:
		text, _ := writtenText(e.AsCall().Args()[0])
		return nil, !strings.HasPrefix(text, "-")
	case slices.Contains([]string{"max", "min", "sum", "avg", "round", fnRatio, operators.Add, operators.Multiply, operators.Divide}, e.AsCall().FunctionName()):
		parts = e.AsCall().Args()
	default:
		return nil, false
	}
	for _, part := range parts {
		more, sure := notBelowZero(part)
		if !sure {
			return nil, false
		}
		names = append(names, more...)
	}
	return names, true
}

// counts reports whether an expression is a count, which is never below 0.
func counts(e ast.Expr) bool {
	return e.Kind() == ast.CallKind && slices.Contains([]string{"count", "distinct_months", "abs"}, e.AsCall().FunctionName())
}

// knot notes a call that is more than a comparison with a literal or logic over
// such comparisons.
func (r *rewriter) knot(c ast.CallExpr) {
	args := c.Args()
	switch c.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
		return
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if isWritten(args[0]) == isWritten(args[1]) {
			r.knotty = true
		}
		return
	case operators.In:
		if args[1].Kind() != ast.ListKind {
			r.knotty = true
		}
		return
	case fnDate:
		if len(args) == 1 && isWritten(args[0]) {
			text, _ := writtenText(args[0])
			r.days = append(r.days, text)
			if i := slices.Index(r.texts, text); i >= 0 {
				r.texts = slices.Delete(r.texts, i, i+1)
			}
			return
		}
	case operators.Negate:
		if isWritten(args[0]) {
			return
		}
	}
	r.knotty = true
}

// isWritten reports whether an expression is a literal, a number with its sign,
// or a literal day.
func isWritten(e ast.Expr) bool {
	if e.Kind() == ast.LiteralKind {
		return true
	}
	if e.Kind() != ast.CallKind {
		return false
	}
	switch c := e.AsCall(); c.FunctionName() {
	case fnNumber:
		return true
	case operators.Negate, fnDate:
		return len(c.Args()) == 1 && isWritten(c.Args()[0])
	}
	return false
}

// test notes a comparison of a field or variable with a literal text.
func (r *rewriter) test(a, b ast.Expr) {
	text, ok := writtenText(b)
	if !ok {
		a, b = b, a
		if text, ok = writtenText(b); !ok {
			return
		}
	}
	switch a.Kind() {
	case ast.IdentKind:
		r.tests = append(r.tests, TextTest{a.AsIdent(), text})
	case ast.SelectKind:
		// Whatever a filter calls the row, its fields are named "rows.field".
		r.tests = append(r.tests, TextTest{"rows." + a.AsSelect().FieldName(), text})
	}
}

func writtenText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}

// equality distinguishes x == null, which is true or false, from x == y, which
// is null where x or y is null.
func (r *rewriter) equality(e ast.Expr, name string) {
	args := e.AsCall().Args()
	for i, arg := range args {
		if !isNull(arg) {
			continue
		}
		r.ask(args[1-i])
		test := r.factory.NewCall(r.id(e), fnIsNull, args[1-i])
		if name == fnNotEqual {
			test = r.factory.NewCall(r.id(e), operators.LogicalNot, test)
		}
		e.SetKindCase(test)
		return
	}
	e.SetKindCase(r.factory.NewCall(r.id(e), name, args...))
}

// ask notes that the formula tests whether e has a value.
func (r *rewriter) ask(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		r.asks = append(r.asks, e.AsSelect().FieldName())
	case ast.IdentKind:
		r.asks = append(r.asks, e.AsIdent())
	}
}

func isNull(e ast.Expr) bool { return e.Kind() == ast.CallKind && e.AsCall().FunctionName() == fnNull }

// need wraps an expression in place with fnNeed.
func (r *rewriter) need(e ast.Expr) {
	inner := r.factory.NewUnspecifiedExpr(r.id(e))
	inner.SetKindCase(e)
	e.SetKindCase(r.factory.NewCall(r.id(e), fnNeed, inner))
}

// restore replaces e by inner, wrapped with fnRestore.
func (r *rewriter) restore(e, inner ast.Expr) {
	e.SetKindCase(r.factory.NewCall(r.id(e), fnRestore, inner))
}

func (r *rewriter) literal(e ast.Expr) {
	var text string
	switch v := e.AsLiteral().(type) {
	case types.Null:
		r.calls[fnNull] = true
		e.SetKindCase(r.factory.NewCall(r.id(e), fnNull))
		return
	case types.Int:
		text = strconv.FormatInt(int64(v), 10)
	case types.Uint:
		text = strconv.FormatUint(uint64(v), 10)
	case types.Double:
		if text = r.double(e, float64(v)); text == "" {
			return
		}
	case types.String:
		r.texts = append(r.texts, string(v))
		return
	case types.Bytes:
		r.fail(e, "there are no bytes in formulas")
		return
	default:
		return
	}
	r.numbers = append(r.numbers, strings.TrimPrefix(text, "-"))
	e.SetKindCase(r.factory.NewCall(r.id(e), fnNumber, r.factory.NewLiteral(r.id(e), types.String(text))))
}

var doubleText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?`) })

// double finds the digits as they were written: the parser keeps only the
// nearest binary fraction.
func (r *rewriter) double(e ast.Expr, v float64) string {
	at, ok := r.info.GetOffsetRange(e.ID())
	if ok && at.Start >= 0 && int(at.Start) <= len(r.source) {
		text := doubleText().FindString(string(r.source[at.Start:]))
		if parsed, err := strconv.ParseFloat(text, 64); err == nil && parsed == v {
			return text
		}
	}
	r.fail(e, "this number cannot be read")
	return ""
}

func (r *rewriter) fail(e ast.Expr, text string) {
	if r.err == nil {
		r.err = fmt.Errorf("column %d: %s", r.info.GetStartLocation(e.ID()).Column()+1, text)
	}
}

// id returns a new id with the same position in the source as e.
func (r *rewriter) id(e ast.Expr) int64 {
	r.last++
	if at, ok := r.info.GetOffsetRange(e.ID()); ok {
		r.info.SetOffsetRange(r.last, at)
	}
	return r.last
}

// written returns the whole number of a rewritten literal.
func written(e ast.Expr) (int, bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != fnNumber {
		return 0, false
	}
	text, _ := e.AsCall().Args()[0].AsLiteral().(types.String)
	n, err := strconv.Atoi(string(text))
	return n, err == nil
}
