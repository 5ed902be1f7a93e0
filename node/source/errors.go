package source

import (
	"fmt"
	"strings"

	"atoll/consensus/consent"
)

// Code says what kind of error it is. Codes do not change: documents and
// programs rely on them.
type Code string

const (
	BadConfig       Code = "source.config"           // what is declared of the source contradicts itself or is not known
	NotReadable     Code = "source.not_readable"     // no such file, folder or table, no permission, not a database, locked
	MissingColumn   Code = "source.missing_column"   // the table lacks a column of the catalog
	DuplicateColumn Code = "source.duplicate_column" // two columns, or two keys of one object, have one name
	BadRow          Code = "source.bad_row"          // a row that cannot be split into its columns
	BadValue        Code = "source.bad_value"        // a value that is not of its field's type
	Encoding        Code = "source.encoding"         // not UTF-8, or already damaged by a conversion
	RowTooLong      Code = "source.row_too_long"     // over [MaxRecord]
	TooManyRows     Code = "source.too_many_rows"    // one subject over [MaxRows] or [MaxBytes]
	TooLarge        Code = "source.too_large"        // a file over [MaxIndexed]
	TimedOut        Code = "source.timeout"          // over [Timeout]
	Changed         Code = "source.changed"          // the file changed while it was read; try again
	Checking        Code = "source.checking"         // the first pass over the table's keys is not done
	Keys            Code = "source.keys"             // rows whose key is nobody's: what they say is missing from any sum, and from any "none"
	NoKeys          Code = "source.no_such_keys"     // the table does not hold keys of the subject's kind
	Empty           Code = "source.empty"            // no row of anybody, where that is not declared to be possible
	NoLoad          Code = "source.no_load"          // a complete dataset without proof that its table is whole, and of when
	LoadDiffers     Code = "source.load_differs"     // the table is not what its marker says
	Stale           Code = "source.stale"            // the load is older than the dataset allows
)

// Outcome is what a bank is told of an output that could not be read.
func (c Code) Outcome() consent.Outcome {
	switch c {
	case NotReadable, TimedOut, Changed, Checking:
		return consent.Unavailable
	case Stale:
		return consent.Stale
	case NoKeys:
		return consent.NotInDataset
	}
	return consent.Invalid
}

// Error says what is wrong with a source, and where. It never contains a value
// from a table, nor a subject.
type Error struct {
	Code   Code   `json:"code"`
	Source string `json:"source,omitempty"` // its name in the configuration, where no table is at fault
	File   string `json:"file,omitempty"`   // name without folder
	Line   int64  `json:"line,omitempty"`   // first line of the row in the file, counting from 1; 0 where there is none
	Column string `json:"column,omitempty"` // name in the source, or empty
	Detail string `json:"detail"`           // what happened and what to do, in English; see [Chinese]

	absent  bool   // there is no such file
	chinese string // of Detail, where it is not this package's; "": [Chinese] has it
}

func (e *Error) Error() string {
	var where []string
	if e.Source != "" {
		where = append(where, fmt.Sprintf("source %q", e.Source))
	}
	if e.File != "" {
		file := e.File
		if e.Line > 0 {
			file = fmt.Sprintf("%s line %d", file, e.Line)
		}
		if e.Column != "" {
			file = fmt.Sprintf("%s, column %q", file, e.Column)
		}
		where = append(where, file)
	}
	return fmt.Sprintf("%s: %s (%s)", strings.Join(where, ": "), e.Detail, e.Code)
}

// at completes an error whose maker did not know where it was.
func (e *Error) at(file string, line int64, column string) *Error {
	e.File, e.Line, e.Column = file, line, column
	return e
}
