package consent

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"atoll/crypto/sign"
)

// Subject names an enterprise: "uscc:" and a unified social credit code of 18
// characters (GB 32100-2015), or "lei:" and a legal entity identifier of 20
// characters (ISO 17442).
type Subject string

// ParseSubject checks the form and every check character. Pilot is true for the
// early Fujian codes that were issued with a wrong last check character and are
// still valid; callers show it. The error wraps [sign.ErrMalformed] and says
// which character is wrong. It never contains the code itself, because errors
// are written to logs.
func ParseSubject(text string) (s Subject, pilot bool, err error) {
	scheme, code, ok := strings.Cut(text, ":")
	switch {
	case ok && scheme == "uscc":
		pilot, err = checkUSCC(code)
	case ok && scheme == "lei":
		err = checkLEI(code)
	default:
		err = fmt.Errorf("%w: a subject is uscc:… or lei:…", sign.ErrMalformed)
	}
	if err != nil && strings.Map(HalfWidth, text) != text {
		err = fmt.Errorf("%w: the code is written in full-width characters", sign.ErrMalformed)
	}
	if err != nil {
		return "", false, err
	}
	return Subject(text), pilot, nil
}

// HalfWidth converts a full-width character, as input methods for Chinese write
// digits and letters, to ASCII. Others stay.
func HalfWidth(r rune) rune {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E:
		return r - 0xFEE0
	case r == 0x3000:
		return ' '
	}
	return r
}

const (
	usccDigits = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100-2015: no I O S V Z
	usccLength = 18
	leiLength  = 20
)

// KnownCode reports whether a bare code is valid in the scheme ("uscc" or
// "lei"), by its form and its check characters. It is used on every row of a
// register, and allocates nothing for a valid code.
func KnownCode(scheme, code string) bool {
	switch scheme {
	case "uscc":
		_, err := checkUSCC(code)
		return err == nil
	case "lei":
		return checkLEI(code) == nil
	}
	return false
}

// usccValues maps the characters of a social credit code to their values, and
// all other characters to -1.
var usccValues = func() (values [256]int8) {
	for c := range values {
		values[c] = int8(strings.IndexByte(usccDigits, byte(c)))
	}
	return values
}()

// usccWeights are powers of 3 modulo 31; the check character itself has none.
var usccWeights = [usccLength]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 0}

// checkUSCC checks a code by GB 32100-2015: the check character 18 of the first
// 17, and the organisation code within (characters 9 to 17, GB 11714-1997) by
// its own check character.
func checkUSCC(code string) (pilot bool, err error) {
	if len(code) != usccLength {
		return false, fmt.Errorf("%w: a social credit code has 18 characters, not %d", sign.ErrMalformed, utf8.RuneCountInString(code))
	}
	sum := 0
	for i, weight := range usccWeights {
		v := int(usccValues[code[i]])
		if v < 0 {
			return false, fmt.Errorf("%w: character %d of the social credit code is not in its alphabet", sign.ErrMalformed, i+1)
		}
		sum += v * weight
	}
	if !innerCheck(code[8:17]) {
		return false, fmt.Errorf("%w: check character 17 of the social credit code is wrong", sign.ErrMalformed)
	}
	if usccDigits[(31-sum%31)%31] == code[17] {
		return false, nil
	}
	// Region 35 is Fujian; its pilot numbered enterprises from M000.
	if code[:4] == "9135" && strings.HasPrefix(code[8:], "M000") {
		return true, nil
	}
	return false, fmt.Errorf("%w: check character 18 of the social credit code is wrong", sign.ErrMalformed)
}

// innerCheck checks an organisation code with its check character.
func innerCheck(code string) bool {
	sum := 0
	for i, w := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		sum += w * value36(code[i])
	}
	return "0123456789X"[(11-sum%11)%11] == code[8]
}

// value36 returns the value of a digit (0 to 9) or capital letter (A is 10).
func value36(c byte) int {
	if c <= '9' {
		return int(c - '0')
	}
	return int(c-'A') + 10
}

// checkLEI checks ISO 17442: ISO 7064 MOD 97-10 over letters as numbers.
func checkLEI(code string) error {
	if len(code) != leiLength {
		return fmt.Errorf("%w: a legal entity identifier has 20 characters, not %d", sign.ErrMalformed, utf8.RuneCountInString(code))
	}
	mod := 0
	for i, c := range []byte(code) {
		switch {
		case c >= '0' && c <= '9':
			mod = (mod*10 + value36(c)) % 97
		case c >= 'A' && c <= 'Z' && i < leiLength-2:
			mod = (mod*100 + value36(c)) % 97
		default:
			return fmt.Errorf("%w: character %d of the legal entity identifier", sign.ErrMalformed, i+1)
		}
	}
	if mod != 1 {
		return fmt.Errorf("%w: check digits of the legal entity identifier are wrong", sign.ErrMalformed)
	}
	return nil
}
