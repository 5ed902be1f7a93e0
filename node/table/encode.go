package table

import (
	"encoding/binary"
	"fmt"
)

// Encoder writes rows into chunks. It holds one chunk. Its methods are not safe
// for concurrent use.
type Encoder struct {
	columns []Column
	emit    func(chunk []byte) error
	chunk   []byte // what is not emitted yet, with room for its count of rows in front
	count   uint32 // rows in it
	rows    uint64
	err     error
}

// head is the number of bytes before the rows of a chunk.
const head = 4

// NewEncoder returns an encoder for a table. It passes each chunk to emit,
// which must not keep it.
func NewEncoder(columns []Column, emit func(chunk []byte) error) *Encoder {
	return &Encoder{columns: prepared(columns), emit: emit, chunk: make([]byte, head, 64<<10)}
}

// Row appends a row: one value for each column, see [Column.Of]. An error of
// emit is returned by all calls that follow. Any other error is about this row,
// which is then not part of the table; its text names the column, no value.
func (e *Encoder) Row(values []Value) error {
	if e.err != nil {
		return e.err
	}
	start := len(e.chunk)
	var err error
	if e.chunk, err = appendRow(e.chunk, e.columns, values); err != nil {
		e.chunk = e.chunk[:start]
		return err
	}
	return e.added(start)
}

// Encoded appends a row that is encoded already, by an [Order] of the same
// columns. The error is one of emit, as of [Encoder.Row].
func (e *Encoder) Encoded(row []byte) error {
	if e.err != nil {
		return e.err
	}
	start := len(e.chunk)
	e.chunk = append(e.chunk, row...)
	return e.added(start)
}

// added counts the row that begins at start, in the next chunk if this one has
// no room for it.
func (e *Encoder) added(start int) error {
	if len(e.chunk) > MaxChunk {
		row := e.chunk[start:]
		if e.err = e.flush(e.chunk[:start]); e.err != nil {
			return e.err
		}
		e.chunk = append(e.chunk[:head], row...)
	}
	e.count++
	e.rows++
	return nil
}

// Rows returns how many rows are in the table so far.
func (e *Encoder) Rows() uint64 { return e.rows }

// Close emits the last chunk. A table without rows has no chunk.
func (e *Encoder) Close() error {
	if e.err == nil && e.count > 0 {
		e.err = e.flush(e.chunk)
	}
	return e.err
}

func (e *Encoder) flush(chunk []byte) error {
	binary.BigEndian.PutUint32(chunk, e.count)
	e.count = 0
	return e.emit(chunk)
}

// appendRow appends a row: a bit for each column without value, lowest first,
// then the values in the order of the columns.
func appendRow(to []byte, columns []Column, values []Value) ([]byte, error) {
	if len(values) != len(columns) {
		return to, fmt.Errorf("table: a row of %d values for %d columns", len(values), len(columns))
	}
	start := len(to)
	for range (len(columns) + 7) / 8 {
		to = append(to, 0)
	}
	for i := range columns {
		c, v := &columns[i], &values[i]
		if v.kind == 0 {
			to[start+i/8] |= 1 << (i % 8)
			continue
		}
		if v.kind != c.held {
			return to, fmt.Errorf("table: column %s: %w", c.Name, errKind)
		}
		switch v.kind {
		case texts:
			to = binary.AppendUvarint(to, uint64(len(v.text)))
			to = append(to, v.text...)
		case numbers:
			n := *v
			if int32(n.scale) != c.Scale || !n.short() {
				var err error
				if n, err = v.at(uint8(c.Scale)); err != nil {
					return to, fmt.Errorf("table: column %s: %w", c.Name, err)
				}
			}
			to = n.appendZigzag(to)
		case days:
			to = binary.AppendVarint(to, int64(v.low))
		case bools:
			to = append(to, byte(v.low))
		}
		if len(to)-start > MaxRow {
			return to, fmt.Errorf("table: column %s: %w", c.Name, errManyBytes)
		}
	}
	return to, nil
}

// appendZigzag appends 2n, or -2n-1 if n is negative, in base 128 with the
// lowest digits first and 128 added to all but the last.
func (v *Value) appendZigzag(to []byte) []byte {
	if v.short() {
		return binary.AppendVarint(to, int64(v.low))
	}
	sign := uint64(v.high >> 63)
	high, low := (uint64(v.high)<<1|v.low>>63)^sign, v.low<<1^sign
	for high != 0 || low >= 0x80 {
		to = append(to, byte(low)|0x80)
		high, low = high>>7, low>>7|high<<57
	}
	return append(to, byte(low))
}

// zigzag is the inverse of appendZigzag. It returns how many bytes it read; 0
// if data does not begin with a number in this form, or with one that is too
// large.
func zigzag(data []byte, scale uint8) (Value, int) {
	var w wide
	for i, b := range data {
		digit := uint64(b & 0x7f)
		switch shift := 7 * i; {
		case shift < 64:
			w.low |= digit << shift
			w.high |= digit >> (64 - shift) // 0 where all of it is in low
		case shift < 126 || shift == 126 && digit < 4:
			w.high |= digit << (shift - 64)
		default:
			return Value{}, 0
		}
		if b >= 0x80 {
			continue
		}
		sign := -(w.low & 1)
		v := Value{kind: numbers, scale: scale, high: int64(w.high>>1 ^ sign), low: (w.low>>1 | w.high<<63) ^ sign}
		if b == 0 && i > 0 || i > 8 && !v.magnitude().less(limits[scale]) {
			return Value{}, 0
		}
		return v, i + 1
	}
	return Value{}, 0
}
