package profile

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// units finds what is also refused or warned of in catalogs: a fraction of 1
// that people see as something else, a quotient whose sign may be wrong, and
// numbers of two units that are added or compared.
func (f *findings) units() {
	d := &f.t.doc
	for i := range d.Vetoes {
		f.formula(fmt.Sprintf("vetoes[%d].when", i), &d.Vetoes[i].when, f.input)
	}
	for i := range d.Stages {
		f.formula(fmt.Sprintf("stages[%d].when", i), &d.Stages[i].when, f.input)
	}
	for i := range d.Indicators {
		x, path := &d.Indicators[i], fmt.Sprintf("indicators[%d]", i)
		f.formula(path+".value", &x.value, f.input)
		f.given(path+".unit", &x.value, x.Unit)
	}
	for i := range d.Checks {
		x, path := &d.Checks[i], fmt.Sprintf("checks[%d]", i)
		f.formula(path+".a", &x.a, f.input)
		f.formula(path+".b", &x.b, f.input)
		f.sides(path, x)
		f.given(path+".unit", &x.a, x.Unit)
		f.given(path+".unit", &x.b, x.Unit)
		f.fraction(path+".deviation_unit", &x.deviation, x.Measure)
	}
}

// formula finds errors in a formula that do not depend on the use of its
// result.
func (f *findings) formula(path string, e *expression, need func(variable string) *Need) {
	if e.formula == nil {
		return
	}
	f.sign(path, e, need)
	f.clashes(path, e, unitBy(need))
}

func (f *findings) clashes(path string, e *expression, unit func(string) (string, bool)) {
	_, _, clashes := e.formula.Units(unit)
	for _, clash := range clashes {
		f.add(clash.A != "" && clash.B != "", FindUnit, path, "%[1]s", "%[2]s", formula.Chinese(clash.Error()), clash)
	}
}

// sides compares the two sides of a check: by its own formula, or as abs(a -
// b).
func (f *findings) sides(path string, x *check) {
	if x.a.formula == nil || x.b.formula == nil {
		return
	}
	unit := func(side string) (string, bool) {
		e := x.a.formula
		if side == "b" {
			e = x.b.formula
		}
		made, known, _ := e.Units(unitBy(f.input))
		return made, known
	}
	if x.deviation.formula != nil {
		f.sign(path+".deviation", &x.deviation, func(side string) *Need {
			return f.t.direct(map[string]string{"a": x.A, "b": x.B}[side])
		})
		f.clashes(path+".deviation", &x.deviation, unit)
		return
	}
	a, known := unit("a")
	if b, also := unit("b"); known && also && a != b {
		f.add(a != "" && b != "", FindUnit, path, "a 的单位为“%s”，b 为“%s”：须为同一单位，或以 deviation 换算", "a is in %q, b in %q: bring both to one unit, or say by deviation how they are compared", a, b)
	}
}

// given finds a result whose unit is not the unit that people are shown. A
// result without a unit is shown without one.
func (f *findings) given(path string, e *expression, unit string) {
	f.fraction(path, e, unit)
	if e.formula == nil || e.formula.Ratio() || unit == "" {
		return
	}
	if made, known, _ := e.formula.Units(unitBy(f.input)); known && made != "" && made != unit {
		f.add(true, FindUnit, path, "单位为“%s”，而公式的结果以“%s”计", "the unit is %q, and what the formula gives is in %q", unit, made)
	}
}

// unitBy returns the units of the inputs that variables refer to. A count has
// none, and matches any number.
func unitBy(need func(variable string) *Need) func(string) (string, bool) {
	return func(name string) (string, bool) {
		n := need(name)
		if n == nil || n.kind != formula.Number || n.Disclosure == consent.Count {
			return "", false
		}
		return n.Unit, true
	}
}

func (f *findings) input(name string) *Need { return f.t.direct(name) }

// sign warns of a divisor that may be below 0: if dividend and divisor are both
// negative, the quotient is positive. need returns the input that a variable
// refers to, or nil.
func (f *findings) sign(path string, e *expression, need func(variable string) *Need) {
	if !e.formula.Divides() {
		return
	}
	names, sure := e.formula.Divisors()
	if sure && !slices.ContainsFunc(names, func(name string) bool { return !need(name).notBelowZero() }) {
		return
	}
	f.add(false, FindSign, path, "除数可能为负，商的正负号就是错的：ratio(a, b) 即 a/b，而 b 不大于 0 时没有数值",
		"a divisor may be below 0, and the quotient then has the wrong sign: ratio(a, b) is a/b, and nothing where b is 0 or less")
}

func (n *Need) notBelowZero() bool {
	return n != nil && (n.Disclosure == consent.Count || n.Least != nil && n.Least.Sign() >= 0)
}

// fraction finds a ratio or growth with another unit than ratio. A ratio of two
// units, such as sales by persons, is no fraction of 1.
func (f *findings) fraction(path string, e *expression, unit string) {
	if e.formula == nil || !e.formula.Ratio() || unit == unitRatio {
		return
	}
	units := map[string]bool{}
	for _, name := range e.inputs {
		if n := f.t.direct(name); n != nil && n.kind == formula.Number {
			units[n.Unit] = true
		}
	}
	if len(units) > 1 && !e.formula.Calls("growth") {
		return
	}
	f.add(unit != "", FindRatio, path, "ratio 和 growth 的结果以 1 为整体，单位应为 ratio，而非“%s”：0.235 显示为 23.5%%", "ratio and growth are fractions of 1, and their unit is ratio, not %q: people see 0.235 as 23.5%%", unit)
}
