package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
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
			args[i] = cli.Clean(fmt.Sprint(a))
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
	pad := label + strings.Repeat(" ", max(1, 14-cli.Cells(label)))
	t.say(pad+"%s", pad+"%s", fmt.Sprint(value))
}

// moment writes a time in Unix milliseconds at an offset from UTC in minutes.
func moment(ms uint64, offset int16) string {
	zone := time.FixedZone("", int(offset)*60)
	return time.UnixMilli(int64(min(ms, 1<<53))).In(zone).Format("2006-01-02 15:04:05 -07:00")
}
