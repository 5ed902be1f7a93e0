package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Printer prints for people, in one language. It cleans all arguments, since
// they may come from outside. After the first error of the writer it prints
// nothing more.
type Printer struct {
	W     io.Writer
	Lang  string
	Zone  func() *time.Location // of the network; nil: UTC
	Parts func(Part)            // takes what would be printed, and W is not used; nil: print
	err   error
}

// Part is a part of what a printer prints, for a page: lines of text, a table, a
// heading, or a document. It is clean already, as on a terminal.
type Part struct {
	Text  string
	Kind  PartKind
	Rows  [][]string // cells; nil for text
	Named bool       // the first row has the names of the columns
	Texts int        // columns before those of numbers; -1: there are none of numbers
}

// PartKind says what the text of a part is.
type PartKind int

// Kinds of parts. A part with rows is a table, whatever its kind.
const (
	PartLines    PartKind = iota
	PartHeading           // of what follows, up to the next one
	PartDocument          // a text with lines of its own, such as a notice
)

// To returns a printer for a command's result, on standard output.
func To(cmd *cobra.Command) (*Printer, error) {
	lang, err := Language(cmd)
	return On(cmd, cmd.OutOrStdout(), lang), err
}

// On returns a printer on w, in a language that is known already. People see times
// in the zone of the network that the command is about, as with [To] and [Beside].
func On(cmd *cobra.Command, w io.Writer, lang string) *Printer {
	return &Printer{W: w, Lang: lang, Zone: zoneFor(cmd)}
}

// Beside returns a printer for messages beside a command's result, on standard
// error. It prints nothing if the command prints a JSON document.
func Beside(cmd *cobra.Command) (*Printer, error) {
	lang, err := Language(cmd)
	t := On(cmd, cmd.ErrOrStderr(), lang)
	if AsJSON(cmd) {
		t.W = io.Discard
	}
	return t, err
}

// Err returns the first error of the writer.
func (t *Printer) Err() error { return t.err }

// Say prints one or more lines.
func (t *Printer) Say(chinese, english Words, args ...any) {
	t.line(string(t.Fill(chinese, english, args...)))
}

// Section begins a part of a result that has a heading.
func (t *Printer) Section(chinese, english Words, args ...any) {
	heading := string(t.Fill(chinese, english, args...))
	if t.Parts != nil {
		t.Parts(Part{Text: heading, Kind: PartHeading})
		return
	}
	t.line("")
	t.line(heading)
}

// line prints a line that is clean.
func (t *Printer) line(text string) {
	switch {
	case t.Parts != nil:
		t.Parts(Part{Text: text})
	case t.err == nil:
		_, t.err = fmt.Fprintln(t.W, text)
	}
}

// Ask prints a question without a line break, so that the answer follows on the
// same line. A page has no place for one.
func (t *Printer) Ask(chinese, english Words, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprint(t.W, string(t.Fill(chinese, english, args...)))
	}
}

// Fill returns what [Printer.Say] would print, as part of another text.
func (t *Printer) Fill(chinese, english Words, args ...any) Filled {
	return Filled(t.moments(fmt.Sprintf(Text{string(chinese), string(english)}.In(t.Lang), cleaned(t.Lang, args...)...)))
}

// In returns the text in the printer's language.
func (t *Printer) In(chinese, english string) string { return Text{chinese, english}.In(t.Lang) }

// Warn prints a warning, and what to do about it.
func (t *Printer) Warn(program string, what, hint Filled) {
	t.Say("%s: 警告：%s", "%s: warning: %s", program, what)
	if hint != "" {
		t.Say("%s: 提示：%s", "%s: hint: %s", program, hint)
	}
}

// Block prints text of several lines from outside. It indents all of them, so
// that none can be taken for a line of this program.
func (t *Printer) Block(text string) { t.lines(text, "    ") }

// Page prints text of several lines that is itself the result. The lines are
// cleaned and not indented.
func (t *Printer) Page(text string) {
	if t.Parts == nil {
		t.lines(text, "")
		return
	}
	var lines []string
	gathered := Printer{Parts: func(p Part) { lines = append(lines, p.Text) }}
	gathered.lines(text, "")
	t.Parts(Part{Text: strings.Join(lines, "\n"), Kind: PartDocument})
}

func (t *Printer) lines(text, indent string) {
	for line := range strings.Lines(text) {
		t.line(strings.TrimRight(indent+cut(strings.TrimRight(line, "\n"), maxLine), " "))
	}
}

// maxLine limits how many characters of a line of a page are shown.
const maxLine = 4000

// Row prints a label and a value in columns.
func (t *Printer) Row(chinese, english Words, value any) {
	label := Text{string(chinese), string(english)}.In(t.Lang)
	shown := t.moments(fmt.Sprint(cleaned(t.Lang, value)[0]))
	if t.Parts != nil {
		t.Parts(Part{Rows: [][]string{{label, shown}}, Texts: -1})
		return
	}
	t.line(label + strings.Repeat(" ", max(1, labelCells-Cells(label))) + shown)
}

const labelCells = 14
