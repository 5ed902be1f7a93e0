package raftlog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"

	"atoll/consensus/durable"
)

// markName is the file with the least that the log must hold.
const markName = "acknowledged"

const markMagic = "atollak1"

// markSize is first, last and head.
const markSize = 8 + 8 + sha256.Size

// extent is the range of entries in a log: first to last, and the link of last.
// The zero extent is the empty log.
type extent struct {
	first, last uint64
	head        link
}

// A mark is a lower bound of the log, kept outside it: at every moment the log
// holds all of first..last, and last has the link head.
//
// It exists because raft-wal takes anything unreadable at the end of its newest
// segment for a torn write and drops it: one flipped byte in the header of a
// frame would silently cost every acknowledged entry after it.
//
// It grows after entries are on disk, without an fsync of its own: a power cut
// may leave it behind, which only weakens the bound. It shrinks before entries
// are deleted, with an fsync.
type mark struct{ record *durable.Record }

// openMark opens the mark in dir and reads it. fresh means that dir holds no
// log yet, so the mark may be created. But a mark that promises entries is not
// replaced, because raft-wal deletes segments it has no metadata for.
func openMark(dir string, fresh bool) (*mark, extent, error) {
	path := filepath.Join(dir, markName)
	record, b, err := durable.OpenRecord(path, markMagic, markSize)
	switch {
	case err == nil && fresh && decodeMark(b).last > 0:
		return nil, extent{}, errors.Join(&CorruptError{Dir: dir, Index: decodeMark(b).first, Reason: "acknowledged, but the log's metadata is missing"}, record.Close())
	case err == nil:
		return &mark{record}, decodeMark(b), nil
	case fresh && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrRecord)): // or half-initialised
		record, err = durable.CreateRecord(path, markMagic, encodeMark(extent{}))
		return &mark{record}, extent{}, err
	case errors.Is(err, fs.ErrNotExist):
		return nil, extent{}, &CorruptError{Dir: dir, Reason: "the file " + markName + " is missing"}
	case errors.Is(err, durable.ErrRecord):
		return nil, extent{}, &CorruptError{Dir: dir, Reason: "the file " + markName + " does not match its hash"}
	}
	return nil, extent{}, err
}

func encodeMark(e extent) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, markSize), e.first)
	b = binary.BigEndian.AppendUint64(b, e.last)
	return append(b, e.head[:]...)
}

// decodeMark is the inverse of encodeMark.
func decodeMark(b []byte) extent {
	e := extent{first: binary.BigEndian.Uint64(b), last: binary.BigEndian.Uint64(b[8:])}
	copy(e.head[:], b[16:])
	return e
}

func (m *mark) set(e extent) error { return m.record.Set(encodeMark(e)) }
func (m *mark) sync() error        { return m.record.Sync() }
func (m *mark) close() error       { return m.record.Close() }
