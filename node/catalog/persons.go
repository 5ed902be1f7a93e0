package catalog

import (
	"crypto/sha256"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

// A dataset about persons (rows of employees, say) names the field that
// identifies them. Nothing of it leaves that rests on fewer than min_group
// different persons, whatever the disclosure. Two groups are counted, and both
// have to be large enough:
//
//   - the persons in the rows of the window, which a count is over;
//   - the persons without whose rows the output would be another. A formula can
//     filter, or take the greatest, in many forms, and so rest on one person
//     among many in the window. Which rows it uses is therefore not derived from
//     its text: it is computed again without each person, until enough persons
//     are found that matter. A person who does not matter (a wage of 0 in a sum)
//     is not counted, which errs on the safe side.
//
// Not promised: that the difference of two answers is about as many persons. A
// catalog's warnings name outputs where it may not be.

const (
	defaultGroup = 5
	maxGroup     = 1000
)

// triesPerPerson limits how often an output is computed again, in multiples of
// min_group. Where so many trials do not find enough persons, it is taken to
// rest on too few.
const triesPerPerson = 40

// A bank must not keep an agency computing. All trials of an output together
// take at most usualWork rows, or what min_group trials take; where that is
// more than maxWork, nothing is told.
const (
	usualWork = 200_000
	maxWork   = 1_000_000
)

// persons checks what a dataset says about persons.
func (c *checker) persons(path string, where phrase, f *fileDataset, d *Dataset) {
	if f.Persons == "" {
		if f.MinGroup != 0 {
			c.problem(path+".min_group", "%s: min_group belongs to datasets that name the field which identifies persons (persons)", where)
		}
		if d.Personal && !d.One {
			c.warn(path+".personal", "%s: it holds data on persons, and names no field that identifies them (persons): an answer may be about one person", where)
		}
		return
	}
	i := d.field(f.Persons)
	switch {
	case i < 0 || d.Fields[i].Type != TypeText && d.Fields[i].Type != TypeInteger:
		c.problem(path+".persons", "%s: persons: no field of type text or integer is %.40q", where, f.Persons)
	case d.One:
		c.problem(path+".persons", "%s: persons belongs to datasets of many records: one record is about one person", where)
	case !d.Fields[i].Personal:
		c.problem(path+".persons", "%s: persons: the field %s identifies persons: say personal: true", where, f.Persons)
	case f.MinGroup == 1 || f.MinGroup > maxGroup:
		c.problem(path+".min_group", "%s: min_group: 2 to %d persons", where, maxGroup)
	}
	d.Persons, d.MinGroup = f.Persons, f.MinGroup
	if d.MinGroup == 0 {
		d.MinGroup = defaultGroup
	}
}

// groups checks the outputs of a dataset about persons.
func (c *checker) groups(path string, where phrase, d *Dataset, o *Output) {
	if d.Persons == "" {
		return
	}
	f := o.compute
	switch {
	case f == nil:
	case f.Reads(d.Persons):
		c.problem(path, "%s: reads %s, which identifies persons: no output is made of it", where, d.Persons)
	case f.Calls("max") || f.Calls("min") || f.Calls("newest"):
		c.warn(path, "%s: max, min and newest give one person's value, and are answered below_min_group", where)
	case o.Type == TypeBool:
		c.warn(path, "%s: a truth seldom changes with one person, and is then answered below_min_group: offer the number", where)
	}
	for i := range d.Outputs {
		other := &d.Outputs[i]
		if other.Months != o.Months || f != nil && f.Picks() || other.compute != nil && other.compute.Picks() {
			c.warn(path, "%s: it is over other rows than %s may be: their difference may be about fewer than %d persons. Offer one of them", where, shown(other.Name), d.MinGroup)
			return
		}
	}
}

// few reports whether all rows of a subject together are about too few persons.
// Rows without an id are about nobody here: that one is faulty is not told of
// few persons either.
func (d *Dataset) few(rows []Row) bool {
	i, known := d.field(d.Persons), map[string]bool{}
	for _, r := range rows {
		if i >= len(r) {
			continue
		}
		if id, ok := identity(r[i]); ok {
			known[id] = true
		}
	}
	return len(known) < int(d.MinGroup)
}

// group returns the outcome of an item of a dataset about persons that rests on
// too few of them, or cannot be told to rest on enough; ok is true if it rests
// on enough. Such an answer has no number of rows, which would tell the group's
// size.
func (d *Dataset) group(w *window, o *Output, item consent.Item, today consent.Day) (a Answer, ok bool) {
	var people []string // in the order of their first rows
	rowsOf, nameless := map[string][]int{}, false
	for i, row := range w.rows {
		id, known := identity(row[d.Persons])
		if !known {
			nameless = true
			continue
		}
		if rowsOf[id] == nil {
			people = append(people, id)
		}
		rowsOf[id] = append(rowsOf[id], i)
	}
	switch {
	case len(people) < int(d.MinGroup):
		return none(consent.BelowMinGroup, ""), false
	case nameless:
		return none(consent.Invalid, personsMissing), false
	case item.Months != o.Months: // two windows that differ by a month would tell about those of that month
		return none(consent.BelowMinGroup, personsWindow), false
	case item.Disclosure == consent.Count || d.restsOn(w, o, people, rowsOf, today):
		return Answer{}, true
	}
	return none(consent.BelowMinGroup, ""), false
}

// restsOn reports whether the output rests on enough persons. An output without
// a value does where it has one without the rows that lack what the formula
// reads, and that one rests on enough: then the missing values alone are told.
// Otherwise that nobody is behind an output (a filter that lets no row through)
// would be told, and that one person is would not.
func (d *Dataset) restsOn(w *window, o *Output, people []string, rowsOf map[string][]int, today consent.Day) bool {
	left := make([]bool, len(w.rows)) // out of the computation
	value := func() any {
		rows := make([]map[string]any, 0, len(w.rows))
		for i, row := range w.rows {
			if !left[i] {
				rows = append(rows, row)
			}
		}
		v, _, err := o.compute.Eval(d.values(rows, today))
		if err != nil {
			return nil
		}
		return v
	}
	whole, found := value(), 0
	if whole == nil {
		for i, row := range w.rows {
			left[i] = d.lacks(o, row)
		}
		if whole = value(); whole == nil {
			return false
		}
	}
	for _, id := range people[:min(len(people), d.trials(len(w.rows)))] {
		before := make([]bool, len(rowsOf[id]))
		for j, i := range rowsOf[id] {
			before[j], left[i] = left[i], true
		}
		if v := value(); v == nil || !equal(v, whole) {
			found++
		}
		for j, i := range rowsOf[id] {
			left[i] = before[j]
		}
		if found == int(d.MinGroup) {
			return true
		}
	}
	return false
}

// trials returns of how many persons it is tried whether they matter.
func (d *Dataset) trials(rows int) int {
	group := int(d.MinGroup)
	if group*rows > maxWork {
		return 0
	}
	return min(triesPerPerson*group, max(group, usualWork/max(1, rows)))
}

// lacks reports whether a row has no value in a field that the output's formula
// reads.
func (d *Dataset) lacks(o *Output, row map[string]any) bool {
	return slices.ContainsFunc(d.Fields, func(f Field) bool { return row[f.Name] == nil && o.compute.Reads(f.Name) })
}

// equal compares two results of a formula.
func equal(a, b any) bool {
	x, ok := a.(*big.Rat)
	y, also := b.(*big.Rat)
	if ok && also {
		return x.Cmp(y) == 0
	}
	return !ok && !also && a == b
}

var (
	oldNumber = expression(`^[0-9]{15}$`)
	newNumber = expression(`^[0-9]{17}[0-9X]$`)
)

// identity returns a hash that is the same for all spellings of a person's id:
// full width, lower case, whatever is neither letter nor digit, and identity
// card numbers of 15 and of 18 characters. ok is false where there is no id, or
// a text that stands for none. Ids that are taken for one make a group smaller,
// never larger.
func identity(v any) (hash string, ok bool) {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case decimal.Decimal:
		text = v.String()
	}
	if StandsForNone(text) {
		return "", false
	}
	text = strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // full width
			r += '!' - '！'
		}
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) { // blanks, hyphens of any kind, marks that cannot be seen
			return -1
		}
		return unicode.ToUpper(r)
	}, text)
	switch {
	case oldNumber().MatchString(text):
		text = text[:6] + "19" + text[6:]
	case newNumber().MatchString(text):
		text = text[:17]
	}
	sum := sha256.Sum256([]byte(text))
	return string(sum[:]), true
}
