package consent

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Languages of a notice.
const (
	Chinese = "zh-CN"
	English = "en"
)

// Titles returns the title of a purpose, a dataset ("agency/dataset") or an
// output ("agency/dataset.output"). Where it returns "", the name itself is
// shown.
type Titles func(name string) string

// Senses returns the sense of an output ("agency/dataset.output") of which a
// notice says more than its title, or nil.
type Senses func(name string) *Sense

// Words are what a notice needs beside its draft. Whoever renders the notice
// takes them from the genesis and the catalogs on the log, not from the bank.
type Words struct {
	Network string  // its name
	Members []Party // ascending by name
	Titles  Titles  // of purposes, datasets and outputs
	Senses  Senses  // of outputs; nil: none has more than its title
}

// Party is a member as a notice names it.
type Party struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Registrar bool     `json:"registrar"` // it can revoke credentials
	URLs      []string `json:"urls"`      // where enterprises can reach it
}

// notice is a notice being written. It keeps the first error.
type notice struct {
	*phrases
	draft Draft
	words Words
	text  strings.Builder
	err   error
}

// Notice renders the draft as the plain text that the signer is shown, in the
// draft's language. The terms carry the digest of this exact text, see
// [NoticeDigest]. SPEC.md specifies the text, so that other programs render the
// same. The error wraps [sign.ErrMalformed]: a part of the draft cannot be
// shown, or is not in its prescribed order.
func Notice(d Draft, w Words) (string, error) {
	n := &notice{phrases: languages[d.Language], draft: d, words: w}
	if n.phrases == nil {
		return "", malformed("language %q", d.Language)
	}
	if err := d.Check(); err != nil {
		return "", err
	}
	n.bounds()
	n.scope()
	n.line(n.explained)
	n.promises()
	n.takeBack()
	if n.err != nil {
		return "", n.err
	}
	text := n.text.String()
	for line := range strings.Lines(text) {
		if !Even(strings.TrimSuffix(line, "\n")) {
			return "", malformed("a line of the notice has blanks in a row, at its end, or unusual ones: %.200q", line)
		}
	}
	return text, nil
}

// NoticeDigest returns the digest of a notice, as terms carry it.
func NoticeDigest(text string) []byte { return digest(labelNotice, []byte(text)) }

// lastDay is 9999-12-31, the last day whose ISO 8601 form has ten characters.
const lastDay = Day(2_932_896)

// Check reports whether all of a draft can be shown and is in its prescribed
// order.
func (d *Draft) Check() error {
	if _, _, err := ParseSubject(string(d.Subject)); err != nil {
		return err
	}
	switch {
	case !ValidMember(d.Bank) || !ValidItem(d.Purpose):
		return malformed("draft: bank or purpose")
	case !ValidText(d.Name):
		return malformed("the enterprise's name has 1 to %d bytes, and no character that cannot be seen", maxText)
	case !ValidText(d.Product):
		return malformed("a product has 1 to %d bytes, and no character that cannot be seen", maxText)
	case d.Date < 0 || d.NotBefore < 0 || d.NotAfter < d.NotBefore || max(d.Date, d.NotAfter) > lastDay:
		return malformed("draft: days")
	case (d.Frequency.Days == 0) != (d.Frequency.Uses == 0):
		return malformed("half a frequency")
	case len(d.Offers) == 0 || len(d.Offers) > MaxAgencies:
		return malformed("a consent is for 1 to %d agencies", MaxAgencies)
	}
	for i, o := range d.Offers {
		if !ValidMember(o.Agency) || i > 0 && d.Offers[i-1].Agency >= o.Agency {
			return malformed("draft: agencies are names, ascending")
		}
		if err := checkItems(len(o.Items), func(i int) Item { return o.Items[i] }); err != nil {
			return err
		}
	}
	return nil
}

func (n *notice) line(text string) { n.text.WriteString(text + "\n") }

// say formats a line and writes it.
func (n *notice) say(format string, args ...any) { n.line(fmt.Sprintf(format, args...)) }

// shown returns the word that the signer will read. It sets the error if the
// word cannot be shown.
func (n *notice) shown(word string) string {
	if !ValidText(word) && n.err == nil {
		n.err = malformed("a title that cannot be shown")
	}
	return word
}

