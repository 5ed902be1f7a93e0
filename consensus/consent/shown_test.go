package consent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// leavesOf returns the leaves of a catalog with this many outputs.
func leavesOf(t testing.TB, outputs int) (leaves []Leaf) {
	t.Helper()
	for i := range outputs {
		s := Sense{Dataset: "vat", Output: fmt.Sprintf("output_%02d", i), Type: "decimal", Unit: "CNY", Months: 24, Disclosures: []Disclosure{Value, Band}, Number: 1}
		meaning, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		definition, err := DefinitionDigest([]string{"formula"})
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, Leaf{
			Salt: LeafSalt(sign.Secret{1}, s.Dataset, s.Output), Dataset: s.Dataset, Output: s.Output,
			DatasetChinese: "增值税", DatasetEnglish: "VAT", OutputChinese: fmt.Sprintf("第%d项", i), OutputEnglish: fmt.Sprintf("item %d", i),
			Meaning: meaning, Definition: definition,
		})
	}
	return leaves
}

func shownFor(t testing.TB, leaves []Leaf, items []Item) (Shown, []byte) {
	t.Helper()
	s, root, err := Show("tax", 7, 3, leaves, func(l *Leaf) bool {
		return slices.ContainsFunc(items, func(i Item) bool { return i.Dataset == l.Dataset && i.Output == l.Output })
	})
	if err != nil {
		t.Fatal(err)
	}
	return *s, root
}

func asksFor(leaves []Leaf, indices ...int) (items []Item) {
	for _, i := range indices {
		items = append(items, Item{Dataset: "vat", Output: leaves[i].Output, Disclosure: Value, Months: 12, Meaning: leaves[i].Short()})
	}
	return items
}

// Shown outputs verify under their catalog's root, and any change to the
// leaves, their places, the proof or the root is detected.
func TestShownUnderItsRoot(t *testing.T) {
	leaves := leavesOf(t, 11)
	items := asksFor(leaves, 0, 4, 10)
	s, root := shownFor(t, leaves, items)
	if tree, err := Tree(leaves); err != nil || !slices.Equal(tree, root) {
		t.Fatal("the tree has another root", err)
	}
	offers := []Offer{{Agency: "tax", Items: items}}
	if err := errors.Join(s.Check(), s.Under(root), CheckShown([]Shown{s}, offers)); err != nil {
		t.Fatal(err)
	}
	titles := ShownTitles(Chinese, []Shown{s})
	if titles("tax/vat") != "增值税" || titles("tax/vat.output_04") != "第4项" || titles("tax/vat.output_05") != "" || ShownTitles(English, []Shown{s})("tax/vat.output_10") != "item 10" {
		t.Error("titles are not those of the leaves")
	}
	for name, bend := range map[string]func(*Shown){
		"title":            func(s *Shown) { s.Outputs[1].Leaf.OutputChinese = "别的" },
		"title of dataset": func(s *Shown) { s.Outputs[0].Leaf.DatasetEnglish = "another" },
		"meaning":          func(s *Shown) { s.Outputs[0].Leaf.Meaning[1] ^= 1 },
		"definition":       func(s *Shown) { s.Outputs[2].Leaf.Definition[31] ^= 1 },
		"salt":             func(s *Shown) { s.Outputs[2].Leaf.Salt[0] ^= 1 },
		"name":             func(s *Shown) { s.Outputs[1].Leaf.Output = "output_03" },
		"place":            func(s *Shown) { s.Outputs[1].Index = 5 },
		"left out":         func(s *Shown) { s.Outputs = s.Outputs[:2] },
		"proof":            func(s *Shown) { s.Proof[0][0] ^= 1 },
		"shorter proof":    func(s *Shown) { s.Proof = s.Proof[1:] },
		"longer proof":     func(s *Shown) { s.Proof = append(s.Proof, s.Proof[0]) },
	} {
		s, _ := shownFor(t, leavesOf(t, 11), items)
		bend(&s)
		var r *Refusal
		if err := s.Check(); err == nil && (!errors.As(s.Under(root), &r) || r.Code != BadCatalog) {
			t.Errorf("%s changed, and it is still what the catalog has", name)
		}
	}
	if s.Under(make([]byte, 32)) == nil {
		t.Error("it is under any root")
	}
}

