package source

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"atoll/node/catalog"
)

// Request says how a service is asked about one subject. Texts may have the
// parameters {code} (the bare code), {subject} (with its scheme), {scheme},
// {table} (of the catalog), {cursor} and {page}.
type Request struct {
	URL     string            `yaml:"url"`               // https://HOST/PATH?QUERY; parameters in path and query
	Body    string            `yaml:"body,omitempty"`    // a JSON document with parameters in its texts; the request is then a POST
	Headers map[string]string `yaml:"headers,omitempty"` // further headers
}

// Answer says what a service's answer means. Places are JSON pointers (RFC
// 6901).
type Answer struct {
	Rows       string         `yaml:"rows"`                  // the list of rows, or the one record; "" is the whole document
	Key        string         `yaml:"key,omitempty"`         // the subject's code, where rows do not have it
	Total      string         `yaml:"total,omitempty"`       // the number of rows on all pages
	All        bool           `yaml:"all,omitempty"`         // declares that one answer has all rows of a subject
	AsOf       string         `yaml:"as_of,omitempty"`       // the day of which the register is complete
	OK         Sign           `yaml:"ok,omitempty"`          // what every good answer says
	None       Sign           `yaml:"none,omitempty"`        // what says that there is no record
	Status     map[int]string `yaml:"status,omitempty"`      // outcomes of HTTP status codes other than 200: none, unavailable or invalid
	Next       string         `yaml:"next,omitempty"`        // the URL of the next page
	Cursor     string         `yaml:"cursor,omitempty"`      // {cursor} of the next page
	FirstPage  int            `yaml:"first_page,omitempty"`  // the first {page}, by default 1
	OmitsEmpty bool           `yaml:"omits_empty,omitempty"` // a member without a value may be absent
}

// Sign is a value at a place of an answer.
type Sign struct {
	At string   `yaml:"at"`
	Is []string `yaml:"is"` // the values, as text
}

func (s Sign) given() bool { return s.At != "" || len(s.Is) > 0 }

// places are the parsed pointers of an Answer; nil where there is none.
type places struct {
	rows                                     pointer
	key, total, asOf, ok, none, next, cursor *pointer
}

// outcomes are what a status code may be declared to mean.
var outcomes = []string{"none", "unavailable", "invalid"}

// newService checks the declaration of a service.
func newService(c Config, form *form) (*service, *Error) {
	v := &service{request: c.Request, answer: c.Answer, live: c.Live, user: c.User, password: c.Password, tls: c.TLS, form: form}
	var ok bool
	if v.url, ok = parseURL(c.Request.URL); !ok {
		return nil, misconfigured("request.url is https://HOST/PATH?QUERY, with {code} and other parameters in path and query, without user, # or other braces")
	}
	if c.Request.Body != "" {
		if v.body, ok = parseBody(c.Request.Body); !ok {
			return nil, misconfigured("request.body is a JSON document, with {code} and other parameters within its texts")
		}
	}
	for name, value := range c.Request.Headers {
		if !goodHeader(name, value) {
			return nil, misconfigured("request.headers has a name or a value that cannot be declared: visible ASCII, and no header that the client sets itself; a key belongs in password")
		}
	}
	if err := v.access(c); err != nil {
		return nil, err
	}
	if err := v.places.parse(c.Answer); err != nil {
		return nil, err
	}
	return v, v.paging()
}

// access checks how the service is reached.
func (v *service) access(c Config) *Error {
	plain := v.url.base.Scheme == "http"
	switch {
	case plain != c.TLS.Off:
		return misconfigured("a URL of http:// needs tls: {off: true}, and one of https:// an authority (tls: {ca: FILE})")
	case !v.has("code") && !v.has("subject"):
		return misconfigured("the request does not say about whom: {code} or {subject} belongs in url, body or headers")
	}
	if err := c.TLS.check(); err != nil {
		return err
	}
	if err := c.Password.check(); err != nil {
		return err
	}
	if c.User != "" && (!c.Password.Given() || strings.Contains(c.User, ":") || !visible(c.User)) {
		return misconfigured("user of a service goes with a password, and has no colon")
	}
	v.client = v.newClient()
	return nil
}

// has reports whether the request has a parameter.
func (v *service) has(parameter string) bool {
	if mentions(v.request.URL, parameter) || v.body != nil && v.body.has(parameter) {
		return true
	}
	for _, value := range v.request.Headers {
		if mentions(value, parameter) {
			return true
		}
	}
	return false
}

