package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/node/catalog"
)

// Load is what is known about a table as a whole: that it is complete, and its
// day. A file's modification time proves neither, since a copy of half a file
// has a new one.
type Load struct {
	Live bool        // the table is the register itself: complete and current
	Told bool        // there is a marker, and the table matches it
	AsOf consent.Day // according to the marker
}

// marker is written last, when a table is complete. For NAME.csv or NAME.jsonl
// it is the file NAME.load.json in the same folder, for a table of a database a
// row of the table or view atoll_load.
type marker struct {
	Name string `json:"-"`
	// Rows and SHA256 define completeness: the number of records, without
	// header and empty lines, and the digest of the file in hex. At least one
	// of them is required.
	Rows   *int64 `json:"rows"`
	SHA256 string `json:"sha256"`
	AsOf   string `json:"as_of"` // the day of the table's data, 2026-01-31
}

// same reports whether two markers of a database are equal; nil is none.
func (m *marker) same(o *marker) bool {
	if m == nil || o == nil {
		return m == o
	}
	return *m.Rows == *o.Rows && m.AsOf == o.AsOf
}

const (
	markerExtension = ".load.json"
	markerTable     = "atoll_load"
	maxMarker       = 4 << 10 // bytes
)

// readMarker reads the marker of a file; nil if there is none.
func (fs *files) readMarker(d *catalog.Dataset) (*marker, error) {
	name := d.Table + markerExtension
	f, _, err := fs.open(name)
	var e *Error
	if errors.As(err, &e) && e.absent {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMarker+1))
	if err != nil {
		return nil, unreadable(name, err, "the file is gone")
	}
	m := &marker{Name: name}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(m); err != nil || len(text) > maxMarker || decoder.Decode(new(any)) != io.EOF || !keysOnce(text) {
		return nil, &Error{Code: NoLoad, File: name, Detail: `not a marker such as {"rows": 1200, "as_of": "2026-01-31"}, with "sha256" beside or in place of "rows"`}
	}
	return m, nil
}

// keysOnce reports whether a JSON object of plain values has each key of a
// marker at most once, spelled exactly: a decoder takes the last of two keys,
// and capitals for small letters, so that a marker could contradict itself.
func keysOnce(object []byte) bool {
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok || seen[name] || !slices.Contains([]string{"rows", "sha256", "as_of"}, name) {
			return false
		}
		seen[name] = true
		if _, err := d.Token(); err != nil {
			return false
		}
	}
	return true
}

// whole is what a marker is compared with.
type whole struct {
	records int64
	digest  string // of a file, in hex; "" for a table of a database
	open    bool   // the last line of the file has no line end
	spans   bool   // a row of the file has several lines
}

// check compares a table with its marker.
func (m *marker) check(file string, t whole) (Load, *Error) {
	// A row of CSV that is cut off within its last value is a row still; a JSON
	// object lacks its brace then.
	if t.open && (m == nil && strings.HasSuffix(file, ".csv") || m != nil && m.SHA256 == "") {
		return Load{}, &Error{Code: LoadDiffers, File: file, Detail: "the last line has no end: the file may be cut off within it, which a number of rows does not show; end the line, or give sha256"}
	}
	if m == nil {
		return Load{}, nil
	}
	day, err := time.Parse(time.DateOnly, m.AsOf)
	if err != nil || day.Year() < firstYear {
		return Load{}, &Error{Code: NoLoad, File: m.Name, Detail: "as_of is not a day such as 2026-01-31"}
	}
	if m.Rows == nil && (m.SHA256 == "" || t.digest == "") {
		return Load{}, &Error{Code: NoLoad, File: m.Name, Detail: "the marker says neither the number of rows nor the SHA-256 of the file"}
	}
	if m.Rows != nil && *m.Rows != t.records {
		return Load{}, &Error{Code: LoadDiffers, File: file, Detail: fmt.Sprintf("%d rows where the marker says %d: the load is not whole, or the marker is of another", t.records, *m.Rows)}
	}
	if m.SHA256 != "" && t.digest != "" && !strings.EqualFold(m.SHA256, t.digest) {
		return Load{}, &Error{Code: LoadDiffers, File: file, Detail: "not the SHA-256 that the marker says: the load is not whole, or the marker is of another"}
	}
	if m.Rows == nil && t.spans {
		return Load{}, &Error{Code: NoLoad, File: m.Name, Detail: "rows of the file go on in the next line, where a quote too many swallows others: give their number (rows) beside sha256"}
	}
	return Load{Told: true, AsOf: consent.Day(day.Unix() / (24 * 60 * 60))}, nil
}

// WriteMarker writes the marker of a finished file NAME.csv, NAME.jsonl or
// NAME.xlsx with so many rows and the day asOf. It writes a temporary file and renames it.
func WriteMarker(path string, rows int64, asOf consent.Day) error {
	text, err := json.Marshal(marker{Rows: &rows, AsOf: asOf.String()})
	if err != nil {
		return err
	}
	switch ext := filepath.Ext(path); ext {
	case ".csv", ".jsonl", ".xlsx":
		path = strings.TrimSuffix(path, ext)
	}
	path += markerExtension
	return durable.Replace(path, text)
}

// answersFor returns why the load allows no answer about the whole dataset on a
// day, not even that there is nothing; nil where it allows answers.
func (l Load) answersFor(d *catalog.Dataset, file string, today consent.Day) *Error {
	switch {
	case !d.Complete || l.Live:
	case !l.Told:
		return &Error{Code: NoLoad, File: file, Detail: "the dataset is complete, and nothing says that its table is whole and of when: write a marker last (" + markerExtension + ", or a row in " + markerTable + "), or declare the source live where it is the database of record"}
	case l.AsOf > today+1:
		return &Error{Code: LoadDiffers, File: file, Detail: "the marker is of a day to come: correct it, or this machine's clock"}
	case int64(today)-int64(l.AsOf) > maxAge(d):
		return &Error{Code: Stale, File: file, Detail: fmt.Sprintf("the load is more than %d days old (max_age): bring a newer one", maxAge(d))}
	}
	return nil
}
