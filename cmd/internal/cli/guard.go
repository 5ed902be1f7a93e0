package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// guard is where all goes that a command prints: what moves a cursor or hides
// text is written out, whoever prints it. It lets line breaks and tabs pass;
// that nothing forges a line is up to [Printer].
type guard struct {
	w    io.Writer
	rest []byte // the beginning of a character
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
