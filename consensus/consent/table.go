package consent

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of what one output of rows may show.
const (
	MaxColumns     = 50
	MaxColumnScale = 8
	MaxTableRows   = 100_000_000
	MaxTableBytes  = 1 << 30
)

// columnTypes are the types that a column can have.
var columnTypes = []string{"text", "integer", "decimal", "date", "bool"}

// TableType is the type of an output of rows in its [Sense].
const TableType = "table"

// Table is what an output discloses by [Rows]: which columns of each row, in
// which order the rows come, and how many there are at most.
type Table struct {
	_         struct{} `cbor:",toarray"`
	Columns   []Column // 1 to MaxColumns, in the order that each row has
	Order     []string // names of columns: rows ascend by these, then by all columns
	MostRows  uint64   // 1 to MaxTableRows
	MostBytes uint64   // 1 to MaxTableBytes: of all rows as the fragment has them, before padding
}

// Column is one column of a [Table].
type Column struct {
	_       struct{} `cbor:",toarray"`
	Name    string
	Type    string // text, integer, decimal, date or bool
	Unit    string // such as "CNY", or empty
	Scale   uint32 // most digits after the point, of a decimal: 0 to MaxColumnScale
	Chinese string // title
	English string
}

// In returns the column's title in a language, with its unit.
func (c *Column) In(language string) string {
	title := c.English
	if language == Chinese {
		title = c.Chinese
	}
	if c.Unit == "" {
		return title
	}
	return title + " (" + c.Unit + ")"
}

// check reports whether all of it can be shown.
func (t *Table) check() error {
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if !ValidItem(c.Name) || seen[c.Name] || !slices.Contains(columnTypes, c.Type) || c.Unit != "" && !ValidText(c.Unit) || !ValidText(c.Chinese) || !ValidText(c.English) {
			return malformed("sense: a column of a table")
		}
		if c.Scale > MaxColumnScale || c.Scale > 0 && c.Type != "decimal" {
			return malformed("sense: the scale of a column")
		}
		seen[c.Name] = true
	}
	for i, name := range t.Order {
		if !seen[name] || slices.Contains(t.Order[:i], name) {
			return malformed("sense: the order of a table")
		}
	}
	switch {
	case len(t.Columns) == 0 || len(t.Columns) > MaxColumns || len(t.Order) == 0:
		return malformed("sense: a table has 1 to %d columns and an order", MaxColumns)
	case t.MostRows == 0 || t.MostRows > MaxTableRows || t.MostBytes == 0 || t.MostBytes > MaxTableBytes:
		return malformed("sense: a table has at most %d rows and %d bytes", MaxTableRows, MaxTableBytes)
	}
	return nil
}

// told writes what is shown of each row, as a notice says it.
func (t *Table) told(p *phrases) string {
	var columns, order []string
	for i := range t.Columns {
		columns = append(columns, t.Columns[i].In(p.language))
	}
	for _, name := range t.Order {
		i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return "" // check refuses it
		}
		order = append(order, t.Columns[i].In(p.language))
	}
	return fmt.Sprintf(p.table, strings.Join(columns, p.comma), strings.Join(order, p.comma), t.MostRows, t.MostBytes)
}

// Rows returns the item that the section asks by rows, or nil. Such an item is
// the only one of its section.
func (s *Section) Rows() *Item {
	if len(s.Wants) != 1 || s.Wants[0].Item.Disclosure != Rows {
		return nil
	}
	return &s.Wants[0].Item
}

// ShownTable returns the table that a consent shows of an item of an agency, or
// nil.
func ShownTable(shown []Shown, agency string, i *Item) *Table {
	s := ShownOf(shown, agency)
	if s == nil || i == nil || i.Disclosure != Rows {
		return nil
	}
	if x := s.Sense(i.Dataset, i.Output); x != nil {
		return x.More.Table
	}
	return nil
}
