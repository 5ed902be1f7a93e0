package source

import (
	"cmp"
	"fmt"
	"strings"

	"atoll/consensus/consent"
)

// Code is the kind of an error. Codes do not change: documents and programs
// rely on them.
type Code string

const (
	BadConfig       Code = "source.config"           // the source's declaration is contradictory or unknown
	NotReadable     Code = "source.not_readable"     // no such file, folder or table; no permission; not a database; locked
	MissingColumn   Code = "source.missing_column"   // the table lacks a column of the catalog
	DuplicateColumn Code = "source.duplicate_column" // two columns, or two keys of one object, have the same name
	BadRow          Code = "source.bad_row"          // a row that cannot be split into its columns
	BadValue        Code = "source.bad_value"        // a value that does not have its field's type
	Encoding        Code = "source.encoding"         // not UTF-8, or damaged by an earlier conversion
	RowTooLong      Code = "source.row_too_long"     // a row over [MaxRecord]
	TooManyRows     Code = "source.too_many_rows"    // a subject's rows over [MaxRows] or [MaxBytes]
	TooLarge        Code = "source.too_large"        // a file over [MaxIndexed]
	TimedOut        Code = "source.timeout"          // a call over [Timeout]
	Changed         Code = "source.changed"          // the file changed while it was read; a retry may succeed
	Checking        Code = "source.checking"         // the first pass over the table's keys is not finished
	Keys            Code = "source.keys"             // rows with an unusable key: they would be missing from any sum, and any "none" could be false
	NoKeys          Code = "source.no_such_keys"     // the table has no keys of the subject's kind
	Empty           Code = "source.empty"            // no row at all, where the catalog does not allow an empty table
	NoLoad          Code = "source.no_load"          // a complete dataset without proof that its table is whole and how old it is
	LoadDiffers     Code = "source.load_differs"     // the table does not match its marker
	Unreachable     Code = "source.unreachable"      // no connection to the server, or it broke
	Denied          Code = "source.denied"           // the server refuses the account, or lets it not read
	Untrusted       Code = "source.untrusted"        // the server's certificate is not the expected one, or there is none
	Paused          Code = "source.paused"           // the server failed several times in a row and is not asked for a while
	Stale           Code = "source.stale"            // the load is older than the dataset allows
	BadAnswer       Code = "source.bad_answer"       // a service's answer is not as it was declared
	OtherSubject    Code = "source.other_subject"    // a service answers about somebody else
	MayWrite        Code = "source.may_write"        // a warning: the node's account could change the tables
	Straddles       Code = "source.straddles"        // a warning: the queries of an answer may see different states of the tables
)

// Outcome returns the outcome that a bank sees for an output that could not be
// read.
func (c Code) Outcome() consent.Outcome {
	switch c {
	case NotReadable, TimedOut, Changed, Checking, Unreachable, Denied, Untrusted, Paused:
		return consent.Unavailable
	case Stale:
		return consent.Stale
	case NoKeys:
		return consent.NotInDataset
	}
	return consent.Invalid
}

// Error describes what is wrong with a source, and where. It never contains a
// value from a table, nor a subject.
type Error struct {
	Code   Code   `json:"code"`
	Source string `json:"source,omitempty"` // the source's name in the configuration, where the error concerns no table
	File   string `json:"file,omitempty"`   // file name without folder
	Line   int64  `json:"line,omitempty"`   // first line of the row in the file, counting from 1; 0: none
	Column string `json:"column,omitempty"` // name in the source, or empty
	Detail string `json:"detail"`           // what happened and what to do, in English; see [Chinese]

	table   bool   // the server answers, and the error is of one of its tables
	lost    bool   // a connection or plan of before is of no use any more: a retry may succeed at once
	absent  bool   // the file does not exist
	chinese string // Detail in Chinese, where Detail is not this package's; "": [Chinese] has it
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

// ofSettings matches advice that names settings of node.yaml.
var ofSettings = expression(`\b(node\.yaml|address|database|connections|password|tls\.[a-z]+|request\.url)\b`)

// Bare returns the error without its advice where that is about settings of
// node.yaml, for a command that is told by flags where a table is and has an advice
// of its own.
func (e *Error) Bare() *Error {
	event, advice, ok := strings.Cut(e.Detail, ": ")
	if !ok || !ofSettings().MatchString(advice) {
		return e
	}
	bare := *e
	bare.Detail = event
	bare.chinese, _, _ = strings.Cut(cmp.Or(e.chinese, Chinese(e.Detail)), "：")
	return &bare
}

// at adds the position to an error that has none yet.
func (e *Error) at(file string, line int64, column string) *Error {
	e.File, e.Line, e.Column = file, line, column
	return e
}
