package table

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"atoll/crypto/sign"
)

// Order is an order of a table's rows: by some columns, ascending, and where
// these are equal by the encoding of the row. It does not depend on a database:
// texts are compared by their bytes in UTF-8, numbers by size, days by date,
// false before true, and no value comes first. Equal rows, in whatever order they
// are found, are one table.
type Order struct {
	columns []Column
	by      []int
}

// NewOrder returns an order by these columns. The error wraps
// [sign.ErrMalformed] if one is not in the table or is there twice.
func NewOrder(columns []Column, by []string) (*Order, error) {
	o := &Order{columns: prepared(columns)}
	for _, name := range by {
		i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
		if i < 0 || slices.Contains(o.by, i) {
			return nil, fmt.Errorf("%w: order by %.64q: no column of the table, or it is there twice", sign.ErrMalformed, name)
		}
		o.by = append(o.by, i)
	}
	return o, nil
}

// Columns returns how many values a row has.
func (o *Order) Columns() int { return len(o.columns) }

// Append appends a row as a key and the row itself in the encoding of chunks.
// It returns the size of the key. Rows are in order if and only if what Append
// gives is in order, compared as bytes. The error is that of [Encoder.Row].
func (o *Order) Append(to []byte, values []Value) (record []byte, key int, err error) {
	start := len(to)
	if len(values) != len(o.columns) {
		return to, 0, fmt.Errorf("table: a row of %d values for %d columns", len(values), len(o.columns))
	}
	for _, i := range o.by {
		v := values[i]
		if v.kind == numbers {
			if v, err = v.at(uint8(o.columns[i].Scale)); err != nil {
				return to[:start], 0, fmt.Errorf("table: column %s: %w", o.columns[i].Name, err)
			}
		}
		to = appendKey(to, &v)
		if len(to)-start > 2*MaxRow {
			return to[:start], 0, fmt.Errorf("table: column %s: %w", o.columns[i].Name, errManyBytes)
		}
	}
	key = len(to) - start
	if to, err = appendRow(to, o.columns, values); err != nil {
		return to[:start], 0, err
	}
	return to, key, nil
}

// Row reads a row that [Order.Append] wrote after its key, into values. The
// error wraps [sign.ErrMalformed].
func (o *Order) Row(row []byte, values []Value) error {
	d := Decoder{columns: o.columns, row: values}
	size, err := d.next(row, string(row))
	if err == nil && size != len(row) {
		err = malformed("%d bytes after a row", len(row)-size)
	}
	return err
}

// Check returns a function that reports whether a row may follow the rows that
// it was called with before: whether a database has kept the order.
func (o *Order) Check() func(values []Value) (bool, error) {
	var before, now []byte
	return func(values []Value) (bool, error) {
		var err error
		if now, _, err = o.Append(now[:0], values); err != nil {
			return false, err
		}
		if bytes.Compare(before, now) > 0 {
			return false, nil
		}
		before, now = now, before
		return true, nil
	}
}

// appendKey appends a value so that the bytes compare as the values do, and no
// key of a column is the beginning of another.
func appendKey(to []byte, v *Value) []byte {
	switch v.kind {
	case texts:
		to = append(to, 1)
		for rest := v.text; ; {
			i := strings.IndexByte(rest, 0)
			if i < 0 {
				return append(append(to, rest...), 0, 0)
			}
			to = append(append(to, rest[:i]...), 0, 0xff)
			rest = rest[i+1:]
		}
	case numbers:
		to = binary.BigEndian.AppendUint64(append(to, 1), uint64(v.high)^1<<63)
		return binary.BigEndian.AppendUint64(to, v.low)
	case days, bools:
		return binary.BigEndian.AppendUint64(append(to, 1), v.low^1<<63)
	}
	return append(to, 0)
}
