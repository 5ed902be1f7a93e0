package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The page has an origin of its own, and nobody frames it.
func TestPage(t *testing.T) {
	const html = "<!doctype html>"
	w := httptest.NewRecorder()
	Page([]byte(html)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/enterprise", nil))
	if w.Code != http.StatusOK || w.Body.String() != html {
		t.Fatal(w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "frame-ancestors 'none'; sandbox allow-scripts allow-downloads",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "",
		"Cross-Origin-Opener-Policy": "", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
	had := httptest.NewRequest(http.MethodGet, "/enterprise", nil)
	for tag, code := range map[string]int{w.Header().Get("ETag"): http.StatusNotModified, `"another"`: http.StatusOK} {
		had.Header.Set("If-None-Match", tag)
		again := httptest.NewRecorder()
		Page([]byte(html)).ServeHTTP(again, had)
		if again.Code != code || (again.Body.Len() == 0) != (code == http.StatusNotModified) {
			t.Errorf("%s: %d, %q", tag, again.Code, again.Body)
		}
	}
	w = httptest.NewRecorder()
	Page(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/enterprise", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "atoll page build") {
		t.Error(w.Code, w.Body)
	}
}

// The bare address of a member, which papers list, leads to the page, or says in both
// languages what it is; so does the address of a page that is not there. Programs hear
// of that as of other errors.
func TestFront(t *testing.T) {
	get := func(h http.Handler, accept string) (*httptest.ResponseRecorder, string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w, w.Body.String()
	}
	const browser = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	if w, _ := get(Front(true), browser); w.Code != http.StatusFound || w.Header().Get("Location") != "enterprise" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for name, c := range map[string]struct {
		h      http.Handler
		accept string
		code   int
	}{"bare": {Front(false), browser, http.StatusOK}, "a program, bare": {Front(false), "*/*", http.StatusOK}, "no page": {Page(nil), browser, http.StatusNotFound}} {
		w, body := get(c.h, c.accept)
		if w.Code != c.code || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		for _, want := range []string{"登记机关", "the registrar gave", "/enterprise", "atoll page build", `lang="en"`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in %s", name, want, body)
			}
		}
	}
	for _, accept := range []string{"", "*/*", "application/json"} {
		if w, _ := get(Page(nil), accept); w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q: %d %v", accept, w.Code, w.Header())
		}
	}
}

// The page, whose origin is its own, may read the genesis, and a browser saves it.
func TestGenesisFile(t *testing.T) {
	w := httptest.NewRecorder()
	Anywhere(GenesisFile([]byte("the paper"))).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+PathGenesisFile, nil))
	if w.Code != http.StatusOK || w.Body.String() != "the paper" || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Content-Disposition") != `attachment; filename="genesis.pem"` {
		t.Error(w.Code, w.Body, w.Header())
	}
}

// A page of any origin may ask, and is not asked for more than its content type.
func TestAnywhere(t *testing.T) {
	asked := 0
	h := Anywhere(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = io.WriteString(w, "x")
	}))
	for _, c := range []struct {
		method, wants string
		code, asked   int
	}{
		{http.MethodOptions, http.MethodPost, http.StatusNoContent, 0},
		{http.MethodOptions, "", http.StatusOK, 1}, // no question of a browser
		{http.MethodGet, "", http.StatusOK, 2},
		{http.MethodPost, "", http.StatusOK, 3},
	} {
		r := httptest.NewRequest(c.method, "/log/statements", nil)
		r.Header.Set("Origin", "null")
		if c.wants != "" {
			r.Header.Set("Access-Control-Request-Method", c.wants)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code || asked != c.asked || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d, asked %d times, %v", c.method, w.Code, asked, w.Header())
		}
		if c.code == http.StatusNoContent && w.Header().Get("Access-Control-Allow-Headers") != "Content-Type" {
			t.Error(w.Header())
		}
	}
}
