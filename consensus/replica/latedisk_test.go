package replica

import (
	"errors"
	"sync"

	"github.com/hashicorp/raft-wal/types"
)

// LateDisk lies beneath raft's log in tests of a leader whose disk is slower
// than those of its followers.
type LateDisk struct{ *faultyDisk }

// NewLateDisk puts one beneath a log.
func NewLateDisk(o *LogOptions) LateDisk {
	d := newFaultyDisk()
	o.vfs, o.meta = d, types.MetaStore(d)
	return LateDisk{d}
}

// Hang makes the next sync wait for what it returns to be called.
func (d LateDisk) Hang() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gate := make(chan struct{})
	d.op, d.gate = "sync", gate
	return sync.OnceFunc(func() { close(gate) })
}

// Fail makes the next sync fail.
func (d LateDisk) Fail() { d.arm("sync", false) }

// ErrDisk is what Fail makes of a write.
var ErrDisk = errDisk

// Holds returns the last index in raft's log.
func (r *Replica) Holds() uint64 {
	last, err := r.raftLog.LastIndex()
	if err != nil && !errors.Is(err, ErrLogClosed) {
		panic(err)
	}
	return last
}
