package source

import (
	"fmt"
	"math"
	"strings"
)

// Classes of columns of SQL Server.
const (
	tdsBinary    = iota // not read: bytes, shapes, variants, and types of versions to come
	tdsWhole            // a whole number
	tdsDecimal          // exact: DECIMAL and MONEY
	tdsFloat            // not read: not exact
	tdsBit              // 0 or 1
	tdsDay              // a date
	tdsClock            // a date and time without a zone
	tdsInstant          // a date and time with a zone
	tdsText             // Unicode
	tdsBytesText        // a text in the character set of its collation
	tdsOther            // has a text
	tdsNested
	tdsUnseen // hidden or masked
)

var tdsClasses = map[string]int{
	"tinyint": tdsWhole, "smallint": tdsWhole, "int": tdsWhole, "bigint": tdsWhole,
	"decimal": tdsDecimal, "numeric": tdsDecimal, "money": tdsDecimal, "smallmoney": tdsDecimal,
	"float": tdsFloat, "real": tdsFloat, "bit": tdsBit,
	"date": tdsDay, "datetime": tdsClock, "datetime2": tdsClock, "smalldatetime": tdsClock, "datetimeoffset": tdsInstant, "time": tdsOther,
	"nvarchar": tdsText, "nchar": tdsText, "ntext": tdsText, "varchar": tdsBytesText, "char": tdsBytesText, "text": tdsBytesText,
	"uniqueidentifier": tdsOther, "xml": tdsNested, "json": tdsNested, hidden: tdsUnseen, tdsMasked: tdsUnseen,
}

// tdsMasked is the type of a column over which the server lays a mask: what the
// account reads are not its values.
const tdsMasked = "masked"

// parts returns what columns wrote of a type: its name, its collation, and the
// code page of that.
func (c tableColumn) parts() (name, rules, page string) {
	name, rest, _ := strings.Cut(c.typ, " ")
	rules, page, _ = strings.Cut(rest, " ")
	return name, rules, page
}

func tdsClass(c tableColumn) int {
	name, _, _ := c.parts()
	return tdsClasses[name]
}

// padded reports whether the server fills the texts of a column with blanks.
func padded(c tableColumn) bool {
	name, _, _ := c.parts()
	return name == "char" || name == "nchar"
}

// fetched lets the server convert all but plain numbers to text in a form that
// depends on no setting of the session. It transfers no more of a long text
// than shows that it is too long, and nothing of what is not read.
func (s *sqlServer) fetched(c tableColumn) string {
	name := "r." + s.quote(c.name)
	switch tdsClass(c) {
	case tdsWhole, tdsBit, tdsDecimal:
		return name
	case tdsDay:
		return "CONVERT(nvarchar(40), " + name + ", 23)"
	case tdsClock:
		return "CONVERT(nvarchar(40), " + name + ", 121)"
	case tdsInstant:
		return "CONVERT(nvarchar(40), SWITCHOFFSET(" + name + ", '" + zoneOf(s.offset) + "'), 121)"
	case tdsText, tdsBytesText:
		return fmt.Sprintf("LEFT(CONVERT(nvarchar(max), %s), %d)", name, MaxRecord+1)
	case tdsOther:
		return "CONVERT(nvarchar(400), " + name + ")"
	case tdsUnseen:
		if c.typ == hidden {
			return name // the server says why not
		}
	}
	return "CASE WHEN " + name + " IS NOT NULL THEN 1 END"
}

// cell gives a value its exact type. The driver returns exact numbers as text.
func (s *sqlServer) cell(v any, c tableColumn) cell {
	if v == nil {
		return nil
	}
	digits, isDigits := v.([]byte)
	text, isText := v.(string)
	switch kind := tdsClass(c); {
	case kind == tdsDecimal && isDigits:
		return number(digits)
	case kind == tdsFloat:
		return math.NaN()
	case kind == tdsNested:
		return nested{}
	case c.typ == tdsMasked:
		return maskedValue{}
	case kind == tdsDay && isText:
		return civil(text)
	case kind == tdsClock && isText:
		return local(text)
	case kind == tdsInstant && isText:
		text, _, _ = strings.Cut(text, ".") // parts of a second, and the zone
		return instant(text)
	case kind == tdsText && isText, kind == tdsBytesText && isText:
		return fromText(text, c)
	case kind == tdsWhole, kind == tdsBit, kind == tdsOther:
		return v
	}
	return []byte{}
}

// fromText takes away the blanks that fill a column. It marks as damaged what a
// column in the code page of Western Europe has beyond ASCII: see fromCharset.
func fromText(text string, c tableColumn) cell {
	if len(text) > MaxRecord {
		return tooLong{}
	}
	if padded(c) {
		text = strings.TrimRight(text, " ")
	}
	name, _, page := c.parts()
	if tdsClasses[name] == tdsBytesText && page == "1252" && strings.ContainsFunc(text, func(r rune) bool { return r > '~' }) {
		return text + "\uFFFD"
	}
	return text
}

func (s *sqlServer) filled(c tableColumn) string {
	name := "r." + s.quote(c.name)
	switch tdsClass(c) {
	case tdsUnseen:
		return "1" // unknown: a row is not empty then
	case tdsText, tdsBytesText:
		if padded(c) {
			name = "RTRIM(" + name + ")"
		}
		return "NULLIF(DATALENGTH(" + name + "), 0)"
	}
	return "CASE WHEN " + name + " IS NOT NULL THEN 1 END"
}
