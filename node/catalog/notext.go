package catalog

import (
	"slices"
	"strings"
	"unicode"
)

// noWords are what programs and people write where a text is missing, in
// capitals.
var noWords = []string{
	"NULL", "NIL", "NONE", "NAN", "NA", "N/A", `\N`, "UNDEFINED", "无", "空", "暂无", "没有", "未知", "不详", "暂缺", "空白", "无数据",
}

// StandsForNone reports whether a text probably means that there is none: one of
// noWords with any brackets and blanks around it, or a text without letters and
// without digits other than 0.
func StandsForNone(text string) bool {
	if len(text) > maxNoText {
		return false
	}
	said := false
	for _, c := range text {
		said = said || unicode.IsLetter(c) || unicode.IsDigit(c) && c != '0' && c != '０'
	}
	if !said {
		return true
	}
	text = strings.Map(func(c rune) rune {
		if c >= 0xFF01 && c <= 0xFF5E {
			c -= 0xFEE0
		}
		return unicode.ToUpper(c)
	}, text)
	text = strings.TrimFunc(text, func(c rune) bool {
		return unicode.IsSpace(c) || strings.ContainsRune("()[]<>{}#\"'“”‘’（）【】《》", c)
	})
	return slices.Contains(noWords, text)
}

// maxNoText limits the bytes of a text that means that there is none.
const maxNoText = 40
