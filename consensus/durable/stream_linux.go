package durable

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// unnamed creates a file without a name. The function it returns gives it one,
// unless that is taken.
func unnamed(dir string) (*os.File, func(path string) error, error) {
	fd, err := unix.Open(dir, unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return hidden(dir) // says what is wrong, unless the file system has no such files
	}
	f := os.NewFile(uintptr(fd), dir)
	self := fmt.Sprintf("/proc/self/fd/%d", fd)
	if _, err := os.Lstat(self); err != nil { // no way to name it
		f.Close() // it is empty
		return hidden(dir)
	}
	return f, func(path string) error {
		err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
		if err != nil {
			return &fs.PathError{Op: "write", Path: path, Err: err}
		}
		return nil
	}, nil
}
