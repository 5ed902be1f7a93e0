package source

import (
	"fmt"
	"strings"

	"atoll/node/catalog"
)

// A server classifies the keys of a table itself, by expressions that compute
// check characters as keying.sort does, so that only deviant rows are fetched.

// maxDeviants limits the rows of a table on a server whose keys are fetched one
// by one. A table with more gives no answers.
const maxDeviants = MaxAside + maxMended

// keyFunctions are the functions of a database that classify a key. Each takes and
// returns expressions.
type keyFunctions struct {
	octets func(text string) string                   // length in bytes
	part   func(text string, from, length int) string // characters, from counting from 1; "" past the end
	place  func(alphabet, character string) string    // position of the character in a literal, from 1; 0 where it is not in it
	made   func(text, alphabet string) string         // whether there are no characters but those of the alphabet
	mod    func(number string, by int) string
}

const (
	usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	digits       = "0123456789"
	alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// sorted returns an expression that is 2 if a key is exact, 1 if it is of
// another kind that the dataset declares, and 0 if its row has to be fetched. A
// key of the last kind may still be usable.
func (f keyFunctions) sorted(d *catalog.Dataset, key string) string {
	k := keyingOf(d)
	exact := []string{f.is(key, "", 18, f.uscc), f.is(key, "uscc:", 18, f.uscc)}
	if k.lei {
		exact = append(exact, f.is(key, "", 20, f.lei), f.is(key, "lei:", 20, f.lei))
	}
	text := "CASE WHEN " + strings.Join(exact, " OR ") + " THEN 2"
	if k.person {
		text += " WHEN " + f.is(key, "", 18, f.person) + " THEN 1"
	}
	if k.registration {
		text += " WHEN " + f.is(key, "", 15, f.registration) + " THEN 1"
	}
	return text + " ELSE 0 END"
}

// is returns the condition that a key is a scheme and a code of so many
// characters.
func (f keyFunctions) is(key, scheme string, length int, valid func(key string, before int) string) string {
	text := fmt.Sprintf("%s = %d AND ", f.octets(key), len(scheme)+length)
	if scheme != "" {
		text += fmt.Sprintf("%s = '%s' AND ", f.part(key, 1, len(scheme)), scheme)
	}
	return "(" + text + valid(key, len(scheme)) + ")"
}

// value returns the value of a code's character in an alphabet, -1 if it is not
// in it.
func (f keyFunctions) value(key string, at int, alphabet string) string {
	return "(" + f.place(alphabet, f.part(key, at, 1)) + " - 1)"
}

// sum returns the sum of weighted values of characters from a position on.
func (f keyFunctions) sum(key string, from int, alphabet string, weights ...int) string {
	terms := make([]string, len(weights))
	for i, w := range weights {
		terms[i] = fmt.Sprintf("%d * %s", w, f.value(key, from+i, alphabet))
	}
	return "(" + strings.Join(terms, " + ") + ")"
}

// uscc is [consent.KnownCode] for social credit codes.
func (f keyFunctions) uscc(key string, before int) string {
	outer := f.mod(f.sum(key, before+1, usccAlphabet, 1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1), 31)
	inner := f.mod("("+f.sum(key, before+9, alphanumeric, 3, 7, 9, 10, 5, 8, 4, 2)+" + "+f.value(key, before+17, "0123456789X")+")", 11)
	return fmt.Sprintf("%s AND %s > 0 AND %s = 0 AND (%s = 0 OR %s = '9135' AND %s = 'M000')",
		f.made(f.part(key, before+1, 18), usccAlphabet), f.place("0123456789X", f.part(key, before+17, 1)), inner, outer,
		f.part(key, before+1, 4), f.part(key, before+9, 4))
}

// lei is [consent.KnownCode] for legal entity identifiers: letters are numbers
// of two digits.
func (f keyFunctions) lei(key string, before int) string {
	rest := "0"
	for i := 1; i <= 20; i++ {
		v := f.value(key, before+i, alphanumeric)
		rest = f.mod(fmt.Sprintf("(%s * CASE WHEN %s > 9 THEN 100 ELSE 10 END + %s)", rest, v, v), 97)
	}
	return fmt.Sprintf("%s AND %s AND %s = 1", f.made(f.part(key, before+1, 18), alphanumeric), f.made(f.part(key, before+19, 2), digits), rest)
}

// person is isPerson, also with a small x as the check character.
func (f keyFunctions) person(key string, _ int) string {
	sum := f.mod(f.sum(key, 1, digits, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), 11)
	year, month, day := f.sum(key, 7, digits, 1000, 100, 10, 1), f.sum(key, 11, digits, 10, 1), f.sum(key, 13, digits, 10, 1)
	leap := fmt.Sprintf("%s = 0 AND (%s <> 0 OR %s = 0)", f.mod(year, 4), f.mod(year, 100), f.mod(year, 400))
	last := fmt.Sprintf("CASE WHEN %s = 2 THEN CASE WHEN %s THEN 29 ELSE 28 END WHEN %s = 4 OR %s = 6 OR %s = 9 OR %s = 11 THEN 30 ELSE 31 END", month, leap, month, month, month, month)
	return fmt.Sprintf("%s AND %s AND %s >= 1850 AND %s <= 2099 AND %s >= 1 AND %s <= 12 AND %s >= 1 AND %s <= %s AND (%s = %s + 1 OR %s = 'x' AND %s = 2)",
		f.made(f.part(key, 1, 17), digits), f.made(f.part(key, 18, 1), "0123456789Xx"), year, year, month, month, day, day, last,
		f.place("10X98765432", f.part(key, 18, 1)), sum, f.part(key, 18, 1), sum)
}

// registration is isRegistration.
func (f keyFunctions) registration(key string, _ int) string {
	p := "10"
	for i := 1; i < 15; i++ {
		p = f.mod(fmt.Sprintf("((%s + 1) * 2)", f.mod(fmt.Sprintf("(%s + %s + 9)", p, f.value(key, i, digits)), 10)), 11)
	}
	return fmt.Sprintf("%s AND %s = 1", f.made(key, digits), f.mod(fmt.Sprintf("(%s + %s)", p, f.value(key, 15, digits)), 10))
}

// plainKeys returns the condition that a key needs no look at its row: a CHECK
// constraint that replaces the check of all keys.
func (f keyFunctions) plainKeys(d *catalog.Dataset, key string) string {
	return f.sorted(d, key) + " > 0"
}

// inLines breaks a condition into lines, which terminals and editors keep whole.
func inLines(condition string) string {
	return strings.NewReplacer(" AND ", "\nAND ", " OR ", "\nOR ", " CASE ", "\nCASE ", " WHEN ", "\nWHEN ").Replace(condition)
}

// bare removes from an expression what a database adds or changes when it prints
// a constraint: blanks, parentheses, casts, quotation marks. Two expressions of
// this package that are equal after that are equal.
func bare(expression string) string {
	text := strings.Join(strings.Fields(expression), "")
	return strings.NewReplacer("(", "", ")", "", "::text", "", `COLLATE"C"`, "", `"`, "").Replace(text)
}
