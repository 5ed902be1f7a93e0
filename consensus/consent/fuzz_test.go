package consent

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// document is one of this package's documents, as decoded.
type document interface{ Check() error }

// unchecked gives a Check to a document that has no rules of its own.
type unchecked[T any] struct{ v T }

func (u *unchecked[T]) Check() error { return nil }

// kinds maps each kind to a function that makes an empty document and returns
// what to decode into.
var kinds = map[string]func() (document, any){
	"header":     func() (document, any) { d := new(Header); return d, d },
	"revocation": func() (document, any) { d := new(Revocation); return d, d },
	"credential": func() (document, any) { d := new(Credential); return d, d },
	"terms":      func() (document, any) { d := new(Terms); return d, d },
	"slice":      func() (document, any) { d := new(Slice); return d, d },
	"section":    func() (document, any) { d := new(Section); return d, d },
	"slot":       func() (document, any) { d := new(Slot); return d, d },
	"basis":      func() (document, any) { d := new(unchecked[Basis]); return d, &d.v },
	"ask":        func() (document, any) { d := new(Ask); return d, d },
	"purpose":    func() (document, any) { d := new(Purpose); return d, d },
	"shown":      func() (document, any) { d := new(Shown); return d, d },
	"body":       func() (document, any) { d := new(unchecked[Body]); return d, &d.v },
	"draft":      func() (document, any) { d := new(unchecked[Draft]); return d, &d.v },
}

const documentsFile = "testdata/documents.txt"

// documents reads the examples: a kind and its encoding in hex on each line.
func documents(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open(documentsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]byte{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		if all[kind], err = hex.DecodeString(text); err != nil || kinds[kind] == nil {
			t.Fatalf("line %.40q: %v", lines.Text(), err)
		}
	}
	if len(all) != len(kinds) {
		t.Fatalf("%d examples for %d kinds", len(all), len(kinds))
	}
	return all
}

// The encodings of the story's documents never change.
func TestDocuments(t *testing.T) {
	s := tell(t)
	revocation, err := s.keyring.Revoke(0)
	s.check(err)
	st, err := sign.Parse(revocation)
	s.check(err)
	slot, err := s.ask.Section.Slot(sign.Secret(s.ask.Key))
	s.check(err)
	basis, err := s.ask.Basis()
	s.check(err)
	leaves := leavesOf(t, 5)
	shown, _ := shownFor(t, leaves, asksFor(leaves, 1, 3))
	s.body.Shown = []Shown{shown}
	made := ""
	for _, d := range []struct {
		kind string
		v    any
	}{
		{"header", s.header}, {"credential", s.opened()}, {"terms", s.terms()}, {"slice", s.ask.Slice}, {"section", s.ask.Section},
		{"slot", slot}, {"basis", basis}, {"ask", s.ask}, {"purpose", s.logged.At.Purposes[0]}, {"shown", shown}, {"body", s.body}, {"draft", s.draft},
	} {
		data, err := sign.Marshal(d.v)
		s.check(err)
		made += fmt.Sprintf("%s %x\n", d.kind, data)
	}
	made += fmt.Sprintf("revocation %x\n", st.Payload)
	if os.Getenv("UPDATE") != "" {
		s.check(os.WriteFile(documentsFile, []byte(made), 0o644))
	}
	kept, err := os.ReadFile(documentsFile)
	s.check(err)
	if string(kept) != made {
		t.Error("the encodings have changed; what was signed before would not verify")
	}
	for kind, data := range documents(t) {
		d, into := kinds[kind]()
		if err := sign.Unmarshal(data, into); err != nil || d.Check() != nil {
			t.Errorf("%s: %v, %v", kind, err, d.Check())
		}
	}
}

// Bytes that decode as a document encode to the same bytes, and checking the
// document never panics.
func FuzzDocuments(f *testing.F) {
	for kind, data := range documents(f) {
		f.Add(kind, data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		if kinds[kind] == nil {
			return
		}
		d, into := kinds[kind]()
		if sign.Unmarshal(data, into) != nil {
			return
		}
		if again, err := sign.Marshal(into); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("a %s with two encodings: %v", kind, err)
		}
		_ = d.Check()
	})
}

// The agency admits the valid ask and nothing else: no other bytes decode to an
// ask that is admitted.
func FuzzAdmit(f *testing.F) {
	s := tell(f)
	whole, err := sign.Marshal(s.ask)
	if err != nil || len(whole) == 0 {
		f.Fatal("no seed", err)
	}
	f.Add(whole)
	f.Add(documents(f)["ask"])
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Ask
		if sign.Unmarshal(data, &a) != nil {
			return
		}
		if _, err := a.Admit("tax", s.logged); (err == nil) != bytes.Equal(data, whole) {
			t.Fatalf("admits an ask that nobody made, or not the true one: %v", err)
		}
	})
}
