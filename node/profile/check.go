package profile

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Limits of a template.
const (
	maxNeeds      = 64
	maxStages     = 8
	maxDimensions = 12
	maxIndicators = 64
	maxBins       = 20
	maxVetoes     = 32
	maxChecks     = 32
	maxGrades     = 10
)

var hundred = decimal.New(100, 0)

func (c *checker) check() {
	d := &c.t.doc
	c.name("$", d.Name, map[string]bool{})
	if d.Version == 0 || d.Version > 1<<31 {
		c.bad("$.version", "版本从 1 起", "versions count from 1")
	}
	c.title("$", d.Title)
	if !printable(d.Author, 1, maxWords) {
		c.bad("$.author", "须写明由谁对模板负责，1 至 %d 个可见字符", "who answers for the template, in 1 to %d printable characters", maxWords)
	}
	if !consent.ValidItem(d.Purpose) {
		c.bad("$.purpose", "应为用途的代码，如 pre_loan", "the code of a purpose is wanted, such as pre_loan")
	}
	c.inputs()
	c.stages()
	c.dimensions()
	c.indicators()
	c.vetoes()
	c.checks()
	c.grades()
	if len(c.problems) == 0 {
		c.unused()
	}
}

func (c *checker) inputs() {
	d, seen, items := &c.t.doc, map[string]bool{today: true}, map[string]bool{}
	c.count("$.inputs", len(d.Inputs), 1, maxNeeds)
	for i := range d.Inputs {
		in, path := &d.Inputs[i], fmt.Sprintf("$.inputs[%d]", i)
		c.name(path, in.Name, seen)
		c.title(path, in.Title)
		n := Need{
			Name: in.Name, Agency: in.Agency, Dataset: in.Dataset, Output: in.Output,
			Months: in.Months, Title: in.Title, Unit: in.Unit, Least: in.Least, Most: in.Most,
		}
		c.need(path, in, &n)
		if key := fmt.Sprint(n.Agency, n.Item()); items[key] {
			c.bad(path, "同一输出项以同一披露方式询问了两次", "the same output in the same disclosure is asked twice")
		} else {
			items[key] = true
		}
		c.t.Needs = append(c.t.Needs, n)
	}
	c.vars = variablesOf(c.t.Needs)
	if i := c.t.need(d.Subject); d.Subject != "" && (i < 0 || c.t.Needs[i].kind != formula.Text) {
		c.bad("$.subject", "应为类型为 text 的输入项，即给出企业名称的那一项", "an input of type text is wanted, the one that gives the name of the enterprise")
	}
}

func (c *checker) need(path string, in *input, n *Need) {
	var err error
	if n.Disclosure, err = consent.ParseDisclosure(in.Disclosure); err != nil || n.Disclosure == consent.Rows {
		c.bad(path+".disclosure", "应为 value、band、verify 或 count", "value, band, verify or count is wanted")
	}
	c.predicate(path, in, n)
	kinds := map[string]formula.Kind{"": formula.Number, "number": formula.Number, "text": formula.Text, "bool": formula.Bool, "date": formula.Date}
	if n.kind = kinds[in.Type]; n.Disclosure == consent.Verify && in.Type == "" {
		n.kind = formula.Bool
	}
	switch {
	case n.kind == 0:
		c.bad(path+".type", "应为 number、text、bool 或 date", "number, text, bool or date is wanted")
	case n.Disclosure == consent.Verify && n.kind == formula.Bool:
	case n.kind != formula.Number && n.Disclosure != consent.Value:
		c.bad(path+".type", "%s 是数字", "a %s is a number", n.Disclosure)
	case n.kind != formula.Number && (in.Least != nil || in.Most != nil):
		c.bad(path, "least 和 most 只用于数字", "least and most are for numbers")
	case in.Least != nil && in.Most != nil && !in.Least.LessThan(in.Most.Decimal):
		c.bad(path+".most", "须大于 least", "not above least")
	}
	switch {
	case !consent.ValidMember(in.Agency):
		c.bad(path+".agency", "应为成员的名称", "the name of a member is wanted")
	case !consent.ValidItem(in.Dataset) || !consent.ValidItem(in.Output):
		c.bad(path, "应写明数据集和输出项的名称", "names of a dataset and an output are wanted")
	case in.Months > consent.MaxMonths:
		c.bad(path+".months", "state 为 0，否则为 1 至 %d", "0 for a state, or 1 to %d are wanted", consent.MaxMonths)
	case in.Unit != "" && (n.kind != formula.Number || n.Disclosure == consent.Count):
		c.bad(path+".unit", "unit 只用于数字，不用于 count", "a unit belongs to numbers, and not to a count")
	case !printable(in.Unit, 0, maxUnit):
		c.bad(path+".unit", "最多 %d 个可见字符", "at most %d printable characters are wanted", maxUnit)
	}
	n.Values = c.spellings(path, in.Values, n.kind)
}

