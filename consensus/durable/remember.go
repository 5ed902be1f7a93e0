package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ForgottenError means that what a member must remember, whatever becomes of
// everything else that it has on disk, is missing or not as it was written. It
// must not sign anything before that is back.
type ForgottenError struct {
	File   string
	Reason string
}

func (e *ForgottenError) Error() string {
	return fmt.Sprintf("%s: %s: this member cannot tell which history it vouched for; restore the file", e.File, e.Reason)
}

// Remember opens a record of what must not be forgotten and returns what it
// holds; where fresh says that nothing can have been remembered yet, it may
// create it, with what it holds at first. Errors: *[ForgottenError], or of the file.
func Remember(path, magic string, fresh bool, first []byte) (*Record, []byte, error) {
	r, data, err := OpenRecord(path, magic, len(first))
	switch {
	case errors.Is(err, ErrRecord):
		return nil, nil, &ForgottenError{path, err.Error()}
	case !errors.Is(err, fs.ErrNotExist):
		return r, data, err
	case !fresh:
		return nil, nil, missing(path)
	}
	r, err = CreateRecord(path, magic, first)
	return r, first, err
}

// RememberFile is [Remember] for a file of any size, which is read here and
// written with [Replace].
func RememberFile(path string, fresh bool, first []byte) ([]byte, error) {
	b, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if !fresh {
		return nil, missing(path)
	}
	return first, Replace(path, first)
}

func missing(path string) error { return &ForgottenError{path, "it is missing"} }
