package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// errTooLong is returned by records.next for a record over MaxRecord, which it
// has skipped.
var errTooLong = errors.New("record too long")

// records splits a file into records and never holds more than MaxRecord bytes
// of one. The readers of encoding/csv and encoding/json accept lines of any
// length, so they are given one record at a time.
type records struct {
	r         *bufio.Reader
	delimiter byte  // of CSV: line breaks within quotes that begin after it do not end a record; otherwise 0
	offset    int64 // where the next record begins
	line      int64 // its first line, counting from 1
	marked    bool  // a byte order mark shows that this is UTF-8
	spans     bool  // some record has several lines
	buf       []byte
}

// bufferSize is the size of one read from a file, in bytes.
const bufferSize = 64 << 10

// begin reads a byte order mark at the start of a file.
func (rs *records) begin() error {
	rs.line = 1
	start, err := rs.r.Peek(len(byteOrderMark))
	if err != nil && err != io.EOF {
		return err
	}
	if len(start) > 1 && (start[0] == 0xFF && start[1] == 0xFE || start[0] == 0xFE && start[1] == 0xFF) {
		return &Error{Code: Encoding, Line: 1, Detail: "this is UTF-16: convert it to UTF-8"}
	}
	if string(start) == byteOrderMark {
		rs.r.Discard(len(byteOrderMark))
		rs.offset, rs.marked = int64(len(byteOrderMark)), true
	}
	return nil
}

const (
	byteOrderMark = "\xEF\xBB\xBF"
	notUTF8       = "not UTF-8 (perhaps GBK): declare encoding: gb18030 for the source, or convert it"
)

// place is where a record begins.
type place struct{ offset, line int64 }

// next returns the next record with its line break. The record is valid until
// the next call. After errTooLong the caller may continue; io.EOF is the end.
func (rs *records) next() ([]byte, place, error) {
	at := place{rs.offset, rs.line}
	rs.buf = rs.buf[:0]
	long, q := false, quoting{delimiter: rs.delimiter}
	for {
		chunk, err := rs.r.ReadSlice('\n')
		rs.offset += int64(len(chunk))
		if rs.delimiter != 0 {
			q.feed(chunk)
		}
		if long = long || len(rs.buf)+len(chunk) > MaxRecord; !long {
			rs.buf = append(rs.buf, chunk...)
		}
		switch {
		case err == nil:
			rs.line++
			if q.open {
				rs.spans = true
				continue
			}
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && rs.offset > at.offset:
		default:
			return nil, at, err
		}
		if long {
			return nil, at, errTooLong
		}
		return rs.buf, at, nil
	}
}

// quoting tracks the quotes of CSV as encoding/csv understands them: a quote
// opens only at the start of a field, and a doubled quote is a literal one. A
// stray quote within a field opens nothing: it spoils its own row, not the rest
// of the file.
type quoting struct {
	delimiter byte
	open      bool // within quotes
	closed    bool // just after a closing quote, unless another quote follows
	within    bool // within a field, where a quote opens nothing
}

func (q *quoting) feed(chunk []byte) {
	if len(chunk) > 0 && !q.open && bytes.IndexByte(chunk, '"') < 0 {
		last := chunk[len(chunk)-1]
		q.closed, q.within = false, last != q.delimiter && last != '\n'
		return
	}
	for len(chunk) > 0 {
		if q.open {
			i := bytes.IndexByte(chunk, '"')
			if i < 0 {
				return
			}
			q.open, q.closed, q.within = false, true, true
			chunk = chunk[i+1:]
			continue
		}
		c := chunk[0]
		switch {
		case c == '"' && (q.closed || !q.within):
			q.open = true
		case c == q.delimiter || c == '\n':
			q.within = false
		default:
			q.within = true
		}
		q.closed = false
		chunk = chunk[1:]
	}
}

// cancelled ends a long read when its context ends.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// blank reports whether a record is an empty line.
func blank(record []byte) bool {
	record = bytes.TrimSuffix(record, []byte{'\n'})
	return len(bytes.TrimSuffix(record, []byte{'\r'})) == 0
}

// loneReturn reports whether lines of a record end in CR alone, as on old
// machines. The whole file would otherwise be read as one line.
func loneReturn(record []byte) bool {
	for i, c := range record {
		if c == '\r' && (i+1 == len(record) || record[i+1] != '\n') {
			return true
		}
	}
	return false
}

func crAlone() *Error {
	return &Error{Code: BadRow, Detail: "a line that ends in CR alone: write lines that end in LF or CRLF"}
}
