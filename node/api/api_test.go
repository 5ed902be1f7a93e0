package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/node/access"
	"atoll/node/problem"
)

// Every defined operation is in the table, once, with an id and a path of its own.
func TestTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "table.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids, paths []string
	for _, o := range table {
		ids, paths = append(ids, o.properties().id), append(paths, o.properties().pattern())
	}
	defined := 0
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if f, ok := call.Fun.(*ast.Ident); ok && (f.Name == "one" || f.Name == "many") {
			defined++
			if id := strings.Trim(call.Args[0].(*ast.BasicLit).Value, `"`); !slices.Contains(ids, id) {
				t.Errorf("%s is not in the table", id)
			}
		}
		return true
	})
	for _, list := range [][]string{ids, paths} {
		slices.Sort(list)
		if n := len(slices.Compact(slices.Clone(list))); n != len(list) || n != defined || n < 16 {
			t.Errorf("%d operations are defined, the table has %d, %d different", defined, len(list), n)
		}
	}
}

// A GET changes nothing, and what changes something is for a role, but not for all.
func TestRolesOfTheTable(t *testing.T) {
	reads := []string{"find-endings", "find-offering", "read-approval"} // questions too long, or too private, for a path
	for _, o := range table {
		r := o.properties()
		if changes := r.method != http.MethodGet && !slices.Contains(reads, r.id); changes && len(r.roles) == len(anyone) || len(r.roles) == 0 {
			t.Errorf("%s is for %v", r.id, r.roles)
		}
		if r.method == http.MethodGet && (r.body() || r.status != http.StatusOK) {
			t.Errorf("%s is a GET with a body or a result of its own", r.id)
		}
	}
}

// slow is a body that does not end.
type slow struct{ io.Reader }

func (s slow) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); err != io.EOF {
		return n, err
	}
	return 0, &net.OpError{Op: "read", Err: context.DeadlineExceeded}
}

