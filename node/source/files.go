package source

import (
	"bufio"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"atoll/node/catalog"
)

// files are the tables in a folder, one file each. No file stays open between
// two calls, so that its owner may replace it at any time.
type files struct {
	dir        string
	format     format
	background func(func(context.Context)) bool
	seed       maphash.Seed

	mu       sync.Mutex
	indexes  map[slot]*index
	building map[slot]*building
}

// slot is what an index is for: a file and its key column.
type slot struct{ file, key string }

func newFiles(dir string, f format, background func(func(context.Context)) bool) *files {
	return &files{
		dir: dir, format: f, background: background, seed: maphash.MakeSeed(),
		indexes: map[slot]*index{}, building: map[slot]*building{},
	}
}

func (fs *files) file(d *catalog.Dataset) string { return d.Table + "." + fs.format.extension() }

func (fs *files) readOnly(context.Context) (bool, error) { return true, nil } // os.Open opens for nothing else

func (fs *files) check(context.Context) error {
	name := filepath.Base(fs.dir)
	info, err := os.Stat(fs.dir)
	if err != nil {
		return unreadable(name, err, "there is no such folder: create it and put the tables there, or correct the path")
	}
	if !info.IsDir() {
		return &Error{Code: NotReadable, File: name, Detail: "this is a file: give the folder that it lies in"}
	}
	return nil
}

// open opens a table for reading and says which generation of it that is.
func (fs *files) open(name string) (*os.File, os.FileInfo, error) {
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) {
		return nil, nil, &Error{Code: NotReadable, File: filepath.Base(name), Detail: "the table's name in the catalog cannot be the name of a file"}
	}
	path := filepath.Join(fs.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, unreadable(name, err, fs.absent())
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, nil, &Error{Code: NotReadable, File: name, Detail: "this is not a file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable(name, err, fs.absent())
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, unreadable(name, err, fs.absent())
	}
	return f, info, nil
}

// absent says what to do about a file that is not there.
func (fs *files) absent() string {
	ext := fs.format.extension()
	if found, _ := filepath.Glob(filepath.Join(glob.Replace(fs.dir), "*."+ext)); len(found) == 0 {
		return "there is no such file; the folder of the source holds no ." + ext + " file at all: put the tables there, each named as in the catalog, or correct the path"
	}
	return "there is no such file: put it into the folder of the source, or correct the table's name in the catalog"
}

// glob makes a path mean itself in a pattern.
var glob = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`)

func (fs *files) close() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	clear(fs.indexes)
}

// wanted are the columns that are read for a dataset: the key, then the fields.
func wanted(d *catalog.Dataset) []string {
	columns := []string{d.Key}
	for _, f := range d.Fields {
		columns = append(columns, column(f))
	}
	return columns
}

func (fs *files) lookup(ctx context.Context, d *catalog.Dataset, keys [2]string, each func(record) error) error {
	name := fs.file(d)
	// The file that was opened may be newer than the index, and the other way
	// round when it is replaced just now; then both are taken anew.
	for range 3 {
		f, info, err := fs.open(name)
		if err != nil {
			return err
		}
		x, err := fs.index(ctx, slot{name, d.Key}, info)
		if x != nil {
			err = fs.read(ctx, f, x, d, keys, each)
		}
		f.Close()
		if x != nil || err != nil {
			return err
		}
	}
	return changed(name)
}

func changed(file string) *Error {
	return &Error{Code: Changed, File: file, Detail: "the file changed while it was read: try again; replace it by renaming a finished file over it"}
}

// read reads the rows of a subject from the generation that the index is of.
func (fs *files) read(ctx context.Context, f *os.File, x *index, d *catalog.Dataset, keys [2]string, each func(record) error) error {
	name := fs.file(d)
	columns := wanted(d)
	if missing := x.decoder.missing(columns); len(missing) > 0 {
		return missingColumn(name, missing[0])
	}
	found := x.find(maphash.String(fs.seed, keys[0]))
	if len(found) > MaxRows {
		return tooManyRows(name)
	}
	err := fs.readAt(ctx, f, x, found, columns, keys[0], each)
	// A file that is written in place may look wrong in any way.
	if info, e := f.Stat(); e != nil || !x.matches(info) || errors.Is(err, errElsewhere) {
		return fs.forget(slot{name, d.Key}, x)
	}
	return err
}

// errElsewhere means that a row is not where the index has it.
var errElsewhere = errors.New("row is not where it was")

func (fs *files) readAt(ctx context.Context, f *os.File, x *index, found []entry, columns []string, code string, each func(record) error) error {
	dec := x.decoder.again()
	dec.want(columns)
	cells := make([]cell, len(columns))
	rs := &records{r: bufio.NewReaderSize(nil, 4<<10), quotes: fs.format.quotes()}
	for _, e := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		rs.r.Reset(io.NewSectionReader(f, e.offset, x.info.Size()-e.offset))
		raw, _, err := rs.next()
		if err != nil || dec.decode(raw, cells) != nil {
			return errElsewhere
		}
		if key, err := keyText(cells[0]); err != nil || bare(key) != code {
			return errElsewhere
		}
		err = each(record{key: cells[0], cells: cells[1:]})
		var bad *Error
		if errors.As(err, &bad) && bad.Column != "" {
			bad.Line = x.line(f, e.offset)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func missingColumn(file, name string) *Error {
	return &Error{Code: MissingColumn, File: file, Column: name, Detail: "the table has no such column (names are compared exactly): add it, or correct the catalog"}
}

func (fs *files) scan(ctx context.Context, d *catalog.Dataset, progress func(done, total int64), each func(record) error) ([]string, error) {
	name := fs.file(d)
	f, info, err := fs.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	columns := wanted(d)
	dec, err := fs.all(ctx, f, name, columns, func(rs *records, r record) error {
		progress(rs.offset, info.Size())
		return each(r)
	})
	if err != nil {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || !same(info, after) {
		return nil, changed(name)
	}
	progress(info.Size(), info.Size())
	return dec.missing(columns), nil
}

// all reads a file from its beginning and hands every row to each.
func (fs *files) all(ctx context.Context, f io.Reader, name string, columns []string, each func(*records, record) error) (decoder, error) {
	rs, err := newRecords(cancelled{ctx, f}, fs.format.quotes())
	var dec decoder
	if err == nil {
		dec, err = fs.format.decoder(rs)
	}
	if err != nil {
		return nil, located(err, name)
	}
	dec.want(columns)
	cells := make([]cell, len(columns))
	for {
		raw, at, err := rs.next()
		r := record{line: at.line, offset: at.offset, cells: cells[1:]}
		switch {
		case err == io.EOF:
			return dec, nil
		case err == errTooLong:
			r.err = recordTooLong(at)
		case err != nil:
			return nil, located(err, name)
		case blank(raw):
			continue
		default:
			r.err = dec.decode(raw, cells)
			r.key = cells[0]
		}
		if r.err != nil {
			r.err = r.err.at(name, at.line, r.err.Column)
		}
		if err := each(rs, r); err != nil {
			return nil, err
		}
	}
}

// located gives an error of reading a file the file's name.
func located(err error, name string) error {
	var e *Error
	switch {
	case errors.As(err, &e):
		e.File = name
		return e
	case isContext(err):
		return err
	}
	return unreadable(name, err, "the file is gone")
}