// title returns the title of a purpose, a dataset or an output.
func (n *notice) title(name, fallback string) string {
	title := ""
	if n.words.Titles != nil {
		title = n.words.Titles(name)
	}
	return n.shown(cmp.Or(title, fallback))
}

// member returns the title that genesis gives a member.
func (n *notice) member(name string) string {
	for _, m := range n.words.Members {
		if m.Name == name {
			return n.shown(m.Title)
		}
	}
	return name
}

// bounds writes who may ask, for what purpose, for how long and how often.
func (n *notice) bounds() {
	d := &n.draft
	scheme, code, _ := strings.Cut(string(d.Subject), ":")
	n.line(n.heading)
	n.line("")
	n.say(n.subject, d.Name, n.schemes[scheme], code)
	n.say(n.bank, n.member(d.Bank))
	n.say(n.purpose, n.title(d.Purpose, d.Purpose))
	n.say(n.product, d.Product)
	n.say(n.date, d.Date)
	n.say(n.valid, d.NotBefore, d.NotAfter)
	switch d.Frequency.Days {
	case 0:
		n.say(n.uses, d.MaxUses)
	case 1:
		n.say(n.usesDaily, d.MaxUses, d.Frequency.Uses)
	default:
		n.say(n.usesWithin, d.MaxUses, d.Frequency.Uses, d.Frequency.Days)
	}
	if d.MaxAlerts > 0 {
		n.say(n.alerts, d.MaxAlerts)
	}
	n.say(n.kept, n.days(d.DataLife))
	n.line(n.score)
	n.line("")
}

// scope lists what may be asked of which agency. An output of a state has no
// window, see explained.
func (n *notice) scope() {
	n.line(n.asked)
	for _, o := range n.draft.Offers {
		n.say(n.agency, n.member(o.Agency))
		for _, i := range o.Items {
			n.line(n.bullet + n.item(o.Agency, i))
		}
	}
	n.line("")
}

// item returns the sentence about one item: what is asked of an agency, in what
// detail and for how many months.
func (n *notice) item(agency string, i Item) string {
	dataset, output := agency+"/"+i.Dataset, agency+"/"+i.Dataset+"."+i.Output
	detail := n.disclosures[i.Disclosure]
	if i.Months > 0 {
		detail += n.window(i.Months)
	}
	if n.words.Senses != nil {
		if s := n.words.Senses(output); s != nil {
			if err := s.check(); err != nil && n.err == nil {
				n.err = err
			}
			detail += n.told(s, i.Disclosure)
		}
	}
	return fmt.Sprintf(n.output, n.title(dataset, i.Dataset), n.title(output, i.Output), detail)
}

// Phrase returns what is asked of an agency in the words of a notice in that
// language, for later texts about the consent. The error wraps
// [sign.ErrMalformed].
func (w Words) Phrase(language, agency string, i Item) (string, error) {
	n := &notice{phrases: languages[language], words: w}
	if n.phrases == nil || i.check() != nil {
		return "", malformed("an item, or language %q", language)
	}
	text := n.item(agency, i)
	return text, n.err
}

// Title returns what a notice calls a member or a purpose.
func (w Words) Title(name string) string {
	n := &notice{words: w}
	for _, m := range w.Members {
		if m.Name == name {
			return n.member(name)
		}
	}
	return n.title(name, name)
}

// promises writes what else happens to the data, what does not happen to it,
// and who sees it.
func (n *notice) promises() {
	n.line("")
	n.line(n.nothingElse)
	n.line(n.log)
	n.line("")
}

// takeBack writes how to revoke the consent, through whom, and what to do
// without the key.
func (n *notice) takeBack() {
	var members, registrars []string
	reached := false
	for _, m := range n.words.Members {
		members = append(members, n.shown(m.Title))
		if m.Registrar {
			registrars = append(registrars, m.Title)
		}
		reached = reached || len(m.URLs) > 0
	}
	n.line(n.revoke)
	n.say(n.members, n.shown(n.words.Network), strings.Join(members, n.comma))
	if reached {
		n.line(n.addresses)
	} else {
		n.line(n.noAddress)
	}
	for _, m := range n.words.Members {
		for _, u := range m.URLs {
			n.say(n.address, m.Title, n.shown(u))
		}
	}
	if len(registrars) > 0 {
		n.say(n.lost, strings.Join(registrars, n.comma))
	}
}

// String returns the day as 2006-01-02 (ISO 8601).
func (d Day) String() string {
	return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly)
}
