package sorting

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"atoll/consensus/scarce"
)

const (
	frame    = 32 << 10 // bytes of a run that are sealed together
	overhead = 16       // of the seal

	checkEvery = 8 // frames, before which the disk has to have room for them
)

// ErrDisk means that the temporary file could not be written or read, for a
// reason that its text gives. Where the disk is full it also wraps
// [syscall.ENOSPC] or EDQUOT, and where descriptors lack [syscall.EMFILE] or
// ENFILE, see [scarce.Is].
var ErrDisk = errors.New("sorting: temporary file")

// ErrChanged means that the temporary file is not as it was written.
var ErrChanged = fmt.Errorf("%w: its content is not as it was written: the disk is damaged, or another program writes to the file", ErrDisk)

// spill is the temporary file: runs of sorted records, one after another, in
// sealed frames. Frame number i is at i × (frame + overhead), all but the last
// of a run are full, and no frame is written twice. Merged runs keep their room
// until the end: it is rare that there are so many.
type spill struct {
	file   *os.File
	dir    string
	name   string // while the file has one
	seal   cipher.AEAD
	frames uint64
	runs   []run
	sealed []byte
}

// run is a part of the file.
type run struct {
	from  uint64 // the first frame
	bytes uint64 // of records
}

func newSpill(dir string) (*spill, error) {
	file, err := os.CreateTemp(dir, "sorting-*") // 0600; the reserved descriptors are for the log
	if err != nil {
		return nil, disk("create it", err)
	}
	s := &spill{file: file, dir: dir, name: file.Name()}
	if err := os.Remove(s.name); err == nil {
		s.name = ""
	}
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err == nil {
		s.seal, err = cipher.NewGCM(block)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *spill) close() error {
	err := s.file.Close()
	if s.name != "" {
		if gone := os.Remove(s.name); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

func disk(do string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: no room to %s; a table of this size needs as much space beside the node's data: %w", ErrDisk, do, err)
	case scarce.Is(err):
		return fmt.Errorf("%w: the system lacks a resource to %s: %w", ErrDisk, do, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrDisk, do, err)
}

// nonce is the number of a frame: the key is used for one file, and no frame of
// it is written twice.
func nonce(frame uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), frame)
}

// runWriter writes one run.
type runWriter struct {
	s     *spill
	run   run
	plain []byte
}

// run begins a run at the end of the file.
func (s *spill) run() *runWriter {
	return &runWriter{s: s, run: run{from: s.frames}, plain: make([]byte, 0, frame)}
}

// add appends a record: the sizes of its key and of the rest, and itself.
func (w *runWriter) add(record []byte, key int) error {
	var sizes [2 * binary.MaxVarintLen64]byte
	head := binary.AppendUvarint(binary.AppendUvarint(sizes[:0], uint64(key)), uint64(len(record)-key))
	if err := w.write(head); err != nil {
		return err
	}
	return w.write(record)
}

func (w *runWriter) write(b []byte) error {
	w.run.bytes += uint64(len(b))
	for {
		n := copy(w.plain[len(w.plain):frame], b)
		w.plain, b = w.plain[:len(w.plain)+n], b[n:]
		if len(b) == 0 {
			return nil
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
}

func (w *runWriter) flush() error {
	s := w.s
	if s.frames%checkEvery == 0 {
		if err := scarce.Room(s.dir, checkEvery*(frame+overhead)); err != nil {
			return disk("write rows", err)
		}
	}
	s.sealed = s.seal.Seal(s.sealed[:0], nonce(s.frames), w.plain, nil)
	if _, err := s.file.WriteAt(s.sealed, int64(s.frames)*(frame+overhead)); err != nil {
		return disk("write rows", err)
	}
	s.frames++
	w.plain = w.plain[:0]
	return nil
}

// close completes the run, which is then one of the spill's.
func (w *runWriter) close() error {
	if len(w.plain) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.s.runs = append(w.s.runs, w.run)
	return nil
}

// runReader reads the records of one run. It holds what is left of one frame, or
// the frames that one record spans.
type runReader struct {
	s      *spill
	frame  uint64
	left   uint64 // bytes of the run that are not read from the file yet
	buffer []byte // of frames
	plain  []byte // the end of buffer: what is not read of it yet
	record []byte // a part of buffer
	key    int
}

// open reads the next frame behind what is left.
func (r *runReader) open() error {
	s, size := r.s, int(min(r.left, frame))
	if cap(s.sealed) < frame+overhead {
		s.sealed = make([]byte, frame+overhead)
	}
	sealed := s.sealed[:size+overhead]
	if n, err := s.file.ReadAt(sealed, int64(r.frame)*(frame+overhead)); n < len(sealed) {
		if err == io.EOF {
			return ErrChanged
		}
		return disk("read rows", err)
	}
	if len(r.plain) < len(r.buffer) {
		r.buffer = append(r.buffer[:0], r.plain...)
	}
	var err error
	if r.buffer, err = s.seal.Open(r.buffer, nonce(r.frame), sealed, nil); err != nil {
		return ErrChanged
	}
	r.plain = r.buffer
	r.frame++
	r.left -= uint64(size)
	return nil
}

// next reads the next record; io.EOF means that there are no more.
func (r *runReader) next() error {
	for !r.take() {
		if r.left == 0 && len(r.plain) == 0 {
			return io.EOF
		}
		if r.left == 0 {
			return ErrChanged
		}
		if err := r.open(); err != nil {
			return err
		}
	}
	return nil
}

// take reports whether what is left has all of the next record, and takes it.
func (r *runReader) take() bool {
	key, n := binary.Uvarint(r.plain)
	if n <= 0 {
		return false
	}
	rest, m := binary.Uvarint(r.plain[n:])
	size := key + rest // the seal vouches for them
	if m <= 0 || uint64(len(r.plain)-n-m) < size {
		return false
	}
	r.record, r.plain, r.key = r.plain[n+m:n+m+int(size)], r.plain[n+m+int(size):], int(key)
	return true
}

// reduce merges runs until there are at most so many.
func (s *spill) reduce(ctx context.Context, fan int) error {
	for len(s.runs) > fan {
		some := s.runs[:min(fan, len(s.runs)-fan+1)]
		s.runs = s.runs[len(some):]
		w := s.run()
		err := s.merge(ctx, some, func(record []byte, key int) (bool, error) { return true, w.add(record, key) })
		if err != nil {
			return err
		}
		if err := w.close(); err != nil {
			return err
		}
	}
	return nil
}

// merge passes the records of runs in order to take, until that returns false.
func (s *spill) merge(ctx context.Context, runs []run, take func(record []byte, key int) (bool, error)) error {
	var h readers
	for _, run := range runs {
		r := &runReader{s: s, frame: run.from, left: run.bytes}
		switch err := r.next(); err {
		case nil:
			h = append(h, r)
		case io.EOF:
		default:
			return err
		}
	}
	heap.Init(&h)
	for i := 0; len(h) > 0; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r := h[0]
		if more, err := take(r.record, r.key); err != nil || !more {
			return err
		}
		switch err := r.next(); err {
		case nil:
			heap.Fix(&h, 0)
		case io.EOF:
			heap.Pop(&h)
		default:
			return err
		}
	}
	return nil
}

// readers is a heap of runs by their next record.
type readers []*runReader

func (h readers) Len() int           { return len(h) }
func (h readers) Less(i, j int) bool { return bytes.Compare(h[i].record, h[j].record) < 0 }
func (h readers) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *readers) Push(x any)        { *h = append(*h, x.(*runReader)) }

func (h *readers) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
