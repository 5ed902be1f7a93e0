package source

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// standing is what a dataset makes of a row's key.
type standing uint8

const (
	unusable standing = iota // unknown whose row it is
	exact                    // a subject's code, bare or with its scheme
	mended                   // a subject's code in another form: blanks around it, width, case
	other                    // of another kind that the dataset declares, such as a person's
)

// keying is the only rule that classifies keys: in the first pass over a table,
// in each lookup and in [Source.Test].
type keying struct{ lei, person, registration bool }

func keyingOf(d *catalog.Dataset) keying {
	return keying{
		lei:          slices.Contains(d.Also, catalog.KeyLEI),
		person:       slices.Contains(d.Also, catalog.KeyPerson),
		registration: slices.Contains(d.Also, catalog.KeyRegistration),
	}
}

// maxKey limits a key in bytes, including blanks. A longer key is unusable.
const maxKey = 256

// sort returns the bare code of a subject's key, or "" for any other.
func (k keying) sort(key string) (code string, s standing) {
	if len(key) > maxKey {
		return "", unusable
	}
	if code := k.code(key); code != "" {
		return code, exact
	}
	plain := mend(key)
	switch code := k.code(plain); {
	case code != "":
		return code, mended
	case k.person && isPerson(plain), k.registration && isRegistration(plain):
		return "", other
	}
	return "", unusable
}

// sortCell is sort for a cell. A key that is neither a text nor a whole number
// is unusable: the conversion to floating point has lost digits.
func (k keying) sortCell(c cell) (code string, s standing) {
	text, err := keyText(c)
	if err != nil {
		return "", unusable
	}
	return k.sort(text)
}

// code returns the bare code of an exact key, or "".
func (k keying) code(key string) string {
	switch {
	case len(key) == 18 && consent.KnownCode("uscc", key):
		return key
	case len(key) == 23 && key[:5] == "uscc:" && consent.KnownCode("uscc", key[5:]):
		return key[5:]
	case k.lei && len(key) == 20 && consent.KnownCode("lei", key):
		return key
	case k.lei && len(key) == 24 && key[:4] == "lei:" && consent.KnownCode("lei", key[4:]):
		return key[4:]
	}
	return ""
}

// schemeOf returns the scheme of a subject's bare code.
func schemeOf(code string) string {
	if len(code) == 20 {
		return "lei:"
	}
	return "uscc:"
}

// mend undoes the changes by spreadsheets and people that leave a code's
// identity intact: blanks and invisible characters around it, full width, lower
// case, and the apostrophe or ="…" that mark a text in a spreadsheet. It does
// not repair a wrong character.
func mend(key string) string {
	plain := strings.ToUpper(trim(strings.Map(narrow, key)))
	if inner, ok := strings.CutPrefix(plain, `="`); ok && strings.HasSuffix(inner, `"`) {
		plain = trim(strings.TrimSuffix(inner, `"`))
	}
	plain = trim(strings.TrimPrefix(plain, "'"))
	if scheme, code, ok := strings.Cut(plain, ":"); ok && (scheme == "USCC" || scheme == "LEI") {
		plain = strings.ToLower(scheme) + ":" + trim(code)
	}
	return plain
}

// narrow converts full-width characters to ASCII, and an apostrophe that an editor
// has replaced.
func narrow(r rune) rune {
	if r == 0x2018 || r == 0x2019 {
		return '\''
	}
	return consent.HalfWidth(r)
}

// trim removes blanks and invisible characters from both ends.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
}

// isPerson checks an identity number of a person (GB 11643-1999): its check
// character, and that it contains a valid day of birth. The check character
// alone would accept every eleventh enterprise code with a wrong digit.
func isPerson(code string) bool {
	if len(code) != 18 {
		return false
	}
	if born, err := time.Parse("20060102", code[6:14]); err != nil || born.Year() < 1850 || born.Year() > 2099 {
		return false
	}
	sum, weight := 0, 1
	for i := 16; i >= 0; i-- {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
		weight = weight * 2 % 11
		sum += int(code[i]-'0') * weight
	}
	return "10X98765432"[sum%11] == code[17]
}

// isRegistration checks a business registration number of 15 digits, which was
// used before social credit codes (GS 15-2006, ISO 7064 MOD 11,10).
func isRegistration(code string) bool {
	if len(code) != 15 {
		return false
	}
	p := 10
	for i := range 15 {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
		s := p + int(code[i]-'0')
		if i == 14 {
			return s%10 == 1
		}
		if s %= 10; s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return false
}

// Census is the result of one pass over the keys of a table.
type Census struct {
	Rows     int64   // all, without lines that have no value at all
	Mended   int64   // whose key is a subject's in another form; they count
	Others   int64   // whose key is of another kind that the dataset declares
	Unusable int64   // whose key is unusable: while there are any, there is no answer from several rows, and no "none"
	Lines    []int64 // of the first [MaxBad] of those; in a database, row numbers in table order; 0 on a server
	Aside    int64   // whose key is unusable, and which an operator has set aside
	Single   bool    // the register is asked about one subject at a time: nothing is known about its other rows

	records int64    // all, including lines without any value: what a marker counts
	nobody  []nobody // of the first [MaxAside] unusable rows, where rows can be set aside
}

// nobody is a row with an unusable key.
type nobody struct {
	line  int64
	print Fingerprint
	form  string // of the key, see [Shape]
}

// sorter classifies the rows of a table by their keys, and counts them.
type sorter struct {
	keying keying
	prints prints
	census Census
}

func newSorter(d *catalog.Dataset, secret []byte) sorter {
	return sorter{keying: keyingOf(d), prints: printsOf(secret, d)}
}

// take counts the row at a line. code is the code of the row's subject, or "".
func (s *sorter) take(r record, line int64) (code string, st standing) {
	s.census.records++
	if r.hollow {
		return "", other
	}
	c := &s.census
	c.Rows++
	code, st = s.keying.sortCell(r.key)
	switch st {
	case mended:
		c.Mended++
	case other:
		c.Others++
	case unusable:
		if c.Unusable++; len(c.Lines) < MaxBad {
			c.Lines = append(c.Lines, line)
		}
		if len(s.prints.columns) > 0 && len(c.nobody) < MaxAside {
			c.nobody = append(c.nobody, nobody{line, s.prints.of(r.key, r.cells), shapeOf(r.key)})
		}
	}
	return code, st
}
