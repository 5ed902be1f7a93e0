package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
)

// writer writes a run.
type writer struct {
	run   *run
	out   *bufio.Writer
	block []byte // records not written yet
	first string // its first key
	index []byte
}

// newWriter begins a run of at most so many records.
func newWriter(dir string, number uint64, keys int) (*writer, error) {
	f, err := os.OpenFile(pathOf(dir, number), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	r := &run{number: number, file: f, filter: newFilter(keys)}
	return &writer{run: r, out: bufio.NewWriterSize(f, 1<<20)}, nil
}

// add writes a record. Keys ascend. A nil value is a deletion.
func (w *writer) add(key, value []byte) error {
	if len(w.block) == 0 {
		w.first = string(key)
	}
	w.block = binary.AppendUvarint(w.block, uint64(len(key)))
	if value == nil {
		w.block = append(w.block, 0)
	} else {
		w.block = binary.AppendUvarint(w.block, uint64(len(value))+1)
	}
	w.block = append(append(w.block, key...), value...)
	w.run.filter.add(hash(key))
	w.run.keys++
	if len(w.block) < blockSize {
		return nil
	}
	return w.flush()
}

// flush writes a block.
func (w *writer) flush() error {
	r := w.run
	w.block = binary.BigEndian.AppendUint32(w.block, checksum(w.block, r.size))
	if _, err := w.out.Write(w.block); err != nil {
		return err
	}
	r.blocks = append(r.blocks, block{w.first, r.size})
	w.index = binary.AppendUvarint(w.index, uint64(len(w.block)))
	w.index = append(binary.AppendUvarint(w.index, uint64(len(w.first))), w.first...)
	r.size += int64(len(w.block))
	w.block = w.block[:0]
	return nil
}

// finish completes the file and returns the run, or the error that ended it.
func (w *writer) finish(err error, sync bool) (*run, error) {
	if err == nil && len(w.block) > 0 {
		err = w.flush()
	}
	if err == nil {
		err = w.end()
	}
	if err == nil && sync {
		err = w.run.file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, w.run.file.Close())
	}
	return w.run, nil
}

// end writes what follows the blocks.
func (w *writer) end() error {
	r := w.run
	after := append(w.index, r.filter...)
	for _, n := range []uint64{uint64(r.size), uint64(len(w.index)), uint64(r.keys)} {
		after = binary.BigEndian.AppendUint64(after, n)
	}
	after = binary.BigEndian.AppendUint32(after, checksum(after, 0))
	_, err := w.out.Write(after)
	return errors.Join(err, w.out.Flush())
}

// filter is a set of keys that takes about one in twenty others for one of its
// own: a Bloom filter with six bits a key, which are in memory.
type filter []byte

const probes = 4

func newFilter(keys int) filter { return make(filter, keys*6/8+8) }

// hash returns the hash of a key. It is in files, and never changes.
func hash(key []byte) uint64 {
	const prime = 0x9e3779b97f4a7c15
	h := uint64(len(key)) * prime
	for ; len(key) >= 8; key = key[8:] {
		h = (h ^ binary.LittleEndian.Uint64(key)) * prime
		h ^= h >> 32
	}
	for _, b := range key {
		h = (h ^ uint64(b)) * prime
		h ^= h >> 32
	}
	h *= prime
	return h ^ h>>29
}

func (f filter) add(h uint64) {
	step := h>>33 | 1
	for range probes {
		bit := h % uint64(8*len(f))
		f[bit/8] |= 1 << (bit % 8)
		h += step
	}
}

// has reports whether the set has a key with this hash. It may be wrong in that
// it has, never in that it has not.
func (f filter) has(h uint64) bool {
	if len(f) == 0 {
		return true
	}
	step := h>>33 | 1
	for range probes {
		bit := h % uint64(8*len(f))
		if f[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
		h += step
	}
	return true
}
