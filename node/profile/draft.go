package profile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// Draft writes a template that asks everything that these catalogs offer.
// [Parse] accepts the text, and [Template.Against] finds no error in it. All
// points are 0: until a person assigns some, no enterprise gets a score above
// 0. Everything that a person has to decide is in the text as a comment, and in
// decide.
func Draft(catalogs []*catalog.Catalog, language string) (text string, decide []string, err error) {
	d := drafter{language: language}
	for _, c := range catalogs {
		for i := range c.Datasets {
			d.dataset(c, &c.Datasets[i])
		}
	}
	scored := slices.DeleteFunc(slices.Clone(d.groups), func(g dimensionOf) bool { return g.scored == 0 })
	switch {
	case len(d.list) == 0 || len(scored) == 0:
		return "", nil, Problem{0, "the catalogs offer nothing that can be scored: a number, a truth or a text with values", "这些目录没有可计分的输出项：数字、真假值，或有 values 的文字"}
	case len(d.list) > maxNeeds:
		return "", nil, Problem{0, fmt.Sprintf("the catalogs offer %d outputs, and a template asks %d at most: give fewer catalogs", len(d.list), maxNeeds), fmt.Sprintf("这些目录有 %d 个输出项，而模板最多询问 %d 个：请少给几份目录", len(d.list), maxNeeds)}
	case len(scored) > maxDimensions:
		return "", nil, Problem{0, fmt.Sprintf("the catalogs have %d datasets, and a template has %d dimensions at most: give fewer catalogs", len(scored), maxDimensions), fmt.Sprintf("这些目录有 %d 个数据集，而模板最多有 %d 个维度：请少给几份目录", len(scored), maxDimensions)}
	}
	d.write(scored)
	if _, err := Parse([]byte(d.text.String())); err != nil {
		return "", nil, fmt.Errorf("the draft does not lint: %w", err)
	}
	return d.text.String(), d.decide, nil
}

// asked is an output with its name as an input.
type asked struct {
	name    string
	agency  string
	group   string // dimension of its dataset
	dataset *catalog.Dataset
	output  *catalog.Output
	by      consent.Disclosure
	values  []string // of a text: its declared values
}

// dimensionOf is a dataset that becomes a dimension if any of its outputs is
// scored.
type dimensionOf struct {
	name   string
	title  catalog.Title
	scored int
}

type drafter struct {
	language string
	list     []asked
	groups   []dimensionOf
	text     strings.Builder
	decide   []string
}

func (d *drafter) line(depth int, format string, args ...any) {
	d.text.WriteString(strings.Repeat("  ", depth) + fmt.Sprintf(format, args...) + "\n")
}

func (d *drafter) say(chinese, english string) string { return Title{chinese, english}.In(d.language) }

// ask records what a person has to decide, and returns the comment.
func (d *drafter) ask(chinese, english string) string {
	text := d.say(chinese, english)
	d.decide = append(d.decide, text)
	return " # " + d.say("请决定：", "decide: ") + text
}

// unique returns a name made of parts that no other input has.
func unique(taken func(string) bool, parts ...string) string {
	name := strings.ReplaceAll(strings.Join(parts, "_"), "-", "_")
	if len(name) > 60 {
		name = name[:60]
	}
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%.60s_%d", name, i)
	}
	return name
}

func (d *drafter) dataset(c *catalog.Catalog, of *catalog.Dataset) {
	name := unique(func(n string) bool {
		return slices.ContainsFunc(d.groups, func(g dimensionOf) bool { return g.name == n })
	}, c.Agency, of.Name)
	g := dimensionOf{name: name, title: of.Title}
	for i := range of.Outputs {
		o := &of.Outputs[i]
		if o.Disclose[0] == consent.Rows {
			continue // no profile is made of rows
		}
		a := asked{agency: c.Agency, group: name, dataset: of, output: o, by: o.Disclose[0], values: of.Texts(o)}
		if a.by == consent.Verify {
			a.values = nil
		}
		a.name = unique(func(n string) bool { return slices.ContainsFunc(d.list, func(x asked) bool { return x.name == n }) }, of.Name, o.Name)
		if len(a.values) > maxBins-1 {
			a.values = nil
		}
		if a.scorable() {
			g.scored++
		}
		d.list = append(d.list, a)
	}
	d.groups = append(d.groups, g)
}

// number reports whether the answer is a number.
func (a *asked) number() bool {
	return a.by != consent.Value && a.by != consent.Verify || a.by == consent.Value && (a.output.Type == catalog.TypeInteger || a.output.Type == catalog.TypeDecimal)
}

// truth reports whether the answer is true or false.
func (a *asked) truth() bool {
	return a.by == consent.Verify || a.output.Type == catalog.TypeBool
}

func (a *asked) scorable() bool {
	return a.number() || a.truth() || len(a.values) > 0
}

