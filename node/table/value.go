package table

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

// kind says which fields of a [Value] count.
type kind uint8

const (
	texts kind = iota + 1
	numbers
	days
	bools
)

// Value is one value of a row. The zero Value is no value. A number is held as
// a count of its last digit: 12.50 is 1250 at a scale of 2.
type Value struct {
	kind  kind
	scale uint8  // digits of a number after the point
	high  int64  // of a number: the high half of 128 bits in two's complement
	low   uint64 // its low half; a day; 1 for true
	text  string
}

// Errors of a value that a column cannot hold. They name no value.
var (
	errKind      = errors.New("the value is of another type than its column")
	errEmpty     = errors.New("an empty text: it has to be no value")
	errUTF8      = errors.New("a text is not UTF-8")
	errWhole     = errors.New("a number has more digits after the point than its column")
	errTooLarge  = fmt.Errorf("a number of more than %d digits before the point", MaxBefore)
	errYear      = errors.New("a date before the year 1 or after 9999")
	errManyBytes = fmt.Errorf("a row of more than %d bytes", MaxRow)
)

// The days that a date can be: 0001-01-01 to 9999-12-31.
const (
	firstDay = -719162
	lastDay  = 2932896
)

// wide is an unsigned number of 128 bits.
type wide struct{ high, low uint64 }

func (w wide) less(than wide) bool {
	return w.high < than.high || w.high == than.high && w.low < than.low
}

// times returns w × n. The product has more than 128 bits if ok is false.
func (w wide) times(n uint64) (product wide, ok bool) {
	carry, low := bits.Mul64(w.low, n)
	over, high := bits.Mul64(w.high, n)
	high, more := bits.Add64(high, carry, 0)
	return wide{high, low}, over == 0 && more == 0
}

// over returns w / n and the rest.
func (w wide) over(n uint64) (quotient wide, rest uint64) {
	quotient.high, rest = w.high/n, w.high%n
	quotient.low, rest = bits.Div64(rest, w.low, n)
	return quotient, rest
}

// tens[n] is 10^n.
var tens = func() (t [MaxScale + 1]uint64) {
	t[0] = 1
	for i := range MaxScale {
		t[i+1] = t[i] * 10
	}
	return t
}()

// limits[s] is the smallest number of scale s that is too large: 10^(MaxBefore+s).
var limits = func() (l [MaxScale + 1]wide) {
	for s := range l {
		l[s], _ = wide{0, 1e19}.times(10)
		l[s], _ = l[s].times(tens[s])
	}
	return l
}()

// Of returns the value for one of a dataset's row: nil, string, bool,
// [decimal.Decimal] or [consent.Day]. It never rounds: what no column can hold
// is an error, which names no value. An empty text is an error, because in a
// dataset it is no value.
func Of(v any) (Value, error) {
	switch v := v.(type) {
	case nil:
		return Value{}, nil
	case string:
		if v == "" {
			return Value{}, errEmpty
		}
		if !utf8.ValidString(v) {
			return Value{}, errUTF8
		}
		return Value{kind: texts, text: v}, nil
	case bool:
		b := Value{kind: bools}
		if v {
			b.low = 1
		}
		return b, nil
	case consent.Day:
		if v < firstDay || v > lastDay {
			return Value{}, errYear
		}
		return Value{kind: days, low: uint64(int64(v))}, nil
	case decimal.Decimal:
		return number(v)
	}
	return Value{}, errKind
}

