package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"atoll/consensus/consent"

	"github.com/spf13/cobra"
)

// language picks the words of a command: --lang, else ATOLL_LANG, LC_ALL and
// LANG in this order, else English. Codes, logs and JSON are never translated.
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
	return "", fmt.Errorf("%w: --lang %q is neither zh nor en", errUsage, lang)
}

// teller prints a story in one language. The first error of the writer sticks.
type teller struct {
	w    io.Writer
	lang string
	err  error
}

// say prints a line, in the words of the language.
func (t *teller) say(chinese, english string, args ...any) {
	format := english
	if t.lang == consent.Chinese {
		format = chinese
	}
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// block prints text indented.
func (t *teller) block(text string) {
	for line := range strings.Lines(text) {
		t.say("    %s", "    %s", strings.TrimRight(line, "\n"))
	}
}
