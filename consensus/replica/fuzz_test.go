package replica

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"

	"github.com/hashicorp/raft"
)

// seeds reads examples of what other members send and what lies on disk: a name
// and hex on each line. The format is kept: an example that no longer reads is a
// file of some member that no longer opens.
func seeds(t testing.TB, name string) (list [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/formats.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if what, digits, _ := strings.Cut(strings.TrimSpace(line), " "); what == name {
			data, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, data)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no seeds for %s", name)
	}
	return list
}

// A marker comes from the leader, or from a file; it has one text.
func FuzzMarker(f *testing.F) {
	for _, data := range seeds(f, "marker") {
		if _, err := readMarker(bytes.NewReader(data)); err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(bytes.Clone(data), '{', '}'))
		f.Add(bytes.ReplaceAll(data, []byte(`"raft"`), []byte(`"RAFT"`)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readMarker(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := json.Marshal(m)
		if err != nil || !bytes.Equal(append(again, '\n'), data) {
			t.Fatalf("%q is read as %q (%v)", data, again, err)
		}
	})
}

// What members send each other, and what the database says of itself.
func FuzzDocuments(f *testing.F) {
	for _, name := range []string{"position", "entries-request", "answer"} {
		for _, data := range seeds(f, name) {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(position), new(entriesRequest), new(ledger.Answer)} {
			if sign.Unmarshal(data, v) != nil {
				continue
			}
			if again, err := sign.Marshal(v); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("a %T with two encodings: %v", v, err)
			}
		}
	})
}

// The small file beside raft's log.
func FuzzMark(f *testing.F) {
	for _, data := range seeds(f, "mark") {
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

// A record of raft's log, as raft-wal hands it back: what is taken for one is
// what was written, extensions and all.
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
