// Package scarce handles shortages of resources that all programs of a machine
// share: descriptors, kernel memory, and space on a disk. Such a shortage is a
// temporary error; the disk is not broken.
//
// [Is] distinguishes such errors from others. [Try] and [OpenFile] open files
// that must not fail to open, and use reserved descriptors if necessary.
// [Wants] records present shortages, for an operator who can end them. [Divide]
// divides a process's descriptors between its own needs and everybody who can
// make it open a socket, so that its own needs are always met.
package scarce

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// Is reports whether an error means that the machine lacks a resource now. The
// caller decides whether to try again: after a failed write it is unknown what
// is on disk, unless [Refused] reports that nothing is.
func Is(err error) bool {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// Full reports whether an error means that a disk, or what this user may have of
// it, is full.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Lack returns err if it is a shortage, otherwise nil.
func Lack(err error) error {
	if Is(err) {
		return err
	}
	return nil
}

// Refused reports whether the system refused a write for lack of space, so that
// none of it is in the file. It returns false for a failed sync, after which it
// is unknown what was lost.
func Refused(err error) bool {
	var path *fs.PathError
	return Is(err) && errors.As(err, &path) && (path.Op == "write" || path.Op == "truncate" || path.Op == "open")
}

// setAside is the number of descriptors reserved for files that must not fail
// to open. Few such files are open at a time: the final checkpoint, a piece of
// evidence, a snapshot, a segment of raft's log.
const setAside = 16

// reserve belongs to the whole process, as descriptors do.
var reserve struct {
	mu    sync.Mutex
	spare []*os.File
}

// Try runs f, which opens files. While f fails for lack of a descriptor, Try
// frees a reserved one and runs f again. First it replaces reserved descriptors
// that earlier calls have used.
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

// giveUp frees a reserved descriptor. It reports whether there was one.
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
