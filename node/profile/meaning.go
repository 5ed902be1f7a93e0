package profile

import (
	"fmt"
	"maps"
	"math/big"
	"slices"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/formula"
)

// maxTried limits the combinations of values that one condition is tried with.
const maxTried = 20_000

// Meaning tries the template's conditions and bins with values on both sides of
// every number and day in the template, every declared text, and every band of
// the catalogs. It finds conditions that are never or always met, stages and
// bins that are never reached, and conditions and bins that a band cannot
// decide. For a condition that consists of comparisons alone this is a proof.
// For others, such as one over a quotient, it is a strong hint and no error.
// Meaning also finds quotients whose sign may be wrong, and numbers that are
// added, compared or shown in another unit.
func (t *Template) Meaning(today consent.Day, catalogs []*catalog.Catalog) []Finding {
	f := findings{t: t}
	m := trials{t, today, catalogs}
	for i := range t.doc.Vetoes {
		v := &t.doc.Vetoes[i]
		f.condition(fmt.Sprintf("vetoes[%d].when", i), m, &v.when)
		f.said(fmt.Sprintf("vetoes[%d]", i), v.Words)
	}
	for i := range t.doc.Stages {
		if s := &t.doc.Stages[i]; s.when.formula != nil {
			f.condition(fmt.Sprintf("stages[%d].when", i), m, &s.when)
			f.said(fmt.Sprintf("stages[%d]", i), s.Words)
		}
	}
	f.stages(m)
	for i := range t.doc.Indicators {
		if x := &t.doc.Indicators[i]; x.scored() {
			f.bins(fmt.Sprintf("indicators[%d].bins", i), m, x)
		}
	}
	f.units()
	return f.sorted()
}

// trials makes the values that conditions are tried with.
type trials struct {
	t        *Template
	today    consent.Day
	catalogs []*catalog.Catalog
}

// worlds returns the combinations of values for an expression, or nil if there
// are too many to try.
func (m trials) worlds(inputs []string, near ...*expression) []world {
	var numbers []*big.Rat
	var days []consent.Day
	for _, e := range near {
		n, d, _ := e.formula.Written()
		numbers, days = append(numbers, n...), append(days, d...)
	}
	all := []world{{today: {m.today}}}
	for _, name := range inputs {
		values := m.values(&m.t.Needs[m.t.need(name)], numbers, days)
		if len(all)*len(values) > maxTried {
			return nil
		}
		var next []world
		for _, w := range all {
			for _, v := range values {
				more := maps.Clone(w)
				more[name] = v
				next = append(next, more)
			}
		}
		all = next
	}
	return all
}

// values returns what an input is tried with: single values, or the bands of
// its output.
func (m trials) values(n *Need, near []*big.Rat, days []consent.Day) (list [][]any) {
	if bands := m.bands(n); bands != nil {
		return bands
	}
	switch n.kind {
	case formula.Bool:
		return [][]any{{true}, {false}}
	case formula.Text:
		for _, value := range slices.Compact(slices.Sorted(maps.Values(n.Values))) {
			list = append(list, []any{value})
		}
		return list
	case formula.Date:
		for _, d := range m.days(near, days) {
			list = append(list, []any{d})
		}
		return list
	}
	for _, r := range m.numbers(n, near) {
		list = append(list, []any{r})
	}
	return list
}

// bands returns the bands in which a catalog discloses the need, in the form of
// read answers; nil where the need is no band or its catalog is not known.
func (m trials) bands(n *Need) (list [][]any) {
	o := m.output(n)
	if !n.banded() || o == nil {
		return nil
	}
	for i := range len(o.Bands) + 1 {
		low, high := "", ""
		if i > 0 {
			low = o.Bands[i-1]
		}
		if i < len(o.Bands) {
			high = o.Bands[i]
		}
		if ends, problem := n.readBand(low + ".." + high); problem == "" {
			list = append(list, ends)
		}
	}
	return list
}

func (m trials) output(n *Need) *catalog.Output {
	at := slices.IndexFunc(m.catalogs, func(c *catalog.Catalog) bool { return c.Agency == n.Agency })
	if at < 0 {
		return nil
	}
	d := m.catalogs[at].Dataset(n.Dataset)
	if d == nil {
		return nil
	}
	return d.Output(n.Output)
}

