package profile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"atoll/consensus/consent"
)

// Texts that both renderers share.

// Stages writes the possible stages.
func (s *speaker) Stages(p *Profile) string {
	var titles []string
	for _, n := range p.Stage.Possible {
		titles = append(titles, s.Of(n.Title))
	}
	all := strings.Join(titles, s.And)
	if len(titles) > 1 {
		return s.StageUnsure + " " + all
	}
	return all
}

// Grades writes the range of grades.
func (s *speaker) Grades(p *Profile) string {
	return s.Span(clean(p.Score.WorstGrade), clean(p.Score.BestGrade))
}

// Zone names the network's offset from UTC.
func (s *speaker) Zone(p *Profile) string { return p.zone().String() }

// Ratio writes coverage.
func (s *speaker) Ratio(x Share) string { return strconv.Itoa(x.Answered) + "/" + strconv.Itoa(x.Of) }

// vetoed returns the vetoes with one result.
func (p *Profile) vetoed(result string) (list []Veto) {
	for _, v := range p.Vetoes {
		if v.Result == result {
			list = append(list, v)
		}
	}
	return list
}

// evidence returns the named inputs, in the order of the template.
func (p *Profile) evidence(names []string) (list []Evidence) {
	for _, e := range p.Inputs {
		if slices.Contains(names, e.Name) {
			list = append(list, e)
		}
	}
	return list
}

// Agencies writes the agencies behind a figure, with the reason for each that
// gave no value.
func (s *speaker) Agencies(p *Profile, names []string) string { return s.behind(p, names, false) }

// Sources is Agencies with the dates of their data.
func (s *speaker) Sources(p *Profile, names []string) string { return s.behind(p, names, true) }

func (s *speaker) behind(p *Profile, names []string, dated bool) string {
	var list []string
	for _, e := range p.evidence(names) {
		one := s.Of(e.Agency.Title)
		switch {
		case !e.Answered():
			one += " (" + s.Lack(e.Outcome, e.Reason) + ")"
		case dated && e.AsOf != "":
			one += " " + s.Day(e.AsOf)
		}
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return strings.Join(list, s.And)
}

// Titles writes the titles of the named inputs.
func (s *speaker) Titles(p *Profile, names []string) string {
	var list []string
	for _, e := range p.evidence(names) {
		list = append(list, s.Of(e.Title))
	}
	return strings.Join(list, s.And)
}

// Answered reports whether the input has a value.
func (e Evidence) Answered() bool { return e.Outcome == consent.Answered.String() }

// figureOf returns the indicator of a reason or gap, or nil.
func (p *Profile) figureOf(name string) *Indicator {
	for i := range p.Dimensions {
		for j := range p.Dimensions[i].Indicators {
			if x := &p.Dimensions[i].Indicators[j]; x.Name == name {
				return x
			}
		}
	}
	return nil
}

// Figure writes the value of the indicator behind a reason.
func (s *speaker) Figure(p *Profile, name string) string {
	x := p.figureOf(name)
	if x == nil {
		return ""
	}
	return s.Labelled(*x)
}

// Labelled writes the value of an indicator, with its explanation where it is a
// text that needs one.
func (s *speaker) Labelled(x Indicator) string {
	return s.Amount(x.Type, x.Value, x.Unit) + s.meaning(x.Label)
}

func (s *speaker) meaning(label Title) string {
	if text := s.Of(label); text != "" {
		return " (" + text + ")"
	}
	return ""
}

// Told writes the value of an input, with the months that it rests on if these
// are fewer than asked.
func (s *speaker) Told(e Evidence) string {
	text := s.Amount(e.Type, e.Value, e.Unit) + s.meaning(e.Label)
	if p, err := consent.ParsePredicate(e.Predicate); err == nil {
		text += " (" + clean(p.In(s.language)) + ")"
	}
	if e.Covered > 0 && e.Covered < uint64(e.Months) {
		text += fmt.Sprintf(" (%d/%d %s)", e.Covered, e.Months, s.Code("months"))
	}
	return text
}

// Says writes what was tested, in the words of the template, because its
// formulas are for programs.
func (s *speaker) Says(words Title) string {
	if text := s.Of(words); text != "" {
		return text
	}
	return s.nothing
}

// Why writes the cause of a gap: each open input with its outcome.
func (s *speaker) Why(p *Profile, g Gap) string {
	if len(g.Inputs) == 0 {
		return s.Code(g.State)
	}
	var list []string
	for _, e := range p.evidence(g.Inputs) {
		lack := s.Lack(e.Outcome, e.Reason)
		if e.Answered() {
			lack = s.Code(Banded)
		}
		list = append(list, s.Of(e.Agency.Title)+s.colon+lack)
	}
	return strings.Join(slices.Compact(list), s.And)
}

// releases returns for each agency the input that best shows the release of its
// figures: one that was read, if there is one.
func (p *Profile) releases() (list []Evidence) {
	for _, a := range p.Coverage.Agencies {
		inputs := p.asked(a.Name)
		first := inputs[0]
		for _, e := range inputs {
			if e.Entry != 0 && (first.Entry == 0 || first.Fetched == "") {
				first = e
			}
		}
		list = append(list, first)
	}
	return list
}

// asked returns the inputs of an agency, in the order of the template.
func (p *Profile) asked(agency string) (list []Evidence) {
	for _, e := range p.Inputs {
		if e.Agency.Name == agency {
			list = append(list, e)
		}
	}
	return list
}

// From writes the release in which an agency's figures came, and when they were
// read.
func (s *speaker) From(p *Profile, e Evidence) string {
	if e.Entry == 0 {
		return s.nothing
	}
	text := s.Entry + " " + number(e.Entry)
	if e.Fetched != "" {
		text += s.dot + s.Version + " " + number(e.Version) + s.dot + s.Fetched + " " + s.Clock(p, e.Fetched)
	}
	return text
}

// possible reports whether the enterprise may be in a stage.
func (p *Profile) possible(stage string) bool {
	return slices.ContainsFunc(p.Stage.Possible, func(n Named) bool { return n.Name == stage })
}

// Weighed writes the weights of a dimension by stage, and marks those of
// possible stages.
func (s *speaker) Weighed(p *Profile, d Dimension) string {
	var list []string
	for _, w := range d.Weights {
		one := s.Of(w.Title) + " " + w.Weight
		if p.possible(w.Stage) {
			one = "[" + one + "]"
		}
		list = append(list, one)
	}
	return strings.Join(list, " ")
}
