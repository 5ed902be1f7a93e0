package profile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/formula"
)

// Codes of a [Finding].
const (
	FindAgency     = "template.agency"     // no agency of the network has this name
	FindOutput     = "template.output"     // no catalog has the output
	FindPredicate  = "template.predicate"  // the output does not verify that
	FindDisclosure = "template.disclosure" // the output is not offered in that disclosure
	FindMonths     = "template.months"     // a state asked as a flow, or the wrong number of months
	FindUnit       = "template.unit"       // the output has another unit, or two units are added or compared
	FindType       = "template.type"       // the output has another type
	FindValues     = "template.values"     // the output has other declared values
	FindPurpose    = "template.purpose"    // not a purpose of the network, or one that an agency refuses
	FindUnchecked  = "template.unchecked"  // an agency without a known catalog
	FindNever      = "template.never"      // a condition that is never or always met
	FindUndecided  = "template.undecided"  // a condition or bin that a band cannot decide
	FindWords      = "template.words"      // a condition without words for people
	FindUnreached  = "template.unreached"  // a bin or a stage that is never reached
	FindRatio      = "template.ratio"      // a fraction of 1 that is not shown as one
	FindSign       = "template.sign"       // a quotient whose sign may be wrong
)

// Finding is one result of [Template.Against] or [Template.Meaning]. An error
// means that a query by this template cannot be answered, or not as its author
// means it; any other finding is probably a mistake.
type Finding struct {
	Code  string
	Error bool
	Line  int    // of the template, from 1
	Path  string // such as "inputs[3]"
	Words Title  // mentions only what the template and the catalogs contain
}

// findings collects the findings of one comparison.
type findings struct {
	t    *Template
	list []Finding
}

func (f *findings) add(severe bool, code, path, chinese, english string, args ...any) {
	f.list = append(f.list, Finding{
		Code: code, Error: severe, Line: f.t.line("$." + path), Path: path,
		Words: Title{Chinese: fmt.Sprintf(chinese, args...), English: fmt.Sprintf(english, args...)},
	})
}

