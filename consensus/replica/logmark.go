package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"atoll/consensus/scarce"
)

// markName is the file that says what the log must hold at least.
const markName = "acknowledged"

const markMagic = "atollak1"

// markSize is magic, first, last, head and a SHA-256 of those. It lies within
// one disk sector, so that a crash leaves the old mark or the new one.
const markSize = 8 + 8 + 8 + sha256.Size + sha256.Size

// extent says which entries a log holds: first to last, and the link of last.
// The zero extent is the empty log.
type extent struct {
	first, last uint64
	head        link
}

// A mark is a lower bound of the log, kept outside it: at every moment the log
// holds all of first..last, and last has the link head.
//
// It is there because raft-wal takes anything it cannot read at the end of its
// newest segment for a torn write and drops it: one flipped byte in the header
// of a frame would silently cost every acknowledged entry behind it.
//
// It grows after entries are on disk, without an fsync of its own: a power cut
// may leave it behind, which only weakens the bound. It shrinks before entries
// are deleted, with an fsync.
type mark struct{ f *os.File }

// openMark opens the mark in dir and reads it. fresh says that dir holds no
// log yet, so that the mark may be created; but a mark that promises entries
// is not replaced: raft-wal deletes segments it has no metadata for.
func openMark(dir string, fresh bool) (*mark, extent, error) {
	path := filepath.Join(dir, markName)
	if fresh {
		if b, err := os.ReadFile(path); err == nil && len(b) == markSize {
			if e, ok := decodeMark(b); ok && e.last > 0 {
				return nil, e, &CorruptError{Dir: dir, Index: e.first, Reason: "acknowledged, but the log's metadata is missing"}
			}
		}
		m, err := createMark(path)
		return m, extent{}, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, extent{}, &CorruptError{Dir: dir, Reason: "the file " + markName + " is missing"}
	}
	if err != nil {
		return nil, extent{}, err
	}
	b := make([]byte, markSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		f.Close()
		return nil, extent{}, fmt.Errorf("reading %s: %w", path, err)
	}
	e, ok := decodeMark(b)
	if !ok {
		f.Close()
		return nil, extent{}, &CorruptError{Dir: dir, Reason: "the file " + markName + " does not match its hash"}
	}
	return &mark{f}, e, nil
}

func createMark(path string) (*mark, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	m := &mark{f}
	if err = m.set(extent{}); err == nil {
		err = m.sync()
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return m, nil
}

func encodeMark(e extent) []byte {
	b := make([]byte, 0, markSize)
	b = append(b, markMagic...)
	b = binary.BigEndian.AppendUint64(b, e.first)
	b = binary.BigEndian.AppendUint64(b, e.last)
	b = append(b, e.head[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func decodeMark(b []byte) (extent, bool) {
	e := extent{first: binary.BigEndian.Uint64(b[8:]), last: binary.BigEndian.Uint64(b[16:])}
	copy(e.head[:], b[24:])
	return e, bytes.Equal(encodeMark(e), b)
}

func (m *mark) set(e extent) error {
	_, err := m.f.WriteAt(encodeMark(e), 0)
	return err
}

func (m *mark) sync() error  { return m.f.Sync() }
func (m *mark) close() error { return m.f.Close() }

func syncDir(dir string) error {
	d, err := scarce.OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
