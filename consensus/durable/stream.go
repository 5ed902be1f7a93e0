package durable

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Stream writes a file of any size: write is called once, with the file that it
// fills. The file gets its name when all of it is on disk, and only its owner can
// read it (mode 0600). Folders above it are created (mode 0700). The error is
// [fs.ErrExist] if there is a file of that name, before write is called or after.
// With replace it is replaced, in whichever way it came there; what is no regular
// file and no link is refused. After an error nothing new is there.
//
// Until it has its name the file has none, so that a process that is killed
// leaves nothing. Where a file system has no files without a name, the unfinished
// file is one in the same folder, whose name begins with a dot.
func Stream(path string, replace bool, write func(io.Writer) error) error {
	if err := Vacant(path, replace); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := folders(dir); err != nil {
		return err
	}
	f, name, err := unnamed(dir)
	if err != nil {
		return err
	}
	if f.Name() != dir { // one that has a name after all
		defer removed(f.Name())
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = name(path)
		if errors.Is(err, fs.ErrExist) && replace {
			err = renamed(path, name)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return SyncFolder(dir)
}

// Vacant returns nil if [Stream] may write a file of this name.
func Vacant(path string, replace bool) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !replace:
		return &fs.PathError{Op: "write", Path: path, Err: fs.ErrExist}
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink:
		return &fs.PathError{Op: "replace", Path: path, Err: errNotFile}
	}
	return nil
}

// errNotFile means that something other than a file would be replaced.
var errNotFile = errors.New("not a regular file")

// renamed gives a file its name in place of another file.
func renamed(path string, name func(path string) error) error {
	if err := Vacant(path, true); err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(path), "."+rand.Text()+".new")
	if err := name(part); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return errors.Join(err, removed(part))
	}
	return nil
}

// hidden creates a file whose name begins with a dot. The function it returns
// gives it another name, unless that is taken.
func hidden(dir string) (*os.File, func(path string) error, error) {
	f, err := os.CreateTemp(dir, ".atoll-*.part") // mode 0600
	if err != nil {
		return nil, nil, err
	}
	return f, func(path string) error {
		switch err := os.Link(f.Name(), path); {
		case errors.Is(err, fs.ErrExist):
			return err
		case err == nil:
			return removed(f.Name())
		}
		if err := Vacant(path, false); err != nil { // no hard links here
			return err
		}
		return os.Rename(f.Name(), path)
	}, nil
}
