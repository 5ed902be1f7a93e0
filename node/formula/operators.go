package formula

import (
	"errors"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/shopspring/decimal"
)

// environment declares the whole language for each formula. It leaves out CEL's
// standard library, so that no integer or floating-point operator can be used.
func environment(vars map[string]Kind) (*cel.Env, error) {
	declared, err := declare(vars)
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(adapter{}),
		cel.Macros(cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.MapMacro, cel.MapFilterMacro, cel.FilterMacro,
			cel.GlobalMacro(fnNewest, 3, expandNewest)),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(MaxSource),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(maxNested)),
	}
	options = append(options, declared...)
	options = append(options, logic()...)
	options = append(options, arithmetic()...)
	options = append(options, functions()...)
	env, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, errors.New("these variables cannot be declared together")
	}
	return env, nil
}

var (
	paramA = cel.TypeParamType("A")
	listA  = cel.ListType(paramA)
)

// overload abbreviates one signature of a function.
func overload(id string, result *cel.Type, args ...*cel.Type) cel.FunctionOpt {
	return cel.Overload(id, args, result)
}

// seesErrors is a signature whose function also gets errors as its argument.
func seesErrors(id string, result, arg *cel.Type, f func(ref.Val) ref.Val) cel.FunctionOpt {
	return cel.Overload(id, []*cel.Type{arg}, result, cel.OverloadIsNonStrict(), cel.UnaryBinding(f))
}

// logic declares the operators that CEL's interpreter computes itself, and the
// functions that the rewriter puts around them for null.
func logic() []cel.EnvOption {
	own := cel.SingletonFunctionBinding(func(...ref.Val) ref.Val { return types.NoSuchOverloadErr() })
	boolean := cel.BoolType
	return []cel.EnvOption{
		cel.Function(operators.LogicalAnd, overload("and", boolean, boolean, boolean), own),
		cel.Function(operators.LogicalOr, overload("or", boolean, boolean, boolean), own),
		cel.Function(operators.Conditional, overload("conditional", paramA, boolean, paramA, paramA), own),
		cel.Function(operators.NotStrictlyFalse,
			seesErrors("not_strictly_false", boolean, boolean, func(v ref.Val) ref.Val { return types.Bool(v != types.False) }),
			decls.DisableTypeGuards(true)),
		cel.Function(operators.LogicalNot, overload("not", boolean, boolean), unary(func(v ref.Val) ref.Val {
			if b, ok := v.(types.Bool); ok {
				return !b
			}
			return types.NoSuchOverloadErr()
		})),
		cel.Function(fnNull, overload("null", cel.DynType),
			cel.SingletonFunctionBinding(func(...ref.Val) ref.Val { return types.NullValue })),
		cel.Function(fnIsNull, overload("is_null", boolean, paramA),
			cel.SingletonUnaryBinding(func(v ref.Val) ref.Val { return types.Bool(isNothing(v)) })),
		cel.Function(fnNeed, overload("need", paramA, paramA), cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
			if isNothing(v) {
				why, _ := v.(nothing)
				return types.WrapErr(&nullError{why.why})
			}
			return v
		})),
		cel.Function(fnRestore,
			seesErrors("restore", paramA, paramA, restore), decls.DisableTypeGuards(true)),
		cel.Function(fnEqual, overload("equal", boolean, paramA, paramA), binary(equal)),
		cel.Function(fnNotEqual, overload("differ", boolean, paramA, paramA), binary(func(a, b ref.Val) ref.Val {
			return !equal(a, b).(types.Bool)
		})),
		cel.Function(operators.In, overload("in_list", boolean, paramA, listA), binary(in)),
	}
}

func restore(v ref.Val) ref.Val {
	var null *nullError
	if e, ok := v.(*types.Err); ok && errors.As(e.Unwrap(), &null) {
		return absent(null.why)
	}
	return v
}

func equal(a, b ref.Val) ref.Val { return types.Bool(types.Equal(a, b) == types.True) }

