package consent

import (
	"strings"
	"unicode/utf8"
)

const maxText = 200 // bytes

// ValidText reports whether s is valid as short text for people, such as a
// product or a title: UTF-8 of 1 to 200 bytes, with visible characters only. A
// person signs what is shown and a digest covers the bytes, so both must be the
// same.
func ValidText(s string) bool {
	return s != "" && len(s) <= maxText && Visible(s)
}

// Visible reports whether s is UTF-8 with visible characters only, of any
// length.
func Visible(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == 0x7f {
			return false
		} else if c >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && strings.IndexFunc(s[i:], unseen) < 0
		}
	}
	return true
}

// Even reports whether a line of a notice has its blanks one by one: no two in a
// row but in front, none at the end, and none but the ASCII and the ideographic
// one. A bank could otherwise fill the screen's line with blanks, and the rest
// of a product would read on the next one as a line of the notice.
//
// The log's rules do not ask for it ([ValidText]): whoever signs a notice refuses
// it, and so does whoever renders one, which is enough.
func Even(line string) bool {
	blank := false
	for _, r := range strings.TrimLeft(line, " ") {
		if r == ' ' || r == 0x3000 {
			if blank {
				return false
			}
			blank = true
			continue
		}
		if otherBlank(r) {
			return false
		}
		blank = false
	}
	return !blank
}

// otherBlank reports whether a character leaves no ink, has a width, and is no
// blank of Chinese or English.
func otherBlank(r rune) bool {
	return r == 0xa0 || r == 0x1680 || r >= 0x2000 && r <= 0x200a || r == 0x202f || r == 0x205f || r == 0x2800
}

// unseen reports whether a character breaks lines, reorders text, or is
// invisible by itself, so that two different texts could look alike. Chinese
// and English need no such character. Joiners and selectors of other scripts,
// of emoji and of ideographic variants are among them.
func unseen(r rune) bool {
	for _, u := range unseens {
		if r <= u[1] {
			return r >= u[0]
		}
	}
	return false
}

// unseens are ranges of characters, ascending: controls, line and paragraph
// separators, annotations, and all characters that Unicode 16 calls default
// ignorable. Unicode has fixed that property even for code points it has not
// assigned yet. The ranges are written out because a library's table grows with
// its version, and members must not differ.
var unseens = [...][2]rune{
	{0x0000, 0x001f},   // controls
	{0x007f, 0x009f},   // controls
	{0x00ad, 0x00ad},   // soft hyphen
	{0x034f, 0x034f},   // combining grapheme joiner
	{0x061c, 0x061c},   // Arabic letter mark
	{0x115f, 0x1160},   // Hangul fillers
	{0x17b4, 0x17b5},   // Khmer vowels that are not shown
	{0x180b, 0x180f},   // Mongolian selectors and vowel separator
	{0x200b, 0x200f},   // zero-width space, joiners, direction marks
	{0x2028, 0x202e},   // line and paragraph separator, embeddings and overrides
	{0x2060, 0x206f},   // word joiner, invisible operators, isolates
	{0x3164, 0x3164},   // Hangul filler
	{0xfe00, 0xfe0f},   // variation selectors
	{0xfeff, 0xfeff},   // zero-width no-break space
	{0xffa0, 0xffa0},   // Hangul filler
	{0xfff0, 0xfffb},   // not assigned, annotations
	{0x1bca0, 0x1bca3}, // shorthand controls
	{0x1d173, 0x1d17a}, // musical controls
	{0xe0000, 0xe0fff}, // tags, further variation selectors
}
