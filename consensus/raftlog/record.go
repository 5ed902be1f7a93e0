package raftlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/hashicorp/raft"
)

// A link is the SHA-256 hash of one record and of all before it in its chain.
// The zero link is what the first record of a chain follows.
type link [sha256.Size]byte

// trailer is what each stored record carries in front of raft's own
// extensions: the link it follows and its own.
const trailer = 2 * sha256.Size

// CorruptError means that the disk does not hold what was written.
type CorruptError struct {
	Dir    string
	Index  uint64 // the first entry known to be affected, 0 if unknown
	Reason string
}

func (e *CorruptError) Error() string {
	if e.Index == 0 {
		return fmt.Sprintf("raft log in %s is corrupt: %s", e.Dir, e.Reason)
	}
	return fmt.Sprintf("raft log in %s is corrupt: entry %d: %s", e.Dir, e.Index, e.Reason)
}

// chain returns the link of the record that holds l and follows prev. Every
// field and every length is hashed, so that no byte can move from one field to
// the next unnoticed.
func chain(prev link, l *raft.Log) (link, error) {
	at, err := l.AppendedAt.MarshalBinary()
	if err != nil {
		return link{}, err
	}
	b := make([]byte, 0, 128)
	b = append(b, "atoll raft log 1\x00"...)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint64(b, l.Index)
	b = binary.BigEndian.AppendUint64(b, l.Term)
	b = append(b, byte(l.Type))
	b = binary.BigEndian.AppendUint64(b, uint64(len(l.Data)))
	h := sha256.New()
	h.Write(b)
	h.Write(l.Data)
	b = binary.BigEndian.AppendUint64(b[:0], uint64(len(l.Extensions)))
	h.Write(b)
	h.Write(l.Extensions)
	h.Write(at)
	var sum link
	h.Sum(sum[:0])
	return sum, nil
}

// wrap returns the record to store for l after prev, and its link. The links
// are in the extensions because raft-wal v0.4.2 cannot reopen a log written
// with any codec but its own. l itself is not changed: raft's LogCache gives
// the same pointer to readers.
func wrap(prev link, l *raft.Log) (*raft.Log, link, error) {
	sum, err := chain(prev, l)
	if err != nil {
		return nil, link{}, err
	}
	r := *l
	r.Extensions = make([]byte, 0, trailer+len(l.Extensions))
	r.Extensions = append(r.Extensions, prev[:]...)
	r.Extensions = append(r.Extensions, sum[:]...)
	r.Extensions = append(r.Extensions, l.Extensions...)
	return &r, sum, nil
}

// unwrap undoes wrap in place and returns the two links of the record. The
// reason is empty if the record is the one written for index.
func unwrap(r *raft.Log, index uint64) (prev, sum link, reason string) {
	if len(r.Extensions) < trailer {
		return prev, sum, "the record carries no hash"
	}
	copy(prev[:], r.Extensions)
	copy(sum[:], r.Extensions[sha256.Size:])
	r.Extensions = bytes.Clone(r.Extensions[trailer:])
	if len(r.Extensions) == 0 {
		r.Extensions = nil
	}
	want, err := chain(prev, r)
	switch {
	case err != nil:
		return prev, sum, err.Error()
	case want != sum:
		return prev, sum, "the record does not match its hash"
	case r.Index != index:
		return prev, sum, fmt.Sprintf("the record of entry %d stands in its place", r.Index)
	}
	return prev, sum, ""
}
