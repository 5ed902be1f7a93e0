// Package clitest checks that the commands of atoll print every text in both
// languages, and only through the printer, which escapes.
//
// A command's test calls [Help] with its tree of verbs, and [Words] and
// [Printed] in the folder of its sources. Each fails if it finds fewer than so
// many texts, so that a check that no longer sees the sources does not pass.
package clitest

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
	"unicode"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Help checks that all help is in both languages: every command, every flag.
func Help(t *testing.T, root *cobra.Command, least int) {
	t.Helper()
	texts := 0
	check := func(where, text string) {
		texts++
		both, ok := cli.Parts(text)
		if !ok || !Chinese(both.Chinese) || both.English == "" || Chinese(both.English) {
			t.Errorf("%s is not in both languages: %q", where, text)
		}
	}
	cli.Walk(root, func(c *cobra.Command) {
		check(c.CommandPath(), c.Short)
		if c.Long != "" {
			check(c.CommandPath()+", long", c.Long)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			check(c.CommandPath()+" --"+f.Name, f.Usage)
		})
	})
	if texts < least {
		t.Errorf("only %d texts", texts)
	}
}

// speakers are the functions that take a text in both languages, Chinese first.
var speakers = []string{"Say", "Row", "Fill", "In", "in", "Both", "Announce", "Errorf", "Usage", "With", "report", "ask", "Ask"}

// Words checks that every message of a command is in both languages, with the
// same arguments: calls of the printer and of errors, and texts in tables.
func Words(t *testing.T, least int) {
	t.Helper()
	pairs := 0
	check := func(where string, zh, en ast.Expr) {
		chinese, one := literal(zh)
		english, two := literal(en)
		if !one || !two {
			return
		}
		pairs++
		if letters(chinese) != "" && !Chinese(chinese) || Chinese(english) {
			t.Errorf("%s: not in both languages: %q, %q", where, chinese, english)
		}
		for _, s := range strays {
			if strings.Contains(chinese, s.word) {
				t.Errorf("%s: %q: the word is %s", where, chinese, s.instead)
			}
		}
		if a, b := len(verbs.FindAllString(chinese, -1)), len(verbs.FindAllString(english, -1)); a != b && !strings.Contains(chinese+english, "%[") {
			t.Errorf("%s: %d things in Chinese, %d in English: %q, %q", where, a, b, chinese, english)
		}
	}
	inspect(t, func(where string, n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			if !slices.Contains(speakers, called(n)) {
				return
			}
			for i := range len(n.Args) - 1 {
				if _, ok := literal(n.Args[i]); ok {
					check(where, n.Args[i], n.Args[i+1])
					return
				}
			}
		case *ast.CompositeLit:
			for _, pair := range texts(n) {
				check(where, pair[0], pair[1])
			}
		}
	})
	if pairs < least {
		t.Errorf("only %d texts", pairs)
	}
}

// texts returns the two languages of each literal of [cli.Text], also in lists
// and maps whose elements do not name their type.
func texts(lit *ast.CompositeLit) (list [][2]ast.Expr) {
	var inner ast.Expr
	switch kind := lit.Type.(type) {
	case *ast.ArrayType:
		inner = kind.Elt
	case *ast.MapType:
		inner = kind.Value
	default:
		if isText(kind) {
			list = append(list, sides(lit)...)
		}
		return list
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if l, ok := e.(*ast.CompositeLit); ok && l.Type == nil && isText(inner) {
			list = append(list, sides(l)...)
		}
	}
	return list
}

func isText(kind ast.Expr) bool {
	s, ok := kind.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Text"
}

// sides returns the Chinese and the English of a literal of [cli.Text].
func sides(lit *ast.CompositeLit) [][2]ast.Expr {
	var both [2]ast.Expr
	for i, e := range lit.Elts {
		kv, keyed := e.(*ast.KeyValueExpr)
		switch {
		case keyed && kv.Key.(*ast.Ident).Name == "Chinese":
			both[0] = kv.Value
		case keyed:
			both[1] = kv.Value
		case i < len(both):
			both[i] = e
		}
	}
	if both[0] == nil || both[1] == nil {
		return nil
	}
	return [][2]ast.Expr{both}
}

// Printed checks that nothing is printed except through the printer, which
// escapes.
func Printed(t *testing.T) {
	t.Helper()
	inspect(t, func(where string, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || !strings.HasPrefix(called(call), "Fprint") || len(call.Args) == 0 {
			return
		}
		switch to := call.Args[0].(type) {
		case *ast.CallExpr:
			if name := called(to); name == "OutOrStdout" || name == "ErrOrStderr" {
				t.Errorf("%s prints past cli.Printer", where)
			}
		case *ast.SelectorExpr:
			if to.Sel.Name == "W" {
				t.Errorf("%s prints past cli.Printer, to where it prints", where)
			}
		}
	})
}

// strays are Chinese words for what has another word: one word for one idea. A number
// that people count by is 序号, and what names a thing is 编号; a credential is 签发, and a
// token or a card 制作; what an agency has in its catalog it 提供, and what leaves it 放行.
var strays = []struct{ word, instead string }{
	{"数据项", "输出项"}, {"封存", "密封"}, {"创世声明", "创世文件"}, {"条目的序号", "条目编号"}, {"签发令牌", "制作令牌"}, {"制作凭证", "签发凭证"}, {"下一份授权的编号", "下一份授权的序号"}, {"添加凭证", "加入凭证"}, {"密封件", "密封内容"},
}

var verbs = regexp.MustCompile(`%[-+#0-9.]*(\[\d+\])?[a-zA-Z]`)

// letters returns the letters of a text, without its arguments.
func letters(text string) string {
	return regexp.MustCompile(`[^\p{L}]`).ReplaceAllString(verbs.ReplaceAllString(text, ""), "")
}

// Chinese reports whether a text has Chinese characters. 文 by itself is the sign
// that stands for the language.
func Chinese(text string) bool {
	for _, r := range strings.ReplaceAll(text, "文 ", "") {
		if unicode.Is(unicode.Han, r) {
			return true
		}
	}
	return false
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
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

// inspect calls a function for every node of the sources in this folder.
func inspect(t *testing.T, do func(where string, n ast.Node)) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
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
			if n != nil {
				do(set.Position(n.Pos()).String(), n)
			}
			return true
		})
	}
}
