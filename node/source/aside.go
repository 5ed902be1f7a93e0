package source

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/node/catalog"
)

// Real registers have rows whose subject nobody will ever know. An operator
// sets each such row aside with a name, a reason and a day; after that the
// dataset can give answers. Every answer carries the number of rows set aside.
// A row is identified by its fingerprint. The same row in the next load is
// therefore still set aside, but another row, or one more like it, is not.

const (
	// MaxAside limits the number of rows of one dataset that can be set aside.
	MaxAside = 100_000
	// MaxNote limits the reason for setting a row aside, and MaxBy the
	// operator's name, in bytes.
	MaxNote = 500
	MaxBy   = 100

	asideFolder = "aside"
	maxList     = MaxAside * (MaxNote + MaxBy + 200) // bytes of a list
)

// Errors of setting rows aside.
var (
	// ErrNotNobodys means that a fingerprint matches no row that could be set
	// aside.
	ErrNotNobodys = errors.New("no row with an unusable key that is not aside already has this fingerprint")
	// ErrNotAside means that no row with this fingerprint is set aside.
	ErrNotAside = errors.New("no row with this fingerprint is set aside")
	// ErrEntry means that an entry for a row is incomplete.
	ErrEntry = errors.New("an entry for a row that is set aside")
	// ErrListBusy means that another command is changing the list.
	ErrListBusy = errors.New("another command is changing the list of rows set aside")
)

// entryError describes what an entry lacks; it is an [ErrEntry].
type entryError struct{ detail string }

func (e *entryError) Error() string { return ErrEntry.Error() + ": " + e.detail }

// Chinese returns the text of Error in Chinese.
func (e *entryError) Chinese() string { return "搁置的登记有误：" + Chinese(e.detail) }

func (e *entryError) Unwrap() error { return ErrEntry }

// Fingerprint identifies a row: it is computed from the row's key and the
// fields of the dataset, as written, with a secret of the member. It reveals
// none of them.
type Fingerprint [16]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint parses the output of String.
func ParseFingerprint(text string) (f Fingerprint, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(f) {
		return f, fmt.Errorf("a fingerprint is %d characters of 0-9 and a-f", 2*len(f))
	}
	return Fingerprint(raw), nil
}

// MarshalText and UnmarshalText are for JSON.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

func (f *Fingerprint) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFingerprint(string(text))
	return err
}

// Aside is one row that an operator has set aside.
type Aside struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	By          string      `json:"by"`   // the operator's name
	Note        string      `json:"note"` // the reason
	Date        string      `json:"date"` // civil day, 2026-01-31
}

func (a Aside) check() *entryError {
	switch {
	case a.By == "" || len(a.By) > MaxBy || !consent.ValidText(a.By):
		return &entryError{fmt.Sprintf("by: a name of 1 to %d bytes without control characters", MaxBy)}
	case a.Note == "" || len(a.Note) > MaxNote || !consent.ValidText(a.Note):
		return &entryError{fmt.Sprintf("note: a text of 1 to %d bytes without control characters", MaxNote)}
	}
	if _, err := time.Parse(time.DateOnly, a.Date); err != nil {
		return &entryError{"date: a day such as 2026-01-31"}
	}
	return nil
}

// Nobodys is a row with an unusable key.
type Nobodys struct {
	Line        int64 // see [Census.Lines]
	Fingerprint Fingerprint
	Form        string // in which the key is written, without a value: see [Shape]
	Aside       *Aside // the entry that sets it aside; nil: none
}

// prints computes the fingerprints of one dataset's rows.
type prints struct {
	secret  []byte // empty: rows have no fingerprints
	columns []string
}

func printsOf(secret []byte, d *catalog.Dataset) prints {
	if len(secret) == 0 {
		return prints{}
	}
	return prints{secret, wanted(d)}
}

func (p prints) of(key cell, cells []cell) Fingerprint {
	h := hmac.New(sha256.New, p.secret)
	for i, name := range p.columns {
		c := key
		if i > 0 {
			c = cells[i-1]
		}
		kind, text := written(c)
		fmt.Fprintf(h, "%d:%s%c%d:%s", len(name), name, kind, len(text), text)
	}
	return Fingerprint(h.Sum(nil))
}

