// Package raftlog is raft's log and stable store on disk: what hashicorp/raft
// writes to [Log], it gets back unchanged, or not at all. A [Log] detects
// damage, stops at the first write that fails or hangs, and never loses an
// acknowledged entry from its end unnoticed. [Promises] records in a separate
// file what a voter has promised, so that a log replaced by an older copy is
// noticed.
package raftlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// ErrClosed is the answer of a closed Log.
var ErrClosed = errors.New("raft log is closed")

// Options configure a Log. The zero value is good.
type Options struct {
	// SegmentSize is the size in bytes of a segment file, which is allocated
	// when it is created. 0 means 8 MiB, small enough for several nodes on one
	// small disk; a batch larger than that still fits.
	SegmentSize int
	// WriteLimit is how long one write may take before the disk counts as
	// hanging. 0 means 10 s.
	WriteLimit time.Duration
	// Logger receives raft-wal's messages; nil discards them.
	Logger *slog.Logger

	// Want is called when the log lacks something of the machine, such as room
	// for its next segment, and with nil when that is over. It may be nil.
	Want func(what string, err error)
	// Inspect is called with each entry when the log is opened, in order, and
	// its error is Open's. It may be nil.
	Inspect func(*raft.Log) error
	// Files and Meta are where raft-wal stores segments and their list; nil
	// means in the folder. Tests use faulty disks here.
	Files types.VFS
	Meta  types.MetaStore
}

// A Log is raft's log and stable store on disk: raft-wal, with what raft-wal
// lacks.
//
//   - Every record carries the hash of its predecessor and of itself. A record
//     is checked on every read, the chain of all of them by Open and Verify.
//   - It is fail-stop. It stops at the first failed write or fsync, the first
//     read of anything but what was written, or the first write that hangs. From
//     then on every call returns that error, and Fatal reports it.
//   - No acknowledged entry disappears from its end unnoticed, see mark.
//
// Its methods are safe for concurrent use.
type Log struct {
	dir   string
	wal   *wal.WAL
	mark  *mark
	guard *guard
	files *segments

	life   sync.RWMutex // held for reading by every call, for writing by Close
	closed bool

	mu    sync.Mutex // one write at a time: raft compacts while it appends
	has   extent
	trims int // suffixes deleted so far; Verify starts again when it changes
}

var (
	_ raft.LogStore          = (*Log)(nil)
	_ raft.StableStore       = (*Log)(nil)
	_ raft.MonotonicLogStore = (*Log)(nil)
)

