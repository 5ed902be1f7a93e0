package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"atoll/consensus/strict"
)

// Limits of a catalog.
const (
	MaxText     = 256 << 10 // bytes
	MaxDatasets = 100
	MaxFields   = 200
	MaxOutputs  = 100
	MaxRules    = 50
	MaxBands    = 50 // cut points of one output
	maxLevels   = 30 // levels of nesting
)

// What follows is the file's form, key by key.

type file struct {
	Agency   string        `yaml:"agency"`
	Version  uint64        `yaml:"version"`
	Datasets []fileDataset `yaml:"datasets"`
	Rules    []fileRule    `yaml:"rules"`
}

type fileTitle struct {
	Chinese string `yaml:"zh"`
	English string `yaml:"en"`
}

type fileDataset struct {
	Name        string       `yaml:"name"`
	Title       fileTitle    `yaml:"title"`
	Sensitivity int          `yaml:"sensitivity"`
	Personal    bool         `yaml:"personal"`
	Source      string       `yaml:"source"`
	Table       string       `yaml:"table"`
	Key         string       `yaml:"key"`
	Records     string       `yaml:"records"`
	Date        string       `yaml:"date"`
	Periods     filePeriods  `yaml:"periods"`
	Series      []string     `yaml:"series"`
	Closes      string       `yaml:"closes"`
	Lag         uint32       `yaml:"lag"`
	Unique      []string     `yaml:"unique"`
	Complete    bool         `yaml:"complete"`
	StaleAfter  uint32       `yaml:"stale_after"`
	Also        []string     `yaml:"also"`
	MaxAge      uint32       `yaml:"max_age"` // days
	MayBeEmpty  bool         `yaml:"may_be_empty"`
	Fields      []fileField  `yaml:"fields"`
	Outputs     []fileOutput `yaml:"outputs"`
}

type filePeriods struct {
	Month string `yaml:"month"`
	From  string `yaml:"from"`
	To    string `yaml:"to"`
}

type fileField struct {
	Name        string    `yaml:"name"`
	Column      string    `yaml:"column"`
	Type        string    `yaml:"type"`
	Unit        string    `yaml:"unit"`
	Sensitivity int       `yaml:"sensitivity"`
	Personal    bool      `yaml:"personal"`
	None        []written `yaml:"none"`
	Decimal     string    `yaml:"decimal"`
	Thousands   string    `yaml:"thousands"`
	Dates       []string  `yaml:"date_format"`

	Values map[string][]string `yaml:"values"` // accepted spellings of each text, besides itself
}

type fileOutput struct {
	Name     string    `yaml:"name"`
	Title    fileTitle `yaml:"title"`
	Unit     string    `yaml:"unit"`
	Type     string    `yaml:"type"`
	Scale    *int32    `yaml:"scale"`
	Value    string    `yaml:"value"`
	Field    string    `yaml:"field"`
	Measure  string    `yaml:"measure"`
	Months   uint32    `yaml:"months"`
	Partial  bool      `yaml:"partial"`
	Meaning  uint64    `yaml:"meaning"`
	Disclose []string  `yaml:"disclose"`
	Bands    []written `yaml:"bands"`
}

type fileRule struct {
	Name   string    `yaml:"name"`
	Allow  string    `yaml:"allow"`
	Reason fileTitle `yaml:"reason"`
}

// written keeps a number as its author wrote it: 0.10 stays 0.10.
type written string

// UnmarshalYAML takes the text as it is. The later check, which knows the line,
// tests whether it is a number.
func (w *written) UnmarshalYAML(text []byte) error {
	*w = written(strings.Trim(strings.TrimSpace(string(text)), `"'`))
	return nil
}

// Parse reads a catalog. The error is of type [Problems]: only the first
// problem where the text is no YAML of the right form, otherwise all of them.
func Parse(text []byte) (*Catalog, error) {
	if len(text) > MaxText {
		return nil, Problems{says(0, "the catalog has %d bytes, the limit is %d", len(text), MaxText)}
	}
	lines, err := lineNumbers(text)
	if err != nil {
		return nil, form(err)
	}
	var f file
	var number *strict.Error
	if err := strict.Numbers(text, &f); errors.As(err, &number) {
		return nil, Problems{says(number.Line, "column %d: %s", number.Column, phrase{number.Chinese, number.Text})}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := decoder.Decode(&f); err != nil {
		return nil, form(err)
	}
	check := checker{lines: lines}
	c := check.catalog(&f)
	if len(check.found) > 0 {
		slices.SortStableFunc(check.found, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, check.found
	}
	slices.SortStableFunc(check.warned, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	if err := define(&f, c); err != nil {
		return nil, Problems{says(0, "the catalog has no digest: %v", err)}
	}
	c.text, c.warnings = bytes.Clone(text), check.warned
	return c, nil
}

// form keeps the line and the message of an error of the YAML library, and
// drops the excerpt of the file that the library would show.
func form(err error) Problems {
	var known yaml.Error
	var own Problem
	switch {
	case errors.Is(err, io.EOF):
		return Problems{says(0, "the catalog is empty")}
	case errors.As(err, &own):
		return Problems{own}
	case errors.As(err, &known):
		line := 0
		if t := known.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		text := strings.Join(strings.Fields(known.GetMessage()), " ")
		if key, ok := strings.CutPrefix(text, "unknown field "); ok {
			return Problems{says(line, "unknown field %s", key)}
		}
		return Problems{says(line, "%s", text)}
	}
	return Problems{says(0, "the catalog is not readable as YAML")}
}

// lineNumbers maps paths such as "datasets[0].name" to lines. It refuses what a
// catalog does not need: several documents, and anchors, by which a short file
// expands into a long one.
func lineNumbers(text []byte) (map[string]int, error) {
	if tooDeep(text) {
		return nil, says(0, "the catalog is nested too deep")
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return nil, says(0, "a catalog is one YAML document")
	}
	lines := map[string]int{}
	return lines, walk(lines, "", parsed.Docs[0].Body)
}

// tooDeep limits the recursion of the YAML library before parsing: the number
// of brackets open at one place, and the indentation.
func tooDeep(text []byte) bool {
	open := 0
	for line := range bytes.Lines(text) {
		if len(line)-len(bytes.TrimLeft(line, " -?:\t")) > 8*maxLevels {
			return true
		}
		open += bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{"))
		open -= bytes.Count(line, []byte("]")) + bytes.Count(line, []byte("}"))
		if bytes.Count(line, []byte("["))+bytes.Count(line, []byte("{")) > 20*maxLevels || open > 20*maxLevels {
			return true
		}
	}
	return false
}

func walk(lines map[string]int, path string, n ast.Node) error {
	line := n.GetToken().Position.Line
	if lines[path] == 0 {
		lines[path] = line
	}
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		return says(line, "anchors, aliases and tags have no place in a catalog")
	case *ast.MappingNode:
		for _, v := range n.Values {
			if err := walk(lines, path, v); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		if _, merge := n.Key.(*ast.MergeKeyNode); merge {
			return says(line, "anchors, aliases and tags have no place in a catalog")
		}
		key := n.Key.GetToken()
		below := strings.TrimPrefix(path+"."+key.Value, ".")
		lines[below] = key.Position.Line
		return walk(lines, below, n.Value)
	case *ast.SequenceNode:
		for i, v := range n.Values {
			if err := walk(lines, fmt.Sprintf("%s[%d]", path, i), v); err != nil {
				return err
			}
		}
	}
	return nil
}
