package source

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// serving starts a service with TLS on loopback, and returns a source that asks
// it for /v1/t/CODE. change changes the declaration.
func serving(t testing.TB, handler http.HandlerFunc, change func(*Config)) *Source {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	c := Config{Name: "main", Kind: "http"}
	c.TLS.CA = filepath.Join(t.TempDir(), "ca.pem")
	put(t, c.TLS.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	c.Request = Request{URL: server.URL + "/v1/{table}/{code}"}
	c.Answer = Answer{Rows: "/rows", Total: "/total"}
	if change != nil {
		change(&c)
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// saying answers every request with a document.
func saying(document string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(w, document)
	}
}

// served is a dataset of a service: key and one text.
func served(kind catalog.Type) *catalog.Dataset {
	return &catalog.Dataset{Name: "t", Table: "t", Key: "key", Fields: []catalog.Field{{Name: "v", Type: kind}}}
}

// row1 is a row of firm 1.
func row1(v string) string { return fmt.Sprintf(`{"key":%q,"v":%s}`, code(1), v) }

// TestServiceAnswers: what an answer of a service means. Whatever is not as it
// was declared is an error, and never "none".
func TestServiceAnswers(t *testing.T) {
	one := row1(`"a"`)
	for name, c := range map[string]struct {
		document string
		change   func(*Config, *catalog.Dataset)
		want     string // rows
		code     Code
	}{
		"one row":                    {document: `{"total":1,"rows":[` + one + `]}`, want: "a|\n"},
		"the number as a text":       {document: `{"total":"1","rows":[` + one + `]}`, want: "a|\n"},
		"no rows":                    {document: `{"total":0,"rows":[]}`},
		"no rows, with nothing else": {document: `{"rows":[]}`, change: all, code: NoLoad},
		"no rows, with a day":        {document: `{"rows":[],"day":"2026-01-31"}`, change: day},
		"no rows, and live":          {document: `{"rows":[]}`, change: func(c *Config, d *catalog.Dataset) { all(c, d); c.Live = true }},
		"a row, and all":             {document: `{"rows":[` + one + `]}`, change: all, want: "a|\n"},
		"rows lost":                  {document: `{"total":2,"rows":[` + one + `]}`, code: LoadDiffers},
		"rows too many":              {document: `{"total":0,"rows":[` + one + `]}`, code: LoadDiffers},
		"no total":                   {document: `{"rows":[` + one + `]}`, code: BadAnswer},
		"a total of null":            {document: `{"total":null,"rows":[]}`, code: BadAnswer},
		"a total below 0":            {document: `{"total":-1,"rows":[]}`, code: BadAnswer},
		"a total with a fraction":    {document: `{"total":1.0,"rows":[` + one + `]}`, code: BadAnswer},
		"a total too large":          {document: `{"total":10001,"rows":[]}`, code: TooManyRows},
		"no day":                     {document: `{"rows":[]}`, change: day, code: NoLoad},
		"a day that is none":         {document: `{"rows":[],"day":"soon"}`, change: day, code: NoLoad},
		"a day of null":              {document: `{"rows":[],"day":null}`, change: day, code: NoLoad},
		"an error as an answer":      {document: `{"error":"no such table","total":0}`, code: BadAnswer},
		"rows of null":               {document: `{"total":0,"rows":null}`, code: BadAnswer},
		"a row of null":              {document: `{"total":1,"rows":[null]}`, code: BadAnswer},
		"a row that is a list":       {document: `{"total":1,"rows":[["a"]]}`, code: BadAnswer},
		"one record":                 {document: `{"total":1,"rows":` + one + `}`, want: "a|\n"},
		"nothing":                    {document: ``, code: BadAnswer},
		"a page of a proxy":          {document: `<html>`, code: BadAnswer},
		"two documents":              {document: `{"total":0,"rows":[]}{}`, code: BadAnswer},
		"a key twice":                {document: `{"total":1,"total":0,"rows":[]}`, code: BadAnswer},
		"a key twice within":         {document: `{"total":1,"rows":[{"key":"` + code(2) + `","key":"` + code(1) + `","v":"a"}]}`, code: BadAnswer},
		"a key twice, escaped":       {document: `{"total":1,"rows":[{"key":"` + code(1) + `","v":"a","\u0076":"b"}]}`, code: BadAnswer},
		"deep":                       {document: `{"total":0,"rows":[],"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, code: BadAnswer},
		"not UTF-8":                  {document: `{"total":0,"rows":[],"x":"` + "\xC3\xFB" + `"}`, code: BadAnswer},
		"a byte order mark":          {document: "\xEF\xBB\xBF" + `{"total":0,"rows":[]}`, code: BadAnswer},
		"NaN":                        {document: `{"total":1,"rows":[` + row1("NaN") + `]}`, code: BadAnswer},
		"somebody else":              {document: `{"total":1,"rows":[{"key":"` + code(2) + `","v":"a"}]}`, code: OtherSubject},
		"somebody else too":          {document: `{"total":2,"rows":[` + one + `,{"key":"` + code(2) + `","v":"a"}]}`, code: OtherSubject},
		"nobody":                     {document: `{"total":1,"rows":[{"key":"` + code(1)[:17] + `","v":"a"}]}`, code: OtherSubject},
		"a key of null":              {document: `{"total":1,"rows":[{"key":null,"v":"a"}]}`, code: OtherSubject},
		"no key":                     {document: `{"total":1,"rows":[{"v":"a"}]}`, code: MissingColumn},
		"a mended key":               {document: `{"total":1,"rows":[{"key":" uscc:` + strings.ToLower(code(1)) + `","v":"a"}]}`, want: "a|\n"},
		"no value":                   {document: `{"total":1,"rows":[{"key":"` + code(1) + `"}]}`, code: MissingColumn},
		"no value, left out":         {document: `{"total":1,"rows":[{"key":"` + code(1) + `"}]}`, change: func(c *Config, _ *catalog.Dataset) { c.Answer.OmitsEmpty = true }, want: "<nil>|\n"},
		"a value of null":            {document: `{"total":1,"rows":[` + row1("null") + `]}`, want: "<nil>|\n"},
		"a number":                   {document: `{"total":1,"rows":[` + row1("1.50") + `]}`, want: "1.50|\n"},
		"a large number":             {document: `{"total":1,"rows":[` + row1("12345678901234567890.12") + `]}`, want: "12345678901234567890.12|\n"},
		"an object":                  {document: `{"total":1,"rows":[` + row1("{}") + `]}`, code: BadValue},
		"half a pair":                {document: `{"total":1,"rows":[` + row1(`"\ud800"`) + `]}`, code: Encoding},
		"a control character":        {document: `{"total":1,"rows":[` + row1(`"\u001b[2J"`) + `]}`, code: BadValue},
		"not good":                   {document: `{"code":500,"total":0,"rows":[]}`, change: good, code: NotReadable},
		"good":                       {document: `{"code":0,"total":1,"rows":[` + one + `]}`, change: good, want: "a|\n"},
		"neither":                    {document: `{"total":0,"rows":[]}`, change: good, code: NotReadable},
		"none":                       {document: `{"code":"NO_RECORD"}`, change: good},
		"places":                     {document: `{"total":1,"a/b":{"m~n":[{"firm":{"code":"` + code(1) + `"},"v":["x","a"]}]}}`, change: pointers, want: "a|\n"},
		"a place within null":        {document: `{"total":1,"a/b":{"m~n":[{"firm":{"code":"` + code(1) + `"},"v":null}]}}`, change: pointers, want: "<nil>|\n"},
		"a place that is not there":  {document: `{"total":1,"a/b":{"m~n":[{"firm":{"code":"` + code(1) + `"},"v":["a"]}]}}`, change: pointers, code: MissingColumn},
		"one key":                    {document: `{"who":"` + code(1) + `","total":1,"rows":[{"v":"a"}]}`, change: who, want: "a|\n"},
		"one key of somebody else":   {document: `{"who":"` + code(2) + `","total":1,"rows":[{"v":"a"}]}`, change: who, code: OtherSubject},
		"none of somebody else":      {document: `{"who":"` + code(2) + `","total":0,"rows":[]}`, change: who, code: OtherSubject},
		"none, and a row":            {document: `{"code":"NO_RECORD","rows":[` + one + `]}`, change: good, code: BadAnswer},
		"none, and the record":       {document: `{"code":"NO_RECORD","rows":` + one + `}`, change: good, code: BadAnswer},
		"none, and a number":         {document: `{"code":"NO_RECORD","total":2,"rows":[]}`, change: good, code: BadAnswer},
		"none, in all places":        {document: `{"code":"NO_RECORD","who":"` + code(1) + `","total":0,"rows":[]}`, change: goodWho},
		"none, of somebody else":     {document: `{"code":"NO_RECORD","who":"` + code(2) + `"}`, change: goodWho, code: OtherSubject},
		"none, of null":              {document: `{"code":"NO_RECORD","who":null,"total":null,"rows":null}`, change: goodWho},
		"a record of nothing":        {document: `{"who":"` + code(1) + `","total":1,"rows":{ }}`, change: func(c *Config, d *catalog.Dataset) { who(c, d); c.Answer.OmitsEmpty = true }, code: BadAnswer},
		"one key that is not there":  {document: `{"total":0,"rows":[]}`, change: who, code: BadAnswer},
	} {
		d := served(catalog.TypeText)
		s := serving(t, saying(c.document), func(config *Config) {
			if c.change != nil {
				c.change(config, d)
			}
		})
		rows, err := rowsOf(s, context.Background(), d, subject(1))
		switch {
		case c.code == "" && (err != nil || show(rows) != c.want):
			t.Errorf("%s: %q, %v, want %q", name, show(rows), err, c.want)
		case c.code != "" && (err == nil || codeOf(t, err) != c.code):
			t.Errorf("%s: %q, %v, want %s", name, show(rows), err, c.code)
		}
		if err != nil && (strings.Contains(err.Error(), code(1)) || strings.Contains(err.Error(), code(2))) {
			t.Errorf("%s: a subject in %v", name, err)
		}
	}
}

// Changes of a declaration.
func all(c *Config, _ *catalog.Dataset) { c.Answer.Total, c.Answer.All = "", true }
func day(c *Config, d *catalog.Dataset) { all(c, d); c.Answer.AsOf = "/day" }
func who(c *Config, _ *catalog.Dataset) { c.Answer.Key = "/who" }
func good(c *Config, _ *catalog.Dataset) {
	c.Answer.OK, c.Answer.None = Sign{"/code", []string{"0"}}, Sign{"/code", []string{"NO_RECORD"}}
}
func goodWho(c *Config, d *catalog.Dataset) { good(c, d); who(c, d) }
func pointers(c *Config, d *catalog.Dataset) {
	c.Answer.Rows, d.Key, d.Fields[0].Column = "/a~1b/m~0n", "/firm/code", "/v/1"
}

// TestServiceOfACompleteRegister: "none" is an answer where the service says of
// which day it is whole.
func TestServiceOfACompleteRegister(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		live     bool
		want     string
	}{
		"today":                   {document: `{"day":"2026-11-28","total":0,"rows":[]}`, want: "answered 0.00 "},
		"last year":               {document: `{"day":"2025-11-28","total":0,"rows":[]}`, want: "stale  source.stale"},
		"next year":               {document: `{"day":"2027-11-28","total":0,"rows":[]}`, want: "invalid  source.load_differs"},
		"without a day":           {document: `{"total":0,"rows":[]}`, want: "invalid  source.no_load"},
		"live":                    {document: `{"day":"2026-11-28","total":0,"rows":[]}`, live: true, want: "answered 0.00 "},
		"declared to mean none":   {document: `{"code":"NO_RECORD"}`, want: "invalid  source.no_load"},
		"the same of a live one":  {document: `{"code":"NO_RECORD"}`, live: true, want: "answered 0.00 "},
		"cut off":                 {document: `{"day":"2026-11-28","total":0,"rows":[`, want: "invalid  source.bad_answer"},
		"fewer rows than it says": {document: `{"day":"2026-11-28","total":1,"rows":[]}`, want: "invalid  source.load_differs"},
	} {
		s := serving(t, saying(c.document), func(config *Config) {
			config.Answer.AsOf, config.Answer.None, config.Live = "/day", Sign{"/code", []string{"NO_RECORD"}}, c.live
		})
		item := consent.Item{Dataset: "debts", Output: "owed", Disclosure: consent.Value}
		answers, _ := s.Answers(context.Background(), debts(t, "state"), subject(2), []consent.Item{item}, catalog.At{Day: debtsToday})
		if got := fmt.Sprintf("%s %s %s", answers[0].Outcome, answers[0].Value, answers[0].Reason); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestServicePages: all pages are read, in each way to turn them, and a page
// that is lost, repeated or elsewhere is an error.
func TestServicePages(t *testing.T) {
	const pages = 3
	ways := map[string]func(*Config){
		"next":   func(c *Config) { c.Answer.Next = "/next" },
		"cursor": func(c *Config) { c.Answer.Cursor = "/cursor"; c.Request.URL += "?c={cursor}" },
		"page":   func(c *Config) { c.Request.URL += "?p={page}" },
		"body": func(c *Config) {
			c.Answer.Cursor = "/cursor"
			c.Request.Body = `{"of": ["{code}"], "from": "{cursor}"}`
		},
	}
	for way, declare := range ways {
		for fault, want := range map[string]Code{"": "", "lost": LoadDiffers, "circle": BadAnswer, "changed": Changed, "missing": NotReadable} {
			if way == "page" && fault == "circle" {
				continue // the number goes on
			}
			handler := func(w http.ResponseWriter, r *http.Request) {
				n := 1
				from := r.URL.Query().Get("c") + r.URL.Query().Get("p") + r.URL.Query().Get("n")
				if r.Method == http.MethodPost {
					var asked struct{ From string }
					if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
						t.Error(err)
					}
					from = asked.From
				}
				fmt.Sscanf(from, "%d", &n)
				total, next := pages, n+1
				switch {
				case fault == "circle" && n == 2:
					next = 2
				case fault == "lost" && n == 2:
					saying(`{"total":3,"rows":[],"next":null,"cursor":""}`)(w, r)
					return
				case fault == "changed" && n == 2:
					total++
				case fault == "missing" && n == 2:
					http.Error(w, "gone", http.StatusNotFound)
					return
				}
				more := ""
				if n < pages {
					more = fmt.Sprintf(`,"next":"?n=%d","cursor":%d`, next, next)
				}
				saying(fmt.Sprintf(`{"total":%d,"rows":[%s]%s}`, total, row1(fmt.Sprintf(`"%d"`, n)), more))(w, r)
			}
			s := serving(t, handler, declare)
			rows, err := rowsOf(s, context.Background(), served(catalog.TypeText), subject(1))
			switch {
			case want == "" && (err != nil || show(rows) != "1|\n2|\n3|\n"):
				t.Errorf("%s: %q, %v", way, show(rows), err)
			case want != "" && (err == nil || codeOf(t, err) != want):
				t.Errorf("%s, %s: %q, %v, want %s", way, fault, show(rows), err, want)
			}
		}
	}
}

// TestNextPageElsewhere: the next page is at the service's own address, or it
// is not asked for.
func TestNextPageElsewhere(t *testing.T) {
	var strayed atomic.Int64
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer other.Close()
	for _, next := range []string{other.URL + "/x", "//" + strings.TrimPrefix(other.URL, "https://") + "/x", "http://127.0.0.1/x", "https://a@127.0.0.1:1/x", "file:///etc/passwd", "gopher://x", "https://127.0.0.1.example.cn/", "\\\\x\\y", "https://[::1]:1/", "javascript:1"} {
		s := serving(t, saying(`{"total":2,"rows":[`+row1(`"a"`)+`],"next":`+fmt.Sprintf("%q", next)+`}`), func(c *Config) { c.Answer.Next = "/next" })
		if rows, err := rowsOf(s, context.Background(), served(catalog.TypeText), subject(1)); err == nil || codeOf(t, err) == "" {
			t.Errorf("%s: %q", next, show(rows))
		}
	}
	if strayed.Load() > 0 {
		t.Errorf("%d requests went elsewhere", strayed.Load())
	}
}

// payloads are texts that mean something to a server, a shell, a database, a
// parser of URLs or one of JSON.
var payloads = []string{
	"' OR '1'='1", "\" OR \"\"=\"", "'; DROP TABLE t; --", "1; SELECT pg_sleep(9)", "`id`", "$(id)", "${jndi:ldap://x}", "{{7*7}}", "{code}", "%7Bcode%7D", "../../etc/passwd", "..%2f..%2fetc", "..\\..\\x", "%2e%2e/", "./x", "/", "//x", "\\",
	"?", "?a=b", "a?b#c", "#", "#x", "&", "&admin=true", "a=b", ";", ";a=b", "@x", "a@b:c", ":80", "http://x/", "https://example.cn", "%", "%00", "%0d%0aX: y", "+", " ", "a b", "\t", "税务", "é", "\u202E", "\u200B", "\uFEFF",
	"<script>", "</a>", "<!--", "&lt;", "]]>", "\"", "\\\"", "\"}", "\",\"x\":\"y", "'", "\\u0022", "null", "true", "0x10", "1e999", "*", "*)(uid=*", "|", "||", "$", "$ne", "[$ne]", "~", "~0", "~1", "^", "=cmd|' /C calc'!A0", strings.Repeat("A", 3000),
}

// TestRequestInjection: whatever the name of a table and a cursor are, they
// arrive as one segment of the path, one value of the query, or one text of the
// body. Nothing else of the request changes.
func TestRequestInjection(t *testing.T) {
	if len(payloads) < 60 {
		t.Fatal(len(payloads))
	}
	type seen struct{ path, query, body string }
	var last seen
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last = seen{r.URL.EscapedPath(), r.URL.RawQuery, string(body)}
		saying(`{"total":0,"rows":[]}`)(w, r)
	}
	s := serving(t, handler, func(c *Config) {
		c.Request.URL += "?of={subject}&t={table}&x=1"
		c.Request.Body = `{"q": {"code": "{code}", "in": ["from {table}."]}, "n": 1}`
	})
	for _, p := range payloads {
		d := served(catalog.TypeText)
		d.Table = p
		last = seen{}
		if _, err := rowsOf(s, context.Background(), d, subject(1)); err != nil {
			t.Errorf("%q: %v", p, err)
			continue
		}
		segments := strings.Split(last.path, "/")
		name, err := url.PathUnescape(segments[2])
		query, bad := url.ParseQuery(last.query)
		var body struct {
			Q struct {
				Code string
				In   []string
			}
			N int
		}
		broken := json.Unmarshal([]byte(last.body), &body)
		switch {
		case len(segments) != 4 || err != nil || name != p || segments[3] != code(1):
			t.Errorf("%q: the path is %q", p, last.path)
		case bad != nil || len(query) != 3 || query.Get("t") != p || query.Get("of") != string(subject(1)) || query.Get("x") != "1":
			t.Errorf("%q: the query is %q", p, last.query)
		case broken != nil || body.Q.Code != code(1) || len(body.Q.In) != 1 || body.Q.In[0] != "from "+p+"." || body.N != 1:
			t.Errorf("%q: the body is %q", p, last.body)
		}
	}
	for _, p := range []string{"", ".", ".."} {
		d := served(catalog.TypeText)
		d.Table = p
		if _, err := rowsOf(s, context.Background(), d, subject(1)); err == nil {
			t.Errorf("%q: the path was %q", p, last.path)
		}
	}
}

// TestPointers: the examples of RFC 6901, and what is no pointer.
func TestPointers(t *testing.T) {
	document := []byte(`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`)
	for text, want := range map[string]string{"": string(document), "/foo": `["bar","baz"]`, "/foo/0": `"bar"`, "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3", "/g|h": "4", "/i\\j": "5", "/k\"l": "6", "/ ": "7", "/m~0n": "8"} {
		p, ok := parsePointer(text)
		got, found := p.find(document)
		if !ok || !found || string(got) != want {
			t.Errorf("%q: %s, %v, %v", text, got, ok, found)
		}
	}
	for _, text := range []string{"foo", "a/b", "~", "/~", "/~2", "/a~", "#/foo", "$.foo", "/\xff"} {
		if p, ok := parsePointer(text); ok {
			t.Errorf("%q is %q", text, p)
		}
	}
	for _, text := range []string{"/foo/2", "/foo/-", "/foo/00", "/foo/+1", "/foo/-1", "/foo/bar", "/foo/0/x", "/FOO", "/foo/", "/foo/1e0", "/foo/99999999999999999999"} {
		p, _ := parsePointer(text)
		if got, found := p.find(document); found {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, p := range payloads {
		object, err := json.Marshal(map[string]any{p: 1, "x": 2})
		if err != nil {
			t.Fatal(err)
		}
		place, ok := parsePointer("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
		if got, found := place.find(object); !ok || !found || string(got) != "1" {
			t.Errorf("%q: %s", p, got)
		}
	}
}

// TestServiceStatus: each status code has an outcome, and only a declared one
// means that there is no record.
func TestServiceStatus(t *testing.T) {
	for status, want := range map[int]Code{201: BadAnswer, 204: BadAnswer, 206: BadAnswer, 301: NotReadable, 302: NotReadable, 307: NotReadable, 304: NotReadable, 400: BadAnswer, 401: Denied, 403: Denied, 404: NotReadable, 410: BadAnswer, 418: BadAnswer, 429: Unreachable, 500: Unreachable, 503: Unreachable, 504: Unreachable} {
		var asked atomic.Int64
		handler := func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", "/v1/t/"+code(2))
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			if status != 204 && status != 304 {
				io.WriteString(w, `{"total":0,"rows":[]}`)
			}
		}
		_, err := rowsOf(serving(t, handler, nil), context.Background(), served(catalog.TypeText), subject(1))
		if err == nil || codeOf(t, err) != want || asked.Load() != 1 {
			t.Errorf("%d: %v after %d requests, want %s", status, err, asked.Load(), want)
		}
		if status/100 == 3 {
			continue
		}
		for what, want := range map[string]Code{"none": "", "unavailable": Unreachable, "invalid": BadAnswer} {
			s := serving(t, handler, func(c *Config) { c.Answer.Status = map[int]string{status: what} })
			rows, err := rowsOf(s, context.Background(), served(catalog.TypeText), subject(1))
			if want == "" && (err != nil || len(rows) > 0) || want != "" && (err == nil || codeOf(t, err) != want) {
				t.Errorf("%d as %s: %v", status, what, err)
			}
		}
	}
}

// TestServiceBounds: a service that is slow, endless, broken or another one is
// an error with a code, in bounded time and memory, and leaves nothing behind.
func TestServiceBounds(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("https_proxy", "http://127.0.0.1:1")
	body := `{"total":1,"rows":[` + row1(`"a"`) + `]}`
	hang := make(chan struct{})
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		change  func(*Config)
		want    Code
	}{
		"no proxy of the environment": {handler: saying(body)},
		"compressed": {handler: func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("accepts %q", got)
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, body)
			z.Close()
		}},
		"a bomb": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			blanks := []byte(strings.Repeat(" ", 1<<20))
			for range 20 { // the limit is 16 MiB
				z.Write(blanks)
			}
			z.Close()
		}, want: TooLarge},
		"compressed otherwise": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			saying(body)(w, r)
		}, want: BadAnswer},
		"not compressed": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			saying(body)(w, r)
		}, want: BadAnswer},
		"no type": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, body)
		}, want: BadAnswer},
		"a page": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, body)
		}, want: BadAnswer},
		"another encoding": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=gbk")
			io.WriteString(w, body)
		}, want: BadAnswer},
		"endless": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for chunk := strings.Repeat(" ", 1<<16); ; {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}, want: TooLarge},
		"slow": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for {
				if _, err := io.WriteString(w, " "); err != nil || r.Context().Err() != nil {
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, want: TimedOut},
		"silent": {handler: func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}, want: TimedOut},
		"cut off": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, body[:20])
		}, want: Unreachable},
		"closed":       {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: Unreachable},
		"another host": {handler: saying(body), change: func(c *Config) { c.TLS.Name = "register.example.cn" }, want: Untrusted},
		"a wrong door": {handler: saying(body), change: func(c *Config) { c.Request.URL = "https://127.0.0.1:1/{code}" }, want: Unreachable},
		"without TLS": {handler: saying(body), change: func(c *Config) {
			c.Request.URL = strings.Replace(c.Request.URL, "https", "http", 1)
			c.TLS = TLS{Off: true}
		}, want: BadAnswer},
		"no certificate": {handler: saying(body), change: func(c *Config) { c.TLS.CA += ".gone" }, want: NotReadable},
	} {
		s := serving(t, c.handler, c.change)
		s.timeout = 3 * time.Second // enough to connect on a busy machine
		if c.want != TimedOut {
			s.timeout = time.Minute // none of these waits for it
		}
		rows, err := rowsOf(s, context.Background(), served(catalog.TypeText), subject(1))
		switch {
		case c.want == "" && (err != nil || show(rows) != "a|\n"):
			t.Errorf("%s: %q, %v", name, show(rows), err)
		case c.want != "" && (err == nil || codeOf(t, err) != c.want):
			t.Errorf("%s: %q, %v, want %s", name, show(rows), err, c.want)
		}
		s.Close()
	}
	close(hang)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		left := make([]byte, 1<<20)
		left = left[:runtime.Stack(left, true)]
		if !strings.Contains(string(left), "node/source.(*service)") && !strings.Contains(string(left), "net/http.(*persistConn)") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, left)
		}
	}
}

// TestServiceSecrets: the secret of a service reaches the service alone, and is
// read each time.
func TestServiceSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	put(t, path, []byte("first\n"))
	var got atomic.Value
	handler := func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		http.Error(w, "", http.StatusForbidden)
	}
	bearer := serving(t, handler, func(c *Config) { c.Password.File = path })
	basic := serving(t, handler, func(c *Config) { c.Password.File, c.User = path, "atoll" })
	for _, secret := range []string{"first", "second"} {
		put(t, path, []byte(secret+"\n"))
		_, err := rowsOf(bearer, context.Background(), served(catalog.TypeText), subject(1))
		if got.Load() != "Bearer "+secret || err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v, %v", got.Load(), err)
		}
		r, _ := http.NewRequest("GET", "/", nil)
		r.SetBasicAuth("atoll", secret)
		if _, err := rowsOf(basic, context.Background(), served(catalog.TypeText), subject(1)); err == nil || got.Load() != r.Header.Get("Authorization") {
			t.Errorf("%v, %v", got.Load(), err)
		}
	}
	got.Store("")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := rowsOf(bearer, context.Background(), served(catalog.TypeText), subject(1)); err == nil || codeOf(t, err) != BadConfig || got.Load() != "" {
		t.Errorf("%v, %v", got.Load(), err)
	}
	put(t, path+"2", []byte("two\nlines"))
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	if _, err := rowsOf(bearer, context.Background(), served(catalog.TypeText), subject(1)); err == nil || codeOf(t, err) != BadConfig || got.Load() != "" {
		t.Errorf("%v, %v", got.Load(), err)
	}
}

// TestServiceConfig: what cannot be declared.
func TestServiceConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no URL":             func(c *Config) { c.Request.URL = "" },
		"no scheme":          func(c *Config) { c.Request.URL = "register.example.cn/{code}" },
		"another scheme":     func(c *Config) { c.Request.URL = "ftp://register.example.cn/{code}" },
		"no host":            func(c *Config) { c.Request.URL = "https:///{code}" },
		"a host by subject":  func(c *Config) { c.Request.URL = "https://{code}.example.cn/" },
		"a port by subject":  func(c *Config) { c.Request.URL = "https://example.cn:{page}/{code}" },
		"a user":             func(c *Config) { c.Request.URL = "https://a:b@example.cn/{code}" },
		"a fragment":         func(c *Config) { c.Request.URL += "#{code}" },
		"another parameter":  func(c *Config) { c.Request.URL += "?a={name}" },
		"open braces":        func(c *Config) { c.Request.URL += "?a={code" },
		"braces in braces":   func(c *Config) { c.Request.URL += "?a={{code}}" },
		"nobody":             func(c *Config) { c.Request.URL = "https://example.cn/{table}" },
		"a plain connection": func(c *Config) { c.Request.URL = "http://example.cn/{code}" },
		"TLS off for https":  func(c *Config) { c.TLS = TLS{Off: true} },
		"no authority":       func(c *Config) { c.TLS = TLS{} },
		"half a certificate": func(c *Config) { c.TLS.Cert = "x" },
		"a body of text":     func(c *Config) { c.Request.Body = "uscc={code}" },
		"a parameter bare":   func(c *Config) { c.Request.Body = `{"a": {code}}` },
		"braces in a body":   func(c *Config) { c.Request.Body = `{"a": "{x}"}` },
		"a key twice":        func(c *Config) { c.Request.Body = `{"a": "{code}", "a": 1}` },
		"a secret header":    func(c *Config) { c.Request.Headers = map[string]string{"Authorization": "x"} },
		"a broken header":    func(c *Config) { c.Request.Headers = map[string]string{"X-A": "a\r\nX-B: b"} },
		"a header's name":    func(c *Config) { c.Request.Headers = map[string]string{"X A": "a"} },
		"a host header":      func(c *Config) { c.Request.Headers = map[string]string{"host": "a"} },
		"no pointer":         func(c *Config) { c.Answer.Rows = "rows" },
		"no total":           func(c *Config) { c.Answer.Total = "" },
		"total and all":      func(c *Config) { c.Answer.All = true },
		"half a sign":        func(c *Config) { c.Answer.OK.At = "/code" },
		"a sign of nothing":  func(c *Config) { c.Answer.None.Is = []string{"0"} },
		"200 as none":        func(c *Config) { c.Answer.Status = map[int]string{200: "none"} },
		"302 as none":        func(c *Config) { c.Answer.Status = map[int]string{302: "none"} },
		"an outcome":         func(c *Config) { c.Answer.Status = map[int]string{404: "answered"} },
		"two ways":           func(c *Config) { c.Answer.Next = "/next"; c.Request.URL += "?p={page}" },
		"pages of all":       func(c *Config) { c.Answer.Total, c.Answer.All, c.Answer.Next = "", true, "/next" },
		"no cursor":          func(c *Config) { c.Answer.Cursor = "/cursor" },
		"a cursor from no":   func(c *Config) { c.Request.URL += "?c={cursor}" },
		"a cursor as a path": func(c *Config) { c.Answer.Cursor = "/cursor"; c.Request.URL += "/{cursor}" },
		"a first page":       func(c *Config) { c.Answer.FirstPage = 1 },
		"a path":             func(c *Config) { c.Path = "data" },
		"a user alone":       func(c *Config) { c.User = "atoll" },
		"two secrets":        func(c *Config) { c.Password = Secret{File: "a", Env: "b"} },
		"an encoding":        func(c *Config) { c.Encoding = "gb18030" },
	} {
		c := Config{Name: "main", Kind: "http", Request: Request{URL: "https://example.cn/{code}"}, Answer: Answer{Rows: "/rows", Total: "/total"}}
		c.TLS.CA = "ca.pem"
		if s, err := Open(c); err != nil {
			t.Fatal(err)
		} else {
			s.Close()
		}
		change(&c)
		s, err := Open(c)
		if err == nil || codeOf(t, err) != BadConfig {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			s.Close()
		}
	}
	if _, err := Open(Config{Name: "main", Kind: "csv", Path: t.TempDir(), Request: Request{URL: "https://example.cn/{code}"}}); err == nil || codeOf(t, err) != BadConfig {
		t.Error(err)
	}
}
