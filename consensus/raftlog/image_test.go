package raftlog

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft-wal/segment"
)

const written = 45 // entries in the log that the tests below damage

// A place is where one record is on disk.
type place struct {
	file     string
	off, end int // of its bytes, without frame header and padding
	sealed   bool
}

// image writes a log and returns its files and the place of each record.
func image(t *testing.T) (map[string][]byte, map[uint64]place) {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, Options{SegmentSize: 4 << 10})
	fill(t, l, 1, written)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, places := map[string][]byte{}, map[uint64]place{}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = b
	}
	index := uint64(1)
	for _, name := range names {
		if filepath.Ext(name) == ".wal" {
			index = locate(filepath.Base(name), files[filepath.Base(name)], index, places)
		}
	}
	if len(places) != written {
		t.Fatalf("found %d records, want %d", len(places), written)
	}
	return files, places
}

// locate walks the frames of one segment, whose first entry is index.
func locate(name string, b []byte, index uint64, places map[uint64]place) uint64 {
	first, sealed := index, false
	for off := segmentHeader; off+frameHeader <= len(b); {
		size := int(binary.LittleEndian.Uint32(b[off+4:]))
		switch b[off] {
		case segment.FrameEntry:
			places[index] = place{name, off + frameHeader, off + frameHeader + size, false}
			index++
		case segment.FrameIndex:
			sealed = true
		case segment.FrameCommit:
			size = 0
		default:
			size = len(b)
		}
		off += frameHeader + (size+7)&^7
	}
	for i := first; i < index; i++ {
		p := places[i]
		p.sealed = sealed
		places[i] = p
	}
	return index
}

// plant writes the files into a new directory.
func plant(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
