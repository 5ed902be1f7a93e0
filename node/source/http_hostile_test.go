package source

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"atoll/node/catalog"
)

// TestServiceBetween: what comes from a proxy or a cache between is no answer of
// the service.
func TestServiceBetween(t *testing.T) {
	type header map[string]string
	none := map[int]string{404: "none"}
	answer := fmt.Sprintf(`{"total":1,"rows":[%s]}`, row1(`"a"`))
	json := "application/json"
	for name, c := range map[string]struct {
		status int
		header header
		body   string
		change func(*Config)
		want   string // rows
		code   Code
	}{
		"no record, without a body":      {404, header{}, "", nil, "", ""},
		"no record, as the service says": {404, header{"Content-Type": "application/problem+json"}, `{"title":"no record"}`, nil, "", ""},
		"a page of a proxy":              {404, header{"Content-Type": "text/html"}, "<html><h1>404 Not Found</h1>nginx", nil, "", NotReadable},
		"the text of a router":           {404, header{"Content-Type": "text/plain"}, "404 page not found", nil, "", NotReadable},
		"a page that lies about itself":  {404, header{"Content-Type": json}, "<html>", nil, "", NotReadable},
		"no record, and a row":           {404, header{"Content-Type": json}, answer, nil, "", BadAnswer},
		"from a cache":                   {200, header{"Content-Type": json, "Age": "86400"}, answer, live, "", Stale},
		"from a cache, of an odd age":    {200, header{"Content-Type": json, "Age": "-1"}, answer, live, "", Stale},
		"from a cache, just now":         {200, header{"Content-Type": json, "Age": "5"}, answer, live, "a|\n", ""},
		"a copy of a day, from a cache":  {200, header{"Content-Type": json, "Age": "86400"}, answer, nil, "a|\n", ""},
		"a next page that is not read":   {200, header{"Content-Type": json, "Link": `</v1?page=1>; rel="first", </v1?page=2>; rel="next"`}, answer, wholly, "", BadAnswer},
		"links to other things":          {200, header{"Content-Type": json, "Link": `</next>; rel="self"; title="next"`}, answer, wholly, "a|\n", ""},
	} {
		var cacheable string
		s := serving(t, func(w http.ResponseWriter, r *http.Request) {
			cacheable = r.Header.Get("Cache-Control")
			for name, value := range c.header {
				w.Header().Set(name, value)
			}
			if c.header["Content-Type"] == "" {
				w.Header()["Content-Type"] = nil
			}
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}, func(config *Config) {
			config.Answer.Status = none
			if c.change != nil {
				c.change(config)
			}
		})
		rows, err := rowsOf(s, context.Background(), served(catalog.TypeText), subject(1))
		if codeOf(t, err) != c.code || show(rows) != c.want {
			t.Errorf("%s: %q, %v, want %q %s", name, show(rows), err, c.want, c.code)
		}
		if cacheable != "no-cache" {
			t.Errorf("%s: asked with %q", name, cacheable)
		}
	}
}

func live(c *Config)   { c.Live = true }
func wholly(c *Config) { c.Answer.Total, c.Answer.All = "", true }

// TestPagesMove: a row is added in front and the last one removed between two
// pages, so that the number stays. One row would count twice, and one not at
// all.
func TestPagesMove(t *testing.T) {
	debts := []string{"a", "b", "c"}
	s := serving(t, func(w http.ResponseWriter, r *http.Request) {
		rows := ""
		switch r.URL.Query().Get("p") {
		case "1":
			rows = row1(`"a"`) + "," + row1(`"b"`)
			debts = []string{"new", "a", "b"}
		case "2":
			rows = row1(fmt.Sprintf("%q", debts[2]))
		}
		saying(fmt.Sprintf(`{"total":%d,"rows":[%s]}`, len(debts), rows))(w, r)
	}, func(c *Config) { c.Request.URL += "?p={page}" })
	if rows, err := rowsOf(s, context.Background(), served(catalog.TypeText), subject(1)); codeOf(t, err) != Changed {
		t.Errorf("%q, %v", show(rows), err)
	}
}

// TestPageIgnored: a service that gives its first page again and again has the
// right number of rows in the end, and each of them twice.
func TestPageIgnored(t *testing.T) {
	s := serving(t, saying(`{"total":4,"rows":[`+row1(`"a"`)+","+row1(`"b"`)+`]}`), func(c *Config) { c.Request.URL += "?p={page}" })
	if rows, err := rowsOf(s, context.Background(), served(catalog.TypeText), subject(1)); codeOf(t, err) != Changed {
		t.Errorf("%q, %v", show(rows), err)
	}
}
