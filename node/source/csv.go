package source

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// format is a file format.
type format interface {
	extension() string
	// gb reports whether the source declares GB 18030.
	gb() bool
	// records splits a file of this kind.
	records(r *bufio.Reader) *records
	// decoder reads what is before the first row, and returns the decoder of
	// the rows.
	decoder(rs *records) (decoder, error)
}

// decoder reads rows, one record each.
type decoder interface {
	// want sets the columns whose values decode puts into cells.
	want(columns []string)
	// decode fills cells, and reports whether no column at all has a value. Its
	// error has no file and no line yet.
	decode(record []byte, cells []cell) (hollow bool, err *Error)
	// missing returns the columns that are not in the header, or that no row
	// had so far.
	missing(columns []string) []string
	// names returns the names of all columns.
	names() []string
	// again returns another decoder for the same file.
	again() decoder
}

type csvFormat struct{ form *form }

func (csvFormat) extension() string { return "csv" }
func (f csvFormat) gb() bool        { return f.form.gb }
func (f csvFormat) records(r *bufio.Reader) *records {
	rs := &records{r: r}
	if f.form.newlines {
		rs.delimiter = byte(f.form.delimiter)
	}
	return rs
}

// decoder reads the header: the first line that is not empty.
func (f csvFormat) decoder(rs *records) (decoder, error) {
	for {
		record, at, err := rs.next()
		switch {
		case err == io.EOF:
			return nil, &Error{Code: Empty, Detail: "the file is empty: its first line must name the columns"}
		case err == errTooLong:
			return nil, recordTooLong(at)
		case err != nil:
			return nil, err
		case blank(record):
			continue
		case bytes.IndexByte(record, 0) >= 0:
			return nil, &Error{Code: Encoding, Line: at.line, Detail: "NUL bytes in the header, as in UTF-16: convert it to UTF-8"}
		}
		d := &csvDecoder{form: f.form, marked: rs.marked}
		d.reset()
		header, e := d.fields(record)
		if e != nil {
			e.Line = at.line
			return nil, e
		}
		d.header = slices.Clone(header)
		for i := range d.header {
			if f.form.trim {
				d.header[i] = strings.TrimSpace(d.header[i])
			}
		}
		for i, name := range d.header {
			// The name is not shown: in a file without a header it would be a
			// value.
			if first := slices.Index(d.header, name); name != "" && first < i {
				return nil, twice(at.line, first, i)
			}
		}
		return d, nil
	}
}

func twice(line int64, first, second int) *Error {
	return &Error{Code: DuplicateColumn, Line: line, Detail: fmt.Sprintf("columns %d and %d have the same name: rename or remove one", first+1, second+1)}
}

// placed returns the places of columns in a header; -1 for those it lacks.
func placed(header, columns []string) (places []int) {
	for _, name := range columns {
		places = append(places, slices.Index(header, name))
	}
	return places
}

// lacking returns the columns that a header lacks.
func lacking(header, columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return slices.Contains(header, name) })
}

type csvDecoder struct {
	form    *form
	marked  bool
	header  []string
	columns []int // of each cell; -1 where the header has none
	record  bytes.Reader
	reader  *csv.Reader // reads from record
}

// reset starts over after an error, which may leave part of a record in the
// reader.
func (d *csvDecoder) reset() {
	d.reader = csv.NewReader(&d.record)
	d.reader.Comma = d.form.delimiter
	d.reader.ReuseRecord = true
	d.reader.FieldsPerRecord = -1
}

func (d *csvDecoder) want(columns []string) { d.columns = placed(d.header, columns) }

func (d *csvDecoder) missing(columns []string) []string { return lacking(d.header, columns) }

func (d *csvDecoder) names() []string { return d.header }

func (d *csvDecoder) again() decoder {
	other := &csvDecoder{form: d.form, marked: d.marked, header: d.header}
	other.reset()
	return other
}

func (d *csvDecoder) decode(record []byte, cells []cell) (hollow bool, err *Error) {
	fields, err := d.fields(record)
	if err != nil {
		return false, err
	}
	if len(fields) > len(d.header) && titled(d.header) {
		return false, &Error{Code: BadRow, Detail: underTitle}
	}
	if len(fields) != len(d.header) {
		return false, &Error{Code: BadRow, Detail: fmt.Sprintf("%d columns where the header has %d: a delimiter within a text needs quotes around the text", len(fields), len(d.header))}
	}
	for i, c := range d.columns {
		cells[i] = nil
		if c >= 0 {
			cells[i] = fields[c]
		}
	}
	return !slices.ContainsFunc(fields, func(s string) bool { return s != "" }), nil
}

// fields splits a record into its fields.
func (d *csvDecoder) fields(record []byte) ([]string, *Error) {
	if loneReturn(record) {
		return nil, crAlone()
	}
	record, err := d.form.utf8(record, d.marked)
	if err != nil {
		return nil, err
	}
	return d.read(record)
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
	return nil, &Error{Code: BadRow, Detail: `the quotes (") do not match: a quote within a quoted field must be doubled, and the last one closed; where texts go on in the next line, declare newlines: true for the source`}
}

func recordTooLong(at place) *Error {
	return &Error{Code: RowTooLong, Line: at.line, Detail: fmt.Sprintf("a row of more than %d bytes; perhaps a quote is not closed", MaxRecord)}
}
