package source

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
)

// A template of a request is a text with parameters such as {code}. There is no
// other syntax. A parameter is escaped for its place: it is one segment of a
// path or a part of one, a part of a value of a query, a part of a text of JSON,
// or a part of a header. It can never become more than that.

// parameters are the names that braces may have in them.
var parameters = []string{"code", "subject", "scheme", "table", "cursor", "page"}

var (
	braced = expression(`\{[^{}]*\}`)
	aToken = expression("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$") // name of a header
)

// fill replaces the parameters of a text.
func fill(text string, values map[string]string, escape func(string) string) string {
	return braced().ReplaceAllStringFunc(text, func(name string) string { return escape(values[name[1:len(name)-1]]) })
}

// wellFormed reports whether all that is in braces is a parameter.
func wellFormed(text string) bool {
	for _, name := range braced().FindAllString(text, -1) {
		if !slices.Contains(parameters, name[1:len(name)-1]) {
			return false
		}
	}
	return !strings.ContainsAny(braced().ReplaceAllString(text, ""), "{}")
}

// mentions reports whether a text has a parameter.
func mentions(text, parameter string) bool { return strings.Contains(text, "{"+parameter+"}") }

// urlTemplate is a template of a URL.
type urlTemplate struct {
	path, query string // query with its ?, or ""
	base        *url.URL
}

// parseURL parses the template of a URL. It must be whole and without anything
// that is not part of a request to its host.
func parseURL(text string) (*urlTemplate, bool) {
	path, query, asked := strings.Cut(text, "?")
	if asked {
		query = "?" + query
	}
	if !wellFormed(text) || strings.ContainsAny(text, "#\\") {
		return nil, false
	}
	t := &urlTemplate{path: path, query: query}
	scheme, rest, ok := strings.Cut(path, "://")
	host, _, _ := strings.Cut(rest, "/")
	if !ok || scheme != "https" && scheme != "http" || strings.ContainsAny(host, "{}@") {
		return nil, false
	}
	u, err := t.fill(map[string]string{"code": "c", "subject": "s", "scheme": "s", "table": "t", "cursor": "c", "page": "1"})
	if err != nil || u.Hostname() == "" {
		return nil, false
	}
	t.base = u
	return t, true
}

// errTemplate means that a template has no place for a value.
var errTemplate = misconfigured("the name of the table, or a cursor, cannot stand in the URL")

func (t *urlTemplate) fill(values map[string]string) (*url.URL, error) {
	for _, name := range parameters {
		// Not even escaped is a segment of dots a name: servers resolve it.
		if v := values[name]; mentions(t.path, name) && (v == "" || strings.Trim(v, ".") == "") {
			return nil, errTemplate
		}
	}
	u, err := url.Parse(fill(t.path, values, url.PathEscape) + fill(t.query, values, url.QueryEscape))
	if err != nil {
		return nil, errTemplate
	}
	if t.base != nil && (u.Scheme != t.base.Scheme || u.Host != t.base.Host) {
		return nil, errTemplate
	}
	return u, nil
}

// bodyTemplate is a template of a JSON document, with parameters in its texts.
type bodyTemplate struct{ document any }

func parseBody(text string) (*bodyTemplate, bool) {
	if !strictJSON([]byte(text)) {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var b bodyTemplate
	if d.Decode(&b.document) != nil || d.Decode(new(any)) != io.EOF {
		return nil, false
	}
	good := true
	b.walk(b.document, func(s string) string {
		good = good && wellFormed(s)
		return s
	})
	return &b, good
}

// walk returns a copy of a document with other texts. Keys stay.
func (b *bodyTemplate) walk(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = b.walk(v[i], change)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, value := range v {
			object[key] = b.walk(value, change)
		}
		return object
	}
	return v
}

func (b *bodyTemplate) fill(values map[string]string) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(b.walk(b.document, func(s string) string { return fill(s, values, func(v string) string { return v }) }))
	return bytes.TrimSpace(out.Bytes()), err
}

// has reports whether a text of the document has a parameter.
func (b *bodyTemplate) has(parameter string) (found bool) {
	b.walk(b.document, func(s string) string {
		found = found || mentions(s, parameter)
		return s
	})
	return found
}

// ownHeaders are the headers that the client sets itself.
var ownHeaders = []string{"authorization", "host", "content-length", "content-type", "connection", "transfer-encoding", "te", "trailer", "upgrade", "accept", "accept-encoding", "cache-control", "cookie", "expect", "proxy-authorization"}

// goodHeader reports whether a header may be declared.
func goodHeader(name, value string) bool {
	return aToken().MatchString(name) && !slices.Contains(ownHeaders, strings.ToLower(name)) && wellFormed(value) && visible(value) && !mentions(value, "cursor")
}

// visible reports whether a text can be the value of a header.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
