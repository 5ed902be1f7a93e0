package profile

import (
	"math"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// world is what is known of the inputs, by name: one value, or the two ends of
// a band. What is not in it is missing.
type world map[string][]any

// Numbers that are read have at most 8 digits after the point and stay below
// 10^20. A band leaves its upper end out; nothing that can be a value lies
// between the end and what is just below it, and nothing beyond far.
var (
	tooLarge = decimal.New(1, 20)
	far      = decimal.New(1, 30)
	justLess = decimal.New(1, -9)
)

const (
	maxText   = 1000 // characters of a text value
	maxDigits = 8    // after the point
)

var plainNumber = regexp.MustCompile(`^-?[0-9]{1,21}(\.[0-9]{1,18})?$`)

func parseNumber(text string) (decimal.Decimal, bool) {
	if !plainNumber.MatchString(text) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(text)
	ok := err == nil && d.Abs().LessThan(tooLarge) && d.Equal(d.Truncate(maxDigits))
	return d, ok
}

// read returns the value of an answer as what is known of it, or says why it
// is none. The words never repeat the value: they reach logs.
func (n *Need) read(value, unit string) (ends []any, problem string) {
	switch {
	case n.Unit != "" && unit != n.Unit:
		return nil, "the unit is not the one that the template expects"
	case n.Disclosure == consent.Band:
		return n.readBand(value)
	}
	switch n.kind {
	case formula.Number:
		if d, ok := parseNumber(value); ok {
			return []any{d}, ""
		}
	case formula.Bool:
		if value == "true" || value == "false" {
			return []any{value == "true"}, ""
		}
	case formula.Date:
		if day, ok := parseDay(value); ok {
			return []any{day}, ""
		}
	case formula.Text:
		if utf8.ValidString(value) && utf8.RuneCountInString(value) <= maxText {
			return []any{value}, ""
		}
	}
	return nil, "the value does not read as " + n.kind.String()
}

func (n *Need) readBand(text string) (ends []any, problem string) {
	const bad = "the value does not read as a band"
	from, to, ok := strings.Cut(text, "..")
	if !ok || from == "" && to == "" {
		return nil, bad
	}
	low, high := far.Neg(), far
	if n.Least != nil {
		low = n.Least.Decimal
	}
	if n.Most != nil {
		high = n.Most.Decimal
	}
	if from != "" {
		if low, ok = parseNumber(from); !ok {
			return nil, bad
		}
	}
	if to != "" {
		if high, ok = parseNumber(to); !ok {
			return nil, bad
		}
		high = high.Sub(justLess)
	}
	if low.GreaterThan(high) {
		return nil, "the band is empty"
	}
	return []any{low, high}, ""
}

func parseDay(text string) (consent.Day, bool) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, false
	}
	return consent.Day(at.Unix() / (24 * 60 * 60)), true
}

// instant returns a time as RFC 3339 in UTC, or "".
func instant(ms uint64) string {
	if ms == 0 || ms > math.MaxInt64/2 {
		return ""
	}
	at := time.UnixMilli(int64(ms)).UTC()
	if at.Year() > 9999 {
		return ""
	}
	return at.Format("2006-01-02T15:04:05.000Z")
}

// told writes what is known as text: a value, or "low..high".
func told(ends []any) string {
	if len(ends) == 0 {
		return ""
	}
	if len(ends) == 1 || same(ends[0], ends[1]) {
		return plain(ends[0])
	}
	return end(ends[0]) + ".." + end(ends[1])
}

func same(a, b any) bool {
	x, ok := a.(decimal.Decimal)
	y, also := b.(decimal.Decimal)
	if ok && also {
		return x.Equal(y)
	}
	return a == b
}

func end(v any) string {
	d, ok := v.(decimal.Decimal)
	switch {
	case !ok:
		return plain(v)
	case d.Abs().GreaterThanOrEqual(tooLarge):
		return ""
	}
	return d.Round(maxDigits).String()
}

func typeOf(ends []any) string {
	if len(ends) == 0 {
		return ""
	}
	switch ends[0].(type) {
	case decimal.Decimal:
		return formula.Number.String()
	case consent.Day:
		return formula.Date.String()
	case bool:
		return formula.Bool.String()
	}
	return formula.Text.String()
}

func plain(v any) string {
	switch v := v.(type) {
	case decimal.Decimal:
		return v.String()
	case consent.Day:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	case string:
		return v
	}
	return ""
}
