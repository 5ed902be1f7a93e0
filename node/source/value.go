package source

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"atoll/consensus/consent"
	"atoll/node/catalog"

	"github.com/shopspring/decimal"
)

// cell is one value as the source returns it: nil, string, bool, int64, float64,
// []byte, spoiled, or one of the types below.
type cell any

type (
	number      string   // the text of a JSON number, or of an exact number of a database or a workbook
	civil       string   // a date of a database or a workbook, as 2026-01-31
	instant     string   // a moment, as 2026-01-31 08:00:00 by the clocks of the network
	nested      struct{} // a JSON object or array, or something as complex
	maskedValue struct{} // a value that the server replaces by another, since the account may not see it
	doubtful    struct{} // a text that reads as UTF-8 and as GBK, in a database without an encoding
	tooLong     struct{} // a value over MaxRecord that was not fetched
)

// local returns the cell for a time that a database has without a zone, as
// 2026-01-31 08:00:00: whose clock showed it is unknown. At midnight it is a
// date that was stored as a time. Otherwise its day is certain only where the
// catalog declares this form for the field: it says then that the clocks of the
// register are those of the network.
func local(text string) cell {
	text, parts, _ := strings.Cut(text, ".") // of a second
	if day, ok := strings.CutSuffix(text, " 00:00:00"); ok && strings.Trim(parts, "0") == "" {
		return civil(day)
	}
	return text
}

const (
	maxDigits  = 38      // of a number, as in DECIMAL(38)
	exactFloat = 1 << 53 // below this a whole float64 is exactly the number that was meant
)

// typed converts a row's cells to the types of their fields. It returns the
// bytes of text in the row, for the limit of a subject.
func typed(d *catalog.Dataset, cells []cell, how *form) (catalog.Row, int, *Error) {
	row := make(catalog.Row, len(cells))
	size := 0
	for i, f := range d.Fields {
		v, err := value(cells[i], f, how)
		if err != nil {
			err.Column = column(f)
			return nil, 0, err
		}
		if s, ok := v.(string); ok {
			size += len(s)
		}
		if day, ok := v.(consent.Day); ok && standIn(day) && (f.Asked || d.Times(f.Name)) {
			err := bad("a date that stands for none, such as 1900-01-01 or one from 2099 on: say in the catalog which values of the field mean none (none: [\"1900-01-01\"])")
			err.Column = column(f)
			return nil, 0, err
		}
		if s, ok := v.(string); ok && catalog.StandsForNone(s) && d.Takes(f) {
			err := bad("a text that stands for none, such as NULL, - or a blank: say in the catalog which texts of the field mean none (none: [\"NULL\"])")
			err.Column = column(f)
			return nil, 0, err
		}
		row[i] = v
	}
	return row, size, nil
}

// value converts one cell to a type. Empty text, and the texts that the field
// declares, are no value, in every kind of source.
func value(c cell, f catalog.Field, how *form) (any, *Error) {
	text, err := plain(c, f.Type)
	if err != nil {
		return nil, err
	}
	written, isText := c.(string)
	if isText && how.trim {
		text = strings.TrimSpace(written)
	}
	if text == "" || slices.Contains(f.None, text) {
		return nil, nil
	}
	switch f.Type {
	case catalog.TypeText:
		return text, nil
	case catalog.TypeInteger, catalog.TypeDecimal:
		if isText {
			var ok bool
			if text, ok = f.Writing.Over(how.writing).Number(text); !ok {
				return nil, bad("not a number as decimal and thousands of the source or the field say")
			}
		}
		return toNumber(text, f.Type == catalog.TypeDecimal)
	case catalog.TypeDate:
		if _, ok := c.(instant); ok { // its day is that of the network, by definition
			text, _, _ = strings.Cut(text, " ")
		}
		if isText || f.Writing.Monthly() && wholeNumber(c) { // a month such as 202601 may be a number
			return toDate(text, f.Writing.Over(how.writing))
		}
		return toDate(text, catalog.Writing{})
	case catalog.TypeBool:
		return toBool(text)
	}
	return nil, bad("the catalog gives this field no known type")
}

// wholeNumber reports whether a database has a value as a whole number.
func wholeNumber(c cell) bool {
	switch c := c.(type) {
	case int64:
		return true
	case number:
		return !strings.ContainsAny(string(c), ".eE")
	}
	return false
}

// plainly is how texts are written where nothing is declared.
var plainly = &form{delimiter: ','}

// plain returns the text of a cell that may represent a value of the type.
func plain(c cell, t catalog.Type) (string, *Error) {
	switch c := c.(type) {
	case nil:
		return "", nil
	case string:
		return c, checkText(c)
	case number:
		return string(c), checkText(string(c))
	case civil:
		return string(c), checkText(string(c))
	case instant:
		return string(c), checkText(string(c))
	case int64:
		return strconv.FormatInt(c, 10), nil
	case bool:
		if t != catalog.TypeBool {
			return "", bad("true or false stands where another type is wanted")
		}
		return strconv.FormatBool(c), nil
	case float64:
		if t != catalog.TypeInteger && t != catalog.TypeDecimal || c != math.Trunc(c) || math.Abs(c) >= exactFloat {
			return "", bad("a floating point number (REAL): it is not exact; store money as TEXT such as 1234.50 or as INTEGER")
		}
		return strconv.FormatInt(int64(c), 10), nil
	case spoiled:
		return "", c.error()
	case tooLong:
		return "", &Error{Code: RowTooLong, Detail: fmt.Sprintf("a value of more than %d bytes", MaxRecord)}
	case doubtful:
		return "", &Error{Code: Encoding, Detail: "this can be read as UTF-8 and as GBK, with different words, and the database declares no encoding (SQL_ASCII): convert it to one with UTF-8"}
	case maskedValue:
		return "", &Error{Code: Denied, Detail: "the server masks this column: what the account reads are not its values; let the account see it (UNMASK), or leave the column out of the catalog"}
	case nested:
		return "", bad("an object or array stands where a single value is wanted")
	}
	return "", bad("binary data (BLOB): store it as TEXT or INTEGER")
}

