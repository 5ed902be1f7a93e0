package cli

import (
	"os"
	"strings"

	"atoll/consensus/consent"

	"github.com/spf13/cobra"
)

// Words is a text, or a format, of the source: what is no constant there does
// not compile as one, so that nothing from elsewhere is ever a format.
type Words string

// Text is what people read, in both languages.
type Text struct{ Chinese, English string }

// In returns the words of a language.
func (t Text) In(lang string) string {
	if lang == consent.Chinese {
		return t.Chinese
	}
	return t.English
}

// Language picks the words of a command: --lang, else ATOLL_LANG, LC_ALL and
// LANG in this order, else English. Codes, logs and JSON are never translated.
func Language(cmd *cobra.Command) (string, error) {
	named, err := cmd.Flags().GetString("lang")
	if err != nil || named == "" {
		return environment(), nil
	}
	if lang, ok := known(named); ok {
		return lang, nil
	}
	return "", Usage("--lang 只能是 zh 或 en，不是 %q", "--lang is zh or en, not %q", named)
}

// languageOf is the language of a command line that is not understood yet, or
// not at all.
func languageOf(args []string) string {
	for i, arg := range args {
		value, joined := strings.CutPrefix(arg, "--lang=")
		if arg == "--lang" && i+1 < len(args) {
			value, joined = args[i+1], true
		}
		if lang, ok := known(value); ok && joined {
			return lang
		}
	}
	return environment()
}

func known(named string) (lang string, ok bool) {
	switch {
	case strings.HasPrefix(named, "zh"):
		return consent.Chinese, true
	case named == "en":
		return consent.English, true
	}
	return "", false
}

func environment() string {
	for _, name := range []string{"ATOLL_LANG", "LC_ALL", "LANG"} {
		if value := os.Getenv(name); value != "" {
			if strings.HasPrefix(value, "zh") {
				return consent.Chinese
			}
			break
		}
	}
	return consent.English
}
