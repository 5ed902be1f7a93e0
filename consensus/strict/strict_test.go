package strict

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
)

type inner struct {
	Small uint8  `yaml:"small"`
	Big   uint64 `yaml:"big,omitempty"`
}

type file struct {
	Version uint64           `yaml:"version"`
	Offset  int16            `yaml:"offset"`
	Limit   *uint32          `yaml:"limit"`
	Flag    bool             `yaml:"flag"`
	Name    string           `yaml:"name"`
	List    []inner          `yaml:"list"`
	Named   map[string]inner `yaml:"named"`
	Own     own              `yaml:"own"`

	Values map[string][]string `yaml:"values"`
	Pair   [2]uint8            `yaml:"pair"`
	Part   `yaml:",inline"`
	Hidden string `yaml:"-"`
}

type Part struct {
	Inlined string `yaml:"inlined"`
}

// own decodes itself.
type own struct{ text string }

func (o *own) UnmarshalYAML(n ast.Node) error {
	if o.text = n.GetToken().Value; o.text == "bad" {
		return Wrong(n, "own words", "自己的话")
	}
	return nil
}

// foreign are words of the YAML library and of Go, which no author has to know.
var foreign = regexp.MustCompile(`!!|unmarshal|Go |struct|reflect|token|\bnode\b|\[\d+:\d+\]|interface|cannot be used|sequence|string was|int was|mapping was`)

