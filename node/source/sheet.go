package source

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The rows of a sheet are read once for each generation of its workbook, and
// written as lines of text: a line for each row of the sheet, with the row's
// number, so that everything else reads them as it reads CSV. A line is a JSON
// array of cells. The first that is not empty is the header. Each cell is ""
// where there is none, or a letter and its content.
const (
	cellText    = 't'
	cellNumber  = 'n' // a plain decimal
	cellDay     = 'd' // 2026-01-31, or 2026-01-31 08:30:00
	cellBool    = 'b' // 1 or 0
	cellSpoiled = 'x' // the number of a reason
)

// tooLongLine stands for a row that has more than MaxRecord bytes.
const tooLongLine = `"long"`

const (
	sheetRows    = 1 << 20 // of Excel
	sheetColumns = 1 << 14 // of Excel
	maxAreas     = 1000    // areas of formulas in one sheet
)

// area is a rectangle of cells; columns and rows count from 1.
type area struct{ left, top, right, bottom int }

func (a area) has(column, row int) bool {
	return column >= a.left && column <= a.right && row >= a.top && row <= a.bottom
}

// sheetReader converts one sheet.
type sheetReader struct {
	book     *workbook
	p        *xmlPart
	shared   *sharedTexts
	out      *bufio.Writer
	room     int64 // bytes that may still be written
	lines    int   // written so far
	row      int   // of the sheet, the last that has begun
	cells    []string
	bytes    int  // of cells
	valued   bool // some cell has a value, which may be an empty text
	header   int  // row of the header; 0: none yet
	columns  int  // of the header
	formulas []area
}

// convert writes the rows of a table of a workbook as lines. alone says that
// the whole workbook is this table.
func convert(ctx context.Context, f io.ReaderAt, size int64, table string, alone bool, folder string, out io.Writer) error {
	b, err := openWorkbook(f, size)
	if err != nil {
		return err
	}
	name, err := b.sheetOf(table, alone)
	if err != nil {
		return err
	}
	shared, err := b.readShared(ctx, folder)
	if err != nil {
		return err
	}
	defer shared.close()
	p, err := b.open(ctx, name, b.room)
	if err != nil {
		return err
	}
	defer p.close()
	s := &sheetReader{book: b, p: p, shared: shared, out: bufio.NewWriterSize(out, bufferSize), room: b.room}
	if err := s.read(); err != nil {
		return err
	}
	return s.out.Flush()
}

func (s *sheetReader) read() error {
	for {
		t, err := s.p.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok || !inSheet(start.Name) {
			continue
		}
		switch start.Name.Local {
		case "row":
			if s.p.depth != 3 {
				return damaged()
			}
			err = s.readRow(start)
		case "c":
			err = damaged() // a cell outside a row
		case "mergeCell":
			err = s.merged(attr(start, "ref"))
		}
		if err != nil {
			return err
		}
	}
}

// attr returns an attribute; "" if there is none.
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// merged refuses merged cells in the table: one of them has the value, and the
// others look empty.
func (s *sheetReader) merged(ref string) error {
	a, ok := parseArea(ref)
	if !ok {
		return damaged()
	}
	if s.header == 0 || a.bottom < s.header || a == (area{a.left, a.top, a.left, a.top}) {
		return nil
	}
	if a.top <= s.header {
		return &Error{Code: BadRow, Line: int64(s.header), Detail: "merged cells in the first row, which has to name the columns: delete a title above the names, and separate names that are merged"}
	}
	return &Error{Code: BadRow, Line: int64(a.top), Detail: "merged cells: all but the first of them look empty; separate them and fill in each"}
}

