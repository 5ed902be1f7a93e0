package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"atoll/node/problem"
)

// foundingFor is a founder's pages, with what is taken and what is returned.
func foundingFor(take func([]byte) error) (*Founding, http.Handler) {
	waits := problem.New(problem.FoundingWaiting, "not yet")
	waits.Retryable = true
	f := &Founding{
		Card: take, Sign: take, Draft: func() ([]byte, error) { return []byte("draft"), nil }, Genesis: func() ([]byte, error) { return nil, waits },
		State: func() any { return Founders{Origin: "o", Cards: []string{"aa"}} },
	}
	return f, f.Handler()
}

func sendPaper(h http.Handler, from, path, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = from
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// What the pages of a founder take and refuse: sizes, types, errors of others and of
// the founder's own machine.
func TestFoundingPages(t *testing.T) {
	taken := 0
	var fails error
	_, h := foundingFor(func(text []byte) error {
		taken++
		return fails
	})
	for i, c := range []struct {
		what, path, kind, body string
		fails                  error
		status                 int
		code                   string
	}{
		{"a card", "/founding/card", paperType, "card", nil, 200, ""},
		{"a signature", "/founding/signature", paperType + "; charset=utf-8", "signature", nil, 200, ""},
		{"no type", "/founding/card", "", "card", nil, 415, problem.MediaType},
		{"a form", "/founding/card", "text/plain", "card", nil, 415, problem.MediaType},
		{"too large", "/founding/card", paperType, strings.Repeat("x", maxSmallPaper+1), nil, 413, problem.TooLarge},
		{"refused", "/founding/card", paperType, "card", problem.New(problem.FoundingCard, "another card"), 422, problem.FoundingCard},
		{"too early", "/founding/signature", paperType, "s", problem.New(problem.FoundingWaiting, "no draft"), 503, problem.FoundingWaiting},
		{"a full disk", "/founding/card", paperType, "card", errors.New("write /secret/path: no space"), 500, problem.Internal},
		{"a draft", "/founding/draft", paperType, "draft", nil, 405, ""},
		{"elsewhere", "/founding/other", paperType, "x", nil, 404, ""},
	} {
		fails = c.fails
		before := taken
		w := sendPaper(h, fmt.Sprintf("192.0.2.%d:1", i), c.path, c.kind, c.body)
		e, _ := problem.Read(w.Body.Bytes())
		if e == nil {
			e = &problem.Error{}
		}
		if w.Code != c.status || e.Code != c.code {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: a stranger is told of the founder's machine: %s", c.what, w.Body)
		}
		if got, want := taken-before, c.status < 400 || c.fails != nil; (got == 1) != want {
			t.Errorf("%s: taken %d times", c.what, got)
		}
		if c.status == 200 && !strings.Contains(w.Body.String(), foundingSchema) {
			t.Errorf("%s: %s", c.what, w.Body)
		}
	}
	for path, want := range map[string]int{"/founding/draft": 200, "/founding/genesis": 503} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" || (want == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

// One address that sends without end leaves the others their turn.
func TestFoundingFlood(t *testing.T) {
	taken := 0
	_, h := foundingFor(func([]byte) error {
		taken++
		return nil
	})
	refused := 0
	for range 20 * burst {
		if w := sendPaper(h, "192.0.2.1:1", "/founding/card", paperType, "card"); w.Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 10*burst || taken > 10*burst {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
	if w := sendPaper(h, "198.51.100.7:1", "/founding/card", paperType, "card"); w.Code != http.StatusOK {
		t.Errorf("another address: %d", w.Code)
	}
}

// The client reads what the pages say, and believes no answer that is none.
func TestFoundingClient(t *testing.T) {
	_, h := foundingFor(func(text []byte) error {
		if string(text) == "bad" {
			return problem.New(problem.FoundingCard, "another \x1b[2J card")
		}
		return nil
	})
	server := httptest.NewServer(h)
	defer server.Close()
	c := &Client{URL: server.URL}
	s, err := c.Send(t.Context(), PathCard, []byte("good"))
	if err != nil || s.Origin != "o" || len(s.Cards) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = c.Send(t.Context(), PathCard, []byte("bad"))
	if p := new(problem.Error); !errors.As(err, &p) || p.Code != problem.FoundingCard || strings.Contains(p.Message, "\x1b") {
		t.Errorf("%v", err)
	}
	if text, err := c.FetchPaper(t.Context(), PathDraft); err != nil || string(text) != "draft" {
		t.Errorf("%q, %v", text, err)
	}
	_, err = c.FetchPaper(t.Context(), PathGenesis)
	if p := new(problem.Error); !errors.As(err, &p) || p.Code != problem.FoundingWaiting || !p.Retryable {
		t.Errorf("%v", err)
	}
	strange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write(make([]byte, maxLargePaper+1))
			return
		}
		_, _ = w.Write([]byte(`{"schema":"other/v1"}`))
	}))
	defer strange.Close()
	c.URL = strange.URL
	if _, err := c.Send(t.Context(), PathCard, []byte("good")); err == nil {
		t.Error("an answer of another schema is believed")
	}
	if _, err := c.FetchPaper(t.Context(), PathDraft); err == nil {
		t.Error("a paper without end is read")
	}
}