// short returns a title, shortened to the limit of a template.
func short(t catalog.Title) string {
	cut := func(text string) string {
		r := []rune(text)
		return strconv.Quote(string(r[:min(len(r), maxTitle)]))
	}
	return fmt.Sprintf("{zh: %s, en: %s}", cut(t.Chinese), cut(t.English))
}

func (d *drafter) write(scored []dimensionOf) {
	d.line(0, "# %s", d.say("模板草稿。注释中“请决定”之处须由风控人员改定；此前各分箱都是 0 分。改后用 atoll template lint 检查。",
		"A draft. Where a comment says \"decide\", a risk officer does; until then every bin has 0 points. Then run atoll template lint."))
	d.line(0, "name: draft%s", d.ask("模板的名称、题名和负责人", "the template's name, its title, and who answers for it"))
	d.line(0, "version: 1")
	d.line(0, "title: {zh: 草稿, en: Draft}")
	d.line(0, "author: %s", d.say("（请填写）", "(to be filled in)"))
	d.line(0, "purpose: pre_loan%s", d.ask("用途；各机构须为它应答", "the purpose, which the agencies have to answer for"))
	d.line(0, "inputs:%s", d.ask("询问哪些输出项：删去用不到的，企业只应授权所需的", "which outputs are asked: delete what is not needed, since an enterprise consents to each"))
	for i := range d.list {
		d.input(&d.list[i])
	}
	d.line(0, "stages:%s", d.ask("是否按企业的阶段区分权重", "whether weights differ by the enterprise's stage"))
	d.line(1, "- {name: all, title: {zh: 全部企业, en: all enterprises}}")
	d.line(0, "dimensions:%s", d.ask("各维度的权重，合计 100", "the weight of each dimension, 100 together"))
	for i, g := range scored {
		weight := 100 / len(scored)
		if i < 100%len(scored) {
			weight++
		}
		d.line(1, "- {name: %s, title: %s, weights: {all: %d}}", g.name, short(g.title), weight)
	}
	d.line(0, "indicators:%s", d.ask("各指标在其维度内的权重，各分箱的界限和分数（0 至 100）；权重 0 表示只显示", "the weight of each indicator within its dimension, the cut points and points (0 to 100) of its bins; weight 0 is shown and not scored"))
	for i := range d.list {
		d.indicator(&d.list[i], scored)
	}
	d.line(0, "grades: [{from: 80, grade: A}, {from: 60, grade: B}, {from: 0, grade: C}]%s", d.ask("等级的界限；哪些情形一票否决（vetoes）", "where grades begin; what is a veto (vetoes)"))
}

func (d *drafter) input(a *asked) {
	o, more := a.output, ""
	switch {
	case a.by == consent.Count:
	case a.by == consent.Verify:
		more = ", verify: " + strconv.Quote(o.Predicates()[0].String())
	case a.number() && o.Unit != "":
		more = ", unit: " + strconv.Quote(o.Unit)
	case !a.number():
		more = ", type: " + o.Type.String()
	}
	if len(a.values) > 0 {
		var list []string
		for _, v := range a.values {
			list = append(list, strconv.Quote(v)+": []")
		}
		more += ", values: {" + strings.Join(list, ", ") + "}"
	}
	d.line(1, "- {name: %s, title: %s, agency: %s, dataset: %s, output: %s, disclosure: %s, months: %d%s}", catalog.Word(a.name), short(o.Title), catalog.Word(a.agency), catalog.Word(a.dataset.Name), catalog.Word(o.Name), a.by, o.Months, more)
}

func (d *drafter) indicator(a *asked, scored []dimensionOf) {
	group := scored[0].name
	if slices.ContainsFunc(scored, func(g dimensionOf) bool { return g.name == a.group }) {
		group = a.group
	}
	d.line(1, "- name: %s", a.name)
	d.line(2, "dimension: %s", group)
	d.line(2, "title: %s", short(a.output.Title))
	if !a.scorable() {
		d.line(2, "weight: 0")
		d.line(2, "value: %s", a.name)
		return
	}
	d.line(2, "weight: 10")
	value, bins := a.name, "{below: "+a.cut()+", points: 0}, {points: 0}"
	switch {
	case a.number() && a.by != consent.Count && a.output.Unit != "":
		d.line(2, "unit: %s", strconv.Quote(a.output.Unit))
	case a.truth():
		value = a.name + " ? 1 : 0"
	case !a.number():
		bins = ""
		for _, v := range a.values {
			bins += "{is: [" + strconv.Quote(v) + "], points: 0}, "
		}
		bins += "{points: 0}"
	}
	d.line(2, "value: %s", strconv.Quote(value))
	d.line(2, "bins: [%s]", bins)
}

// cut returns a first cut point: for a band one of its own cut points, which a
// band can decide, otherwise 1.
func (a *asked) cut() string {
	switch {
	case a.by == consent.Band && len(a.output.Bands) > 0:
		return a.output.Bands[0]
	case a.output.Unit == "ratio":
		return "0"
	}
	return "1"
}
