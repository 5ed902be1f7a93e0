package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
)

// An error in node.yaml is reported with line and column, in both languages.
// The hint mentions a line only if the error names one.
func TestMisplaced(t *testing.T) {
	t.Setenv("LC_ALL", "")
	for text, want := range map[string]struct{ english, chinese string }{
		"name: tax\nquorum: 1\n":                {`line 2, column 1: unknown key "quorum": the keys here are api, catalog, http`, `第 2 行第 1 列：没有 "quorum" 这个键：此处可用 api、catalog、http`},
		"name: [tax\n":                          {"line 1, column 7: the [ of this place is not closed", "第 1 行第 7 列：此处的 [ 没有闭合"},
		"name: a\nname: b\n":                    {`line 2, column 1: the key "name" is there twice, first at line 1: remove one`, `第 2 行第 1 列：键 "name" 重复，首次在第 1 行：请删去其一`},
		"a letter\n":                            {"line 1, column 1: ", "第 1 行第 1 列："},
		"":                                      {"the file is empty", "文件是空的"},
		"name: tax\norigin: log.test.invalid/1": {"name, origin and listen are needed", "须有 name、origin 和 listen"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileConfig), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for lang, words := range map[string]string{"en": want.english, "zh_CN.UTF-8": want.chinese} {
			if words == "" {
				words = want.english
			}
			t.Setenv("ATOLL_LANG", lang)
			var out, errs strings.Builder
			if code := run(t.Context(), []string{"run", "--dir", dir}, &out, &errs); code != cli.ExitConfig {
				t.Errorf("%q: exit %d", text, code)
			}
			said := errs.String()
			named := regexp.MustCompile(`line \d|第 \d`).MatchString(said)
			hinted := strings.Contains(said, "hint: correct the file at the line named") || strings.Contains(said, "提示：请改正该文件所指的各行")
			if !strings.Contains(said, words) || named != hinted || regexp.MustCompile(`\[\d+:\d+\]`).MatchString(said) {
				t.Errorf("%q, %s: %s", text, lang, said)
			}
			if err := wellSaid(cli.ExitConfig, false, out.String(), said); err != nil {
				t.Errorf("%q, %s: %v", text, lang, err)
			}
			out.Reset()
			run(t.Context(), []string{"run", "--json", "--dir", dir}, &out, &errs)
			if strings.Contains(out.String(), "第") || !strings.Contains(out.String(), `"code": "config.invalid"`) {
				t.Errorf("%q, %s: %s", text, lang, out.String())
			}
		}
	}
}
