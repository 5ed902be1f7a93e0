package source

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Form says how the texts of a source are written, as far as that is not the
// plain way. It is declared and never guessed.
type Form struct {
	Encoding  string   `yaml:"encoding,omitempty"`    // of files: "utf-8" or "gb18030" (GBK among it); by default UTF-8 unless it may be GBK as well
	Delimiter string   `yaml:"delimiter,omitempty"`   // of CSV: "," (default), ";", "|" or a tab
	Newlines  bool     `yaml:"newlines,omitempty"`    // of CSV: a text within quotes may go on in the next line
	Trim      bool     `yaml:"trim,omitempty"`        // blanks around names of columns and around values are none of theirs
	Decimal   string   `yaml:"decimal,omitempty"`     // "." (default) or ","
	Thousands string   `yaml:"thousands,omitempty"`   // what stands between groups of three digits: ",", ".", "'" or a blank
	Dates     []string `yaml:"date_format,omitempty"` // such as "YYYY/M/D", "YYYY年M月D日", "YYYY-MM-DD hh:mm:ss", in place of the plain ways
}

// form is a Form that was checked.
type form struct {
	gb        bool
	sure      bool // UTF-8 was declared
	delimiter rune
	newlines  bool
	trim      bool
	number    *regexp.Regexp // nil: plain
	numerals  *strings.Replacer
	dates     []*regexp.Regexp
}

func (f Form) compile(kind string) (*form, error) {
	out := &form{gb: f.Encoding == "gb18030", sure: f.Encoding == "utf-8", delimiter: ',', newlines: f.Newlines, trim: f.Trim}
	if f.Newlines && kind != "csv" {
		return nil, fmt.Errorf("newlines belongs to csv: in other kinds a text may have line breaks")
	}
	if f.Encoding != "" && !out.gb && !out.sure {
		return nil, fmt.Errorf("encoding: utf-8 or gb18030")
	}
	if f.Encoding != "" && kind == "sqlite" {
		return nil, fmt.Errorf("encoding belongs to files: the text of a database is UTF-8")
	}
	if f.Delimiter != "" {
		if kind != "csv" || !slices.Contains([]string{",", ";", "|", "\t"}, f.Delimiter) {
			return nil, fmt.Errorf(`delimiter belongs to csv: one of "," ";" "|" "\t"`)
		}
		if out.gb && f.Delimiter == "|" {
			return nil, fmt.Errorf(`delimiter "|" is a part of characters in gb18030: convert the file to UTF-8`)
		}
		out.delimiter = rune(f.Delimiter[0])
	}
	if err := out.numbers(f); err != nil {
		return nil, err
	}
	return out, out.patterns(f.Dates)
}

func (o *form) numbers(f Form) error {
	if f.Decimal == "" && f.Thousands == "" {
		return nil
	}
	point := f.Decimal
	if point == "" {
		point = "."
	}
	if point != "." && point != "," {
		return fmt.Errorf(`decimal: "." or ","`)
	}
	if f.Thousands != "" && !slices.Contains([]string{",", ".", "'", " ", "\u00a0"}, f.Thousands) || f.Thousands == point {
		return fmt.Errorf(`thousands: one of "," "." "'" or a blank, and not what decimal is`)
	}
	whole := `[0-9]+`
	if f.Thousands != "" {
		whole = `(?:[0-9]{1,3}(?:` + regexp.QuoteMeta(f.Thousands) + `[0-9]{3})+|[0-9]+)`
		o.numerals = strings.NewReplacer(f.Thousands, "", point, ".")
	} else {
		o.numerals = strings.NewReplacer(point, ".")
	}
	o.number = regexp.MustCompile(`^-?` + whole + `(?:` + regexp.QuoteMeta(point) + `[0-9]+)?$`)
	return nil
}

// parts of a date format, longest first.
var dateParts = []struct{ letter, pattern string }{
	{"YYYY", `(?P<Y>[0-9]{4})`}, {"MM", `(?P<M>[0-9]{2})`}, {"M", `(?P<M>[0-9]{1,2})`}, {"DD", `(?P<D>[0-9]{2})`}, {"D", `(?P<D>[0-9]{1,2})`},
	{"hh", `(?:[01][0-9]|2[0-3])`}, {"h", `(?:[01]?[0-9]|2[0-3])`}, {"mm", `[0-5][0-9]`}, {"ss", `[0-5][0-9](?:\.[0-9]{1,9})?`},
}

// maxDates limits the date formats of one source.
const maxDates = 5

