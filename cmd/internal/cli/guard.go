package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// guard is the writer for everything that a command prints. It escapes
// characters that move the cursor or hide text, whoever prints them. It lets
// line breaks and tabs pass: [Printer] keeps text from imitating a line of the
// program.
type guard struct {
	w    io.Writer
	rest []byte // the beginning of a character, whose other bytes have not been written yet
}

// Write implements io.Writer.
func (g *guard) Write(b []byte) (int, error) {
	text := append(g.rest, b...)
	var out strings.Builder
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		if r == '\n' || r == '\t' || prints(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(escape(r))
		}
		text = text[size:]
	}
	g.rest = append([]byte{}, text...)
	if _, err := io.WriteString(g.w, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}
