package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// axe is the package of npm that knows what keeps people out of a page.
const axe = "axe-core@4.14.1"

// axeScript fetches axe-core once for all tests of a process.
var axeScript = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "atoll-axe-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	install := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--fetch-retries", "5", axe)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm: %w\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	return string(text), err
})

// Hurdles returns what keeps people out of the page as it is now, such as somebody
// who hears it or uses the keyboard alone: the serious and critical findings of
// axe-core. It runs beside the page's own scripts, in a world of its own, where
// the page's policy is not in its way and stays as it is for the page.
//
// The test is skipped if axe-core is not there.
func (b *Tab) Hurdles(t testing.TB) (found []string) {
	t.Helper()
	script, err := axeScript()
	if err != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		t.Fatalf("no %s, and ATOLL_TEST_REQUIRE=all: %v", axe, err)
	}
	if err != nil {
		t.Skipf("SKIP: needs %s: %v", axe, err)
	}
	c := b.inChromium()
	var tree struct {
		FrameTree struct{ Frame struct{ ID string } }
	}
	c.must("Page.getFrameTree", nil, &tree)
	var world struct{ ExecutionContextID int }
	c.must("Page.createIsolatedWorld", map[string]any{"frameId": tree.FrameTree.Frame.ID, "worldName": "axe"}, &world)
	if _, err := c.evaluateIn(world.ExecutionContextID, script+"; true"); err != nil {
		t.Fatal(err)
	}
	answer, err := c.evaluateIn(world.ExecutionContextID, `axe.run(document, { resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations.flatMap((v) =>
		v.nodes.map((n) => ({ id: v.id, impact: n.impact ?? v.impact, help: v.help, html: n.html.slice(0, 200), why: n.failureSummary })))))`)
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ ID, Impact, Help, HTML, Why string }
	if err := json.Unmarshal(fmt.Append(nil, answer), &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		line := fmt.Sprintf("%s (%s): %s\n%s\n%s", v.ID, v.Impact, v.Help, v.HTML, v.Why)
		if v.Impact == "serious" || v.Impact == "critical" {
			found = append(found, line)
		} else {
			t.Log(line)
		}
	}
	return found
}
