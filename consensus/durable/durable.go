// Package durable writes files that are still there, and whole, after a crash:
// what a function here has written when it returns nil is on disk, the name in
// the folder included. A file is synced, and then its folder: without the
// second the name of a new file may be lost, and the file with it.
//
// [Replace], [ReplaceShared] and [Create] write a file whole or not at all. A [Record] is a small one that is
// written again and again in its place.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"atoll/consensus/scarce"
)

// Replace gives a file new content: all of it, or what was there before. Only
// its owner may read it (mode 0600). The folder must be the caller's own: what is
// half written stands in path+".new", and no two callers may replace one file at
// once. It does not lack descriptors as long as some are set aside, see
// [scarce.OpenFile].
func Replace(path string, data []byte) error {
	part, err := scarce.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return replaceBy(part, path, data)
}

// ReplaceShared is [Replace] in a folder where others write too: what is half
// written has a name that nobody else uses or can foresee, so that several
// processes may replace one file, and the last one wins.
func ReplaceShared(path string, data []byte) error {
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	return replaceBy(part, path, data)
}

// replaceBy puts data into a file that is there for it, and that in place of another.
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

// Create writes a file that is not there yet, and makes the folders above it
// (mode 0700). Errors: [fs.ErrExist]. After any other error there is no file.
func Create(path string, data []byte, mode fs.FileMode) error {
	if err := folders(filepath.Dir(path)); err != nil {
		return err
	}
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

// folders makes a folder and those above it, each of which is a name in the one
// above.
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

// removed removes what an attempt has left, if it has left anything.
func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
