package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"atoll/node/problem"
)

// A request is given to whoever has its ticket, from any origin, and is kept nowhere.
// Tickets are not found by trying.
func TestRequests(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /"+PathRequests+"/{ticket}", Anywhere(&Requests{Give: func(ticket string) ([]byte, error) {
		switch ticket {
		case "abcd":
			return []byte("a paper"), nil
		case "disk":
			return nil, errors.New("the disk at /secret is full")
		}
		return nil, problem.New(problem.NotFound, "none")
	}}))
	ask := func(ticket string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/"+PathRequests+"/"+ticket, nil)
		r.RemoteAddr = "192.0.2.7:1"
		mux.ServeHTTP(w, r)
		return w
	}
	if w := ask("abcd"); w.Code != 200 || w.Body.String() != "a paper" || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	if w := ask("disk"); w.Code < 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	last := 0
	for range burst + 1 {
		last = ask("none").Code
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("after %d tries: %d", burst+1, last)
	}
}
