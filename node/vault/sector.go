package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// The journal is a row of sectors, because a disk writes a sector of 512 bytes
// whole or not at all. Whatever is written to it at a time begins at a sector of
// its own, so that nothing that was acknowledged is ever written again.
//
// A sector is checksum (4 bytes) ‖ id of vault.db (8) ‖ generation (8) ‖ its number,
// first and count (4 each) ‖ content ‖ 0xa5. Numbers are big-endian. The checksum is
// CRC-32C of what follows it; first and count say which sectors were written with
// this one.
const (
	sectorSize = 512
	sectorHead = 4 + 8 + 8 + 4 + 4 + 4
	sectorRoom = sectorSize - sectorHead - 1
	sectorEnd  = 0xa5 // the last byte; zero where a sector is not, or not all, written
)

var (
	errDamaged = fmt.Errorf("%w: vault.journal is damaged", ErrCorrupt)
	errForeign = fmt.Errorf("%w: vault.journal belongs to another vault.db: they are put back, or removed, together", ErrCorrupt)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An era says which sectors count: those of one vault.db, since it last took what
// the journal had.
type era struct {
	vault      [8]byte // random, in vault.db
	generation uint64
}

// newEra is that of a vault.db which is new.
func newEra() (e era) {
	rand.Read(e.vault[:]) // never fails
	return e
}

func (e era) encode() []byte { return binary.BigEndian.AppendUint64(e.vault[:], e.generation) }

func parseEra(b []byte) (e era, ok bool) {
	if len(b) != 16 {
		return era{}, false
	}
	return era{[8]byte(b), binary.BigEndian.Uint64(b[8:])}, true
}

// sectorsFor returns how many sectors a step of so many bytes takes.
func sectorsFor(size int) int { return (4 + size + sectorRoom - 1) / sectorRoom }

// frame returns the sectors that hold a step, beginning with sector first. Their
// content is its length (4 bytes) ‖ the step ‖ zeros.
func (e era) frame(first int, step []byte) []byte {
	count := sectorsFor(len(step))
	content := binary.BigEndian.AppendUint32(make([]byte, 0, count*sectorRoom), uint32(len(step)))
	content = append(content, step...)[:count*sectorRoom]
	out := make([]byte, 0, count*sectorSize)
	for i := range count {
		at := len(out)
		out = append(out, 0, 0, 0, 0)
		out = append(out, e.encode()...)
		for _, n := range []int{first + i, first, count} {
			out = binary.BigEndian.AppendUint32(out, uint32(n))
		}
		out = append(out, content[i*sectorRoom:(i+1)*sectorRoom]...)
		out = append(out, sectorEnd)
		binary.BigEndian.PutUint32(out[at:], crc32.Checksum(out[at+4:], castagnoli))
	}
	return out
}

type sector struct {
	era           era
	number, first int
	count         int
	content       []byte
}

// parseSector returns nil for a sector that is not written to its end. What is,
// must be as it was written.
func parseSector(b []byte) (*sector, error) {
	if len(b) < sectorSize || b[sectorSize-1] == 0 {
		return nil, nil
	}
	if b[sectorSize-1] != sectorEnd || binary.BigEndian.Uint32(b) != crc32.Checksum(b[4:sectorSize], castagnoli) {
		return nil, errDamaged
	}
	e, _ := parseEra(b[4:20])
	n := func(at int) int { return int(binary.BigEndian.Uint32(b[at:])) }
	return &sector{e, n(20), n(24), n(28), b[sectorHead : sectorSize-1]}, nil
}

// parseJournal returns the steps of this era in a journal, in their order, without
// the empty one that begins it. begun reports whether it is there. If it is not, the
// journal is still that of the era before: power failed after vault.db had begun this
// one. Nothing else may be at the beginning of a journal.
//
// A crash may leave any of the sectors that were written last, when nobody was
// told yet that they are: what is not complete there is no step. Nothing follows
// it, because every step is synced before the next is written. So a step that is
// not complete and not the last was damaged, and so is a sector that is written to
// its end and is not what was written. Both are [ErrCorrupt], as are sectors of
// another vault.db and of one that is newer than this: they hold what was
// acknowledged.
func (e era) parseJournal(image []byte) (steps [][]byte, begun bool, err error) {
	sectors, err := e.sectors(image)
	if err == nil {
		begun, err = e.begins(image)
	}
	if err != nil {
		return nil, false, err
	}
	if !begun {
		if slices.ContainsFunc(sectors, func(s *sector) bool { return s != nil }) {
			err = errDamaged
		}
		return nil, false, err
	}
	for at := 0; at < len(sectors); {
		step, count, err := joined(sectors, at)
		switch {
		case err != nil:
			return nil, false, err
		case count == 0 && at > 0:
			return steps, true, last(sectors, at)
		case at > 0:
			steps = append(steps, step)
		case count != 1 || len(step) > 0:
			return nil, false, errDamaged
		}
		at += count
	}
	return steps, true, nil
}

// begins reports whether a journal begins with a sector of this era, and not with
// one of the era before.
func (e era) begins(image []byte) (bool, error) {
	s, err := parseSector(image)
	switch {
	case err != nil:
		return false, err
	case s == nil:
		return false, fmt.Errorf("%w: the beginning of vault.journal is missing", ErrCorrupt)
	case s.era.generation+1 < e.generation:
		return false, fmt.Errorf("%w: vault.journal is older than vault.db: they are put back, or removed, together", ErrCorrupt)
	}
	return s.era == e, nil
}

// unused reports whether no vault.db has ever had a journal with this image, or a
// part of one: nothing follows its beginning, and it is of the first era of one.
func unused(image []byte) bool {
	s, err := parseSector(image)
	if err != nil || s != nil && s.era.generation > 0 {
		return false
	}
	return len(bytes.Trim(image[min(len(image), sectorSize):], "\x00")) == 0
}

// sectors returns the sectors of this era by number, with nil for others.
func (e era) sectors(image []byte) (list []*sector, err error) {
	list = make([]*sector, (len(image)+sectorSize-1)/sectorSize)
	for i := range list {
		s, err := parseSector(image[i*sectorSize:])
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			continue
		case s.era.vault != e.vault:
			return nil, errForeign
		case s.era.generation > e.generation:
			return nil, fmt.Errorf("%w: vault.db is older than vault.journal: they are put back, or removed, together", ErrCorrupt)
		case s.era.generation < e.generation:
			continue // vault.db has it
		case s.number != i || s.first > i || i >= s.first+s.count:
			return nil, errDamaged
		}
		list[i] = s
	}
	return list, nil
}

// joined returns the step that begins at a sector and how many sectors it has, 0
// if it is not complete.
func joined(sectors []*sector, at int) (step []byte, count int, err error) {
	s := sectors[at]
	if s == nil || s.first != at || s.count > len(sectors)-at {
		return nil, 0, nil
	}
	content := make([]byte, 0, s.count*sectorRoom)
	for _, part := range sectors[at : at+s.count] {
		if part == nil || part.first != at || part.count != s.count {
			return nil, 0, nil
		}
		content = append(content, part.content...)
	}
	size := int(binary.BigEndian.Uint32(content))
	if content = content[4:]; size > len(content) || sectorsFor(size) != s.count || len(bytes.Trim(content[size:], "\x00")) > 0 {
		return nil, 0, errDamaged
	}
	return content[:size], s.count, nil
}

// last checks that the step that begins at a sector, and is not complete, is the
// last of all.
func last(sectors []*sector, at int) error {
	count := 0
	for _, s := range sectors[at:] {
		if s == nil {
			continue
		}
		if count == 0 {
			count = s.count
		}
		if s.first != at || s.count != count || count > len(sectors)-at {
			return fmt.Errorf("%w: a part of vault.journal is missing", ErrCorrupt)
		}
	}
	return nil
}
