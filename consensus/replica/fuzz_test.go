package replica

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"atoll/consensus/ledger"
	"atoll/consensus/state"
	"atoll/crypto/sign"
)

// seeds reads examples of what other members send and what is on disk: a name
// and hex on each line. The format is frozen: if an example cannot be read any
// more, neither can some member's file.
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

// FuzzMarker reads a marker, which comes from the leader or from a file, and
// has one text form.
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

// FuzzDocuments reads what members send each other, and the database's own
// records.
func FuzzDocuments(f *testing.F) {
	for _, name := range []string{"position", "entries-request", "answer"} {
		for _, data := range seeds(f, name) {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(state.Position), new(entriesRequest), new(ledger.Answer)} {
			if sign.Unmarshal(data, v) != nil {
				continue
			}
			if again, err := sign.Marshal(v); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("a %T with two encodings: %v", v, err)
			}
		}
	})
}
