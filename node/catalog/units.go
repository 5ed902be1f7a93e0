package catalog

import "strings"

// units compares the unit of an output with the unit of what it is computed
// from, and the units of numbers that a formula adds, compares or chooses
// between: 500 of 10,000 CNY each are not 500 CNY. A mismatch of two declared
// units is an error. Where one unit is not declared it is a warning.
func (c *checker) units(path, at string, where phrase, source string, d *Dataset, o *Output) {
	if i := d.field(strings.TrimSpace(source)); d.One && i >= 0 && o.Type.numeric() {
		if field := &d.Fields[i]; field.Unit != o.Unit {
			c.problem(path+".unit", "%s: the unit is %q, that of its field is %q: they are one, unless a formula multiplies", where, o.Unit, field.Unit)
		}
		return
	}
	unit, known, clashes := o.compute.Units(func(name string) (string, bool) {
		i := d.field(name)
		if i < 0 || !d.Fields[i].Type.numeric() {
			return "", false
		}
		return d.Fields[i].Unit, true
	})
	for _, clash := range clashes {
		list := c.mixed(clash.A, clash.B)
		*list = append(*list, says(c.lines.Of(at), "%s: %v", where, clash))
	}
	if o.Type.numeric() && known && unit != o.Unit {
		list := c.mixed(unit, o.Unit)
		*list = append(*list, says(c.lines.Of(path+".unit"), "%s: the unit is %q, and what the formula gives is in %q", where, o.Unit, unit))
	}
}

// mixed returns the list that records a mixture of two units.
func (c *checker) mixed(a, b string) *Problems {
	if a == "" || b == "" {
		return &c.warned
	}
	return &c.found
}
