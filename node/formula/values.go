package formula

import (
	"errors"
	"fmt"
	"math/big"
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
	maxDigits = 100 // of a number, before and after the point, each
	maxBits   = 333 // of a coefficient of maxDigits digits
)

// Limits of a number that leaves an agency. The bank that reads it applies the
// same limits.
const (
	MaxScale  = 8  // digits after the point
	MaxBefore = 20 // digits before it: an amount is below 10^20
)

var tooLarge = decimal.New(1, MaxBefore)

// Leaves reports whether d is small enough to leave an agency or to be in its
// source. The output decides how many digits it has after the point.
func Leaves(d decimal.Decimal) bool { return InRange(d) && d.Abs().LessThan(tooLarge) }

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

// InRange reports whether d has few enough digits for a formula. A caller that
// reads numbers from elsewhere asks before printing one: 1e9999 is short only
// in that form.
func InRange(d decimal.Decimal) bool {
	return d.Exponent() >= -maxDigits && d.Exponent() <= maxDigits && d.Coefficient().BitLen() <= maxBits
}

// number is an exact fraction as a CEL value, so that 250000 / 3 * 12 is
// 1000000. It is the only kind of number that the operators accept.
type number struct{ r *big.Rat }

// newNumber limits the size of numbers: otherwise 1e308 multiplied by itself a
// few times would have thousands of digits.
func newNumber(r *big.Rat) ref.Val {
	if r.Num().BitLen() > 2*maxBits || r.Denom().BitLen() > 2*maxBits {
		return fail("a number has more than %d digits", maxDigits)
	}
	return number{r}
}

// fromDecimal converts a number from a source, an answer or a formula's text.
func fromDecimal(d decimal.Decimal) ref.Val {
	if !InRange(d) {
		return fail("a number has more than %d digits", maxDigits)
	}
	return number{d.Rat()}
}

func whole(n int) ref.Val { return number{new(big.Rat).SetInt64(int64(n))} }

// Round returns a fraction with so many digits after the point, halves away
// from 0. It is the only step at which a number stops being exact.
func Round(r *big.Rat, digits int32) decimal.Decimal {
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(digits, -digits))), nil)
	num, den := new(big.Int).Set(r.Num()), new(big.Int).Set(r.Denom())
	if digits >= 0 {
		num.Mul(num, ten)
	} else {
		den.Mul(den, ten)
	}
	negative := num.Sign() < 0
	num.Abs(num).Lsh(num, 1).Add(num, den).Quo(num, den.Lsh(den, 1))
	if negative {
		num.Neg(num)
	}
	return decimal.NewFromBigInt(num, -digits)
}

func (n number) ConvertToNative(reflect.Type) (any, error) { return nil, errForeign }
func (n number) ConvertToType(ref.Type) ref.Val            { return fail("a number cannot be converted") }
func (n number) Type() ref.Type                            { return numberType }
func (n number) Value() any                                { return n.r }

func (n number) Equal(other ref.Val) ref.Val {
	o, ok := other.(number)
	return types.Bool(ok && n.r.Cmp(o.r) == 0)
}

func (n number) Compare(other ref.Val) ref.Val {
	o, ok := other.(number)
	if !ok {
		return types.NoSuchOverloadErr()
	}
	return types.Int(n.r.Cmp(o.r))
}

func (n number) Add(other ref.Val) ref.Val      { return n.with(other, (*big.Rat).Add) }
func (n number) Subtract(other ref.Val) ref.Val { return n.with(other, (*big.Rat).Sub) }
func (n number) Multiply(other ref.Val) ref.Val { return n.with(other, (*big.Rat).Mul) }

func (n number) Divide(other ref.Val) ref.Val {
	if o, ok := other.(number); ok && o.r.Sign() == 0 {
		return fail("division by zero")
	}
	return n.with(other, (*big.Rat).Quo)
}

func (n number) Negate() ref.Val { return number{new(big.Rat).Neg(n.r)} }

func (n number) with(other ref.Val, op func(z, x, y *big.Rat) *big.Rat) ref.Val {
	o, ok := other.(number)
	if !ok {
		return types.NoSuchOverloadErr()
	}
	return newNumber(op(new(big.Rat), n.r, o.r))
}

// nothing is null with a reason: the code that tells the reader why there is no
// value. To CEL it is null.
type nothing struct {
	types.Null
	why string
}

func (n nothing) Value() any { return nil }

// isNothing reports whether a value is null, with or without a reason.
func isNothing(v ref.Val) bool {
	if _, ok := v.(nothing); ok {
		return true
	}
	return v == types.NullValue
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

// toCEL converts a value of a known kind with this package's adapter.
func toCEL(v any) ref.Val { return adapter{}.NativeToValue(v) }

// adapter converts the values that Run accepts to CEL's, and refuses all
// others: a float in a row is an error where it is used.
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
		return fromDecimal(v)
	case *big.Rat:
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

// kindOf returns the kind of a type: [Any] where the type is known only when
// the formula runs, and 0 where it is none of this package's.
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
