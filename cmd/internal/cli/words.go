package cli

import (
	"os"
	"strings"

	"atoll/consensus/consent"

	"github.com/spf13/cobra"
)

// Words is a text or a format that is a constant of the source. A string
// variable does not convert to it implicitly, so text from outside is never
// used as a format.
type Words string

// Text is a text for people, in both languages.
type Text struct{ Chinese, English string }

// In returns the text in a language.
func (t Text) In(lang string) string {
	if lang == consent.Chinese {
		return t.Chinese
	}
	return t.English
}

// Language returns the language of a command: --lang, or else the first of
// ATOLL_LANG, LC_ALL and LANG that is set, or else English. Codes, logs and
// JSON are never translated.
func Language(cmd *cobra.Command) (string, error) {
	named, err := cmd.Flags().GetString("lang")
	if err != nil || named == "" {
		return environment(), nil
	}
	if lang, ok := knownLanguage(named); ok {
		return lang, nil
	}
	return "", Usage("--lang 只能是 zh 或 en，不是 %q", "--lang is zh or en, not %q", named)
}

// languageOf returns the language of a command line that has not been parsed
// yet, or cannot be parsed.
func languageOf(args []string) string {
	for i, arg := range args {
		value, joined := strings.CutPrefix(arg, "--lang=")
		if arg == "--lang" && i+1 < len(args) {
			value, joined = args[i+1], true
		}
		if lang, ok := knownLanguage(value); ok && joined {
			return lang
		}
	}
	return environment()
}

func knownLanguage(named string) (lang string, ok bool) {
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
