package raftlog

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// The frame format of raft-wal's segments, version 0: an 8-byte header, then
// the payload padded to 8 bytes. A commit frame ends each append and carries
// the CRC-32C of everything since the one before.
const (
	segmentHeader = 32
	frameHeader   = 8
)

// A tail describes the newest segment, as mendTail found it.
type tail struct {
	entries    uint64 // in complete appends
	end        int64  // offset after the last complete append
	indexStart uint64 // offset of the index that sealed the segment, or 0
}

// mendTail brings the newest segment of the log in dir into a state from which
// raft-wal v0.4.2 can go on. It repairs two things a crash leaves:
//
//   - A segment sealed, but not yet replaced by a new one. raft-wal opens such a
//     log and then refuses every append with "segment is sealed", for ever.
//   - A torn last append. raft-wal would skip it, but remember a torn seal and
//     again refuse appends.
//
// What is cut off here was never acknowledged. An append that was acknowledged
// and cannot be read is reported, with nothing changed on disk.
func mendTail(dir string, vfs types.VFS, meta types.MetaStore, acked extent) error {
	st, err := meta.Load(dir)
	if err != nil {
		return err
	}
	n := len(st.Segments)
	if n == 0 || !st.Segments[n-1].SealTime.IsZero() {
		return nil
	}
	info := st.Segments[n-1]
	t, err := cutTail(dir, vfs, info, acked)
	if err != nil {
		return err
	}
	if t.indexStart == 0 {
		return nil
	}
	// raft-wal only checks that the times are set, so no clock is read here.
	info.SealTime = info.CreateTime
	info.MaxIndex = info.BaseIndex + t.entries - 1
	info.IndexStart = t.indexStart
	next := types.SegmentInfo{
		ID: st.NextSegmentID, BaseIndex: info.MaxIndex + 1, MinIndex: info.MaxIndex + 1,
		Codec: info.Codec, CreateTime: info.CreateTime, SizeLimit: info.SizeLimit,
	}
	st.Segments = append(st.Segments[:n-1], info, next)
	st.NextSegmentID++
	return meta.CommitState(st)
}

// cutTail removes a torn append from the end of the newest segment and returns
// what is left. It refuses to remove what was acknowledged.
func cutTail(dir string, vfs types.VFS, info types.SegmentInfo, acked extent) (tail, error) {
	name := segment.FileName(info)
	var t tail
	f, err := vfs.OpenWriter(dir, name)
	missing := errors.Is(err, os.ErrNotExist) // crashed before the file was created; raft-wal creates it
	if err != nil && !missing {
		return t, err
	}
	if !missing {
		defer f.Close()
		if t, err = scanTail(f); err != nil {
			return t, err
		}
	}
	if next := info.BaseIndex + t.entries; next <= acked.last {
		return t, &CorruptError{Dir: dir, Index: max(next, acked.first),
			Reason: fmt.Sprintf("unreadable in %s, though entries up to %d were acknowledged", name, acked.last)}
	}
	if missing {
		return t, nil
	}
	return t, clearFrom(f, t.end)
}

// scanTail walks the frames of a segment up to the last append that is
// complete and matches its CRC. Anything else ends the walk; only a failing
// read is an error.
func scanTail(f types.ReadableFile) (tail, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<40), 64<<10)
	crc := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	var good, at tail
	if _, err := io.CopyN(crc, r, segmentHeader); err != nil {
		return good, notEOF(err)
	}
	at.end = segmentHeader
	var h [frameHeader]byte
	for {
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return good, notEOF(err)
		}
		arg := binary.LittleEndian.Uint32(h[4:])
		at.end += frameHeader
		switch h[0] {
		case segment.FrameCommit:
			if crc.Sum32() != arg {
				return good, nil
			}
			crc.Reset()
			good = at
			continue
		case segment.FrameEntry:
			at.entries++
		case segment.FrameIndex:
			at.indexStart = uint64(at.end)
		default:
			return good, nil
		}
		if arg > segment.MaxEntrySize {
			return good, nil
		}
		crc.Write(h[:])
		payload := (int64(arg) + 7) &^ 7
		if _, err := io.CopyN(crc, r, payload); err != nil {
			return good, notEOF(err)
		}
		at.end += payload
	}
}

func notEOF(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// clearFrom zeroes what a torn append left after off.
func clearFrom(f types.WritableFile, off int64) error {
	var buf, zero [64 << 10]byte
	dirty := false
	for {
		n, err := f.ReadAt(buf[:], off)
		if notEOF(err) != nil {
			return err
		}
		if !bytes.Equal(buf[:n], zero[:n]) {
			dirty = true
			if _, err := f.WriteAt(zero[:n], off); err != nil {
				return err
			}
		}
		if n < len(buf) {
			break
		}
		off += int64(n)
	}
	if !dirty {
		return nil
	}
	return f.Sync()
}
