package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// serve keeps the register of a world in a service. It finds rows as a service
// with a tidy database does: by the code, however it is written.
func (w *world) serve() *Source {
	handler := func(rw http.ResponseWriter, r *http.Request) {
		rows := []map[string]any{}
		for _, row := range w.rows {
			key, _ := row[0].(string)
			if code, _ := keyingOf(w.dataset).sort(key); code != path.Base(r.URL.Path) {
				continue
			}
			object := map[string]any{}
			for i, v := range row {
				object[w.columns[i]] = v
			}
			rows = append(rows, object)
		}
		answer := map[string]any{"total": len(rows), "rows": rows}
		if w.marked >= 0 {
			answer["day"] = w.asOf.String()
		}
		text, err := json.Marshal(answer)
		if err != nil {
			w.t.Error(err)
		}
		saying(string(text))(rw, r)
	}
	return serving(w.t, handler, func(c *Config) { c.Form, c.Answer.AsOf = w.form, "/day" })
}

// TestDefectsOfServices: the defects of TestDefects that a service can have,
// which answers about one subject and shows no other rows.
func TestDefectsOfServices(t *testing.T) {
	others := []string{"a row lost", "a row twice", "no rows", "no rows, and a marker of none"} // a service has no number of all rows
	cells := 0
	for _, d := range defects() {
		if d.of != "" || d.none == string(Keys) || slices.Contains(others, d.name) {
			continue
		}
		if d.none == string(MissingColumn) {
			d.none = "" // whoever has no rows misses no column
		}
		for measure := range measures {
			cells++
			w := newWorld(t, t.TempDir(), "http", measure)
			d.change(w)
			s := w.serve()
			for firm, want := range map[int]string{1: d.owes, 2: d.none} {
				a := w.answer(s, firm)
				where := fmt.Sprintf("%s, %s, firm %d: %s %q %s", d.name, measure, firm, a.Outcome, a.Value, a.Reason)
				truth := map[int]string{1: "100000.00", 2: "0.00"}[firm]
				switch {
				case want == "" && (a.Outcome != consent.Answered || a.Value != truth || a.AsOf != uint64(w.asOf)*24*60*60*1000):
					t.Errorf("%s as of %d, want %s", where, a.AsOf, truth)
				case want == "!" && a.Outcome == consent.Answered:
					t.Errorf("%s, want none", where)
				case want != "" && want != "!" && (a.Reason != want || a.Outcome != Code(want).Outcome()):
					t.Errorf("%s, want %s", where, want)
				}
			}
			s.Close()
		}
	}
	if cells < 120 {
		t.Errorf("only %d cells", cells)
	}
}

// TestServiceTried: the reports on a service are about the subjects that were
// named, and say so where none were.
func TestServiceTried(t *testing.T) {
	w := newWorld(t, t.TempDir(), "http", "state")
	w.rows[1][3] = "much"
	s := w.serve()
	at := catalog.At{Day: debtsToday}
	r, err := s.Test(context.Background(), w.dataset, Try{At: at, Subjects: []consent.Subject{subject(3), subject(1), subject(2)}}, nil)
	if err != nil || r.OK() || r.Rows != 4 || r.Subjects != 2 || r.Tried != 3 || r.Bad != 1 || r.BadRows[0] != (Bad{2, "amount", BadValue}) || r.Outputs[0].Answered != 2 || !r.Keys.Single {
		t.Errorf("%+v, %v", r, err)
	}
	w.rows[1][3] = "40000.00"
	if r, err = s.Test(context.Background(), w.dataset, Try{At: at}, nil); err != nil || !r.OK() || r.Tried != 0 || r.Outputs[0].Absent != consent.Answered {
		t.Errorf("%+v, %v", r, err)
	}
	columns, err := s.Sample(context.Background(), w.dataset, []consent.Subject{subject(1)}, nil)
	if err != nil || len(columns) != 5 || columns[3].Shapes[0].Text != "99999.99" {
		t.Errorf("%+v, %v", columns, err)
	}
	if _, err := s.Sample(context.Background(), w.dataset, nil, nil); err == nil || codeOf(t, err) != NotReadable {
		t.Error(err)
	}
	if _, _, err := s.Look(context.Background(), "debts"); err == nil || codeOf(t, err) != NotReadable {
		t.Error(err)
	}
	e, err := s.Explain(context.Background(), w.dataset, subject(1), at, nil)
	if err != nil || len(e.Rows) != 3 || e.Problem != nil || e.Outputs[0].Answer.Outcome != consent.Answered {
		t.Errorf("%+v, %v", e, err)
	}
	if found, err := s.Check(context.Background(), w.dataset, debtsToday); err != nil || !found.Census.Single {
		t.Errorf("%+v, %v", found, err)
	}
}

