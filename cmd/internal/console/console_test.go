package console

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/access"
	"atoll/node/problem"
)

// world is a console with two tokens, at a server.
type world struct {
	t       *testing.T
	url     string
	done    []string // what forms have done
	refused []string // paths of pages that roles did not permit
	revoked bool
	events  chan Event // of the stream
	ended   chan error // with what it ended
}

var (
	errToken  = errors.New("the token does not count")
	errSilent = errors.New("no answer came")
	errHeld   = errors.New("it waits for a second person")
)

func newWorld(t *testing.T) *world {
	w := &world{t: t, events: make(chan Event), ended: make(chan error, mostStreams)}
	c := Config{
		Member: "bank-a", Zone: func() *time.Location { return time.UTC }, Titled: func(lang string) string {
			return cli.Text{Chinese: "甲银行", English: "Bank <A>"}.In(lang) + " (bank-a)"
		},
		Login: func(_ *http.Request, token string) (*access.Caller, error) {
			roles := map[string][]access.Role{"officer": {access.Officer}, "auditor": {access.Auditor}}[token]
			if roles == nil {
				return nil, errToken
			}
			return &access.Caller{Token: "id-" + token, Owner: "王经办 1001", Roles: roles}, nil
		},
		Valid: func(string) error {
			if w.revoked {
				return errToken
			}
			return nil
		},
		Refused: func(r *http.Request, c *access.Caller) { w.refused = append(w.refused, c.Token+" "+r.URL.Path) },
		Failure: func(err error) *cli.Failure {
			exit := cli.ExitUsage
			if errors.Is(err, errSilent) {
				exit = cli.ExitUnavailable
			}
			return &cli.Failure{Code: problem.Usage, Exit: exit, Message: err.Error(), Chinese: "出错", Partly: true, Hint: cli.Text{Chinese: "重试", English: "try again"}}
		},
		Instead: func(err error) string {
			if errors.Is(err, errHeld) {
				return "things/held"
			}
			return ""
		},
		Views: []View{
			{Path: "/", Nav: true, Title: cli.Text{Chinese: "概览", English: "Overview"}, Show: func(t *cli.Printer, r *http.Request) (*Page, error) {
				t.Say("你好 %s", "hello %s", access.Of(r.Context()).Operator())
				return &Page{Title: t.In("概览", "Overview"), Command: "atoll status"}, nil
			}},
			{Path: "/things/{name}", Nav: false, Roles: []access.Role{access.Officer}, Show: func(t *cli.Printer, r *http.Request) (*Page, error) {
				name := r.PathValue("name")
				if name == "none" {
					return nil, errors.New("there is no <thing>")
				}
				plain := strings.ReplaceAll(name, "\u202e", "")
				t.Section("表 %s", "table of %s", name)
				table := t.Columns(cli.Text{Chinese: "名", English: "name"}, cli.Text{Chinese: "数", English: "count"})
				table.Row(name, "7")
				table.Row("7", "7")
				t.Table(table)
				t.Page("Notice of " + name + "\n\n  1. first\n")
				return &Page{
					Title:   name,
					Ways:    []Way{{Label: name, To: "things/y"}},
					Columns: []Column{{Name: cli.Text{Chinese: "名", English: "name"}, Says: func(cell string) string { return cell + " the <thing>" }}, {Name: cli.Text{Chinese: "名", English: "name"}, To: Under("things/")}, {Name: cli.Text{Chinese: "数", English: "count"}, Mark: func(string) Mark { return Wait }}},
					Forms: []Form{
						{Action: "things/x", Submit: name, Fields: []Field{{Name: "f", Kind: "text", Label: name, Value: plain}, {Name: "word", Kind: "password"}, {Name: "of", Kind: "select", Value: plain, Options: [][2]string{{"", "none"}, {plain, name}}}}},
						{Action: "things/x", Submit: "second", Fields: []Field{{Name: "which", Kind: "hidden", Value: "2"}, {Name: "f", Kind: "text"}}},
					},
				}, nil
			}, Do: func(r *http.Request) (string, error) {
				if r.PostForm.Get("f") == "fails" {
					return "", errors.New("no <f>")
				}
				if r.PostForm.Get("f") == "silent" {
					return "", errSilent
				}
				if r.PostForm.Get("f") == "held" {
					return "", errHeld
				}
				w.done = append(w.done, r.PostForm.Get("f"))
				return "things/x", nil
			}},
			{Path: "/audits", Roles: []access.Role{access.Auditor}, Show: func(*cli.Printer, *http.Request) (*Page, error) {
				return &Page{Title: "for auditors", Forms: []Form{{Action: "things/x", Fields: []Field{{Name: "f", Kind: "text"}}}}}, nil
			}},
			{Path: "/stream", Roles: []access.Role{access.Officer}, Stream: func(r *http.Request, _ string, tell func(Event) error) (err error) {
				defer func() { w.ended <- err }()
				if r.URL.RawQuery == "endless" {
					for err == nil {
						err = tell(Event{ID: "1", Text: strings.Repeat("x", 1<<20)})
					}
					return err
				}
				if err := tell(Event{}); err != nil {
					return err
				}
				for {
					select {
					case e := <-w.events:
						if err := tell(e); err != nil || e.End {
							return err
						}
					case <-r.Context().Done():
						return r.Context().Err()
					}
				}
			}},
		},
	}
	s := New(c)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// reader returns a browser's client that does not follow redirects to pages it was
// not led to.
func (w *world) reader() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *world) do(c *http.Client, method, path string, form url.Values, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body []byte
	if resp.Header.Get("Content-Type") != "text/event-stream" { // which has no end
		if body, err = io.ReadAll(resp.Body); err != nil {
			w.t.Fatal(err)
		}
	}
	if resp.Header.Get("Content-Security-Policy") != policy || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		w.t.Errorf("%s %s: headers %v", method, path, resp.Header)
	}
	return resp, string(body)
}

