package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxNames limits the different keys in one JSONL file. They are remembered to
// tell a missing column from a column without values.
const maxNames = 4096

type jsonlFormat struct{ form *form }

func (jsonlFormat) extension() string                { return "jsonl" }
func (f jsonlFormat) gb() bool                       { return f.form.gb }
func (jsonlFormat) records(r *bufio.Reader) *records { return &records{r: r} }

func (f jsonlFormat) decoder(rs *records) (decoder, error) {
	return (&jsonlDecoder{form: f.form, marked: rs.marked}).again(), nil
}

type jsonlDecoder struct {
	form    *form
	marked  bool
	columns []string          // for each cell
	seen    map[string]uint64 // every key so far, with the last row that had it
	row     uint64
}

func (d *jsonlDecoder) want(columns []string) { d.columns = columns }

// missing returns nothing for a file without rows, which shows no columns.
func (d *jsonlDecoder) missing(columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return d.row == 0 || d.seen[name] > 0 })
}

func (d *jsonlDecoder) names() []string { return slices.Sorted(maps.Keys(d.seen)) }

func (d *jsonlDecoder) again() decoder {
	return &jsonlDecoder{form: d.form, marked: d.marked, seen: map[string]uint64{}}
}

func (d *jsonlDecoder) decode(record []byte, cells []cell) (hollow bool, err *Error) {
	record, err = d.form.utf8(record, d.marked)
	if err != nil {
		return false, err
	}
	clear(cells)
	d.row++
	dec := json.NewDecoder(bytes.NewReader(record))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return false, notObject()
	}
	hollow = true
	for dec.More() {
		name, raw, err := d.member(dec)
		if err != nil {
			return false, err
		}
		hollow = hollow && (raw[0] == 'n' || string(raw) == `""`)
		for i, column := range d.columns {
			if column == name {
				cells[i] = jsonCell(raw)
			}
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return false, notObject()
	}
	if _, err := dec.Token(); err != io.EOF {
		return false, notObject()
	}
	return hollow, nil
}

// member reads a key and its value.
func (d *jsonlDecoder) member(dec *json.Decoder) (name string, raw json.RawMessage, bad *Error) {
	t, err := dec.Token()
	name, ok := t.(string)
	if err != nil || !ok {
		return "", nil, notObject()
	}
	if d.form.trim {
		name = strings.TrimSpace(name)
	}
	if bad := d.saw(name); bad != nil {
		return "", nil, bad
	}
	if err := dec.Decode(&raw); err != nil {
		return "", nil, notObject()
	}
	return name, raw, nil
}

func notObject() *Error {
	return &Error{Code: BadRow, Detail: "not one JSON object in one line"}
}

// saw records a key of the current row. An unknown key may contain anything, so
// its name is shown only where the catalog has it.
func (d *jsonlDecoder) saw(name string) *Error {
	last, known := d.seen[name]
	switch {
	case known && last == d.row:
		err := &Error{Code: DuplicateColumn, Detail: "one object has a key twice"}
		if slices.Contains(d.columns, name) {
			err.Column = name
		}
		return err
	case !known && len(d.seen) == maxNames:
		return &Error{Code: BadRow, Detail: fmt.Sprintf("more than %d different keys in one file: a key must be the name of a column", maxNames)}
	}
	d.seen[name] = d.row
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
		// Half of a surrogate pair becomes U+FFFD here, and is refused where
		// the value is used.
		return s
	}
	return number(strings.Clone(string(raw)))
}