// predicate checks what is to be verified. A formula sees the answer as true or
// false, and an unknown one as missing.
func (c *checker) predicate(path string, in *input, n *Need) {
	if (n.Disclosure == consent.Verify) != (in.Verify != "") {
		c.bad(path+".verify", "verify（如 ge 500000）与披露方式 verify 须同时写", "verify (such as ge 500000) and the disclosure verify belong together")
		return
	}
	if in.Verify == "" {
		return
	}
	n.Predicate = in.Verify
	_, err := consent.ParsePredicate(in.Verify)
	switch {
	case err != nil:
		c.bad(path+".verify", "应为比较方式（lt、le、ge、gt、eq）、一个空格和比较值，如 ge 500000", "an operator (lt, le, ge, gt, eq), a blank and a point are wanted, such as ge 500000")
	case in.Type != "" && in.Type != "bool":
		c.bad(path+".type", "核验的答复为是或否：type 应为 bool，或不写", "what is verified is true or false: the type is bool, or left out")
	case in.Least != nil || in.Most != nil || in.Unit != "":
		c.bad(path, "核验的答复没有 unit、least 和 most", "what is verified has no unit, least or most")
	}
}

// need returns the index of an input, or -1.
func (t *Template) need(name string) int {
	return slices.IndexFunc(t.Needs, func(n Need) bool { return n.Name == name })
}

func (c *checker) stages() {
	list, seen := c.t.doc.Stages, map[string]bool{}
	c.count("$.stages", len(list), 1, maxStages)
	for i := range list {
		s, path := &list[i], fmt.Sprintf("$.stages[%d]", i)
		c.name(path, s.Name, seen)
		c.title(path, s.Title)
		switch last := i == len(list)-1; {
		case last && s.When != "":
			c.bad(path+".when", "最后一个阶段收纳其余企业：不得有条件", "the last stage takes what the others leave: it has no condition")
		case !last:
			s.when = c.compile(path+".when", s.When, formula.Bool, s.Steady)
			c.closed(path+".when", s.when)
			c.words(path, s.Words)
		}
	}
}

func (c *checker) dimensions() {
	d, seen := &c.t.doc, map[string]bool{}
	c.count("$.dimensions", len(d.Dimensions), 1, maxDimensions)
	for i := range d.Dimensions {
		x, path := &d.Dimensions[i], fmt.Sprintf("$.dimensions[%d]", i)
		c.name(path, x.Name, seen)
		c.title(path, x.Title)
		if len(x.Weights) != len(d.Stages) {
			c.bad(path+".weights", "每个阶段须各有一个", "one for each stage is wanted")
		}
	}
	for _, s := range d.Stages {
		sum := decimal.Zero
		for i := range d.Dimensions {
			w, ok := d.Dimensions[i].Weights[s.Name]
			if !ok || w.Sign() < 0 {
				c.bad(fmt.Sprintf("$.dimensions[%d].weights", i), "阶段 %s 没有权重，或权重小于 0", "no weight, or one below 0, for stage %s", s.Name)
			}
			sum = sum.Add(w.Decimal)
		}
		if !sum.Equal(hundred) {
			c.bad("$.dimensions", "阶段 %s 的权重合计为 %s，而非 100", "the weights of stage %s add up to %s, not 100", s.Name, sum)
		}
	}
}