// What is no question is answered with a problem document that a client can read,
// before the node is asked: the server of this test has none.
func TestWrongQuestions(t *testing.T) {
	server := (&Server{}).Handler()
	officer := &access.Caller{Owner: "Wang 1001", Roles: []access.Role{access.Officer}}
	local := &access.Caller{Local: true}
	for name, c := range map[string]struct {
		caller       *access.Caller
		method, path string
		body         string
		header       string // NAME: VALUE
		status       int
		code         problem.Code
	}{
		"no such path":             {local, "GET", "/v1/none", "", "", 404, problem.NotFound},
		"the former way":           {local, "POST", "/v1/consent.list", "{}", "", 404, problem.NotFound},
		"no such path, as a HEAD":  {local, "HEAD", "/v1/none", "", "", 404, problem.NotFound},
		"a path that climbs":       {local, "GET", "/v1/members/../status", "", "", 404, problem.NotFound},
		"one that climbs, encoded": {local, "GET", "/v1/members/%2e%2e/status", "", "", 404, problem.NotFound},
		"an empty element":         {local, "GET", "/v1//status", "", "", 404, problem.NotFound},
		"a slash at the end":       {local, "GET", "/v1/status/", "", "", 404, problem.NotFound},
		"another method":           {local, "DELETE", "/v1/status", "", "", 405, problem.Method},
		"an unknown method":        {local, "BREW", "/v1/status", "", "", 405, problem.Method},
		"OPTIONS":                  {local, "OPTIONS", "/v1/queries", "", "", 405, problem.Method},
		"nobody":                   {new(access.Caller), "GET", "/v1/members", "", "", 403, problem.Forbidden},
		"another role":             {officer, "POST", "/v1/credentials", "{}", "", 403, problem.Forbidden},
		"another role, a GET":      {officer, "GET", "/v1/pending", "", "", 403, problem.Forbidden},
		"not JSON":                 {local, "POST", "/v1/runs", "{", "", 400, problem.Usage},
		"no body":                  {local, "POST", "/v1/runs", "", "", 400, problem.Usage},
		"two documents":            {local, "POST", "/v1/runs", "{} {}", "", 400, problem.Usage},
		"not an object":            {local, "POST", "/v1/runs", "[]", "", 422, problem.Usage},
		"not UTF-8":                {local, "POST", "/v1/runs", "{\"operator\":\"\xff\"}", "", 400, problem.Usage},
		"nested deep":              {local, "POST", "/v1/runs", strings.Repeat("[", 100_000), "", 400, problem.Usage},
		"a key twice":              {local, "POST", "/v1/runs", `{"operator":"Li","operator":"Wang"}`, "", 400, problem.Usage},
		"a key twice, escaped":     {local, "POST", "/v1/runs", `{"operator":"Li","\u006fperator":"Wang"}`, "", 400, problem.Usage},
		"a key twice, inside":      {local, "POST", "/v1/offerings", `{"offers":[{"agency":"tax","agency":"customs","items":[]}]}`, "", 400, problem.Usage},
		"unknown field":            {local, "POST", "/v1/runs", `{"operator":"Li","other":1}`, "", 422, problem.Usage},
		"a field in capitals":      {local, "POST", "/v1/runs", `{"Operator":"Li"}`, "", 422, problem.Usage},
		"another type":             {local, "POST", "/v1/runs", `{"wait_ms":"seven"}`, "", 422, problem.Usage},
		"a huge number":            {local, "POST", "/v1/runs", `{"wait_ms":1e30}`, "", 422, problem.Usage},
		"a number beyond all":      {local, "POST", "/v1/runs", `{"wait_ms":1e999}`, "", 400, problem.Usage},
		"a negative number":        {local, "POST", "/v1/rows", `{"months":-1}`, "", 422, problem.Usage},
		"a field is missing":       {local, "POST", "/v1/credentials", `{"subject":"uscc:x"}`, "", 422, problem.Usage},
		"not base64":               {local, "POST", "/v1/credentials/revocations", `{"statement":"?"}`, "", 422, problem.Usage},
		"no value of a list":       {local, "POST", "/v1/offerings", `{"offers":[{"agency":"tax","items":[{"dataset":"a","output":"b","disclosure":"all"}]}]}`, "", 422, problem.Usage},
		"another media type":       {local, "POST", "/v1/runs", `{}`, "Content-Type: text/plain", 415, problem.MediaType},
		"a form":                   {local, "POST", "/v1/runs", `{}`, "Content-Type: application/x-www-form-urlencoded", 415, problem.MediaType},
		"no media type":            {local, "POST", "/v1/runs", `{}`, "Content-Type: ", 415, problem.MediaType},
		"compressed":               {local, "POST", "/v1/runs", `{}`, "Content-Encoding: gzip", 415, problem.MediaType},
		"a body for none":          {local, "POST", "/v1/catalog/publications", `{}`, "", 422, problem.Usage},
		"a body of a GET":          {local, "GET", "/v1/status", `{}`, "", 422, problem.Usage},
		"too long":                 {local, "POST", "/v1/runs", `{"template":"` + strings.Repeat("x", maxQuestion) + `"}`, "", 413, problem.TooLarge},
		"too slow":                 {local, "POST", "/v1/runs", "slow", "", 408, problem.Usage},
		"no index":                 {local, "GET", "/v1/log/entries/seven", "", "", 422, problem.Usage},
		"a negative index":         {local, "GET", "/v1/log/entries/-1", "", "", 422, problem.Usage},
		"an index beyond all":      {local, "GET", "/v1/log/entries/18446744073709551616", "", "", 422, problem.Usage},
		"unknown parameter":        {local, "GET", "/v1/queries?all=true", "", "", 422, problem.Usage},
		"no number":                {local, "GET", "/v1/queries?limit=many", "", "", 422, problem.Usage},
		"a parameter twice":        {local, "GET", "/v1/queries?limit=1&limit=2", "", "", 422, problem.Usage},
		"a broken query":           {local, "GET", "/v1/queries?limit=%zz", "", "", 400, problem.Usage},
		"a semicolon":              {local, "GET", "/v1/queries?limit=1;2", "", "", 400, problem.Usage},
	} {
		var body io.Reader = strings.NewReader(c.body)
		if c.body == "slow" {
			body = slow{strings.NewReader(`{"operator":`)}
		}
		r := httptest.NewRequest(c.method, c.path, body)
		r.Header.Set("Content-Type", mediaJSON)
		if key, value, ok := strings.Cut(c.header, ": "); ok {
			r.Header.Set(key, value)
		}
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if recover() != nil {
					t.Errorf("%s: the node is asked", name)
				}
			}()
			as(c.caller, server).ServeHTTP(w, r)
		}()
		e, ok := problem.Read(w.Body.Bytes())
		if w.Code != c.status || !ok || e.Code != c.code || e.Message == "" || e.Hint == "" || w.Header().Get("Content-Type") != problem.ContentType || w.Header().Get("Cache-Control") != "no-store" || w.Body.Len() > 2000 {
			t.Errorf("%s: %d %.300s %v", name, w.Code, w.Body, w.Header())
		}
		if allow := w.Header().Get("Allow"); (c.status == 405) != (allow != "") {
			t.Errorf("%s: allowed is %q", name, allow)
		}
	}
}

// A message does not repeat the values of a question, which may be secret.
func TestProblemsDoNotRepeat(t *testing.T) {
	r := httptest.NewRequest("POST", "/v1/runs", strings.NewReader(`{"operator":7,"consent":["a secret"],"template":{"a":"a secret"}}`))
	r.Header.Set("Content-Type", mediaJSON)
	w := httptest.NewRecorder()
	as(&access.Caller{Local: true}, (&Server{}).Handler()).ServeHTTP(w, r)
	if text := w.Body.String(); w.Code != 422 || strings.Contains(text, "secret") || !strings.Contains(text, "body.consent: expected string") {
		t.Error(w.Code, text)
	}
}

