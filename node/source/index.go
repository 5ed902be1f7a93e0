package source

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"strings"
)

// index knows where the rows of every subject are in one generation of a file,
// in 16 bytes a row. The keys themselves stay in the file.
type index struct {
	info    os.FileInfo
	decoder decoder // which columns there are
	entries []entry // ascending by hash, then by offset
	marks   []place // of every markEvery-th row, to find line numbers
	err     *Error  // why no subject's rows can be told
}

type entry struct {
	hash   uint64 // of the bare code of the key
	offset int64
}

const markEvery = 1024

// building is an index under construction; several calls may wait for it.
type building struct {
	done chan struct{}
	x    *index
	err  error
}

// same says whether two looks at a path saw one generation of a file.
func same(a, b os.FileInfo) bool {
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

// line is the line number of a row: counted from the nearest mark, which only
// an error needs.
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

// index returns the index of the generation of a file that info is of. It
// waits while the index is built, which goes on when ctx ends. It returns
// neither index nor error when the file is another one by now.
func (fs *files) index(ctx context.Context, s slot, info os.FileInfo) (*index, error) {
	fs.mu.Lock()
	x := fs.indexes[s]
	if x != nil && x.matches(info) {
		fs.mu.Unlock()
		return x.usable()
	}
	b := fs.building[s]
	if b == nil {
		b = &building{done: make(chan struct{})}
		if !fs.background(func(ctx context.Context) { fs.build(ctx, s, b) }) {
			fs.mu.Unlock()
			return nil, ErrClosed
		}
		fs.building[s] = b
	}
	fs.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.done:
	}
	if b.err != nil || !b.x.matches(info) {
		return nil, b.err
	}
	return b.x.usable()
}

// usable returns a copy of the error, because callers complete theirs.
func (x *index) usable() (*index, error) {
	if x.err != nil {
		err := *x.err
		return nil, &err
	}
	return x, nil
}

func (fs *files) build(ctx context.Context, s slot, b *building) {
	b.x, b.err = fs.indexed(ctx, s)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.building, s)
	if b.err == nil {
		fs.indexes[s] = b.x
	}
	close(b.done)
}

// forget drops an index that turned out not to fit its file.
func (fs *files) forget(s slot, x *index) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.indexes[s] == x {
		delete(fs.indexes, s)
	}
	return changed(s.file)
}

// indexed reads a whole file. What is wrong with the file itself becomes part
// of the index, so that a broken file is not read again for every query.
func (fs *files) indexed(ctx context.Context, s slot) (*index, error) {
	f, info, err := fs.open(s.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x := &index{info: info}
	n := 0
	x.decoder, err = fs.all(ctx, f, s.file, []string{s.key}, func(_ *records, r record) error {
		if r.err != nil {
			return r.err
		}
		if n%markEvery == 0 {
			x.marks = append(x.marks, place{r.offset, r.line})
		}
		n++
		key, bad := keyText(r.key)
		if bad != nil || key == "" {
			return nil // no subject's: Test counts it
		}
		if len(x.entries) == MaxIndexed {
			return &Error{Code: TooLarge, File: s.file, Detail: fmt.Sprintf("more than %d rows: put the table into an SQLite database", MaxIndexed)}
		}
		x.entries = append(x.entries, entry{maphash.String(fs.seed, bare(key)), r.offset})
		return nil
	})
	e, ours := err.(*Error)
	if err != nil && (!ours || e.Code == NotReadable) {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || !same(info, after) {
		return nil, changed(s.file)
	}
	if ours {
		return &index{info: info, err: e}, nil
	}
	slices.SortFunc(x.entries, compareEntries)
	return x, nil
}

// bare is the code in a key, without "uscc:" or "lei:".
func bare(key string) string {
	if code, ok := strings.CutPrefix(key, "uscc:"); ok {
		return code
	}
	return strings.TrimPrefix(key, "lei:")
}
