package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// format is a kind of file.
type format interface {
	extension() string
	quotes() bool // line breaks within quotes do not end a record
	// decoder reads what stands before the first row, and returns what reads
	// the rows.
	decoder(rs *records) (decoder, error)
}

// decoder reads rows, one record each.
type decoder interface {
	// want says which columns the cells of decode are.
	want(columns []string)
	// decode fills cells; its error lacks the file and the line.
	decode(record []byte, cells []cell) *Error
	// missing returns those of the columns that are not in the header, or
	// that no row had so far.
	missing(columns []string) []string
	// again returns another decoder for the same file.
	again() decoder
}

type csvFormat struct{}

func (csvFormat) extension() string { return "csv" }
func (csvFormat) quotes() bool      { return true }

// decoder reads the header: the first line that is not empty.
func (csvFormat) decoder(rs *records) (decoder, error) {
	for {
		record, at, err := rs.next()
		switch {
		case err == io.EOF:
			return nil, &Error{Code: NotReadable, Detail: "the file is empty: its first line must name the columns"}
		case err == errTooLong:
			return nil, recordTooLong(at)
		case err != nil:
			return nil, err
		case blank(record):
			continue
		case bytes.IndexByte(record, 0) >= 0:
			return nil, &Error{Code: Encoding, Line: at.line, Detail: "NUL bytes in the header, as in UTF-16: convert it to UTF-8"}
		case !utf8.Valid(record):
			return nil, &Error{Code: Encoding, Line: at.line, Detail: notUTF8}
		}
		d := &csvDecoder{}
		d.reset()
		header, e := d.read(record)
		if e != nil {
			e.Line = at.line
			return nil, e
		}
		d.header = slices.Clone(header)
		for i, name := range d.header {
			// The name is not shown: without a header, it would be a value.
			if first := slices.Index(d.header, name); name != "" && first < i {
				return nil, &Error{Code: DuplicateColumn, Line: at.line, Detail: fmt.Sprintf("columns %d and %d have the same name: rename or remove one", first+1, i+1)}
			}
		}
		return d, nil
	}
}

type csvDecoder struct {
	header  []string
	columns []int // of each cell; -1 where the header has none
	record  bytes.Reader
	reader  *csv.Reader // reads from record
}

// reset begins anew after an error, which may leave part of a record behind.
func (d *csvDecoder) reset() {
	d.reader = csv.NewReader(&d.record)
	d.reader.ReuseRecord = true
	d.reader.FieldsPerRecord = -1
}

func (d *csvDecoder) want(columns []string) {
	d.columns = d.columns[:0]
	for _, name := range columns {
		d.columns = append(d.columns, slices.Index(d.header, name))
	}
}

func (d *csvDecoder) missing(columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return slices.Contains(d.header, name) })
}

func (d *csvDecoder) again() decoder {
	other := &csvDecoder{header: d.header}
	other.reset()
	return other
}

func (d *csvDecoder) decode(record []byte, cells []cell) *Error {
	if !utf8.Valid(record) {
		return &Error{Code: Encoding, Detail: notUTF8}
	}
	fields, err := d.read(record)
	if err != nil {
		return err
	}
	if len(fields) != len(d.header) {
		return &Error{Code: BadRow, Detail: fmt.Sprintf("%d columns where the header has %d: a comma within a text needs quotes around the text", len(fields), len(d.header))}
	}
	for i, c := range d.columns {
		cells[i] = nil
		if c >= 0 {
			cells[i] = fields[c]
		}
	}
	return nil
}

func (d *csvDecoder) read(record []byte) ([]string, *Error) {
	d.record.Reset(record)
	before := d.reader.InputOffset()
	fields, err := d.reader.Read()
	if err == nil && d.reader.InputOffset()-before == int64(len(record)) {
		return fields, nil
	}
	d.reset()
	if errors.Is(err, csv.ErrBareQuote) {
		return nil, &Error{Code: BadRow, Detail: `a quote (") within a field that does not begin with one: put quotes around the field and double the one within`}
	}
	return nil, &Error{Code: BadRow, Detail: `the quotes (") do not match: a quote within a quoted field must be doubled, and the last one closed`}
}

func recordTooLong(at place) *Error {
	return &Error{Code: RowTooLong, Line: at.line, Detail: fmt.Sprintf("a row of more than %d bytes; perhaps a quote is not closed", MaxRecord)}
}