// Errors about invalid files use this package's words, in both languages, and
// contain the position and the key.
func TestWords(t *testing.T) {
	for _, c := range []struct{ text, english, chinese string }{
		{"", "the file is empty", "文件是空的"},
		{"# only a comment\n", "the file is empty", "文件是空的"},
		{"~", "keys with their values are wanted, such as key: value, and this is nothing", "而此处是空"},
		{"words", "line 1, column 1: keys with their values are wanted, such as key: value, and this is a text", "第 1 行第 1 列：应为键和值"},
		{"- a", "keys with their values are wanted, such as key: value, and this is a list", "而此处是列表"},
		{"12", "and this is a number", "而此处是数字"},
		{"version:1", "line 1, column 1: keys with their values are wanted", "半角冒号后须有空格"},
		{"version: 1\nversoin: 2", `line 2, column 1: unknown key "versoin": did you mean "version"?`, `没有 "versoin" 这个键：是否应为 "version"？`},
		{"version: 1\nlist: [{smal: 1}]", `line 2, column 9: list[0]: unknown key "smal": did you mean "small"?`, `list[0]：没有 "smal" 这个键`},
		{"Version: 1", `did you mean "version"?`, `是否应为 "version"？`},
		{"inline: 1\nPassword: x", `line 1, column 1: unknown key "inline": did you mean "inlined"?`, ""},
		{"zzzzzzzzzzzz: 1", `the keys here are flag, inlined, limit, list, name, named, offset, own, pair, values, version`, "此处可用 flag、inlined"},
		{"version: 1\nversion: 2", `line 2, column 1: the key "version" is there twice, first at line 1: remove one`, `键 "version" 重复，首次在第 1 行`},
		{"values: {a: [], 'a': []}", `is there twice`, "重复"},
		{"list: small", "line 1, column 7: list: a list is wanted, such as [a, b] or lines that begin with -, and this is a text", "list：应为列表"},
		{"list: {small: 1}", "list: a list is wanted, such as [a, b] or lines that begin with -, and this is a mapping (key: value)", "而此处是映射"},
		{"list: [1]", "list[0]: keys with their values are wanted, such as key: value, and this is a number", "list[0]：应为键和值"},
		{"named: [a]", "named: keys with their values are wanted, such as key: value, and this is a list", "named：应为键和值"},
		{"named: 100", "named: keys with their values are wanted, such as key: value, and this is a number", "而此处是数字"},
		{"name: [x]", "name: one text is wanted, and this is a list", "应为一个文字"},
		{"name: {a: b}", "name: one text is wanted, and this is a mapping", "应为一个文字"},
		{"values: {a: [b: c]}", "values.a[0]: one text is wanted, and this is a mapping (key: value): put quotes around a text with a colon", "values.a[0]：应为一个文字"},
		{"values: {a: [YYYY-MM-DD hh: mm]}", "put quotes around a text with a colon", "请加引号"},
		{"name: a: b", "line 1, column 7: a second colon in one line: put quotes around a text with a colon in it", "一行中有第二个冒号"},
		{"name: [x", "line 1, column 7: the [ of this place is not closed", "此处的 [ 没有闭合"},
		{"named: {a: {small: 1}", "the { of this place is not closed", "此处的 { 没有闭合"},
		{"named: {a b", "the { of this place is not closed", "没有闭合"},
		{"list: ]", "a bracket is closed that was not opened", "括号闭合而未曾打开"},
		{"name: 'x", "line 1, column 7: the quote that begins here does not end", "此处开始的引号没有结束"},
		{"name: \"x", "the quote that begins here does not end", "引号"},
		{`name: "C:\data"`, "a backslash that means nothing", "反斜杠"},
		{"name:\n\tx: 1", "a tab: indent with blanks", "请用空格缩进"},
		{"list:\n\t- small: 1", "a tab: indent with blanks", "请用空格缩进"},
		{"name: @x", "a text does not begin with this character: put it in quotes", "文字不能以此字符开头"},
		{"name: `x", "a text does not begin with this character", "文字不能以此字符开头"},
		{"name: x\n  y: z", "line 1, column 7: a second colon in one line", "第 1 行"},
		{"version: 1\n  offset: 2", "line", "行"},
		{"version: 1\noffset 2\n", "line", "行"},
		{"name: &a x", "line 1, column 7: anchors, aliases and tags", "不得有锚点"},
		{"name: *a", "anchors, aliases and tags", "不得有锚点"},
		{"name: !!str x", "anchors, aliases and tags", "不得有锚点"},
		{"<<: {name: x}", "anchors, aliases and tags", "不得有锚点"},
		{"name: a\n---\nname: b\n", "one YAML document is wanted", "应为一个 YAML 文档"},
		{"name: \xff", "line 1, column 1: not UTF-8: save the file as UTF-8", "请将文件存为 UTF-8"},
		{"version: 1\nname: \xb1\xb1", "line 2, column 1: not UTF-8", "第 2 行第 1 列：不是 UTF-8"},
		{"named: " + strings.Repeat("{a: ", 30), "nested too deep", "嵌套过深"},
		{strings.Repeat("- ", 30), "nested too deep", "嵌套过深"},
		{strings.Repeat(" ", 300) + "name: x", "nested too deep", "嵌套过深"},
		{"pair: [1]", "pair: a list of 2 is wanted, and this has 1", "应为 2 项的列表，而此处有 1 项"},
		{"pair: 1", "pair: a list is wanted", "pair：应为列表"},
		{"flag: yes", "flag: true or false is wanted, and this is a text", "flag：应为 true 或 false"},
		{"version: x", "version: a whole number in plain decimal digits is wanted", "version：应为十进制整数"},
		{"own: bad", "line 1, column 6: own: own words", "own：自己的话"},
	} {
		_, err := Decode([]byte(c.text), new(file))
		var at *Error
		if !errors.As(err, &at) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if !strings.Contains(at.Error(), c.english) || !strings.Contains(at.Chinese(), c.chinese) {
			t.Errorf("%q:\n%s\n%s", c.text, at.Error(), at.Chinese())
		}
		if m := foreign.FindString(at.Error() + at.Chinese()); m != "" {
			t.Errorf("%q: %q is a word of a library: %v", c.text, m, err)
		}
	}
}

// A file that is as it should be is decoded, with its lines.
func TestDecode(t *testing.T) {
	var f file
	lines, err := Decode([]byte("version: 7\nlist:\n  - small: 1\n  - {small: 2, big: 3}\nnamed: {a: {small: 4}}\nvalues:\nlimit: 5\ninlined: yes\npair: [1, 2]\n"), &f)
	if err != nil || f.Version != 7 || len(f.List) != 2 || f.List[1].Big != 3 || f.Named["a"].Small != 4 || *f.Limit != 5 || f.Inlined != "yes" || f.Pair != [2]uint8{1, 2} {
		t.Fatalf("%+v, %v", f, err)
	}
	for path, line := range map[string]int{"version": 1, "list": 2, "list[1]": 4, "list[1].big": 4, "list[0].big": 3, "named.a.small": 5, "named.b": 5, "list[9].small": 2, "nothing": 0, "": 0} {
		if lines.Of(path) != line {
			t.Errorf("%s is in line %d, not %d", path, lines.Of(path), line)
		}
	}
}

