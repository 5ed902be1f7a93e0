// Package strict decodes the YAML files that people write and that decide:
// catalogs, templates, what-if rules, a member's configuration, and the members
// of a planned network.
//
// [Decode] refuses values that mean one thing to their author and another to
// the program. YAML reads 010 as 8 and 5_0 as 50, and its libraries limit
// numbers that are too large and truncate fractions. It also refuses everything
// that such a file does not need: several documents, anchors, aliases, tags,
// deep nesting, and unknown or repeated keys.
//
// Its errors are in this package's own words and in both languages: where, what
// was found, what is expected, what to do next. No text of the YAML library
// reaches a person.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// Error describes what is wrong with a file, and where.
type Error struct {
	Line, Column int    // from 1; 0 if the error has no position
	Path         string // the key, such as "sources[0].kind", or ""
	Text         string // in English
	Words        string // the same in Chinese
}

func (e *Error) Error() string { return e.place("line %d, column %d: ", ": ") + e.Text }

// Chinese returns the text of Error in Chinese.
func (e *Error) Chinese() string { return e.place("第 %d 行第 %d 列：", "：") + e.Words }

func (e *Error) place(format, colon string) string {
	place := ""
	if e.Line > 0 {
		place = fmt.Sprintf(format, e.Line, e.Column)
	}
	if e.Path != "" {
		place += e.Path + colon
	}
	return place
}

// MaxErrors limits the errors that are listed of one file.
const MaxErrors = 50

// Errors are what is wrong with a file, in its order, [MaxErrors] at most.
type Errors []*Error

func (e Errors) Error() string { return e.lines((*Error).Error) }

// Chinese returns the text of Error in Chinese.
func (e Errors) Chinese() string { return e.lines((*Error).Chinese) }

func (e Errors) lines(text func(*Error) string) string {
	var lines []string
	for _, one := range e {
		lines = append(lines, text(one))
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one.
func (e Errors) Unwrap() (list []error) {
	for _, one := range e {
		list = append(list, one)
	}
	return list
}

// Wrong returns the error of a type that decodes itself, for a value that it
// refuses.
func Wrong(n ast.Node, text, chinese string) error {
	return at(n, "", text, chinese)
}

func at(n ast.Node, path, text, chinese string) *Error {
	p := n.GetToken().Position
	return &Error{p.Line, p.Column, path, text, chinese}
}

// Lines contains the line of every key and element of a file, by paths such as
// "datasets[0].name".
type Lines map[string]int

// Of returns the line of a part of the file, or of the nearest enclosing part,
// or 0.
func (l Lines) Of(path string) int {
	for path != "" && l[path] == 0 {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return l[path]
}

// Decode reads one YAML document, which must be a mapping, into the struct that
// v points to. Integers must be plain decimals within the limits of their type,
// and booleans true or false. A text, also as a key of a map, must not be a
// number that YAML would write differently. Types that decode themselves are
// not checked. The error is of type [Errors]: a text that is no YAML has one, and
// one that is has every key and value at fault.
func Decode(text []byte, v any) (lines Lines, err error) {
	defer func() {
		if recover() != nil { // the library panics on some invalid texts
			lines, err = nil, Errors{{Text: unreadable.text, Words: unreadable.chinese}}
		}
	}()
	body, e := document(text)
	if e != nil {
		return nil, Errors{e}
	}
	lines = Lines{}
	lines.add("", body)
	var f finder
	if f.check("", body, reflect.TypeOf(v)); len(f.found) > 0 {
		return nil, f.found
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(v); err != nil {
		return nil, Errors{refused(err)}
	}
	return lines, nil
}

// document parses a text, after limiting the recursion of the library.
func document(text []byte) (ast.Node, *Error) {
	if i := invalid(text); i >= 0 {
		return nil, &Error{Line: 1 + bytes.Count(text[:i], []byte("\n")), Column: 1, Text: "not UTF-8: save the file as UTF-8", Words: "不是 UTF-8：请将文件存为 UTF-8"}
	}
	if e := unfit(lexer.Tokenize(string(text))); e != nil {
		return nil, e
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, misread(err)
	}
	if len(file.Docs) == 0 || len(file.Docs) == 1 && file.Docs[0].Body == nil {
		return nil, &Error{Text: "the file is empty", Words: "文件是空的"}
	}
	if len(file.Docs) > 1 {
		return nil, &Error{Text: "one YAML document is wanted: no line of the file is ---", Words: "应为一个 YAML 文档：文件中不得有 --- 行"}
	}
	return file.Docs[0].Body, nil
}

// invalid returns the offset of the first byte that is not UTF-8, or -1.
func invalid(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n < 2 {
			return i
		}
		i += n
	}
	return -1
}

// refused converts an error of the library's decoder, which is called only
// after [check] has accepted the text, or of a type that decodes itself.
func refused(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	e := &Error{Text: unreadable.text, Words: unreadable.chinese}
	e.position(err)
	return e
}

func (l Lines) add(path string, n ast.Node) {
	if path != "" && l[path] == 0 {
		l[path] = n.GetToken().Position.Line
	}
	for _, pair := range pairsOf(n) {
		key := pair.Key.GetToken()
		below := dot(path, key.Value)
		l[below] = key.Position.Line
		l.add(below, pair.Value)
	}
	if list, ok := n.(*ast.SequenceNode); ok {
		for i, element := range list.Values {
			l.add(fmt.Sprintf("%s[%d]", path, i), element)
		}
	}
}

func dot(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }

// pairsOf returns the keys and values of a mapping, or nil.
func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}