func (w *world) signIn(token string) *http.Client {
	w.t.Helper()
	c := w.reader()
	resp, body := w.do(c, "POST", "/login", url.Values{"token": {token}})
	if resp.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("login: %d %s", resp.StatusCode, body)
	}
	return c
}

// A page is for those who have logged in by a token that still counts and has the
// role, and a form changes something only from a page of the console.
func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	stranger, officer, auditor := w.reader(), w.signIn("officer"), w.signIn("auditor")
	form := url.Values{"f": {"1"}}
	for _, c := range []struct {
		what, method, path string
		reader             *http.Client
		header             []string
		status             int
	}{
		{"a stranger's page", "GET", "/", stranger, nil, 303},
		{"a stranger's form", "POST", "/things/x", stranger, nil, 401},
		{"an officer's page", "GET", "/things/x", officer, nil, 200},
		{"a page of another role", "GET", "/things/x", auditor, nil, 403},
		{"a form of another role", "POST", "/things/x", auditor, nil, 403},
		{"a form of another site", "POST", "/things/x", officer, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a form of another origin", "POST", "/things/x", officer, []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, 403},
		{"a log-in of another site", "POST", "/login", stranger, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page that is none", "GET", "/nothing", officer, nil, 404},
		{"a method that is none", "DELETE", "/things/x", officer, nil, 405},
		{"a form where there is none", "POST", "/", officer, nil, 405},
		{"its script", "GET", "/proof.js", stranger, nil, 200},
		{"a stream of another role", "GET", "/stream", auditor, nil, 403},
		{"a stranger's stream", "GET", "/stream", stranger, nil, 303},
		{"a path that is not clean", "GET", "/things/../things/x", officer, nil, 404},
	} {
		resp, _ := w.do(c.reader, c.method, c.path, form, c.header...)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.what, resp.StatusCode, c.status)
		}
	}
	if want := []string{"id-auditor /things/x", "id-auditor /things/x", "id-auditor /stream"}; !slices.Equal(w.refused, want) {
		t.Errorf("refused: %q", w.refused)
	}
	if len(w.done) > 0 || len(w.ended) > 0 {
		t.Fatalf("done: %v, %d streams", w.done, len(w.ended))
	}
	if resp, _ := w.do(officer, "POST", "/things/x", form); resp.StatusCode != 303 || resp.Header.Get("Location") != "../things/x" || !slices.Equal(w.done, []string{"1"}) {
		t.Errorf("an officer's form: %d %q, %v", resp.StatusCode, resp.Header.Get("Location"), w.done)
	}
	w.revoked = true
	if resp, _ := w.do(officer, "POST", "/things/x", form); resp.StatusCode != 401 || len(w.done) != 1 {
		t.Errorf("by a revoked token: %d, %v", resp.StatusCode, w.done)
	}
	w.revoked = false
	if resp, _ := w.do(officer, "GET", "/", nil); resp.StatusCode != 303 {
		t.Errorf("the session goes on after its token was revoked: %d", resp.StatusCode)
	}
}

