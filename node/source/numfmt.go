package source

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"atoll/consensus/consent"
)

// numFmt is what the number in a cell stands for, according to the cell's
// format.
type numFmt uint8

const (
	fmtNumber  numFmt = iota
	fmtDate           // a day, perhaps with a time
	fmtTime           // a time of day or a duration
	fmtUnclear        // programs differ
)

// readStyles reads the number formats of the cells' styles.
func (b *workbook) readStyles(name string) error {
	if name == "" {
		return nil
	}
	var sheet struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Styles []struct {
			ID int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := b.decode(name, &sheet); err != nil {
		return err
	}
	written := map[int]numFmt{}
	for _, f := range sheet.Formats {
		written[f.ID] = numFmtOf(f.Code)
	}
	for _, s := range sheet.Styles {
		f, ok := written[s.ID]
		if !ok {
			f = builtIn(s.ID)
		}
		b.styles = append(b.styles, f)
	}
	return nil
}

// builtIn returns the meaning of a format that is not written out (ECMA-376
// part 1, 18.8.30). Those from 27 on depend on the language of the program that
// opens the workbook; some are dates in one and times in another.
func builtIn(id int) numFmt {
	switch {
	case id >= 14 && id <= 17, id == 22, id >= 27 && id <= 31, id == 36, id == 50, id == 51, id == 54, id == 57, id == 58:
		return fmtDate
	case id >= 18 && id <= 21, id >= 45 && id <= 47, id == 32, id == 33:
		return fmtTime
	case id < 27, id >= 37 && id <= 44, id == 48, id == 49:
		return fmtNumber
	}
	return fmtUnclear
}

// quotedOf matches what a format shows as it is: texts in quotes, characters
// behind a backslash, and the characters of padding.
var quotedOf = expression(`"[^"]*"|\\.|[_*].`)

// bracketsOf matches colours, conditions and languages.
var bracketsOf = expression(`\[([^\]]*)\]`)

// durationOf matches the brackets of a duration, such as [h]:mm.
var durationOf = expression(`^(h+|m+|s+)$`)

// numFmtOf returns the meaning of a written format, of which the first section
// is for numbers from 0 on.
func numFmtOf(code string) numFmt {
	code = strings.ToLower(quotedOf().ReplaceAllString(code, ""))
	section, _, _ := strings.Cut(code, ";")
	conditions, elapsed := false, false
	section = bracketsOf().ReplaceAllStringFunc(section, func(s string) string {
		inner := s[1 : len(s)-1]
		conditions = conditions || strings.ContainsAny(inner, "<>=") && !strings.HasPrefix(inner, "$")
		elapsed = elapsed || durationOf().MatchString(inner)
		return ""
	})
	section = strings.NewReplacer("e+", "", "e-", "", "general", "", "g/通用格式", "", "am/pm", "h", "a/p", "h").Replace(section)
	hours, day := elapsed || strings.ContainsAny(section, "hs"), strings.ContainsAny(section, "ydegb")
	f := fmtNumber
	switch {
	case day, strings.Contains(section, "m") && !hours:
		f = fmtDate
	case hours:
		f = fmtTime
	}
	digits := strings.ContainsAny(section, "0#?") && !strings.Contains(section, "s")
	if conditions && strings.ContainsAny(code, "ydhms") || f == fmtDate && digits {
		return fmtUnclear
	}
	return f
}

// maxWhole is the first number that has more digits than a spreadsheet keeps.
const maxWhole = 1e15

// sheetNumber returns the number that a person typed into a cell as a plain
// decimal. A spreadsheet keeps 15 digits of it, as a binary number that has one
// shortest decimal; files hold up to 17 digits of the binary number. If the
// shortest decimal has more than 15, the number was computed, or is not the one
// that was typed.
func sheetNumber(text string) (float64, string, bool) {
	if strings.Trim(text, "+-.0123456789eE") != "" {
		return 0, "", false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(n) >= maxWhole {
		return 0, "", false
	}
	digits := strings.TrimLeft(strings.ReplaceAll(strconv.FormatFloat(math.Abs(n), 'e', -1, 64), ".", ""), "0")
	digits, _, _ = strings.Cut(digits, "e")
	if len(digits) > 15 {
		return 0, "", false
	}
	plain := strconv.FormatFloat(n, 'f', -1, 64)
	if plain == "-0" {
		plain = "0"
	}
	return n, plain, true
}

// sheetDay returns the day, with its time if there is one, for a number of days
// since 1900 or 1904. Programs differ in the days before 1 March 1900; of those
// only what stands for no date is a day.
func sheetDay(text string, year1904 bool) (string, bool) {
	if strings.Trim(text, "+-.0123456789eE") != "" {
		return "", false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 {
		return "", false
	}
	day := math.Floor(n)
	seconds := math.Round((n - day) * 24 * 60 * 60)
	if seconds >= 24*60*60 { // it is shown as the next day
		return "", false
	}
	const (
		base1900, base1904, leap, last = -25569, -24107, 61, 2958465
	)
	base := int64(base1900)
	switch {
	case day > last:
		return "", false
	case year1904:
		base = base1904
	case day == 1:
		base++
	case day > 1 && day < leap:
		return "", false
	}
	out := consent.Day(base + int64(day)).String()
	if seconds > 0 {
		out += time.Unix(int64(seconds), 0).UTC().Format(" 15:04:05")
	}
	return out, true
}

// isoDay returns the day, with its time if there is one, of a date that is
// written as such (ISO 8601, without a zone).
func isoDay(text string) (string, bool) {
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04:05", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			if t.Equal(t.Truncate(24 * time.Hour)) {
				return t.Format(time.DateOnly), true
			}
			return t.Format(time.DateTime), true
		}
	}
	return "", false
}

