package consent

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// TestPredicate: the text of a predicate has one form, and everything else is
// malformed.
func TestPredicate(t *testing.T) {
	for _, text := range []string{"ge 500000", "lt -0.25", "eq A级", "le 2026-01-01", "eq a b", "gt " + strings.Repeat("9", maxText)} {
		if p, err := ParsePredicate(text); err != nil || p.String() != text {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "ge", "ge ", "GE 1", "= 1", "ge\t1", "ge 1\n", "ge \u202e1", "sales > 1", " ge 1", "ge " + strings.Repeat("9", maxText+1)} {
		if p, err := ParsePredicate(text); !errors.Is(err, sign.ErrMalformed) || p != (Predicate{}) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for op, want := range map[Op][3]bool{Less: {true, false, false}, AtMost: {true, true, false}, AtLeast: {false, true, true}, Above: {false, false, true}, Equal: {false, true, false}, "ne": {}} {
		if got := [3]bool{op.Holds(-1), op.Holds(0), op.Holds(1)}; got != want {
			t.Errorf("%s: %v", op, got)
		}
	}
}

// TestSenseGrows: an output without points and groups has the digest that it
// had before there were any; each part of the rest is another meaning.
func TestSenseGrows(t *testing.T) {
	sense := func(edit func(*Sense)) []byte {
		s := Sense{Dataset: "vat", Output: "sales", Type: "decimal", Unit: "CNY", Months: 12, Disclosures: []Disclosure{Verify}, Bands: []string{"0"}, Number: 1}
		edit(&s)
		d, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	plain := sense(func(*Sense) {})
	before, err := digestOf(labelMeaning, []any{"vat", "sales", "decimal", "CNY", uint64(12), []byte{3}, []any{"0"}, uint64(1)})
	if err != nil || !bytes.Equal(plain, before) {
		t.Errorf("the digest of a plain sense is another than before: %v", err)
	}
	seen := [][]byte{plain}
	for _, edit := range []func(*Sense){
		func(s *Sense) { s.More = More{Ops: []Op{AtLeast}, Points: []string{"1"}} },
		func(s *Sense) { s.More = More{Ops: []Op{Less}, Points: []string{"1"}} },
		func(s *Sense) { s.More = More{Ops: []Op{AtLeast}, Points: []string{"2"}} },
		func(s *Sense) { s.More = More{Ops: []Op{AtLeast}, Points: []string{"1", "2"}} },
		func(s *Sense) { s.More = More{MinGroup: 5} },
		func(s *Sense) { s.More = More{MinGroup: 6} },
	} {
		d := sense(edit)
		if slices.ContainsFunc(seen, func(o []byte) bool { return bytes.Equal(o, d) }) {
			t.Error("two senses have one digest")
		}
		seen = append(seen, d)
	}
}

// TestShownSenses: with what an output is compared is shown for everything that
// a consent lets be verified, and it is what the output's meaning says.
func TestShownSenses(t *testing.T) {
	sense := Sense{Dataset: "vat", Output: "sales", Type: "decimal", Unit: "CNY", Months: 12, Disclosures: []Disclosure{Verify}, Number: 1, More: More{Ops: []Op{AtLeast}, Points: []string{"1", "2"}}}
	meaning, err := sense.Digest()
	if err != nil {
		t.Fatal(err)
	}
	leaf := Leaf{Salt: make([]byte, 32), Dataset: "vat", Output: "sales", DatasetChinese: "税", DatasetEnglish: "tax", OutputChinese: "销售", OutputEnglish: "sales", Meaning: meaning, Definition: make([]byte, 32)}
	item := Item{Dataset: "vat", Output: "sales", Disclosure: Verify, Months: 12, Meaning: leaf.Short()}
	check := func(edit func(*Shown, *Item)) error {
		s, root, err := Show("tax", 7, 1, []Leaf{leaf}, func(*Leaf) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		s.Senses = []Sense{sense}
		s.Senses[0].More.Points = slices.Clone(sense.More.Points)
		i := item
		edit(s, &i)
		data, err := sign.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var read Shown
		if err := sign.Unmarshal(data, &read); err != nil {
			return err
		}
		if err := CheckShown([]Shown{read}, []Offer{{Agency: "tax", Items: []Item{i}}}); err != nil {
			return err
		}
		if err := read.Under(root); err != nil {
			return err
		}
		return nil
	}
	for name, edit := range map[string]func(*Shown, *Item){
		"as it is":                         func(*Shown, *Item) {},
		"a value without the points shown": func(s *Shown, i *Item) { s.Senses, i.Disclosure = nil, Value },
	} {
		if err := check(edit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, edit := range map[string]func(*Shown, *Item){
		"no points shown":        func(s *Shown, _ *Item) { s.Senses = nil },
		"a point more":           func(s *Shown, _ *Item) { s.Senses[0].More.Points = append(s.Senses[0].More.Points, "3") },
		"another point":          func(s *Shown, _ *Item) { s.Senses[0].More.Points[0] = "0" },
		"another operator":       func(s *Shown, _ *Item) { s.Senses[0].More.Ops = []Op{Less} },
		"another unit":           func(s *Shown, _ *Item) { s.Senses[0].Unit = "USD" },
		"of another output":      func(s *Shown, _ *Item) { s.Senses[0].Output = "tax" },
		"nothing to show":        func(s *Shown, _ *Item) { s.Senses[0].More = More{} },
		"twice":                  func(s *Shown, _ *Item) { s.Senses = append(s.Senses, s.Senses[0]) },
		"a point nobody can see": func(s *Shown, _ *Item) { s.Senses[0].More.Points[0] = "\u200b" },
	} {
		if check(edit) == nil {
			t.Errorf("%s: nothing against it", name)
		}
	}
}
