// Package strict looks at numbers in the YAML files that people write and that
// decide: catalogs, templates, what-if rules, a member's configuration, and the
// members of a network to come.
//
// YAML reads 010 as 8 and 5_0 as 50, and its libraries cap what is too large and
// cut what has a fraction: each time a file says one thing to its author and
// another to the program. [Numbers] refuses all of that before a file is
// decoded. Everything else, such as unknown keys, is the decoder's to refuse.
package strict

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Error says where a value is not what it has to be.
type Error struct {
	Line, Column int    // from 1
	Text         string // in English
	Chinese      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// Numbers checks a text by the type of v. Where that has integers, the text has
// plain decimal integers within the type's limits; where it has truths, true or
// false. Where it has texts, as keys of a map too, the text has nothing that
// YAML reads as a number and writes otherwise. Types that decode themselves are
// left to themselves, and so is a text that is no YAML: its decoder says more
// of it. The error is of type [*Error].
func Numbers(text []byte, v any) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if e := check(doc.Body, reflect.TypeOf(v)); e != nil {
			return e
		}
	}
	return nil
}

var decoders = []reflect.Type{
	reflect.TypeFor[yaml.BytesUnmarshaler](), reflect.TypeFor[yaml.InterfaceUnmarshaler](), reflect.TypeFor[yaml.NodeUnmarshaler](),
}

func check(n ast.Node, t reflect.Type) *Error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, own := range decoders {
		if reflect.PointerTo(t).Implements(own) {
			return nil
		}
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return checkMapping(n, t)
	case reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			return nil
		}
		for _, element := range list.Values {
			if e := check(element, t.Elem()); e != nil {
				return e
			}
		}
	case reflect.String:
		return checkText(n)
	case reflect.Bool:
		if text := n.GetToken().Value; n.Type() != ast.BoolType || text != "true" && text != "false" {
			return wrong(n, "true or false is wanted", "应为 true 或 false")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return checkInteger(n, t)
	}
	return nil
}

// checkMapping checks the values of those keys that the type has.
func checkMapping(n ast.Node, t reflect.Type) *Error {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	}
	for _, pair := range pairs {
		var value reflect.Type
		if t.Kind() == reflect.Map {
			if e := check(pair.Key, t.Key()); e != nil {
				return e
			}
			value = t.Elem()
		} else if value = fieldType(t, pair.Key.GetToken().Value); value == nil {
			continue
		}
		if e := check(pair.Value, value); e != nil {
			return e
		}
	}
	return nil
}

// fieldType is the type of the field that a key stands for, or nil.
func fieldType(t reflect.Type, key string) reflect.Type {
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == key {
			return t.Field(i).Type
		}
	}
	return nil
}

var plain = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// checkText refuses what stands for a text and would be read as another one:
// YAML makes "8" of 010, "10" of 1_0 and "1.5" of 1.50.
func checkText(n ast.Node) *Error {
	text := n.GetToken().Value
	switch n.Type() {
	case ast.IntegerType:
		if _, err := strconv.ParseInt(text, 10, 64); err == nil && plain.MatchString(text) {
			return nil
		}
	case ast.BoolType:
		if text == "true" || text == "false" {
			return nil
		}
	case ast.FloatType, ast.InfinityType, ast.NanType:
	default:
		return nil
	}
	return wrong(n, "a text is wanted, and this would be read as a number or a truth: put it in quotes", "应为文字，而此处会被读作数字或真假：请加引号")
}

func checkInteger(n ast.Node, t reflect.Type) *Error {
	text := n.GetToken().Value
	least, most := "0", strconv.FormatUint(1<<t.Bits()-1, 10)
	_, err := strconv.ParseUint(text, 10, t.Bits())
	if t.Kind() <= reflect.Int64 {
		least, most = strconv.FormatInt(-1<<(t.Bits()-1), 10), strconv.FormatInt(1<<(t.Bits()-1)-1, 10)
		_, err = strconv.ParseInt(text, 10, t.Bits())
	}
	if n.Type() != ast.IntegerType || !plain.MatchString(text) || err != nil {
		return wrong(n, "a whole number in plain decimal digits is wanted, "+least+" to "+most, "应为十进制整数，"+least+" 至 "+most)
	}
	return nil
}

func wrong(n ast.Node, text, chinese string) *Error {
	at := n.GetToken().Position
	return &Error{at.Line, at.Column, text, chinese}
}