// Exactly what is asked is shown, and it means what the items say.
func TestShownIsWhatIsAsked(t *testing.T) {
	leaves := leavesOf(t, 6)
	items := asksFor(leaves, 1, 3)
	unknown := Item{Dataset: "vat", Output: "unheard_of", Disclosure: Value}
	court := func(s Shown) Shown { s.Agency = "court"; return s }
	for name, c := range map[string]struct {
		shown func(s Shown) []Shown
		items []Item
		ok    bool
	}{
		"as asked":                         {func(s Shown) []Shown { return []Shown{s} }, items, true},
		"an output that no catalog has":    {func(s Shown) []Shown { return []Shown{s} }, append(slices.Clone(items), unknown), true},
		"nothing but such":                 {func(Shown) []Shown { return nil }, []Item{unknown}, true},
		"two disclosures of one output":    {func(s Shown) []Shown { return []Shown{s} }, append(slices.Clone(items), Item{Dataset: "vat", Output: leaves[3].Output, Disclosure: Count, Meaning: leaves[3].Short()}), true},
		"nothing shown":                    {func(Shown) []Shown { return nil }, items, false},
		"more than asked":                  {func(s Shown) []Shown { return []Shown{s} }, items[:1], false},
		"of an agency that is not asked":   {func(s Shown) []Shown { return []Shown{court(s), s} }, items, false},
		"twice":                            {func(s Shown) []Shown { return []Shown{s, s} }, items, false},
		"another meaning":                  {func(s Shown) []Shown { return []Shown{s} }, []Item{items[0], {Dataset: "vat", Output: leaves[3].Output, Disclosure: Value, Meaning: leaves[1].Short()}}, false},
		"no meaning, though a catalog has": {func(s Shown) []Shown { return []Shown{s} }, []Item{items[0], {Dataset: "vat", Output: leaves[3].Output, Disclosure: Value}}, false},
	} {
		s, _ := shownFor(t, leaves, items)
		if err := CheckShown(c.shown(s), []Offer{{Agency: "tax", Items: c.items}}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShownCheck(t *testing.T) {
	leaves := leavesOf(t, 6)
	for name, bend := range map[string]func(*Shown){
		"agency":         func(s *Shown) { s.Agency = "x" },
		"version":        func(s *Shown) { s.Version = 0 },
		"size":           func(s *Shown) { s.Size = MaxLeaves + 1 },
		"beyond size":    func(s *Shown) { s.Size = 3 },
		"empty":          func(s *Shown) { s.Outputs = nil },
		"order":          func(s *Shown) { slices.Reverse(s.Outputs) },
		"order of names": func(s *Shown) { s.Outputs[0].Leaf.Output = "z" },
		"hash":           func(s *Shown) { s.Proof[0] = s.Proof[0][:31] },
		"salt":           func(s *Shown) { s.Outputs[0].Leaf.Salt = nil },
		"no meaning":     func(s *Shown) { s.Outputs[0].Leaf.Meaning = make([]byte, 32) },
		"unseen title":   func(s *Shown) { s.Outputs[0].Leaf.OutputEnglish = "a\u200bb" },
		"no title":       func(s *Shown) { s.Outputs[0].Leaf.DatasetChinese = "" },
		"name":           func(s *Shown) { s.Outputs[0].Leaf.Dataset = "VAT" },
	} {
		s, _ := shownFor(t, leaves, asksFor(leaves, 1, 3))
		bend(&s)
		if err := s.Check(); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An output whose meaning differs from the consent's is not covered, whatever
// its name.
func TestCoversMeaning(t *testing.T) {
	s := tell(t)
	if n := len(s.body.Slices); n == 0 {
		t.Fatal("no slices")
	}
	slice := s.body.Slices[0]
	item := slice.Items[0]
	item.Meaning[3] ^= 1
	ask := s.asking(slice.Agency, make([]byte, 16), Want{Item: item})
	terms, err := ReadTerms(s.body.Terms)
	s.check(err)
	if r := Covers(&s.header, terms, &slice, &ask.Section, s.logged.At); r == nil || r.Code != NotCovered {
		t.Errorf("another meaning: %v", r)
	}
	ask.Section.Wants[0].Item = slice.Items[0]
	if r := Covers(&s.header, terms, &slice, &ask.Section, s.logged.At); r != nil {
		t.Errorf("the same meaning: %v", r)
	}
}

// The draft can be recomputed from what was signed.
func TestDraftOf(t *testing.T) {
	s := tell(t)
	terms, err := ReadTerms(s.body.Terms)
	s.check(err)
	for i := range s.draft.Offers {
		slices.SortFunc(s.draft.Offers[i].Items, CompareItems)
	}
	slices.SortFunc(s.draft.Offers, func(a, b Offer) int { return strings.Compare(a.Agency, b.Agency) })
	want, err := sign.Marshal(s.draft)
	s.check(err)
	got, err := sign.Marshal(DraftOf(terms, s.body.Slices))
	s.check(err)
	if !slices.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// A dataset has one title in what is shown of its catalog: the notice could
// show only one of two.
func TestDatasetOfTwoTitles(t *testing.T) {
	leaves := leavesOf(t, 3)
	for _, bend := range []func(*Leaf){
		func(l *Leaf) { l.DatasetChinese = "别的" }, func(l *Leaf) { l.DatasetEnglish = "another" },
	} {
		own := slices.Clone(leaves)
		bend(&own[2])
		items := asksFor(own, 0, 2)
		s, root := shownFor(t, own, items)
		if err := s.Under(root); err != nil {
			t.Fatal(err)
		}
		if err := CheckShown([]Shown{s}, []Offer{{Agency: "tax", Items: items}}); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("two titles: %v", err)
		}
	}
}
