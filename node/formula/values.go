package formula

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

const (
	quotientDigits = 16  // after the point
	maxDigits      = 100 // of a number, before and after the point each
	maxBits        = 333 // of a coefficient of maxDigits digits
)

var (
	numberType = types.NewOpaqueType("number")
	dateType   = types.NewOpaqueType("date")
)

// problem is an error of this package; it names no value.
type problem struct{ text string }

func (p *problem) Error() string { return p.text }

func fail(format string, args ...any) ref.Val {
	return types.WrapErr(&problem{fmt.Sprintf(format, args...)})
}

var errForeign = errors.New("a value of a formula leaves only through Run")

// InRange says whether d has few enough digits for a formula. Whoever reads
// numbers from elsewhere asks before printing one: 1e9999 is short only so.
func InRange(d decimal.Decimal) bool {
	return d.Exponent() >= -maxDigits && d.Exponent() <= maxDigits && d.Coefficient().BitLen() <= maxBits
}

// number is an exact decimal as a CEL value. It is the only kind of number
// that the operators take.
type number struct{ decimal.Decimal }

// newNumber keeps arithmetic bounded: without a limit 1e308 multiplied by
// itself a few times is a number of thousands of digits.
func newNumber(d decimal.Decimal) ref.Val {
	if !InRange(d) {
		return fail("a number has more than %d digits", maxDigits)
	}
	return number{d}
}

func (n number) ConvertToNative(reflect.Type) (any, error) { return nil, errForeign }
func (n number) ConvertToType(ref.Type) ref.Val            { return fail("a number cannot be converted") }
func (n number) Type() ref.Type                            { return numberType }
func (n number) Value() any                                { return n.Decimal }

func (n number) Equal(other ref.Val) ref.Val {
	o, ok := other.(number)
	return types.Bool(ok && n.Decimal.Equal(o.Decimal))
}

func (n number) Compare(other ref.Val) ref.Val {
	o, ok := other.(number)
	if !ok {
		return types.NoSuchOverloadErr()
	}
	return types.Int(n.Cmp(o.Decimal))
}

func (n number) Add(other ref.Val) ref.Val {
	return n.with(other, n.Decimal.Add)
}

func (n number) Subtract(other ref.Val) ref.Val {
	return n.with(other, n.Sub)
}

func (n number) Multiply(other ref.Val) ref.Val {
	return n.with(other, n.Mul)
}

func (n number) Divide(other ref.Val) ref.Val {
	if o, ok := other.(number); ok && o.IsZero() {
		return fail("division by zero")
	}
	return n.with(other, func(o decimal.Decimal) decimal.Decimal { return n.DivRound(o, quotientDigits) })
}

func (n number) Negate() ref.Val { return number{n.Neg()} }

func (n number) with(other ref.Val, op func(decimal.Decimal) decimal.Decimal) ref.Val {
	o, ok := other.(number)
	if !ok {
		return types.NoSuchOverloadErr()
	}
	return newNumber(op(o.Decimal))
}

var (
	_ traits.Adder      = number{}
	_ traits.Subtractor = number{}
	_ traits.Multiplier = number{}
	_ traits.Divider    = number{}
	_ traits.Negater    = number{}
	_ traits.Comparer   = number{}
	_ traits.Comparer   = date(0)
)

// date is a civil day as a CEL value.
type date consent.Day

func (d date) ConvertToNative(reflect.Type) (any, error) { return nil, errForeign }
func (d date) ConvertToType(ref.Type) ref.Val            { return fail("a date cannot be converted") }
func (d date) Equal(other ref.Val) ref.Val               { return types.Bool(other == ref.Val(d)) }
func (d date) Type() ref.Type                            { return dateType }
func (d date) Value() any                                { return consent.Day(d) }

func (d date) Compare(other ref.Val) ref.Val {
	o, ok := other.(date)
	if !ok {
		return types.NoSuchOverloadErr()
	}
	switch {
	case d < o:
		return types.IntNegOne
	case d > o:
		return types.IntOne
	}
	return types.IntZero
}

func (d date) time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// toCEL is what this package's adapter makes of a value that fits a kind.
func toCEL(v any) ref.Val { return adapter{}.NativeToValue(v) }

// adapter turns the values that Run takes into CEL's, and refuses all others:
// a float in a row is an error where it is used.
type adapter struct{}

func (a adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case ref.Val:
		return v
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case decimal.Decimal:
		return newNumber(v)
	case consent.Day:
		return date(v)
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case []map[string]any:
		return types.NewDynamicList(a, v)
	case []ref.Val:
		return types.NewRefValList(a, v)
	}
	return fail("a value is of no kind that a formula takes")
}

func celType(k Kind) *cel.Type {
	switch k {
	case Text:
		return cel.StringType
	case Bool:
		return cel.BoolType
	case Number:
		return numberType
	case Date:
		return dateType
	case Rows:
		return cel.ListType(cel.MapType(cel.StringType, cel.DynType))
	}
	return cel.DynType
}

// kindOf returns [Any] where the type is only known when the formula runs, and
// 0 where it is none of ours.
func kindOf(t *cel.Type) Kind {
	for k := Text; k < Rows; k++ {
		if t.IsExactType(celType(k)) {
			return k
		}
	}
	switch {
	case t.Kind() == types.DynKind:
		return Any
	case t.Kind() == types.ListKind:
		switch element := t.Parameters()[0]; element.Kind() {
		case types.StructKind, types.MapKind, types.DynKind, types.TypeParamKind:
			return Rows
		}
	}
	return 0
}

func typeName(t *cel.Type) string {
	if k := kindOf(t); k != 0 {
		return k.String()
	}
	return plainNames.Replace(t.String())
}
