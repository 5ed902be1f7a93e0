package raftlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// readAll opens a log and reads all of it. An altered entry fails the test.
func readAll(t *testing.T, dir string) error {
	t.Helper()
	l, err := Open(dir, Options{SegmentSize: 4 << 10})
	if err != nil {
		return err
	}
	defer l.Close()
	for i := uint64(1); i <= written; i++ {
		var got raft.Log
		if err := l.GetLog(i, &got); err != nil {
			return err
		}
		if !reflect.DeepEqual(&got, entry(i)) {
			t.Fatalf("entry %d reads back as %+v", i, got)
		}
	}
	return l.Verify(t.Context())
}

// TestFlippedByte flips bytes one at a time: inside a record it is always found
// and the entry named, anywhere else it is found or harmless.
func TestFlippedByte(t *testing.T) {
	files, places := image(t)
	owner := map[string]map[int]uint64{}
	for i, p := range places {
		if owner[p.file] == nil {
			owner[p.file] = map[int]uint64{}
		}
		for off := p.off; off < p.end; off++ {
			owner[p.file][off] = i
		}
	}
	found, elsewhere := 0, 0
	for name, whole := range files {
		if filepath.Ext(name) != ".wal" {
			continue
		}
		used := len(bytes.TrimRight(whole, "\x00")) + 64
		for off := 0; off < min(used, len(whole)); off += 5 {
			damaged := bytes.Clone(whole)
			damaged[off] ^= 1 << (off % 8)
			files[name] = damaged
			err := readAll(t, plant(t, files))
			i, inside := owner[name][off]
			if !inside {
				elsewhere++
				if err != nil && !isCorrupt(err) {
					t.Errorf("%s offset %d: %v, want CorruptError", name, off, err)
				}
				continue
			}
			var c *CorruptError
			if !errors.As(err, &c) || c.Index != i {
				t.Errorf("%s offset %d is in entry %d: %v", name, off, i, err)
			}
			found++
		}
		files[name] = whole
	}
	if found < written || elsewhere == 0 {
		t.Fatalf("only %d flips inside records and %d elsewhere", found, elsewhere)
	}
}

func isCorrupt(err error) bool {
	var c *CorruptError
	return errors.As(err, &c)
}

// TestFlippedMeta flips bytes of the files around the segments. What raft-wal
// keeps there may be used or not, but it must never lead to other entries.
func TestFlippedMeta(t *testing.T) {
	files, _ := image(t)
	for _, name := range []string{markName, "wal-meta.db"} {
		whole := files[name]
		found, step := 0, max(1, len(whole)/400)
		for off := 0; off < len(whole); off += step {
			damaged := bytes.Clone(whole)
			damaged[off] ^= 0x10
			files[name] = damaged
			if readAll(t, plant(t, files)) != nil {
				found++
			}
		}
		files[name] = whole
		if name == markName && found != len(whole) {
			t.Errorf("%d of %d flips in %s found", found, len(whole), name)
		}
	}
}

