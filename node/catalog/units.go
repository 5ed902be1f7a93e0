package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// converts are the functions and operators whose result has another unit than
// the numbers that they are given.
var converts = []string{"count", "distinct_months", "months_between", "growth", "ratio", "_*_", "_/_"}

// units compares the unit of a number with those of the fields that it is made
// of. A field that is handed on as it stands keeps its own: 500 of 10,000 CNY
// each are not 500 CNY. What a formula makes of numbers may have another unit
// where it counts, divides or multiplies; elsewhere that is likely a mistake.
func (c *checker) units(at string, where phrase, source string, d *Dataset, o *Output) {
	if !o.Type.numeric() {
		return
	}
	if i := d.field(strings.TrimSpace(source)); d.One && i >= 0 {
		if field := &d.Fields[i]; field.Unit != o.Unit {
			c.problem(at, "%s: the unit is %q, that of its field is %q: they are one, unless a formula multiplies", where, o.Unit, field.Unit)
		}
		return
	}
	if f := o.compute; slices.ContainsFunc(converts, f.Calls) {
		return
	}
	var read []string
	for _, field := range d.Fields {
		switch {
		case !field.Type.numeric() || !o.compute.Reads(field.Name):
		case field.Unit == o.Unit:
			return
		default:
			read = append(read, fmt.Sprintf("%s (%q)", field.Name, field.Unit))
		}
	}
	if len(read) > 0 {
		c.warn(at, "%s: the unit is %q, which no number has that the formula reads: %s", where, o.Unit, strings.Join(read, ", "))
	}
}
