package replica

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"atoll/consensus/durable"
	"atoll/crypto/tlog"
)

// What a member must not forget, whatever happens to raft's log and the
// database, is stored in two files of its own.
const (
	cosignedName = "cosigned" // the largest head it has cosigned
	finalName    = "final"    // the newest final checkpoint it knows, as signed; noFinal before there is one
)

// noFinal is in the file of the newest final checkpoint before there is one: a disk leaves
// empty files, and an empty file is no memory.
const noFinal = "none\n"

// recallFinal returns the newest final checkpoint that a member remembers, nil for none.
// fresh says that it can have none yet.
func recallFinal(path string, fresh bool) ([]byte, error) {
	signed, err := durable.RememberFile(path, fresh, []byte(noFinal))
	switch {
	case err != nil:
		return nil, err
	case string(signed) == noFinal, len(signed) == 0 && fresh:
		return nil, nil
	case len(signed) == 0:
		return nil, &durable.ForgottenError{File: path, Reason: "it is empty"}
	}
	return signed, nil
}

const cosignedMagic = "atollco1"

// cosignedSize is size, root and time.
const cosignedSize = 8 + sha256.Size + 8

// cosigned is the largest head that a member has cosigned, and since when, in
// seconds since 1970.
type cosigned struct {
	head tlog.Head
	time uint64
}

func (c cosigned) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cosignedSize), c.head.Size)
	b = append(b, c.head.Root[:]...)
	return binary.BigEndian.AppendUint64(b, c.time)
}

// decodeCosigned is the inverse of encode.
func decodeCosigned(b []byte) (c cosigned) {
	c.head.Size = binary.BigEndian.Uint64(b)
	copy(c.head.Root[:], b[8:])
	c.time = binary.BigEndian.Uint64(b[8+sha256.Size:])
	return c
}

// cosignedFile stores the largest cosigned head. Many callers may raise it
// concurrently: one sync serves all earlier raises.
type cosignedFile struct {
	record *durable.Record
	syncs  atomic.Uint64

	mu      sync.Mutex
	newest  cosigned // what the file is to contain
	asked   uint64   // number of raises
	saved   uint64   // number of raises that are on disk
	broken  error    // of a write; the file's content is then unknown
	writing sync.Mutex
}

// openCosigned opens or creates the file and returns its content.
func openCosigned(dir string, fresh bool) (*cosignedFile, error) {
	record, b, err := durable.Remember(filepath.Join(dir, cosignedName), cosignedMagic, fresh, cosigned{head: tlog.New(nil).Head()}.encode())
	if err != nil {
		return nil, err
	}
	return &cosignedFile{record: record, newest: decodeCosigned(b)}, nil
}

// raise makes a head the largest. When [cosignedFile.sync] then returns, the
// file has it, durably. Held: mu.
func (c *cosignedFile) raise(to cosigned) {
	c.newest = to
	c.asked++
}

// sync waits until every earlier raise is on disk.
func (c *cosignedFile) sync() error {
	c.mu.Lock()
	mine := c.asked
	c.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	newest, asked, done, err := c.newest, c.asked, c.saved >= mine, c.broken
	c.mu.Unlock()
	if done || err != nil {
		return err
	}
	if err = c.record.Set(newest.encode()); err == nil {
		err = c.record.Sync()
		c.syncs.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.broken = fmt.Errorf("write %s: %w", cosignedName, err)
		return c.broken
	}
	c.saved = asked
	return nil
}
