package access

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/operators"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/vault"
)

// counter counts what it does, and answers as the path says.
type counter struct {
	mu   sync.Mutex
	done int
	wait chan struct{}
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.done++
	n := c.done
	c.mu.Unlock()
	if r.URL.Path == "/slow" {
		<-c.wait
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/secret":
		KeepNot(r.Context())
	case "/long":
		fmt.Fprint(w, strings.Repeat("x", maxKept+1))
		return
	case "/busy":
		problem.Write(w, 429, problem.New(problem.TooMany, "busy"))
		return
	case "/unbegun":
		NotBegun(r.Context())
		problem.Write(w, 503, problem.New(problem.NoLeader, "none"))
		return
	case "/wrong":
		problem.Write(w, 422, problem.New(problem.Usage, fmt.Sprint(n)))
		return
	}
	w.Header().Set("Location", fmt.Sprint("/v1/things/", n))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"n":%d}`, n)
}

// A request with a key is done once, whatever comes again under the key.
func TestRepeats(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	h := &counter{wait: make(chan struct{})}
	s := outside(t, g, h)
	_, wang := create(t, g, officer("Wang"))
	_, li := create(t, g, officer("Li"))
	send := func(secret, key, path, body string) (int, http.Header, string) {
		status, header, got := ask(t, s.Client(), "POST", s.URL+path, map[string]string{"Authorization": "Bearer " + secret, RepeatHeader: key}, body)
		return status, header, string(got)
	}
	for _, path := range []string{"/x", "/wrong"} {
		before := h.done
		status, header, body := send(wang, path, path, "{}")
		again, replayed, same := send(wang, `"`+path+`"`, path, "{}") // the same key
		if again != status || same != body || replayed.Get("Location") != header.Get("Location") || replayed.Get("Content-Type") != header.Get("Content-Type") || replayed.Get(ReplayedHeader) != "true" || h.done != before+1 {
			t.Errorf("%s: %d %q, then %d %q, done %d times", path, status, body, again, same, h.done-before)
		}
	}
	for name, c := range map[string]struct{ path, body string }{"another body": {"/x", "{ }"}, "another path": {"/y", "{}"}, "a query": {"/x?a=1", "{}"}} {
		before := h.done
		if status, _, body := send(wang, "/x", c.path, c.body); status != 422 || codeOf([]byte(body)) != problem.RepeatOther || h.done != before {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, header, _ := send(li, "/x", "/x", "{}"); status != 201 || header.Get(ReplayedHeader) != "" {
		t.Errorf("the key of another caller: %d %v", status, header)
	}
	for _, path := range []string{"/secret", "/long"} {
		send(wang, path, path, "{}")
		before := h.done
		if status, _, body := send(wang, path, path, "{}"); status != 409 || codeOf([]byte(body)) != problem.RepeatNotKept || h.done != before {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	before := h.done
	for i, path := range []string{"/busy", "/unbegun"} {
		send(wang, path, path, "{}")
		if send(wang, path, path, "{}"); h.done != before+2*(i+1) {
			t.Errorf("%s: what was not begun cannot be sent again", path)
		}
	}
	for _, key := range []string{"", `""`, strings.Repeat("k", maxKey+1), "a b", `a"b`, `"a`, "ä", `a\b`} {
		before := h.done
		if status, _, body := send(wang, key, "/x", "{}"); status != 422 && status != 200 || status == 422 && codeOf([]byte(body)) != problem.RepeatKey || h.done != before {
			t.Errorf("key %q: %d %s", key, status, body)
		}
	}
	if status, _, body := send(wang, "large", "/x", strings.Repeat(" ", maxBody+1)); status != 413 || codeOf([]byte(body)) != problem.TooLarge {
		t.Errorf("%d %s", status, body)
	}
}

// A body with a key that does not come is told so, and nothing about this side.
func TestSlowBodyWithKey(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	g.repeats.within = 50 * time.Millisecond
	h := &counter{}
	s := outside(t, g, h)
	_, secret := create(t, g, officer("Wang"))
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n%s: k\r\nContent-Length: 9\r\n\r\n{", secret, RepeatHeader)
	a, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != 408 || codeOf(body) != problem.Usage || strings.Contains(string(body), "127.0.0.1") || h.done > 0 {
		t.Errorf("%d %s %v", a.StatusCode, body, err)
	}
	header := map[string]string{"Authorization": "Bearer " + secret, RepeatHeader: "k"}
	if status, _, body := ask(t, s.Client(), "POST", s.URL+"/x", header, "{}"); status != 201 {
		t.Errorf("once it comes: %d %s", status, body)
	}
}

// Who is given another's certificate has keys of their own.
func TestRepeatsOfNextOwner(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	h := &counter{}
	s := outside(t, g, h)
	theirs := certificate(t, time.Now().Add(time.Hour))
	tr := s.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.Certificates = []tls.Certificate{theirs}
	id := FingerprintOf(theirs.Certificate[0])
	for i, name := range []string{"Wang", "Li"} {
		w := officer(name)
		w.Bound = hex.EncodeToString(id[:])
		token, _ := create(t, g, w)
		if status, header, body := ask(t, &http.Client{Transport: tr}, "POST", s.URL+"/x", map[string]string{RepeatHeader: "k"}, "{}"); status != 201 || header.Get(ReplayedHeader) != "" || h.done != i+1 {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if _, err := g.Revoke(token.ID, local()); err != nil {
			t.Fatal(err)
		}
	}
}

// While a request is under way, the same under its key is told so, and another is
// refused.
func TestRepeatsAtOnce(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	h := &counter{wait: make(chan struct{})}
	s := outside(t, g, h)
	_, secret := create(t, g, officer("Wang"))
	header := map[string]string{"Authorization": "Bearer " + secret, RepeatHeader: "k"}
	results := make(chan int, 9)
	for range 9 {
		go func() {
			status, answer, body := ask(t, s.Client(), "POST", s.URL+"/slow", header, "{}")
			if status == 409 && (codeOf(body) != problem.RepeatRunning || answer.Get("Retry-After") == "") {
				t.Errorf("%d %s %v", status, body, answer)
			}
			results <- status
		}()
	}
	for range 8 {
		if status := <-results; status != 409 {
			t.Errorf("%d", status)
		}
	}
	if status, _, body := ask(t, s.Client(), "POST", s.URL+"/slow", header, "[]"); status != 422 || codeOf(body) != problem.RepeatOther {
		t.Errorf("%d %s", status, body)
	}
	close(h.wait)
	if status := <-results; status != 201 || h.done != 1 {
		t.Errorf("%d, done %d times", status, h.done)
	}
}

// After a restart a key has the answer that was given, and one whose request was under
// way is not done again.
func TestRepeatsOverRestart(t *testing.T) {
	dir, secretOfVault := t.TempDir(), sign.NewSecret()
	h := &counter{wait: make(chan struct{})}
	open := func() (*Gate, func()) {
		v, err := vault.Open(filepath.Join(dir), secretOfVault)
		if err != nil {
			t.Fatal(err)
		}
		g, err := Open(Config{Dir: dir, Member: "bank", Memory: node.Repeats(v)})
		if err != nil {
			t.Fatal(err)
		}
		return g, func() { g.Close(); v.Close() }
	}
	g, stop := open()
	_, secret := create(t, g, officer("Wang"))
	s := outside(t, g, h)
	header := func(key string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + secret, RepeatHeader: key}
	}
	_, _, first := ask(t, s.Client(), "POST", s.URL+"/x", header("done"), "{}")
	// A process that is killed leaves what begin has stored.
	c := g.tokens[0].caller()
	at, who := slot(c, "killed")
	r, err := http.NewRequest("POST", s.URL+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, e := g.repeats.begin(at, who, requestDigest(r, c, []byte("{}"))); e != nil {
		t.Fatal(e)
	}
	s.Close()
	stop()
	g, stop = open()
	defer stop()
	s = outside(t, g, h)
	before := h.done
	if status, _, body := ask(t, s.Client(), "POST", s.URL+"/x", header("done"), "{}"); status != 201 || string(body) != string(first) {
		t.Errorf("%d %s, want %s", status, body, first)
	}
	if status, _, body := ask(t, s.Client(), "POST", s.URL+"/x", header("killed"), "{}"); status != 409 || codeOf(body) != problem.RepeatUnknown {
		t.Errorf("%d %s", status, body)
	}
	if h.done != before {
		t.Errorf("done %d times more", h.done-before)
	}
}

// The keys of a caller are bounded, and so are the bytes that are kept under them.
func TestManyKeys(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	h := &counter{}
	s := outside(t, g, h)
	_, secret := create(t, g, officer("Wang"))
	_, who := slot(g.tokens[0].caller(), "")
	header := map[string]string{"Authorization": "Bearer " + secret, RepeatHeader: "k"}
	for _, full := range []amount{{keys: maxKeys}, {bytes: maxAllKept}} {
		full.counted = time.Now()
		g.repeats.counts = map[string]*amount{who: &full}
		if status, _, body := ask(t, s.Client(), "POST", s.URL, header, ""); status != 429 || codeOf(body) != problem.RepeatMany || h.done > 0 {
			t.Errorf("%d %s", status, body)
		}
	}
	g.repeats.counts[who].counted = time.Time{} // they have expired since
	if status, _, body := ask(t, s.Client(), "POST", s.URL, header, ""); status != 201 {
		t.Errorf("%d %s", status, body)
	}
	s.Close() // waits for what is kept
	kept := *g.repeats.counts[who]
	g.repeats.counts = nil
	if again, err := g.repeats.amountOf(who); err != nil || kept.keys != 1 || again.keys != 1 || again.bytes == 0 || again.bytes > kept.bytes {
		t.Errorf("%+v, counted again %+v, %v", kept, again, err)
	}
}

// What a client with a key has begun ends with its token, also once the client has gone.
func TestRepeatEndsWithItsToken(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	token, secret := create(t, g, officer("Wang"))
	began, ended := make(chan context.Context), make(chan error, 1)
	s := outside(t, g, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began <- r.Context()
		<-r.Context().Done()
		ended <- context.Cause(r.Context())
	}))
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set(RepeatHeader, "k")
	left := make(chan struct{})
	go func() {
		defer close(left)
		if a, err := s.Client().Do(r); err == nil {
			a.Body.Close()
			t.Error("an answer")
		}
	}()
	done := <-began
	leave()
	<-left
	select { // the server notices within moments that the client has gone
	case <-done.Done():
		t.Fatal("it ended with its client")
	case <-time.After(300 * time.Millisecond):
	}
	if _, err := g.Revoke(token.ID, local()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != errRevoked {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
}

// The record of how a request ended names what it was about.
func TestAbout(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	_, secret := create(t, g, officer("Wang"))
	s := outside(t, g, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { About(r.Context(), "/v1/queries/q1") }))
	for _, key := range []string{"", "k"} {
		header := map[string]string{"Authorization": "Bearer " + secret}
		if key != "" {
			header[RepeatHeader] = key
		}
		if status, _, body := ask(t, s.Client(), "POST", s.URL+"/v1/runs", header, ""); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	s.Close() // waits for their ends
	n := 0
	for _, r := range records(t, dir) {
		if r.Kind == operators.End && r.About == "/v1/queries/q1" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d records name it", n)
	}
}
