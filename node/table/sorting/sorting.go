// Package sorting sorts the rows of a table that may not fit in memory.
//
// A [Sorter] holds rows up to its memory; beyond that it writes sorted runs to
// one temporary file and merges them at the end. Rows on the disk are sealed
// with a key that exists in memory alone, and the file loses its name as soon as
// it is open: a process that is killed leaves nothing, and whoever reads the
// disk reads no row. On systems where an open file keeps its name, [Sorter.Close]
// removes it. It leaves the log its room on the disk, see package scarce.
package sorting

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"atoll/node/table"
)

const (
	// MinMemory is the least memory of a Sorter in bytes: the largest rows have
	// to fit.
	MinMemory = 4 << 20

	block = 1 << 20 // bytes of rows that are allocated together; a record fits
)

// ErrUsed means that rows were added, or asked for again, after [Sorter.Sorted].
var ErrUsed = errors.New("sorting: the rows are being read")

// Sorter takes rows in any order and returns them in that of a [table.Order].
// Equal rows are all kept. Its methods are not safe for concurrent use.
type Sorter struct {
	dir    string
	memory int
	order  *table.Order
	width  int // columns

	blocks  [][]byte
	spare   [][]byte // blocks of a run that is written
	records []record
	scratch []byte
	count   uint64
	largest int // bytes of the largest record on the disk
	spilled *spill
	used    bool
}

// record is a row in memory: its place in a block, and its first bytes, which
// decide most comparisons.
type record struct {
	first     uint64
	block, at uint32
	size, key uint32
}

// New returns a sorter that uses about so many bytes of memory, and a temporary
// file in dir when these do not suffice. The directory has to exist by then.
func New(dir string, memory int, order *table.Order) *Sorter {
	return &Sorter{dir: dir, memory: max(memory, MinMemory), order: order, width: order.Columns()}
}

// Add adds a row. An error about the row names its column and no value, and the
// row is then not among the sorted; an error of the disk says what is missing,
// and the sorter can only be closed.
func (s *Sorter) Add(ctx context.Context, values []table.Value) error {
	if s.used {
		return ErrUsed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var key int
	var err error
	if s.scratch, key, err = s.order.Append(s.scratch[:0], values); err != nil {
		return err
	}
	if !s.fits(len(s.scratch)) {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	last := len(s.blocks) - 1
	if last < 0 || len(s.blocks[last])+len(s.scratch) > block {
		s.blocks = append(s.blocks, s.newBlock())
		last++
	}
	r := record{first: first(s.scratch, key), block: uint32(last), at: uint32(len(s.blocks[last])), size: uint32(len(s.scratch)), key: uint32(key)}
	s.blocks[last] = append(s.blocks[last], s.scratch...)
	s.records = append(s.records, r)
	s.count++
	return nil
}

// Count returns how many rows were added.
func (s *Sorter) Count() uint64 { return s.count }

// first returns the first bytes of a record as a number that compares as they
// do. The first byte of a key is 0 or 1: one bit of it is enough.
func first(record []byte, key int) uint64 {
	var b [9]byte
	copy(b[:], record)
	if key == 0 {
		return binary.BigEndian.Uint64(b[:])
	}
	return uint64(b[0])<<63 | binary.BigEndian.Uint64(b[1:])>>1
}

const recordSize = 24

// fits reports whether a record fits in half of the memory; the other half is
// for merging. While the list of records grows, its old and its new copy count.
func (s *Sorter) fits(size int) bool {
	if len(s.records) == 0 {
		return true
	}
	blocks := len(s.blocks)
	if len(s.blocks[blocks-1])+size > block {
		blocks++
	}
	list := cap(s.records)
	if len(s.records) == list {
		list += 2 * list
	}
	return blocks*block+list*recordSize <= s.memory/2
}

func (s *Sorter) bytes(r *record) []byte {
	return s.blocks[r.block][r.at : r.at+r.size]
}

func (s *Sorter) sort() {
	slices.SortFunc(s.records, func(a, b record) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return bytes.Compare(s.bytes(&a), s.bytes(&b))
	})
}

// flush writes the rows in memory to the disk as a run.
func (s *Sorter) flush(ctx context.Context) error {
	if s.spilled == nil {
		var err error
		if s.spilled, err = newSpill(s.dir); err != nil {
			return err
		}
	}
	s.sort()
	w := s.spilled.run()
	for i := range s.records {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r := &s.records[i]
		s.largest = max(s.largest, int(r.size))
		if err := w.add(s.bytes(r), int(r.key)); err != nil {
			return err
		}
	}
	s.records = s.records[:0]
	s.spare = append(s.spare, s.blocks...)
	s.blocks = s.blocks[:0]
	return w.close()
}

func (s *Sorter) newBlock() []byte {
	if last := len(s.spare) - 1; last >= 0 {
		b := s.spare[last]
		s.spare = s.spare[:last]
		return b[:0]
	}
	return make([]byte, 0, block)
}

// Sorted yields all rows in order, once. The slice of values is valid until the
// next row. An error is the last thing that it yields.
func (s *Sorter) Sorted(ctx context.Context) iter.Seq2[[]table.Value, error] {
	return func(yield func([]table.Value, error) bool) {
		values := make([]table.Value, s.width)
		for row, err := range s.Encoded(ctx) {
			if err == nil {
				err = s.order.Row(row, values)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(values, nil) {
				return
			}
		}
	}
}

// Encoded is [Sorter.Sorted] of rows as [table.Encoder.Encoded] takes them.
// Each is valid until the next.
func (s *Sorter) Encoded(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if s.used {
			yield(nil, ErrUsed)
			return
		}
		s.used = true
		err := s.each(ctx, func(row []byte) (bool, error) { return yield(row, nil), nil })
		if err != nil {
			yield(nil, err)
		}
	}
}

// each passes the rows in order to take, until that returns false.
func (s *Sorter) each(ctx context.Context, take func(row []byte) (bool, error)) error {
	if s.spilled == nil {
		s.sort()
		for i := range s.records {
			if err := ctx.Err(); err != nil {
				return err
			}
			r := &s.records[i]
			if more, err := take(s.bytes(r)[r.key:]); err != nil || !more {
				return err
			}
		}
		return nil
	}
	if len(s.records) > 0 {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.blocks, s.spare, s.records, s.scratch = nil, nil, nil, nil
	fan := max(2, s.memory/2/(frame+overhead+s.largest))
	if err := s.spilled.reduce(ctx, fan); err != nil {
		return err
	}
	return s.spilled.merge(ctx, s.spilled.runs, func(record []byte, key int) (bool, error) { return take(record[key:]) })
}

// Close frees the memory and the disk. It is safe to call more than once.
func (s *Sorter) Close() error {
	s.used, s.blocks, s.spare, s.records = true, nil, nil, nil
	if s.spilled == nil {
		return nil
	}
	err := s.spilled.close()
	s.spilled = nil
	if err != nil {
		return fmt.Errorf("sorting: close the temporary file: %w", err)
	}
	return nil
}
