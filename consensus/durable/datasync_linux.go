package durable

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Datasync returns when the content of a file is on disk. Unlike its Sync it does
// not wait for times, so a file whose size stays costs one write and no entry in
// the file system's own journal.
func Datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return &fs.PathError{Op: "sync", Path: f.Name(), Err: err}
		}
	}
}