// written encodes a cell as it is in the source. A text and a number with the
// same digits are encoded alike, so that a fingerprint survives a change of the
// file's format.
func written(c cell) (kind byte, text string) {
	switch c := c.(type) {
	case nil:
		return 's', ""
	case string:
		return 's', c
	case number:
		return 's', string(c)
	case []byte:
		return 'b', string(c)
	}
	return 's', fmt.Sprint(c)
}

// asides holds the lists of rows set aside, one file for each dataset. The zero
// value has no lists.
type asides struct {
	folder string // "" where there are no lists

	mu     sync.Mutex
	lists  map[string]*asideList // by dataset
	unions map[string]union      // by dataset
}

// asideList is the content of one file.
type asideList struct {
	info os.FileInfo
	rows []Aside
}

// union is the result of applying a list to one pass over a table.
type union struct {
	list  *asideList
	pass  *nobody
	count int64   // rows set aside
	lines []int64 // lines of the first other rows
}

func (a *asides) path(dataset string) string { return filepath.Join(a.folder, dataset+".jsonl") }

// read returns the list of a dataset, which may be empty.
func (a *asides) read(dataset string) (*asideList, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := filepath.Join(asideFolder, dataset+".jsonl")
	info, err := os.Stat(a.path(dataset))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &asideList{}, nil
	case err != nil:
		return nil, unreadable(name, err, "")
	}
	if l := a.lists[dataset]; l != nil && same(l.info, info) {
		return l, nil
	}
	f, info, err := openRegular(a.path(dataset), name, func() string { return "the list is gone" })
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxList+1))
	if err != nil {
		return nil, unreadable(name, err, "the list is gone")
	}
	rows, wrong := parseAsides(text)
	if wrong != "" {
		return nil, &Error{Code: Keys, File: name, Detail: "the list of rows set aside cannot be read: " + wrong}
	}
	l := &asideList{info: info, rows: rows}
	if a.lists == nil {
		a.lists, a.unions = map[string]*asideList{}, map[string]union{}
	}
	a.lists[dataset] = l
	return l, nil
}

