package atoll_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// attributes are the names of a log line's values, one for each idea.
var attributes = []string{
	"api", "attempt", "bytes", "clients", "dataset", "dated", "detail", "entry", "error", "evidence", "files", "http", "identity", "address", "limit",
	"member", "network", "pid", "protocol", "recommended", "size", "source", "task", "took", "used_percent", "verdict", "version", "why", "witness",
}

// TestLogMessages holds what a node logs to whole sentences that can be read
// without the lines around them, and to one name for each attribute.
func TestLogMessages(t *testing.T) {
	seen := 0
	parseAll(t, func(set *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !logs(call) {
				return true
			}
			message, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				return true // passed on, and checked where it is written
			}
			seen++
			at := set.Position(call.Pos())
			text, err := strconv.Unquote(message.Value)
			if err != nil {
				t.Fatalf("%v: %v", at, err)
			}
			if len(strings.Fields(text)) < 4 || strings.ToLower(text[:1]) != text[:1] || strings.HasSuffix(text, ".") {
				t.Errorf("%v: %q: a log message is a sentence of its own, without capital and full stop", at, text)
			}
			for i := 1; i < len(call.Args); i += 2 {
				key, ok := call.Args[i].(*ast.BasicLit)
				if !ok {
					continue
				}
				if name := strings.Trim(key.Value, `"`); !slices.Contains(attributes, name) {
					t.Errorf("%v: attribute %q: use one of %v, or add a name for a new idea", at, name, attributes)
				}
			}
			return true
		})
	})
	if seen < 40 {
		t.Errorf("%d log messages: the test does not see the project", seen)
	}
}

// logs reports whether a call writes a log line: a method of a logger, or of a
// replica that warns unless it is being closed.
func logs(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	if method.Sel.Name == "warn" {
		_, literal := call.Args[0].(*ast.BasicLit)
		return literal && len(call.Args)%2 == 1
	}
	if !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method.Sel.Name) {
		return false
	}
	switch logger := method.X.(type) {
	case *ast.Ident:
		return logger.Name == "log"
	case *ast.SelectorExpr:
		return logger.Sel.Name == "log" || logger.Sel.Name == "Logger"
	}
	return false
}

// TestDocComments checks that a comment on a declaration begins with the name
// that it explains, as go doc shows it.
func TestDocComments(t *testing.T) {
	seen := 0
	parseAll(t, func(set *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			name, doc := documented(d)
			if doc == nil || doc.Text() == "" {
				continue
			}
			seen++
			text := doc.Text()
			for _, article := range []string{"A ", "An ", "The "} {
				text = strings.TrimPrefix(text, article)
			}
			if !strings.HasPrefix(text, name) {
				t.Errorf("%v: the comment does not begin with %s", set.Position(doc.Pos()), name)
			}
		}
	})
	if seen < 2000 {
		t.Errorf("%d comments: the test does not see the project", seen)
	}
}

// documented returns the name of a declaration of one thing, with its comment;
// nil for a group.
func documented(d ast.Decl) (string, *ast.CommentGroup) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Name.Name, d.Doc
	case *ast.GenDecl:
		if d.Lparen.IsValid() {
			return "", nil
		}
		switch s := d.Specs[0].(type) {
		case *ast.TypeSpec:
			return s.Name.Name, d.Doc
		case *ast.ValueSpec:
			return s.Names[0].Name, d.Doc
		}
	}
	return "", nil
}

// parseAll passes every source file of the project to do, without tests and
// testdata.
func parseAll(t *testing.T, do func(*token.FileSet, *ast.File)) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || len(name) > 1 && name[0] == '.') {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err == nil {
			do(set, f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
