package table

import (
	"encoding/binary"
	"fmt"
	"iter"
	"unicode/utf8"

	"atoll/crypto/sign"
)

// Decoder reads the chunks of one table in order. It refuses whatever an
// [Encoder] would have written otherwise. Its methods are not safe for
// concurrent use.
type Decoder struct {
	columns []Column
	row     []Value
	before  int // size of the chunk before
	rows    uint64
}

// NewDecoder returns a decoder for a table.
func NewDecoder(columns []Column) *Decoder {
	return &Decoder{columns: prepared(columns), row: make([]Value, len(columns))}
}

// Rows returns how many rows were read.
func (d *Decoder) Rows() uint64 { return d.rows }

// Chunk reads the rows of the next chunk. The slice of values is valid until the
// next row, the values themselves for as long as they are needed. An error wraps
// [sign.ErrMalformed] and is the last thing that it yields; the table is then
// not to be used.
func (d *Decoder) Chunk(chunk []byte) iter.Seq2[[]Value, error] {
	return func(yield func([]Value, error) bool) {
		count, err := d.start(chunk)
		if err != nil {
			yield(nil, err)
			return
		}
		text := string(chunk) // the one copy: all texts of the chunk are parts of it
		at := head
		for i := range count {
			size, err := d.next(chunk[at:], text[at:])
			switch {
			case err != nil:
			case i == 0 && d.before > 0 && d.before+size <= MaxChunk:
				err = malformed("a chunk begins with a row for which the chunk before had room")
			case i == count-1 && at+size < len(chunk):
				err = malformed("%d bytes after the last row of a chunk", len(chunk)-at-size)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			at += size
			d.rows++
			if !yield(d.row, nil) {
				return
			}
		}
		d.before = len(chunk)
	}
}

// start reads how many rows are in a chunk.
func (d *Decoder) start(chunk []byte) (int, error) {
	if len(chunk) <= head || len(chunk) > MaxChunk {
		return 0, malformed("a chunk of %d bytes, %d to %d can be", len(chunk), head+1, MaxChunk)
	}
	count := binary.BigEndian.Uint32(chunk)
	if count == 0 || uint64(count) > uint64(len(chunk)) {
		return 0, malformed("a chunk of %d bytes with %d rows", len(chunk), count)
	}
	return int(count), nil
}

// next reads one row into d.row and returns its size.
func (d *Decoder) next(data []byte, text string) (int, error) {
	at := (len(d.columns) + 7) / 8
	if len(data) < at {
		return 0, malformed("a chunk ends within a row")
	}
	if last := len(d.columns) % 8; last > 0 && data[at-1]>>last != 0 {
		return 0, malformed("a row has a bit of a column that does not exist")
	}
	for i := range d.columns {
		c, v := &d.columns[i], &d.row[i]
		if data[i/8]>>(i%8)&1 == 1 {
			*v = Value{}
			continue
		}
		n := c.read(v, data[at:], text[at:])
		if n == 0 {
			return 0, malformed("column %s: a value that is cut off, not written as it has to be, or that the column cannot hold", c.Name)
		}
		if at += n; at > MaxRow {
			return 0, malformed("column %s: %v", c.Name, errManyBytes)
		}
	}
	return at, nil
}

// read reads one value and returns its size; 0 if it is incomplete or not in the
// only form that it has.
func (c *Column) read(v *Value, data []byte, text string) int {
	switch k := c.held; k {
	case texts:
		size, n := binary.Uvarint(data)
		if n <= 0 || n > 1 && data[n-1] == 0 || size > uint64(len(data)-n) {
			return 0
		}
		*v = Value{kind: k, text: text[n : n+int(size)]}
		if v.text == "" || !utf8.ValidString(v.text) {
			return 0
		}
		return n + int(size)
	case numbers:
		var n int
		*v, n = zigzag(data, uint8(c.Scale))
		return n
	case days:
		day, n := binary.Varint(data)
		if n <= 0 || n > 1 && data[n-1] == 0 || day < firstDay || day > lastDay {
			return 0
		}
		*v = Value{kind: k, low: uint64(day)}
		return n
	case bools:
		if len(data) == 0 || data[0] > 1 {
			return 0
		}
		*v = Value{kind: k, low: uint64(data[0])}
		return 1
	}
	return 0
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: table: %s", sign.ErrMalformed, fmt.Sprintf(format, args...))
}
