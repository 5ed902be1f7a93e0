// Package table encodes, orders and exports tables: rows of typed columns that
// an agency sends to a bank as one output.
//
// An [Encoder] writes rows into chunks of at most [MaxChunk] bytes and a
// [Decoder] reads them. The encoding is canonical: equal rows in equal order
// are equal chunks, and the decoder refuses all others. SPEC.md section 7
// describes the bytes. [Order] compares rows as all members do, whatever database
// they come from; package sorting sorts more rows than memory holds. [Export]
// writes a table for other programs, as CSV, JSON Lines or Parquet.
//
// A number is exact everywhere: it is never a float. All functions stream, with
// memory bounded by one chunk, except that Parquet needs one group of rows.
package table

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

const (
	// MaxChunk limits a chunk in bytes, so that an item of a fragment with its
	// length is at most 1 MiB.
	MaxChunk = 1<<20 - 4
	// MaxRow limits one encoded row in bytes.
	MaxRow = 256 << 10
	// MaxColumns limits the columns of a table.
	MaxColumns = 128
	// MaxBefore limits the digits of a number before the point, as for a value
	// that leaves an agency by a formula, and MaxScale those after it. Together
	// they are the 38 digits that databases and Parquet have at most.
	MaxBefore = 20
	MaxScale  = 18
)

// Type is the kind of value that a column holds, by its name in catalogs.
type Type string

const (
	Text    Type = "text"
	Integer Type = "integer"
	Decimal Type = "decimal"
	Date    Type = "date"
	Bool    Type = "bool"
)

// Column is one column of a table. Its name is unique in the table.
type Column struct {
	Name  string
	Title string // what a person calls it, for [Sheet]; "" is Name
	Type  Type
	Unit  string // such as "CNY", or empty
	Scale int32  // digits after the point of a Decimal, 0 to MaxScale; otherwise 0

	held kind // that of the type, where it was looked up already
}

// Check reports why columns are not those of a table, wrapping
// [sign.ErrMalformed], or nil. All other functions of this package panic with
// columns for which Check returns an error.
func Check(columns []Column) error {
	if len(columns) == 0 || len(columns) > MaxColumns {
		return fmt.Errorf("%w: a table of %d columns, 1 to %d can be", sign.ErrMalformed, len(columns), MaxColumns)
	}
	seen := map[string]bool{}
	for _, c := range columns {
		switch {
		case !consent.ValidItem(c.Name) || seen[c.Name]:
			return fmt.Errorf("%w: column %.64q: its name is no name of a field, or is there twice", sign.ErrMalformed, c.Name)
		case c.Unit != "" && !consent.ValidText(c.Unit):
			return fmt.Errorf("%w: column %s: its unit cannot be shown", sign.ErrMalformed, c.Name)
		case c.kind() == 0:
			return fmt.Errorf("%w: column %s: its type is none of text, integer, decimal, date, bool", sign.ErrMalformed, c.Name)
		case c.Scale < 0 || c.Scale > MaxScale || c.Scale > 0 && c.Type != Decimal:
			return fmt.Errorf("%w: column %s: a scale of %d; a decimal has 0 to %d, any other type 0", sign.ErrMalformed, c.Name, c.Scale, MaxScale)
		}
		seen[c.Name] = true
	}
	return nil
}

// prepared returns a copy of columns for many rows. It panics if they are not
// those of a table: a mistake of the caller.
func prepared(columns []Column) []Column {
	if err := Check(columns); err != nil {
		panic(err)
	}
	columns = slices.Clone(columns)
	for i := range columns {
		columns[i].held = columns[i].kind()
	}
	return columns
}

// kind returns how values of the column are held; 0 for no type.
func (c *Column) kind() kind {
	if c.held != 0 {
		return c.held
	}
	switch c.Type {
	case Text:
		return texts
	case Integer, Decimal:
		return numbers
	case Date:
		return days
	case Bool:
		return bools
	}
	return 0
}