// TestCutMeta cuts the file of raft-wal's metadata off, of which bbolt maps pages that are
// not there any more.
func TestCutMeta(t *testing.T) {
	files, _ := image(t)
	whole := files["wal-meta.db"]
	found := 0
	for size := 2 * os.Getpagesize(); size < len(whole); size += os.Getpagesize() {
		files["wal-meta.db"] = whole[:size]
		if err := readAll(t, plant(t, files)); isCorrupt(err) {
			found++
		} else if err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if found == 0 {
		t.Error("nothing was found")
	}
}

// TestTampering changes whole records, so that only the chain or the mark can
// show it.
func TestTampering(t *testing.T) {
	cases := []struct {
		name   string
		tamper func(t *testing.T, files map[string][]byte, places map[uint64]place)
		index  uint64
	}{
		{"two swapped", func(t *testing.T, files map[string][]byte, places map[uint64]place) {
			a, b := record(files, places[4]), record(files, places[5])
			keep := bytes.Clone(a)
			copy(a, b)
			copy(b, keep)
		}, 4},
		{"old one replayed", func(t *testing.T, files map[string][]byte, places map[uint64]place) {
			copy(record(files, places[8]), record(files, places[4]))
		}, 8},
		{"one rewritten with its hash", func(t *testing.T, files map[string][]byte, places map[uint64]place) {
			rewrite(t, record(files, places[4]))
		}, 5},
		{"mark removed", func(t *testing.T, files map[string][]byte, places map[uint64]place) {
			delete(files, markName)
		}, 0},
		{"metadata removed", func(t *testing.T, files map[string][]byte, places map[uint64]place) {
			delete(files, "wal-meta.db")
		}, 1},
		{"newest segment removed", func(t *testing.T, files map[string][]byte, places map[uint64]place) {
			delete(files, places[written].file)
		}, firstOf},
		{"newest segment emptied", func(t *testing.T, files map[string][]byte, places map[uint64]place) {
			clear(files[places[written].file])
		}, firstOf},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files, places := image(t)
			if !places[8].sealed || places[written].sealed {
				t.Fatal("the records are in other segments than the cases assume")
			}
			want := c.index
			if want == firstOf {
				for want = written; places[want-1].file == places[written].file; want-- {
				}
			}
			c.tamper(t, files, places)
			err := readAll(t, plant(t, files))
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Index != want {
				t.Errorf("got %v, want a CorruptError about entry %d", err, want)
			}
		})
	}
}

// firstOf stands for the first entry of the newest segment.
const firstOf = 1 << 63

func record(files map[string][]byte, p place) []byte { return files[p.file][p.off:p.end] }

// rewrite replaces the record in b with another that carries its own right hash.
func rewrite(t *testing.T, b []byte) {
	t.Helper()
	var codec wal.BinaryCodec
	var r raft.Log
	if err := codec.Decode(b, &r); err != nil {
		t.Fatal(err)
	}
	prev := link(r.Extensions)
	r.Extensions = r.Extensions[trailer:]
	r.Data[0] ^= 1
	forged, _, err := wrap(prev, &r)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := codec.Encode(forged, &buf); err != nil || buf.Len() != len(b) {
		t.Fatalf("%d bytes instead of %d, %v", buf.Len(), len(b), err)
	}
	copy(b, buf.Bytes())
}

// TestRewrittenTail replaces the newest entry by one whose hash and place are
// right. No entry follows it, so only the mark shows the change.
func TestRewrittenTail(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	fill(t, l, 1, 5)
	kept, err := os.ReadFile(filepath.Join(dir, markName))
	if err != nil {
		t.Fatal(err)
	}
	other := entry(5)
	other.Data = []byte("another entry 5")
	if err := errors.Join(l.DeleteRange(5, 5), l.StoreLog(other), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, markName), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, Options{})
	var c *CorruptError
	if !errors.As(err, &c) || c.Index != 5 {
		t.Errorf("got %v, want a CorruptError about entry 5", err)
	}
}

// TestCorruptWhileOpen damages a file under a running log.
func TestCorruptWhileOpen(t *testing.T) {
	for name, read := range map[string]func(*Log) error{
		"read":   func(l *Log) error { return l.GetLog(7, new(raft.Log)) },
		"verify": func(l *Log) error { return l.Verify(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			files, places := image(t)
			dir := plant(t, files)
			l := open(t, dir, Options{SegmentSize: 4 << 10})
			p := places[7]
			record(files, p)[40] ^= 1
			if err := os.WriteFile(filepath.Join(dir, p.file), files[p.file], 0o600); err != nil {
				t.Fatal(err)
			}
			err := read(l)
			var c *CorruptError
			if !errors.As(err, &c) || c.Index != 7 || c.Dir != dir {
				t.Fatalf("got %v, want a CorruptError about entry 7 in %s", err, dir)
			}
			wantStopped(t, l, err, err)
		})
	}
}