// FuzzAnswer: whatever a service answers is refused with a code, or has rows of
// the subject alone, as many as it says.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"total":1,"rows":[` + row1(`"a"`) + `]}`, `{"total":0,"rows":[]}`, `{"total":"0","rows":{}}`, `[]`, `{"rows":[{"key":1}]}`, "{\"total\":1,\"rows\":[{\"key\":\"\xff\"}]}", `{"total":2,"rows":[null,{}],"next":""}`} {
		f.Add([]byte(seed))
	}
	v, err := newService(Config{Request: Request{URL: "https://example.cn/{code}"}, Answer: Answer{Rows: "/rows", Total: "/total", Next: "/next"}, Connection: Connection{TLS: TLS{CA: "ca"}}}, plainly)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		if !strictJSON(document) {
			return
		}
		rows := int64(0)
		l := v.newReading(served(catalog.TypeText), code(1), MaxRows, func(r record) error {
			if code, _ := (keying{}).sortCell(r.key); code != subjectCode {
				t.Fatalf("a row of %q", code)
			}
			rows++
			return nil
		})
		if err := l.columns(); err != nil {
			t.Fatal(err)
		}
		u, err := l.page(document, v.url.base, 0)
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatal(err)
			}
			return
		}
		if u != nil && !v.sameOrigin(u) {
			t.Fatalf("goes to %s", u)
		}
		if _, err := l.finish(Survey{}); err == nil && rows != l.total {
			t.Fatalf("%d rows, and %d said", rows, l.total)
		}
	})
}

var subjectCode = code(1)

// FuzzPointer: a pointer that is found is found again by its own text.
func FuzzPointer(f *testing.F) {
	f.Add("/a~1b/0", []byte(`{"a/b":[1]}`))
	f.Add("", []byte(`[]`))
	f.Add("/~", []byte(`{"":{"":0}}`))
	f.Fuzz(func(t *testing.T, text string, document []byte) {
		p, ok := parsePointer(text)
		if !ok || !strictJSON(document) {
			return
		}
		raw, found := p.find(document)
		if found && !strictJSON(raw) {
			t.Fatalf("%q in %q is %q", text, document, raw)
		}
	})
}

// FuzzTemplate: what stands for a parameter in a URL or a body comes back as it
// was, and nothing else changes.
func FuzzTemplate(f *testing.F) {
	for _, p := range payloads[:20] {
		f.Add(p)
	}
	u, ok := parseURL("https://example.cn/a/{table}/b?t={table}&x=1")
	b, good := parseBody(`{"a":["{table}"],"n":1}`)
	if !ok || !good {
		f.Fatal(ok, good)
	}
	empty, err := b.fill(map[string]string{"table": "t"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := u.fill(map[string]string{"table": value})
		if err != nil {
			return
		}
		if got.Host != "example.cn" || got.Path != "/a/"+value+"/b" || got.Query().Get("t") != value || len(got.Query()) != 2 || got.Fragment != "" || got.User != nil {
			t.Fatalf("%q: %s", value, got)
		}
		body, err := b.fill(map[string]string{"table": value})
		quoted, _ := json.Marshal(value)
		var as, want struct{ A []string }
		if err != nil || json.Unmarshal(body, &as) != nil || json.Unmarshal(bytes.Replace(empty, []byte(`"t"`), quoted, 1), &want) != nil || as.A[0] != want.A[0] || !strictJSON(body) {
			t.Fatalf("%q: %s", value, body)
		}
	})
}
