package profile

import (
	"encoding/hex"
	"math/big"
	"slices"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Assemble makes the profile. It asks nobody and reads no clock: the same facts
// give the same profile. The error wraps [ErrFacts].
func (t *Template) Assemble(f Facts) (*Profile, error) {
	matched, err := t.match(f.Inputs)
	if err != nil {
		return nil, err
	}
	digest := t.Digest()
	p := &Profile{
		Schema: Schema, Statement: statement,
		Template: Ref{Name: t.Name, Version: t.Version, Digest: hex.EncodeToString(digest[:]), Title: t.Title, Author: t.Author, Purpose: t.Purpose},
		Network:  f.Network, Query: f.Query, Consent: f.Consent,
		Subject: string(f.Subject), Pilot: f.Pilot,
		Bank: f.title(f.Bank), Operator: f.Operator, Purpose: f.title(f.Purpose), Product: f.Product,
		At: instant(f.At), Offset: f.Offset, Log: f.log(),
	}
	var w world
	p.Inputs, w = t.evidence(&f, matched)
	p.Name = told(w[t.doc.Subject])
	w[today] = []any{consent.DayOf(f.At, f.Offset)}
	p.Coverage = t.coverage(p.Inputs)
	if again(p.Inputs) {
		p.Again = instant(f.Deadline)
	}
	all := t.scores(w)
	var possible []int
	p.Stage, possible = t.stage(w)
	sum, unsure := overall(all, possible)
	p.Score = t.score(sum)
	p.Reasons, p.Gaps = reasons(all, possible), t.gaps(all, w, possible, unsure)
	p.Vetoes, p.Checks = t.vetoes(w), t.checks(w)
	p.Dimensions = t.dimensions(all)
	return p, nil
}

// stage tries the conditions in order. A stage is possible if its condition may
// hold and no condition before it certainly holds.
func (t *Template) stage(w world) (s Stage, possible []int) {
	s.Tests = []Test{}
	for i := range t.doc.Stages {
		x := &t.doc.Stages[i]
		truth := yes
		if x.when.formula != nil {
			truth = x.when.run(w).truth()
			s.Tests = append(s.Tests, Test{Stage: x.Name, Title: x.Title, When: x.When, Words: x.Words, Result: truth, Inputs: x.when.inputs})
		}
		if truth != no {
			possible = append(possible, i)
			s.Possible = append(s.Possible, Named{x.Name, x.Title})
		}
		if truth == yes {
			break
		}
	}
	return s, possible
}

func (t *Template) vetoes(w world) []Veto {
	list := []Veto{}
	for i := range t.doc.Vetoes {
		v := &t.doc.Vetoes[i]
		result := map[string]string{yes: Hit, no: Passed, Unknown: Unknown}[v.when.run(w).truth()]
		list = append(list, Veto{Name: v.Name, Title: v.Title, When: v.When, Words: v.Words, Result: result, Inputs: v.when.inputs})
	}
	return list
}

func (t *Template) checks(w world) []Check {
	list := []Check{}
	for i := range t.doc.Checks {
		x := &t.doc.Checks[i]
		a, b := x.a.run(w), x.b.run(w)
		apart := x.apart(a, b)
		list = append(list, Check{
			Name: x.Name, Title: x.Title, Result: x.judge(apart), A: told(a.ends), B: told(b.ends),
			AInputs: x.a.inputs, BInputs: x.b.inputs, Deviation: told(apart.ends),
			Attention: x.Attention.String(), Abnormal: x.Abnormal.String(), Unit: x.Unit, Measure: x.Measure,
		})
	}
	return list
}

// apart returns the deviation of a from b. The default abs(a - b) is computed
// exactly over ranges, a formula of the author's at their ends.
func (x *check) apart(a, b result) result {
	a0, a1, ok := a.numbers()
	b0, b1, also := b.numbers()
	if !ok || !also {
		return result{nil, Missing}
	}
	if x.deviation.formula == nil {
		apart := func(x, y *big.Rat) *big.Rat { return new(big.Rat).Sub(x, y) }
		return result{spread([]any{most(new(big.Rat), apart(a0, b1), apart(b0, a1)), most(apart(a1, b0), apart(b1, a0))}), Known}
	}
	var ends []any
	for _, va := range a.ends {
		for _, vb := range b.ends {
			v, err := x.deviation.formula.Run(map[string]any{"a": va, "b": vb})
			if err != nil || !single(v) {
				return result{nil, Undefined}
			}
			ends = append(ends, v)
		}
	}
	return result{spread(ends), Known}
}

// most returns the greatest number.
func most(first *big.Rat, more ...*big.Rat) *big.Rat {
	for _, r := range more {
		if r.Cmp(first) > 0 {
			first = r
		}
	}
	return first
}

// judge returns the check's result if the whole range gives the same result.
func (x *check) judge(apart result) string {
	low, high, ok := apart.numbers()
	if !ok {
		return Unknown
	}
	name := func(r *big.Rat) string {
		switch {
		case r.Cmp(x.Abnormal.Rat()) >= 0:
			return Abnormal
		case r.Cmp(x.Attention.Rat()) >= 0:
			return Attention
		}
		return Normal
	}
	if name(low) != name(high) {
		return Unknown
	}
	return name(low)
}

func (t *Template) dimensions(all []scored) []Dimension {
	list := make([]Dimension, len(t.doc.Dimensions))
	for i := range t.doc.Dimensions {
		d := &t.doc.Dimensions[i]
		list[i] = Dimension{Name: d.Name, Title: d.Title, Indicators: []Indicator{}}
		for _, s := range t.doc.Stages {
			list[i].Weights = append(list[i].Weights, Weight{s.Name, s.Title, d.Weights[s.Name].String()})
		}
		sum, of := span{new(big.Rat), new(big.Rat)}, new(big.Rat)
		for j := range all {
			x := &all[j]
			if x.Dimension != d.Name {
				continue
			}
			list[i].Indicators = append(list[i].Indicators, x.shown())
			weight := x.Weight.Rat()
			of.Add(of, weight)
			sum.worst.Add(sum.worst, new(big.Rat).Mul(weight, x.worst.Rat()))
			sum.best.Add(sum.best, new(big.Rat).Mul(weight, x.best.Rat()))
		}
		list[i].Worst, list[i].Best = rounded(sum.worst.Quo(sum.worst, of)), rounded(sum.best.Quo(sum.best, of))
	}
	return list
}

func (x *scored) shown() Indicator {
	i := Indicator{
		Name: x.Name, Title: x.Title, Weight: x.Weight.String(), State: x.state, Type: typeOf(x.ends), Value: told(x.ends),
		Unit: x.Unit, Inputs: slices.Clone(x.value.inputs),
	}
	if i.Type == formula.Text.String() {
		i.Label = x.Labels[i.Value]
	}
	if x.scored() {
		i.Worst, i.Best = x.worst.String(), x.best.String()
	}
	return i
}
