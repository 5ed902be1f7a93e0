package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong with the path or the lines of a policy is said in the language
// of the reader alone.
func TestPolicyAmissInOneLanguage(t *testing.T) {
	dir := t.TempDir()
	loop, empty := filepath.Join(dir, "loop"), filepath.Join(dir, "empty")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{loop: "符号链接循环", dir: "这是文件夹", empty: "没有 log 行"} {
		var out, errs strings.Builder
		if code := run(t.Context(), []string{"verify", dir, "--policy", path, "--lang", "zh"}, &out, &errs); code == 0 || !strings.Contains(errs.String(), want) || strings.Contains(errs.String(), "英文") {
			t.Errorf("%s: exit %d: %s", path, code, errs.String())
		}
	}
}
