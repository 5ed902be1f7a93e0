//go:build !race

package main

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A demo that keeps its network prints commands that work as they are printed,
// in their order, but for the id of the consent.
func TestKeptDemo(t *testing.T) {
	demo := exec.Command("atoll", "demo", "--keep", "--lang", "zh", "--dir", filepath.Join(t.TempDir(), "kept"))
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = demo.Process.Kill() })
	var shown []string
	var story strings.Builder
	running := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		story.WriteString(line + "\n")
		if strings.Contains(line, `\u00`) {
			t.Errorf("escaped: %s", line)
		}
		running = running || strings.HasPrefix(line, "# 网络在运行")
		if running && strings.HasPrefix(line, "atoll") {
			shown = append(shown, line)
		}
		if running && strings.HasPrefix(line, "atoll-audit") {
			break
		}
	}
	if err := lines.Err(); err != nil || len(shown) < 11 {
		t.Fatalf("%d commands, %v", len(shown), err)
	}
	for _, english := range []string{"unavailable", "unreachable", "revoked\n", "Jiaoxin --"} {
		if strings.Contains(story.String(), english) {
			t.Errorf("in the Chinese story: %q", english)
		}
	}
	id := "" // of the consent that is active
	t.Setenv("ATOLL_LANG", "en")
	for _, line := range shown {
		words := strings.Fields(strings.Replace(line, " ID", " "+id, 1))
		said, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, said)
		}
		if strings.HasPrefix(line, "atoll consent list") {
			for row := range strings.Lines(string(said)) {
				if strings.Contains(row, "active") {
					id = strings.Fields(row)[0]
				}
			}
		}
	}
	if err := demo.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest := ""
	for lines.Scan() {
		rest += lines.Text() + "\n"
	}
	if err := demo.Wait(); err != nil || !strings.Contains(rest, "已停止。") {
		t.Errorf("%v: %s", err, rest)
	}
}
