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

// Form says how the texts of a source are written, as far as that is not the
// plain way. It is declared and never guessed. Numbers and dates of single columns
// may be written otherwise: see [catalog.Writing].
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
	return out, err
}

// utf8 returns a record of a file as UTF-8.
func (o *form) utf8(record []byte, marked bool) ([]byte, *Error) {
	if bytes.IndexByte(record, 0) >= 0 { // rows may be missing in its place
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

// ambiguous reports whether valid UTF-8 reads as GBK just as well: all that is
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
