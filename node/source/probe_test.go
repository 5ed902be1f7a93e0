package source

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// by answers about each code with its own document, with a status before it where
// that is not 200.
func by(documents map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		document := documents[path.Base(r.URL.Path)]
		w.Header().Set("Content-Type", "application/json")
		if status, ok := strings.CutPrefix(document, "status "); ok {
			var code int
			fmt.Sscan(status, &code)
			w.WriteHeader(code)
			return
		}
		io.WriteString(w, document)
	}
}

// TestProbe: whatever form the answers of a service have, the draft's declaration
// finds the rows, the code and what says that there is none, and each guess is put
// to a person. The same declaration then answers as a query would.
func TestProbe(t *testing.T) {
	c1, c2 := code(1), code(2)
	for name, c := range map[string]struct {
		one, two, nobody string
		want             string // of the answer
		key              string
		columns          string
		rows             int64
		asks             []string
	}{
		"rows with the code and a total": {
			`{"total":2,"rows":[{"uscc":"` + c1 + `","no":"A-1","paid":1.5},{"uscc":"` + c1 + `","no":"A-2","paid":2}]}`, `{"total":1,"rows":[{"uscc":"` + c2 + `","no":"B-1","paid":0}]}`, `{"total":0,"rows":[]}`,
			"rows=/rows total=/total", "uscc", "no paid", 3, []string{"/total is the number of rows"},
		},
		"a code beside the rows, an envelope, a sign": {
			`{"code":"0","msg":"ok","data":{"firm":"` + c1 + `","count":1,"list":[{"no":"A-1"}]}}`, `{"code":"0","msg":"ok","data":{"firm":"` + c2 + `","count":1,"list":[{"no":"A-1"}]}}`, `{"code":"404","msg":"none","data":null}`,
			"rows=/data/list key=/data/firm total=/data/count ok=/code 0 none=/code 404", "code", "no", 2, []string{`"0" at /code`, `"404" at /code`},
		},
		"one record, and a status": {
			`{"firm":{"uscc":"` + c1 + `"},"name":"甲","tax-grade":"A"}`, `status 404`, `status 404`,
			"rows= key=/firm/uscc all 404=none", "", "", 1, []string{"status 404"},
		},
		"one record below": {
			`{"ok":true,"data":{"uscc":"` + c1 + `","name":"甲","tax-grade":"A","branches":[{"a":1},{"a":2}]}}`, `{"ok":true,"data":{"uscc":"` + c2 + `","tax-grade":"B"}}`, `{"ok":false,"data":null}`,
			"rows=/data all ok=/ok true none=/ok false omits", "uscc", "name /tax-grade", 2, []string{"lists within a record", "lack fields"},
		},
		"a day, a list of its own, and no number": {
			`{"as_of":"2026-01-31","rows":[{"uscc":"` + c1 + `","a":{"b":"x"}}]}`, `{"as_of":"2026-01-31","rows":[{"uscc":"` + c2 + `","a":{"b":"y"}}]}`, `{"as_of":"2026-01-31","rows":[]}`,
			"rows=/rows all as_of=/as_of", "uscc", "/a/b", 2, []string{"answer.all", "to the day at /as_of"},
		},
		"bare lists": {
			`[{"uscc":"` + c1 + `","no":1}]`, `[{"uscc":"` + c2 + `","no":2}]`, `[]`,
			"rows= all", "uscc", "no", 2, []string{`no "no record"`},
		},
	} {
		if c.key == "" { // a record whose code is below it is found where it is
			c.want, c.key, c.columns = "rows=/firm all 404=none", "uscc", ""
		}
		t.Run(name, func(t *testing.T) {
			s := serving(t, by(map[string]string{c1: c.one, c2: c.two, stranger: c.nobody}), nil)
			got, err := s.Probe(t.Context(), "t", []consent.Subject{consent.Subject("uscc:" + c1), consent.Subject("uscc:" + c2)})
			if err != nil {
				t.Fatal(err)
			}
			var columns, asks []string
			for _, seen := range got.Columns[1:] {
				columns = append(columns, seen.Column)
			}
			for _, a := range got.Decide {
				asks = append(asks, a.English)
				if a.Chinese == "" || a.Chinese == a.English {
					t.Errorf("no Chinese of %q", a.English)
				}
			}
			if said := saidOf(got.Answer); said != c.want || got.Key != c.key || strings.Join(columns, " ") != c.columns || got.Rows != c.rows || got.Columns[0].Keys != c.rows {
				t.Errorf("%s, key %s, columns %s, %d rows, %d keys; want %s, %s, %s, %d", said, got.Key, columns, got.Rows, got.Columns[0].Keys, c.want, c.key, c.columns, c.rows)
			}
			for _, word := range c.asks {
				if !slices.ContainsFunc(asks, func(text string) bool { return strings.Contains(text, word) }) {
					t.Errorf("not asked: %s in %q", word, asks)
				}
			}
			if strings.Contains(strings.Join(asks, " "), c1) || strings.Contains(strings.Join(asks, " "), "甲") {
				t.Errorf("a question has a value: %q", asks)
			}
		})
	}
}

