package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
)

// The next step after a table that cannot be drafted is a flag of catalog new,
// not a line of a node.yaml or catalog that nobody has written yet.
func TestDraftNamesItsFlags(t *testing.T) {
	t.Setenv("ATOLL_LANG", "en")
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, flag string }{
		"gbk.csv":    {"uscc,\xc3\xfb\xb3\xc6\n91990200MADEM1073H,\xc3\xfb\n", "--encoding gb18030"},
		"semi.csv":   {"uscc;a\n91990200MADEM1073H;1,5\n", "--delimiter"},
		"quoted.csv": {"uscc,a\n91990200MADEM1073H,\"x\ny\"\n", "--newlines"},
		"none.csv":   {"", "another table"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for lang, flag := range map[string]string{"en": c.flag, "zh": strings.Replace(c.flag, "another table", "另一张表", 1)} {
			var out, errs strings.Builder
			code := run(t.Context(), []string{"catalog", "new", "--from", path, "--agency", "tax", "-o", filepath.Join(dir, "x.yaml"), "--lang", lang}, &out, &errs)
			if code == 0 || !strings.Contains(errs.String(), flag) || strings.Contains(errs.String(), "node.yaml") || strings.Contains(errs.String(), "node's own log") {
				t.Errorf("%s %s: exit %d: %s", name, lang, code, errs.String())
			}
		}
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"catalog", "new", "--from", filepath.Join(dir, "quoted.csv"), "--agency", "tax", "--newlines", "-o", filepath.Join(dir, "a: b # c.yaml")}, &out, &errs); code != 0 ||
		!strings.Contains(out.String(), "newlines: true") || !strings.Contains(out.String(), `catalog: "a: b # c.yaml"`) {
		t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
	}
}

// A pipe that nobody writes to, and links that lead back to themselves, are
// reported; no command waits for them.
func TestReadsNoEmptyPipe(t *testing.T) {
	t.Setenv("ATOLL_LANG", "en")
	dir := t.TempDir()
	pipe, loop := filepath.Join(dir, "pipe"), filepath.Join(dir, "loop")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, loop} {
		for _, args := range [][]string{{"catalog", "lint", path}, {"template", "new", "--catalog", path, "-o", filepath.Join(dir, "t.yaml")}, {"genesis", "show", path}} {
			var out, errs strings.Builder
			done := make(chan int, 1)
			go func() { done <- run(t.Context(), args, &out, &errs) }()
			select {
			case code := <-done:
				if code == 0 || strings.Contains(errs.String(), "node's own log") {
					t.Errorf("%v: exit %d: %s", args, code, errs.String())
				}
			case <-time.After(scriptPatience):
				t.Fatalf("%v waits", args)
			}
		}
	}
}

// Where a file of a member exists, init writes none: a folder with keys and
// without a card could be neither used nor completed.
func TestInitWritesAllOrNothing(t *testing.T) {
	t.Setenv("ATOLL_LANG", "en")
	for _, name := range []string{fileAge, fileConfig, cardFile("tax")} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs strings.Builder
		code := run(t.Context(), []string{"init", "--dir", dir, "--name", "tax", "--role", "agency", "--zh", "甲", "--en", "A", "--origin", "log.test.invalid/1", "--listen", "/ip4/127.0.0.1/tcp/4711"}, &out, &errs)
		if files, err := os.ReadDir(dir); code != cli.ExitConflict || err != nil || len(files) != 1 {
			t.Errorf("%s: exit %d, %v, %v: %s", name, code, files, err, errs.String())
		}
	}
}
