package source

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"time"

	"atoll/node/catalog"
)

// index records where the rows of every subject are in one generation of a
// file, in 16 bytes a row. The keys themselves stay in the file.
type index struct {
	info    os.FileInfo
	decoder decoder // has the columns of the file
	entries []entry // ascending by hash, then by offset
	marks   []place // position of every markEvery-th row, to find line numbers
	census  Census
	digest  string // SHA-256 of the file, in hex
	open    bool   // the last line has no line end
	spans   bool   // some record has several lines
	err     *Error // why no subject can be answered
}

type entry struct {
	hash   uint64 // hash of the key's bare code
	offset int64
}

const markEvery = 1024

// same reports whether two calls of Stat on a path saw one generation of a
// file. Setting back a file's modification time does not deceive it, because it
// also compares the time of the last change.
func same(a, b os.FileInfo) bool { return alike(a, b) && changedAt(a) == changedAt(b) }

// alike is same for a file whose owner changes when others only read it.
func alike(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func (x *index) matches(info os.FileInfo) bool { return same(x.info, info) }

// find returns the rows of a key, in the order of the file.
func (x *index) find(hash uint64) []entry {
	from, _ := slices.BinarySearchFunc(x.entries, entry{hash: hash}, compareEntries)
	to := from
	for to < len(x.entries) && x.entries[to].hash == hash {
		to++
	}
	return x.entries[from:to]
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.offset, b.offset))
}

// line returns the line number of a row by counting from the nearest mark. Only
// errors need it.
func (x *index) line(f io.ReaderAt, offset int64) int64 {
	i, found := slices.BinarySearchFunc(x.marks, offset, func(p place, o int64) int { return cmp.Compare(p.offset, o) })
	if !found {
		i--
	}
	if i < 0 {
		return 0
	}
	at := x.marks[i]
	buf := make([]byte, bufferSize)
	for at.offset < offset {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), offset-at.offset)], at.offset)
		at.line += int64(bytes.Count(buf[:n], []byte{'\n'}))
		at.offset += int64(n)
		if err != nil {
			return 0
		}
	}
	return at.line
}

// index returns the index of the file's generation described by info, see
// [passes.get].
func (fs *files) index(ctx context.Context, d *catalog.Dataset, info os.FileInfo, patience time.Duration) (*index, error) {
	fits := func(x *index) bool { return x.matches(info) }
	x, err := fs.passes.get(ctx, slotOf(d), patience, fits, func(ctx context.Context) (*index, error) { return fs.indexed(ctx, d) })
	if x == nil || err != nil {
		return nil, err
	}
	return x.usable()
}

// usable returns a copy of the error, because callers add to it.
func (x *index) usable() (*index, error) {
	if x.err != nil {
		err := *x.err
		return nil, &err
	}
	return x, nil
}

// drop removes an index that turned out not to match its file.
func (fs *files) drop(d *catalog.Dataset, x *index) error {
	fs.passes.drop(slotOf(d), x)
	return changed(fs.file(d))
}

// indexed reads a whole file. What is wrong with the file itself becomes part
// of the index, so that a broken file is not read again for every query.
func (fs *files) indexed(ctx context.Context, d *catalog.Dataset) (*index, error) {
	name := fs.file(d)
	f, info, err := fs.open(fs.stored(d.Table))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x := &index{info: info}
	digest, sort := sha256.New(), newSorter(d, fs.secret)
	digested := io.Writer(digest)
	text, err := fs.text(ctx, d.Table, f, info)
	if err == nil && fs.sheets != nil {
		_, err = io.Copy(digest, cancelled{ctx, io.NewSectionReader(f, 0, info.Size())})
		digested = io.Discard
	}
	if err == nil {
		x.decoder, err = fs.all(ctx, io.TeeReader(text.reader(), digested), name, wanted(d), func(rs *records, r record) error {
			x.spans = rs.spans
			if r.err != nil {
				return r.err
			}
			if sort.census.records%markEvery == 0 {
				x.marks = append(x.marks, place{r.offset, r.line})
			}
			code, _ := sort.take(r, r.line)
			if code == "" {
				return nil
			}
			if len(x.entries) == MaxIndexed {
				return &Error{Code: TooLarge, File: name, Detail: fmt.Sprintf("more than %d rows: put the table into an SQLite database", MaxIndexed)}
			}
			x.entries = append(x.entries, entry{maphash.String(fs.seed, code), r.offset})
			return nil
		})
	}
	e, ours := err.(*Error)
	if err != nil && (!ours || e.Code == NotReadable || e.Code == Changed) {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || !same(info, after) {
		return nil, changed(name)
	}
	if ours {
		return &index{info: info, err: e}, nil
	}
	x.census = sort.census
	last := []byte{'\n'}
	if _, err := text.r.ReadAt(last, max(0, text.size-1)); err != nil && err != io.EOF {
		return nil, unreadable(name, err, "the file is gone")
	}
	x.open = last[0] != '\n'
	x.digest = hex.EncodeToString(digest.Sum(nil))
	slices.SortFunc(x.entries, compareEntries)
	return x, nil
}