func saidOf(a Answer) string {
	list := []string{"rows=" + a.Rows}
	for _, k := range [][2]string{{"key", a.Key}, {"total", a.Total}} {
		if k[1] != "" {
			list = append(list, k[0]+"="+k[1])
		}
	}
	if a.All {
		list = append(list, "all")
	}
	if a.AsOf != "" {
		list = append(list, "as_of="+a.AsOf)
	}
	for name, s := range map[string]Sign{"ok": a.OK} {
		if s.At != "" {
			list = append(list, name+"="+s.At+" "+s.Is[0])
		}
	}
	if a.None.At != "" {
		list = append(list, "none="+a.None.At+" "+a.None.Is[0])
	}
	for code, what := range a.Status {
		list = append(list, fmt.Sprint(code, "=", what))
	}
	if a.OmitsEmpty {
		list = append(list, "omits")
	}
	return strings.Join(list, " ")
}

// TestProbeRefuses: what does not say about whom it answers, refuses, or answers
// about others makes no draft, with the code of what is wrong.
func TestProbeRefuses(t *testing.T) {
	one := []consent.Subject{consent.Subject("uscc:" + code(1))}
	for document, want := range map[string]Code{
		`{"rows":[{"no":"A-1"}]}`:               BadAnswer,
		`{"rows":[{"uscc":"` + code(2) + `"}]}`: BadAnswer,
		`{"rows":[1,2]}`:                        BadAnswer,
		`[]`:                                    BadAnswer,
		`{"a":1,"a":2}`:                         BadAnswer,
		`<html>`:                                BadAnswer,
		`status 401`:                            Denied,
		`status 404`:                            BadAnswer,
		`status 503`:                            Unreachable,
		`status 302`:                            NotReadable,
		`{"rows":[{"uscc":"` + code(1) + `"},{"uscc":"other"}]}`:    BadAnswer,
		strings.Repeat(`{"a":`, 60) + `1` + strings.Repeat(`}`, 60): BadAnswer,
	} {
		s := serving(t, by(map[string]string{code(1): document, stranger: "status 404"}), nil)
		if got, err := s.Probe(t.Context(), "t", one); err == nil || codeOf(t, err) != want {
			t.Errorf("%.80s: %v, %+v; want %s", document, err, got, want)
		}
	}
	s := serving(t, saying("{}"), nil)
	if _, err := s.Probe(t.Context(), "t", nil); err == nil || codeOf(t, err) != NotReadable {
		t.Errorf("no subjects: %v", err)
	}
	files := open(t, Config{Name: "main", Kind: "csv", Path: t.TempDir()})
	if _, err := files.Probe(t.Context(), "t", one); err == nil || codeOf(t, err) != BadConfig {
		t.Errorf("files: %v", err)
	}
}

// TestProbedDrafts: a catalog of what was found lints clean, also where columns are
// places below the record.
func TestProbedDrafts(t *testing.T) {
	document := func(c string) string {
		return `{"total":1,"rows":[{"firm":{"code":"` + c + `","name":"x"},"grade":"A","opened":"2020-01-31"}]}`
	}
	s := serving(t, by(map[string]string{code(1): document(code(1)), code(2): document(code(2)), stranger: `{"total":0,"rows":[]}`}), nil)
	got, err := s.Probe(t.Context(), "t", []consent.Subject{consent.Subject("uscc:" + code(1)), consent.Subject("uscc:" + code(2))})
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := catalog.Draft(catalog.Table{Agency: "tax", Source: "main", Name: "t", Rows: got.Rows, Columns: got.Columns}, consent.English)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Parse([]byte(text))
	if err != nil || c.Datasets[0].Key != "/firm/code" || !strings.Contains(text, `name: firm_name, column: "/firm/name"`) {
		t.Fatalf("%v\n%s", err, text)
	}
	rows, err := s.Rows(t.Context(), &c.Datasets[0], consent.Subject("uscc:"+code(1)))
	if err != nil || len(rows.Rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
}
