package profile

import (
	"math"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// world is what is known of the inputs, by name: one value, or the two ends of
// a band. An input that is not in it is missing.
type world map[string][]any

// Numbers that can be read are those that may leave an agency. A band excludes
// its upper end. No possible value is between that end and the number just
// below it, and none is beyond far.
var (
	far      = decimal.New(1, formula.MaxBefore+10)
	justLess = decimal.New(1, -formula.MaxScale-1)
)

const maxText = 1000 // characters of a text value

var plainNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,18})?$`) })

func parseNumber(text string) (decimal.Decimal, bool) {
	if !plainNumber().MatchString(text) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(text)
	ok := err == nil && formula.Leaves(d) && d.Equal(d.Truncate(formula.MaxScale))
	return d, ok
}

// Reasons why an answer has no value. They never repeat the value, because they
// reach logs.
const (
	unitDiffers    = "template.unit"    // an answer has another unit than the template expects
	textUndeclared = "template.values"  // a text is not one that the template declares
	valueUnread    = "value.unreadable" // not of the type that the template expects
	bandUnread     = "band.unreadable"
	valueBeyond    = "value.beyond" // below the template's least or above its most: a wrong sign
)

// read returns what is known of an answer's value, or the reason why it is no
// value.
func (n *Need) read(value, unit string) (ends []any, problem string) {
	switch {
	case unit != n.Unit:
		return nil, unitDiffers
	case n.Disclosure == consent.Band:
		return n.readBand(value)
	case n.Disclosure == consent.Verify:
		if value == consent.Yes || value == consent.No {
			return []any{value == consent.Yes}, ""
		}
		return nil, valueUnread
	}
	switch n.kind {
	case formula.Number:
		if d, ok := parseNumber(value); ok {
			if n.beyond(d, d) {
				return nil, valueBeyond
			}
			return []any{d.Rat()}, ""
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
		if n.Values != nil {
			if text, ok := n.Values[value]; ok {
				return []any{text}, ""
			}
			return nil, textUndeclared
		}
		if utf8.ValidString(value) && utf8.RuneCountInString(value) <= maxText {
			return []any{value}, ""
		}
	}
	return nil, valueUnread
}

func (n *Need) readBand(text string) (ends []any, problem string) {
	from, to, ok := strings.Cut(text, "..")
	if !ok || from == "" && to == "" {
		return nil, bandUnread
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
			return nil, bandUnread
		}
	}
	if to != "" {
		if high, ok = parseNumber(to); !ok {
			return nil, bandUnread
		}
		high = high.Sub(justLess)
	}
	switch {
	case low.GreaterThan(high):
		return nil, bandUnread
	case n.beyond(low, high):
		return nil, valueBeyond
	}
	return []any{low.Rat(), high.Rat()}, ""
}

// beyond reports whether no number from low to high is possible: debts with the
// wrong sign would be below 0, and would score as well as none.
func (n *Need) beyond(low, high decimal.Decimal) bool {
	return n.Least != nil && high.LessThan(n.Least.Decimal) || n.Most != nil && low.GreaterThan(n.Most.Decimal)
}

func parseDay(text string) (consent.Day, bool) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, false
	}
	return consent.Day(at.Unix() / (24 * 60 * 60)), true
}

// instant formats a time as RFC 3339 in UTC; "" for none.
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

// civil formats a day as 2006-01-02; "" for none. A civil day is no instant: it
// is the same day wherever the network is.
func civil(ms uint64) string {
	return strings.TrimSuffix(instant(ms/millisPerDay*millisPerDay), "T00:00:00.000Z")
}

const millisPerDay = 24 * 60 * 60 * 1000

// told formats what is known: a value, or "low..high".
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
	x, ok := a.(*big.Rat)
	y, also := b.(*big.Rat)
	if ok && also {
		return x.Cmp(y) == 0
	}
	return a == b
}

func end(v any) string {
	r, ok := v.(*big.Rat)
	if ok && !formula.Leaves(formula.Round(r, 0)) {
		return ""
	}
	return plain(v)
}

func typeOf(ends []any) string {
	if len(ends) == 0 {
		return ""
	}
	switch ends[0].(type) {
	case *big.Rat:
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
	case *big.Rat:
		return formula.Round(v, formula.MaxScale).String()
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
