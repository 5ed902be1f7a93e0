package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxNames limits the different keys in one JSONL file. Which there are is
// remembered, to tell a column that is missing from one without a value.
const maxNames = 4096

type jsonlFormat struct{}

func (jsonlFormat) extension() string { return "jsonl" }
func (jsonlFormat) quotes() bool      { return false }

func (jsonlFormat) decoder(*records) (decoder, error) {
	return new(jsonlDecoder).again(), nil
}

type jsonlDecoder struct {
	columns []string          // of each cell
	names   map[string]uint64 // every key so far, with the row that had it last
	row     uint64
}

func (d *jsonlDecoder) want(columns []string) { d.columns = columns }

// missing is empty for a file without rows: it says nothing about columns.
func (d *jsonlDecoder) missing(columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return d.row == 0 || d.names[name] > 0 })
}

func (d *jsonlDecoder) again() decoder { return &jsonlDecoder{names: map[string]uint64{}} }

func (d *jsonlDecoder) decode(record []byte, cells []cell) *Error {
	if !utf8.Valid(record) {
		return &Error{Code: Encoding, Detail: notUTF8}
	}
	clear(cells)
	d.row++
	dec := json.NewDecoder(bytes.NewReader(record))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return notObject()
	}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return notObject()
		}
		if err := d.saw(name); err != nil {
			return err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return notObject()
		}
		for i, column := range d.columns {
			if column == name {
				cells[i] = jsonCell(raw)
			}
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return notObject()
	}
	if _, err := dec.Token(); err != io.EOF {
		return notObject()
	}
	return nil
}

func notObject() *Error {
	return &Error{Code: BadRow, Detail: "not one JSON object in one line"}
}

// saw notes a key of the current row. An unknown key may hold anything, so its
// name is shown only where the catalog has it.
func (d *jsonlDecoder) saw(name string) *Error {
	last, known := d.names[name]
	switch {
	case known && last == d.row:
		err := &Error{Code: DuplicateColumn, Detail: "one object has a key twice"}
		if slices.Contains(d.columns, name) {
			err.Column = name
		}
		return err
	case !known && len(d.names) == maxNames:
		return &Error{Code: BadRow, Detail: fmt.Sprintf("more than %d different keys in one file: a key must be the name of a column", maxNames)}
	}
	d.names[name] = d.row
	return nil
}

// jsonCell turns one valid JSON value into a cell.
func jsonCell(raw json.RawMessage) cell {
	switch raw[0] {
	case 'n':
		return nil
	case 't', 'f':
		return raw[0] == 't'
	case '{', '[':
		return nested{}
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nested{}
		}
		// Half of a surrogate pair becomes U+FFFD here, and is refused as
		// such where the value is used.
		return s
	}
	return number(strings.Clone(string(raw)))
}
