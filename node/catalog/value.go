package catalog

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// hold returns a value as it is compared with points: as it would be written.
func (o *Output) hold(v any) (held any, reason string) {
	switch v := v.(type) {
	case *big.Rat:
		if held, reason = o.round(v); reason != "" {
			return nil, reason
		}
		return held, ""
	case consent.Day:
		return v, ""
	case string:
		return v, ""
	}
	return nil, valueUnfit
}

// round is the only step at which an exact number becomes a decimal of the
// output's scale.
func (o *Output) round(r *big.Rat) (d decimal.Decimal, reason string) {
	switch d = formula.Round(r, o.Scale); {
	case o.Type == TypeInteger && !r.IsInt():
		return d, valueNotWhole
	case !formula.Leaves(d):
		return d, valueTooLarge
	}
	return d, ""
}

// write returns a value as text, or the reason why it cannot be released.
func (o *Output) write(v any) (text, reason string) {
	switch v := v.(type) {
	case *big.Rat:
		d, reason := o.round(v)
		if reason != "" {
			return "", reason
		}
		return d.StringFixed(o.Scale), ""
	case consent.Day:
		return v.String(), ""
	case bool:
		return strconv.FormatBool(v), ""
	case string:
		text = visible(v)
		if len(text) > maxText {
			return "", valueTooLong
		}
		return text, ""
	}
	return "", valueUnfit
}

// visible replaces characters that could deceive a reader of the text or break
// its line.
func visible(text string) string {
	if consent.Visible(text) { // nearly all are
		return text
	}
	return strings.Map(func(r rune) rune {
		if !consent.ValidText(string(r)) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// band returns the band that contains a number. A band includes its lower cut
// point and excludes its upper one.
func (o *Output) band(v any) (text, reason string) {
	r, ok := v.(*big.Rat)
	if !ok {
		return "", valueUnfit
	}
	n, reason := o.round(r)
	if reason != "" {
		return "", reason
	}
	i, found := slices.BinarySearchFunc(o.cuts, n, decimal.Decimal.Cmp)
	if found {
		i++
	}
	low, high := "", ""
	if i > 0 {
		low = o.Bands[i-1]
	}
	if i < len(o.Bands) {
		high = o.Bands[i]
	}
	return low + ".." + high, ""
}