// The keys of a type, with those of lists and of structs that are part of it.
func TestKeys(t *testing.T) {
	want := "flag inlined limit list list.big list.small name named offset own pair values version"
	if got := strings.Join(Keys(reflect.TypeFor[file]()), " "); got != want {
		t.Error(got)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ text, where string }{
		{"version: 1", ""},
		{"version: 18446744073709551615", ""},
		{"version: 18446744073709551616", "line 1, column 10"},
		{"version: 010", "line 1, column 10"},
		{"version: 0o10", "line 1"},
		{"version: 0x10", "line 1"},
		{"version: 0b1", "line 1"},
		{"version: 5_0", "line 1"},
		{"version: +5", "line 1"},
		{"version: 0.9", "line 1"},
		{"version: 1.0", "line 1"},
		{"version: 1e3", "line 1"},
		{"version: -1", "line 1"},
		{"version: -0", "line 1"},
		{"version: '1'", "line 1"},
		{"version: one", "line 1"},
		{"version: ", "line 1"},
		{"version: null", "line 1"},
		{"version: [1]", "line 1"},
		{"version: .inf", "line 1"},
		{"offset: -600", ""},
		{"offset: -32768", ""},
		{"offset: -32769", "line 1"},
		{"offset: 32768", "line 1"},
		{"name: x\nlimit: 4294967295", ""},
		{"name: x\nlimit: 4294967296", "line 2, column 8"},
		{"flag: true", ""},
		{"flag: yes", "line 1"},
		{"flag: 1", "line 1"},
		{"name: 010", "line 1, column 7"},
		{"name: 0x1F", "line 1"},
		{"name: 1_0", "line 1"},
		{"name: 1.50", "line 1"},
		{"name: 1e3", ""},
		{"name: .nan", "line 1"},
		{"name: True", "line 1"},
		{"name: 99999999999999999999", ""},
		{"name: 10", ""},
		{"name: -1", ""},
		{"name: true", ""},
		{"name: '010'", ""},
		{"name: 2026-01-31", ""},
		{"name: 01A", ""},
		{"name: ", ""},
		{"values: {open: [x], closed: ['010', 010]}", "line 1, column 37"},
		{"values:\n  x: []\n  01: []\n", "line 3, column 3"},
		{"values: {1: [2], a: [b]}", ""},
		{"own: 010", ""},
		{"list: [{small: 255}, {small: 256}]", "line 1"},
		{"list:\n  - small: 1\n    big: 010\n", "line 3, column 10"},
		{"list:\n  - big: 07\n", "line 2"},
		{"named: {a: {small: 1}, b: {small: 0.5}}", "line 1"},
	} {
		_, err := Decode([]byte(c.text), new(file))
		var at *Error
		if (c.where == "") != (err == nil) || err != nil && (!errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.where)) {
			t.Errorf("%q: %v, want %q", c.text, err, c.where)
		}
	}
}

// Whatever the text is, the error is of this package and in its words.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"version: 010", "list: [{small: 1}]", "named: {a: {small: 1}}", "- 1", "a", "? x\n: y", "own: {a: b}", "flag: &a true\nname: *a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4<<10 {
			return
		}
		_, err := Decode(text, new(file))
		var at *Error
		if err != nil && !errors.As(err, &at) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}

// TestAllAtOnce: a person who has mistyped three keys hears of three, each with
// its line, and not of one at a time.
func TestAllAtOnce(t *testing.T) {
	var doc struct {
		Name  string `yaml:"name"`
		Count int    `yaml:"count"`
		List  []struct {
			Kind string `yaml:"kind"`
			On   bool   `yaml:"on"`
		} `yaml:"list"`
	}
	const text = "nmae: a\ncount: many\nlist:\n  - knid: {deep: 1}\n    on: perhaps\n  - kind: [b]\n"
	_, err := Decode([]byte(text), &doc)
	var wrong Errors
	if !errors.As(err, &wrong) || !errors.As(err, new(*Error)) {
		t.Fatalf("%v", err)
	}
	var at []string
	for _, e := range wrong {
		at = append(at, fmt.Sprint(e.Line, " ", e.Path))
	}
	want := []string{"1 ", "2 count", "4 list[0]", "5 list[0].on", "6 list[1].kind"}
	if !slices.Equal(at, want) || strings.Count(err.Error(), "\n") != 4 || strings.Count(wrong.Chinese(), "\n") != 4 {
		t.Errorf("%q\n%v\n%s", at, err, wrong.Chinese())
	}
	if _, err = Decode([]byte("x: 1\nlist: ["+strings.Repeat("{z: 1}, ", 200)+"]"), &doc); !errors.As(err, &wrong) || len(wrong) != MaxErrors {
		t.Errorf("%d errors", len(wrong))
	}
}
