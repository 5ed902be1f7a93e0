package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"atoll/crypto/tlog"
)

// The numbers of the kinds are those of the specification, and kinds that can be
// entries have one each.
func TestMarkNumbers(t *testing.T) {
	spec, err := os.ReadFile("../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range markKinds {
		if row := fmt.Sprintf("\n| %d | `%s` | ", i+1, kind); !strings.Contains(string(spec), row) {
			t.Errorf("SPEC.md has no row %q", row)
		}
	}
	for kind := range own {
		if kind != KindCarrier && MarkFor(kind, nil).Kind() != kind {
			t.Errorf("%s has no number", kind)
		}
	}
	if MarkFor("no.kind", []byte{1, 2, 3}).Kind() != "" || (Mark{200}).Kind() != "" {
		t.Error("a kind that is none has a number")
	}
}

// Every statement of the vectors has the mark of its kind, as an entry of whatever
// verdict, and is found by its id.
func TestMarksOfVectors(t *testing.T) {
	file, err := os.Open(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kinds := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		s, err := Parse(v.Statement)
		if err != nil {
			continue // genesis, and what gets no leaf
		}
		var marks []Mark
		for _, verdict := range []Verdict{Accepted, ConsentUses} {
			leaf, err := (&Entry{Index: 7, Time: 9, Verdict: verdict, Statement: v.Statement}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			marks = append(marks, MarkOf(leaf))
		}
		if id := s.found(); marks[0] != marks[1] || marks[0].Kind() != s.Kind || id != nil && !bytes.Contains(id, marks[0][1:]) || id == nil && marks[0] != MarkFor(s.Kind, nil) {
			t.Fatalf("%s: %x", s.Kind, marks)
		}
		kinds[s.Kind]++
	}
	for _, kind := range []string{KindGrant, KindRevoke, KindQueryOpen, KindRelease, KindRefuse, KindReceipt, KindTick, KindCatalog, KindCredentialRevoke} {
		if kinds[kind] == 0 {
			t.Errorf("no %s among the vectors", kind)
		}
	}
	if MarkOf(nil) != (Mark{}) || MarkOf([]byte{0x85}) != (Mark{}) {
		t.Error("what is no entry has a mark")
	}
}

func TestIndexPath(t *testing.T) {
	for path, want := range map[string]tlog.Tile{
		"index/000": {Level: 1, Width: 256}, "index/x001/x234/067": {Level: 1, N: 1234067, Width: 256}, "index/000.p/17": {Level: 1, Width: 17},
	} {
		if got, err := ParseIndexPath(path); err != nil || got != want || IndexPath(want) != path {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "index", "index/", "index/0", "index/000.p/0", "index/000.p/256", "index/1/000", "tile/1/000", "index//000", "index/000/"} {
		if _, err := ParseIndexPath(path); !errors.Is(err, tlog.ErrMalformed) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// What a member serves as its index is of one length, and read without a panic.
func FuzzMarks(f *testing.F) {
	f.Add(1, make([]byte, BundleMarks))
	f.Add(2, make([]byte, BundleMarks))
	f.Add(256, []byte{})
	f.Fuzz(func(t *testing.T, width int, data []byte) {
		tile := tlog.Tile{Level: 1, Width: width}
		m, err := ReadMarks(tile, data)
		if (err == nil) != (len(data) == width*BundleMarks) {
			t.Fatalf("%d bytes for %d: %v", len(data), width, err)
		}
		for i := range m.Len() {
			if mark := m.At(i); MarkFor(mark.Kind(), nil).Kind() != mark.Kind() {
				t.Fatalf("%x", mark)
			}
		}
	})
}