// numbers returns the numbers in a formula with both signs, numbers between
// them and beyond, as far as the need can have them.
func (m trials) numbers(n *Need, near []*big.Rat) (list []*big.Rat) {
	points := []*big.Rat{new(big.Rat), big.NewRat(1, 1)}
	for _, r := range near {
		points = append(points, r, new(big.Rat).Neg(r))
	}
	for _, end := range []*Number{n.Least, n.Most} {
		if end != nil {
			points = append(points, end.Rat())
		}
	}
	slices.SortFunc(points, (*big.Rat).Cmp)
	points = slices.CompactFunc(points, func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	one := big.NewRat(1, 1)
	all := []*big.Rat{new(big.Rat).Sub(points[0], one)}
	for i, p := range points {
		if i > 0 {
			between := new(big.Rat).Add(points[i-1], p)
			all = append(all, between.Quo(between, big.NewRat(2, 1)))
		}
		all = append(all, new(big.Rat).Sub(p, one), p, new(big.Rat).Add(p, one))
	}
	o := m.output(n)
	counted := n.Disclosure == consent.Count
	whole := counted || o != nil && o.Type == catalog.TypeInteger
	for _, r := range all {
		switch {
		case n.Least != nil && r.Cmp(n.Least.Rat()) < 0, n.Most != nil && r.Cmp(n.Most.Rat()) > 0:
		case counted && r.Sign() < 0, whole && !r.IsInt():
		default:
			list = append(list, r)
		}
	}
	return list
}

// days returns the days in the formula, and days before today at a distance of
// as many days, months or years as a number in the formula, plus and minus a
// day.
func (m trials) days(near []*big.Rat, written []consent.Day) (list []consent.Day) {
	list = []consent.Day{m.today, m.today - 1, m.today - 36_525}
	for _, d := range written {
		list = append(list, d-1, d, d+1)
	}
	for _, r := range near {
		n := formula.Round(r, 0)
		if !n.IsInteger() || n.Abs().GreaterThan(hundred.Mul(hundred)) {
			continue
		}
		for _, unit := range []int64{1, 30, 31, 366} {
			back := m.today - consent.Day(n.IntPart()*unit)
			list = append(list, back-1, back, back+1)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// condition tries one condition.
func (f *findings) condition(path string, m trials, e *expression) {
	met, unmet, open := false, false, ""
	worlds := m.worlds(e.inputs, e)
	for _, w := range worlds {
		switch e.run(w).truth() {
		case yes:
			met = true
		case no:
			unmet = true
		default:
			if band, ok := w.band(e.inputs); ok && open == "" {
				open = band
			}
		}
	}
	_, _, sure := e.formula.Written()
	switch {
	case len(worlds) == 0:
	case !met:
		f.add(sure, FindNever, path, "没有任何取值满足此条件", "no value meets this condition")
	case !unmet:
		f.add(sure, FindNever, path, "任何取值都满足此条件", "every value meets this condition")
	case open != "":
		f.add(false, FindUndecided, path, "区间 %s 内无法判定此条件：结论将是未知", "within the band %s this condition cannot be told: it would be unknown", open)
	}
}

// said finds a condition without words. People would not be shown what it
// tests, because formulas are for programs.
func (f *findings) said(path string, words Title) {
	if words == (Title{}) {
		f.add(false, FindWords, path, "没有 words：看画像的人读不到此条件", "no words: whoever reads a profile is told nothing of this condition")
	}
}

// band writes the bands of some inputs, such as "owed 0..1".
func (w world) band(inputs []string) (text string, ok bool) {
	for _, name := range inputs {
		if ends := w[name]; len(ends) == 2 {
			low, high := ends[0].(*big.Rat), new(big.Rat).Add(ends[1].(*big.Rat), justLess.Rat())
			return name + " " + told([]any{low, high}), true
		}
	}
	return "", false
}

// stages finds stages that an earlier one always precludes.
func (f *findings) stages(m trials) {
	stages := f.t.doc.Stages
	var inputs []string
	var near []*expression
	for i := range stages {
		if stages[i].when.formula != nil {
			inputs, near = append(inputs, stages[i].when.inputs...), append(near, &stages[i].when)
		}
	}
	slices.Sort(inputs)
	reached := map[int]bool{}
	worlds := m.worlds(slices.Compact(inputs), near...)
	for _, w := range worlds {
		_, possible := f.t.stage(w)
		for _, i := range possible {
			reached[i] = true
		}
	}
	for i := range stages {
		if len(worlds) > 0 && !reached[i] {
			f.add(false, FindUnreached, fmt.Sprintf("stages[%d]", i), "没有任何取值落在此阶段", "no value leads to this stage")
		}
	}
}

// bins tries the bins of an indicator whose value is exactly an input.
func (f *findings) bins(path string, m trials, x *indicator) {
	n := f.t.direct(x.Value)
	if n == nil {
		return
	}
	var cuts []*big.Rat
	for _, b := range x.Bins {
		if b.Below != nil {
			cuts = append(cuts, b.Below.Rat())
		}
	}
	reached := make([]bool, len(x.Bins))
	for _, v := range m.values(n, cuts, nil) {
		from, to := x.binsOf(v)
		for i := from; i <= to; i++ {
			reached[i] = true
		}
		if band, ok := (world{n.Name: v}).band([]string{n.Name}); ok && from != to {
			f.add(false, FindUndecided, fmt.Sprintf("%s[%d]", path, from), "分界点落在区间 %s 之内：该区间的得分只能是一个范围", "a cut point is inside the band %s, which then gives a range of points", band)
		}
	}
	for i, ok := range reached {
		if !ok {
			f.add(false, FindUnreached, fmt.Sprintf("%s[%d]", path, i), "没有任何取值落在此档", "no value falls into this bin")
		}
	}
}

// binsOf returns the first and the last bin that contain part of a value or
// band.
func (x *indicator) binsOf(ends []any) (from, to int) {
	if text, ok := ends[0].(string); ok {
		i := x.binOf(text)
		return i, i
	}
	return x.binBelow(ends[0].(*big.Rat)), x.binBelow(ends[len(ends)-1].(*big.Rat))
}