// in is null where no element is equal and one is null, since that one might be
// equal.
func in(v, list ref.Val) ref.Val {
	l, ok := list.(traits.Lister)
	if !ok {
		return types.NoSuchOverloadErr()
	}
	var found ref.Val = types.False
	for it := l.Iterator(); it.HasNext() == types.True; {
		switch e := it.Next(); {
		case isNothing(e):
			found = types.NullValue
		case equal(v, e) == types.True:
			return types.True
		}
	}
	return found
}

// arithmetic declares the operators over numbers, and + and < for the other
// kinds that have them.
func arithmetic() []cel.EnvOption {
	n := numberType
	options := []cel.EnvOption{
		cel.Function(fnNumber, overload("number", n, cel.StringType), cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
			text, _ := v.(types.String)
			d, err := decimal.NewFromString(string(text))
			if err != nil {
				return fail("a number cannot be read")
			}
			return fromDecimal(d)
		})),
		cel.Function(operators.Add,
			overload("add_number", n, n, n),
			overload("add_text", cel.StringType, cel.StringType, cel.StringType),
			overload("add_list", listA, listA, listA),
			binary(func(a, b ref.Val) ref.Val {
				if x, ok := a.(traits.Adder); ok {
					return x.Add(b)
				}
				return types.NoSuchOverloadErr()
			})),
		cel.Function(operators.Subtract, overload("subtract", n, n, n), numbers(number.Subtract)),
		cel.Function(operators.Multiply, overload("multiply", n, n, n), numbers(number.Multiply)),
		cel.Function(operators.Divide, overload("divide", n, n, n), numbers(number.Divide)),
		cel.Function(operators.Negate, overload("negate", n, n), unary(func(v ref.Val) ref.Val {
			if x, ok := v.(number); ok {
				return x.Negate()
			}
			return types.NoSuchOverloadErr()
		})),
	}
	for name, holds := range map[string]func(order types.Int) bool{
		operators.Less:          func(order types.Int) bool { return order < 0 },
		operators.LessEquals:    func(order types.Int) bool { return order <= 0 },
		operators.Greater:       func(order types.Int) bool { return order > 0 },
		operators.GreaterEquals: func(order types.Int) bool { return order >= 0 },
	} {
		options = append(options, cel.Function(name,
			overload(name+"number", cel.BoolType, n, n),
			overload(name+"date", cel.BoolType, dateType, dateType),
			overload(name+"text", cel.BoolType, cel.StringType, cel.StringType),
			binary(func(a, b ref.Val) ref.Val {
				order, ok := compare(a, b).(types.Int)
				if !ok {
					return types.NoSuchOverloadErr()
				}
				return types.Bool(holds(order))
			})))
	}
	return options
}

// compare orders two values of one kind. A result that is no [types.Int] is an
// error.
func compare(a, b ref.Val) ref.Val {
	switch a.(type) {
	case number, date, types.String:
		return a.(traits.Comparer).Compare(b)
	}
	return types.NoSuchOverloadErr()
}

// unary binds a function that is null where its argument is null.
func unary(f func(ref.Val) ref.Val) cel.FunctionOpt {
	return cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
		if isNothing(v) {
			return v
		}
		return f(v)
	})
}

// binary binds a function that is null where one of its arguments is null.
func binary(f func(a, b ref.Val) ref.Val) cel.FunctionOpt {
	return cel.SingletonBinaryBinding(func(a, b ref.Val) ref.Val {
		if isNothing(a) {
			return a
		}
		if isNothing(b) {
			return b
		}
		return f(a, b)
	})
}

// numbers binds a function of two numbers.
func numbers(f func(a number, b ref.Val) ref.Val) cel.FunctionOpt {
	return binary(func(a, b ref.Val) ref.Val {
		if x, ok := a.(number); ok {
			return f(x, b)
		}
		return types.NoSuchOverloadErr()
	})
}
