package profile

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// quotients finds what catalogs are refused or warned for too: a fraction of 1 that
// people see as something else, and a quotient whose sign may be wrong.
func (f *findings) quotients() {
	d := &f.t.doc
	for i := range d.Vetoes {
		f.sign(fmt.Sprintf("vetoes[%d].when", i), &d.Vetoes[i].when, f.input)
	}
	for i := range d.Stages {
		f.sign(fmt.Sprintf("stages[%d].when", i), &d.Stages[i].when, f.input)
	}
	for i := range d.Indicators {
		x, path := &d.Indicators[i], fmt.Sprintf("indicators[%d]", i)
		f.sign(path+".value", &x.value, f.input)
		f.fraction(path+".unit", &x.value, x.Unit)
	}
	for i := range d.Checks {
		x, path := &d.Checks[i], fmt.Sprintf("checks[%d]", i)
		f.sign(path+".a", &x.a, f.input)
		f.sign(path+".b", &x.b, f.input)
		f.sign(path+".deviation", &x.deviation, func(side string) *Need {
			return f.t.direct(map[string]string{"a": x.A, "b": x.B}[side])
		})
		f.fraction(path+".unit", &x.a, x.Unit)
		f.fraction(path+".unit", &x.b, x.Unit)
		f.fraction(path+".deviation_unit", &x.deviation, x.Measure)
	}
}

func (f *findings) input(name string) *Need { return f.t.direct(name) }

// sign warns of a divisor that may be below 0: then the quotient is above 0 where
// both are worse than nothing. need gives the input that a variable stands for, or
// nil.
func (f *findings) sign(path string, e *expression, need func(variable string) *Need) {
	if e.formula == nil || !e.formula.Divides() {
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

// fraction finds a ratio or growth that has another unit than ratio. A ratio of two
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
