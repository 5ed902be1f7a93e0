package cli

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxShown is how many characters of one text are shown.
const maxShown = 500

// Clean makes text from elsewhere harmless on a terminal: what does not print,
// or reorders what does, becomes an escape as in JSON; what is too long is cut.
// It leaves no line break.
func Clean(s string) string { return cut(s, maxShown) }

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

// prints reports whether a character is one that people see, and where it
// stands. The wide space of Chinese is; a byte that is no text is not.
func prints(r rune) bool { return r != utf8.RuneError && (unicode.IsPrint(r) || r == '\u3000') }

// escape writes a character as JSON does.
func escape(r rune) string {
	if hi, lo := utf16.EncodeRune(r); hi != unicode.ReplacementChar {
		return fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// Filled is a text that [Printer.Fill] has made: its arguments are clean, and
// cleaning it again would cut it.
type Filled string

// cleaned makes arguments of a format harmless: numbers stay numbers, all else
// becomes clean text.
func cleaned(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case Filled:
			out[i] = string(a)
			continue
		case []byte:
			out[i] = Clean(string(a))
			continue
		case error, fmt.Stringer:
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
