package console

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"

	"atoll/cmd/internal/cli"
	"atoll/node/access"
)

// Media types of forms.
const (
	kindPlain = "application/x-www-form-urlencoded"
	kindFiles = "multipart/form-data"
)

// fieldPage is the field of each form that says on which page it stands.
const fieldPage = "page"

// do does what a form says, and then leads to a page, so that going back in the
// browser sends nothing twice.
func (s *console) do(w http.ResponseWriter, r *http.Request, v View) {
	if err := parse(r); err != nil {
		s.fail(w, r, tooLarge(err))
		return
	}
	var d *sheet
	var to string
	var err error
	if v.Make != nil {
		d, err = s.printed(r, v.Make)
	} else {
		to, err = v.Do(r)
	}
	if err != nil {
		if to = s.Instead(err); to == "" {
			s.again(w, r, err)
			return
		}
		d = nil
	}
	if d != nil {
		s.render(w, r, http.StatusOK, d)
		return
	}
	lead(w, root(r)+to)
}

// hasFile reports whether a request is a form that has a file.
func hasFile(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == kindFiles
}

// parse reads a form. The text of a file is the value of its field, in place of what
// was pasted beside it. In any other form Go would find no field, and nothing wrong.
func parse(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return err
	case kind == kindPlain:
		return r.ParseForm()
	case kind != kindFiles:
		return http.ErrNotSupported
	}
	if err := r.ParseMultipartForm(maxUpload); err != nil { // all of it is in memory
		return err
	}
	for name, values := range r.PostForm {
		if len(values) > 1 { // a browser sends an empty value where no file was chosen
			r.PostForm[name] = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		}
	}
	for name, files := range r.MultipartForm.File {
		for _, f := range files {
			text, err := f.Open()
			if err != nil {
				return err
			}
			all, err := io.ReadAll(text)
			if err != nil {
				return err
			}
			r.PostForm.Set(name, string(all))
		}
	}
	return nil
}

func tooLarge(err error) error {
	var long *http.MaxBytesError
	var broken net.Error
	switch {
	case errors.As(err, &long):
		return cli.Usage("表单过大", "the form is too large")
	case errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF): // whose text has addresses of this machine
		return cli.Usage("表单没有完整送达", "the form did not arrive as a whole")
	}
	return cli.Usage("表单有误：%s", "the form is malformed: %s", err)
}

// viewHandler is how a view is found by a path: it is not called.
type viewHandler struct{ View }

func (viewHandler) ServeHTTP(http.ResponseWriter, *http.Request) {}

// begun reports whether a form that failed may have done something, now or later: all
// failures but those that name what was wrong with it, or who refused it.
func begun(f *cli.Failure) bool {
	return f.Exit != cli.ExitUsage && f.Exit != cli.ExitNotFound && f.Exit != cli.ExitRefused
}

// again answers a form that failed with the page on which it stood, the reason above
// it and its fields as they were sent. One that may have begun keeps its key: sent
// again, it is not done a second time. Where that page cannot be shown to the reader,
// it is the reason alone.
func (s *console) again(w http.ResponseWriter, r *http.Request, failed error) {
	d, err := s.page(r, r.PostForm.Get(fieldPage))
	if d == nil || err != nil {
		s.fail(w, r, failed)
		return
	}
	failure := s.Failure(failed)
	for i := range d.Forms {
		f := &d.Forms[i]
		if f.Get || !f.sent(r) {
			continue
		}
		f.keep(r.PostForm)
		if begun(failure) && "/"+f.Action == r.URL.Path {
			f.key = KeyOf(r)
			d.Begun = f.key != ""
		}
	}
	d.Failure, d.Again, d.Script, d.Here = failure, 0, "", r.PostForm.Get(fieldPage)
	s.render(w, r, s.status(failed), d)
}

// page makes the page of another path for the reader of a request; nil if there is
// none that this reader may open.
func (s *console) page(r *http.Request, of string) (*sheet, error) {
	u, err := url.ParseRequestURI(of)
	if err != nil || u.IsAbs() {
		return nil, err
	}
	asked := r.Clone(r.Context())
	asked.Method, asked.URL = http.MethodGet, u
	h, pattern := s.shown.Handler(asked)
	found, ok := h.(viewHandler)
	if !ok || !access.Of(r.Context()).May(found.Roles...) {
		return nil, nil
	}
	matched := http.NewServeMux() // so that the request has the values of the path
	var d *sheet
	matched.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) { d, err = s.printed(r, found.Show) })
	matched.ServeHTTP(nil, asked)
	return d, err
}

// sent reports whether a form is the one that was sent, or one that has its fields, as
// the first of several steps has. Of several forms with one action, hidden fields tell
// which it was.
func (f *Form) sent(r *http.Request) bool {
	all := true
	for _, field := range f.Fields {
		if field.Kind == "hidden" && r.PostForm.Get(field.Name) != field.Value {
			return false
		}
		all = all && r.PostForm.Has(field.Name)
	}
	return "/"+f.Action == r.URL.Path || all && len(f.Fields) > 0
}

// keep gives the fields what was sent in them.
func (f *Form) keep(sent url.Values) {
	for i := range f.Fields {
		if field := &f.Fields[i]; field.Kind != "password" && field.Kind != kindFile && sent.Has(field.Name) {
			field.Value = sent.Get(field.Name)
		}
	}
}
