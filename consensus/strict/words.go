package strict

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// words are a text in both languages.
type words struct{ text, chinese string }

// unreadable is the text for all other errors.
var unreadable = words{
	"this cannot be read as YAML: check indentation, colons, brackets and quotes here and in the line before",
	"此处无法作为 YAML 读取：请检查此处和上一行的缩进、冒号、括号和引号",
}

// syntax maps the parser's errors to the texts for authors.
var syntax = sync.OnceValue(func() []form {
	return []form{
		{regexp.MustCompile(`tab character|'\t'`), words{"a tab: indent with blanks", "此处是制表符：请用空格缩进"}},
		{regexp.MustCompile(`end character of (single|double)-quoted`), words{"the quote that begins here does not end: close it, or double a quote within", "此处开始的引号没有结束：请补上，文字中的引号须写两遍"}},
		{regexp.MustCompile(`mapping end token|flow map content|',' or '}'`), words{"the { of this place is not closed: add }, put a comma between entries and quotes around texts with , or : in them", "此处的 { 没有闭合：请补上 }，各项之间用逗号，含逗号或冒号的文字请加引号"}},
		{regexp.MustCompile(`sequence end token|',' or ']'|sequence element`), words{"the [ of this place is not closed: add ], put a comma between elements and quotes around texts with , or : in them", "此处的 [ 没有闭合：请补上 ]，各项之间用逗号，含逗号或冒号的文字请加引号"}},
		{regexp.MustCompile(`corresponding to`), words{"a bracket is closed that was not opened: remove it, or put the text in quotes", "括号闭合而未曾打开：请删去，或将文字加引号"}},
		{regexp.MustCompile(`mapping value is not allowed`), words{"a second colon in one line: put quotes around a text with a colon in it", "一行中有第二个冒号：含冒号的文字请加引号"}},
		{regexp.MustCompile(`not allowed in this context|unexpected (key|map key|scalar)|non-map value|key-value`), words{"a key with a colon and a value is wanted here: check the indentation, and that a blank follows the colon", "此处应为带冒号的键和值：请检查缩进，冒号后须有空格"}},
		{regexp.MustCompile(`escape character|surrogate|UTF-(16|32)`), words{`a backslash that means nothing: double it (\\), or use single quotes`, `反斜杠后的写法有误：请写两遍（\\），或改用单引号`}},
		{regexp.MustCompile(`reserved character|cannot start`), words{"a text does not begin with this character: put it in quotes", "文字不能以此字符开头：请加引号"}},
	}
})

type form struct {
	reason *regexp.Regexp
	words
}

var definedAt = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`mapping key ("(?:[^"\\]|\\.)*") already defined at \[(\d+):`)
})

// misread describes in this package's words why the parser refuses a text.
func misread(err error) *Error {
	e := &Error{Text: unreadable.text, Words: unreadable.chinese}
	e.position(err)
	var known yaml.Error
	if !errors.As(err, &known) {
		return e
	}
	reason := known.GetMessage()
	if m := definedAt().FindStringSubmatch(reason); m != nil {
		key, err1 := strconv.Unquote(m[1])
		first, err2 := strconv.Atoi(m[2])
		if err1 == nil && err2 == nil {
			return twice(e, key, first)
		}
	}
	for _, s := range syntax() {
		if s.reason.MatchString(reason) {
			e.Text, e.Words = s.text, s.chinese
			break
		}
	}
	return e
}

// position takes the place from an error of the library.
func (e *Error) position(err error) {
	var known yaml.Error
	if errors.As(err, &known) {
		if t := known.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = max(1, t.Position.Line), max(1, t.Position.Column)
		}
	}
}

// found describes what kind of value was found, to follow what is expected.
func found(n ast.Node) words {
	kind := words{"a text", "文字"}
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		kind = words{"a mapping (key: value)", "映射（键和值）"}
	case ast.SequenceType:
		kind = words{"a list", "列表"}
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		kind = words{"a number", "数字"}
	case ast.BoolType:
		kind = words{"true or false", "真假值"}
	case ast.NullType:
		kind = words{"nothing", "空"}
	}
	return words{", and this is " + kind.text, "，而此处是" + kind.chinese}
}

// unknown returns the error for an unknown key. It names the known key that is
// most similar, or all known keys.
func unknown(path string, n ast.Node, key string, known map[string]reflect.Type) *Error {
	keys := slices.Sorted(maps.Keys(known))
	if near := Nearest(key, keys); near != "" {
		return at(n, path, fmt.Sprintf("unknown key %.40q: did you mean %q?", key, near), fmt.Sprintf("没有 %.40q 这个键：是否应为 %q？", key, near))
	}
	return at(n, path, fmt.Sprintf("unknown key %.40q: the keys here are %s", key, strings.Join(keys, ", ")), fmt.Sprintf("没有 %.40q 这个键：此处可用 %s", key, strings.Join(keys, "、")))
}

// Nearest returns the known word that is most similar to a mistyped one, or ""
// if half of it or more would have to be changed.
func Nearest(text string, keys []string) (near string) {
	least := (min(len(text), 40) + 1) / 2
	for _, key := range keys {
		if d := distance(strings.ToLower(text), key); d < least {
			near, least = key, d
		}
	}
	return near
}

// distance returns the number of bytes to insert, delete or replace to change a
// into b (Levenshtein).
func distance(a, b string) int {
	if len(a) > 80 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Limits of nesting. The YAML library does not limit its recursion, and its
// time grows with the square of the depth.
const (
	maxLevels = 20
	maxIndent = 200
)

// unfit returns an error for the first token that such a file must not contain.
func unfit(tokens token.Tokens) *Error {
	open, nested, line := 0, 0, 0
	for _, t := range tokens {
		p := t.Position
		if p.Line != line {
			line, nested = p.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			open++
		case token.MappingEndType, token.SequenceEndType:
			open--
		case token.SequenceEntryType, token.MappingKeyType:
			nested++ // on one line; on several, the indentation limits it
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType:
			return &Error{max(1, p.Line), max(1, p.Column), "", "anchors, aliases and tags (&, *, <<, !) have no place here: put quotes around a text that begins so", "此处不得有锚点、别名和标签（&、*、<<、!）：以此开头的文字请加引号"}
		}
		if open > maxLevels || nested > maxLevels || p.IndentNum > maxIndent {
			return &Error{max(1, p.Line), max(1, p.Column), "", "nested too deep: such a file has a few levels", "嵌套过深：此类文件只有几层"}
		}
	}
	return nil
}