func (c *checker) indicators() {
	d, seen, scored := &c.t.doc, map[string]bool{}, map[string]bool{}
	c.count("$.indicators", len(d.Indicators), 1, maxIndicators)
	for i := range d.Indicators {
		x, path := &d.Indicators[i], fmt.Sprintf("$.indicators[%d]", i)
		c.name(path, x.Name, seen)
		c.title(path, x.Title)
		if !slices.ContainsFunc(d.Dimensions, func(y dimension) bool { return y.Name == x.Dimension }) {
			c.bad(path+".dimension", "没有这个维度", "no such dimension")
		}
		switch {
		case x.Weight.Sign() < 0 || x.Weight.GreaterThan(hundred):
			c.bad(path+".weight", "应为 0 至 100", "0 to 100 is wanted")
		case x.scored() != (len(x.Bins) > 0):
			c.bad(path+".bins", "有权重的指标须有分箱（bins）；权重为 0 的只显示，不计分", "an indicator with a weight has bins, one of weight 0 is shown and not scored")
		case !printable(x.Unit, 0, maxUnit):
			c.bad(path+".unit", "最多 %d 个可见字符", "at most %d printable characters are wanted", maxUnit)
		case x.scored():
			scored[x.Dimension] = true
			c.bins(path, x)
		}
		x.value = c.compile(path+".value", x.Value, x.kind(), x.Steady)
		if x.scored() {
			c.closed(path+".value", x.value)
			c.listed(path, x)
		}
		for text, label := range x.Labels {
			if !printable(text, 1, maxTitle) || !printable(label.Chinese, 1, maxTitle) || !printable(label.English, 1, maxTitle) {
				c.bad(path+".labels", "每个取值须有 zh 和 en，各 1 至 %d 个可见字符", "zh and en of 1 to %d printable characters are wanted for each text", maxTitle)
			}
		}
	}
	for i, x := range d.Dimensions {
		if !scored[x.Name] {
			c.bad(fmt.Sprintf("$.dimensions[%d]", i), "没有带权重的指标属于此维度", "no indicator with a weight belongs to it")
		}
	}
}

// words checks the words of a condition; if they are left out, the condition
// itself is shown.
func (c *checker) words(path string, t Title) {
	if t != (Title{}) && (!printable(t.Chinese, 1, maxTitle) || !printable(t.English, 1, maxTitle)) {
		c.bad(path+".words", "须有 zh 和 en，各 1 至 %d 个可见字符", "zh and en of 1 to %d printable characters are wanted", maxTitle)
	}
}

func (c *checker) bins(path string, x *indicator) {
	c.count(path+".bins", len(x.Bins), 2, maxBins)
	text, seen := x.Bins[0].Is != nil, map[string]bool{}
	for i, b := range x.Bins {
		at := fmt.Sprintf("%s.bins[%d]", path, i)
		if !ofHundred(b.Points) {
			c.bad(at, "points 为 0 至 100", "points are 0 to 100")
		}
		if i == len(x.Bins)-1 {
			if b.Below != nil || b.Is != nil {
				c.bad(at, "最后一个分箱收纳其余取值：只有 points", "the last bin takes what the others leave: it has points alone")
			}
			break
		}
		if (b.Below != nil) == text || (b.Is != nil) != text {
			c.bad(at, "除最后一个外，各分箱都写 below，或都写 is", "every bin but the last says below, or every one says is")
		}
		if i > 0 && b.Below != nil && x.Bins[i-1].Below != nil && !x.Bins[i-1].Below.LessThan(b.Below.Decimal) {
			c.bad(at, "分界点须由小到大", "cut points are not ascending")
		}
		for _, s := range b.Is {
			if !printable(s, 1, maxTitle) || seen[s] {
				c.bad(at, "有文字重复、为空或含不可见字符", "a text stands twice, or is empty or unprintable")
			}
			seen[s] = true
		}
	}
	if len(c.problems) > 0 || x.Missing == nil {
		return
	}
	worst, best := x.reach()
	low, high := x.Missing.Points[0], x.Missing.Points[1]
	if !ofHundred(low) || !ofHundred(high) || low.GreaterThan(worst.Decimal) || high.LessThan(best.Decimal) {
		c.bad(path+".missing", "缺失的值可能是任何值：其范围须包含所有分箱，此处为 %s 至 %s", "a missing value may have been any: its range holds every bin, here %s to %s", worst, best)
	}
}

