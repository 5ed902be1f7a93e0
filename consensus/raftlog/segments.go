package raftlog

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/scarce"

	"github.com/hashicorp/raft-wal/types"
)

// maxSegments is how many segments of raft's log are open at once, beside the
// one that is written. A log of large entries has hundreds, and raft-wal holds
// each open for as long as it is there.
const maxSegments = 8

// segments are the files of raft's log, opened out of the descriptors that are
// set aside, and few at a time.
type segments struct {
	types.VFS
	want     func(what string, err error) // is told of a segment that cannot be created now, and then can
	patience time.Duration                // for that; raft waits for it

	mu   sync.Mutex
	open []*segmentFile // those with a descriptor, the one used last at the end
	tail *segmentFile   // created or opened for writing last: it stays open
}

// createEvery is how often a segment that cannot be created now is tried again.
const createEvery = 50 * time.Millisecond

// Create implements types.VFS. A log that gets no next segment takes no entry any
// more, so a disk that has no room for it now is waited for; but not for as long
// as would look like one that hangs.
func (s *segments) Create(dir, name string, size uint64) (types.WritableFile, error) {
	for until := time.Now().Add(s.patience); ; time.Sleep(createEvery) {
		f, err := s.write(dir, name, func() (types.WritableFile, error) { return s.VFS.Create(dir, name, size) })
		s.want("begin a segment of raft's log", scarce.Lack(err))
		if !scarce.Is(err) || time.Now().After(until) {
			return f, err
		}
		if err := s.Delete(dir, name); err != nil { // which there may be, without its room
			return nil, err
		}
	}
}

// OpenWriter implements types.VFS.
func (s *segments) OpenWriter(dir, name string) (types.WritableFile, error) {
	return s.write(dir, name, func() (types.WritableFile, error) { return s.VFS.OpenWriter(dir, name) })
}

func (s *segments) write(dir, name string, open func() (types.WritableFile, error)) (types.WritableFile, error) {
	f := &segmentFile{s: s, dir: dir, name: name, writable: true}
	err := scarce.Try(func() (err error) {
		f.file, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.tail = f
	s.mu.Unlock()
	s.use(f)
	return f, nil
}

// OpenReader implements types.VFS.
func (s *segments) OpenReader(dir, name string) (types.ReadableFile, error) {
	f := &segmentFile{s: s, dir: dir, name: name}
	if err := f.reopen(); err != nil {
		return nil, err
	}
	s.use(f)
	return f, nil
}

// Delete implements types.VFS.
func (s *segments) Delete(dir, name string) error {
	return scarce.Try(func() error {
		err := s.VFS.Delete(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // of an attempt before, which could not open the folder
		}
		return err
	})
}

// use notes that a file is used, and closes the one that was not for longest
// where there are too many.
func (s *segments) use(f *segmentFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.open, f); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
	}
	s.open = append(s.open, f)
	for i := 0; i < len(s.open) && len(s.open) > maxSegments+1; {
		if o := s.open[i]; o != s.tail && o != f && o.rest() {
			s.open = slices.Delete(s.open, i, i+1)
			continue
		}
		i++
	}
}

// drop forgets a file that is closed for good.
func (s *segments) drop(f *segmentFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.open, f); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
	}
	if s.tail == f {
		s.tail = nil
	}
}

// segmentFile is one segment, which has a descriptor or not.
type segmentFile struct {
	s         *segments
	dir, name string
	writable  bool

	dirty atomic.Bool // written since the last sync

	mu     sync.RWMutex // held for reading while the descriptor is used
	file   types.ReadableFile
	closed bool
}

// reopen gives the file a descriptor. Held: mu for writing, but where it is made.
func (f *segmentFile) reopen() error {
	return scarce.Try(func() (err error) {
		if f.writable {
			f.file, err = f.s.VFS.OpenWriter(f.dir, f.name)
		} else {
			f.file, err = f.s.VFS.OpenReader(f.dir, f.name)
		}
		if err != nil {
			f.file = nil
		}
		return err
	})
}

// rest closes the descriptor until the file is used again, unless it is in use
// or has what no sync has covered.
func (f *segmentFile) rest() bool {
	if !f.mu.TryLock() {
		return false
	}
	defer f.mu.Unlock()
	if f.dirty.Load() {
		return false
	}
	if f.file != nil {
		f.file.Close() // nothing of it is unsynced
		f.file = nil
	}
	return true
}

// with runs a call on the file, which gets a descriptor if it has none. Calls may
// run at once.
func (f *segmentFile) with(call func(types.ReadableFile) error) error {
	for {
		f.mu.RLock()
		if f.file != nil {
			defer f.mu.RUnlock()
			return call(f.file)
		}
		f.mu.RUnlock()
		if err := f.awake(); err != nil {
			return err
		}
		f.s.use(f)
	}
}

func (f *segmentFile) awake() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return fs.ErrClosed
	case f.file != nil:
		return nil
	}
	return f.reopen()
}

// ReadAt implements io.ReaderAt.
func (f *segmentFile) ReadAt(b []byte, off int64) (n int, err error) {
	err = f.with(func(file types.ReadableFile) (err error) {
		n, err = file.ReadAt(b, off)
		return err
	})
	return n, err
}

// WriteAt implements io.WriterAt.
func (f *segmentFile) WriteAt(b []byte, off int64) (n int, err error) {
	err = f.with(func(file types.ReadableFile) (err error) {
		f.dirty.Store(true)
		n, err = file.(types.WritableFile).WriteAt(b, off)
		return err
	})
	return n, err
}

// Sync implements types.WritableFile. The first sync of a new file is one of its
// folder, too, for which raft-wal opens that.
func (f *segmentFile) Sync() error {
	return f.with(func(file types.ReadableFile) error {
		err := file.(types.WritableFile).Sync()
		if scarce.Refused(err) { // to open the folder: the file is synced
			err = durable.SyncFolder(f.dir)
		}
		if err == nil {
			f.dirty.Store(false)
		}
		return err
	})
}

// Close implements io.Closer.
func (f *segmentFile) Close() error {
	f.s.drop(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
