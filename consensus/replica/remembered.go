package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"atoll/consensus/scarce"
	"atoll/crypto/tlog"
)

// What a member must not forget, whatever becomes of raft's log and of the
// database, lies in two files of its own.
const (
	cosignedName = "cosigned" // the largest head it has cosigned
	finalName    = "final"    // the newest final checkpoint it knows, as signed; empty before there is one
)

const cosignedMagic = "atollco1"

// cosignedSize is magic, size, root, time and a SHA-256 of those. It lies
// within one disk sector, so that a crash leaves the old head or the new one.
const cosignedSize = 8 + 8 + sha256.Size + 8 + sha256.Size

// cosigned is the largest head that a member has put its cosignature under, and
// since when, in seconds since 1970.
type cosigned struct {
	head tlog.Head
	time uint64
}

func (c cosigned) encode() []byte {
	b := append(make([]byte, 0, cosignedSize), cosignedMagic...)
	b = binary.BigEndian.AppendUint64(b, c.head.Size)
	b = append(b, c.head.Root[:]...)
	b = binary.BigEndian.AppendUint64(b, c.time)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decodeCosigned is the inverse of encode; ok says whether it is one.
func decodeCosigned(b []byte) (c cosigned, ok bool) {
	if len(b) != cosignedSize {
		return c, false
	}
	c.head.Size = binary.BigEndian.Uint64(b[8:])
	copy(c.head.Root[:], b[16:])
	c.time = binary.BigEndian.Uint64(b[16+sha256.Size:])
	return c, bytes.Equal(c.encode(), b)
}

// ForgottenError means that what this member must remember of heads is missing
// or not as it was written. It must not sign anything before that is back.
type ForgottenError struct {
	File   string
	Reason string
}

func (e *ForgottenError) Error() string {
	return fmt.Sprintf("%s: %s: this member cannot tell which history it vouched for; restore the file", e.File, e.Reason)
}

// readRemembered reads one of the files, or creates it where nothing can have
// been remembered yet.
func readRemembered(path string, fresh bool, initial []byte) ([]byte, error) {
	b, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if !fresh {
		return nil, &ForgottenError{path, "it is missing"}
	}
	return initial, replaceFile(path, initial)
}

// replaceFile writes a file whole or not at all, durably. It does not lack
// descriptors as long as there are some that were set aside.
func replaceFile(path string, data []byte) error {
	part := path + ".new"
	f, err := scarce.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// cosignedFile keeps the largest cosigned head. Many may raise it at once: one
// sync serves all that came before it.
type cosignedFile struct {
	f *os.File

	mu      sync.Mutex
	newest  cosigned // what the file is to say
	asked   uint64   // number of raises
	saved   uint64   // number of raises that are on disk
	broken  error    // of a write; what the file says is then unknown
	writing sync.Mutex
}

// openCosigned opens or creates the file and returns what it says.
func openCosigned(dir string, fresh bool) (*cosignedFile, error) {
	path := filepath.Join(dir, cosignedName)
	b, err := readRemembered(path, fresh, cosigned{head: tlog.New(nil).Head()}.encode())
	if err != nil {
		return nil, err
	}
	c, ok := decodeCosigned(b)
	if !ok {
		return nil, &ForgottenError{path, "it does not match its hash"}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &cosignedFile{f: f, newest: c}, nil
}

// raise makes a head the largest. When [cosignedFile.settle] then returns, the
// file says so, and will whatever happens. Held: mu.
func (c *cosignedFile) raise(to cosigned) {
	c.newest = to
	c.asked++
}

// settle waits for every raise before it to be on disk.
func (c *cosignedFile) settle() error {
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
	if _, err = c.f.WriteAt(newest.encode(), 0); err == nil {
		err = c.f.Sync()
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
