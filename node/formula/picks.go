package formula

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"github.com/shopspring/decimal"
)

// Takes reports whether the formula may use rows that have these values in
// these fields; nil means no value. It returns false only where every use of
// rows is behind a filter that is false for such rows, whatever their other
// fields are. Filters in an unknown form let all rows through, and so does a
// formula without rows.
func (f *Formula) Takes(known map[string]any) bool {
	if len(f.uses) == 0 {
		return true
	}
	return slices.ContainsFunc(f.uses, func(filters []condition) bool {
		return !slices.ContainsFunc(filters, func(c condition) bool { return c.of(c.test, known) == isFalse })
	})
}

// Picks reports whether the formula uses rows behind a filter, or rows of some
// of the months.
func (f *Formula) Picks() bool {
	filtered := func(filters []condition) bool { return len(filters) > 0 }
	return f.calls[fnMonths] || slices.ContainsFunc(f.uses, filtered)
}

// condition is what a filter requires of its row.
type condition struct {
	row  string // its variable
	test ast.Expr
}

// usesOf returns, for each place where rows are used, the conditions of the
// filters applied before; filters are those around e.
func usesOf(e ast.Expr, vars map[string]Kind, filters []condition) (uses [][]condition) {
	within := func(around []condition, parts ...ast.Expr) {
		for _, part := range parts {
			uses = append(uses, usesOf(part, vars, around)...)
		}
	}
	switch e.Kind() {
	case ast.IdentKind:
		if vars[e.AsIdent()] == Rows {
			uses = append(uses, filters)
		}
	case ast.SelectKind:
		within(nil, e.AsSelect().Operand())
	case ast.ListKind:
		within(nil, e.AsList().Elements()...)
	case ast.CallKind:
		c := e.AsCall()
		switch {
		case c.IsMemberFunction() && c.FunctionName() == fnMonths:
			within(filters, c.Target())
		case c.IsMemberFunction():
			within(nil, c.Target())
		case c.FunctionName() == fnLatest:
			within(filters, c.Args()...)
			return uses
		}
		within(nil, c.Args()...)
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		test, keeps := stepOf(c)
		if !keeps {
			filters = nil // they concern the elements that the macro makes of rows
		}
		if test != nil {
			filters = append(slices.Clone(filters), condition{c.IterVar(), test})
		}
		within(filters, c.IterRange())
		within(nil, c.LoopStep())
	}
	return uses
}

// stepOf returns the condition without which a macro leaves an element out, or
// nil, and whether the macro's elements are those of its range.
func stepOf(c ast.ComprehensionExpr) (test ast.Expr, keeps bool) {
	step := c.LoopStep()
	if step.Kind() != ast.CallKind {
		return nil, false
	}
	args := step.AsCall().Args()
	isResult := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == c.AccuVar() }
	if step.AsCall().FunctionName() != operators.Conditional || len(args) != 3 || !isResult(args[2]) {
		return nil, false
	}
	if args[1].Kind() == ast.CallKind && args[1].AsCall().FunctionName() == operators.Add {
		added := args[1].AsCall().Args()[1]
		keeps = added.Kind() == ast.ListKind && len(added.AsList().Elements()) == 1 && isIdent(added.AsList().Elements()[0], c.IterVar())
	}
	return args[0], keeps
}

func isIdent(e ast.Expr, name string) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == name }

// truth is what is known about the result of a condition.
type truth int8

const (
	isFalse truth = iota - 1
	untold
	isTrue
)

func told(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// of evaluates a test over the known fields. The result is untold where the
// test is null or depends on any other field.
func (c condition) of(e ast.Expr, known map[string]any) truth {
	if v, ok := c.value(e, known); ok {
		if b, ok := v.(bool); ok {
			return told(b)
		}
		return untold
	}
	if e.Kind() != ast.CallKind {
		return untold
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalNot:
		return -c.of(args[0], known)
	case operators.LogicalAnd:
		return min(c.of(args[0], known), c.of(args[1], known))
	case operators.LogicalOr:
		return max(c.of(args[0], known), c.of(args[1], known))
	case operators.Equals:
		return c.same(args[0], args[1], known)
	case operators.NotEquals:
		return -c.same(args[0], args[1], known)
	case operators.In:
		return c.among(args[0], args[1], known)
	}
	return untold
}

func (c condition) same(a, b ast.Expr, known map[string]any) truth {
	x, first := c.value(a, known)
	y, second := c.value(b, known)
	if !first || !second || x == nil || y == nil {
		return untold
	}
	if n, ok := x.(decimal.Decimal); ok {
		m, ok := y.(decimal.Decimal)
		return told(ok && n.Equal(m))
	}
	return told(x == y)
}

func (c condition) among(e, list ast.Expr, known map[string]any) truth {
	if list.Kind() != ast.ListKind {
		return untold
	}
	found := isFalse
	for _, element := range list.AsList().Elements() {
		found = max(found, c.same(e, element, known))
	}
	return found
}

// value returns an expression's value for its row, if the expression is a
// literal or a known field.
func (c condition) value(e ast.Expr, known map[string]any) (v any, ok bool) {
	switch e.Kind() {
	case ast.LiteralKind:
		switch v := e.AsLiteral().(type) {
		case types.String:
			return string(v), true
		case types.Bool:
			return bool(v), true
		case types.Int:
			return decimal.NewFromInt(int64(v)), true
		}
	case ast.SelectKind:
		if s := e.AsSelect(); isIdent(s.Operand(), c.row) {
			v, ok = known[s.FieldName()]
			return v, ok
		}
	}
	return nil, false
}