func TestLogin(t *testing.T) {
	w := newWorld(t)
	c := w.reader()
	resp, body := w.do(c, "POST", "/login", url.Values{"token": {"wrong-secret"}})
	if resp.StatusCode != 401 || strings.Contains(body, "wrong-secret") || len(resp.Cookies()) > 0 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := w.do(c, "GET", "/?token=officer", nil); resp.StatusCode != 303 {
		t.Errorf("a token in a URL: %d", resp.StatusCode)
	}
	resp, _ = w.do(c, "POST", "/login", url.Values{"token": {"officer"}})
	cookies := resp.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || strings.Contains(cookies[0].Value, "officer") {
		t.Errorf("cookies %v", cookies)
	}
	_, body = w.do(c, "GET", "/", nil, "Accept-Language", "zh-CN,zh;q=0.9")
	for _, want := range []string{`<html lang="zh-CN">`, "你好 王经办 1001", "概览", "atoll status"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	if resp, _ = w.do(c, "POST", "/language", url.Values{"language": {"en"}, "page": {"//evil.example/"}}); resp.Header.Get("Location") != "./evil.example/" {
		t.Errorf("choosing a language leads to %q", resp.Header.Get("Location"))
	}
	if _, body = w.do(c, "GET", "/", nil, "Accept-Language", "zh-CN"); !strings.Contains(body, "hello 王经办 1001") {
		t.Error(body)
	}
	old := c.Jar.Cookies(resp.Request.URL)
	if resp, _ = w.do(c, "POST", "/logout", nil); resp.StatusCode != 303 {
		t.Errorf("%d", resp.StatusCode)
	}
	c.Jar.SetCookies(resp.Request.URL, old)
	if resp, _ = w.do(c, "GET", "/", nil); resp.StatusCode != 303 {
		t.Errorf("the cookie still serves after logging out: %d", resp.StatusCode)
	}
}

// Text from outside stays text, and everything a page refers to is relative.
func TestHostileText(t *testing.T) {
	w := newWorld(t)
	c := w.signIn("officer")
	for _, name := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, "a\u202eb", `javascript:alert(1)`} {
		_, body := w.do(c, "GET", "/things/"+url.PathEscape(name), nil)
		for _, bad := range []string{"<script>alert", "<img", "' onmouse", "\u202e", `href="javascript`, "<style", "style=", `href="/`, `src="/`, `action="/`} {
			if strings.Contains(body, bad) {
				t.Errorf("%q: %q in %s", name, bad, body)
			}
		}
	}
	_, body := w.do(c, "GET", "/things/a%2Fb%3F", nil)
	for _, want := range []string{
		`<a href="../things/a%2Fb%3F">a/b? the &lt;thing&gt;</a>`, "Bank &lt;A&gt; (bank-a)</span>", `"><span class="mark wait">7</span></td>`, `<a href="../things/7">7 the &lt;thing&gt;</a>`, "<h2>table of a/b?</h2>", `<option value="">none</option><option value="a/b?" selected>a/b?</option>`,
		"<pre class=\"document\" lang=\"en\">\nNotice of a/b?\n\n  1. first</pre>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	resp, body := w.do(c, "GET", "/things/none", nil)
	if resp.StatusCode != 422 || !strings.Contains(body, "there is no &lt;thing&gt;") || !strings.Contains(body, "try again") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, _ = w.do(c, "POST", "/things/x", url.Values{"f": {"held"}})
	if to := resp.Header.Get("Location"); resp.StatusCode != 303 || to != "../things/held" {
		t.Errorf("a form whose request is held: %d %s", resp.StatusCode, to)
	}
	resp, _ = w.do(c, "POST", "/things/x", url.Values{"f": {strings.Repeat("x", maxForm)}})
	if resp.StatusCode != 422 || len(w.done) > 0 {
		t.Errorf("a form that is too large: %d, %v", resp.StatusCode, w.done)
	}
}

// The text of a file is the value of its field, for those who have logged in and up to
// a size.
func TestFilesOfForms(t *testing.T) {
	w := newWorld(t)
	c := w.signIn("officer")
	send := func(c *http.Client, size int) int {
		t.Helper()
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		part, err := m.CreateFormFile("f", "some <file>.log")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("POST", w.url+"/things/x", &body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", m.FormDataContentType())
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if status := send(c, maxForm); status != 303 || len(w.done) != 1 || len(w.done[0]) != maxForm {
		t.Errorf("%d, %d", status, len(w.done))
	}
	if status := send(c, maxUpload); status != 422 || len(w.done) != 1 {
		t.Errorf("a file that is too large: %d", status)
	}
	if status := send(w.reader(), maxForm); status == 303 || len(w.done) != 1 {
		t.Errorf("the file of a stranger: %d", status)
	}
	for _, kind := range []string{"multipart/mixed; boundary=b", "text/plain", "application/json", ""} { // of which nothing is read
		req, err := http.NewRequest("POST", w.url+"/things/x", strings.NewReader("--b--\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 422 || len(w.done) != 1 {
			t.Errorf("a form of the type %q: %d", kind, resp.StatusCode)
		}
	}
	f := Form{Fields: []Field{{Name: "f", Kind: kindFile, Value: "old"}}}
	if f.keep(url.Values{"f": {"secret"}}); !f.File() || f.Fields[0].Value != "old" {
		t.Errorf("%+v", f)
	}
}

// A session ends by itself, and a new one takes the place of the one that was
// unused for longest.
func TestSessions(t *testing.T) {
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	s := &sessions{now: func() time.Time { return at }}
	first := s.begin(&access.Caller{Token: "1"})
	for i := range 9 {
		at = at.Add(50 * time.Minute)
		if got := s.of(first) != nil; got != (i < 9) {
			t.Errorf("after %s: %v", at, got)
		}
	}
	at = at.Add(50 * time.Minute) // longer than sessionTime after it began
	if s.of(first) != nil {
		t.Error("a session lasts longer than its time")
	}
	second := s.begin(&access.Caller{Token: "2"})
	at = at.Add(sessionIdle + time.Second)
	if s.of(second) != nil {
		t.Error("a session that nobody used goes on")
	}
	var all []string
	for i := range maxSessions + 1 {
		at = at.Add(time.Second)
		all = append(all, s.begin(&access.Caller{Token: fmt.Sprint(i)}))
	}
	if len(s.by) != maxSessions || s.of(all[0]) != nil || s.of(all[1]) == nil || s.of("") != nil {
		t.Errorf("%d sessions", len(s.by))
	}
}

// Who logs in again and again with one token ends sessions of its own alone.
func TestSessionsOfOneToken(t *testing.T) {
	s := &sessions{now: time.Now}
	other := s.begin(&access.Caller{Token: "other"})
	first := s.begin(&access.Caller{Token: "one"})
	for range maxSessions {
		s.begin(&access.Caller{Token: "one"})
	}
	if s.of(other) == nil || s.of(first) != nil || len(s.by) != maxOfToken+1 {
		t.Errorf("of another: %t; %d sessions", s.of(other) != nil, len(s.by))
	}
}

// What a handler writes is read while it goes on, and closing ends it.
func TestWithin(t *testing.T) {
	ended := make(chan struct{})
	h := Within{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		if r.URL.Path == "/panic" {
			panic("no")
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintln(w, access.Of(r.Context()).Owner)
		<-r.Context().Done()
	})}
	ctx := access.With(context.Background(), &access.Caller{Owner: "Wang"})
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://atoll/x", nil)
	resp, err := h.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp, err)
	}
	line := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, line); err != nil || string(line) != "Wang\n" {
		t.Errorf("%q %v", line, err)
	}
	resp.Body.Close()
	<-ended
	ended = make(chan struct{})
	req.URL.Path = "/panic"
	if resp, err = h.RoundTrip(req); err != nil || resp.StatusCode != http.StatusInternalServerError {
		t.Error(resp, err)
	}
}

