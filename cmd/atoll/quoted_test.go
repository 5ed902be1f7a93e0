package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	// printedCommand matches a command line within a text, up to where prose goes on.
	printedCommand = regexp.MustCompile(`atoll(?:-audit)? [a-z]+[^；，。：（）;,:()\n"]*`)
	filledIn       = regexp.MustCompile(`%(?:\[(\d)\])?([a-z])`)
)

// What is filled into a command line that people copy is quoted for a shell, or is
// an id or a name, which needs no quotes.
func TestPrintedCommandsAreQuoted(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for i, x := range call.Args {
				for _, arg := range filled(format(x), call.Args[i+1:]) {
					if count++; !needsNoQuotes(arg) {
						t.Errorf("%s: what is filled into %q is not quoted by word", fset.Position(arg.Pos()), format(x))
					}
				}
			}
			return true
		})
	}
	if count < 50 {
		t.Errorf("only %d", count)
	}
}

// format returns the text of a literal, or of the first of a choice of two; "" for
// another expression.
func format(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(x.Value)
		return text
	case *ast.CallExpr: // in(chinese, english)
		if name, ok := x.Fun.(*ast.Ident); ok && name.Name == "in" && len(x.Args) == 2 {
			return format(x.Args[1])
		}
	}
	return ""
}

// filled returns the arguments that are filled into the command lines of a format.
// rest is what follows the format: perhaps the same in English, then the arguments.
func filled(format string, rest []ast.Expr) (list []ast.Expr) {
	for len(rest) > 0 {
		if _, ok := rest[0].(*ast.BasicLit); !ok {
			break
		}
		rest = rest[1:]
	}
	for _, at := range printedCommand.FindAllStringIndex(format, -1) {
		n := len(filledIn.FindAllString(format[:at[0]], -1))
		for _, m := range filledIn.FindAllStringSubmatch(format[at[0]:at[1]], -1) {
			n++
			place := n
			if m[1] != "" {
				place, _ = strconv.Atoi(m[1])
			}
			if m[2] == "s" && place <= len(rest) {
				list = append(list, rest[place-1])
			}
		}
	}
	return list
}

// needsNoQuotes reports whether an argument is quoted, or is an id or a name by its
// own name.
func needsNoQuotes(x ast.Expr) bool {
	name := ""
	switch x := x.(type) {
	case *ast.CallExpr:
		f, ok := x.Fun.(*ast.Ident)
		return ok && (f.Name == "word" || f.Name == "commandLine" || f.Name == "at" || f.Name == "paper")
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	}
	switch name {
	case "ID", "id", "Consent", "Query", "fileGenesis", "Proposer", "Dataset", "Name", "name", "Subject", "http", "firm", "words", "dialect", "dumpDatabase":
		return true
	}
	return false
}
