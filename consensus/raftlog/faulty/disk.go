// Package faulty is a disk for tests of raft's log: the real one, until an
// operation is made to fail or to hang.
package faulty

import (
	"errors"
	"sync"

	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/types"
)

// ErrDisk is what an armed operation fails with.
var ErrDisk = errors.New("input/output error")

// A Disk is the real file system until one operation is armed. It then
// fails that operation once, or once it has happened, or lets it hang.
type Disk struct {
	types.VFS
	types.MetaStore

	mu    sync.Mutex
	op    string        // "write", "sync", "commit" or "set"; empty is healthy
	after bool          // the operation happens, and nevertheless fails
	torn  int           // of a failing write, so many bytes happen
	gate  chan struct{} // the operation waits for it instead of failing
}

// New returns a healthy disk.
func New() *Disk {
	return &Disk{VFS: fs.New(), MetaStore: &metadb.BoltMetaDB{}}
}

// Arm makes the next op fail. after reports whether it happens nevertheless.
func (d *Disk) Arm(op string, after bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.op, d.after, d.torn, d.gate = op, after, 0, nil
}

// Tear makes the next write fail when so many bytes of it are written.
func (d *Disk) Tear(bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.op, d.after, d.torn, d.gate = "write", false, bytes, nil
}

// Hang makes the next op wait until what it returns is called.
func (d *Disk) Hang(op string) (release func()) {
	gate := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.op, d.gate = op, gate
	return sync.OnceFunc(func() { close(gate) })
}

// do runs f as operation op.
func (d *Disk) do(op string, f func() error) error {
	d.mu.Lock()
	hit, after, gate := d.op == op, d.after, d.gate
	if hit {
		d.op = ""
	}
	d.mu.Unlock()
	if !hit {
		return f()
	}
	if gate != nil {
		<-gate
		return f()
	}
	if after {
		return errors.Join(f(), ErrDisk)
	}
	return ErrDisk
}

// Close implements types.MetaStore.
func (d *Disk) Close() error { return d.MetaStore.Close() }

// CommitState implements types.MetaStore.
func (d *Disk) CommitState(s types.PersistentState) error {
	return d.do("commit", func() error { return d.MetaStore.CommitState(s) })
}

// SetStable implements types.MetaStore.
func (d *Disk) SetStable(key, val []byte) error {
	return d.do("set", func() error { return d.MetaStore.SetStable(key, val) })
}

// Create implements types.VFS.
func (d *Disk) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := d.VFS.Create(dir, name, size)
	return &file{f, d}, err
}

// OpenWriter implements types.VFS.
func (d *Disk) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := d.VFS.OpenWriter(dir, name)
	return &file{f, d}, err
}

type file struct {
	types.WritableFile
	d *Disk
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	n := 0
	err := f.d.do("write", func() (err error) {
		n, err = f.WritableFile.WriteAt(b, off)
		return err
	})
	if err != nil && f.d.torn > 0 {
		f.WritableFile.WriteAt(b[:min(f.d.torn, len(b))], off)
	}
	return n, err
}

// Sync implements types.WritableFile.
func (f *file) Sync() error { return f.d.do("sync", f.WritableFile.Sync) }