// parseAsides parses a list with one JSON object a line. detail says what is
// wrong with the text.
func parseAsides(text []byte) (rows []Aside, detail string) {
	if len(text) > maxList {
		return nil, fmt.Sprintf("it has more than %d bytes", maxList)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	for {
		var row Aside
		err := decoder.Decode(&row)
		switch {
		case err == io.EOF:
			return rows, ""
		case err != nil:
			return nil, fmt.Sprintf("entry %d is not as atoll source aside writes it", len(rows)+1)
		case len(rows) == MaxAside:
			return nil, fmt.Sprintf("it has more than %d entries", MaxAside)
		}
		if e := row.check(); e != nil {
			return nil, fmt.Sprintf("entry %d: %s", len(rows)+1, e.detail)
		}
		rows = append(rows, row)
	}
}

// apply removes the rows that are set aside from the unusable rows.
func (a *asides) apply(d *catalog.Dataset, c *Census) error {
	if a.folder == "" || c.Unusable == 0 || c.Unusable > MaxAside || len(c.nobody) == 0 {
		return nil // more rows cannot be set aside and are not remembered
	}
	list, err := a.read(d.Name)
	if err != nil || len(list.rows) == 0 {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.unions[d.Name]
	if u.list != list || u.pass != &c.nobody[0] {
		u = union{list: list, pass: &c.nobody[0]}
		list.match(c.nobody, func(n nobody, by *Aside) {
			if by != nil {
				u.count++
			} else if len(u.lines) < MaxBad {
				u.lines = append(u.lines, n.line)
			}
		})
		a.unions[d.Name] = u
	}
	c.Aside, c.Unusable, c.Lines = u.count, c.Unusable-u.count, u.lines
	return nil
}

// match calls each for every row with the entry that sets the row aside, or
// nil, and returns the entries without a row. An entry is for one row: of two
// equal rows, one entry sets only the first aside.
func (l *asideList) match(rows []nobody, each func(n nobody, by *Aside)) (gone []Aside) {
	left := map[Fingerprint][]*Aside{}
	for i := range l.rows {
		f := l.rows[i].Fingerprint
		left[f] = append(left[f], &l.rows[i])
	}
	for _, n := range rows {
		var by *Aside
		if like := left[n.print]; len(like) > 0 {
			by, left[n.print] = like[0], like[1:]
		}
		each(n, by)
	}
	for _, a := range l.rows {
		if like := left[a.Fingerprint]; len(like) > 0 {
			gone, left[a.Fingerprint] = append(gone, a), like[1:]
		}
	}
	return gone
}

// Nobodys returns the rows of a table with an unusable key, including those set
// aside, and the entries of the list that no longer match a row.
func (s *Source) Nobodys(ctx context.Context, d *catalog.Dataset) (rows []Nobodys, gone []Aside, err error) {
	found, err := s.scanned(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	if s.asides.folder == "" {
		return nil, nil, errors.New("no folder of a member: rows are set aside by its node alone")
	}
	if n := found.Census.Unusable; n > MaxAside {
		return nil, nil, &Error{Code: Keys, File: s.tables.file(d), Column: d.Key, Detail: fmt.Sprintf("%d rows whose key is nobody's, and at most %d can be set aside: correct the table, or declare which other keys there are (also)", n, MaxAside)}
	}
	list, err := s.asides.read(d.Name)
	if err != nil {
		return nil, nil, err
	}
	gone = list.match(found.Census.nobody, func(n nobody, by *Aside) {
		rows = append(rows, Nobodys{n.line, n.print, n.form, by})
	})
	return rows, gone, nil
}

// SetAside adds rows to the list of a dataset, all or none. Each must be a row
// of the table with an unusable key that is not yet set aside.
func (s *Source) SetAside(ctx context.Context, d *catalog.Dataset, add []Aside) error {
	rows, _, err := s.Nobodys(ctx, d)
	if err != nil {
		return err
	}
	open := map[Fingerprint]int{}
	for _, r := range rows {
		if r.Aside == nil {
			open[r.Fingerprint]++
		}
	}
	for _, a := range add {
		if e := a.check(); e != nil {
			return e
		}
		if open[a.Fingerprint]--; open[a.Fingerprint] < 0 {
			return fmt.Errorf("%w: %s", ErrNotNobodys, a.Fingerprint)
		}
	}
	return s.asides.change(d.Name, func(rows []Aside) []Aside { return append(rows, add...) })
}

// PutBack removes entries from the list of a dataset, one for each fingerprint,
// so that their rows are unusable again. It removes all or none.
func (s *Source) PutBack(d *catalog.Dataset, prints []Fingerprint) error {
	if s.asides.folder == "" {
		return errors.New("no folder of a member: rows are set aside by its node alone")
	}
	var missing error
	err := s.asides.change(d.Name, func(rows []Aside) []Aside {
		less := map[Fingerprint]int{}
		for _, f := range prints {
			less[f]++
		}
		kept := slices.DeleteFunc(slices.Clone(rows), func(a Aside) bool {
			less[a.Fingerprint]--
			return less[a.Fingerprint] >= 0
		})
		for f, n := range less {
			if n > 0 {
				missing = fmt.Errorf("%w: %s", ErrNotAside, f)
				return rows
			}
		}
		return kept
	})
	return errors.Join(missing, err)
}

// change replaces a list by renaming a finished file over it. The unfinished
// file makes a second writer at the same time fail.
func (a *asides) change(dataset string, do func([]Aside) []Aside) error {
	if err := os.MkdirAll(a.folder, 0o700); err != nil {
		return err
	}
	path := a.path(dataset)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: if none runs, remove %s", ErrListBusy, filepath.Join(asideFolder, filepath.Base(path)+".new"))
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // no effect after the rename
	defer f.Close()
	list, err := a.read(dataset)
	if err != nil {
		return err
	}
	rows := do(list.rows)
	if len(rows) > MaxAside {
		return &entryError{fmt.Sprintf("%d rows would be set aside, and %d can be", len(rows), MaxAside)}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			return err
		}
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return durable.SyncFolder(a.folder)
}
