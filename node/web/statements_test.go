package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

func body(t testing.TB, statement, sealed []byte) []byte {
	t.Helper()
	b, err := sign.Marshal(submission{Statement: statement, Sealed: sealed})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func post(h http.Handler, body []byte, kind string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/log/statements", bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The bytes on the wire are an interface, in both directions.
func TestStatementsOnTheWire(t *testing.T) {
	var got [][]byte
	s := &Statements{Carry: func(_ context.Context, statement, sealed []byte, seen uint64) (Result, error) {
		got = append(got, statement, sealed, []byte{byte(seen)})
		return Result{Verdict: "consent.key", Index: 7, Time: 1_700_000_000_000, New: true, Detail: "not one of <the> keys"}, nil
	}}
	for _, b := range [][]byte{{0x83, 0x43, 'a', 'b', 'c', 0x40, 0}, {0x83, 0x41, 'a', 0x42, 'b', 'c', 0x18, 77}} {
		w := post(s, b, "application/cbor")
		const want = `{"schema":"atoll.answer/v1","data":{"verdict":"consent.key","index":7,"time":1700000000000,"new":true,"known":false,` +
			`"detail":"not one of \u003cthe\u003e keys","told":[],"pending":false,"proof":null}}`
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		h := w.Header()
		if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers %v", h)
		}
	}
	if text := fmt.Sprintf("%q", got); text != `["abc" "" "\x00" "a" "bc" "M"]` {
		t.Errorf("carried: %s", text)
	}
}

func TestStatementsRefuse(t *testing.T) {
	var fail error
	s := &Statements{Carry: func(context.Context, []byte, []byte, uint64) (Result, error) { return Result{}, fail }}
	good := body(t, []byte("statement"), nil)
	large := body(t, []byte("statement"), make([]byte, MaxSubmission))
	inner := errors.New("disk /var/lib/atoll failed")
	for name, c := range map[string]struct {
		body   []byte
		kind   string
		fail   error
		status int
		code   string
	}{
		"no type":               {good, "", nil, 415, problem.MediaType},
		"JSON":                  {good, "application/json", nil, 415, problem.MediaType},
		"a form":                {good, "text/plain", nil, 415, problem.MediaType},
		"bad type":              {good, "application/cbor;;", nil, 415, problem.MediaType},
		"too large":             {large, mediaType, nil, 413, problem.TooLarge},
		"empty":                 {nil, mediaType, nil, 400, problem.Malformed},
		"empty array":           {[]byte{0x80}, mediaType, nil, 400, problem.Malformed},
		"one element":           {[]byte{0x81, 0x41, 'a'}, mediaType, nil, 400, problem.Malformed},
		"two elements":          {[]byte{0x82, 0x41, 'a', 0x40}, mediaType, nil, 400, problem.Malformed},
		"four elements":         {[]byte{0x84, 0x41, 'a', 0x40, 0, 0}, mediaType, nil, 400, problem.Malformed},
		"a size below nothing":  {[]byte{0x83, 0x41, 'a', 0x40, 0x20}, mediaType, nil, 400, problem.Malformed},
		"text":                  {[]byte{0x83, 0x61, 'a', 0x40, 0}, mediaType, nil, 400, problem.Malformed},
		"null":                  {[]byte{0x83, 0x41, 'a', 0xf6, 0}, mediaType, nil, 400, problem.Malformed},
		"longer form":           {[]byte{0x83, 0x58, 0x01, 'a', 0x40, 0}, mediaType, nil, 400, problem.Malformed},
		"indefinite":            {[]byte{0x9f, 0x41, 'a', 0x40, 0xff}, mediaType, nil, 400, problem.Malformed},
		"trailing byte":         {append(bytes.Clone(good), 0), mediaType, nil, 400, problem.Malformed},
		"cut":                   {good[:len(good)-1], mediaType, nil, 400, problem.Malformed},
		"no statement":          {body(t, nil, []byte("x")), mediaType, nil, 400, problem.Malformed},
		"too large a statement": {body(t, make([]byte, sign.MaxStatement+1), nil), mediaType, nil, 400, problem.Malformed},
		"signature":             {good, mediaType, fmt.Errorf("x: %w", problem.New(problem.Unverified, "x")), 422, problem.Unverified},
		"kind":                  {good, mediaType, problem.New(problem.Malformed, "a kind"), 422, problem.Malformed},
		"no leader":             {good, mediaType, problem.New(problem.Unavailable, "the disk is slow"), 503, problem.Unavailable},
		"broken within":         {good, mediaType, inner, 500, problem.Internal},
	} {
		fail = c.fail
		s.rates = clients{}
		w := post(s, c.body, c.kind)
		var p struct {
			Title, Detail, Code, Hint string
			Status                    int
			Retryable                 bool
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s: %v in %s", name, err, w.Body)
		}
		if w.Code != c.status || p.Status != c.status || p.Code != c.code || p.Detail == "" || p.Hint == "" || p.Title == "" ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if p.Retryable != (w.Code >= 500) || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	for _, kind := range []string{"application/cbor", "Application/CBOR", "application/cbor; x=1"} {
		if w := post(s, good, kind); w.Code == 415 {
			t.Errorf("%s: %d", kind, w.Code)
		}
	}
	if w := get(s, "GET", "/log/statements"); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
}

// Both handlers on one mux, as a node has them.
func TestMux(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/log/", Log(newLog(t, 3).source()))
	mux.Handle("POST /log/statements", &Statements{Carry: func(_ context.Context, statement, sealed []byte, seen uint64) (Result, error) {
		return Result{Verdict: ledger.Accepted, Index: 3, New: true, Detail: string(statement) + string(sealed)}, nil
	}})
	s := httptest.NewServer(mux)
	defer s.Close()
	c := &Client{URL: s.URL + "/", HTTP: s.Client()}
	fetch(t, c, "checkpoint")
	got, err := c.Submit(t.Context(), []byte("state"), []byte("ment"), 0)
	if want := (Result{Verdict: ledger.Accepted, Index: 3, New: true, Detail: "statement", Told: []string{}}); !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRateLimit(t *testing.T) {
	s := &Statements{Carry: func(context.Context, []byte, []byte, uint64) (Result, error) { return Result{}, nil }}
	good := body(t, []byte("statement"), nil)
	codes := map[int]int{}
	var last *httptest.ResponseRecorder
	for range burst + 20 {
		last = post(s, good, mediaType)
		codes[last.Code]++
	}
	if codes[200] < burst || codes[429] == 0 {
		t.Errorf("answers: %v", codes)
	}
	if last.Code == 429 && last.Header().Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
}

func TestClients(t *testing.T) {
	var c clients
	now := time.Unix(1000, 0)
	for i := range burst + 1 {
		if ok := c.allow(fmt.Sprintf("10.0.0.1:%d", i+1), now); ok != (i < burst) {
			t.Fatalf("statement %d: %v", i, ok)
		}
	}
	if !c.allow("10.0.0.2:1", now) {
		t.Error("one client counts for another")
	}
	if c.allow("[::ffff:10.0.0.1]:1", now) {
		t.Error("the same address in another form is another client")
	}
	if !c.allow("10.0.0.1:1", now.Add(time.Second)) || c.allow("10.0.0.1:1", now.Add(time.Second)) {
		t.Error("not one a second")
	}
	if a, b := clientAt("[2001:db8::1]:1"), clientAt("[2001:db8:0:ffff::2]:1"); a != b || a == clientAt("[2001:db8:1::1]:1") {
		t.Errorf("%v, %v", a, b)
	}
	if clientAt("@") != clientAt("") || clientAt("fe80::1%eth0") != (netip.Prefix{}) {
		t.Error("what is no address")
	}
}

// However many addresses come, the table stays small, and all newcomers
// together have a limit.
func TestClientsAreBounded(t *testing.T) {
	var c clients
	now := time.Unix(1000, 0)
	address := func(i int) string { return fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255) }
	allowed := 0
	for i := range 3 * maxClients {
		if c.allow(address(i), now) {
			allowed++
		}
	}
	if len(c.known) != maxClients || allowed > maxClients+strangers*burst {
		t.Errorf("%d clients known, %d statements allowed", len(c.known), allowed)
	}
	later := now.Add(burst * time.Second)
	if !c.allow("192.0.2.1:1", later) || len(c.known) != 1 {
		t.Errorf("%d clients known long after", len(c.known))
	}
}

// The number of submissions that wait for the log is limited.
func TestCarriedAtOnce(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	s := &Statements{Carry: func(context.Context, []byte, []byte, uint64) (Result, error) {
		inside <- true
		<-leave
		return Result{}, nil
	}}
	good := body(t, []byte("statement"), nil)
	send := func(i int) int {
		r := httptest.NewRequest("POST", "/log/statements", bytes.NewReader(good))
		r.Header.Set("Content-Type", mediaType)
		r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1", i/carriedOfOne)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	var all sync.WaitGroup
	for i := range carriedAtOnce {
		all.Go(func() {
			if code := send(i); code != 200 {
				t.Errorf("%d", code)
			}
		})
		<-inside
	}
	if code := send(200); code != 503 {
		t.Errorf("one too many: %d", code)
	}
	close(leave)
	all.Wait()
}

// One client that has the maximum of submissions under way, while the log
// stands still, leaves room for others.
func TestCarriedOfOne(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	s := &Statements{Carry: func(context.Context, []byte, []byte, uint64) (Result, error) {
		inside <- true
		<-leave
		return Result{}, nil
	}}
	good := body(t, []byte("statement"), nil)
	send := func(from string) int {
		r := httptest.NewRequest("POST", "/log/statements", bytes.NewReader(good))
		r.Header.Set("Content-Type", mediaType)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	var all sync.WaitGroup
	begin := func(from string) {
		all.Go(func() {
			if code := send(from); code != 200 {
				t.Errorf("%s: %d", from, code)
			}
		})
		<-inside
	}
	for i := range carriedOfOne {
		begin(fmt.Sprintf("[2001:db8:0:%d::1]:1", i))
	}
	if code := send("[2001:db8:0:ffff::1]:1"); code != 503 {
		t.Errorf("one too many of one client: %d", code)
	}
	begin("10.0.0.1:1")
	close(leave)
	all.Wait()
}

func FuzzSubmission(f *testing.F) {
	f.Add(body(f, []byte("statement"), nil))
	f.Add(body(f, []byte("statement"), []byte("sealed")))
	f.Add([]byte("\x83IstatementFsealed\x04"))
	f.Add([]byte{0x82, 0x41, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Statements{Carry: func(_ context.Context, statement, sealed []byte, seen uint64) (Result, error) {
			again, err := sign.Marshal(submission{Statement: statement, Sealed: sealed, Seen: seen})
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("%x is read as %x, %x, %d (%v)", b, statement, sealed, seen, err)
			}
			return Result{}, nil
		}}
		if w := post(s, b, mediaType); w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Errorf("%x: %d", b, w.Code)
		}
	})
}

// Revocations of existing consents are accepted even after others from the same
// address have used up its rate and its slots.
func TestFirstThroughTheDoor(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	s := &Statements{
		Carry: func(_ context.Context, statement, _ []byte, _ uint64) (Result, error) {
			if string(statement) != "known" {
				inside <- true
				<-leave
			}
			return Result{Verdict: ledger.Accepted}, nil
		},
		First: func(statement []byte) bool { return string(statement) == "known" },
	}
	send := func(statement string) int { return post(s, body(t, []byte(statement), nil), mediaType).Code }
	var all sync.WaitGroup
	for range carriedOfOne {
		all.Go(func() {
			if code := send("unknown"); code != 200 {
				t.Errorf("%d", code)
			}
		})
		<-inside
	}
	for range burst {
		s.rates.allow("192.0.2.1:1234", time.Now()) // the address of httptest's requests
	}
	if code := send("unknown"); code != 429 {
		t.Errorf("over its rate: %d", code)
	}
	if w := post(s, []byte("no submission"), mediaType); w.Code != 429 {
		t.Errorf("malformed and over its rate: %d", w.Code)
	}
	if code := send("known"); code != 200 {
		t.Errorf("the one that goes first: %d", code)
	}
	close(leave)
	all.Wait()
}
