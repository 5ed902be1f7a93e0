package consent

import (
	"fmt"
	"slices"
	"strings"
)

// Op is how a predicate compares an output with a point.
type Op string

// The operators of predicates. Numbers and days have the first four, texts the
// last.
const (
	Less    Op = "lt"
	AtMost  Op = "le"
	AtLeast Op = "ge"
	Above   Op = "gt"
	Equal   Op = "eq"
)

// Ops are all operators, in the order in which a [More] lists them.
var Ops = []Op{Less, AtMost, AtLeast, Above, Equal}

// Holds reports whether the predicate is true of an output that compares with
// the point as order says: below 0, 0, or above 0.
func (o Op) Holds(order int) bool {
	switch o {
	case Less:
		return order < 0
	case AtMost:
		return order <= 0
	case AtLeast:
		return order >= 0
	case Above:
		return order > 0
	}
	return o == Equal && order == 0
}

// The answers to a predicate. Unknown is an answer too: the agency has rows of
// the subject, and they do not tell.
const (
	Yes     = "yes"
	No      = "no"
	Unknown = "unknown"
)

// Predicates are limited, because each answer halves the range in which a value
// can be.
const (
	// MaxPredicates is the maximum number of different predicates that an agency
	// answers to one bank about one output of one subject in PredicateDays,
	// whatever the consents and the versions of the catalog.
	MaxPredicates = 4
	PredicateDays = 365
)

const (
	maxPredicate = 2 + 1 + maxText // bytes
	maxPoints    = 20              // of one output
)

// Predicate is a condition that a bank has answered by yes, no or unknown. Its
// text is the operator, a blank and the point: "ge 500000".
type Predicate struct {
	Op    Op
	Point string // as the catalog writes it
}

func (p Predicate) String() string { return string(p.Op) + " " + p.Point }

// In returns the predicate in the words of a notice in that language.
func (p Predicate) In(language string) string {
	words := languages[language]
	if words == nil {
		return p.String()
	}
	return words.ops[p.Op] + " " + p.Point
}

// ParsePredicate parses the output of String. Whether the catalog declares the
// predicate is decided by [More.Declares].
func ParsePredicate(text string) (Predicate, error) {
	op, point, _ := strings.Cut(text, " ")
	p := Predicate{Op(op), point}
	if !slices.Contains(Ops, p.Op) || !ValidText(point) {
		return Predicate{}, malformed("a predicate is an operator (%s), a blank and a point", opNames())
	}
	return p, nil
}

func opNames() string {
	names := make([]string, len(Ops))
	for i, o := range Ops {
		names[i] = string(o)
	}
	return strings.Join(names, ", ")
}

// More is the part of a [Sense] that only some outputs have.
type More struct {
	Ops      []Op     `cbor:"1,keyasint,omitempty"` // of the disclosure verify, in the order of [Ops]
	Points   []string `cbor:"2,keyasint,omitempty"` // likewise: the only points with which the output is compared, as written
	MinGroup uint32   `cbor:"3,keyasint,omitempty"` // the least number of persons that an answer rests on; 0: it is not about persons
	Table    *Table   `cbor:"4,keyasint,omitempty"` // of the disclosure rows
}

func (m *More) empty() bool {
	return len(m.Ops) == 0 && len(m.Points) == 0 && m.MinGroup == 0 && m.Table == nil
}

// Declares reports whether a predicate is one that the output answers.
func (m *More) Declares(p Predicate) bool {
	return slices.Contains(m.Ops, p.Op) && slices.Contains(m.Points, p.Point)
}

// check reports whether all of it can be shown.
func (m *More) check() error {
	known := slices.IsSortedFunc(m.Ops, func(a, b Op) int { return slices.Index(Ops, a) - slices.Index(Ops, b) })
	for i, o := range m.Ops {
		known = known && slices.Contains(Ops, o) && !slices.Contains(m.Ops[:i], o)
	}
	for i, p := range m.Points {
		known = known && ValidText(p) && !slices.Contains(m.Points[:i], p)
	}
	if !known || (len(m.Ops) == 0) != (len(m.Points) == 0) || len(m.Points) > maxPoints {
		return malformed("sense: operators or points")
	}
	if m.Table != nil {
		return m.Table.check()
	}
	return nil
}

// told writes what can be asked, and of how few persons nothing is told, as a
// notice says it behind a disclosure.
func (p *phrases) told(s *Sense, x Disclosure) (text string) {
	if x == Rows && s.More.Table != nil {
		text = s.More.Table.told(p)
	}
	if x == Verify && len(s.More.Ops) > 0 {
		var ops []string
		for _, o := range s.More.Ops {
			ops = append(ops, p.ops[o])
		}
		points := strings.Join(s.More.Points, p.comma)
		if s.Unit != "" {
			points += " " + s.Unit
		}
		text = fmt.Sprintf(p.points, strings.Join(ops, p.or), points, MaxPredicates, PredicateDays)
	}
	if s.More.MinGroup > 0 {
		text += fmt.Sprintf(p.group, s.More.MinGroup)
	}
	return text
}
