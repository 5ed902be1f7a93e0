package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"atoll/consensus/consent"

	"github.com/spf13/cobra"
)

// language picks the words of a command: --lang, else ATOLL_LANG, LC_ALL and
// LANG in this order, else English. Codes and JSON are never translated.
func language(cmd *cobra.Command) (string, error) {
	lang, _ := cmd.Flags().GetString("lang")
	if lang == "" {
		for _, name := range []string{"ATOLL_LANG", "LC_ALL", "LANG"} {
			if lang = os.Getenv(name); lang != "" {
				break
			}
		}
		if !strings.HasPrefix(lang, "zh") {
			lang = "en"
		}
	}
	switch {
	case strings.HasPrefix(lang, "zh"):
		return consent.Chinese, nil
	case lang == "en":
		return consent.English, nil
	}
	return "", usage("--lang %q is neither zh nor en", lang)
}

// teller prints in one language. Whatever it is given to fill in is cleaned,
// since it may come from a log. The first error of the writer sticks.
type teller struct {
	w    io.Writer
	lang string
	err  error
}

// newTeller prints to the command's output, or nowhere where JSON is wanted.
func newTeller(cmd *cobra.Command) (t *teller, asJSON bool, err error) {
	t = &teller{w: cmd.OutOrStdout()}
	if t.lang, err = language(cmd); err != nil {
		return nil, false, err
	}
	asJSON, _ = cmd.Flags().GetBool("json")
	if asJSON {
		t.w = io.Discard
	}
	return t, asJSON, nil
}

// say prints a line, in the words of the language.
func (t *teller) say(chinese, english string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case int, uint64, uint32:
		default:
			args[i] = clean(fmt.Sprint(a))
		}
	}
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, t.word(chinese, english)+"\n", args...)
	}
}

// word is one of two, by the language.
func (t *teller) word(chinese, english string) string {
	if t.lang == consent.Chinese {
		return chinese
	}
	return english
}

// row prints a label and a value in columns. Chinese characters take two.
func (t *teller) row(chinese, english string, value any) {
	label := t.word(chinese, english)
	pad := label + strings.Repeat(" ", max(1, 14-cellsOf(label)))
	t.say(pad+"%s", pad+"%s", fmt.Sprint(value))
}

// cellsOf is how wide a text is on a terminal.
func cellsOf(text string) (width int) {
	for _, r := range text {
		if width++; r >= 0x2e80 {
			width++
		}
	}
	return width
}

const maxShown = 500 // characters of one text

// clean makes text from a log harmless on a terminal: what does not print, or
// reorders what does, becomes an escape; what is too long is cut.
func clean(s string) string {
	var out strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxShown {
			out.WriteString("…")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			out.WriteString(escape(r))
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// escape writes a character as JSON does.
func escape(r rune) string {
	if hi, lo := utf16.EncodeRune(r); hi != unicode.ReplacementChar {
		return fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// printJSON writes one document with its schema name.
func printJSON(w io.Writer, schema string, data any) error {
	return encode(w, map[string]any{"schema": schema, "data": data}, "  ")
}

// printLine writes one line of JSON.
func printLine(w io.Writer, data any) error { return encode(w, data, "") }

// encode writes JSON. Characters that do not print are escaped here too: a
// terminal may be reading.
func encode(w io.Writer, data any, indent string) error {
	var doc bytes.Buffer
	e := json.NewEncoder(&doc)
	e.SetIndent("", indent)
	if err := e.Encode(data); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range doc.String() {
		if r != '\n' && !unicode.IsPrint(r) {
			out.WriteString(escape(r))
			continue
		}
		out.WriteRune(r)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// moment writes a time in Unix milliseconds at an offset from UTC in minutes.
func moment(ms uint64, offset int16) string {
	zone := time.FixedZone("", int(offset)*60)
	return time.UnixMilli(int64(min(ms, 1<<53))).In(zone).Format("2006-01-02 15:04:05 -07:00")
}
