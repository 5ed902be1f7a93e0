package source

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

// constants are the constants that occur in details.
var constants = map[string]string{"notUTF8": notUTF8, "markerExtension": "%s", "markerTable": "%s"}

// formatOf returns the format of a detail's expression, with %s for each part
// that is not a literal.
func formatOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			return "%s"
		}
		return text
	case *ast.BinaryExpr:
		return formatOf(e.X) + formatOf(e.Y)
	case *ast.Ident:
		if text, ok := constants[e.Name]; ok {
			return text
		}
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return formatOf(e.Args[0])
		}
	}
	return "%s"
}

// writtenDetails returns the details in this package's source, with their
// positions.
func writtenDetails(t *testing.T) map[string]string {
	t.Helper()
	found, files := map[string]string{}, token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("no source: %v", err)
	}
	var sources []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, f)
	}
	add := func(e ast.Expr) {
		if text := formatOf(e); strings.Trim(text, "%s ") != "" && !strings.HasPrefix(text, "column %s") {
			found[text] = files.Position(e.Pos()).String()
		}
	}
	for _, f := range sources {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Detail" {
					add(n.Value)
				}
			case *ast.AssignStmt:
				for i, l := range n.Lhs {
					if field, ok := l.(*ast.SelectorExpr); ok && field.Sel.Name == "Detail" && i < len(n.Rhs) {
						add(n.Rhs[i])
					}
					if id, ok := l.(*ast.Ident); ok && id.Name == "detail" && i < len(n.Rhs) {
						add(n.Rhs[i])
					}
				}
			case *ast.FuncDecl:
				result := map[string]int{"absent": 0, "parseAsides": 1, "postgresAnswer": 1, "untrusted": 1, "exhausted": 0}
				if i, ok := result[n.Name.Name]; ok {
					ast.Inspect(n, func(n ast.Node) bool {
						if r, ok := n.(*ast.ReturnStmt); ok {
							add(r.Results[i])
						}
						return true
					})
				}
			case *ast.CompositeLit:
				if len(n.Elts) == 3 {
					if _, ok := n.Elts[1].(*ast.FuncLit); ok { // a setting
						add(n.Elts[2])
					}
				}
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "entryError" {
					add(n.Elts[0])
				}
			case *ast.ValueSpec:
				if n.Names[0].Name == "absent" {
					add(n.Values[0])
				}
			case *ast.CallExpr:
				if m, ok := n.Fun.(*ast.SelectorExpr); ok && m.Sel.Name == "bad" && len(n.Args) == 1 {
					add(n.Args[0])
				}
				f, ok := n.Fun.(*ast.Ident)
				if ok && (f.Name == "bad" || f.Name == "misconfigured") && len(n.Args) == 1 {
					add(n.Args[0])
				}
				if ok && f.Name == "unreadable" && len(n.Args) == 3 {
					add(n.Args[2])
				}
			}
			return true
		})
	}
	return found
}

// TestDetailsInChinese: every detail that this package reports has a Chinese
// text.
func TestDetailsInChinese(t *testing.T) {
	written := writtenDetails(t)
	if len(written) < 50 {
		t.Fatalf("only %d details found", len(written))
	}
	for text, where := range written {
		if details[text] == "" {
			t.Errorf("%s: no Chinese in chinese.go for %q", where, text)
		}
	}
}

func TestChinese(t *testing.T) {
	for detail, want := range map[string]string{
		"%d columns": "%d columns",
		"12 rows where the marker says 13: the load is not whole, or the marker is of another": "有 12 行，而装载标记为 13 行：装载不完整，或标记属于另一次装载",
		"column uscc: the file is gone":                                               "列 uscc：文件已不在",
		"the system cannot read it: input/output error":                               "系统无法读取：input/output error",
		`the database has no table or view "a: b": create it, or correct the catalog`: `数据库中没有表或视图 "a: b"：请创建，或改正目录`,
	} {
		if got := Chinese(detail); got != want {
			t.Errorf("%q is %q, want %q", detail, got, want)
		}
	}
	e := &Error{Code: Keys, File: "a.csv", Line: 2, Column: "uscc", Detail: "3 rows whose key is nobody's code: correct them, declare in the catalog which other keys there are (also), or set them aside (atoll source aside)"}
	if _, err := Open(Config{Name: "main", Kind: "csv", Path: ".", Form: Form{Decimal: ";"}}); err == nil || err.(*Error).Chinese() != `数据源 main：decimal："." 或 ","（source.config）` {
		t.Error(err)
	}
	list := &Error{Code: Keys, File: "aside/vat.jsonl", Detail: "the list of rows set aside cannot be read: entry 3: note: a text of 1 to 500 bytes without control characters"}
	if got := list.Chinese(); got != "aside/vat.jsonl：无法读取搁置名单：第 3 条：note：须为 1 至 500 字节的说明，不含控制字符（source.keys）" {
		t.Error(got)
	}
	if got := e.Chinese(); got != "a.csv 第 2 行，列 uscc：3 行的主体代码不属于任何人：请改正，或在目录中声明还有哪些代码（also），或予以搁置（atoll source aside）（source.keys）" {
		t.Error(got)
	}
}

// TestBare: what is said to somebody who has no node.yaml yet names none of its
// settings, in either language, and still says what happened.
func TestBare(t *testing.T) {
	cut, named := 0, regexp.MustCompile(`node\.yaml|\baddress\b|tls\.`)
	for detail := range details {
		e := &Error{Code: Unreachable, Detail: strings.NewReplacer("%d", "1", "%s", "x", "%q", `"x"`).Replace(detail)}
		bare := e.Bare()
		if bare == e {
			continue
		}
		cut++
		if bare.Detail == "" || bare.chinese == "" || named.MatchString(bare.Detail+bare.chinese) || bare.Code != e.Code {
			t.Errorf("%q: %q, %q", detail, bare.Detail, bare.chinese)
		}
	}
	if cut < 10 {
		t.Errorf("only %d details name settings", cut)
	}
}
