package source

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"atoll/node/catalog"
)

// files are the tables in a folder, one file each. No file stays open between
// two calls, so that the owner may replace it at any time.
type files struct {
	dir    string
	format format
	seed   maphash.Seed
	secret []byte // of fingerprints
	passes *passes[index]

	book   string         // the file that has all tables, as its sheets; "" where each table has its own
	sheets *passes[sheet] // the rows of workbooks; nil for other formats
	folder string         // where those are stored
}

func newFiles(dir string, f format, secret []byte, background func(func(context.Context)) bool) *files {
	return &files{dir: dir, format: f, seed: maphash.MakeSeed(), secret: secret, passes: newPasses[index](background)}
}

func (fs *files) file(d *catalog.Dataset) string { return fs.shown(d.Table) }

// stored returns the name of the file that a table is in.
func (fs *files) stored(table string) string {
	return cmp.Or(fs.book, table+"."+fs.format.extension())
}

// shown returns the name of a table's file in errors.
func (fs *files) shown(table string) string {
	if fs.book != "" {
		return "[" + fs.book + "]" + table // as Excel writes it
	}
	return fs.stored(table)
}

func (fs *files) readOnly(context.Context) (bool, error) { return true, nil } // os.Open opens for reading only

func (fs *files) check(context.Context) error {
	name := filepath.Base(fs.dir)
	info, err := os.Stat(fs.dir)
	if err != nil {
		return unreadable(name, err, "there is no such folder: create it and put the tables there, or correct the path")
	}
	if !info.IsDir() {
		return &Error{Code: NotReadable, File: name, Detail: "this is a file: give the folder that it is in"}
	}
	if fs.book == "" {
		return nil
	}
	_, err = fs.names()
	return err
}

// open opens a table for reading and returns its generation.
func (fs *files) open(name string) (*os.File, os.FileInfo, error) {
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) {
		return nil, nil, &Error{Code: NotReadable, File: filepath.Base(name), Detail: "the table's name in the catalog cannot be the name of a file"}
	}
	return openRegular(filepath.Join(fs.dir, name), name, fs.absent)
}

// openRegular opens a regular file for reading. It refuses anything else with
// that name: a pipe would wait for its writer, and a device may have no end.
// absent returns what to do if there is no file.
func openRegular(path, name string, absent func() string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, unreadable(name, err, absent())
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &Error{Code: NotReadable, File: name, Detail: "this is not a file"}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have become a pipe meanwhile
	if err != nil {
		return nil, nil, unreadable(name, err, absent())
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		if err == nil {
			return nil, nil, changed(name)
		}
		return nil, nil, unreadable(name, err, absent())
	}
	return f, info, nil
}

// absent returns what to do about a missing file.
func (fs *files) absent() string {
	ext := fs.format.extension()
	if found, _ := filepath.Glob(filepath.Join(glob.Replace(fs.dir), "*."+ext)); len(found) == 0 {
		return "there is no such file; the folder of the source holds no ." + ext + " file at all: put the tables there, each named as in the catalog, or correct the path"
	}
	return "there is no such file: put it into the folder of the source, or correct the table's name in the catalog"
}

