package catalog

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Writing describes how texts of a source, or of one of its columns, represent
// numbers and dates. It is declared and never guessed. The zero Writing is the
// plain way: -1234.50, 2026-01-31 and 20260131.
type Writing struct {
	number   *regexp.Regexp // nil: plain
	numerals *strings.Replacer
	dates    []*regexp.Regexp // none: plain
	monthly  bool             // whether the formats have no day
}

// maxDates limits the date formats of one source or field.
const maxDates = 5

// NewWriting checks a declaration: the decimal point ("." by default, or ","),
// the separator between groups of three digits (none by default), and formats
// of dates such as "YYYY年M月D日" that replace the plain ones. Formats without a
// day, such as "YYYYMM", are of months. The error begins with the key at fault and
// is a [Problem] without a line.
func NewWriting(point, thousands string, dates []string) (Writing, error) {
	var w Writing
	if err := w.numbers(point, thousands); err != nil {
		return Writing{}, err
	}
	if err := w.patterns(dates); err != nil {
		return Writing{}, err
	}
	return w, nil
}

// Over returns w completed by beneath: where w declares nothing about numbers,
// or about dates, the declaration of beneath applies.
func (w Writing) Over(beneath Writing) Writing {
	if w.number == nil {
		w.number, w.numerals = beneath.number, beneath.numerals
	}
	if len(w.dates) == 0 {
		w.dates, w.monthly = beneath.dates, beneath.monthly
	}
	return w
}

func (w *Writing) numbers(point, thousands string) error {
	if point == "" && thousands == "" {
		return nil
	}
	if point == "" {
		point = "."
	}
	if point != "." && point != "," {
		return says(0, `decimal: "." or ","`)
	}
	if thousands != "" && !slices.Contains([]string{",", ".", "'", " ", "\u00a0"}, thousands) || thousands == point {
		return says(0, `thousands: one of "," "." "'" or a blank, and not what decimal is`)
	}
	whole := `[0-9]+`
	if thousands != "" {
		// A group of zeros alone is no group: 0.310 is written by the other
		// convention and would become 310.
		whole = `(?:[1-9][0-9]{0,2}(?:` + regexp.QuoteMeta(thousands) + `[0-9]{3})+|[0-9]+)`
		w.numerals = strings.NewReplacer(thousands, "", point, ".")
	} else {
		w.numerals = strings.NewReplacer(point, ".")
	}
	w.number = regexp.MustCompile(`^-?` + whole + `(?:` + regexp.QuoteMeta(point) + `[0-9]+)?$`)
	return nil
}

// dateParts are the parts of a date format, longest first.
var dateParts = []struct{ letter, pattern string }{
	{"YYYY", `(?P<Y>[0-9]{4})`}, {"MM", `(?P<M>[0-9]{2})`}, {"M", `(?P<M>[0-9]{1,2})`}, {"DD", `(?P<D>[0-9]{2})`}, {"D", `(?P<D>[0-9]{1,2})`},
	{"hh", `(?:[01][0-9]|2[0-3])`}, {"h", `(?:[01]?[0-9]|2[0-3])`}, {"mm", `[0-5][0-9]`}, {"ss", `[0-5][0-9](?:\.[0-9]{1,9})?`},
}

func (w *Writing) patterns(formats []string) error {
	if len(formats) > maxDates {
		return says(0, "date_format: %d at most", maxDates)
	}
	var order []string // of year, month and day in the first format
	for _, text := range formats {
		pattern, timed := "^", false
		for rest := text; rest != ""; {
			begins := func(p struct{ letter, pattern string }) bool { return strings.HasPrefix(rest, p.letter) }
			i := slices.IndexFunc(dateParts, begins)
			if i < 0 {
				_, n := utf8.DecodeRuneInString(rest)
				pattern += regexp.QuoteMeta(rest[:n])
				rest = rest[n:]
				continue
			}
			pattern += dateParts[i].pattern
			timed = timed || !strings.HasPrefix(dateParts[i].pattern, "(?P<")
			rest = rest[len(dateParts[i].letter):]
			if len(dateParts[i].letter) == 1 && rest != "" && (rest[0] >= '0' && rest[0] <= '9' || slices.ContainsFunc(dateParts, begins)) {
				return says(0, "date_format %.40q: M, D and h need a separator behind them, or two digits (MM, DD, hh)", text)
			}
		}
		compiled, err := regexp.Compile(pattern + "$")
		if err != nil {
			return says(0, "date_format %.40q: each part once", text)
		}
		names := slices.DeleteFunc(slices.Clone(compiled.SubexpNames()), func(s string) bool { return s == "" })
		sorted := slices.Sorted(slices.Values(names))
		monthly := slices.Equal(sorted, []string{"M", "Y"}) && !timed
		if !monthly && !slices.Equal(sorted, []string{"D", "M", "Y"}) {
			return says(0, "date_format %.40q: YYYY, M or MM, and D or DD are needed, each once; hh, mm and ss may follow; months are written without D", text)
		}
		switch {
		case order != nil && monthly != w.monthly:
			return says(0, "date_format: all formats have a day, or none has")
		case order != nil && !slices.Equal(order, names):
			return says(0, "date_format: two orders of year, month and day could be taken for each other")
		}
		order, w.monthly = names, monthly
		w.dates = append(w.dates, compiled)
	}
	return nil
}

// Number turns a number as written into a plain one, and reports whether it is
// written as declared. Where nothing is declared it returns the text unchanged,
// and the caller checks it.
func (w Writing) Number(text string) (plain string, ok bool) {
	if w.number == nil {
		return text, true
	}
	return w.numerals.Replace(text), w.number.MatchString(text)
}

// DeclaresDates reports whether dates are written in another way than the plain
// one.
func (w Writing) DeclaresDates() bool { return len(w.dates) > 0 }

// Monthly reports whether the dates are months, without a day.
func (w Writing) Monthly() bool { return w.monthly }

// Date reads a date as written; a time after it is ignored, and a month is its
// first day.
func (w Writing) Date(text string) (time.Time, bool) {
	if len(w.dates) == 0 {
		layout := time.DateOnly
		if len(text) == len("20060102") {
			layout = "20060102"
		}
		t, err := time.Parse(layout, text)
		return t, err == nil && len(text) == len(layout)
	}
	for _, pattern := range w.dates {
		m := pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		part := func(name string) string { return strings.TrimPrefix(m[pattern.SubexpIndex(name)], "0") }
		day := "1"
		if !w.monthly {
			day = part("D")
		}
		t, err := time.Parse("2006-1-2", m[pattern.SubexpIndex("Y")]+"-"+part("M")+"-"+day)
		return t, err == nil
	}
	return time.Time{}, false
}

// writing checks how the texts of one field's column are written, where this
// differs from the rest of the source.
func (c *checker) writing(path string, where phrase, f *fileField, kind Type) Writing {
	if (f.Decimal != "" || f.Thousands != "") && !kind.numeric() {
		c.problem(path, "%s: decimal and thousands belong to numbers", where)
	}
	if len(f.Dates) > 0 && kind != TypeDate {
		c.problem(path+".date_format", "%s: date_format belongs to dates", where)
	}
	numbers, err := NewWriting(f.Decimal, f.Thousands, nil)
	if err != nil {
		c.problem(path, "%s: %v", where, err)
	}
	dates, err := NewWriting("", "", f.Dates)
	if err != nil {
		c.problem(path+".date_format", "%s: %v", where, err)
	}
	return numbers.Over(dates)
}
