package catalog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// writtenSentences returns the formats of all problems in this package's
// source, with their positions.
func writtenSentences(t *testing.T) map[string]string {
	t.Helper()
	found, files := map[string]string{}, token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("no source: %v", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 || !slices.Contains([]string{"problem", "warn", "says"}, called(call)) {
				return true
			}
			where := files.Position(call.Pos()).String()
			switch format := call.Args[1].(type) {
			case *ast.BasicLit:
				text, err := strconv.Unquote(format.Value)
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				found[text] = where
			case *ast.Ident:
				if format.Name != "format" { // in problem and warn, which pass it on
					t.Errorf("%s: the format is not written there", where)
				}
			default:
				t.Errorf("%s: the format is not written there", where)
			}
			return true
		})
	}
	return found
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

var verb = regexp.MustCompile(`%[.0-9]*[a-z%]`)

// TestProblemsInChinese: every problem that this package reports has a Chinese
// text with the same arguments in their order, and nothing is translated that
// is not used.
func TestProblemsInChinese(t *testing.T) {
	written := writtenSentences(t)
	if len(written) < 60 {
		t.Fatalf("only %d sentences found", len(written))
	}
	for english, where := range written {
		chinese := sentences[english]
		if chinese == "" {
			t.Errorf("%s: no Chinese in chinese.go for %q", where, english)
			continue
		}
		if got, want := verb.FindAllString(chinese, -1), verb.FindAllString(english, -1); !slices.Equal(got, want) {
			t.Errorf("%q has %v, its Chinese %v", english, want, got)
		}
	}
	for english := range sentences {
		if written[english] == "" {
			t.Errorf("nobody says %q", english)
		}
	}
}

// TestShownAtFault: a text at fault is shown shortened and without characters
// that control a terminal.
func TestShownAtFault(t *testing.T) {
	for name, want := range map[string]string{
		"vat": "vat", "": `""`, "在列": `"在列"`, "a\x1b[2J\u202e": `"a\x1b[2J\u202e"`, strings.Repeat("长", 50): `"` + strings.Repeat("长", 40) + `"`,
	} {
		if got := shown(name); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
	text := strings.Replace(registerYAML, `type: text, none: ["-", 无]`, "type: text, values: {在列: [在册], 除名: [在册]}", 1)
	if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), `values: "在册" is there twice`) {
		t.Errorf("%v", err)
	}
}
