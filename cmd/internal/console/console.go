// Package console serves a member's pages to its people in a browser. The pages
// show what the commands print, in the same words: a view is given a
// [cli.Printer] whose parts become paragraphs and tables.
//
// A page never changes anything by itself. What changes something is a form, which
// is sent from a page of this console by somebody who has logged in by a token.
// All links are relative, so that the console works behind a reverse proxy under a
// path.
package console

import (
	"bytes"
	"context"
	"embed"
	"net/http"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/problem"
)

//go:embed style.css proof.js live.js print.js
var files embed.FS

// Size limits of a form in bytes: of any, and of one with a file from somebody who has
// logged in.
const (
	maxForm   = 256 << 10
	maxUpload = 1 << 20
)

type console struct {
	Config
	sessions sessions
	streams  streams
	making   making
	nav      []View
	shown    *http.ServeMux // the pages alone: see [console.again]
}

// New returns a console. It answers every path.
func New(c Config) http.Handler {
	s := &console{Config: c, sessions: sessions{now: time.Now}, shown: http.NewServeMux(), making: make(making, max(1, runtime.GOMAXPROCS(0)/2))}
	mux := http.NewServeMux()
	for _, v := range c.Views {
		if v.Nav {
			s.nav = append(s.nav, v)
		}
		pattern := v.Path
		if strings.HasSuffix(pattern, "/") {
			pattern += "{$}"
		}
		if v.Show != nil {
			mux.Handle("GET "+pattern, s.signedIn(v, s.show))
			s.shown.Handle("GET "+pattern, viewHandler{v})
		}
		if v.Stream != nil {
			mux.Handle("GET "+pattern, s.signedIn(v, s.stream))
		}
		if v.Do != nil || v.Make != nil {
			mux.Handle("POST "+pattern, s.signedIn(v, s.do))
		}
	}
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("POST /language", s.language)
	s.serveFiles(mux)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errNoPage) })
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if path.Clean(r.URL.Path) != r.URL.Path && r.URL.Path != "/" { // the mux would lead to an absolute path
			s.fail(w, r, errNoPage)
			return
		}
		most := int64(maxForm)
		if hasFile(r) && s.session(r) != nil {
			most = maxUpload
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		guarded.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), addressKey{}, r.RemoteAddr)))
	})
}

// serveFiles serves scripts and style sheets.
func (s *console) serveFiles(mux *http.ServeMux) {
	for _, name := range []string{"style.css", "proof.js", "live.js", "print.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, files, name)
		})
	}
	for name, content := range s.Files {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			if path.Ext(name) == ".html" { // to hand out: it is no page of the console
				w.Header().Set("Content-Disposition", "attachment")
			}
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		})
	}
}

var errNoPage = cli.Errorf(&problem.Error{Code: problem.NotFound, Message: "there is no such page"}, "没有这个页面", "there is no such page")

// policy allows nothing but the console's own files, and nobody to frame it.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
}

// show writes a page.
func (s *console) show(w http.ResponseWriter, r *http.Request, v View) { s.print(w, r, v.Show) }

// print writes a page that is made by printing.
func (s *console) print(w http.ResponseWriter, r *http.Request, made printing) {
	done, err := s.making.begin(r.Context())
	if err != nil {
		return // the reader has gone
	}
	defer done()
	d, err := s.printed(r, made)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, d)
}

// printing makes a page by printing, see [View.Show].
type printing = func(*cli.Printer, *http.Request) (*Page, error)

func (s *console) printed(r *http.Request, made printing) (*sheet, error) {
	var parts []cli.Part
	t := &cli.Printer{Lang: language(r), Zone: s.Zone, Parts: func(p cli.Part) { parts = append(parts, p) }}
	page, err := made(t, r)
	if err != nil {
		return nil, err
	}
	return &sheet{Page: page, Parts: joined(parts)}, nil
}

// making limits how many pages are made at a time, to half of the processors: many
// readers wait for each other, and not the node's own work for them.
type making chan struct{}

// turn is how long a page counts as being made. One that takes longer waits for
// something else, such as a source, and others go on meanwhile.
const turn = 50 * time.Millisecond

// begin waits until a page may be made, and returns what ends its turn.
func (m making) begin(ctx context.Context) (done func(), err error) {
	select {
	case m <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	end := sync.OnceFunc(func() { <-m })
	late := time.AfterFunc(turn, end)
	return func() {
		late.Stop()
		end()
	}, nil
}

// lead leads to another page. [http.Redirect] would make the path absolute, which is
// another one before a reverse proxy.
func lead(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// root returns the way from a page to the root of the console.
func root(r *http.Request) string {
	if up := strings.Count(r.URL.EscapedPath(), "/") - 1; up > 0 {
		return strings.Repeat("../", up)
	}
	return "./"
}

// language returns the language that a reader has chosen, or else that of the
// browser.
func language(r *http.Request) string {
	if c, err := r.Cookie(cookieLanguage); err == nil && (c.Value == consent.Chinese || c.Value == consent.English) {
		return c.Value
	}
	for _, l := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		switch l = strings.ToLower(strings.TrimSpace(l)); {
		case strings.HasPrefix(l, "zh"):
			return consent.Chinese
		case strings.HasPrefix(l, "en"):
			return consent.English
		}
	}
	return consent.English
}

const cookieLanguage = "atoll-language"

// language is the form that chooses a language. It leads back to the page it was
// on.
func (s *console) language(w http.ResponseWriter, r *http.Request) {
	lang := r.PostFormValue("language")
	if lang != consent.Chinese && lang != consent.English {
		s.fail(w, r, cli.Usage("没有语言 %.20q", "there is no language %.20q", lang))
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieLanguage, Value: lang, MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteStrictMode})
	to := strings.TrimLeft(r.PostFormValue("page"), "/")
	if strings.ContainsAny(to, ":\\") || !consent.Visible(to) {
		to = ""
	}
	lead(w, root(r)+to)
}
