package source

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"atoll/node/catalog"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Form describes how the texts of a source are written, where this differs from
// the plain way. It is declared and never guessed. Numbers and dates of single
// columns may be written in another way: see [catalog.Writing].
type Form struct {
	Encoding  string   `yaml:"encoding,omitempty"`    // of files: "utf-8" or "gb18030" (which includes GBK); by default UTF-8, unless the text may also be GBK
	Delimiter string   `yaml:"delimiter,omitempty"`   // of CSV: "," (default), ";", "|" or a tab
	Newlines  bool     `yaml:"newlines,omitempty"`    // of CSV: a quoted text may continue on the next line
	Trim      bool     `yaml:"trim,omitempty"`        // blanks around column names and values are ignored
	Decimal   string   `yaml:"decimal,omitempty"`     // "." (default) or ","
	Thousands string   `yaml:"thousands,omitempty"`   // separator between groups of three digits: ",", ".", "'" or a blank
	Dates     []string `yaml:"date_format,omitempty"` // such as "YYYY/M/D", "YYYY年M月D日", "YYYY-MM-DD hh:mm:ss", replacing the plain ways
}

// form is a Form that has been checked.
type form struct {
	gb        bool
	sure      bool // whether UTF-8 was declared
	delimiter rune
	newlines  bool
	trim      bool
	writing   catalog.Writing
}

func (f Form) compile() (*form, error) {
	out := &form{gb: f.Encoding == "gb18030", sure: f.Encoding == "utf-8", delimiter: ',', newlines: f.Newlines, trim: f.Trim}
	if f.Encoding != "" && !out.gb && !out.sure {
		return nil, misconfigured("encoding: utf-8 or gb18030")
	}
	if f.Delimiter != "" {
		if !slices.Contains([]string{",", ";", "|", "\t"}, f.Delimiter) {
			return nil, misconfigured(`delimiter: one of "," ";" "|" "\t"`)
		}
		if out.gb && f.Delimiter == "|" {
			return nil, misconfigured(`delimiter "|" is a part of characters in gb18030: convert the file to UTF-8`)
		}
		out.delimiter = rune(f.Delimiter[0])
	}
	var err error
	var problem catalog.Problem
	if out.writing, err = catalog.NewWriting(f.Decimal, f.Thousands, f.Dates); errors.As(err, &problem) {
		return nil, &Error{Code: BadConfig, Detail: problem.Text, chinese: problem.Chinese}
	}
	if out.writing.Monthly() {
		return nil, misconfigured("date_format: one without a day belongs to the field with the month of periods, in the catalog")
	}
	return out, err
}

// utf8 returns a record of a file as UTF-8.
func (o *form) utf8(record []byte, marked bool) ([]byte, *Error) {
	if bytes.IndexByte(record, 0) >= 0 { // where a hole in the file may have replaced rows
		return nil, &Error{Code: BadRow, Detail: "NUL bytes, as where a part of a file was never written, or in UTF-16: copy the file again, or convert it"}
	}
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

// doubt detects that a file declared as GB 18030 may be UTF-8. Much of UTF-8 is
// also valid GB 18030, with other words. Hardly any file in GB 18030 is valid
// UTF-8 in every line.
type doubt struct {
	line  int64 // of the first row that by itself is certainly UTF-8; 0: none
	never bool  // whether some row is not UTF-8
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

// ambiguous reports whether valid UTF-8 is just as well readable as GBK: all
// its characters outside ASCII have two bytes, which GBK reads as hanzi. Text
// with characters of three bytes is UTF-8.
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