// number converts a decimal. Most numbers of registers take the short way,
// without allocating.
func number(d decimal.Decimal) (Value, error) {
	scale := -int64(d.Exponent())
	if scale >= 0 && scale <= MaxScale && d.NumDigits() <= 18 {
		n := d.CoefficientInt64()
		return Value{kind: numbers, scale: uint8(scale), high: n >> 63, low: uint64(n)}, nil
	}
	if d.IsZero() {
		return Value{kind: numbers}, nil
	}
	const most = 4 * (MaxBefore + MaxScale) // digits of a number that is looked at at all
	if d.NumDigits() > most || scale < -most || scale > most {
		return Value{}, errTooLarge
	}
	n := d.Coefficient()
	if scale < 0 {
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(-scale), nil))
		scale = 0
	}
	for ten, rest := big.NewInt(10), new(big.Int); scale > MaxScale; scale-- {
		if n.QuoRem(n, ten, rest); rest.Sign() != 0 {
			return Value{}, errWhole
		}
	}
	if n.BitLen() > 127 {
		return Value{}, errTooLarge
	}
	abs := new(big.Int).Abs(n)
	w := wide{low: new(big.Int).And(abs, new(big.Int).SetUint64(math.MaxUint64)).Uint64()}
	w.high = abs.Rsh(abs, 64).Uint64()
	if !w.less(limits[scale]) {
		return Value{}, errTooLarge
	}
	return signed(w, n.Sign() < 0, uint8(scale)), nil
}

func signed(w wide, negative bool, scale uint8) Value {
	if negative {
		var carry uint64
		w.low, carry = bits.Add64(^w.low, 1, 0)
		w.high = ^w.high + carry
	}
	return Value{kind: numbers, scale: scale, high: int64(w.high), low: w.low}
}

// magnitude returns a number without its sign.
func (v *Value) magnitude() wide {
	if v.high >= 0 {
		return wide{uint64(v.high), v.low}
	}
	low, carry := bits.Add64(^v.low, 1, 0)
	return wide{^uint64(v.high) + carry, low}
}

// short reports whether a number fits into 64 bits.
func (v *Value) short() bool { return v.high == int64(v.low)>>63 }

// at returns a number at another scale.
func (v *Value) at(scale uint8) (Value, error) {
	w := v.magnitude()
	if scale >= v.scale {
		var ok bool
		if w, ok = w.times(tens[scale-v.scale]); !ok {
			return Value{}, errTooLarge
		}
	} else {
		var rest uint64
		if w, rest = w.over(tens[v.scale-scale]); rest != 0 {
			return Value{}, errWhole
		}
	}
	if !w.less(limits[scale]) {
		return Value{}, errTooLarge
	}
	return signed(w, v.high < 0, scale), nil
}

// IsNone reports whether there is no value.
func (v *Value) IsNone() bool { return v.kind == 0 }

// Text returns the value of a text column, or "".
func (v *Value) Text() string { return v.text }

// Day returns the value of a date column.
func (v *Value) Day() consent.Day { return consent.Day(int64(v.low)) }

// Bool returns the value of a bool column.
func (v *Value) Bool() bool { return v.low != 0 }

// Append appends the value as text: a number plain and with all digits of its
// scale, which for one from a [Decoder] is that of the column, a day as
// 2006-01-02, true or false; nothing for no value.
func (v *Value) Append(to []byte) []byte {
	switch v.kind {
	case texts:
		return append(to, v.text...)
	case numbers:
		return v.appendNumber(to)
	case days:
		return append(to, v.Day().String()...)
	case bools:
		if v.Bool() {
			return append(to, "true"...)
		}
		return append(to, "false"...)
	}
	return to
}

// appendNumber writes the digits from the last to the first.
func (v *Value) appendNumber(to []byte) []byte {
	var digits [48]byte
	at := len(digits)
	w := v.magnitude()
	for n := uint8(0); w != (wide{}) || n <= v.scale; n++ {
		if n == v.scale && n > 0 {
			at--
			digits[at] = '.'
		}
		var rest uint64
		w, rest = w.over(10)
		at--
		digits[at] = '0' + byte(rest)
	}
	if v.high < 0 {
		at--
		digits[at] = '-'
	}
	return append(to, digits[at:]...)
}

// Any returns the value as one of a dataset's row, see [Of].
func (v *Value) Any() any {
	switch v.kind {
	case texts:
		return v.text
	case numbers:
		if v.short() {
			return decimal.New(int64(v.low), -int32(v.scale))
		}
		w := v.magnitude()
		n := new(big.Int).SetUint64(w.high)
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(w.low))
		if v.high < 0 {
			n.Neg(n)
		}
		return decimal.NewFromBigInt(n, -int32(v.scale))
	case days:
		return v.Day()
	case bools:
		return v.Bool()
	}
	return nil
}
