package source

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// class is how the values of a column of MySQL are read.
type class uint8

const (
	mysqlBinary class = iota // not read: bytes, shapes, and types of versions to come
	mysqlNumber              // exact: whole or DECIMAL
	mysqlFloat
	mysqlBits
	mysqlWhen // dates and times
	mysqlText
	mysqlLong // a text that may be longer than [MaxRecord]
	mysqlDocument
)

var mysqlClasses = map[string]class{
	"tinyint": mysqlNumber, "smallint": mysqlNumber, "mediumint": mysqlNumber, "int": mysqlNumber, "bigint": mysqlNumber, "decimal": mysqlNumber, "year": mysqlNumber,
	"float": mysqlFloat, "double": mysqlFloat, "bit": mysqlBits,
	"date": mysqlWhen, "datetime": mysqlWhen, "timestamp": mysqlWhen, "time": mysqlWhen,
	"char": mysqlText, "varchar": mysqlText, "enum": mysqlText, "set": mysqlText, "tinytext": mysqlText, "text": mysqlText, "uuid": mysqlText, "inet4": mysqlText, "inet6": mysqlText,
	"mediumtext": mysqlLong, "longtext": mysqlLong, "json": mysqlDocument,
}

// mysqlClass reads the type that columns wrote: the name, then the character
// set where there is one, then the whole type.
func mysqlClass(c tableColumn) class {
	name, _, _ := strings.Cut(c.typ, " ")
	return mysqlClasses[name]
}

// fetched transfers no more of a long text than shows that it is too long, and
// nothing of what is not read.
func (m *mysqlServer) fetched(c tableColumn) string {
	name := "r." + m.quote(c.name)
	switch mysqlClass(c) {
	case mysqlBinary:
		return "CASE WHEN " + name + " IS NOT NULL THEN x'00' END"
	case mysqlLong:
		return fmt.Sprintf("left(%s, %d)", name, MaxRecord+1)
	case mysqlDocument:
		return "CASE WHEN " + name + " IS NOT NULL THEN '{}' END"
	}
	return name
}

func (m *mysqlServer) filled(c tableColumn) string {
	if c.typ == hidden {
		return "1" // unknown: a row is not empty then
	}
	return "nullif(octet_length(r." + m.quote(c.name) + "), 0)"
}

// cell keeps numbers exact: the driver returns DECIMAL, and BIGINT UNSIGNED
// where it needs to, as text. Dates are text too, 0000-00-00 among them.
func (m *mysqlServer) cell(v any, c tableColumn) cell {
	text, isText := v.([]byte)
	switch kind := mysqlClass(c); kind {
	case mysqlNumber:
		if isText {
			return number(text)
		}
	case mysqlFloat:
		if f, ok := v.(float32); ok {
			return fromFloat32(f)
		}
	case mysqlBits:
		if isText && len(text) <= 8 {
			return number(strconv.FormatUint(bits(text), 10))
		}
	case mysqlWhen:
		if isText {
			return fromTime(string(text), c)
		}
	case mysqlText, mysqlLong:
		if isText && len(text) > MaxRecord {
			return tooLong{}
		}
		if isText {
			return fromCharset(string(text), c)
		}
	case mysqlDocument:
		if isText {
			return nested{}
		}
	}
	return v
}

// fromTime tells dates, the times that a clock showed, and instants, which the
// session turns into the network's time, from texts that a person wrote.
func fromTime(text string, c tableColumn) cell {
	switch name, _, _ := strings.Cut(c.typ, " "); name {
	case "date":
		return civil(text)
	case "datetime":
		return local(text)
	case "timestamp":
		text, _, _ = strings.Cut(text, ".") // parts of a second
		return instant(text)
	}
	return text
}

// fromFloat32 returns a number of 24 bits that is not exact as one that no field
// takes.
func fromFloat32(f float32) cell {
	const exactFloat32 = 1 << 24
	if math.Abs(float64(f)) >= exactFloat32 {
		return math.NaN()
	}
	return float64(f)
}

func bits(text []byte) (n uint64) {
	for _, b := range text {
		n = n<<8 | uint64(b)
	}
	return n
}

// fromCharset marks as damaged what a column in latin1 has beyond ASCII: in
// registers in Chinese these are the bytes of another encoding, which the server
// has converted as if they were letters of Western Europe.
func fromCharset(text string, c tableColumn) cell {
	parts := strings.SplitN(c.typ, " ", 3)
	if len(parts) == 3 && parts[1] == "latin1" && strings.ContainsFunc(text, func(r rune) bool { return r > '~' }) {
		return text + "\uFFFD"
	}
	return text
}
