package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"

	"github.com/hashicorp/raft"
)

// disownedName is the file with the name of a snapshot whose servers the log does
// not say. The next start removes the snapshot, and what raft's log has behind it.
const disownedName = "disowned"

// falseServersError is that of a snapshot whose servers the log does not say.
type falseServersError struct {
	snapshot string // its name
	err      error
}

func (e *falseServersError) Error() string {
	return fmt.Sprintf("raft's snapshot %s: %v", e.snapshot, e.err)
}

func (e *falseServersError) Unwrap() error { return e.err }

// serversAt returns an error unless a snapshot's servers are what the log says at
// a size that it has come to.
func (r *Replica) serversAt(v ledger.View, size uint64, c raft.Configuration) error {
	log, err := r.by(v, size)
	if err == nil {
		err = r.roster.steps(nil, c, log)
	}
	return err
}

// disown notes that a snapshot from another member is to be removed, if that is
// why the catching up ends. Raft has replaced its own log by the snapshot before
// this member could know what the log says there, and it would meet it again at
// each start. What the snapshot covers is applied here by then, and proved, so
// nothing that counts is lost: raft here begins with nothing, as one that has lost
// its files, and what it promised is kept elsewhere.
func (r *Replica) disown(err error) error {
	var f *falseServersError
	if !errors.As(err, &f) {
		return err
	}
	if flushing := r.store.Flush(); flushing != nil {
		return errors.Join(err, flushing)
	}
	return errors.Join(err, durable.Replace(filepath.Join(r.dir, disownedName), []byte(f.snapshot)))
}

// maxDisowned is the size limit of the file in bytes.
const maxDisowned = 255

// removeDisowned removes the snapshot that an earlier run has disowned. A note of one
// that is not there removes nothing else: it is an old one, put back.
func removeDisowned(dir string) (name string, err error) {
	note := filepath.Join(dir, disownedName)
	b, err := readNote(note, maxDisowned)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	name = string(b)
	if err == nil && (!filepath.IsLocal(name) || name != filepath.Base(name) || name == ".") {
		err = &NoteError{note, "it does not name a snapshot"}
	}
	if err != nil {
		return "", err
	}
	snapshot := filepath.Join(dir, "snapshots", name)
	if _, err := os.Lstat(snapshot); errors.Is(err, fs.ErrNotExist) {
		return "", os.Remove(note)
	}
	// The snapshot goes last: a crash before that leaves all to be done again.
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "raft")), os.RemoveAll(snapshot)); err != nil {
		return "", err
	}
	return name, os.Remove(note)
}