// escapes are the characters that XML cannot hold: _x000D_ is U+000D.
var escapes = expression(`_x[0-9A-Fa-f]{4}_`)

// unescaped decodes the characters that XML cannot hold.
func unescaped(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	var units []uint16
	var b strings.Builder
	flush := func() {
		b.WriteString(string(utf16.Decode(units))) // half a pair becomes U+FFFD, which is refused where it is used
		units = units[:0]
	}
	at := 0
	for _, m := range escapes().FindAllStringIndex(text, -1) {
		if m[0] > at {
			flush()
		}
		b.WriteString(text[at:m[0]])
		unit, _ := strconv.ParseUint(text[m[0]+2:m[0]+6], 16, 16)
		units, at = append(units, uint16(unit)), m[1]
	}
	flush()
	return b.String() + text[at:]
}

// spoiled is a cell of a workbook that has no certain value.
type spoiled uint8

const (
	spoiledFormula spoiled = iota
	spoiledError
	spoiledNumber
	spoiledDate
	spoiledTime
	spoiledFormat
)

// String returns a name that stays: fingerprints of rows contain it.
func (s spoiled) String() string {
	return []string{"formula", "error", "number of over 15 digits", "odd date", "time", "unclear format"}[s]
}

func (s spoiled) error() *Error {
	switch s {
	case spoiledFormula:
		return bad("a formula, whose stored result may be old: copy the column and paste it as values")
	case spoiledError:
		return bad("an error such as #N/A or #REF!: correct the cell, or empty it")
	case spoiledNumber:
		return bad("a number of more than 15 digits, which a spreadsheet does not keep exactly: store it as text")
	case spoiledDate:
		return bad("a date that spreadsheets read differently (before March 1900, negative or after 9999): store it as text")
	case spoiledTime:
		return bad("a time of day or a duration: store a date, or a text")
	}
	return bad("a number in a format that may or may not be a date: choose a plain format of a date or a number")
}

// parseSpoiled returns the reason with this number.
func parseSpoiled(text string) (spoiled, bool) {
	n := slices.Index([]string{"0", "1", "2", "3", "4", "5"}, text)
	return spoiled(max(0, n)), n >= 0
}
