package ledger

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// other runs examples/rules-js, which implements the rules from SPEC.md alone
// and shares no code with this module.
func other(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	return runNode(t, append([]string{filepath.Join("..", "..", "examples", "rules-js", "main.js")}, args...)...)
}

// runNode runs Node 20 with the arguments.
func runNode(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		t.Fatal("node is not on the PATH, and ATOLL_TEST_REQUIRE=all: ", err)
	}
	if err != nil {
		t.Skip("SKIP: needs Node 20 to run examples/rules-js: ", err)
	}
	text, err := exec.CommandContext(t.Context(), node, args...).CombinedOutput()
	return string(text), err == nil
}

// The rules in another language give the same answer to every statement of the
// file.
func TestVectorsInJavaScript(t *testing.T) {
	file := filepath.Join("testdata", "verdicts.jsonl")
	out, ok := other(t, "vectors", file)
	if !ok || !strings.Contains(out, "each decided alike: accepted ") || strings.Count(out, "\n") != 1 {
		t.Fatal(out)
	}
	t.Log(out)
}

// It computes its answers: with one answer of the file changed, it reports that
// line.
func TestVectorsInJavaScriptAreCompared(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "verdicts.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(data, []byte("\n"))[:1200]
	changes := map[string]func(map[string]any){
		"verdict": func(l map[string]any) { l["verdict"] = "consent.uses" },
		"index":   func(l map[string]any) { l["index"] = 1 },
		"time":    func(l map[string]any) { l["time"] = 1 },
		"known":   func(l map[string]any) { l["known"] = true },
		"new":     func(l map[string]any) { l["new"] = false },
	}
	for what, change := range changes {
		var l map[string]any
		last := len(lines) - 1
		for ; ; last-- { // an entry
			l = nil
			if err := json.Unmarshal(lines[last], &l); err != nil {
				t.Fatal(err)
			}
			if l["new"] == true {
				break
			}
		}
		change(l)
		changed, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "vectors.jsonl")
		text := bytes.Join(append(append([][]byte{}, lines[:last]...), changed), []byte("\n"))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, ok := other(t, "vectors", file); ok || !strings.Contains(out, "and the file says") {
			t.Errorf("%s changed: %s", what, out)
		}
	}
}
