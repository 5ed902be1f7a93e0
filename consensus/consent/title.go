package consent

import (
	"slices"
	"strings"
)

// titleRunes are the characters of a member's titles, as ascending ranges: ASCII
// and what Chinese names are written with. Whoever approves a newcomer goes by
// what it sees. Letters of other scripts, radicals and compatibility characters
// look like these, so that a title could pass for another member's.
var titleRunes = [...][2]rune{
	{0x0020, 0x007e},   // ASCII
	{0x00b7, 0x00b7},   // middle dot
	{0x2014, 0x2014},   // dash
	{0x2018, 0x2019},   // quotation marks
	{0x201c, 0x201d},   // quotation marks
	{0x3001, 0x3002},   // comma and full stop
	{0x3007, 0x3011},   // zero, brackets
	{0x3400, 0x4dbf},   // ideographs
	{0x4e00, 0x9fff},   // ideographs
	{0xff01, 0xff5e},   // ASCII in full width
	{0x20000, 0x2f7ff}, // ideographs
	{0x30000, 0x323af}, // ideographs
}

// ValidTitle reports whether s is written as a title of a member has to be, of any length.
func ValidTitle(s string) bool {
	if !ValidText(s) || Folded(s) == "" {
		return false
	}
	for _, r := range s {
		if !slices.ContainsFunc(titleRunes[:], func(u [2]rune) bool { return u[0] <= r && r <= u[1] }) {
			return false
		}
	}
	return true
}

// Folded returns what is left of a name or title when all is dropped by which
// people do not tell two of them apart: width, case, spaces, punctuation, and the
// difference between 1, i and l and between 0, o and 〇.
func Folded(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0xff01 && r <= 0xff5e {
			r -= 0xff01 - '!'
		}
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		switch {
		case r == '1' || r == 'i':
			return 'l'
		case r == '0' || r == '〇':
			return 'o'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 0x3400:
			return r
		}
		return -1
	}, s)
}