// A form that fails is shown again on its page, with what was sent; of two with one
// action it is that one. A page that this reader may not open is not shown for it.
func TestAgain(t *testing.T) {
	w := newWorld(t)
	c := w.signIn("officer")
	_, body := w.do(c, "GET", "/things/x?cursor=1", nil)
	if !strings.Contains(body, `<input type="hidden" name="page" value="/things/x?cursor=1">`) {
		t.Fatal(body)
	}
	resp, body := w.do(c, "POST", "/things/x", url.Values{"f": {"fails"}, "which": {"2"}, "word": {"secret"}, "page": {"/things/y"}})
	if resp.StatusCode != 422 || !strings.Contains(body, "no &lt;f&gt;") || !strings.Contains(body, "<h1>y</h1>") || strings.Count(body, `value="fails"`) != 2 || strings.Contains(body, "secret") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if _, body = w.do(c, "POST", "/things/x", url.Values{"f": {"fails"}, "which": {"3"}, "page": {"/things/y"}}); strings.Count(body, `value="fails"`) != 1 {
		t.Error(body)
	}
	for _, page := range []string{"", "things/x", "/things/none", "//evil.example/things/none", "/audits", "/nothing", "/login", "https://evil.example/things/x", "/things/%zz", "/a/../b"} {
		if resp, body = w.do(c, "POST", "/things/x", url.Values{"f": {"fails"}, "page": {page}}); resp.StatusCode != 422 || strings.Contains(body, `value="fails"`) || strings.Contains(body, "for auditors") || !strings.Contains(body, "no &lt;f&gt;") {
			t.Errorf("%q: %d %s", page, resp.StatusCode, body)
		}
	}
	if len(w.done) > 0 {
		t.Error(w.done)
	}
}

