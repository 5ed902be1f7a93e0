// Package browser drives the Chromium and the Firefox of the machine for tests
// alone, by what each of them speaks with whoever tests pages.
//
// A test that uses it is skipped without the browser, and fails if
// ATOLL_TEST_REQUIRE=all. What the page complains of, errors of its scripts and
// violations of its policy, is collected: [Tab.Complaints].
package browser

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// patience is how long a page may take for one step on a busy machine.
const patience = 2 * time.Minute

// Tab is a page in a browser that a test has started. Its methods end the test
// where the browser does not do what is asked.
type Tab struct {
	engine
	t         testing.TB
	downloads string

	mu         sync.Mutex
	complaints []string
	requests   []string
	loads      int // pages that have loaded
}

// engine is what each browser does in its own way.
type engine interface {
	// navigate opens another address and waits until it has loaded.
	navigate(url string)
	// evaluate returns the value of a script, or of its promise, in the page. It
	// counts as done by a person who has pressed something. The error is [thrown]
	// if it is the script's own.
	evaluate(js string) (any, error)
	// choose chooses files in the field that an expression gives.
	choose(field string, paths []string)
}

// thrown is what a script in a page has thrown.
type thrown string

func (e thrown) Error() string { return string(e) }

// Open starts Chromium with one page at an address.
func Open(t testing.TB, url string) *Tab {
	t.Helper()
	b := &Tab{t: t, downloads: t.TempDir()}
	b.engine = startChromium(b)
	b.Go(url)
	return b
}

// OpenAt is Open with the time that scripts of the page are told: it stands still.
func OpenAt(t testing.TB, url string, now time.Time) *Tab {
	t.Helper()
	b := &Tab{t: t, downloads: t.TempDir()}
	c := startChromium(b)
	b.engine = c
	c.must("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": fmt.Sprintf(
		"globalThis.Date = class extends Date { constructor(...args) { super(...(args.length ? args : [%d])); } static now() { return %[1]d; } };", now.UnixMilli())}, nil)
	b.Go(url)
	return b
}

// OpenFirefox starts Firefox with one page at an address.
func OpenFirefox(t testing.TB, url string) *Tab {
	t.Helper()
	b := &Tab{t: t, downloads: t.TempDir()}
	b.engine = startFirefox(b)
	b.Go(url)
	return b
}

// Go opens another address in the tab.
func (b *Tab) Go(url string) {
	b.t.Helper()
	b.navigate(url)
	b.Until(`document.readyState === 'complete' && location.href !== 'about:blank'`)
}

// Eval returns the value of an expression in the page.
func (b *Tab) Eval(js string) any {
	b.t.Helper()
	value, err := b.evaluate(js)
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return value
}

// errLeft is the reason why an expression has no value if its page was left meanwhile.
var errLeft = errors.New("the page was left")

// settled returns the value of an expression that changes nothing: it is evaluated
// again where the page was left meanwhile, as by one that loads itself again.
func (b *Tab) settled(js string) any {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		value, err := b.evaluate(js)
		if err == nil {
			return value
		}
		if !errors.Is(err, errLeft) || time.Now().After(end) {
			b.t.Fatalf("%s: %v", js, err)
		}
	}
}

// Until waits until an expression is true.
func (b *Tab) Until(js string) {
	b.t.Helper()
	for end := time.Now().Add(patience); b.settled(js) != true; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("never: %s\n%q\n%v", js, b.Eval("document.body.innerText"), b.Complaints())
		}
	}
}

// Text returns the text of an element, for which it waits.
func (b *Tab) Text(selector string) string {
	b.t.Helper()
	b.Until(fmt.Sprintf("document.querySelector(%q) !== null", selector))
	text, _ := b.settled(fmt.Sprintf("document.querySelector(%q)?.textContent", selector)).(string)
	return text
}

// Put sets the value of a field.
func (b *Tab) Put(selector, value string) {
	b.t.Helper()
	b.Eval(fmt.Sprintf("document.querySelector(%q).value = %q; true", selector, value))
}

// Files chooses files in a field.
func (b *Tab) Files(selector string, paths ...string) {
	b.t.Helper()
	b.choose(fmt.Sprintf("document.querySelector(%q)", selector), paths)
}

// Press clicks a button, waits until it can be pressed again or is gone, and
// returns the text of an element then.
func (b *Tab) Press(button, output string) string {
	b.t.Helper()
	b.Eval(fmt.Sprintf("document.querySelector(%q).click()", button))
	b.Until(fmt.Sprintf("(() => { const e = document.querySelector(%q); return e === null || !e.disabled; })()", button))
	return b.Text(output)
}

// Download waits for a file that the page saves, and returns its path.
func (b *Tab) Download(name string) string {
	b.t.Helper()
	path := filepath.Join(b.downloads, name)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if s, err := os.Stat(path); err == nil && s.Size() > 0 {
			return path
		}
		if time.Now().After(end) {
			b.t.Fatalf("no file %s was saved: %v", name, b.Complaints())
		}
	}
}

// Follow evaluates what leads to another page, such as a click, and waits until that
// has loaded.
func (b *Tab) Follow(js string) {
	b.t.Helper()
	loads := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.loads
	}
	before := loads()
	var own thrown
	if _, err := b.evaluate(js); errors.As(err, &own) { // another answer may be lost with the page
		b.t.Fatalf("%s: %v", js, own)
	}
	for end := time.Now().Add(patience); loads() == before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s leads to no page: %v", js, b.Complaints())
		}
	}
}

// Complaints returns what the page has complained of.
func (b *Tab) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// Requests returns what the page has asked for, as METHOD URL.
func (b *Tab) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}
