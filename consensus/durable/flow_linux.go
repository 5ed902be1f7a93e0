package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writing begins to write a part of a file.
func writing(file *os.File, at, size int64) error {
	return rangeOf(file, at, size, unix.SYNC_FILE_RANGE_WRITE)
}

// written waits until a part of a file is written.
func written(file *os.File, at, size int64) error {
	return rangeOf(file, at, size, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
}

func rangeOf(file *os.File, at, size int64, flags int) error {
	err := unix.SyncFileRange(int(file.Fd()), at, size, flags)
	for _, lacks := range []error{unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.ESPIPE, unix.EPERM, unix.EINTR} {
		if errors.Is(err, lacks) { // the kernel, the file system or the sandbox has no such call
			return nil
		}
	}
	return err
}
