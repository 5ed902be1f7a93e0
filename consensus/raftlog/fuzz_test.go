package raftlog

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"atoll/consensus/durable"

	"github.com/hashicorp/raft"
)

// marks reads examples of the file, hex on each line. The format is frozen: if
// an example cannot be read any more, neither can some member's file.
func marks(t testing.TB) (list [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/marks.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		data, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	if len(list) == 0 {
		t.Fatal("no marks")
	}
	return list
}

// FuzzMark reads the small file beside raft's log.
func FuzzMark(f *testing.F) {
	for _, data := range marks(f) {
		if _, err := durable.DecodeRecord(markMagic, markSize, data); err != nil {
			f.Fatal("the seed does not read")
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := durable.DecodeRecord(markMagic, markSize, data)
		if err != nil {
			return
		}
		if again := durable.EncodeRecord(markMagic, encodeMark(decodeMark(b))); !bytes.Equal(again, data) {
			t.Fatal("a mark with two encodings")
		}
	})
}

// FuzzRecord checks that a record that raft-wal returns is accepted only if it
// is what was written, extensions included.
func FuzzRecord(f *testing.F) {
	written := &raft.Log{Index: 7, Term: 2, Data: []byte("statement"), Extensions: []byte("ext"), AppendedAt: time.Unix(1_790_000_000, 0).UTC()}
	stored, _, err := wrap(link{9}, written)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored.Data, stored.Extensions, binary.BigEndian.AppendUint64(nil, stored.Index))
	f.Fuzz(func(t *testing.T, data, extensions, index []byte) {
		if len(index) != 8 {
			return
		}
		r := *stored
		r.Data, r.Extensions, r.Index = data, bytes.Clone(extensions), binary.BigEndian.Uint64(index)
		prev, sum, reason := unwrap(&r, 7)
		if reason != "" {
			return
		}
		again, link, err := wrap(prev, &r)
		if err != nil || link != sum || !bytes.Equal(again.Extensions, extensions) || again.Index != 7 {
			t.Fatalf("a record with two forms: %v", err)
		}
	})
}
