package profile

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/shopspring/decimal"
)

// width is the width of a terminal in cells; a Chinese character takes two.
const width = 80

// Text writes the profile for a terminal of 80 columns, in [consent.Chinese] or
// [consent.English]. The first screen has what a person needs; then follows
// every figure with its source. The text has no colours and no escape
// sequences, not even from texts from outside.
func (p *Profile) Text(w io.Writer, language string) error { return p.text(w, language, false) }

// Summary writes only the first screen of Text.
func (p *Profile) Summary(w io.Writer, language string) error { return p.text(w, language, true) }

func (p *Profile) text(w io.Writer, language string, summary bool) error {
	s, err := speak(language, terminalSigns)
	if err != nil {
		return err
	}
	t := &screen{speaker: s, p: p}
	t.head()
	if summary {
		_, err = io.WriteString(w, t.b.String())
		return err
	}
	t.missing()
	t.vetoes()
	t.checks()
	for _, d := range p.Dimensions {
		t.dimension(d)
	}
	t.evidence()
	t.foot()
	_, err = io.WriteString(w, t.b.String())
	return err
}

type screen struct {
	*speaker
	p *Profile
	b strings.Builder
}

func (t *screen) line(text string) { t.b.WriteString(strings.TrimRight(text, " ") + "\n") }

func (t *screen) rule() { t.line(strings.Repeat("-", width)) }

// item writes a label and its text, wrapped next to the label.
func (t *screen) item(label, text string) {
	const margin = 14
	for i, l := range wrap(text, width-margin) {
		if i > 0 {
			label, l = "", strings.TrimLeft(l, " ")
		}
		t.line(label + strings.Repeat(" ", max(1, margin-lipgloss.Width(label))) + l)
	}
}

// wrapped writes a text in as many lines as it needs.
func (t *screen) wrapped(text string) {
	for _, l := range wrap(text, width) {
		t.line(l)
	}
}

// section begins a part with its heading.
func (t *screen) section(heading string) {
	t.line("")
	t.line("== " + heading)
}

func (t *screen) table(headers []string, rows [][]string) {
	for _, l := range columns(headers, rows) {
		t.line(l)
	}
}

// head writes the first screen.
func (t *screen) head() {
	p := t.p
	t.line(t.Heading + t.dot + t.Of(p.Template.Title))
	name := clean(p.Subject)
	if p.Name != "" {
		name = clean(p.Name) + "  " + name
	}
	t.line(name)
	if p.Pilot {
		t.line("(" + t.Pilot + ")")
	}
	t.rule()
	t.item(t.Coverage, t.covered())
	t.item(t.Score, t.Span(p.Score.Worst, p.Score.Best)+" ("+t.Of100+")   "+t.Grade+" "+t.Grades(p)+"   "+t.bar(p.Score))
	t.item("", t.Scales(p))
	t.item(t.Stage, t.Stages(p))
	t.item(t.Vetoes, t.verdicts())
	if len(p.Checks) > 0 {
		t.item(t.Checks, t.compared())
	}
	t.reasons()
	t.gaps()
	if text := t.AgainText(p); text != "" {
		t.item(t.Again, text)
		t.line("  " + t.AgainBy(p)) // on one line, to be copied
	}
	t.rule()
	t.line(strings.Join([]string{t.Of(p.Bank.Title), t.Operator + " " + clean(p.Operator), t.Of(p.Purpose.Title), clean(p.Product)}, t.dot))
	t.wrapped(t.At + " " + t.Clock(p, p.At) + " " + t.Zone(p) + t.dot + t.LogState + t.colon + t.State(p))
}

// bar draws the range in a scale of 20 cells.
func (t *screen) bar(s Score) string {
	const cells = 20
	cell := func(text string) int {
		d, _ := decimal.NewFromString(text)
		return min(cells-1, int(d.IntPart())*cells/100)
	}
	low, high := cell(s.Worst), cell(s.Best)
	return "[" + strings.Repeat(".", low) + strings.Repeat("#", high-low+1) + strings.Repeat(".", cells-1-high) + "]"
}

func (t *screen) covered() string {
	c := t.p.Coverage
	var parts []string
	for _, a := range c.Agencies {
		parts = append(parts, t.Of(a.Title)+" "+t.Ratio(a))
	}
	return fmt.Sprintf("%d/%d %s (%s)", c.Answered, c.Of, t.Answered, strings.Join(parts, t.And))
}

func (t *screen) verdicts() string {
	var parts []string
	for _, result := range []string{Hit, Unknown, Passed} {
		var titles []string
		for _, v := range t.p.vetoed(result) {
			titles = append(titles, t.Of(v.Title))
		}
		if len(titles) == 0 {
			continue
		}
		one := t.Code(result) + " " + strconv.Itoa(len(titles))
		if result != Passed {
			one += t.colon + strings.Join(titles, t.And)
		}
		parts = append(parts, one)
	}
	if len(parts) == 0 {
		return t.None
	}
	return strings.Join(parts, t.dot)
}

func (t *screen) compared() string {
	var parts []string
	for _, c := range t.p.Checks {
		parts = append(parts, t.Of(c.Title)+" "+t.Code(c.Result))
	}
	return strings.Join(parts, t.dot)
}