func bad(detail string) *Error { return &Error{Code: BadValue, Detail: detail} }

// checkText refuses text that is not clean. Control characters could rewrite
// the terminal of a person who reads the answer.
func checkText(s string) *Error {
	switch {
	case len(s) > MaxText:
		return bad(fmt.Sprintf("a text of more than %d bytes", MaxText))
	case ordinary(s):
		return nil
	case !utf8.ValidString(s):
		return &Error{Code: Encoding, Detail: notUTF8}
	case strings.ContainsRune(s, utf8.RuneError):
		return &Error{Code: Encoding, Detail: "the replacement character U+FFFD: an earlier conversion damaged this text; export it again as UTF-8"}
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }):
		return bad("a control character (such as NUL) within a text")
	}
	return nil
}

// ordinary reports whether a text has printable ASCII alone, as most texts of
// large tables have: one look at each byte tells.
func ordinary(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// toNumber parses a plain decimal: an optional minus, digits, and for decimals
// an optional point with digits after it.
func toNumber(text string, fraction bool) (any, *Error) {
	digits, point := 0, -1
	rest := strings.TrimPrefix(text, "-")
	for i, c := range []byte(rest) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && fraction && point < 0 && i > 0 && i < len(rest)-1:
			point = i
		default:
			return nil, notNumber(fraction)
		}
	}
	if digits == 0 {
		return nil, notNumber(fraction)
	}
	if digits > maxDigits {
		return nil, bad(fmt.Sprintf("a number of more than %d digits", maxDigits))
	}
	n, err := decimal.NewFromString(text)
	if err != nil {
		return nil, notNumber(fraction)
	}
	return n, nil
}

func notNumber(fraction bool) *Error {
	if fraction {
		return bad("not a plain decimal such as -1234.50: no thousands separators, spaces, exponents or full-width digits")
	}
	return bad("not a plain integer such as -1234: no point, thousands separators, spaces, exponents or full-width digits")
}

// firstYear is before any living enterprise: older dates, such as 0001-01-01,
// were entered where there was no date.
const firstYear = 1800

func toDate(text string, how catalog.Writing) (any, *Error) {
	t, ok := how.Date(text)
	switch {
	case !ok && how.DeclaresDates():
		return nil, bad("not a date as date_format of the source or the field says")
	case !ok:
		return nil, bad("not a date such as 2026-01-31 or 20260131")
	case t.Year() < firstYear:
		return nil, bad("a date before the year 1800, which rather stands for none")
	}
	return consent.Day(t.Unix() / (24 * 60 * 60)), nil
}

// ahead is 2099-01-01: years from then on stand for none.
const ahead = 47117

// standIn reports whether a date is one that programs write where there is
// none: the first days of spreadsheets (of either calendar), of SQL, of
// registers that count from 1901 and of Unix (also seen from west of
// Greenwich), and years far in the future.
func standIn(day consent.Day) bool {
	const (
		sheet, sql = -25569, -25567 // 1899-12-30, 1900-01-01
		century    = -25202         // 1901-01-01
		otherSheet = -24107         // 1904-01-01
		west, unix = -1, 0          // 1969-12-31, 1970-01-01
	)
	switch day {
	case century, otherSheet, west, unix:
		return true
	}
	return day >= sheet && day <= sql || day >= ahead
}

func toBool(text string) (any, *Error) {
	switch text {
	case "true", "TRUE", "True", "t", "T", "1", "Y", "y", "是":
		return true, nil
	case "false", "FALSE", "False", "f", "F", "0", "N", "n", "否":
		return false, nil
	}
	return nil, bad("not one of true, false, T, F, Y, N, 1, 0, 是, 否")
}

// keyText returns a key in the form in which keys are compared; "" where there
// is none.
func keyText(c cell) (string, *Error) { return plain(c, catalog.TypeText) }

// column returns a field's name in the source.
func column(f catalog.Field) string { return cmp.Or(f.Column, f.Name) }

// sortRows sorts rows in ascending order, field by field; no value comes first.
func sortRows(rows []catalog.Row) {
	slices.SortStableFunc(rows, func(a, b catalog.Row) int {
		for i := range a {
			if c := compare(a[i], b[i]); c != 0 {
				return c
			}
		}
		return 0
	})
}

// compare orders two values of one field: of one type, or nil.
func compare(a, b any) int {
	if a == nil || b == nil {
		return boolInt(a != nil) - boolInt(b != nil)
	}
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case decimal.Decimal:
		return a.Cmp(b.(decimal.Decimal))
	case consent.Day:
		return cmp.Compare(a, b.(consent.Day))
	case bool:
		return boolInt(a) - boolInt(b.(bool))
	}
	return 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
