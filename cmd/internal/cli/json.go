package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// PrintJSON writes one document with the name of its schema.
func PrintJSON(w io.Writer, schema string, data any) error {
	return encode(w, map[string]any{"schema": schema, "data": data}, "  ")
}

// PrintLine writes one line of JSON.
func PrintLine(w io.Writer, data any) error { return encode(w, data, "") }

// encode writes JSON. It escapes characters that do not print, because the
// output may be a terminal.
func encode(w io.Writer, data any, indent string) error {
	var doc bytes.Buffer
	e := json.NewEncoder(&doc)
	e.SetIndent("", indent)
	if err := e.Encode(data); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range doc.String() {
		if r == '\n' || prints(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(escape(r))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
