package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// A run is a file of changes in key order. It is written once:
//
//	block   records, then a checksum of them and of where the block begins
//	record  length of the key, that of the value plus one or 0 for a deletion,
//	        key, value (lengths as uvarint)
//	index   of each block its length, and its first key after that key's length
//	filter  of all keys
//	footer  bytes of all blocks, bytes of the index, number of records (8 bytes
//	        each), then a checksum of index, filter and footer
//
// Index and filter are in memory while a run is open.
type run struct {
	number uint64
	file   *os.File
	blocks []block // in order
	size   int64   // of all blocks
	keys   int     // number of records
	filter filter
}

// block is where a block begins, and with which key.
type block struct {
	first string
	at    int64
}

// blockSize is the number of bytes from which a block is complete.
const blockSize = 8 << 10

const footerSize = 3*8 + sumSize

const suffix = ".run"

func pathOf(dir string, number uint64) string {
	return filepath.Join(dir, strconv.FormatUint(number, 10)+suffix)
}

// numberOf returns the number of the run in a file of this name.
func numberOf(file string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(file, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil
}

// openRun opens a run that was finished.
func openRun(dir string, number uint64) (*run, error) {
	f, err := os.Open(pathOf(dir, number))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: a file of it is missing", ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	r := &run{number: number, file: f}
	if err := r.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// load reads index and filter.
func (r *run) load() error {
	length, err := r.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if length < footerSize {
		return ErrCorrupt
	}
	footer := make([]byte, footerSize)
	if _, err := r.file.ReadAt(footer, length-footerSize); err != nil {
		return err
	}
	size, index, keys := binary.BigEndian.Uint64(footer), binary.BigEndian.Uint64(footer[8:]), binary.BigEndian.Uint64(footer[16:])
	if rest := uint64(length - footerSize); size > rest || index > rest-size || keys > math.MaxInt32<<10 {
		return ErrCorrupt
	}
	r.size, r.keys = int64(size), int(keys)
	after := make([]byte, length-r.size)
	if _, err := r.file.ReadAt(after, r.size); err != nil {
		return err
	}
	if !checked(after, 0) {
		return ErrCorrupt
	}
	r.filter = after[index : len(after)-footerSize]
	return r.readIndex(after[:index])
}

func (r *run) readIndex(index []byte) error {
	at := uint64(0)
	for len(index) > 0 {
		length, n := binary.Uvarint(index)
		if n <= 0 || length > uint64(r.size)-at {
			return ErrCorrupt
		}
		key, rest, ok := part(index[n:])
		if !ok {
			return ErrCorrupt
		}
		r.blocks = append(r.blocks, block{string(key), int64(at)})
		at += length
		index = rest
	}
	if at != uint64(r.size) {
		return ErrCorrupt
	}
	return nil
}

// part cuts the first part, with its length before it, off some bytes.
func part(b []byte) (first, rest []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(length)
	return b[n:end:end], b[end:], true
}

// checksum returns the checksum of bytes that begin at a place of a file.
func checksum(b []byte, at int64) uint32 {
	return crc32.Checksum(b, castagnoli) ^ uint32(at) ^ uint32(at>>32)
}

// checked reports whether bytes end with their checksum.
func checked(b []byte, at int64) bool {
	return len(b) >= sumSize && binary.BigEndian.Uint32(b[len(b)-sumSize:]) == checksum(b[:len(b)-sumSize], at)
}

// read returns the records of a block.
func (r *run) read(n int) ([]byte, error) {
	at, end := r.blocks[n].at, r.size
	if n+1 < len(r.blocks) {
		end = r.blocks[n+1].at
	}
	b := make([]byte, end-at)
	if _, err := r.file.ReadAt(b, at); errors.Is(err, io.EOF) {
		return nil, ErrCorrupt
	} else if err != nil {
		return nil, err
	}
	if !checked(b, at) {
		return nil, ErrCorrupt
	}
	return b[:len(b)-sumSize], nil
}

// discard closes and removes the runs that are not in use any longer.
func discard(before, now []*run) (err error) {
	used := map[*run]bool{}
	for _, r := range now {
		used[r] = true
	}
	for _, r := range before {
		if !used[r] {
			err = errors.Join(err, r.file.Close(), os.Remove(r.file.Name()))
		}
	}
	return err
}

// cursor goes through the records of a run.
type cursor struct {
	run        *run
	read       func(*run, int) ([]byte, error) // returns a block, which never changes
	block      int                             // the next one
	rest       []byte                          // of the block before it
	key, value []byte                          // the record; value nil: deleted, key nil: the run has ended
}

// seek goes to the first record at or after a key.
func (c *cursor) seek(from []byte) error {
	n := sort.Search(len(c.run.blocks), func(i int) bool { return c.run.blocks[i].first > string(from) })
	c.block, c.rest = max(n-1, 0), nil
	for {
		if err := c.next(); err != nil || c.key == nil || bytes.Compare(c.key, from) >= 0 {
			return err
		}
	}
}

// next goes to the next record.
func (c *cursor) next() (err error) {
	if len(c.rest) == 0 {
		if c.block == len(c.run.blocks) {
			c.key, c.value = nil, nil
			return nil
		}
		if c.rest, err = c.read(c.run, c.block); err != nil {
			return err
		}
		c.block++
	}
	length, n := binary.Uvarint(c.rest)
	if n <= 0 {
		return ErrCorrupt
	}
	value, m := binary.Uvarint(c.rest[n:])
	b := c.rest[n+max(m, 0):]
	if m <= 0 || length > uint64(len(b)) || value > uint64(len(b))-length+1 {
		return ErrCorrupt
	}
	end := length
	c.key, c.value = b[:length:length], nil
	if value > 0 {
		end += value - 1
		c.value = b[length:end:end]
	}
	c.rest = b[end:]
	return nil
}

// cached is the number of blocks that a [cache] keeps: a replay goes on at some
// places of each run, and rarely anywhere else.
const cached = 512

// cache keeps the blocks that were read last.
type cache struct {
	blocks map[place][]byte
	order  []place // the last ones read, from next on
	next   int
}

type place struct {
	run   uint64
	block int
}

func newCache() cache {
	return cache{map[place][]byte{}, make([]place, cached), 0}
}

// read returns a block of a run.
func (c *cache) read(r *run, n int) ([]byte, error) {
	at := place{r.number, n}
	if b := c.blocks[at]; b != nil {
		return b, nil
	}
	b, err := r.read(n)
	if err != nil {
		return nil, err
	}
	delete(c.blocks, c.order[c.next])
	c.blocks[at], c.order[c.next] = b, at
	c.next = (c.next + 1) % cached
	return b, nil
}
