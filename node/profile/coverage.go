package profile

import (
	"slices"
)

// coverage counts the answers and lists all inputs without one. It comes first
// in every rendering: a score based on few answers means little.
func (t *Template) coverage(inputs []Evidence) Coverage {
	c := Coverage{Of: len(inputs), Agencies: []Share{}, Dimensions: []Share{}, Missing: []Miss{}}
	answered, offline := map[string]bool{}, unreached(inputs)
	for i := range inputs {
		e := &inputs[i]
		answered[e.Name] = e.Answered()
		at := slices.IndexFunc(c.Agencies, func(s Share) bool { return s.Name == e.Agency.Name })
		if at < 0 {
			at = len(c.Agencies)
			c.Agencies = append(c.Agencies, Share{Name: e.Agency.Name, Title: e.Agency.Title})
		}
		c.Agencies[at].count(answered[e.Name])
		if answered[e.Name] {
			c.Answered++
		} else {
			who := actor(e.Outcome, e.Reason)
			if offline && who == ActsAgency {
				who = ActsBank
			}
			c.Missing = append(c.Missing, Miss{Input: e.Name, Title: e.Title, Agency: e.Agency.Name, Outcome: e.Outcome, Reason: e.Reason, Acts: who})
		}
	}
	for i := range t.doc.Dimensions {
		d := &t.doc.Dimensions[i]
		s := Share{Name: d.Name, Title: d.Title}
		for _, name := range t.inputsOf(d) {
			s.count(answered[name])
		}
		c.Dimensions = append(c.Dimensions, s)
	}
	return c
}

func (s *Share) count(answered bool) {
	s.Of++
	if answered {
		s.Answered++
	}
}

// inputsOf returns the inputs that a dimension's indicators name, each once.
func (t *Template) inputsOf(d *dimension) (names []string) {
	for i := range t.doc.Indicators {
		if x := &t.doc.Indicators[i]; x.Dimension == d.Name {
			names = append(names, x.value.inputs...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
