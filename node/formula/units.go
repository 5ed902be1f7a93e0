package formula

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Clash is one place where a formula adds, compares or chooses between numbers
// of two units: 3 CNY and 500 of 10,000 CNY each have no sum.
type Clash struct {
	at   string // such as "column 9"
	by   string // the operator or function as written
	A, B string // the units; one may be empty
}

func (c *Clash) Error() string {
	return fmt.Sprintf("%s: %s of %q and %q: bring both to one unit, such as by * 10000", c.at, c.by, c.A, c.B)
}

// Units infers the unit of the formula's result from the units of what it
// reads, and returns the places where two units do not match. unit returns the
// unit of a variable or of a field of rows, and false for those that cannot
// have one: texts and dates. Literal numbers, counts, products and quotients
// match any unit, and known is false for them.
func (f *Formula) Units(unit func(name string) (string, bool)) (result string, known bool, clashes []*Clash) {
	m := measurer{formula: f, unit: unit, bound: map[string]*string{}}
	if u := m.measure(f.tree.Expr()); u != nil {
		return *u, true, m.clashes
	}
	return "", false, m.clashes
}

// fraction is the unit of the result of growth, see [Formula.Ratio].
var fraction = "ratio"

// measurer finds units; nil is a unit that matches any other.
type measurer struct {
	formula *Formula
	unit    func(string) (string, bool)
	bound   map[string]*string // the variables of macros
	clashes []*Clash
}

func (m *measurer) measure(e ast.Expr) *string {
	switch e.Kind() {
	case ast.IdentKind:
		return m.named(e.AsIdent())
	case ast.SelectKind:
		m.measure(e.AsSelect().Operand())
		return m.named(e.AsSelect().FieldName())
	case ast.ListKind:
		return m.together(e, "[…]", e.AsList().Elements())
	case ast.CallKind:
		return m.call(e)
	case ast.ComprehensionKind:
		return m.macro(e.AsComprehension())
	}
	return nil
}

func (m *measurer) named(name string) *string {
	if u, ok := m.bound[name]; ok {
		return u
	}
	if u, ok := m.unit(name); ok {
		return &u
	}
	return nil
}

// Comparisons and sums need numbers of one unit.
var (
	comparisons = []string{operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.In}
	sums        = []string{operators.Add, operators.Subtract, fnOrElse}
	keeps       = []string{operators.Negate, "sum", "avg", "min", "max", "abs", "round", fnKnown, fnLatest, fnSingle}
)

func (m *measurer) call(e ast.Expr) *string {
	c := e.AsCall()
	name, args := c.FunctionName(), c.Args()
	switch {
	case slices.Contains(comparisons, name):
		m.together(e, sign(name), args)
		return nil
	case slices.Contains(sums, name):
		return m.together(e, sign(name), args)
	case name == operators.Conditional && len(args) == 3:
		m.measure(args[0])
		return m.together(e, sign(name), args[1:])
	case name == fnGrowth:
		m.together(e, name, args)
		return &fraction
	}
	if c.IsMemberFunction() {
		m.measure(c.Target())
	}
	var first *string
	for i, arg := range args {
		if u := m.measure(arg); i == 0 {
			first = u
		}
	}
	if slices.Contains(keeps, name) {
		return first
	}
	return nil
}

// together returns the common unit of expressions.
func (m *measurer) together(e ast.Expr, by string, parts []ast.Expr) (common *string) {
	clash := false
	for _, part := range parts {
		switch u := m.measure(part); {
		case u == nil || common != nil && *u == *common:
		case common == nil:
			common = u
		case !clash:
			clash = true // once for each place
			m.clashes = append(m.clashes, &Clash{m.formula.place(e), by, *common, *u})
		}
	}
	if clash {
		return nil
	}
	return common
}

// macro gives the variable of a macro the unit of the list's elements. The
// result has the unit of the macro's last step, which holds for filter, map,
// exists and the others.
func (m *measurer) macro(c ast.ComprehensionExpr) *string {
	elements := m.measure(c.IterRange())
	for name, u := range map[string]*string{c.IterVar(): elements, c.AccuVar(): nil} {
		outer, shadows := m.bound[name]
		m.bound[name] = u
		defer func() {
			delete(m.bound, name)
			if shadows {
				m.bound[name] = outer
			}
		}()
	}
	m.measure(c.AccuInit())
	return m.measure(c.LoopStep())
}

// sign returns an operator as an author writes it.
func sign(operator string) string {
	if operator == operators.In {
		return "in"
	}
	return strings.ReplaceAll(operator, "_", "")
}

// place returns the position of an expression in the formula, in the form that
// errors of [Compile] use.
func (f *Formula) place(e ast.Expr) string {
	at := f.tree.SourceInfo().GetStartLocation(e.ID())
	if f.lines {
		return fmt.Sprintf("line %d, column %d", at.Line(), at.Column()+1)
	}
	return fmt.Sprintf("column %d", at.Column()+1)
}