// glob escapes a path for use in a pattern.
var glob = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`)

func (fs *files) close() {
	fs.passes.clear()
	if fs.sheets != nil {
		for _, s := range fs.sheets.clear() {
			s.text.r.(*os.File).Close()
		}
	}
}

// wanted returns the columns that are read for a dataset: the key, then the
// fields.
func wanted(d *catalog.Dataset) []string {
	columns := []string{d.Key}
	for _, f := range d.Fields {
		columns = append(columns, column(f))
	}
	return columns
}

// indexedNow returns the index of a table as it is now, and the table's file,
// opened in the same generation.
func (fs *files) indexedNow(ctx context.Context, d *catalog.Dataset, patience time.Duration) (*index, *os.File, error) {
	// When the file is being replaced, the opened file may be newer or older
	// than the index. Then both are taken again.
	for range 3 {
		f, info, err := fs.open(fs.stored(d.Table))
		if err != nil {
			return nil, nil, err
		}
		x, err := fs.index(ctx, d, info, patience)
		if x != nil {
			return x, f, nil
		}
		f.Close()
		if err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, changed(fs.file(d))
}

func (fs *files) survey(ctx context.Context, d *catalog.Dataset) (Survey, error) {
	x, f, err := fs.indexedNow(ctx, d, 0)
	if err != nil {
		return Survey{}, err
	}
	f.Close()
	return fs.surveyed(x, d)
}

// surveyed combines the index with the content of the marker.
func (fs *files) surveyed(x *index, d *catalog.Dataset) (Survey, error) {
	out := Survey{Census: x.census}
	m, err := fs.readMarker(d)
	if err != nil {
		return out, err
	}
	load, e := m.check(fs.file(d), whole{x.census.records, x.digest, x.open, x.spans})
	if e != nil {
		return out, e
	}
	// The marker may belong to the next load, which has just arrived.
	if info, err := os.Stat(filepath.Join(fs.dir, fs.stored(d.Table))); err != nil || !x.matches(info) {
		return out, changed(fs.file(d))
	}
	out.Load = load
	return out, nil
}

func (fs *files) lookup(ctx context.Context, code string, parts []*part) {
	for _, p := range unread(parts) {
		p.reset()
		p.survey, p.err = fs.find(ctx, p, code)
	}
}

// find calls each for every row of a subject.
func (fs *files) find(ctx context.Context, p *part, code string) (Survey, error) {
	d := p.dataset
	x, f, err := fs.indexedNow(ctx, d, p.patience)
	if err != nil {
		return Survey{}, err
	}
	defer f.Close()
	if err := fs.read(ctx, f, x, d, code, p.most, p.each); err != nil {
		return Survey{}, err
	}
	return fs.surveyed(x, d)
}

func changed(file string) *Error {
	return &Error{Code: Changed, File: file, Detail: "the file changed while it was read: try again; replace it by renaming a finished file over it"}
}

// read reads the rows of a subject from the generation that the index
// describes.
func (fs *files) read(ctx context.Context, f *os.File, x *index, d *catalog.Dataset, code string, most int, each func(record) error) error {
	name := fs.file(d)
	if missing := x.decoder.missing(wanted(d)); len(missing) > 0 {
		return missingColumn(name, missing[0])
	}
	found := x.find(maphash.String(fs.seed, code))
	if len(found) >= most {
		return tooManyRows(name, most-1)
	}
	err := fs.readAt(ctx, f, x, found, d, code, each)
	// A file that is written in place may look wrong in any way.
	if info, e := f.Stat(); e != nil || !x.matches(info) || errors.Is(err, errElsewhere) {
		return fs.drop(d, x)
	}
	return err
}

// errElsewhere means that a row is not at the offset that the index has.
var errElsewhere = errors.New("row is not where it was")

func (fs *files) readAt(ctx context.Context, f *os.File, x *index, found []entry, d *catalog.Dataset, code string, each func(record) error) error {
	dec, columns, keying := x.decoder.again(), wanted(d), keyingOf(d)
	dec.want(columns)
	cells := make([]cell, len(columns))
	rs := fs.format.records(bufio.NewReaderSize(nil, 4<<10))
	rs.offset = -1 // nowhere in the file
	text, err := fs.text(ctx, d.Table, f, x.info)
	if err != nil {
		return err
	}
	for _, e := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rs.offset != e.offset { // otherwise the row follows the one before
			rs.r.Reset(io.NewSectionReader(text.r, e.offset, text.size-e.offset))
			rs.offset = e.offset
		}
		raw, _, err := rs.next()
		if err != nil {
			return errElsewhere
		}
		if _, bad := dec.decode(raw, cells); bad != nil {
			return errElsewhere
		}
		key, s := keying.sortCell(cells[0])
		if key != code {
			return errElsewhere
		}
		err = each(record{key: cells[0], exact: s == exact, cells: cells[1:]})
		var bad *Error
		if errors.As(err, &bad) && bad.Column != "" {
			bad.Line = x.line(text.r, e.offset)
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

func (fs *files) scan(ctx context.Context, d *catalog.Dataset, progress func(done, total int64), each func(record) error) (missing, found []string, err error) {
	name := fs.file(d)
	f, info, err := fs.open(fs.stored(d.Table))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := fs.text(ctx, d.Table, f, info)
	if err != nil {
		return nil, nil, err
	}
	columns := wanted(d)
	dec, err := fs.all(ctx, text.reader(), name, columns, func(rs *records, r record) error {
		progress(rs.offset, text.size)
		return each(r)
	})
	if err != nil {
		return nil, nil, err
	}
	if after, err := f.Stat(); err != nil || !same(info, after) {
		return nil, nil, changed(name)
	}
	progress(text.size, text.size)
	missing = dec.missing(columns)
	return missing, told(missing, columns, dec.names()), nil
}

// told returns the names of a table's columns if some wanted columns are
// missing. If all are missing, the first line may be a row rather than a
// header, and none of it is shown.
func told(missing, wanted, has []string) []string {
	if len(missing) == 0 || len(missing) == len(wanted) {
		return nil
	}
	return has[:min(len(has), maxTold)]
}

// maxTold limits the columns that a report names.
const maxTold = 50

// all reads a file from its beginning and calls each for every row.
func (fs *files) all(ctx context.Context, f io.Reader, name string, columns []string, each func(*records, record) error) (decoder, error) {
	rs := fs.format.records(bufio.NewReaderSize(cancelled{ctx, f}, bufferSize))
	err := rs.begin()
	var dec decoder
	if err == nil {
		dec, err = fs.format.decoder(rs)
	}
	if err != nil {
		return nil, located(err, name)
	}
	dec.want(columns)
	cells := make([]cell, len(columns))
	gb := doubt{never: !fs.format.gb() || rs.marked}
	for {
		raw, at, err := rs.next()
		r := record{line: at.line, offset: at.offset, cells: cells[1:]}
		switch {
		case err == io.EOF && gb.utf8():
			return nil, located(gb.error(), name)
		case err == io.EOF:
			return dec, nil
		case err == errTooLong:
			r.err = recordTooLong(at)
		case err != nil:
			return nil, located(err, name)
		case blank(raw):
			continue
		default:
			gb.look(raw, at.line)
			r.hollow, r.err = dec.decode(raw, cells)
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

// located adds the file's name to an error of reading it.
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
