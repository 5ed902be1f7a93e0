package strict

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

var decoders = []reflect.Type{
	reflect.TypeFor[yaml.BytesUnmarshaler](), reflect.TypeFor[yaml.InterfaceUnmarshaler](), reflect.TypeFor[yaml.NodeUnmarshaler](),
}

// finder collects what is wrong with a file.
type finder struct{ found Errors }

// note adds an error, if there is one.
func (f *finder) note(e *Error) {
	if e != nil && len(f.found) < MaxErrors {
		f.found = append(f.found, e)
	}
}

// check compares a part of a file with the type that it is decoded into.
func (f *finder) check(path string, n ast.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, own := range decoders {
		if reflect.PointerTo(t).Implements(own) {
			f.note(try(path, n, t))
			return
		}
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		f.mapping(path, n, t)
	case reflect.Slice, reflect.Array:
		f.list(path, n, t)
	case reflect.String:
		f.note(checkText(path, n))
	case reflect.Bool:
		if text := n.GetToken().Value; n.Type() != ast.BoolType || text != "true" && text != "false" {
			f.note(at(n, path, "true or false is wanted"+found(n).text, "应为 true 或 false"+found(n).chinese))
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.note(checkInteger(path, n, t))
	}
}

// try calls the decoder of a type that decodes itself from a node, so that its
// error has a path.
func try(path string, n ast.Node, t reflect.Type) *Error {
	own, ok := reflect.New(t).Interface().(yaml.NodeUnmarshaler)
	var e *Error
	if ok && n.Type() != ast.NullType && errors.As(own.UnmarshalYAML(n), &e) {
		e.Path = path
	}
	return e
}

// empty reports whether a key has no value, so that its default applies.
func empty(path string, n ast.Node) bool { return path != "" && n.Type() == ast.NullType }

func (f *finder) list(path string, n ast.Node, t reflect.Type) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		if !empty(path, n) || t.Kind() != reflect.Slice {
			f.note(at(n, path, "a list is wanted, such as [a, b] or lines that begin with -"+found(n).text, "应为列表，如 [a,b]，或以 - 开头的各行"+found(n).chinese))
		}
		return
	}
	if t.Kind() == reflect.Array && len(list.Values) != t.Len() {
		f.note(at(n, path, fmt.Sprintf("a list of %d is wanted, and this has %d", t.Len(), len(list.Values)), fmt.Sprintf("应为 %d 项的列表，而此处有 %d 项", t.Len(), len(list.Values))))
		return
	}
	for i, element := range list.Values {
		f.check(fmt.Sprintf("%s[%d]", path, i), element, t.Elem())
	}
}

// mapping checks the keys of a mapping, and the value of each.
func (f *finder) mapping(path string, n ast.Node, t reflect.Type) {
	pairs := pairsOf(n)
	if _, flow := n.(*ast.MappingNode); pairs == nil && !flow {
		if !empty(path, n) {
			f.note(at(n, path, "keys with their values are wanted, such as key: value"+found(n).text, "应为键和值，半角冒号后须有空格"+found(n).chinese))
		}
		return
	}
	known, seen := keysOf(t), map[string]int{}
	for _, pair := range pairs {
		token := pair.Key.GetToken()
		key := token.Value
		if first := seen[key]; first > 0 {
			f.note(twice(&Error{Line: token.Position.Line, Column: token.Position.Column, Path: path}, key, first))
			continue
		}
		seen[key] = token.Position.Line
		var value reflect.Type
		if t.Kind() == reflect.Map {
			f.check(path, pair.Key, t.Key())
			value = t.Elem()
		} else if value = known[key]; value == nil { // what is below it has no form to compare with
			f.note(unknown(path, pair.Key, key, known))
			continue
		}
		f.check(dot(path, key), pair.Value, value)
	}
}

func twice(e *Error, key string, first int) *Error {
	e.Text = fmt.Sprintf("the key %.40q is there twice, first at line %d: remove one", key, first)
	e.Words = fmt.Sprintf("键 %.40q 重复，首次在第 %d 行：请删去其一", key, first)
	return e
}

// keysOf returns the keys of a struct and of its embedded structs, with their
// types.
func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return keys
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, told := f.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case !told || name == "-" || !f.IsExported():
		case options == "inline":
			for key, of := range keysOf(f.Type) {
				keys[key] = of
			}
		default:
			keys[name] = f.Type
		}
	}
	return keys
}

// Keys returns the path of every key that a file of this type can have, sorted.
// Elements of a list have the path of the list: "sources.kind".
func Keys(t reflect.Type) []string {
	paths := keysBelow("", t)
	slices.Sort(paths)
	return paths
}

func keysBelow(path string, t reflect.Type) (paths []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	for key, of := range keysOf(t) {
		paths = append(paths, dot(path, key))
		paths = append(paths, keysBelow(dot(path, key), of)...)
	}
	return paths
}

var plain = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`) })

// checkText refuses a value that is meant as a text but that YAML would change:
// "8" for 010, "10" for 1_0, "1.5" for 1.50.
func checkText(path string, n ast.Node) *Error {
	text := n.GetToken().Value
	switch n.Type() {
	case ast.IntegerType:
		if _, err := strconv.ParseInt(text, 10, 64); err == nil && plain().MatchString(text) {
			return nil
		}
	case ast.BoolType:
		if text == "true" || text == "false" {
			return nil
		}
	case ast.FloatType, ast.InfinityType, ast.NanType:
	case ast.SequenceType:
		return at(n, path, "one text is wanted, and this is a list: put quotes around a text that begins with [", "应为一个文字，而此处是列表：以 [ 开头的文字请加引号")
	case ast.MappingType, ast.MappingValueType:
		return at(n, path, "one text is wanted, and this is a mapping (key: value): put quotes around a text with a colon or a { in it", "应为一个文字，而此处是映射（键和值）：文字中有冒号或 { 时请加引号")
	default:
		return nil
	}
	return at(n, path, "a text is wanted, and this would be read as a number or a truth: put it in quotes", "应为文字，而此处会被读作数字或真假：请加引号")
}

func checkInteger(path string, n ast.Node, t reflect.Type) *Error {
	text := n.GetToken().Value
	least, most := "0", strconv.FormatUint(1<<t.Bits()-1, 10)
	_, err := strconv.ParseUint(text, 10, t.Bits())
	if t.Kind() <= reflect.Int64 {
		least, most = strconv.FormatInt(-1<<(t.Bits()-1), 10), strconv.FormatInt(1<<(t.Bits()-1)-1, 10)
		_, err = strconv.ParseInt(text, 10, t.Bits())
	}
	if n.Type() != ast.IntegerType || !plain().MatchString(text) || err != nil {
		return at(n, path, "a whole number in plain decimal digits is wanted, "+least+" to "+most, "应为十进制整数，"+least+" 至 "+most)
	}
	return nil
}
