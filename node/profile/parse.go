package profile

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/consensus/strict"
	"atoll/node/formula"
)

// MaxTemplate is the size limit of a template in bytes.
const MaxTemplate = 64 << 10

// Problem is one thing that is wrong with a template.
type Problem struct {
	Line    int    // from 1; 0 where the problem belongs to no line
	Text    string // begins with the place by path, such as "indicators[2].bins: …", in English
	Chinese string // the same in Chinese
}

// Problems is the error of [Parse]: all problems found, by line.
type Problems []Problem

func (p Problem) Error() string { return p.in("line %d: ", p.Text) }

func (p Problem) in(place, text string) string {
	if p.Line == 0 {
		return text
	}
	return fmt.Sprintf(place, p.Line) + text
}

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return "template: " + strings.Join(lines, "\n")
}

// Chinese returns the text of Error in Chinese.
func (p Problems) Chinese() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].in("第 %d 行：", p[i].Chinese)
	}
	return "模板：" + strings.Join(lines, "\n")
}

// form is the problem of a text that has not the form of a template.
func form(at *strict.Error) Problem {
	text, chinese := at.Text, at.Words
	if at.Path != "" {
		text, chinese = at.Path+": "+text, at.Path+"："+chinese
	}
	if at.Line > 0 {
		text, chinese = fmt.Sprintf("column %d: %s", at.Column, text), fmt.Sprintf("第 %d 列：%s", at.Column, chinese)
	}
	return Problem{at.Line, text, chinese}
}

// Parse reads a template (YAML; SPEC.md describes it): unknown and repeated
// keys, anchors, formulas that do not compile and unused inputs are errors. The
// error is [Problems].
func Parse(text []byte) (*Template, error) {
	if len(text) > MaxTemplate {
		return nil, Problems{{0, fmt.Sprintf("%d bytes, the limit is %d", len(text), MaxTemplate), fmt.Sprintf("%d 字节，上限为 %d", len(text), MaxTemplate)}}
	}
	t := &Template{digest: sha256.Sum256(text)}
	lines, err := strict.Decode(text, &t.doc)
	var wrong strict.Errors
	if errors.As(err, &wrong) {
		var list Problems
		for _, at := range wrong {
			list = append(list, form(at))
		}
		return nil, list
	}
	t.lines = lines
	c := checker{t: t}
	c.check()
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, c.problems
	}
	t.Name, t.Version, t.Title, t.Author, t.Purpose = t.doc.Name, t.doc.Version, t.doc.Title, t.doc.Author, t.doc.Purpose
	return t, nil
}

// UnmarshalYAML parses a plain decimal; 1e3, 0x10 and .inf are refused.
func (n *Number) UnmarshalYAML(node ast.Node) error {
	d, ok := decimal.Decimal{}, false
	switch node.Type() {
	case ast.IntegerType, ast.FloatType:
		d, ok = parseNumber(node.GetToken().Value)
	}
	if !ok {
		return strict.Wrong(node, fmt.Sprintf("a plain decimal of at most %d digits after the point is wanted", formula.MaxScale), fmt.Sprintf("应为普通小数，小数点后最多 %d 位", formula.MaxScale))
	}
	n.Decimal = d
	return nil
}

// checker collects the problems of a template that decodes.
type checker struct {
	t        *Template
	vars     variables
	problems Problems
}

const maxProblems = 50

// bad records a problem at a path such as "$.inputs[0].name", or at the nearest
// enclosing part that exists.
func (c *checker) bad(path, chinese, english string, args ...any) {
	c.add(path, fmt.Sprintf(chinese, args...), fmt.Sprintf(english, args...))
}

// faulty records why a formula does not compile.
func (c *checker) faulty(path string, err error) {
	c.add(path, formula.Chinese(err.Error()), err.Error())
}

func (c *checker) add(path, chinese, english string) {
	if len(c.problems) < maxProblems {
		shown := strings.TrimPrefix(path, "$.")
		c.problems = append(c.problems, Problem{c.t.line(path), shown + ": " + english, shown + "：" + chinese})
	}
}

// line returns the line of a part of the template, or of the nearest enclosing
// part that exists.
func (t *Template) line(path string) int {
	return max(1, t.lines.Of(strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".")))
}

// name checks that a name is valid and occurs once in its list.
func (c *checker) name(path, name string, seen map[string]bool) {
	switch {
	case !consent.ValidItem(name):
		c.bad(path+".name", "名称最多 64 个 a-z、0-9 和 _，以字母开头", "a name is up to 64 of a-z, 0-9 and _, from a letter")
	case seen[name]:
		c.bad(path+".name", "%s 重复", "%s stands twice", name)
	}
	seen[name] = true
}

const (
	maxTitle = 60  // characters
	maxWords = 200 // characters of author
	maxUnit  = 20  // characters
)

func (c *checker) title(path string, t Title) {
	for _, text := range []string{t.Chinese, t.English} {
		if !printable(text, 1, maxTitle) {
			c.bad(path+".title", "须有 zh 和 en，各 1 至 %d 个可见字符", "zh and en of 1 to %d printable characters are wanted", maxTitle)
			return
		}
	}
}

func printable(text string, least, most int) bool {
	n := utf8.RuneCountInString(text)
	return n >= least && n <= most && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func (c *checker) count(path string, n, least, most int) {
	if n < least || n > most {
		c.bad(path, "有 %d 项，应为 %d 至 %d 项", "%d entries, wanted are %d to %d", n, least, most)
	}
}
