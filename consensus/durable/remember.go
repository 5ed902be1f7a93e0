package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ForgottenError means that a file which a member must never lose is missing or
// damaged. Until the file itself is back, the member must not sign anything. It
// matches [ErrForgotten].
type ForgottenError struct {
	File   string
	Reason string
}

func (e *ForgottenError) Error() string {
	return fmt.Sprintf("%s: %s: this member cannot tell which history it vouched for", e.File, e.Reason)
}

// Chinese returns the text of Error in Chinese.
func (e *ForgottenError) Chinese() string {
	return e.File + "：缺失或损坏，无法得知曾为哪个历史签名"
}

// Is implements the interface of [errors.Is].
func (e *ForgottenError) Is(target error) bool { return target == ErrForgotten }

// ErrForgotten is matched by every [ForgottenError].
var ErrForgotten = errors.New("a file that must never be lost is missing or damaged")

// Remember opens a record that must never be lost, and returns its content. If
// fresh is true, nothing can have been recorded yet, and a missing record is
// created with first as its content. Errors are *[ForgottenError] or the file's
// own.
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
