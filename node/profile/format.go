package profile

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Units that are shown in per cent. The number of a ratio is a fraction of 1,
// so that 0.235 is shown as 23.5%. The number of a percent is shown unchanged.
const (
	unitRatio   = "ratio"
	unitPercent = "%"
)

// maxShown limits how many characters of one text from outside are shown.
const maxShown = 200

// clean makes a text safe to show on a terminal or a page. It writes out
// controls, escapes, marks of direction and other invisible characters, so that
// no text moves the cursor, hides itself, or reverses the text around it.
func clean(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > maxShown {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.Is(unicode.Zs, r) || r == '\n' || r == '\t':
			b.WriteRune(' ')
		case r == utf8.RuneError || !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Span writes a range, or one number where both ends are equal.
func (s *speaker) Span(worst, best string) string {
	if worst == best {
		return worst
	}
	return worst + s.dash + best
}

// Earned writes the points that an indicator gives.
func (s *speaker) Earned(i Indicator) string {
	if i.Worst == "" {
		return s.NotScored
	}
	return s.Span(i.Worst, i.Best)
}

// Amount writes a value of some type with its unit. A number has separated
// thousands and two decimals or none (up to four below 1); a ratio is in per
// cent. A band of less than 1, which means nothing worth mentioning, is in
// words.
func (s *speaker) Amount(kind, value, unit string) string {
	switch {
	case value == "":
		return s.nothing
	case kind == formula.Bool.String():
		return s.Code(value)
	case kind != formula.Number.String():
		return clean(value)
	}
	from, to, band := strings.Cut(value, "..")
	switch {
	case from == "0" && to == "1" && unit != unitRatio:
		return s.None + " (" + s.below + "1" + s.unit(unit) + ")"
	case !band:
		figure := s.figure(value, unit)
		return figure + s.singular(figure, s.unit(unit))
	case from == "":
		return s.below + s.figure(to, unit) + s.unit(unit)
	case to == "":
		return s.least + s.figure(from, unit) + s.unit(unit)
	}
	return s.figure(from, unit) + s.dash + s.figure(to, unit) + s.unit(unit)
}

func (s *speaker) unit(unit string) string {
	switch unit {
	case "":
		return ""
	case unitRatio, unitPercent:
		return "%"
	}
	return " " + s.Code(unit)
}

// singular returns the unit for a figure: in English, the singular for 1.
func (s *speaker) singular(figure, unit string) string {
	if figure == "1" && s.language == consent.English && plural[strings.TrimPrefix(unit, " ")] {
		return strings.TrimSuffix(unit, "s")
	}
	return unit
}

var plural = map[string]bool{"months": true, "years": true, "persons": true, "items": true, "times": true}

func (s *speaker) figure(text, unit string) string {
	d, err := decimal.NewFromString(text)
	if err != nil {
		return clean(text)
	}
	digits := int32(2)
	switch {
	case unit == unitRatio:
		d, digits = d.Mul(hundred), 1
	case unit == unitPercent:
		digits = 1
	case d.Abs().LessThan(decimal.New(1, 0)):
		digits = 4
	}
	d = d.Round(digits)
	text = d.Abs().String()
	if digits == 2 && !d.IsInteger() { // two decimals: 2,310,000.50, not .5
		text = d.Abs().StringFixed(digits)
	}
	text = thousands(text)
	if d.Sign() < 0 {
		text = s.minus + text
	}
	return text
}

// thousands inserts commas into a plain decimal that is not negative.
func thousands(text string) string {
	whole, fraction, point := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + fraction
	}
	return whole
}

// Clock writes a time in the network's own offset, or a dash where there is
// none.
func (s *speaker) Clock(p *Profile, instant string) string {
	return s.local(p, instant, "2006-01-02 15:04")
}

func (s *speaker) local(p *Profile, instant, layout string) string {
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return s.nothing
	}
	return at.In(p.zone()).Format(layout)
}

// Day writes a civil day, or a dash where there is none. No offset changes it.
func (s *speaker) Day(day string) string {
	if day == "" {
		return s.nothing
	}
	return clean(day)
}

func (p *Profile) zone() *time.Location { return consent.Zone(p.Offset) }
