package consent

import (
	"strings"
	"testing"
	"unicode"
)

func TestTextShowsAllThatItHolds(t *testing.T) {
	for _, good := range []string{"流动资金贷款", "Working capital (12 months), 4.35 %", "a", "é", "〇 ２８ ・", strings.Repeat("x", 200)} {
		if !ValidText(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, r := range []rune{
		0, '\n', 0x1f, 0x7f, 0x85, 0x9f, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x180f, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028,
		0x2029, 0x202a, 0x202e, 0x2060, 0x2064, 0x2065, 0x2066, 0x206f, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xfffb, 0x1bca0, 0x1d173, 0xe0001, 0xe0061, 0xe0100, 0xe0fff,
	} {
		if ValidText("贷" + string(r) + "款") {
			t.Errorf("U+%04X is taken", r)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 201), "\xff", "a\xed\xa0\x80"} {
		if ValidText(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Blanks that could have the rest of a line look like another one are refused.
func TestEven(t *testing.T) {
	for _, good := range []string{"", "Product: loan", "  - VAT: sales (in full)", "产品：甲　乙", "a b c"} {
		if !Even(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"a  b", "a ", "a\u3000", "a\u3000 b", "a \u3000b", " \u3000 a"} {
		if Even(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
	count := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.Is(unicode.Zs, r) && r != ' ' && r != 0x3000 || r == 0x2800 {
			if count++; Even("a" + string(r) + "b") {
				t.Errorf("U+%04X is taken", r)
			}
		}
	}
	if count < 16 {
		t.Errorf("only %d blanks", count)
	}
}

// The written-out table contains all characters that the tables of this Go
// version list as invisible, and none that has a glyph.
func TestUnseenCharacters(t *testing.T) {
	invisible := []*unicode.RangeTable{unicode.Cc, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Bidi_Control, unicode.Join_Control, unicode.Other_Default_Ignorable_Code_Point}
	visible := []*unicode.RangeTable{unicode.Han, unicode.Latin, unicode.Nd, unicode.Sm, unicode.P, unicode.Zs}
	count := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		switch {
		case unicode.In(r, invisible...) || unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && !egyptian(r):
			if count++; !unseen(r) {
				t.Errorf("U+%04X leaves no mark and is taken", r)
			}
		case unicode.In(r, visible...) && unseen(r):
			t.Errorf("U+%04X is refused", r)
		}
	}
	if count < 400 {
		t.Errorf("only %d characters", count)
	}
	last := rune(-1)
	for _, u := range unseens {
		if u[0] <= last || u[1] < u[0] {
			t.Errorf("the table is not ascending at U+%04X", u[0])
		}
		last = u[1]
	}
}

// egyptian reports whether r is a joiner of hieroglyphs: these arrange visible
// signs.
func egyptian(r rune) bool { return r >= 0x13430 && r <= 0x1343f }
