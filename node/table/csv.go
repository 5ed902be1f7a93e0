package table

import (
	"bufio"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// byteOrderMark tells Excel that a file is UTF-8. Without it, Chinese is read as
// GBK.
const byteOrderMark = "\ufeff"

// csv writes RFC 4180: a header line, lines that end in CR LF, quotes where they
// are needed. No value is an empty field; no text is empty. A line break in a
// text stays as it is, which encoding/csv would change.
type csv struct {
	w       *bufio.Writer
	columns []Column
	sheet   bool
	field   []byte
}

func newCSV(w *bufio.Writer, columns []Column, sheet bool) *csv {
	c := &csv{w: w, columns: columns, sheet: sheet}
	if sheet {
		w.WriteString(byteOrderMark) // the writer keeps its error until the end
	}
	for i := range columns {
		name := columns[i].Name
		if title := columns[i].Title; sheet && title != "" {
			name = title
			if Guard(title) || numeral(title) {
				name = "'" + title
			}
		}
		c.put(i, []byte(name))
	}
	return c
}

func (c *csv) row(values []Value) error {
	for i := range c.columns {
		v := &values[i]
		c.field = c.field[:0]
		if v.kind == texts && (Guard(v.text) || c.sheet && numeral(v.text)) || c.sheet && v.kind == numbers && v.inexact() {
			c.field = append(c.field, '\'')
		}
		c.field = v.Append(c.field)
		if err := c.put(i, c.field); err != nil {
			return err
		}
	}
	return nil
}

// put writes field number i of a line.
func (c *csv) put(i int, field []byte) error {
	if i > 0 {
		c.w.WriteByte(',')
	}
	text := string(field)
	// An empty line is no row to most readers.
	if strings.ContainsAny(text, "\",\r\n") || strings.TrimSpace(text) != text || text == "" && len(c.columns) == 1 {
		text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	_, err := c.w.WriteString(text)
	if i == len(c.columns)-1 {
		_, err = c.w.WriteString("\r\n")
	}
	return err
}

func (c *csv) close() error { return nil }

// Guard reports whether a text gets an apostrophe in front in a CSV file. Whoever
// opens the file in a spreadsheet must not run a formula that the enterprise has
// put into its own name, so this is no option. It is undone by taking away one
// apostrophe from every text that begins with one.
func Guard(text string) bool {
	if strings.HasPrefix(text, "'") {
		return true
	}
	// Spreadsheets skip blanks before a formula, and the East Asian ones accept
	// the signs in other widths. A tab or carriage return counts as a sign.
	for _, r := range text {
		if r == '\t' || r == '\r' || !unicode.IsSpace(r) && unicode.IsGraphic(r) {
			return strings.ContainsRune("=+-@\t\r＝＋－＠﹦﹢﹣﹫−", r)
		}
	}
	return false
}

// numeral reports whether a spreadsheet would read a text as a number, a time or
// a truth and show another one: a social security number as 1.1E+17, 007 as 7,
// 3-4 and 3月4日 as a day, (5) as −5, MAR1 as the first of March.
func numeral(text string) bool {
	if c := text[0]; c < utf8.RuneSelf && !strings.ContainsRune("0123456789.($adfjmonstADFJMONST", rune(c)) {
		return false
	}
	s := strings.ToLower(strings.Map(narrow, text))
	if s == "true" || s == "false" {
		return true
	}
	return strings.ContainsAny(s, "0123456789") && strings.Trim(month().ReplaceAllString(s, ""), "0123456789 .,:/-+%e()$¥￥€£年月日时分秒") == ""
}

// narrow makes a character of full width one of ASCII: ００７ is 7 as well.
func narrow(r rune) rune {
	if r >= '！' && r <= '～' {
		return r - '！' + '!'
	}
	return r
}

// month is the name of a month, whole or not.
var month = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?`)
})

// inexact reports whether a spreadsheet would keep only the first 15 digits of a
// number.
func (v *Value) inexact() bool {
	const most = 999_999_999_999_999
	return !v.magnitude().less(wide{0, most + 1})
}
