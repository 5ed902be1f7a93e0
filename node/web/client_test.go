package web

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"atoll/node/problem"
)

// Strangers may answer anything. The client reports what it was, without
// anything that could harm a terminal.
func TestClientErrors(t *testing.T) {
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		code      string
		retryable bool
	}{
		"not found":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\x1b[2J", 404) }, problem.NotFound, false},
		"forbidden":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\x1b[2J", http.StatusForbidden) }, problem.Internal, false},
		"bad gateway": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\x1b[2J", http.StatusBadGateway) }, problem.Unavailable, true},
		"too many":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusTooManyRequests) }, problem.Unavailable, true},
		"hangs up":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, problem.Unavailable, true},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "1")
		}, problem.Unavailable, true},
		"another page": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, problem.Internal, false},
		"other schema": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"schema":"x/v1","data":{}}`) }, problem.Internal, false},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, problem.Internal, false},
		"problem": {func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, 422, &problem.Error{Code: "consent.key", Message: "\x1b[31mred\u202e" + strings.Repeat("授", 1000), Hint: "h", Retryable: true})
		}, "consent.key", true},
	} {
		s := httptest.NewServer(c.answer)
		_, err := (&Client{URL: s.URL}).Submit(t.Context(), []byte("statement"), nil, 0)
		var e *problem.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Retryable != c.retryable || e.Hint == "" {
			t.Errorf("%s: %+v", name, err)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\x1b\u202e") || len(err.Error()) > 2*maxPrintable || !utf8.ValidString(err.Error())) {
			t.Errorf("%s: %q", name, err)
		}
		s.Close()
	}
}

func TestClientAnswerIsPrintable(t *testing.T) {
	s := httptest.NewServer(&Statements{Carry: func(context.Context, []byte, []byte, uint64) (Result, error) {
		return Result{Verdict: "a\x1b", Detail: "成功\u3000\u202e"}, nil
	}})
	defer s.Close()
	got, err := (&Client{URL: s.URL}).Submit(t.Context(), []byte("x"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != "a\ufffd" || got.Detail != "成功\u3000\ufffd" {
		t.Errorf("%+v", got)
	}
}

func TestClientAddresses(t *testing.T) {
	for _, url := range []string{"", "tax.example.cn", "tax.example.cn:80", "ftp://tax.example.cn", "file:///etc/passwd", "https://", "http://\x00"} {
		var e *problem.Error
		if _, err := (&Client{URL: url}).Fetch(t.Context(), "log/checkpoint"); !errors.As(err, &e) || e.Code != problem.Usage {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestClientStops(t *testing.T) {
	s := httptest.NewServer(Log(newLog(t, 1).source()))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Client{URL: s.URL}).Fetch(ctx, "log/checkpoint"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s.Close()
	var e *problem.Error
	if _, err := (&Client{URL: s.URL}).Fetch(t.Context(), "log/checkpoint"); !errors.As(err, &e) || e.Code != problem.Unavailable || !e.Retryable {
		t.Errorf("nobody there: %v", err)
	}
}

// A small compressed answer must not fill the memory.
func TestClientLimitsWhatIsUnpacked(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 2 * MaxResource >> 20 {
			if _, err := z.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		z.Close()
	}))
	defer s.Close()
	var e *problem.Error
	data, err := (&Client{URL: s.URL}).Fetch(t.Context(), "log/tile/entries/000")
	if !errors.As(err, &e) || data != nil {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// A client can use the addresses in consents as they are.
func TestCheckURL(t *testing.T) {
	for address, good := range map[string]bool{
		"https://atoll.example.cn": true, "http://192.0.2.7:4712": true, "https://[2001:db8::1]:8443": true,
		"": false, "atoll.example.cn": false, "ftp://atoll.example.cn": false, "https://": false, "https://:443": false, "https://a.example/": false, "https://a.example/log": false,
		"https://a.example?x=1": false, "https://a.example#x": false, "https://user@a.example": false, "https://a.example:0": false, "https://a.example:65536": false, "https://a.example:": false,
		"HTTPS://a.example": false, "/dns4/a.example/tcp/443": false, "https://a b.example": false,
	} {
		if err := CheckURL(address); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// What CheckURL lets pass for a card that is on the log does not all come onto a
// new one.
func TestCheckAnnounced(t *testing.T) {
	for address, good := range map[string]bool{
		"https://atoll.example.cn": true, "http://192.0.2.7:4712": true, "https://[2001:db8::7]:4712": true, "https://xn--8b0a.cn": true,
		"http://127.0.0.1:4712": true, "http://localhost:4712": true, // a warning, see Narrow
		"": false, "atoll.example.cn": false, "https://tax_office.example.cn": false, "https://税务.cn": false, "https://-a.cn": false, "https://a..cn": false,
		"http://0.0.0.0:4712": false, "http://[::]:4712": false, "http://[::ffff:0.0.0.0]:4712": false,
	} {
		if err := CheckAnnounced(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
	for address, narrow := range map[string]bool{
		"http://127.0.0.1:4712": true, "http://localhost": true, "http://[::1]:1": true, "http://[fe80::7]:1": true,
		"http://192.0.2.7": false, "https://atoll.example.cn": false, "": false, "/ip4/127.0.0.1/tcp/1": false,
	} {
		if Narrow(address) != narrow {
			t.Errorf("%q: %t", address, !narrow)
		}
	}
}
