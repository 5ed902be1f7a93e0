package atoll_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeCommands runs what the README shows, in both languages: each
// command of a console block succeeds, and each line of output shown is in its
// real output, in that order. "…" alone skips lines, within a line it stands
// for anything.
func TestReadmeCommands(t *testing.T) {
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ran, beside := 0, t.TempDir()
		for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			for _, session := range strings.Split("\n"+block[1], "\n$ ")[1:] {
				command, shown, _ := strings.Cut(session, "\n")
				if command == "go test ./..." {
					continue // this is that
				}
				t.Run(name+": "+command, func(t *testing.T) { runShown(t, beside, command, shown) })
				ran++
			}
		}
		if ran == 0 {
			t.Errorf("%s shows no command", name)
		}
	}
}

// runShown runs a command. What the reader gets beside the clone, in demo-…,
// goes to a folder of the test's.
func runShown(t *testing.T, beside, command, shown string) {
	words := strings.Fields(command)
	for i, w := range words {
		if strings.HasPrefix(w, "demo-") {
			words[i] = filepath.Join(beside, w)
		}
	}
	shown = regexp.MustCompile(`demo-(out|zh)`).ReplaceAllString(shown, "…")
	out, err := exec.Command(words[0], words[1:]...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := strings.Split(string(out), "\n")
	for line := range strings.Lines(shown) {
		if line = strings.TrimSpace(line); line == "" || line == "…" {
			continue
		}
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "$"
		for {
			if len(rest) == 0 {
				t.Fatalf("not in the output, or not in this order: %s", line)
			}
			next := strings.TrimSpace(rest[0])
			rest = rest[1:]
			if regexp.MustCompile(pattern).MatchString(next) {
				break
			}
		}
	}
}
