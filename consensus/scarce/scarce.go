// Package scarce is about what a machine has only so much of for all who use
// it: descriptors, memory of the kernel, room on a disk. That there is none now
// is an error of the moment and passes; it is not a broken disk.
//
// [Is] tells such an error from others. [Try] and [OpenFile] open files that
// must not fail to open, out of descriptors set aside. [Wants] remembers what
// is lacking, for whoever can give more. [Share] divides a process's descriptors
// between its own needs and everybody who can make it open a socket, so that
// there always are enough.
package scarce

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// Is reports whether an error is that the machine lacks something now. Whether
// to try again is for the caller to decide: after a write that failed nobody
// knows what is on disk, unless [Refused] says so.
func Is(err error) bool {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// Lack returns an error that is for want of something, and else nil.
func Lack(err error) error {
	if Is(err) {
		return err
	}
	return nil
}

// Refused reports whether an error is that the system refused to take what was
// written, for want of room, so that the file has nothing of it. It is not where
// a sync failed: what was taken and then lost is unknown.
func Refused(err error) bool {
	var path *fs.PathError
	return Is(err) && errors.As(err, &path) && (path.Op == "write" || path.Op == "truncate" || path.Op == "open")
}

// setAside is how many descriptors are held for files that must not fail to
// open. Few are open at once: the final checkpoint, a piece of evidence, a
// snapshot, a segment of raft's log.
const setAside = 16

// reserve is the process's: descriptors are.
var reserve struct {
	mu    sync.Mutex
	spare []*os.File
}

// Try runs f, which opens files, again and again while it fails for want of a
// descriptor and there is one that was set aside. Before, it sets aside what
// earlier callers took.
func Try(f func() error) error {
	refill()
	for {
		err := f()
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) || !giveUp() {
			return err
		}
	}
}

// OpenFile is os.OpenFile for a file that must not fail to open.
func OpenFile(name string, flag int, perm os.FileMode) (f *os.File, err error) {
	err = Try(func() error {
		f, err = os.OpenFile(name, flag, perm)
		return err
	})
	return f, err
}

func refill() {
	reserve.mu.Lock()
	defer reserve.mu.Unlock()
	for len(reserve.spare) < setAside {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		reserve.spare = append(reserve.spare, f)
	}
}

// giveUp frees a descriptor, if one is set aside.
func giveUp() bool {
	reserve.mu.Lock()
	defer reserve.mu.Unlock()
	n := len(reserve.spare)
	if n == 0 {
		return false
	}
	reserve.spare[n-1].Close()
	reserve.spare = reserve.spare[:n-1]
	return true
}
