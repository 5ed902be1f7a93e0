package console

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/access"
	"atoll/node/problem"
)

//go:embed page.html
var pageText string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{"clean": cli.Clean, "line": cli.CleanLine}).Parse(pageText))
})

// sheet is the data of the template.
type sheet struct {
	*Page
	Parts   []cli.Part
	Failure *cli.Failure
	Begun   bool // what failed may have been done all the same
	Token   bool // it is the page for logging in

	Lang, Root, Path, Member string
	Here                     string         // the page itself, where choosing a language leads
	Key                      string         // beginning of the keys of the page's forms
	Caller                   *access.Caller // nil: not logged in
	Nav                      []navigation
}

// navigation is a part of the navigation.
type navigation struct {
	Group cli.Text // its heading; none for the first
	Views []View
}

// T returns the text in the reader's language.
func (s *sheet) T(chinese, english string) string {
	return cli.Text{Chinese: chinese, English: english}.In(s.Lang)
}

// Words returns a view's title.
func (s *sheet) Words(t cli.Text) string { return t.In(s.Lang) }

// Other returns the other language.
func (s *sheet) Other() string {
	if s.Lang == consent.Chinese {
		return consent.English
	}
	return consent.Chinese
}

// Seconds is after how long the page loads again; 0: it does not.
func (s *sheet) Seconds() int { return int(s.Again.Seconds()) }

// Of reports whether the page is of a view of the navigation.
func (s *sheet) Of(v View) bool {
	return s.Path == v.Path || v.Path != "/" && strings.HasPrefix(s.Path, v.Path+"/")
}

// To returns the path of a view from this page.
func (s *sheet) To(path string) string { return s.Root + strings.TrimPrefix(path, "/") }

// FormKey returns the key of the nth form: one that is sent twice counts once.
func (s *sheet) FormKey(n int) string {
	if key := s.Forms[n].key; key != "" {
		return key
	}
	return s.Key + "-" + strconv.Itoa(n)
}

// Heading and Document report of what kind a part is.
func (*sheet) Heading(p cli.Part) bool { return p.Kind == cli.PartHeading }

// Document is beside [sheet.Heading].
func (*sheet) Document(p cli.Part) bool { return p.Kind == cli.PartDocument }

// Message returns what happened, in the reader's language, and the English words
// if only the kind of failure is said in Chinese.
func (s *sheet) Message() string {
	if s.Lang != consent.Chinese {
		return s.Failure.Message
	}
	if s.Failure.Partly {
		return s.Failure.Chinese + "（" + s.Failure.Message + "）"
	}
	return s.Failure.Chinese
}

// joined joins what is printed row by row: lines that follow each other to one
// text, with the blank ones within it, and labels with values to one table.
func joined(parts []cli.Part) (out []cli.Part) {
	blank := false // the line before it was
	for _, p := range parts {
		if p.Rows != nil && len(p.Rows) == 0 {
			continue
		}
		if p.Rows == nil && p.Text == "" {
			blank = true
			continue
		}
		last := len(out) - 1
		switch {
		case last >= 0 && isLines(p) && isLines(out[last]):
			if blank {
				out[last].Text += "\n"
			}
			out[last].Text += "\n" + p.Text
		case last >= 0 && p.Rows != nil && out[last].Rows != nil && !p.Named && !out[last].Named && len(p.Rows[0]) == len(out[last].Rows[0]):
			out[last].Rows = append(out[last].Rows, p.Rows...)
		default:
			out = append(out, p)
		}
		blank = false
	}
	return out
}

func isLines(p cli.Part) bool { return p.Rows == nil && p.Kind == cli.PartLines }

// render writes a page.
func (s *console) render(w http.ResponseWriter, r *http.Request, status int, d *sheet) {
	d.Lang, d.Root, d.Path = language(r), root(r), r.URL.EscapedPath()
	d.Member = cli.Clean(s.Titled(d.Lang))
	d.Key = rand.Text()
	if d.Here == "" {
		d.Here = s.here(r)
	}
	c := access.Of(r.Context())
	if c.Token == "" && !d.Token { // what is no page has a way to the pages too
		if known := s.session(r); known != nil {
			c = known.caller
		}
	}
	if c.Token != "" {
		d.Caller, d.Nav = c, s.navigation(c)
	}
	if d.Page == nil {
		d.Page = &Page{}
	}
	var b bytes.Buffer
	if err := pageTemplate().Execute(&b, d); err != nil {
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // nobody to tell
}

// here returns the page of a request, for what leads back to it. What answers a form
// cannot be opened again: it is the page of the same path, if there is one.
func (s *console) here(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	asked := r.Clone(r.Context())
	asked.Method = http.MethodGet
	if h, _ := s.shown.Handler(asked); h != nil {
		if _, ok := h.(viewHandler); ok {
			return r.URL.EscapedPath()
		}
	}
	return "/"
}

// navigation returns the pages that somebody may open, in their groups.
func (s *console) navigation(c *access.Caller) (list []navigation) {
	for _, v := range s.nav {
		if v.Idle || !c.May(v.Roles...) {
			continue
		}
		i := slices.IndexFunc(list, func(n navigation) bool { return n.Group == v.Group })
		if i < 0 {
			i = len(list)
			list = append(list, navigation{Group: v.Group})
		}
		list[i].Views = append(list[i].Views, v)
	}
	return list
}

// fail writes a page that says what happened and what to do.
func (s *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.failAs(w, r, s.status(err), err)
}

// status returns the HTTP status of an error.
func (s *console) status(err error) int {
	status := problem.Of(err).Status()
	if status != http.StatusInternalServerError {
		return status
	}
	switch s.Failure(err).Exit { // an error of the console's own
	case cli.ExitNotFound:
		return http.StatusNotFound
	case cli.ExitConflict:
		return http.StatusConflict
	case cli.ExitUnavailable:
		return http.StatusServiceUnavailable
	case cli.ExitUsage, cli.ExitRefused, cli.ExitTampered, cli.ExitUnproved:
		return http.StatusUnprocessableEntity
	}
	return status
}

func (s *console) failAs(w http.ResponseWriter, r *http.Request, status int, err error) {
	s.render(w, r, status, &sheet{Page: &Page{Title: cli.Text{Chinese: "未能完成", English: "That did not work"}.In(language(r))}, Failure: s.Failure(err)})
}

// loginSheet is the page for logging in, with the error of the last try.
func (s *console) loginSheet(r *http.Request, err error) *sheet {
	d := &sheet{Token: true, Page: &Page{Title: cli.Text{Chinese: "登录", English: "Log in"}.In(language(r))}}
	if err != nil {
		d.Failure = s.Failure(err)
	}
	return d
}
