package profile

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// page is parsed when a page is written: most commands write none.
var page = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageText)) })

// view is the data of the page.
type view struct {
	*speaker
	P      *Profile
	Style  template.CSS
	Policy string
	JSON   template.JS
}

// HTML writes the profile as one self-contained page: it has no script and no
// external font or picture, and its content security policy makes a browser
// load none. It prints on A4. The encoded profile is in the page as data, in
// the element with the id "profile".
func (p *Profile) HTML(w io.Writer, language string) error {
	s, err := speak(language, pageSigns)
	if err != nil {
		return err
	}
	data, err := p.Encode()
	if err != nil {
		return err
	}
	return page().Execute(w, view{
		speaker: s, P: p, Style: template.CSS(pageStyle),
		Policy: Policy(),
		// Encode escapes <, > and &, so that nothing in the data ends the
		// element.
		JSON: template.JS(data),
	})
}

// Fragment returns the page without its heading, as a part of another page that has
// [FragmentStyle].
func (p *Profile) Fragment(language string) (template.HTML, error) {
	s, err := speak(language, pageSigns)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`<article class="profile">`)
	for _, part := range []string{"meta", "sections"} {
		if err := page().ExecuteTemplate(&b, part, view{speaker: s, P: p}); err != nil {
			return "", err
		}
	}
	b.WriteString("</article>")
	return template.HTML(b.String()), nil
}

// FragmentStyle is the style sheet of a [Profile.Fragment]: the page's, within it
// alone. It is light on a dark page too, as its charts are.
func FragmentStyle() []byte {
	return []byte(".profile{\n" + strings.Replace(pageStyle, ":root{", "&{color-scheme:light;background:#fff;color:var(--ink);", 1) + "}\n")
}

// Policy is the content security policy of the page: its own style and nothing else.
func Policy() string {
	digest := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'"
}

// Clean makes a text from outside safe to show; html/template escapes it.
func (view) Clean(text string) string { return clean(text) }

// Judged returns the vetoes in the order that a reader needs.
func (v view) Judged() (list []Veto) {
	for _, result := range []string{Hit, Unknown, Passed} {
		list = append(list, v.P.vetoed(result)...)
	}
	return list
}

// Vetoed counts the vetoes with a result.
func (v view) Vetoed(result string) int { return len(v.P.vetoed(result)) }

// Place converts points to a position on a bar of a width.
func (view) Place(points string, width int) string {
	return coordinate(height(points) * float64(width) / 100)
}

// Stretch returns how wide a range is on a bar, at least a visible mark.
func (view) Stretch(worst, best string, width int) string {
	return coordinate(max(3, (height(best)-height(worst))*float64(width)/100))
}

// bar is what is filled of a bar of 60 by 8: what is certain, and the range behind it.
type bar struct{ Worst, Range string }

// Bar draws a range of points of 100.
func (v view) Bar(worst, best string) bar {
	return bar{v.Place(worst, 60), coordinate(max(0, height(best)-height(worst)) * 60 / 100)}
}

// Scored reports whether an indicator has points to draw.
func (view) Scored(i Indicator) bool { return i.Weight != "0" }

func (view) Count(n uint64) string {
	if n == 0 {
		return "—"
	}
	return strconv.FormatUint(n, 10)
}

var days = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b`) })

// Sources is the text of the terminal renderer, with days that are not broken
// across lines.
func (v view) Sources(p *Profile, names []string) template.HTML {
	text := template.HTMLEscapeString(v.speaker.Sources(p, names))
	return template.HTML(days().ReplaceAllString(text, `<span class="day">$0</span>`))
}

// Releases and Asked return the inputs by agency.
func (v view) Releases() []Evidence           { return v.P.releases() }
func (v view) Asked(agency string) []Evidence { return v.P.asked(agency) }

// Input returns the input with this name.
func (v view) Input(name string) *Evidence {
	for i := range v.P.Inputs {
		if v.P.Inputs[i].Name == name {
			return &v.P.Inputs[i]
		}
	}
	return nil
}

// Weigh writes the weights and marks those of the possible stages.
func (v view) Weigh(d Dimension) template.HTML {
	var b strings.Builder
	for i, w := range d.Weights {
		if i > 0 {
			b.WriteString(", ")
		}
		text := template.HTMLEscapeString(v.Of(w.Title) + " " + w.Weight)
		if v.P.possible(w.Stage) {
			text = `<span class="now">` + text + "</span>"
		}
		b.WriteString(text)
	}
	return template.HTML(b.String())
}

// Language returns the language of the page.
func (v view) Language() string { return v.language }

// Mark returns the colon of the language.
func (v view) Mark() string { return v.colon }

// Shown returns the value of an indicator, or the word for its state.
func (v view) Shown(i Indicator) string {
	if i.Value == "" {
		return v.Code(i.State)
	}
	return v.Labelled(i)
}
