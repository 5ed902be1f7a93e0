package cli

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// guard is the writer for everything that a command prints. It escapes
// characters that move the cursor or hide text, whoever prints them. It lets
// tabs and line breaks pass, CR LF of CSV too: [Printer] keeps text from
// imitating a line of the program.
type guard struct {
	w    io.Writer
	rest []byte // the beginning of a character or of CR LF, whose other bytes have not been written yet
}

// Write implements io.Writer.
func (g *guard) Write(b []byte) (int, error) {
	text := append(g.rest, b...)
	var out strings.Builder
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		if r == '\r' && len(text) == 1 {
			break
		}
		if r == '\n' || r == '\t' || prints(r) || r == '\r' && text[1] == '\n' {
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

// Terminal returns the terminal at standard error, or nil if nobody is
// watching.
func Terminal(cmd *cobra.Command) *os.File {
	w := cmd.ErrOrStderr()
	if g, ok := w.(*guard); ok {
		w = g.w
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