// listed checks the texts in the bins of an indicator whose value is an input.
func (c *checker) listed(path string, x *indicator) {
	n := c.t.direct(x.Value)
	for i, b := range x.Bins {
		for _, text := range b.Is {
			if n != nil {
				c.declared(fmt.Sprintf("%s.bins[%d]", path, i), n.Name, text)
			}
		}
	}
}

func ofHundred(n Number) bool { return n.Sign() >= 0 && n.LessThanOrEqual(hundred) }

func (c *checker) vetoes() {
	list, seen := c.t.doc.Vetoes, map[string]bool{}
	c.count("$.vetoes", len(list), 0, maxVetoes)
	for i := range list {
		v, path := &list[i], fmt.Sprintf("$.vetoes[%d]", i)
		c.name(path, v.Name, seen)
		c.title(path, v.Title)
		v.when = c.compile(path+".when", v.When, formula.Bool, v.Steady)
		c.closed(path+".when", v.when)
		c.words(path, v.Words)
	}
}

func (c *checker) checks() {
	list, seen := c.t.doc.Checks, map[string]bool{}
	c.count("$.checks", len(list), 0, maxChecks)
	for i := range list {
		x, path := &list[i], fmt.Sprintf("$.checks[%d]", i)
		c.name(path, x.Name, seen)
		c.title(path, x.Title)
		x.a = c.compile(path+".a", x.A, formula.Number, x.Steady)
		x.b = c.compile(path+".b", x.B, formula.Number, x.Steady)
		c.closed(path+".a", x.a)
		c.closed(path+".b", x.b)
		x.deviation = c.deviation(path, x)
		for _, one := range x.a.inputs {
			for _, other := range x.b.inputs {
				if c.t.Needs[c.t.need(one)].Agency == c.t.Needs[c.t.need(other)].Agency {
					c.bad(path, "%s 和 %s 出自同一机构：核对须比较两家机构", "%s and %s are of one agency: a check compares two", one, other)
				}
			}
		}
		switch {
		case x.Attention.Sign() < 0 || x.Abnormal.LessThan(x.Attention.Decimal):
			c.bad(path, "须满足 0 <= attention <= abnormal", "0 <= attention <= abnormal is wanted")
		case !printable(x.Unit, 0, maxUnit) || !printable(x.Measure, 0, maxUnit):
			c.bad(path+".unit", "最多 %d 个可见字符", "at most %d printable characters are wanted", maxUnit)
		}
		if x.Deviation == "" && x.Measure == "" {
			x.Measure = x.Unit
		}
	}
}

func (c *checker) grades() {
	list := c.t.doc.Grades
	c.count("$.grades", len(list), 1, maxGrades)
	for i, g := range list {
		path := fmt.Sprintf("$.grades[%d]", i)
		if !ofHundred(g.From) || !printable(g.Grade, 1, maxUnit) {
			c.bad(path, "from 为 0 至 100，grade 为 1 至 %d 个可见字符", "from is 0 to 100, grade 1 to %d printable characters", maxUnit)
		}
		if i > 0 && !g.From.LessThan(list[i-1].From.Decimal) {
			c.bad(path+".from", "各等级须由高到低", "grades are not descending")
		}
		if i == len(list)-1 && g.From.Sign() != 0 {
			c.bad(path+".from", "最后一个等级从 0 起", "the last grade starts at 0")
		}
	}
}

// unused refuses inputs that nothing uses: a template may ask only for the
// least data.
func (c *checker) unused() {
	d, used := &c.t.doc, map[string]bool{c.t.doc.Subject: true}
	note := func(e expression) {
		for _, name := range e.inputs {
			used[name] = true
		}
	}
	for _, s := range d.Stages {
		note(s.when)
	}
	for _, x := range d.Indicators {
		note(x.value)
	}
	for _, v := range d.Vetoes {
		note(v.when)
	}
	for _, x := range d.Checks {
		note(x.a)
		note(x.b)
	}
	for i, n := range c.t.Needs {
		if !used[n.Name] {
			c.bad(fmt.Sprintf("$.inputs[%d]", i), "%s 没有用处：请勿询问", "%s is used by nothing: do not ask for it", n.Name)
		}
	}
}
