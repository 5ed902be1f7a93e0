package catalog

import (
	"strconv"

	"atoll/consensus/consent"
)

// measure checks whether an output is a state or a flow.
func (c *checker) measure(path string, where phrase, d *Dataset, f *fileOutput, o *Output) {
	flow := f.Measure == "flow"
	switch {
	case f.Measure == "" && !d.One && d.dated():
		c.problem(path+".measure", "%s: measure: state (the situation on the day of the question) or flow (what happened in closed months)", where)
	case f.Measure != "" && f.Measure != "state" && !flow:
		c.problem(path+".measure", "%s: measure: state or flow, not %.40q", where, f.Measure)
	case flow && (d.One || !d.dated()):
		c.problem(path+".measure", "%s: a flow needs a dataset of many records with a date or periods", where)
	case flow && (o.Months == 0 || o.Months > consent.MaxMonths):
		c.problem(path+".months", "%s: months: how many a flow is over, 1 to %d", where, consent.MaxMonths)
	case !flow && o.Months > 0:
		c.problem(path+".months", "%s: a state has no months: leave them out, or say measure: flow", where)
		o.Months = 0
	case flow && d.Closes > 0 && o.Months%d.Closes != 0:
		c.problem(path+".months", "%s: months: whole quarters or years, as the dataset closes them", where)
	case !flow && f.Partial:
		c.problem(path+".partial", "%s: partial belongs to flows", where)
	}
}

// promised finds a number of months in a title.
var promised = expression(`([0-9]{1,3}) ?(?:个月|months?\b)`)

// promises warns of a title that names another number of months than the output
// has.
func (c *checker) promises(path string, where phrase, o *Output) {
	for _, title := range []string{o.Title.Chinese, o.Title.English} {
		if m := promised().FindStringSubmatch(title); m != nil && m[1] != strconv.Itoa(int(o.Months)) {
			c.warn(path+".title", "%s: the title says %s months, months says %d", where, m[1], o.Months)
		}
	}
}
