package cli

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxShown limits how many characters of one text are shown.
const maxShown = 500

// Clean makes text from outside harmless on a terminal. Each character that
// does not print, or that changes the order of other text, becomes an escape as
// in JSON. Text longer than maxShown characters is cut. The result has no line
// break.
func Clean(s string) string { return cut(s, maxShown) }

// CleanLine is [Clean] for a line of a page, such as a command line, which may be
// longer.
func CleanLine(s string) string { return cut(s, maxLine) }

func cut(s string, most int) string {
	var out strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			out.WriteString("…")
			break
		}
		if prints(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(escape(r))
		}
	}
	return out.String()
}

// prints reports whether a character is visible and leaves the order of other
// text as it is. The wide space of Chinese counts as visible; a byte that is
// not part of a valid character does not.
func prints(r rune) bool { return r != utf8.RuneError && (unicode.IsPrint(r) || r == '\u3000') }

// escape writes a character as JSON does.
func escape(r rune) string {
	if hi, lo := utf16.EncodeRune(r); hi != unicode.ReplacementChar {
		return fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// Filled is a text made by [Printer.Fill]. Its arguments are already clean, and
// cleaning it again would cut it.
type Filled string

// cleaned makes the arguments of a format harmless: numbers stay numbers,
// everything else becomes clean text. An error is translated.
func cleaned(lang string, args ...any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case Filled:
			out[i] = string(a)
			continue
		case []byte:
			out[i] = Clean(string(a))
			continue
		case error:
			out[i] = Clean(said(a, lang))
			continue
		case fmt.Stringer:
			out[i] = Clean(fmt.Sprint(a))
			continue
		}
		switch v := reflect.ValueOf(a); {
		case v.IsValid() && (v.CanInt() || v.CanUint() || v.CanFloat() || v.Kind() == reflect.Bool):
			out[i] = a
		default:
			out[i] = Clean(fmt.Sprint(a))
		}
	}
	return out
}
