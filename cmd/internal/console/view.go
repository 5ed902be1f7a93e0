package console

import (
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/access"
)

// Config is what a console needs. All of it is required, but for Files.
type Config struct {
	Member string // name, by which cookies differ
	Zone   func() *time.Location

	// Titled returns the title of the member and its name, for the head of each page.
	Titled func(lang string) string
	// Login returns the caller to whom a token was given, or why the token does
	// not count.
	Login func(r *http.Request, token string) (*access.Caller, error)
	// Valid returns an error once a token no longer counts.
	Valid func(token string) error
	// Refused is told whose roles do not permit a page that they asked for.
	Refused func(r *http.Request, c *access.Caller)
	// Failure describes an error for people.
	Failure func(err error) *cli.Failure
	// Instead returns the page to which a form leads whose error is no failure, relative
	// to the root; "" for a failure.
	Instead func(err error) (to string)
	Views   []View
	Files   map[string][]byte // style sheets beside the console's own, and pages to be saved, by name
}

// View is a page, or a form of one.
type View struct {
	Path  string        // as of [http.ServeMux], such as "/members/{name}"
	Title cli.Text      // in the navigation; the page says more by its own title
	Nav   bool          // it is in the navigation
	Group cli.Text      // heading of its part of the navigation; none: the part of everybody
	Roles []access.Role // who may open it; none: everybody who has logged in
	Idle  bool          // this member has nothing to show there: it is in no navigation

	// Show prints the page, and returns what printing does not give.
	Show func(t *cli.Printer, r *http.Request) (*Page, error)
	// Do does what the form that was sent to Path says, and returns to which page
	// to go. It has the form parsed. A view without it takes no form.
	Do func(r *http.Request) (to string, err error)
	// Make does what a form says, and answers with a page, in place of Do: what it
	// makes is nowhere else.
	Make func(t *cli.Printer, r *http.Request) (*Page, error)
	// Stream tells a script of a page what happens, in place of Show, until it has
	// ended: see [console.stream].
	Stream func(r *http.Request, lang string, tell func(Event) error) error
}

// Page is what a page has beside what is printed.
type Page struct {
	Title   string
	Command string   // that does the same
	Columns []Column // what cells are beside their text
	Ways    []Way    // to pages that belong to this one
	Texts   []Text   // to copy
	Forms   []Form
	Print   bool              // people print it: it has a button for that
	Again   time.Duration     // after which the page loads again; 0: it does not
	Script  string            // a script of this console that works on the page, such as "proof.js"; "" for none
	Data    map[string]string // what that script is given
	Style   string            // one of [Config.Files] that the page uses; "" for none
	Markup  template.HTML     // of this program's own making, behind what is printed
}

// Column says what the cells of a column are beside their text. The functions are given
// the cell as it was printed.
type Column struct {
	Name cli.Text                 // of the column, or the label of a row with a value
	To   func(cell string) string // where a cell leads, relative to the root of the console; "" for nowhere. nil: none leads anywhere
	Mark func(cell string) Mark   // nil: none has a mark
	Says func(cell string) string // what is shown in place of a cell; nil: the cell itself
}

// Mark is how a state is to be taken. It has a sign and a colour; the state's words
// say it too.
type Mark string

// The marks.
const (
	Good  Mark = "good"
	Wait  Mark = "wait"
	Bad   Mark = "bad"
	Ended Mark = "ended" // no longer of interest
)

// Under returns where cells lead that name something under a path: "-" and "" lead
// nowhere.
func Under(path string) func(cell string) string {
	return func(cell string) string {
		if cell == "" || cell == "-" {
			return ""
		}
		return path + url.PathEscape(cell)
	}
}

// Way is a link with its words, relative to the root of the console.
type Way struct{ Label, To string }

// Text is a text that a reader copies: it is shown as it is.
type Text struct {
	Label, Value string
	File         string // name under which it can be saved; "" if it is no file
}

// Saved returns the address at which a browser has the text as a file. It is in the
// page itself: what a form has made is nowhere else.
func (t Text) Saved() template.URL {
	return template.URL("data:application/octet-stream;base64," + base64.StdEncoding.EncodeToString([]byte(t.Value)))
}

// KeyOf returns the key of a form that was sent, the same if it is sent twice: an
// Idempotency-Key. It is "" of a form without one.
func KeyOf(r *http.Request) string { return r.PostForm.Get("key") }

// Form is a form of a page. It is sent to Action, relative to the root.
type Form struct {
	Action string
	Title  string
	Note   string // above the fields
	Fields []Field
	Submit string
	Get    bool // it changes nothing and leads to a page

	key string // under which it was sent and may have begun; "": it has not
}

// File reports whether the form sends a file.
func (f Form) File() bool {
	return slices.ContainsFunc(f.Fields, func(f Field) bool { return f.Kind == kindFile || f.Kind == kindPaper })
}

// kindFile is the kind of a field whose value is the text of a file, and kindPaper of
// one into which that text may be pasted as well.
const (
	kindFile  = "file"
	kindPaper = "paper"
)

// Field is a field of a form. Its value is shown as it is. One that was sent and
// failed is shown again with what it had, unless it is a password or a file.
type Field struct {
	Name, Label, Value, Note string
	Kind                     string // an input's type, "textarea", "select", or "paper" for a file or its text
	Options                  [][2]string
	Optional                 bool
}
