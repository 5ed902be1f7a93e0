package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// newWorkbooks opens workbooks: a folder with one for each table, or a file in
// which each sheet is a table.
func newWorkbooks(path string, form *form, own Own, background func(func(context.Context)) bool) *files {
	fs := newFiles(path, xlsxFormat{form}, own.Secret, background)
	if strings.HasSuffix(strings.ToLower(path), ".xlsx") {
		fs.dir, fs.book = filepath.Split(path)
	}
	fs.sheets, fs.folder = newPasses[sheet](background), own.Folder
	return fs
}

// sheet is the rows of a table of a workbook, as lines, in one generation of
// the workbook.
type sheet struct {
	info os.FileInfo // of the workbook
	text text
}

// text is what the rows of a table are read from.
type text struct {
	r    io.ReaderAt
	size int64
}

func (t text) reader() io.Reader { return io.NewSectionReader(t.r, 0, t.size) }

// text returns the text of a table in the generation described by info: its
// opened file, or the lines made of its workbook.
func (fs *files) text(ctx context.Context, d string, f *os.File, info os.FileInfo) (text, error) {
	if fs.sheets == nil {
		return text{f, info.Size()}, nil
	}
	fits := func(s *sheet) bool { return same(s.info, info) }
	s, err := fs.sheets.get(ctx, slot{table: d}, 0, fits, func(ctx context.Context) (*sheet, error) { return fs.convert(ctx, d) })
	if err != nil {
		return text{}, err
	}
	if s == nil {
		return text{}, changed(fs.shown(d))
	}
	return s.text, nil
}

// convert writes the rows of a table of a workbook into a file without a name.
func (fs *files) convert(ctx context.Context, table string) (*sheet, error) {
	f, info, err := fs.open(fs.stored(table))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out, err := nameless(fs.folder)
	if err != nil {
		return nil, located(unstored(err), fs.shown(table))
	}
	err = convert(ctx, f, info.Size(), table, fs.book == "", fs.folder, out)
	var e *Error
	if err != nil && !errors.As(err, &e) && !isContext(err) {
		err = unstored(err)
	}
	if after, statErr := f.Stat(); statErr != nil || !same(info, after) {
		err = changed(fs.shown(table))
	}
	if err != nil {
		out.Close()
		return nil, located(err, fs.shown(table))
	}
	size, err := out.Seek(0, io.SeekCurrent)
	if err != nil {
		out.Close()
		return nil, located(unstored(err), fs.shown(table))
	}
	return &sheet{info, text{out, size}}, nil
}

// names returns the names of the sheets of a workbook that has a table in each.
func (fs *files) names() (names []string, err error) {
	if fs.book == "" {
		return nil, nil
	}
	f, info, err := fs.open(fs.book)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := openWorkbook(f, info.Size())
	if err != nil {
		return nil, located(err, fs.book)
	}
	for _, s := range b.sheets {
		if s.part != "" {
			names = append(names, s.name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// xlsxFormat reads the lines that convert has written.
type xlsxFormat struct{ form *form }

func (xlsxFormat) extension() string                { return "xlsx" }
func (xlsxFormat) gb() bool                         { return false }
func (xlsxFormat) records(r *bufio.Reader) *records { return &records{r: r} }

func (f xlsxFormat) decoder(rs *records) (decoder, error) {
	for {
		line, at, err := rs.next()
		switch {
		case err == io.EOF:
			return nil, &Error{Code: Empty, Detail: "the sheet is empty: its first row must name the columns"}
		case err != nil:
			return nil, err
		case blank(line):
			continue
		}
		d := &xlsxDecoder{}
		if json.Unmarshal(line, &d.header) != nil {
			return nil, recordTooLong(at)
		}
		for i, name := range d.header {
			if f.form.trim {
				name = strings.TrimSpace(name)
				d.header[i] = name
			}
			if first := slices.Index(d.header[:i], name); name != "" && first >= 0 {
				return nil, twice(at.line, first, i)
			}
		}
		return d, nil
	}
}

// underTitle is what is wrong where the first row is a title, as offices put it
// above a table.
const underTitle = "the first row has one name and this one has more values, as where a title is above the table: delete all rows above the names of the columns"

// titled reports whether the first row has a single text, and that rather is the
// title of a table than the name of its only column.
func titled(header []string) bool {
	return len(slices.DeleteFunc(slices.Clone(header), func(name string) bool { return name == "" })) == 1
}

type xlsxDecoder struct {
	header  []string
	columns []int // of each cell; -1 where the header has none
}

func (d *xlsxDecoder) want(columns []string) { d.columns = placed(d.header, columns) }

func (d *xlsxDecoder) missing(columns []string) []string { return lacking(d.header, columns) }

func (d *xlsxDecoder) names() []string { return d.header }

func (d *xlsxDecoder) again() decoder { return &xlsxDecoder{header: d.header} }

func (d *xlsxDecoder) decode(line []byte, cells []cell) (hollow bool, err *Error) {
	if bytes.HasPrefix(line, []byte(tooLongLine)) {
		return false, recordTooLong(place{})
	}
	var row []string
	if json.Unmarshal(line, &row) != nil {
		return false, damaged()
	}
	if len(row) > len(d.header) && titled(d.header) {
		return false, &Error{Code: BadRow, Detail: underTitle}
	}
	if len(row) > len(d.header) {
		return false, &Error{Code: BadRow, Detail: fmt.Sprintf("a value in column %d, which has no name: name the column, or keep notes elsewhere", len(row))}
	}
	for i, c := range d.columns {
		cells[i] = nil
		if c >= 0 && c < len(row) {
			if cells[i], err = lineCell(row[c]); err != nil {
				return false, err
			}
		}
	}
	return !slices.ContainsFunc(row, func(s string) bool { return s != "" && s != string(cellText) }), nil
}

// lineCell turns a cell of a line into a value.
func lineCell(s string) (cell, *Error) {
	if s == "" {
		return nil, nil
	}
	switch content := s[1:]; s[0] {
	case cellText:
		return content, nil
	case cellNumber:
		return number(content), nil
	case cellDay:
		if len(content) > len(time.DateOnly) {
			return instant(content), nil
		}
		return civil(content), nil
	case cellBool:
		return content == "1", nil
	case cellSpoiled:
		if why, ok := parseSpoiled(content); ok {
			return why, nil
		}
	}
	return nil, damaged()
}
