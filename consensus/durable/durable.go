// Package durable writes files that are complete and still exist after a crash.
// When a function here returns nil, the content is on disk, and so is the name
// in its folder. The file is synced first and then its folder: without the
// second sync the name of a new file may be lost, and the file with it.
//
// [Replace], [ReplaceShared], [Create] and [Stream] write a whole file or nothing. A
// [Record] is a small file that is rewritten in place.
package durable

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"atoll/consensus/scarce"
)

// Replace replaces the content of a file: afterwards the file has all of the
// new content, or still the old. Only its owner can read it (mode 0600). The
// folder must be the caller's own: the unfinished file is path+".new", and two
// callers must not replace the same file at the same time. Replace can use
// reserved descriptors, see [scarce.OpenFile].
func Replace(path string, data []byte) error {
	part, err := scarce.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return replaceBy(part, path, data)
}

// ReplaceShared is [Replace] for a folder in which others write too. The
// unfinished file has an unpredictable name that nobody else uses, so several
// processes may replace the same file; the last one wins.
func ReplaceShared(path string, data []byte) error {
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	return replaceBy(part, path, data)
}

// replaceBy writes data to part, an empty file, and renames part to path.
func replaceBy(part *os.File, path string, data []byte) error {
	err := fill(part, data)
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return errors.Join(err, removed(part.Name()))
	}
	return SyncFolder(filepath.Dir(path))
}

// Create writes a file that does not exist yet, and creates the folders above
// it (mode 0700). The error is [fs.ErrExist] if the file exists. After any
// other error there is no file.
//
// The file has its name only once it is whole: nobody sees half of it, and none is
// left by a process that is killed. That takes a second name, so a file system without
// hard links does not give it.
func Create(path string, data []byte, mode fs.FileMode) error {
	if err := folders(filepath.Dir(path)); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return exists(path)
	}
	if err := createWhole(path, data, mode); !errors.Is(err, errNoLink) {
		return err
	}
	return createInPlace(path, data, mode)
}

// errNoLink means that a file could not be given a second name.
var errNoLink = errors.New("no hard link")

func exists(path string) error { return &fs.PathError{Op: "open", Path: path, Err: syscall.EEXIST} }

func createWhole(path string, data []byte, mode fs.FileMode) error {
	part := filepath.Join(filepath.Dir(path), "."+rand.Text()+".new")
	f, err := scarce.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return about(path, err)
	}
	if err := fill(f, data); err != nil {
		return errors.Join(about(path, err), removed(part))
	}
	switch err := os.Link(part, path); {
	case errors.Is(err, fs.ErrExist):
		return errors.Join(exists(path), removed(part))
	case err != nil:
		return errors.Join(errNoLink, err, removed(part))
	}
	return errors.Join(removed(part), SyncFolder(filepath.Dir(path)))
}

// about is an error of an unfinished file, by the name that the file was to have.
func about(path string, err error) error {
	if p := new(fs.PathError); errors.As(err, &p) {
		p.Path = path
	}
	return err
}

func createInPlace(path string, data []byte, mode fs.FileMode) error {
	f, err := scarce.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := fill(f, data); err != nil {
		return errors.Join(err, removed(path))
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(path string) error {
	d, err := scarce.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// folders creates a folder and the missing ones above it, and makes their names
// durable.
func folders(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(path)
	if err := folders(above); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncFolder(above)
}

// fill writes data to a new file, syncs and closes it.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removed removes an unfinished file, if there is one.
func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
