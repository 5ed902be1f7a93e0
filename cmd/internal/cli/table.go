package cli

import (
	"strings"
	"unicode"
)

// Cells returns the width of a text on a terminal: a Chinese character takes
// two cells, a combining mark none.
func Cells(text string) (width int) {
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r):
		case wide(r):
			width += 2
		default:
			width++
		}
	}
	return width
}

// wide reports whether a character is of East Asian width W or F (UAX #11),
// by its block.
func wide(r rune) bool {
	return r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf && r != 0x303f || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff ||
		r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1f64f || r >= 0x20000 && r <= 0x3fffd
}

// Table is text in columns that stay aligned in Chinese too. Its cells are
// cleaned.
type Table struct {
	rows    [][]string
	texts   int // number of columns before those of numbers, if there are any
	numbers bool
	named   bool
}

// NewTable returns a table without column names.
func NewTable() *Table { return new(Table) }

// Columns returns a table with these column names.
func (t *Printer) Columns(names ...Text) *Table {
	row := make([]string, len(names))
	for i := range names {
		row[i] = names[i].In(t.Lang)
	}
	return &Table{rows: [][]string{row}, named: true}
}

// Numbers aligns the columns after the first so many to the right.
func (t *Table) Numbers(behind int) *Table {
	t.texts, t.numbers = behind, true
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i := range cells {
		row[i] = Clean(cells[i])
	}
	t.rows = append(t.rows, row)
}

// Table prints a table.
func (t *Printer) Table(table *Table) {
	for _, row := range table.rows {
		for i := range row {
			row[i] = t.moments(row[i])
		}
	}
	if t.Parts != nil {
		t.Parts(table.part())
		return
	}
	var widths []int
	for _, row := range table.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Cells(cell))
		}
	}
	for _, row := range table.rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-Cells(cell))
			if table.numbers && i >= table.texts {
				cell, pad = pad+cell, ""
			}
			line.WriteString(cell + pad + strings.Repeat(" ", columnGap))
		}
		t.line(strings.TrimRight(line.String(), " "))
	}
}

func (t *Table) part() Part {
	p := Part{Rows: t.rows, Named: t.named, Texts: -1}
	if t.numbers {
		p.Texts = t.texts
	}
	return p
}

const columnGap = 2 // cells