// A form that may have begun keeps its key, so that it is not done twice; one that did
// not begin has a new one.
func TestAgainKey(t *testing.T) {
	w := newWorld(t)
	c := w.signIn("officer")
	const key, told = `name="key" value="ONE-0"`, "It may have been done"
	for sent, begun := range map[string]bool{"silent": true, "fails": false} {
		_, body := w.do(c, "POST", "/things/x", url.Values{"f": {sent}, "key": {"ONE-0"}, "page": {"/things/x"}})
		if strings.Contains(body, key) != begun || strings.Contains(body, told) != begun || strings.Count(body, `name="key"`) != 2 {
			t.Errorf("%s: %s", sent, body)
		}
	}
	if _, body := w.do(c, "GET", "/things/x", nil); strings.Contains(body, key) {
		t.Error(body)
	}
}

// Tables of one page have names that differ, whatever they stand under.
func TestLabels(t *testing.T) {
	table, heading := cli.Part{Rows: [][]string{{"a"}}}, cli.Part{Text: "H", Kind: cli.PartHeading}
	s := &sheet{Page: &Page{Title: "T"}, Parts: []cli.Part{table, table, heading, table, {Text: "x"}, table, heading, table}}
	var got []string
	for n, p := range s.Parts {
		if p.Rows != nil {
			got = append(got, s.Label(n))
		}
	}
	if want := []string{"T", "T 2", "H", "H 2", "H 3"}; !slices.Equal(got, want) {
		t.Error(got)
	}
}

// stream opens a stream, and returns its lines.
func (w *world) stream(c *http.Client, path string) (*http.Response, *bufio.Reader) {
	w.t.Helper()
	resp, err := c.Get(w.url + path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewReader(resp.Body)
}

// A stream tells what happens, with ids; it ends by its end, and with the session of
// its reader. A token has a number of them.
func TestStream(t *testing.T) {
	w := newWorld(t)
	c := w.signIn("officer")
	go func() {
		for _, e := range []Event{{ID: "1-1", Cells: []string{"tax", "<b>"}, Mark: Good}, {ID: "1-2", End: true}} {
			w.events <- e
		}
	}()
	resp, lines := w.stream(c, "/stream")
	all, err := io.ReadAll(lines)
	if want := ": \n\nid: 1-1\ndata: {\"cells\":[\"tax\",\"\\u003cb\\u003e\"],\"mark\":\"good\"}\n\nid: 1-2\ndata: {\"end\":true}\n\n"; err != nil || string(all) != want || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%q %v %v", all, err, resp.Header)
	}
	if err := <-w.ended; err != nil {
		t.Error(err)
	}
	for range mostOfToken {
		w.stream(c, "/stream")
	}
	for what, reader := range map[string]*http.Client{"one more": c, "one of another session": w.signIn("officer")} {
		if resp, _ := w.do(reader, "GET", "/stream", nil); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", what, resp.StatusCode)
		}
	}
	if resp, _ := w.do(w.signIn("auditor"), "POST", "/logout", nil); resp.StatusCode != 303 || len(w.ended) > 0 {
		t.Errorf("somebody else logs out: %d, %d ended", resp.StatusCode, len(w.ended))
	}
	w.do(c, "POST", "/logout", nil)
	for range mostOfToken {
		select {
		case err := <-w.ended:
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a stream goes on")
		}
	}
}

