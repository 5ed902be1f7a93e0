package replica

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"atoll/consensus/scarce"
)

// How full a disk may be, in percent. A disk that is full in the middle of a
// write stops a node at the worst moment; this one steps back before.
const (
	diskWarn  = 80           // said in the log, and by Pressure
	diskTight = scarce.Tight // no new queries: releases and revocations still have room
	diskFull  = 95           // the replica stops while everything on disk is whole
)

const diskEvery = 5 * time.Second

// ErrDiskFull is the fatal error of a replica whose disk has no room left.
var ErrDiskFull = errors.New("the disk is almost full; make room and start again")

// ErrNoRoom is the answer to a new query while the leader's disk is tight.
var ErrNoRoom = errors.New("the disk of the leader is tight: no new queries until there is room")

// usedOf returns how full the file system of a folder is, in percent, as an
// unprivileged user sees it.
func usedOf(dir string) (int, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("disk space of %s: %w", dir, err)
	}
	used, free := s.Blocks-s.Bfree, s.Bavail
	if used+free == 0 {
		return 0, nil // this file system reports no size
	}
	return int((100*used + used + free - 1) / (used + free)), nil
}

// guardDisk looks at the disk from time to time.
func (r *Replica) guardDisk() {
	t := time.NewTicker(diskEvery)
	defer t.Stop()
	for {
		if err := r.lookAtDisk(); err != nil {
			r.fail(err)
			return
		}
		select {
		case <-t.C:
		case <-r.ctx.Done():
			return
		}
	}
}

// lookAtDisk notes how full the disk is; the error is that it is too full.
func (r *Replica) lookAtDisk() error {
	used, err := r.diskUsed()
	if err != nil {
		r.log.Warn("the used space of the disk could not be determined", "error", err)
		return nil
	}
	before := int(r.used.Swap(int64(used)))
	switch {
	case used >= diskFull:
		return fmt.Errorf("%d %% used: %w", used, ErrDiskFull)
	case used >= diskTight && before < diskTight:
		r.log.Error("the disk is nearly full: no new queries are taken", "used_percent", used)
	case used >= diskWarn && before < diskWarn:
		r.log.Warn("the disk is filling up", "used_percent", used)
	}
	return nil
}

// DiskUsed returns how full the disk was when last looked at, in percent.
func (r *Replica) DiskUsed() int { return int(r.used.Load()) }

// Tight reports whether the disk has too little room for new queries.
func (r *Replica) Tight() bool { return r.DiskUsed() >= diskTight }
