package profile

import (
	"cmp"
	"math/big"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// The score of a stage is the sum over dimensions of weight/100 times the mean
// of the indicators' points, weighted within the dimension. Everything is
// computed twice, at the worst and at the best value of each indicator, in
// exact fractions. Only what is shown is rounded, half up, to one decimal.
// Rounding preserves order, so no value of a missing input leads outside the
// range.

// scored is one indicator as it counts: points of 100, and its share of the
// score in each stage. A share is in points of the score for each 100 points of
// the indicator.
type scored struct {
	*indicator
	result
	worst, best, top Number
	shares           []*big.Rat // by stage
}

// pointsOf returns the range of points for a result: those of all bins that it
// may be in.
func (x *indicator) pointsOf(r result) (worst, best Number) {
	if len(r.ends) == 0 {
		return x.absent()
	}
	if text, ok := r.ends[0].(string); ok {
		p := x.Bins[x.binOf(text)].Points
		return p, p
	}
	low, high, ok := r.numbers()
	if !ok {
		return x.absent()
	}
	from, to := x.binBelow(low), x.binBelow(high)
	worst, best = x.Bins[from].Points, x.Bins[from].Points
	for _, b := range x.Bins[from+1 : to+1] {
		worst, best = lesser(worst, b.Points), greater(best, b.Points)
	}
	return worst, best
}

func (x *indicator) binBelow(r *big.Rat) int {
	i := slices.IndexFunc(x.Bins, func(b bin) bool { return b.Below == nil || r.Cmp(b.Below.Rat()) < 0 })
	return max(i, 0)
}

func (x *indicator) binOf(text string) int {
	i := slices.IndexFunc(x.Bins, func(b bin) bool { return b.Is == nil || slices.Contains(b.Is, text) })
	return max(i, 0)
}

// scores computes all indicators and their shares.
func (t *Template) scores(w world) []scored {
	all := make([]scored, len(t.doc.Indicators))
	sums := map[string]*big.Rat{}
	for i := range t.doc.Indicators {
		x := &t.doc.Indicators[i]
		if sums[x.Dimension] == nil {
			sums[x.Dimension] = new(big.Rat)
		}
		sums[x.Dimension].Add(sums[x.Dimension], x.Weight.Rat())
		all[i] = scored{indicator: x, result: x.value.run(w)}
		if x.scored() {
			all[i].worst, all[i].best = x.pointsOf(all[i].result)
			_, all[i].top = x.reach()
		}
	}
	for i := range all {
		x := &all[i]
		if !x.scored() {
			continue
		}
		within := new(big.Rat).Quo(x.Weight.Rat(), sums[x.Dimension])
		d := t.doc.Dimensions[slices.IndexFunc(t.doc.Dimensions, func(d dimension) bool { return d.Name == x.Dimension })]
		for _, s := range t.doc.Stages {
			x.shares = append(x.shares, new(big.Rat).Mul(within, d.Weights[s.Name].Rat()))
		}
	}
	return all
}

// worth returns the contribution of an indicator's points to the score of a
// stage.
func (x *scored) worth(points decimal.Decimal, stage int) *big.Rat {
	r := new(big.Rat).Mul(points.Rat(), x.shares[stage])
	return r.Quo(r, hundred.Rat())
}

// most returns the largest worth of points in the possible stages.
func (x *scored) most(points decimal.Decimal, possible []int) *big.Rat {
	most := new(big.Rat)
	for _, s := range possible {
		if r := x.worth(points, s); r.Cmp(most) > 0 {
			most = r
		}
	}
	return most
}

// span is a range of exact fractions.
type span struct{ worst, best *big.Rat }

func (s span) width() *big.Rat { return new(big.Rat).Sub(s.best, s.worst) }

// total returns the score's range in one stage.
func total(all []scored, stage int) span {
	sum := span{new(big.Rat), new(big.Rat)}
	for i := range all {
		if x := &all[i]; x.scored() {
			sum.worst.Add(sum.worst, x.worth(x.worst.Decimal, stage))
			sum.best.Add(sum.best, x.worth(x.best.Decimal, stage))
		}
	}
	return sum
}

// overall returns the range over the possible stages, and how much wider it is
// than the widest range of one stage: the cost of not knowing the stage.
func overall(all []scored, possible []int) (sum span, unsure *big.Rat) {
	sum = total(all, possible[0])
	widest := sum.width()
	for _, s := range possible[1:] {
		one := total(all, s)
		if one.worst.Cmp(sum.worst) < 0 {
			sum.worst = one.worst
		}
		if one.best.Cmp(sum.best) > 0 {
			sum.best = one.best
		}
		if w := one.width(); w.Cmp(widest) > 0 {
			widest = w
		}
	}
	return sum, new(big.Rat).Sub(sum.width(), widest)
}

// score rounds the range and grades the rounded numbers.
func (t *Template) score(sum span) Score {
	s := Score{Worst: rounded(sum.worst), Best: rounded(sum.best)}
	s.WorstGrade, s.BestGrade = t.grade(s.Worst), t.grade(s.Best)
	for _, g := range t.doc.Grades {
		s.Scale = append(s.Scale, Step{g.Grade, g.From.String()})
	}
	return s
}

func (t *Template) grade(score string) string {
	d, _ := parseNumber(score)
	i := slices.IndexFunc(t.doc.Grades, func(g grade) bool { return g.From.LessThanOrEqual(d) })
	return t.doc.Grades[max(i, 0)].Grade
}

// rounded writes a fraction with one decimal, half up, and 12.0 as 12.
func rounded(r *big.Rat) string { return strings.TrimSuffix(r.FloatString(1), ".0") }

const topReasons = 3

// reasons returns the indicators that certainly cost the most: the points of
// their best bin that they cannot reach.
func reasons(all []scored, possible []int) []Reason {
	list := []Reason{}
	for _, l := range ranked(all, func(x *scored) *big.Rat { return x.most(x.top.Sub(x.best.Decimal), possible) }) {
		if len(list) < topReasons {
			list = append(list, Reason{Indicator: l.Name, Title: l.Title, Loss: rounded(l.worth)})
		}
	}
	return list
}

// gaps returns the causes of the range's width, the costliest first.
func (t *Template) gaps(all []scored, w world, possible []int, unsure *big.Rat) []Gap {
	list := []Gap{}
	for _, l := range ranked(all, func(x *scored) *big.Rat { return x.most(x.best.Sub(x.worst.Decimal), possible) }) {
		list = append(list, Gap{
			Indicator: l.Name, Title: l.Title, Cost: rounded(l.worth), State: l.state, Inputs: w.open(l.value.inputs),
		})
	}
	if shown(unsure) {
		var inputs []string
		for _, s := range t.doc.Stages {
			inputs = append(inputs, s.when.inputs...)
		}
		slices.Sort(inputs)
		list = append(list, Gap{Title: stageTitle, Cost: rounded(unsure), State: Unknown, Inputs: w.open(slices.Compact(inputs))})
	}
	return list
}

type rank struct {
	*scored
	worth *big.Rat
}

// ranked sorts the scored indicators by worth, highest first, and leaves out
// those that would be shown as 0.
func ranked(all []scored, worth func(*scored) *big.Rat) []rank {
	var list []rank
	for i := range all {
		if x := &all[i]; x.scored() {
			if r := worth(x); shown(r) {
				list = append(list, rank{x, r})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b rank) int { return cmp.Compare(0, a.worth.Cmp(b.worth)) })
	return list
}

func shown(r *big.Rat) bool { return rounded(r) != "0" }

// open returns those of the inputs that are missing or known only as a band.
func (w world) open(inputs []string) []string {
	list := []string{}
	for _, name := range inputs {
		if len(w[name]) != 1 {
			list = append(list, name)
		}
	}
	return list
}