// A reader that takes in nothing is cut off.
func TestStreamNotRead(t *testing.T) {
	w := newWorld(t)
	c := w.signIn("officer")
	at, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /stream?endless HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", at.Host, c.Jar.Cookies(at)[0])
	select {
	case err := <-w.ended:
		var late net.Error
		if !errors.As(err, &late) || !late.Timeout() {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it is not cut off")
	}
}

// Behind a proxy under a path all of it works: nothing is known of that path but what
// the browser makes of relative links, and the cookie counts there alone.
func TestBehindProxy(t *testing.T) {
	w := newWorld(t)
	to, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.StripPrefix("/bank-a/console", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}))
	defer proxy.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	base := proxy.URL + "/bank-a/console/"
	post := func(path string, form url.Values) (at, body string) {
		t.Helper()
		resp, err := c.PostForm(base+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(resp.Request.URL.String(), base), string(text)
	}
	if at, body := post("login", url.Values{"token": {"officer"}}); at != "" || !strings.Contains(body, "hello") {
		t.Fatal(at, body)
	}
	elsewhere, _ := url.Parse(proxy.URL + "/bank-b/")
	here, _ := url.Parse(base + "things/x")
	if len(jar.Cookies(elsewhere)) != 0 || len(jar.Cookies(here)) != 1 {
		t.Errorf("cookies %v, elsewhere %v", jar.Cookies(here), jar.Cookies(elsewhere))
	}
	if at, body := post("things/x", url.Values{"f": {"1"}}); at != "things/x" || !strings.Contains(body, `href="../style.css"`) {
		t.Error(at, body)
	}
	if at, _ := post("language", url.Values{"language": {"zh-CN"}, "page": {"/things/x"}}); at != "things/x" {
		t.Error(at)
	}
	go func() { w.events <- Event{ID: "1", Text: "one"} }()
	resp, err := c.Get(base + "stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, want := range []string{": \n", "\n", "id: 1\n"} { // before the stream has ended
		if line, err := lines.ReadString('\n'); err != nil || line != want {
			t.Errorf("%q %v", line, err)
		}
	}
	if at, _ := post("logout", nil); at != "login" {
		t.Error(at)
	}
	if err := <-w.ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(jar.Cookies(here)) != 1 { // the language alone
		t.Error(jar.Cookies(here))
	}
}

// Each group of pages is named once, and has those that the reader may open.
func TestNavigation(t *testing.T) {
	bank := cli.Text{Chinese: "银行", English: "Bank"}
	s := &console{nav: []View{{Path: "/"}, {Path: "/a", Group: bank, Roles: []access.Role{access.Officer}}, {Path: "/b"}, {Path: "/c", Group: bank, Roles: []access.Role{access.Officer, access.Risk}}, {Path: "/d", Idle: true}}}
	shape := func(c *access.Caller) (text string) {
		for _, n := range s.navigation(c) {
			text += n.Group.English + ":"
			for _, v := range n.Views {
				text += " " + v.Path
			}
			text += "; "
		}
		return text
	}
	if got := shape(&access.Caller{Roles: []access.Role{access.Officer}}); got != ": / /b; Bank: /a /c; " {
		t.Error(got)
	}
	if got := shape(&access.Caller{Roles: []access.Role{access.Auditor}}); got != ": / /b; " {
		t.Error(got)
	}
}

// What is printed keeps its paragraphs.
func TestJoined(t *testing.T) {
	got := joined([]cli.Part{{Text: ""}, {Text: "a"}, {Text: "b"}, {Text: ""}, {Text: "c"}, {Text: ""}, {Text: "H", Kind: cli.PartHeading}, {Text: "d"}, {Text: "e\n\nf", Kind: cli.PartDocument}, {Text: "g"}, {Rows: [][]string{}}, {Rows: [][]string{{"k", "v"}}}, {Rows: [][]string{{"l", "w"}}}})
	want := []cli.Part{{Text: "a\nb\n\nc"}, {Text: "H", Kind: cli.PartHeading}, {Text: "d"}, {Text: "e\n\nf", Kind: cli.PartDocument}, {Text: "g"}, {Rows: [][]string{{"k", "v"}, {"l", "w"}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
