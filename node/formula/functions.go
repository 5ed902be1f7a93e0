package formula

import (
	"math/big"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"atoll/consensus/consent"
)

// Functions lists the functions of the language for help texts, each with its
// arguments and its result.
func Functions() [][2]string {
	return [][2]string{
		{"sum(list)", "the sum of numbers; 0 of an empty list"},
		{"min(list), max(list)", "the least or greatest number, date or text; null of an empty list"},
		{"avg(list)", "the mean of numbers; null of an empty list"},
		{"count(list)", "how many elements there are, nulls among them"},
		{"known(list)", "the list without its nulls"},
		{"rows.months(from, to)", "the rows of a flow that are from..to-1 months old, 0 being its newest month"},
		{"newest(rows, r, x)", "what x is in the newest row r; null of no rows, an error where two newest rows differ"},
		{"distinct_months(rows)", "how many different months the rows cover"},
		{"ratio(a, b)", "a/b; null where b is 0 or less"},
		{"growth(now, before)", "now/before - 1; null where before is 0 or less"},
		{"abs(x)", "x without its sign"},
		{"round(x, digits)", "x with so many digits after the point, halves away from 0"},
		{"has_value(x)", "whether x is not null"},
		{"orElse(x, default)", "x, or default where x is null"},
		{"date(text)", "the day written as 2006-01-02"},
		{"year(d), month(d)", "the calendar year or month of a day, as a number"},
		{"months_between(a, b)", "whole months from day a to day b, below 0 where b is earlier"},
		{"days_between(a, b)", "days from day a to day b, below 0 where b is earlier"},
		{"t.contains(s), t.startsWith(s), t.endsWith(s)", "whether text t has s in it, at its start, at its end"},
	}
}

func functions() []cel.EnvOption {
	n, listN := numberType, cel.ListType(numberType)
	ordered := func(id string) []cel.FunctionOpt {
		return []cel.FunctionOpt{
			overload(id+"_number", n, listN),
			overload(id+"_date", dateType, cel.ListType(dateType)),
			overload(id+"_text", cel.StringType, cel.ListType(cel.StringType)),
		}
	}
	options := []cel.EnvOption{
		cel.Function("sum", overload("sum", n, listN), aggregate(sum)),
		cel.Function("avg", overload("avg", n, listN), aggregate(func(list []ref.Val) ref.Val {
			if len(list) == 0 {
				return nothing{why: NoRows}
			}
			return ratio(sum(list), count(list))
		})),
		cel.Function("min", append(ordered("min"), aggregate(extreme(types.IntNegOne)))...),
		cel.Function("max", append(ordered("max"), aggregate(extreme(types.IntOne)))...),
		cel.Function("count", overload("count", n, listA), elements(count)),
		cel.Function(fnKnown, overload("known", listA, listA), elements(func(list []ref.Val) ref.Val {
			kept := []ref.Val{}
			for _, v := range list {
				if !isNothing(v) {
					kept = append(kept, v)
				}
			}
			return adapter{}.NativeToValue(kept)
		})),
		cel.Function(fnLatest, overload("latest", listA, listA), elements(latest)),
		cel.Function(fnSingle, overload("single", paramA, listA), elements(singleValue)),
		cel.Function("distinct_months", overload("distinct_months", n, listA), elements(distinctMonths)),
		cel.Function(fnMonths, cel.MemberOverload("rows_months", []*cel.Type{listA, n, n}, listA),
			cel.SingletonFunctionBinding(months)),
		cel.Function(fnRatio, overload("ratio", n, n, n), binary(ratio)),
		cel.Function(fnGrowth, overload("growth", n, n, n), binary(growth)),
		cel.Function("abs", overload("abs", n, n), unary(func(v ref.Val) ref.Val {
			if x, ok := v.(number); ok {
				return number{new(big.Rat).Abs(x.r)}
			}
			return types.NoSuchOverloadErr()
		})),
		cel.Function("round", overload("round", n, n, n), binary(round)),
		cel.Function(fnHasValue, overload("has_value", cel.BoolType, paramA), cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
			return types.Bool(!isNothing(v))
		})),
		cel.Function(fnOrElse, overload("or_else", paramA, paramA, paramA), cel.SingletonBinaryBinding(func(v, other ref.Val) ref.Val {
			if isNothing(v) {
				return other
			}
			return v
		})),
	}
	return append(append(options, dates()...), texts()...)
}