// Open opens the log in dir, which is created if missing, and verifies all of
// it. A *CorruptError means that the disk does not hold what was written. Only
// one Log may have dir open: a second Open waits for the first to close.
func Open(dir string, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	opts.Meta = pages{opts.Meta, dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	_, err := os.Stat(filepath.Join(dir, metadb.FileName))
	mark, acked, err := openMark(dir, errors.Is(err, os.ErrNotExist))
	if err != nil {
		return nil, err
	}
	files := &segments{VFS: opts.Files, want: opts.Want, patience: opts.WriteLimit / 2}
	l := &Log{dir: dir, mark: mark, guard: newGuard(opts.WriteLimit), files: files}
	if err := mendTail(dir, files, opts.Meta, acked); err != nil {
		return nil, errors.Join(corruptIn(dir, err), opts.Meta.Close(), mark.close())
	}
	l.wal, err = wal.Open(dir,
		wal.WithSegmentSize(opts.SegmentSize),
		wal.WithMetaStore(opts.Meta),
		wal.WithSegmentFiler(segment.NewFiler(dir, files)),
		wal.WithLogger(NewLogger("raft-wal", opts.Logger)))
	if err != nil {
		return nil, errors.Join(corruptIn(dir, err), opts.Meta.Close(), mark.close())
	}
	if err := l.check(acked, opts.Inspect); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// corruptIn adds the folder to the error, which raft-wal does not name.
func corruptIn(dir string, err error) error {
	if errors.Is(err, wal.ErrCorrupt) {
		return &CorruptError{Dir: dir, Reason: err.Error()}
	}
	return fmt.Errorf("raft log in %s: %w", dir, err)
}

func (o Options) withDefaults() Options {
	if o.SegmentSize == 0 {
		o.SegmentSize = 8 << 20
	}
	if o.WriteLimit == 0 {
		o.WriteLimit = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Files == nil {
		o.Files = fs.New()
	}
	if o.Want == nil {
		o.Want = func(string, error) {}
	}
	if o.Meta == nil {
		o.Meta = &metadb.BoltMetaDB{}
	}
	return o
}

// check compares the log just opened with what was acknowledged and sets the
// extent that the next append continues.
func (l *Log) check(acked extent, inspect func(*raft.Log) error) error {
	first, err := l.wal.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.wal.LastIndex()
	if err != nil {
		return err
	}
	if acked.last > 0 && (first == 0 || first > acked.first) {
		return &CorruptError{Dir: l.dir, Index: acked.first, Reason: "acknowledged, but missing"}
	}
	if last < acked.last {
		return &CorruptError{Dir: l.dir, Index: last + 1, Reason: "acknowledged, but missing"}
	}
	l.has = extent{first: first, last: last}
	if last == 0 {
		return nil
	}
	at := func(e *raft.Log, sum link) error {
		if e.Index == acked.last && sum != acked.head {
			return &CorruptError{Dir: l.dir, Index: e.Index, Reason: "not the record that was acknowledged"}
		}
		l.has.head = sum
		if inspect == nil {
			return nil
		}
		return inspect(e)
	}
	return l.walk(context.Background(), first, last, at)
}

// StoreLog stores one entry, see StoreLogs.
func (l *Log) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// StoreLogs appends entries, all or none. When it returns nil they are on disk.
// The first index must follow the last, unless the log is empty: raft never
// leaves a gap, so that one stops the store like a failing disk.
func (l *Log) StoreLogs(entries []*raft.Log) error {
	if len(entries) == 0 {
		return nil
	}
	return l.write("append", func() error {
		now := l.has
		records := make([]*raft.Log, len(entries))
		for i, e := range entries {
			if now.last != 0 && e.Index != now.last+1 {
				return fmt.Errorf("entry %d cannot follow entry %d", e.Index, now.last)
			}
			r, sum, err := wrap(now.head, e)
			if err != nil {
				return err
			}
			records[i] = r
			if now.last == 0 {
				now.first = e.Index
			}
			now.last, now.head = e.Index, sum
		}
		if err := l.wal.StoreLogs(records); err != nil {
			return err
		}
		l.has = now
		return l.mark.set(now)
	})
}

// write runs f as the only write, under the watchdog. A write that only waits
// behind a hanging one counts as hanging too.
func (l *Log) write(what string, f func() error) error {
	l.life.RLock()
	defer l.life.RUnlock()
	return l.guard.write(what+" in "+l.dir, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err := l.usable(); err != nil {
			return err
		}
		return f()
	})
}

// DeleteRange deletes the entries min to max, which must be a prefix or a
// suffix of the log. The chain goes on after a prefix is deleted, and from the
// last entry kept after a suffix is. An emptied log starts a new chain.
func (l *Log) DeleteRange(min, max uint64) error {
	return l.write("delete", func() error {
		keep := l.has
		switch {
		case min > max || keep.last == 0 || max < keep.first || min > keep.last:
			return nil
		case min <= keep.first && max >= keep.last:
			keep = extent{}
		case min <= keep.first:
			keep.first = max + 1
		case max >= keep.last:
			_, head, err := l.read(min-1, new(raft.Log))
			if err != nil {
				return err
			}
			keep.last, keep.head = min-1, head
			l.trims++
		default:
			return fmt.Errorf("entries %d to %d are in the middle of %d to %d", min, max, keep.first, keep.last)
		}
		// The mark must shrink on disk before the log does: after a crash
		// between the two the log holds more than was promised, never less.
		if err := errors.Join(l.mark.set(keep), l.mark.sync()); err != nil {
			return err
		}
		if err := l.wal.DeleteRange(min, max); err != nil {
			return err
		}
		l.has = keep
		return nil
	})
}

// Failed returns the error with which the store stopped, or nil.
func (l *Log) Failed() error { return l.guard.failed() }

// Syncs returns how often the log has synced its entries since it was opened.
func (l *Log) Syncs() uint64 { return l.files.syncs.Load() }

// Term returns raft's current term, 0 before there is one.
func (l *Log) Term() (uint64, error) { return l.GetUint64([]byte(termKey)) }

// Voted returns the last term in which raft here gave a vote, 0 if it never did.
func (l *Log) Voted() (uint64, error) { return l.GetUint64([]byte(votedKey)) }

// Fatal returns a channel that yields exactly one error, when the store stops
// for good. Raft cannot go on without its log, and panics when it cannot read it to
// apply it: the receiver of the error should end the process.
func (l *Log) Fatal() <-chan error { return l.guard.fatal }

// Close waits for calls under way and closes the files. If a write hangs, Close
// does not wait for it: it returns the error of the watchdog and leaves the
// files open, to be closed by the end of the process.
func (l *Log) Close() error {
	if err := l.guard.failed(); errors.Is(err, ErrStalled) {
		return err
	}
	l.life.Lock()
	defer l.life.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return errors.Join(l.wal.Close(), l.mark.close())
}
