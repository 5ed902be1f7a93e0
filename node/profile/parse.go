package profile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/consensus/strict"
	"atoll/node/formula"
)

// MaxTemplate is the size limit of a template in bytes.
const MaxTemplate = 64 << 10

// Problem is one thing that is wrong with a template.
type Problem struct {
	Line int    // from 1; 0 where the problem belongs to no line
	Text string // begins with the place by path, such as "indicators[2].bins: …"
}

// Problems is the error of [Parse]: all problems found, by line.
type Problems []Problem

func (p Problem) Error() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return "template: " + strings.Join(lines, "\n")
}

// Parse reads a template (YAML; SPEC.md describes it): unknown and repeated
// keys, anchors, formulas that do not compile and unused inputs are errors. The
// error is [Problems].
func Parse(text []byte) (*Template, error) {
	file, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	t := &Template{digest: sha256.Sum256(text), file: file}
	var number *strict.Error
	if err := strict.Numbers(text, &t.doc); errors.As(err, &number) {
		return nil, Problems{{number.Line, fmt.Sprintf("column %d: %s", number.Column, number.Text)}}
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&t.doc); err != nil {
		return nil, problemOf(err)
	}
	c := checker{t: t}
	c.check()
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, c.problems
	}
	t.Name, t.Version, t.Title, t.Author, t.Purpose = t.doc.Name, t.doc.Version, t.doc.Title, t.doc.Author, t.doc.Purpose
	return t, nil
}

// parseYAML refuses, before decoding, what expands a small file into a large
// one.
func parseYAML(text []byte) (*ast.File, error) {
	switch {
	case len(text) > MaxTemplate:
		return nil, Problems{{0, fmt.Sprintf("%d bytes, the limit is %d", len(text), MaxTemplate)}}
	case !utf8.Valid(text):
		return nil, Problems{{0, "not UTF-8"}}
	}
	if line := unfit(lexer.Tokenize(string(text))); line > 0 {
		return nil, Problems{{line, "nested too deep, or an anchor, alias or tag, which have no place in a template"}}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, problemOf(err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, Problems{{0, "a template is one YAML document"}}
	}
	return file, nil
}

// maxLevels limits the recursion of the YAML library before it starts.
const maxLevels = 10

// unfit returns the line of the first token that a template may not contain, or
// 0.
func unfit(tokens token.Tokens) int {
	open, nested, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, nested = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			open++
		case token.MappingEndType, token.SequenceEndType:
			open--
		case token.SequenceEntryType, token.MappingKeyType:
			nested++ // on one line; on several, the indentation limits it
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType:
			return max(1, line)
		}
		if open > maxLevels || nested > maxLevels {
			return max(1, line)
		}
	}
	return 0
}

// problemOf keeps the line and the words of an error of the YAML library,
// without the excerpt of the file that the library shows.
func problemOf(err error) Problems {
	var known yaml.Error
	if !errors.As(err, &known) {
		return Problems{{0, "the template is not readable as YAML"}}
	}
	line := 0
	if at := known.GetToken(); at != nil && at.Position != nil {
		line = at.Position.Line
	}
	return Problems{{line, strings.Join(strings.Fields(known.GetMessage()), " ")}}
}

// UnmarshalYAML parses a plain decimal; 1e3, 0x10 and .inf are refused.
func (n *Number) UnmarshalYAML(node ast.Node) error {
	d, ok := decimal.Decimal{}, false
	switch node.Type() {
	case ast.IntegerType, ast.FloatType:
		d, ok = parseNumber(node.GetToken().Value)
	}
	if !ok {
		return &yaml.SyntaxError{Message: fmt.Sprintf("a plain decimal of at most %d digits after the point is wanted", formula.MaxScale), Token: node.GetToken()}
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

// bad records a problem at a YAML path, or at the nearest enclosing part that
// exists.
func (c *checker) bad(path, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{c.t.line(path), strings.TrimPrefix(path, "$.") + ": " + fmt.Sprintf(format, args...)})
	}
}

// line returns the line of a part of the template, or of the nearest enclosing
// part that exists.
func (t *Template) line(path string) int {
	for path != "$" && path != "" {
		if p, err := yaml.PathString(path); err == nil {
			if node, err := p.FilterFile(t.file); err == nil && node != nil {
				return node.GetToken().Position.Line
			}
		}
		if i := strings.LastIndexAny(path, ".["); i >= 0 {
			path = path[:i]
		}
	}
	return 1
}

// name checks that a name is valid and occurs once in its list.
func (c *checker) name(path, name string, seen map[string]bool) {
	switch {
	case !consent.ValidItem(name):
		c.bad(path+".name", "a name is up to 64 of a-z, 0-9 and _, from a letter")
	case seen[name]:
		c.bad(path+".name", "%s stands twice", name)
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
			c.bad(path+".title", "zh and en of 1 to %d printable characters are wanted", maxTitle)
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
		c.bad(path, "%d entries, wanted are %d to %d", n, least, most)
	}
}