// sorted sorts findings by line, errors first within a line.
func (f *findings) sorted() []Finding {
	slices.SortStableFunc(f.list, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return f.list
}

// Within compares the template with a network: the agencies that it asks, and
// its purpose.
func (t *Template) Within(agencies, purposes []string) []Finding {
	f := findings{t: t}
	if !slices.Contains(purposes, t.Purpose) {
		f.add(true, FindPurpose, "purpose", "本网络没有用途 %s；有：%s", "this network has no purpose %s; it has %s", t.Purpose, strings.Join(purposes, " "))
	}
	for i, n := range t.Needs {
		if !slices.Contains(agencies, n.Agency) {
			f.add(true, FindAgency, fmt.Sprintf("inputs[%d].agency", i), "%s 不是本网络的数据提供方", "%s is no agency of this network", n.Agency)
		}
	}
	return f.sorted()
}

// Against compares what the template asks for with what agencies offer: the
// output, its disclosure, state or flow, type, unit and declared values, and
// whether an agency's rules allow the template's purpose at all. A missing
// catalog is a finding too.
func (t *Template) Against(catalogs []*catalog.Catalog) []Finding {
	f := findings{t: t}
	unknown := map[string]bool{}
	for i := range t.Needs {
		n, path := &t.Needs[i], fmt.Sprintf("inputs[%d]", i)
		at := slices.IndexFunc(catalogs, func(c *catalog.Catalog) bool { return c.Agency == n.Agency })
		if at < 0 {
			if !unknown[n.Agency] {
				f.add(false, FindUnchecked, path, "没有 %s 的目录，其输出项未经核对", "the catalog of %s is not here: what is asked of it was not checked", n.Agency)
			}
			unknown[n.Agency] = true
			continue
		}
		f.need(path, n, catalogs[at])
	}
	for _, o := range t.Offers() {
		if at := slices.IndexFunc(catalogs, func(c *catalog.Catalog) bool { return c.Agency == o.Agency }); at >= 0 {
			f.purpose(o, catalogs[at])
		}
	}
	return f.sorted()
}

func (f *findings) need(path string, n *Need, c *catalog.Catalog) {
	d := c.Dataset(n.Dataset)
	var o *catalog.Output
	if d != nil {
		o = d.Output(n.Output)
	}
	if o == nil {
		f.add(true, FindOutput, path, "%s 的目录（第 %d 版）没有 %s.%s", "%s offers no %[3]s.%[4]s (catalog version %[2]d)", n.Agency, c.Version, n.Dataset, n.Output)
		return
	}
	if !slices.Contains(o.Disclose, n.Disclosure) {
		f.add(true, FindDisclosure, path+".disclosure", "%s 不以 %s 披露 %s.%s", "%s does not disclose %[3]s.%[4]s as a %[2]s", n.Agency, n.Disclosure, n.Dataset, n.Output)
		return
	}
	f.predicate(path+".verify", n, o)
	f.group(path+".months", n, d, o)
	f.months(path+".months", n, o)
	f.form(path, n, o)
	f.values(path+".values", n, d, o)
}

// months compares the requested window with the offered one.
func (f *findings) months(path string, n *Need, o *catalog.Output) {
	switch {
	case o.State() && n.Months != 0:
		f.add(true, FindMonths, path, "%s.%s 是应答当日的状态，没有期间：months 应为 0", "%s.%s is a state, the situation on the day of the answer: its months are 0", n.Dataset, n.Output)
	case !o.State() && n.Months == 0:
		f.add(true, FindMonths, path, "%s.%s 是期间量：months 应为 1 至 %d", "%s.%s is a flow over closed months: ask for 1 to %d of them", n.Dataset, n.Output, o.Months)
	case n.Months > o.Months:
		f.add(true, FindMonths, path, "%s.%s 最多 %d 个月", "%s.%s covers %d months at most", n.Dataset, n.Output, o.Months)
	case int(n.Months) < o.Reach():
		f.add(true, FindMonths, path, "%s.%s 的算式要 %d 个月，少于此数永无应答", "%s.%s is computed over %d months: with fewer it is never answered", n.Dataset, n.Output, o.Reach())
	}
}

// predicate compares what is to be verified with what the catalog declares.
func (f *findings) predicate(path string, n *Need, o *catalog.Output) {
	if p, err := consent.ParsePredicate(n.Predicate); n.Disclosure == consent.Verify && (err != nil || !o.Declares(p)) {
		var offered []string
		for _, p := range o.Predicates() {
			offered = append(offered, p.String())
		}
		f.add(true, FindPredicate, path, "%s.%s 不答复“%s”；可问：%s", "%s.%s does not answer %q; it answers %s", n.Dataset, n.Output, n.Predicate, strings.Join(offered, ", "))
	}
}

// group finds inputs about persons that are never answered: those of other
// months than the catalog offers.
func (f *findings) group(path string, n *Need, d *catalog.Dataset, o *catalog.Output) {
	if d.Persons != "" && n.Months != o.Months {
		f.add(true, FindMonths, path, "%s.%s 涉及个人，只按目录的 %d 个月作答", "%s.%s is about persons, and answered over %d months alone", n.Dataset, n.Output, o.Months)
	}
}

// kindOf returns the kind of a catalog's type in a template.
func kindOf(t catalog.Type) formula.Kind {
	switch t {
	case catalog.TypeText:
		return formula.Text
	case catalog.TypeDate:
		return formula.Date
	case catalog.TypeBool:
		return formula.Bool
	}
	return formula.Number
}

// form compares type and unit. A count is a number without a unit, whatever the
// output is.
func (f *findings) form(path string, n *Need, o *catalog.Output) {
	if n.Disclosure == consent.Count || n.Disclosure == consent.Verify {
		return
	}
	if kind := kindOf(o.Type); n.kind != kind {
		f.add(true, FindType, path+".type", "%s.%s 的类型是 %s，不是 %s", "%s.%s is %s, not %s: no answer would be read", n.Dataset, n.Output, kind, n.kind)
	}
	if n.Unit != o.Unit {
		f.add(true, FindUnit, path+".unit", "%s.%s 的单位是“%s”，不是“%s”", "%s.%s has the unit %q, not %q: no answer would be read", n.Dataset, n.Output, o.Unit, n.Unit)
	}
}

// values compares the texts that an answer may have with those that the
// template declares.
func (f *findings) values(path string, n *Need, d *catalog.Dataset, o *catalog.Output) {
	if n.Values == nil {
		return
	}
	texts := d.Texts(o)
	if texts == nil {
		f.add(false, FindValues, path, "%s 的目录没有声明 %s.%s 的取值：模板未列出的写法一律作为数据有误", "%s declares no values of %s.%s: whatever the template does not list is invalid", n.Agency, n.Dataset, n.Output)
		return
	}
	known := map[string]bool{}
	for _, text := range texts {
		value, ok := n.Values[text]
		known[value] = true
		if !ok {
			f.add(true, FindValues, path, "%s.%s 可能为“%s”，模板的 values 没有此值：这样的应答将作为数据有误", "%s.%s may be %q, which is none of the values here: such an answer would be invalid", n.Dataset, n.Output, text)
		}
	}
	for _, value := range slices.Compact(slices.Sorted(maps.Values(n.Values))) {
		if !known[value] {
			f.add(false, FindValues, path, "%s.%s 不会是“%s”", "%s.%s is never %q", n.Dataset, n.Output, value)
		}
	}
}

// purpose checks whether the agency's rules allow the purpose at all.
func (f *findings) purpose(o consent.Offer, c *catalog.Catalog) {
	if rule, refused := c.RefusesFor(f.t.Purpose, o.Items); refused {
		f.add(true, FindPurpose, "purpose", "%s 的规则 %s 不应答用途 %s", "the rule %[2]s of %[1]s does not answer for the purpose %[3]s", c.Agency, rule, f.t.Purpose)
	}
}
