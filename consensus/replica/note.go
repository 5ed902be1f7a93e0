package replica

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNote is matched by every [NoteError].
var ErrNote = errors.New("a note of this member cannot be used")

// NoteError means that a file that this member keeps for itself is damaged, and can
// be moved away: it is learned anew. Files that must never be lost are of
// [durable.ForgottenError].
type NoteError struct {
	File   string
	Reason string
}

func (e *NoteError) Error() string { return fmt.Sprintf("%s: %s", e.File, e.Reason) }

// Chinese returns the text of Error in Chinese.
func (e *NoteError) Chinese() string { return e.File + "：已损坏或不是本节点所写" }

// Is implements the interface of [errors.Is].
func (e *NoteError) Is(target error) bool { return target == ErrNote }

// readNote reads a note of at most limit bytes. Something else in its place, a pipe
// or a device, would hold up the start, or fill the memory.
func readNote(path string, limit int64) ([]byte, error) {
	at, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !at.Mode().IsRegular() || at.Size() > limit {
		return nil, &NoteError{path, fmt.Sprintf("it is no file of at most %d bytes", limit)}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = &NoteError{path, "it grows while it is read"}
	}
	return raw, err
}