func (t *screen) reasons() {
	label := t.Reasons
	for _, r := range t.p.Reasons {
		t.item(label, aligned("-"+r.Loss)+"  "+t.Of(r.Title)+" "+t.Figure(t.p, r.Indicator))
		label = ""
	}
	if len(t.p.Reasons) == 0 {
		t.item(label, t.NoReasons)
	}
}

const gapsShown = 5

func (t *screen) gaps() {
	label := t.Gaps
	for i, g := range t.p.Gaps {
		if i == gapsShown {
			t.item(label, fmt.Sprintf(t.MoreGaps, len(t.p.Gaps)-i))
			break
		}
		t.item(label, aligned(g.Cost)+"  "+t.Of(g.Title)+" ("+t.Why(t.p, g)+")")
		label = ""
	}
	if len(t.p.Gaps) == 0 {
		t.item(label, t.NoGap(t.p))
	}
}

// aligned aligns a number of points to the right of its column.
func aligned(points string) string { return fmt.Sprintf("%5s", points) }

func (t *screen) missing() {
	if len(t.p.Coverage.Missing) == 0 {
		return
	}
	t.section(t.NotObtained)
	var rows [][]string
	for _, m := range t.p.Coverage.Missing {
		rows = append(rows, []string{t.Of(m.Title), t.Of(t.p.evidence([]string{m.Input})[0].Agency.Title), t.Absent(m.Outcome, m.Reason), t.Acting(m)})
	}
	t.table([]string{t.Item, t.Agency, t.Outcome, t.Acts}, rows)
}

func (t *screen) vetoes() {
	if len(t.p.Vetoes) == 0 {
		return
	}
	t.section(t.Vetoes)
	var rows [][]string
	for _, v := range t.p.Vetoes {
		rows = append(rows, []string{t.Code(v.Result), t.Of(v.Title), t.Says(v.Words), t.Sources(t.p, v.Inputs)})
	}
	t.table([]string{t.Result, t.Title, t.Condition, t.Source}, rows)
}

func (t *screen) checks() {
	if len(t.p.Checks) == 0 {
		return
	}
	t.section(t.Checks)
	var rows [][]string
	for _, c := range t.p.Checks {
		rows = append(rows, []string{t.Code(c.Result), t.Of(c.Title), t.side(c.A, c.Unit, c.AInputs), t.side(c.B, c.Unit, c.BInputs),
			t.Amount("number", c.Deviation, c.Measure)})
	}
	t.table([]string{t.Result, t.Title, "A", "B", t.Deviation}, rows)
}

func (t *screen) side(value, unit string, inputs []string) string {
	return t.Amount("number", value, unit) + " " + t.Agencies(t.p, inputs)
}

func (t *screen) dimension(d Dimension) {
	t.section(t.Of(d.Title) + "  " + t.Span(d.Worst, d.Best) + "   " + t.Weights + " " + t.Weighed(t.p, d))
	var rows [][]string
	for _, i := range d.Indicators {
		value := t.Labelled(i)
		if i.Value == "" {
			value = t.Code(i.State)
		}
		rows = append(rows, []string{t.Of(i.Title), value, t.Earned(i), i.Weight, t.Agencies(t.p, i.Inputs)})
	}
	t.table([]string{t.Indicator, t.Value, t.Points, t.Weight, t.Source}, rows)
}

// evidence lists the answers of each release, including "no record".
func (t *screen) evidence() {
	t.section(t.Evidence)
	for _, first := range t.p.releases() {
		var rows [][]string
		for _, e := range t.p.asked(first.Agency.Name) {
			if e.Entry == 0 {
				continue // not asked, or no answer: listed above
			}
			value := t.Told(e)
			if !e.Answered() {
				value = t.Code(e.Outcome)
			}
			rows = append(rows, []string{t.Of(e.Title), value, t.Day(e.AsOf), t.count(e.Rows)})
		}
		if len(rows) > 0 {
			t.line("")
			t.line(t.Of(first.Agency.Title) + t.dot + t.From(t.p, first))
			t.table([]string{t.Item, t.Value, t.AsOf, t.Rows}, rows)
			for _, note := range t.Notes(t.p, first.Agency.Name) {
				t.wrapped("* " + note)
			}
		}
	}
	for _, line := range t.Asides(t.p) {
		t.wrapped("* " + line)
	}
}

// count writes a number, or a dash for 0.
func (t *screen) count(n uint64) string {
	if n == 0 {
		return t.nothing
	}
	return number(n)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func (t *screen) foot() {
	p := t.p
	t.section(t.Trace)
	t.item(t.Template, fmt.Sprintf("%s %d%s%s", p.Template.Name, p.Template.Version, t.dot, clean(p.Template.Author)))
	t.item(t.Digest, "sha256:"+p.Template.Digest)
	t.item(t.Query, clean(p.Query)+t.dot+t.Entry+" "+number(p.Log.Entry))
	t.item(t.Consent, clean(p.Consent))
	t.item(t.Network, clean(p.Network))
	t.line("")
	t.wrapped(p.Statement.In(t.language))
}