func dates() []cel.EnvOption {
	part := func(name string, of func(time.Time) int) cel.EnvOption {
		return cel.Function(name, overload(name, numberType, dateType), unary(func(v ref.Val) ref.Val {
			if d, ok := v.(date); ok {
				return whole(of(d.time()))
			}
			return types.NoSuchOverloadErr()
		}))
	}
	between := func(name string, f func(a, b date) int) cel.EnvOption {
		return cel.Function(name, overload(name, numberType, dateType, dateType), binary(func(a, b ref.Val) ref.Val {
			x, first := a.(date)
			y, second := b.(date)
			if !first || !second {
				return types.NoSuchOverloadErr()
			}
			return whole(f(x, y))
		}))
	}
	return []cel.EnvOption{
		cel.Function(fnDate, overload(fnDate, dateType, cel.StringType), unary(func(v ref.Val) ref.Val {
			text, ok := v.(types.String)
			if !ok {
				return types.NoSuchOverloadErr()
			}
			d, err := ParseDate(string(text))
			if err != nil {
				return fail("%v", err)
			}
			return date(d)
		})),
		part("year", time.Time.Year),
		part("month", func(t time.Time) int { return int(t.Month()) }),
		between("days_between", func(a, b date) int { return int(b) - int(a) }),
		between("months_between", monthsBetween),
	}
}

func texts() []cel.EnvOption {
	test := func(name string, holds func(text, part string) bool) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload(name, []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType),
			binary(func(a, b ref.Val) ref.Val {
				text, first := a.(types.String)
				part, second := b.(types.String)
				if !first || !second {
					return types.NoSuchOverloadErr()
				}
				return types.Bool(holds(string(text), string(part)))
			}))
	}
	return []cel.EnvOption{test("contains", strings.Contains), test("startsWith", strings.HasPrefix), test("endsWith", strings.HasSuffix)}
}

// ParseDate parses a day written as 2006-01-02.
func ParseDate(text string) (consent.Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, &problem{"a date is written as 2006-01-02"}
	}
	return consent.Day(t.Unix() / (24 * 60 * 60)), nil
}

func monthsBetween(a, b date) int {
	if b < a {
		return -monthsBetween(b, a)
	}
	from, to := a.time(), b.time()
	n := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	if to.Day() < from.Day() {
		n--
	}
	return n
}

// elements binds a function of a list's elements. The result is null where the
// list is null.
func elements(f func([]ref.Val) ref.Val) cel.FunctionOpt {
	return unary(func(v ref.Val) ref.Val {
		list, ok := v.(traits.Lister)
		if !ok {
			return types.NoSuchOverloadErr()
		}
		var all []ref.Val
		for it := list.Iterator(); it.HasNext() == types.True; {
			e := it.Next()
			if types.IsError(e) {
				return e
			}
			all = append(all, e)
		}
		return f(all)
	})
}

// aggregate binds a function that is null where an element is null: a sum
// without an unknown element would not be the sum.
func aggregate(f func([]ref.Val) ref.Val) cel.FunctionOpt {
	return elements(func(list []ref.Val) ref.Val {
		for _, v := range list {
			if isNothing(v) {
				if v == types.NullValue {
					return nothing{why: ValueGone}
				}
				return v
			}
		}
		return f(list)
	})
}

func count(list []ref.Val) ref.Val { return whole(len(list)) }

func sum(list []ref.Val) ref.Val {
	total := whole(0)
	for _, v := range list {
		x, ok := total.(number)
		if !ok {
			return total
		}
		total = x.Add(v)
	}
	return total
}

func extreme(side types.Int) func([]ref.Val) ref.Val {
	return func(list []ref.Val) ref.Val {
		var best ref.Val = nothing{why: NoRows}
		for i, v := range list {
			if i == 0 {
				best = v
			}
			switch order := compare(v, best).(type) {
			case types.Int:
				if order == side {
					best = v
				}
			default:
				return order
			}
		}
		return best
	}
}

