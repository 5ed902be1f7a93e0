package api

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"atoll/node/problem"
)

// Every defined operation is in the table.
func TestTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "api.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defined := 0
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if f, ok := call.Fun.(*ast.Ident); ok && (f.Name == "one" || f.Name == "many") {
			defined++
			name := strings.Trim(call.Args[0].(*ast.BasicLit).Value, `"`)
			if table[name] == nil || table[name].name() != name {
				t.Errorf("%s is not in the table", name)
			}
		}
		return true
	})
	if defined < 16 || defined != len(table) {
		t.Errorf("%d operations are defined, the table has %d", defined, len(table))
	}
}

// A malformed question is answered with a problem document, which a client can
// read. A socket at which nothing answers means that the node is not running.
func TestWrongQuestions(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/{operation}", new(Server))
	for name, c := range map[string]struct {
		operation, question string
		status              int
		code                problem.Code
	}{
		"no such operation": {"none.such", "{}", 404, problem.NotFound},
		"not JSON":          {Catalog.Name, "{", 422, problem.Usage},
		"unknown field":     {Catalog.Name, `{"agency":"tax","other":1}`, 422, problem.Usage},
		"another type":      {Entry.Name, `{"index":"seven"}`, 422, problem.Usage},
		"too long":          {Catalog.Name, `"` + strings.Repeat("x", maxQuestion) + `"`, 413, problem.Usage},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("POST", "/v1/"+c.operation, strings.NewReader(c.question)))
		e, ok := problem.Read(w.Body.Bytes())
		if w.Code != c.status || !ok || e.Code != c.code || e.Message == "" || e.Hint == "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	nobody := &Client{Socket: filepath.Join(t.TempDir(), "s")}
	if _, err := Call(context.Background(), nobody, Status, Nothing{}); err != ErrNotRunning {
		t.Error(err)
	}
}
