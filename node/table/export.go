package table

import (
	"bufio"
	"fmt"
	"io"
	"iter"
)

// Format is how a table is written for other programs.
type Format string

const (
	CSV     Format = "csv"     // RFC 4180, guarded; see [Guard]
	Sheet   Format = "sheet"   // CSV for spreadsheets: with a byte order mark, and long digits kept
	JSONL   Format = "jsonl"   // JSON Lines: an object for each row
	Parquet Format = "parquet" // Apache Parquet
)

// Formats are all formats.
var Formats = []Format{CSV, Sheet, JSONL, Parquet}

// Export writes a table and returns how many rows it has. What was written is
// only part of a table unless the error is nil; the error is that of rows or of
// w. Memory is bounded by a row, for Parquet by a group of rows, see [groupSize].
func Export(w io.Writer, f Format, columns []Column, rows iter.Seq2[[]Value, error]) (uint64, error) {
	columns = prepared(columns)
	var write interface {
		row(values []Value) error
		close() error
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	switch f {
	case CSV, Sheet:
		write = newCSV(buffered, columns, f == Sheet)
	case JSONL:
		write = newJSONL(buffered, columns)
	case Parquet:
		write = newParquet(buffered, columns)
	default:
		return 0, fmt.Errorf("table: no format %.20q", f)
	}
	count := uint64(0)
	row := make([]Value, len(columns))
	for values, err := range rows {
		if err == nil {
			err = fitted(row, columns, values)
		}
		if err == nil {
			err = write.row(row)
		}
		if err != nil {
			return count, err
		}
		count++
	}
	if err := write.close(); err != nil {
		return count, err
	}
	return count, buffered.Flush()
}

// fitted copies a row to row, with numbers at the scales of their columns.
func fitted(row []Value, columns []Column, values []Value) error {
	if len(values) != len(columns) {
		return fmt.Errorf("table: a row of %d values for %d columns", len(values), len(columns))
	}
	for i, v := range values {
		var err error
		switch scale := uint8(columns[i].Scale); {
		case v.kind != 0 && v.kind != columns[i].held:
			err = errKind
		case v.kind == numbers && v.scale != scale:
			v, err = v.at(scale)
		}
		if err != nil {
			return fmt.Errorf("table: column %s: %w", columns[i].Name, err)
		}
		row[i] = v
	}
	return nil
}