func ratio(a, b ref.Val) ref.Val {
	x, first := a.(number)
	y, second := b.(number)
	switch {
	case types.IsError(a):
		return a
	case !first || !second:
		return types.NoSuchOverloadErr()
	case y.r.Sign() <= 0:
		return nothing{why: NotPositive} // with a base below 0 a ratio has the wrong sign
	}
	return x.Divide(y)
}

func growth(now, before ref.Val) ref.Val {
	quotient := ratio(now, before)
	if x, ok := quotient.(number); ok {
		return x.Subtract(whole(1))
	}
	return quotient
}

func round(v, digits ref.Val) ref.Val {
	x, first := v.(number)
	n, second := digits.(number)
	switch {
	case !first || !second:
		return types.NoSuchOverloadErr()
	case !n.r.IsInt() || n.r.Num().CmpAbs(big.NewInt(maxDigits)) > 0:
		return fail("round takes a whole number of digits, %d at most", maxDigits)
	}
	return fromDecimal(Round(x.r, int32(n.r.Num().Int64())))
}

// months implements rows.months(from, to). A period that contains one of the
// two ends is neither in nor out, so that no sum over these months would be
// right.
func months(args ...ref.Val) ref.Val {
	for _, v := range args {
		if isNothing(v) {
			return v
		}
	}
	rows, ok := args[0].(traits.Lister)
	from, first := args[1].(number)
	to, second := args[2].(number)
	if !ok || !first || !second {
		return types.NoSuchOverloadErr()
	}
	if from.r.Sign() < 0 || to.r.Cmp(from.r) < 0 || !monthsNumber(from.r) || !monthsNumber(to.r) {
		return fail("months takes whole numbers, from 0 on, the smaller one first")
	}
	low, high := int(from.r.Num().Int64()), int(to.r.Num().Int64())
	kept := []ref.Val{}
	for it := rows.Iterator(); it.HasNext() == types.True; {
		row := it.Next()
		p, ok := periodOf(row)
		switch {
		case !ok || !p.Flow:
			return fail("months takes rows of a flow, which have a date")
		case p.Newest >= low && p.Oldest < high:
			kept = append(kept, row)
		case p.Oldest >= low && p.Newest < high:
			return types.WrapErr(ErrAcross)
		}
	}
	return adapter{}.NativeToValue(kept)
}

func monthsNumber(r *big.Rat) bool { return r.IsInt() && r.Num().IsInt64() && r.Num().Int64() <= 1<<20 }

func distinctMonths(rows []ref.Val) ref.Val {
	seen := map[int]bool{}
	for _, row := range rows {
		p, ok := periodOf(row)
		if !ok || !p.Flow {
			return fail("distinct_months takes rows of a flow, which have a date")
		}
		for age := p.Newest; age <= p.Oldest; age++ {
			seen[age] = true
		}
	}
	return whole(len(seen))
}

// latest returns the rows of the newest day.
func latest(rows []ref.Val) ref.Val {
	kept := []ref.Val{}
	var newest Period
	for _, row := range rows {
		p, ok := periodOf(row)
		switch {
		case !ok:
			return fail("newest takes rows that have a date")
		case len(kept) == 0 || p.Last > newest.Last:
			newest, kept = p, append(kept[:0], row)
		case p.Last == newest.Last:
			kept = append(kept, row)
		}
	}
	return adapter{}.NativeToValue(kept)
}

// singleValue returns the value that all elements have.
func singleValue(list []ref.Val) ref.Val {
	if len(list) == 0 {
		return nothing{why: NoRows}
	}
	for _, v := range list[1:] {
		if isNothing(v) != isNothing(list[0]) || !isNothing(v) && equal(v, list[0]) != types.True {
			return types.WrapErr(ErrTied)
		}
	}
	if isNothing(list[0]) {
		return nothing{why: ValueGone}
	}
	return list[0]
}

func periodOf(row ref.Val) (Period, bool) {
	fields, ok := row.Value().(map[string]any)
	if !ok {
		return Period{}, false
	}
	p, ok := fields[When].(Period)
	return p, ok
}