// The client asks for what the table says: every field of a question is at its
// place, and escaped.
func TestRequests(t *testing.T) {
	for _, c := range []struct {
		row  row
		in   any
		want string
	}{
		{Status.row, Nothing{}, "/v1/status"},
		{PastQueries.row, PastQueriesIn{}, "/v1/queries"},
		{PastQueries.row, PastQueriesIn{Page{Limit: 7}}, "/v1/queries?limit=7"},
		{Members.row, MembersIn{All: true}, "/v1/members?all=true"},
		{MemberShow.row, MemberIn{"a/../b?c"}, "/v1/members/a%2F..%2Fb%3Fc"},
		{ProposalShow.row, ApproveIn{"{id}", "1"}, "/v1/proposals/%7Bid%7D/1"},
		{PendingDecide.row, DecisionIn{Query: "q", Body: DecisionMade{By: "Li"}}, `/v1/pending/q/decision {"approve":false,"by":"Li"}`},
		{MemberUpdate.row, MemberUpdateIn{URLs: []string{}}, `/v1/addresses {"urls":[]}`},
		{Query.row, QueryIn{Again: "q"}, `/v1/runs {"again":"q"}`},
	} {
		path, body, err := c.row.request(c.in)
		if got := strings.TrimSpace(fmt.Sprintf("%s %s", path, body)); err != nil || got != c.want {
			t.Errorf("%s: %s %v", c.want, got, err)
		}
	}
	var e *problem.Error
	if _, _, err := MemberShow.request(MemberIn{}); !errors.As(err, &e) || e.Code != problem.Usage {
		t.Error(err)
	}
	nobody := &Client{Socket: filepath.Join(t.TempDir(), "s")}
	if _, err := Call(context.Background(), nobody, Status, Nothing{}); err != ErrNotRunning {
		t.Error(err)
	}
}

// A client that stops sending is answered before it has gone.
func TestSlowBody(t *testing.T) {
	h := new(Server).handler()
	h.within = 200 * time.Millisecond
	server := httptest.NewServer(as(&access.Caller{Local: true}, h))
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/runs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	_ = c.SetReadDeadline(time.Now().Add(6 * readWait))
	answer := make([]byte, 1000)
	n, err := c.Read(answer)
	if err != nil || !strings.Contains(string(answer[:n]), " 408 ") {
		t.Errorf("%s %v", answer[:n], err)
	}
}

// Whoever only reads sends nothing that may change something.
func TestReading(t *testing.T) {
	sent := 0
	c := &Client{Reading: true, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		sent++
		return nil, io.EOF
	})}
	_, get := Call(t.Context(), c, TokenList, Nothing{})
	_, reads := Call(t.Context(), c, Endings, EndingsIn{})
	_, change := Call(t.Context(), c, QueryEnd, PastQueryIn{Query: "1"})
	if !errors.Is(get, io.EOF) || !errors.Is(reads, io.EOF) || errors.Is(change, io.EOF) || sent != 2 {
		t.Errorf("%d were sent: %v; %v; %v", sent, get, reads, change)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A question that says that it is too long is refused before its body is asked for.
func TestTooLongIsNotAskedFor(t *testing.T) {
	h := (&Server{}).Handler()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), &access.Caller{Local: true})))
	}))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/endings HTTP/1.1\r\nHost: bank\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", maxQuestion+1)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, " 413 ") {
		t.Errorf("%q, %v", line, err)
	}
}

// Who prefers Chinese reads the page of the API in Chinese; the document is in English.
func TestPageInChinese(t *testing.T) {
	h := (&Server{Deeds: map[string]string{Status.ID(): "查看节点状态"}}).Handler()
	get := func(path, language string) (http.Header, string) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Header(), w.Body.String()
	}
	for language, want := range map[string]struct{ tag, has, hasNot string }{
		"zh-CN,zh;q=0.9,en;q=0.8": {"zh-CN", "查看节点状态", "How this node is"}, "en": {"en", "How this node is. Roles: officer", "查看节点状态"}, "": {"en", "How this node is. Roles: officer", "角色"},
	} {
		header, page := get("/v1/docs", language)
		if header.Get("Content-Language") != want.tag || header.Get("Vary") != "Accept-Language" || !strings.Contains(page, `<html lang="`+want.tag+`">`) || !strings.Contains(page, want.has) || strings.Contains(page, want.hasNot) {
			t.Errorf("%q: %v\n%.1500s", language, header, page)
		}
	}
	if _, text := get("/v1/openapi.json", "zh"); !strings.Contains(text, "How this node is") {
		t.Error("the document is in another language")
	}
}