func (s *sheetReader) readRow(start xml.StartElement) error {
	number := s.row + 1
	if r := attr(start, "r"); r != "" {
		n, err := strconv.Atoi(r)
		if err != nil {
			return damaged()
		}
		number = n
	}
	if number <= s.row || number > sheetRows {
		return damaged()
	}
	s.row, s.cells, s.bytes, s.valued = number, s.cells[:0], 0, false
	for column := 0; ; {
		t, err := s.p.next()
		if err != nil {
			return unfinished(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return s.endRow()
		case xml.StartElement:
			switch {
			case !inSheet(t.Name) || t.Name.Local == "extLst":
				err = s.p.skip()
			case t.Name.Local == "c":
				column, err = s.readCell(t, column)
			default:
				err = damaged()
			}
		}
		if err != nil {
			return err
		}
	}
}

// readCell reads a cell into its column, and returns the column.
func (s *sheetReader) readCell(start xml.StartElement, before int) (int, error) {
	column := before + 1
	if ref := attr(start, "r"); ref != "" {
		c, row, ok := parseRef(ref)
		if !ok || row != s.row {
			return 0, damaged()
		}
		column = c
	}
	if column <= before || column > sheetColumns {
		return 0, damaged()
	}
	c := rawCell{kind: attr(start, "t"), style: attr(start, "s")}
	if err := s.content(&c); err != nil {
		return 0, err
	}
	if c.area != (area{}) {
		if len(s.formulas) == maxAreas {
			return 0, tooLargeBook()
		}
		s.formulas = append(s.formulas, c.area)
	}
	// Only the first cell of an area has its array formula.
	c.formula = c.formula || slices.ContainsFunc(s.formulas, func(a area) bool { return a.has(column, s.row) })
	text, err := s.cell(c)
	if err != nil || text == "" {
		return column, err
	}
	s.valued = true
	if s.bytes += len(text); s.bytes > MaxRecord {
		return column, nil // endRow says so
	}
	for len(s.cells) < column {
		s.cells = append(s.cells, "")
	}
	s.cells[column-1] = text
	return column, nil
}

// rawCell is a cell as it is written.
type rawCell struct {
	kind, style string
	has         bool // there is a value
	value       string
	inline      bool // value is the text itself
	formula     bool
	area        area // of an array formula that begins here
}

// content reads what is within a cell.
func (s *sheetReader) content(c *rawCell) error {
	for {
		t, err := s.p.next()
		if err != nil {
			return unfinished(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			switch {
			case !inSheet(t.Name):
				err = s.p.skip()
			case t.Name.Local == "v" && !c.has:
				c.has = true
				c.value, err = s.p.text()
			case t.Name.Local == "is" && !c.has:
				c.has, c.inline = true, true
				c.value, err = s.p.richText()
			case t.Name.Local == "f":
				c.formula = true
				if kind := attr(t, "t"); kind == "array" || kind == "dataTable" {
					var ok bool
					if c.area, ok = parseArea(attr(t, "ref")); !ok {
						return damaged()
					}
				}
				err = s.p.skip()
			case t.Name.Local == "extLst":
				err = s.p.skip()
			default:
				err = damaged()
			}
			if err != nil {
				return err
			}
		}
	}
}

func spoil(why spoiled) string { return string(cellSpoiled) + strconv.Itoa(int(why)) }

// cell returns a cell as it is written in a line; "" where it has no value.
func (s *sheetReader) cell(c rawCell) (string, error) {
	switch {
	case c.formula:
		return spoil(spoiledFormula), nil
	case !c.has:
		return "", nil
	case c.inline != (c.kind == "inlineStr"):
		return "", damaged()
	}
	switch c.kind {
	case "inlineStr":
		return string(cellText) + c.value, nil
	case "str":
		return string(cellText) + unescaped(c.value), nil
	case "s":
		text, err := s.shared.of(c.value)
		return string(cellText) + text, err
	case "b":
		if c.value != "0" && c.value != "1" {
			return "", damaged()
		}
		return string(cellBool) + c.value, nil
	case "e":
		return spoil(spoiledError), nil
	case "d":
		day, ok := isoDay(c.value)
		if !ok {
			return spoil(spoiledDate), nil
		}
		return string(cellDay) + day, nil
	case "", "n":
		return s.number(c)
	}
	return "", damaged()
}

// number returns a cell that has a number.
func (s *sheetReader) number(c rawCell) (string, error) {
	if c.value == "" {
		return "", nil
	}
	f := fmtNumber
	if c.style != "" {
		n, err := strconv.Atoi(c.style)
		if err != nil || n < 0 || n >= len(s.book.styles) && n > 0 {
			return "", damaged()
		}
		if n < len(s.book.styles) {
			f = s.book.styles[n]
		}
	}
	switch f {
	case fmtTime:
		return spoil(spoiledTime), nil
	case fmtUnclear:
		return spoil(spoiledFormat), nil
	case fmtDate:
		day, ok := sheetDay(c.value, s.book.year1904)
		if !ok {
			return spoil(spoiledDate), nil
		}
		return string(cellDay) + day, nil
	}
	_, text, ok := sheetNumber(c.value)
	if !ok {
		return spoil(spoiledNumber), nil
	}
	return string(cellNumber) + text, nil
}

// endRow writes the line of a row that has a value.
func (s *sheetReader) endRow() error {
	if err := s.p.ctx.Err(); err != nil {
		return err
	}
	if !s.valued {
		return nil
	}
	line := []byte(tooLongLine)
	if s.bytes <= MaxRecord {
		cells, err := json.Marshal(s.cells)
		if s.header == 0 {
			cells, err = s.named()
		}
		if err != nil {
			return err
		}
		if line = cells; len(line) >= MaxRecord {
			line = []byte(tooLongLine)
		}
	}
	if s.header == 0 {
		s.header, s.columns = s.row, len(s.cells)
	}
	gap := s.row - 1 - s.lines
	if s.room -= int64(gap + len(line) + 1); s.room < 0 {
		return tooLargeBook()
	}
	for range gap {
		s.out.WriteByte('\n')
	}
	s.lines = s.row
	s.out.Write(line)
	return s.out.WriteByte('\n') // a bufio.Writer returns its first error again
}

// named returns the line of the header: the columns' names.
func (s *sheetReader) named() ([]byte, error) {
	names := make([]string, len(s.cells))
	for i, c := range s.cells {
		switch {
		case c == "":
		case c[0] == cellText, c[0] == cellNumber:
			names[i] = c[1:]
		default:
			return nil, &Error{Code: BadRow, Line: int64(s.row), Detail: fmt.Sprintf("the first row must name the columns, and column %d has no text in it", i+1)}
		}
	}
	return json.Marshal(names)
}

// parseRef parses the name of a cell, such as AB12.
func parseRef(ref string) (column, row int, ok bool) {
	i := 0
	for ; i < len(ref) && ref[i] >= 'A' && ref[i] <= 'Z' && i < 3; i++ {
		column = column*26 + int(ref[i]-'A') + 1
	}
	row, err := strconv.Atoi(ref[i:])
	if i == 0 || err != nil || row < 1 || row > sheetRows || column > sheetColumns || ref[i] < '1' || ref[i] > '9' {
		return 0, 0, false
	}
	return column, row, true
}

// parseArea parses the name of an area, such as A1:B12 or A1.
func parseArea(ref string) (area, bool) {
	from, to, two := strings.Cut(ref, ":")
	left, top, ok := parseRef(from)
	if !ok || !two {
		return area{left, top, left, top}, ok
	}
	right, bottom, ok := parseRef(to)
	return area{left, top, right, bottom}, ok && left <= right && top <= bottom
}
