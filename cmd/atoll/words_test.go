package main

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

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Help says all that it says in both languages: every command, every flag. A
// line is in one of them.
func TestHelpInBothLanguages(t *testing.T) {
	texts := 0
	check := func(where, text string) {
		texts++
		both, ok := cli.Parts(text)
		if !ok || !chinese(both.Chinese) || both.English == "" || chinese(strings.ReplaceAll(both.English, "文", "")) {
			t.Errorf("%s is not in both languages: %q", where, text)
		}
	}
	cli.Walk(rootCommand(), func(c *cobra.Command) {
		check(c.CommandPath(), c.Short)
		if c.Long != "" {
			check(c.CommandPath()+", long", c.Long)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			check(c.CommandPath()+" --"+f.Name, f.Usage)
		})
	})
	if texts < 150 {
		t.Errorf("only %d texts", texts)
	}
}

// speakers are the functions that take a text in both languages, Chinese first.
var speakers = []string{"Say", "Fill", "In", "in", "Both", "Announce", "Errorf", "Usage", "With", "report", "ask", "Ask"}

// What a command says it says in both languages, with the same things filled in.
func TestWordsInBothLanguages(t *testing.T) {
	pairs := 0
	inspect(t, func(where string, call *ast.CallExpr, name string) {
		if !slices.Contains(speakers, name) {
			return
		}
		for i := range len(call.Args) - 1 {
			zh, one := literal(call.Args[i])
			en, two := literal(call.Args[i+1])
			if !one || !two {
				continue
			}
			pairs++
			if words(zh) != "" && !chinese(zh) || chinese(strings.ReplaceAll(en, "文", "")) {
				t.Errorf("%s: not in both languages: %q, %q", where, zh, en)
			}
			if a, b := len(verbs.FindAllString(zh, -1)), len(verbs.FindAllString(en, -1)); a != b && !strings.Contains(zh+en, "%[") {
				t.Errorf("%s: %d things in Chinese, %d in English: %q, %q", where, a, b, zh, en)
			}
			break
		}
	})
	if pairs < 150 {
		t.Errorf("only %d texts", pairs)
	}
}

// Nothing is printed past the printer, which escapes what it is given.
func TestPrintedByThePrinter(t *testing.T) {
	inspect(t, func(where string, call *ast.CallExpr, name string) {
		if !strings.HasPrefix(name, "Fprint") || len(call.Args) == 0 {
			return
		}
		to, ok := call.Args[0].(*ast.CallExpr)
		if !ok {
			return
		}
		if s, ok := to.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "OutOrStdout" || s.Sel.Name == "ErrOrStderr") {
			t.Errorf("%s prints past cli.Printer", where)
		}
	})
}

var verbs = regexp.MustCompile(`%[-+#0-9.]*(\[\d+\])?[a-zA-Z]`)

// words is a text without what is filled in, names of flags and commands, and signs.
func words(text string) string {
	text = verbs.ReplaceAllString(text, "")
	return strings.Trim(regexp.MustCompile(`[^\p{L}]`).ReplaceAllString(text, ""), " ")
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// inspect calls a function for every call of this command's sources.
func inspect(t *testing.T, do func(where string, call *ast.CallExpr, name string)) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	for _, path := range names {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			do(set.Position(call.Pos()).String(), call, name)
			return true
		})
	}
}
