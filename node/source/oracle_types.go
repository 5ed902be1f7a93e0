package source

import (
	"fmt"
	"math"
	"strings"
)

// Classes of columns of Oracle.
const (
	tnsBinary  = iota // not read: bytes, shapes, types of their own and of versions to come
	tnsNumber         // exact
	tnsFloat          // not read: not exact
	tnsClock          // a date and time without a zone: DATE is one too
	tnsInstant        // a date and time with a zone
	tnsText
	tnsPadded
	tnsNational // in the national character set
	tnsNationalPadded
	tnsLong // a text that may be longer than [MaxRecord]
	tnsNested
)

var tnsClasses = map[string]int{
	"NUMBER": tnsNumber, "FLOAT": tnsNumber, "BINARY_FLOAT": tnsFloat, "BINARY_DOUBLE": tnsFloat, "DATE": tnsClock,
	"VARCHAR2": tnsText, "CHAR": tnsPadded, "NVARCHAR2": tnsNational, "NCHAR": tnsNationalPadded, "CLOB": tnsLong, "NCLOB": tnsLong,
	"JSON": tnsNested, "XMLTYPE": tnsNested,
}

// tnsClass reads a type as the server names it: a timestamp has its precision in
// its name.
func tnsClass(c tableColumn) int {
	if strings.HasPrefix(c.typ, "TIMESTAMP") {
		if strings.HasSuffix(c.typ, "TIME ZONE") {
			return tnsInstant
		}
		return tnsClock
	}
	return tnsClasses[c.typ]
}

// tnsDigits writes a number in full, whatever the session's signs are; one of
// more than 64 signs gets an exponent, and is refused.
func tnsDigits(name string) string {
	return "TO_CHAR(" + name + `, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')`
}

// tnsMoment writes a date with its time; a year before Christ has a minus.
func tnsMoment(name string) string { return "TO_CHAR(" + name + ", 'SYYYY-MM-DD HH24:MI:SS')" }

// fetched lets the server convert everything to text, in a form that depends on
// no setting of the session. It transfers no more of a long text than shows that
// it is too long for a field, and nothing of what is not read.
func (o *oracleServer) fetched(c tableColumn) string {
	name := "r." + o.quote(c.name)
	switch tnsClass(c) {
	case tnsNumber:
		return tnsDigits(name)
	case tnsClock:
		return tnsMoment(name)
	case tnsInstant:
		return tnsMoment(name + " AT TIME ZONE '" + zoneOf(o.offset) + "'")
	case tnsText, tnsPadded, tnsNational, tnsNationalPadded:
		return name
	case tnsLong:
		return fmt.Sprintf("SUBSTR(%s, 1, %d)", name, MaxRecord+1)
	}
	if isLong(c) {
		return "1" // no condition takes a LONG
	}
	return "CASE WHEN " + name + " IS NOT NULL THEN 1 END"
}

// isLong reports whether a column is of the old types for long values.
func isLong(c tableColumn) bool { return c.typ == "LONG" || c.typ == "LONG RAW" }

// cell gives a value its exact type.
func (o *oracleServer) cell(v any, c tableColumn) cell {
	if v == nil {
		return nil
	}
	text, isText := v.(string)
	switch kind := tnsClass(c); {
	case kind == tnsFloat:
		return math.NaN()
	case kind == tnsNested:
		return nested{}
	case kind == tnsBinary || !isText:
		return []byte{}
	case kind == tnsNumber:
		return number(fromTM9(text))
	case kind == tnsClock:
		return local(strings.TrimPrefix(text, " "))
	case kind == tnsInstant:
		return instant(strings.TrimPrefix(text, " "))
	case len(text) > MaxRecord:
		return tooLong{}
	case kind == tnsPadded || kind == tnsNationalPadded:
		return strings.TrimRight(text, " ")
	}
	return text
}

// fromTM9 adds the zero that Oracle leaves out before the point.
func fromTM9(text string) string {
	digits, negative := strings.CutPrefix(text, "-")
	if strings.HasPrefix(digits, ".") {
		digits = "0" + digits
	}
	if negative {
		return "-" + digits
	}
	return digits
}

func (o *oracleServer) filled(c tableColumn) string {
	name := "r." + o.quote(c.name)
	switch tnsClass(c) {
	case tnsPadded, tnsNationalPadded:
		name = "RTRIM(" + name + ")"
	case tnsLong:
		return "NULLIF(LENGTH(" + name + "), 0)"
	}
	if isLong(c) {
		return "1" // unknown: a row is not empty then
	}
	return "CASE WHEN " + name + " IS NOT NULL THEN 1 END"
}