func (p *places) parse(a Answer) *Error {
	var ok bool
	if p.rows, ok = parsePointer(a.Rows); !ok {
		return notPointer()
	}
	for _, one := range []struct {
		text string
		into **pointer
	}{{a.Key, &p.key}, {a.Total, &p.total}, {a.AsOf, &p.asOf}, {a.OK.At, &p.ok}, {a.None.At, &p.none}, {a.Next, &p.next}, {a.Cursor, &p.cursor}} {
		if one.text == "" {
			continue
		}
		parsed, ok := parsePointer(one.text)
		if !ok {
			return notPointer()
		}
		*one.into = &parsed
	}
	for _, s := range []Sign{a.OK, a.None} {
		if s.given() && (s.At == "" || len(s.Is) == 0) {
			return misconfigured("answer.ok and answer.none have a place (at) and its values (is)")
		}
	}
	for code, what := range a.Status {
		if code < 201 || code > 599 || code/100 == 3 || !slices.Contains(outcomes, what) {
			return misconfigured("answer.status gives codes of HTTP other than 200 and 3xx one of none, unavailable, invalid")
		}
	}
	if a.All == (a.Total != "") {
		return misconfigured("answer: say by which number the rows are all there (total), or that one answer has them all (all: true)")
	}
	return nil
}

func notPointer() *Error {
	return misconfigured("a place in an answer is a JSON pointer such as /data/rows (RFC 6901)")
}

// paging checks that there is one way to the next page, and that the request
// uses it.
func (v *service) paging() *Error {
	ways := 0
	for _, used := range []bool{v.places.next != nil, v.places.cursor != nil, v.has("page")} {
		if used {
			ways++
		}
	}
	switch {
	case ways > 1 || ways > 0 && v.answer.All:
		return misconfigured("answer has one way to the next page, next, cursor or {page}, and none with all: true")
	case (v.places.cursor != nil) != v.has("cursor"):
		return misconfigured("answer.cursor and {cursor} in the request belong together")
	case v.places.next != nil && v.body != nil:
		return misconfigured("answer.next is a URL that is asked for without a body")
	case v.answer.FirstPage != 0 && !v.has("page") || v.answer.FirstPage < 0:
		return misconfigured("answer.first_page belongs to {page} in the request")
	case mentions(v.url.path, "cursor"):
		return misconfigured("{cursor} belongs in the query or the body: the first page has none")
	}
	return nil
}

// firstPage returns the number of the first page.
func (v *service) firstPage() int {
	if v.answer.FirstPage != 0 {
		return v.answer.FirstPage
	}
	return 1
}

// sameOrigin reports whether a URL is of the service's scheme, host and port.
func (v *service) sameOrigin(u *url.URL) bool {
	return u.User == nil && u.Scheme == v.url.base.Scheme && strings.EqualFold(u.Hostname(), v.url.base.Hostname()) && port(u) == port(v.url.base)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}

// values returns the parameters of a request about a code.
func values(d *catalog.Dataset, code, cursor string, page int) map[string]string {
	scheme := schemeOf(code)
	return map[string]string{"code": code, "subject": scheme + code, "scheme": strings.TrimSuffix(scheme, ":"), "table": d.Table, "cursor": cursor, "page": strconv.Itoa(page)}
}

// fault is what a status code means that is not 200.
func (v *service) fault(status int) (none bool, err *Error) {
	e := &Error{Code: NotReadable, File: v.host()}
	switch what := v.answer.Status[status]; {
	case what == "none":
		return true, nil
	case what == "unavailable":
		e.Code, e.Detail = Unreachable, "the service does not answer now, as its status says: try again later"
	case what == "invalid":
		e.Code, e.Detail = BadAnswer, "the service refuses the question, as its status says: correct the request in node.yaml"
	case status/100 == 3:
		e.Detail = "the service sends us elsewhere, which is not followed: correct request.url"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Code, e.Detail = Denied, "the service refuses our credentials: correct password, or the certificate"
	case status == http.StatusNotFound:
		e.Detail = "the service knows no such address; if that means that there is no record, declare it (answer.status: {404: none})"
	case status == http.StatusTooManyRequests:
		e.Code, e.Detail = Unreachable, "the service is asked too often: try again later"
	case status/100 == 5:
		e.Code, e.Detail = Unreachable, "the service failed: try again later"
	default:
		e.Code, e.Detail = BadAnswer, "a status of HTTP that is not declared: see answer.status"
	}
	return false, e
}
