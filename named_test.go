package atoll_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocsNameWhatExists: each test and each planted bug that SECURITY.md, SPEC.md
// and the READMEs name is there, in the package that they name before it.
func TestDocsNameWhatExists(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	tests := map[string]map[string]bool{} // by folder
	every := map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, top := range []string{"cmd", "node", "consensus", "crypto", "examples"} {
		if err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if tests[dir] == nil {
			tests[dir] = map[string]bool{}
		}
		for _, m := range declared.FindAllSubmatch(text, -1) {
			tests[dir][string(m[1])], every[string(m[1])] = true, true
		}
	}
	// A name that ends in … stands for all that begin so.
	has := func(set map[string]bool, name string) bool {
		begin, many := strings.CutSuffix(name, "…")
		for known := range set {
			if known == begin || many && strings.HasPrefix(known, begin) {
				return true
			}
		}
		return false
	}
	word := regexp.MustCompile("`([a-z][a-z0-9_/-]*)`|" + `\b(?:Test|Fuzz)[A-Z]\w*…?|\| ((?:\d{1,3}(?:, )?)+) \|$`)
	named := 0
	for _, doc := range []string{"SECURITY.md", "SPEC.md", "README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			in := every
			for _, m := range word.FindAllStringSubmatch(line, -1) {
				switch dir, bugs := m[1], m[2]; {
				case dir != "":
					if tests[dir] != nil {
						in = tests[dir]
					}
				case bugs != "" && doc == "SECURITY.md":
					for _, n := range strings.Split(bugs, ", ") {
						if found, err := filepath.Glob(bugsFolder + "/" + n + "-*.patch"); err != nil || len(found) != 1 {
							t.Errorf("%s:%d: bug %s: %v", doc, i+1, n, found)
						}
					}
				case bugs == "":
					if named++; !has(in, m[0]) {
						t.Errorf("%s:%d: no %s in the package named before it", doc, i+1, m[0])
					}
				}
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests are named", named)
	}
}
