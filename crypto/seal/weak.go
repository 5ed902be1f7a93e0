package seal

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a new passphrase. One that is in use opens its file whatever it is.
const (
	MinPassphrase = 10 // characters, not bytes
	minDifferent  = 5  // different ones among them
)

// Why a passphrase is refused for a new file. Whoever has stolen the file can try
// passphrases without asking anybody, so what is tried first has to be none.
var (
	ErrShort     = errors.New("the passphrase is too short")
	ErrGuessable = errors.New("the passphrase is easy to guess")
)

// CheckPassphrase returns an error if a passphrase must not protect a new file. It is
// [ErrShort] if there are fewer than [MinPassphrase] characters. It is [ErrGuessable] if
// there are no letters, as in dates and telephone numbers; if there are the same few
// characters again and again, or in the order of the alphabet; or if there is too little
// beside words that everybody tries and public, a text that everybody knows of the owner
// ("" for none). Blanks and punctuation do not count.
func CheckPassphrase(words, public string) error {
	words = norm.NFKC.String(words) // full-width digits are digits
	if utf8.RuneCountInString(words) < MinPassphrase {
		return ErrShort
	}
	words = counted(words)
	for _, part := range parts(counted(public)) {
		words = strings.ReplaceAll(words, part, "")
	}
	for _, word := range triedFirst {
		words = strings.ReplaceAll(words, word, "")
	}
	different, letters, last := map[rune]bool{}, false, rune(0)
	for _, r := range words {
		if r != last+1 {
			different[r] = true
		}
		letters, last = letters || unicode.IsLetter(r) || unicode.Is(unicode.So, r), r
	}
	if len(different) < minDifferent || !letters {
		return ErrGuessable
	}
	return nil
}

// triedFirst are words that are in all lists of passphrases, longer ones first.
var triedFirst = []string{
	"1Q2W3E4R5T6Y", "1Q2W3E4R5T", "1QAZ2WSX3EDC", "1QAZ2WSX", "1Q2W3E4R", "QWERTYUIOP", "ASDFGHJKL", "QWERTY", "ZXCVBNM",
	"ILOVEYOU", "WOAINI", "5201314", "PASSWORD", "PASSW0RD", "PSSWORD", "PSSW0RD", "PASSPHRASE", "ADMINISTRATOR", "ADMIN",
	"WELCOME", "LETMEIN", "USCC", "CODE", "MIMA", "密码", "口令",
}

// counted returns the letters, digits and pictures of a text, in capitals.
func counted(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.So, r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, text)
}

// shortestPart is how many characters of a public text are recognised.
const shortestPart = 8

// parts returns the parts of a public text, and of it backwards, the longest first.
func parts(public string) (list []string) {
	ahead := []rune(public)
	back := slices.Clone(ahead)
	slices.Reverse(back)
	for n := len(ahead); n >= shortestPart; n-- {
		for i := range len(ahead) - n + 1 {
			list = append(list, string(ahead[i:i+n]), string(back[i:i+n]))
		}
	}
	return list
}
