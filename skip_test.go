package atoll_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSkipsAreRequired: whoever skips a test fails it where ATOLL_TEST_REQUIRE=all,
// and decides that in the same function, before the skip.
func TestSkipsAreRequired(t *testing.T) {
	skips := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.SelectorExpr)
				if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, call.Sel.Name) {
					return true
				}
				skips++
				begin, at := files.Position(d.Pos()).Offset, files.Position(call.Pos())
				if !strings.Contains(string(source[begin:at.Offset]), `os.Getenv("ATOLL_TEST_REQUIRE")`) {
					t.Errorf("%s: skips, whatever ATOLL_TEST_REQUIRE says", at)
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if skips == 0 {
		t.Error("no skip was found")
	}
}
