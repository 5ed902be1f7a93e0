package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/cmd/internal/browser"
	"atoll/node/access"
)

// accessible fails the test for what keeps people out of a page as it is now: in
// both languages, which turn changes, one by light and one by dark colours, and on
// a telephone.
func accessible(t *testing.T, b *browser.Tab, state string, turn func()) {
	t.Helper()
	t.Run("accessible "+state, func(t *testing.T) {
		b.Width(390)
		if wide, _ := b.Eval("document.documentElement.scrollWidth - innerWidth").(float64); wide > 0 {
			t.Errorf("%v pixels are beyond the edge of a telephone", wide)
		}
		b.Width(1200)
		for _, dark := range []bool{false, true} {
			b.Dark(dark)
			for _, found := range b.Hurdles(t) {
				t.Errorf("%v, dark: %v\n%s", b.Eval("document.documentElement.lang"), dark, found)
			}
			pictured(t, b, state)
			b.Dark(dark)
			turn()
		}
		b.Dark(false)
	})
}

// pictured puts what a page looks like in its language, by light and dark colours, into
// the folder for pictures if there is one.
func pictured(t *testing.T, b *browser.Tab, state string) {
	t.Helper()
	if *pictures == "" {
		return
	}
	for _, colours := range []string{"light", "dark"} {
		b.Dark(colours == "dark")
		for _, width := range []int{390, 1200} {
			name := fmt.Sprintf("%s-%v-%s-%d.png", strings.NewReplacer("/", "-", "{", "", "}", "").Replace(state), b.Eval("document.documentElement.lang"), colours, width)
			if err := os.WriteFile(filepath.Join(*pictures, name), b.Picture(width), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// accessible looks at the page of the console that is open.
func (p *people) accessible(state string) {
	p.n.t.Helper()
	if p.Eval("((of) => new Set(of).size === of.length)([...document.querySelectorAll('[role=region]')].map((e) => e.getAttribute('aria-label')))") != true {
		p.n.t.Errorf("%s: two tables have one name", state)
	}
	p.Width(390)
	if p.Eval("[...document.querySelectorAll('.wide:has(> .rows)')].every((e) => e.scrollWidth <= e.clientWidth)") != true {
		p.n.t.Errorf("%s: a table is cut off on a telephone", state)
	}
	accessible(p.n.t, p.Tab, state, func() { p.Follow("document.querySelector('button[name=language]').click()") })
}

// unreached are pages to which no page leads in a loan, and why. They are looked at
// as they are when there is nothing to show.
var unreached = map[string]string{
	"/pending/{query}": "no agency of this network approves by hand",
	"/held/{id}":       "nothing of this network needs two people: see TestConsoleHeld",
}

// everyPage looks at each page of the program's list once, as somebody who may see
// all, at the first member that has it. Pages of one thing are found by the links
// of other pages.
func (n *pageNetwork) everyPage(b *browser.Tab) {
	n.t.Helper()
	all, nav := http.NewServeMux(), []string{}
	paths := map[string]string{} // of views, by their patterns
	for _, v := range (&pages{}).views() {
		if v.Show == nil {
			continue
		}
		pattern := "GET " + strings.TrimSuffix(v.Path, "/")
		if v.Path == "/" {
			pattern = "GET /{$}"
		}
		all.Handle(pattern, http.NotFoundHandler())
		paths[pattern] = v.Path
		if v.Nav {
			nav = append(nav, v.Path)
		}
	}
	seen := map[string]bool{}
	for _, m := range testMembers {
		p := n.consoleOf(b, m.name, access.Roles()...)
		here := map[string]bool{}
		for queue := nav; len(queue) > 0; queue = queue[1:] {
			_, pattern := all.Handler(httptest.NewRequest("GET", queue[0], nil))
			if pattern == "" || here[pattern] {
				continue
			}
			p.open(strings.TrimPrefix(queue[0], "/"))
			if p.Eval("document.querySelector('.failure') !== null") == true { // not of this member
				continue
			}
			here[pattern] = true
			links, _ := p.Eval("[...document.querySelectorAll('main a[href]:not([download])')].map((a) => a.pathname)").([]any)
			for _, to := range links {
				queue = append(queue, to.(string))
			}
			if !seen[pattern] {
				seen[pattern] = true
				p.accessible(paths[pattern])
			}
		}
	}
	p := n.consoleOf(b, "bank-a", access.Roles()...)
	for pattern, path := range paths {
		switch why := unreached[path]; {
		case seen[pattern] && why != "":
			n.t.Errorf("%s is reached, though %s", path, why)
		case seen[pattern]:
		case why != "":
			p.open(strings.Trim(strings.NewReplacer("{", "", "}", "").Replace(path), "/"))
			p.accessible(path)
		default:
			n.t.Errorf("no page leads to %s", path)
		}
	}
	p.open("nothing")
	if p.Eval("document.querySelector('nav a') === null") == true {
		n.t.Error("a page that is none leads to no page")
	}
	p.accessible("a page that is none")
	p.open("")
	p.Follow("document.querySelector('form[action$=logout] button').click()")
	p.accessible("log-in")
}
