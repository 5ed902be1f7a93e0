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

// maxSegments is how many segments of raft's log are open at a time, besides
// the one being written. A log of large entries has hundreds, and raft-wal
// would hold each open while it exists.
const maxSegments = 8

// segments are the files of raft's log. Few are open at a time, if necessary
// with reserved descriptors.
type segments struct {
	types.VFS
	want     func(what string, err error) // called when a segment cannot be created now, and when it then can
	patience time.Duration                // how long to try that; raft waits for it
	syncs    atomic.Uint64                // of segments

	mu   sync.Mutex
	open []*segmentFile // those with a descriptor, the most recently used last
	tail *segmentFile   // created or opened for writing last; stays open
}

// createEvery is how often creating a segment is tried again.
const createEvery = 50 * time.Millisecond

// Create implements types.VFS. A log without a next segment accepts no entries
// any more, so Create waits for a disk that has no room now. It gives up before
// the wait would look like a hanging disk.
func (s *segments) Create(dir, name string, size uint64) (types.WritableFile, error) {
	for until := time.Now().Add(s.patience); ; time.Sleep(createEvery) {
		f, err := s.write(dir, name, func() (types.WritableFile, error) { return s.VFS.Create(dir, name, size) })
		s.want("begin a segment of raft's log", scarce.Lack(err))
		if !scarce.Is(err) || time.Now().After(until) {
			return f, err
		}
		if err := s.Delete(dir, name); err != nil { // it may exist without its room
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
			err = nil // a previous attempt removed it, but could not open the folder
		}
		return err
	})
}

// use records that a file is used, and closes the least recently used one if
// too many are open.
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

// drop removes a file that is closed for good.
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

// segmentFile is one segment, with or without a descriptor.
type segmentFile struct {
	s         *segments
	dir, name string
	writable  bool

	dirty atomic.Bool // written since the last sync

	mu     sync.RWMutex // held for reading while the descriptor is used
	file   types.ReadableFile
	closed bool
}

// reopen gives the file a descriptor. Held: mu for writing, except while the
// segmentFile is being made.
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

// rest closes the descriptor until the file is used again, unless the file is
// in use or has unsynced data.
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

// with runs a call on the file, which gets a descriptor if it has none. Calls
// may run concurrently.
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

// Sync implements types.WritableFile. The first sync of a new file syncs its
// folder too, which raft-wal has to open for that.
func (f *segmentFile) Sync() error {
	return f.with(func(file types.ReadableFile) error {
		f.s.syncs.Add(1)
		err := file.(types.WritableFile).Sync()
		if scarce.Refused(err) { // for opening the folder: the file itself is synced
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