func (o *form) patterns(formats []string) error {
	if len(formats) > maxDates {
		return fmt.Errorf("date_format: %d at most", maxDates)
	}
	var order []string // of year, month and day in the first
	for _, text := range formats {
		pattern := "^"
		for rest := text; rest != ""; {
			i := slices.IndexFunc(dateParts, func(p struct{ letter, pattern string }) bool { return strings.HasPrefix(rest, p.letter) })
			if i < 0 {
				_, n := utf8.DecodeRuneInString(rest)
				pattern += regexp.QuoteMeta(rest[:n])
				rest = rest[n:]
				continue
			}
			pattern += dateParts[i].pattern
			rest = rest[len(dateParts[i].letter):]
		}
		compiled, err := regexp.Compile(pattern + "$")
		if err != nil {
			return fmt.Errorf("date_format %.40q: each part once", text)
		}
		names := slices.DeleteFunc(slices.Clone(compiled.SubexpNames()), func(s string) bool { return s == "" })
		if sorted := slices.Sorted(slices.Values(names)); !slices.Equal(sorted, []string{"D", "M", "Y"}) {
			return fmt.Errorf("date_format %.40q: YYYY, M or MM, and D or DD are needed, each once; hh, mm and ss may follow", text)
		}
		if order != nil && !slices.Equal(order, names) {
			return fmt.Errorf("date_format: two orders of year, month and day could be taken for each other")
		}
		order = names
		o.dates = append(o.dates, compiled)
	}
	return nil
}

// utf8 returns a record of a file as UTF-8.
func (o *form) utf8(record []byte, marked bool) ([]byte, *Error) {
	if o.gb && !marked {
		out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(record)
		if err != nil || strings.ContainsRune(string(out), utf8.RuneError) {
			return nil, &Error{Code: Encoding, Detail: "not GB 18030, which the source declares: correct encoding, or export the file again"}
		}
		return out, nil
	}
	if !utf8.Valid(record) {
		return nil, &Error{Code: Encoding, Detail: notUTF8}
	}
	if !o.sure && !marked && ambiguous(record) {
		return nil, &Error{Code: Encoding, Detail: "this can be read as UTF-8 and as GBK, with different words: declare encoding: utf-8 or encoding: gb18030 for the source"}
	}
	return record, nil
}

// doubt is whether a file that is declared as GB 18030 is UTF-8. Much of UTF-8
// reads as GB 18030, with other words; hardly any file of GB 18030 reads as
// UTF-8 in every line.
type doubt struct {
	line  int64 // of the first row that is UTF-8 beyond doubt in itself; 0: none
	never bool  // a row is not
}

func (d *doubt) look(record []byte, line int64) {
	switch {
	case d.never:
	case !utf8.Valid(record):
		d.never = true
	case d.line == 0 && slices.ContainsFunc(record, func(c byte) bool { return c >= 0xE0 }):
		d.line = line
	}
}

func (d *doubt) utf8() bool { return d.line > 0 && !d.never }

func (d *doubt) error() *Error {
	return &Error{Code: Encoding, Line: d.line, Detail: "all of the file reads as UTF-8, and the source declares gb18030: correct encoding, or export the file again"}
}

// ambiguous says whether valid UTF-8 reads as GBK just as well: all that is
// not ASCII in it are characters of two bytes, of which GBK makes hanzi. Where
// characters of three bytes are among them, it is UTF-8.
func ambiguous(record []byte) bool {
	two := false
	for i := 0; i < len(record); {
		if record[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, n := utf8.DecodeRune(record[i:])
		if n > 2 {
			return false
		}
		two = true
		i += n
	}
	return two
}

// plainNumber turns a number as it is written in the source into a plain one.
func (o *form) plainNumber(text string) (string, *Error) {
	if o.number == nil {
		return text, nil
	}
	if !o.number.MatchString(text) {
		return "", bad("not a number as decimal and thousands of the source say")
	}
	return o.numerals.Replace(text), nil
}

// date reads a date as the source writes it; a time behind it is left out.
func (o *form) date(text string) (time.Time, bool) {
	if len(o.dates) == 0 {
		layout := time.DateOnly
		if len(text) == len("20060102") {
			layout = "20060102"
		}
		t, err := time.Parse(layout, text)
		return t, err == nil && len(text) == len(layout)
	}
	for _, pattern := range o.dates {
		m := pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		part := func(name string) string { return m[pattern.SubexpIndex(name)] }
		t, err := time.Parse("2006-1-2", part("Y")+"-"+strings.TrimPrefix(part("M"), "0")+"-"+strings.TrimPrefix(part("D"), "0"))
		return t, err == nil
	}
	return time.Time{}, false
}
