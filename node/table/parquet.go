package table

import (
	"bufio"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

const (
	groupSize = 8 << 20 // bytes of values in one group of rows, which is what the writer holds
	groupRows = 1 << 18 // rows in it
)

// decimalBytes holds every number of [MaxBefore]+[MaxScale] digits.
const decimalBytes = 16

// parquetWriter writes Apache Parquet. Text is STRING, a date DATE, a bool
// BOOLEAN; integers and decimals are DECIMAL of 20 digits before the point,
// because INT64 does not hold them all. All columns are optional.
type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	columns []Column
	batch   []parquet.Row // rows that are not with the writer yet: one by one takes it twice as long
	held    int           // how many they are
	size    int           // bytes of values in the group
	rows    int           // rows in it
}

func newParquet(w *bufio.Writer, columns []Column) *parquetWriter {
	options := []parquet.WriterOption{
		parquet.NewSchema("table", fields{parquet.Group{}, columns}),
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.CreatedBy("atoll", "1", "table"),
		parquet.PageBufferSize(256 << 10),
	}
	for _, c := range columns {
		if c.Unit != "" {
			options = append(options, parquet.KeyValueMetadata("atoll.unit."+c.Name, c.Unit))
		}
	}
	p := &parquetWriter{w: parquet.NewGenericWriter[any](w, options...), columns: columns, batch: make([]parquet.Row, 64)}
	for i := range p.batch {
		p.batch[i] = make(parquet.Row, len(columns))
	}
	return p
}

func (p *parquetWriter) row(values []Value) error {
	for i := range p.columns {
		v, level := parquetValue(&values[i]), 1
		if values[i].kind == 0 {
			level = 0
		}
		p.batch[p.held][i] = v.Level(0, level, i)
		p.size += 16 + len(values[i].text)
	}
	p.held++
	p.rows++
	full := p.size >= groupSize || p.rows == groupRows
	if p.held == len(p.batch) || full {
		if err := p.write(); err != nil {
			return err
		}
	}
	if !full {
		return nil
	}
	p.size, p.rows = 0, 0
	return about(p.w.Flush())
}

func (p *parquetWriter) write() error {
	_, err := p.w.WriteRows(p.batch[:p.held])
	p.held = 0
	return about(err)
}

func (p *parquetWriter) close() error {
	if err := p.write(); err != nil {
		return err
	}
	return about(p.w.Close())
}

func about(err error) error {
	if err != nil {
		return fmt.Errorf("table: parquet: %w", err)
	}
	return nil
}

func parquetValue(v *Value) parquet.Value {
	switch v.kind {
	case texts:
		return parquet.ByteArrayValue([]byte(v.text))
	case numbers:
		var b [decimalBytes]byte
		for i, low := range []uint64{uint64(v.high), v.low} {
			for j := range 8 {
				b[8*i+j] = byte(low >> (56 - 8*j))
			}
		}
		return parquet.FixedLenByteArrayValue(b[:])
	case days:
		return parquet.Int32Value(int32(v.low))
	case bools:
		return parquet.BooleanValue(v.Bool())
	}
	return parquet.NullValue()
}

func (c *Column) node() parquet.Node {
	switch c.held {
	case numbers:
		return parquet.Decimal(int(c.Scale), MaxBefore+int(c.Scale), parquet.FixedLenByteArrayType(decimalBytes))
	case days:
		return parquet.Date()
	case bools:
		return parquet.Leaf(parquet.BooleanType)
	}
	return parquet.String()
}

// fields is a group of columns in their own order; parquet.Group orders them by
// name.
type fields struct {
	parquet.Group
	columns []Column
}

func (f fields) Fields() []parquet.Field {
	list := make([]parquet.Field, len(f.columns))
	for i := range f.columns {
		one := parquet.Group{f.columns[i].Name: parquet.Optional(f.columns[i].node())}
		list[i] = one.Fields()[0]
	}
	return list
}
