package table

import (
	"bufio"
	"unicode"
	"unicode/utf8"
)

// jsonl writes a JSON object for each line, with all columns in order. Numbers
// are texts, because most readers would make floats of them; no value is null.
type jsonl struct {
	w       *bufio.Writer
	columns []Column
	line    []byte
}

func newJSONL(w *bufio.Writer, columns []Column) *jsonl { return &jsonl{w: w, columns: columns} }

func (j *jsonl) row(values []Value) error {
	line := append(j.line[:0], '{')
	for i := range j.columns {
		c, v := &j.columns[i], &values[i]
		if i > 0 {
			line = append(line, ',')
		}
		line = append(append(append(line, '"'), c.Name...), `":`...)
		switch v.kind {
		case 0:
			line = append(line, "null"...)
		case texts:
			line = appendJSON(line, v.text)
		case bools:
			line = v.Append(line)
		default:
			line = append(v.Append(append(line, '"')), '"')
		}
	}
	j.line = append(line, '}', '\n')
	_, err := j.w.Write(j.line)
	return err
}

func (j *jsonl) close() error { return nil }

// appendJSON appends a text as JSON. Characters that end lines or are invisible
// controls are escaped: a line of the file is a row for every reader.
func appendJSON(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			to = append(to, '\\', byte(r))
		case r <= 0xffff && (unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Cf)):
			to = append(to, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			to = utf8.AppendRune(to, r)
		}
	}
	return append(to, '"')
}
