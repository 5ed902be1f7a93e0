package consent

import (
	"bytes"
	"cmp"
	"slices"

	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// MaxLeaves is the maximum number of outputs in a catalog.
const MaxLeaves = 10_000

// Shown is a set of outputs of one published catalog, with the proof that the
// catalog has them. It is part of a request for consent and of the body of the
// consent. From it, the enterprise, bank and auditor know the meaning and the
// titles of what is consented to without having the catalog.
type Shown struct {
	Agency  string   `cbor:"1,keyasint"` // member name
	Entry   uint64   `cbor:"2,keyasint"` // index of the catalog.publish
	Version uint64   `cbor:"3,keyasint"` // version in that entry
	Size    uint64   `cbor:"4,keyasint"` // number of leaves in the catalog's tree
	Outputs []Output `cbor:"5,keyasint"` // ascending
	Proof   [][]byte `cbor:"6,keyasint"` // hashes of the subtrees without these outputs, see [tlog.ProveSubset]

	// Senses are those of the shown outputs that have [More], ascending. Each has
	// the digest that its leaf has as its meaning.
	Senses []Sense `cbor:"7,keyasint,omitempty"`
}

// Output is a leaf and its place in the tree.
type Output struct {
	_     struct{} `cbor:",toarray"`
	Index uint64
	Leaf  Leaf
}

// Tree returns the root of the tree over a catalog's leaves, which have to
// ascend.
func Tree(leaves []Leaf) (root []byte, err error) {
	_, root, err = Show("", 0, 0, leaves, func(*Leaf) bool { return false })
	return root, err
}

// Show returns the wanted leaves of a catalog with their proof, and the root
// that the catalog's entry has. The argument leaves has to contain all leaves
// of the catalog, ascending.
func Show(agency string, entry, version uint64, leaves []Leaf, wanted func(*Leaf) bool) (s *Shown, root []byte, err error) {
	hashes := make([]tlog.Hash, len(leaves))
	s = &Shown{Agency: agency, Entry: entry, Version: version, Size: uint64(len(leaves))}
	var indices []uint64
	for i := range leaves {
		if hashes[i], err = leaves[i].hash(); err != nil {
			return nil, nil, err
		}
		if wanted(&leaves[i]) {
			indices = append(indices, uint64(i))
			s.Outputs = append(s.Outputs, Output{Index: uint64(i), Leaf: leaves[i]})
		}
	}
	h, proof, err := tlog.ProveSubset(hashes, indices)
	for i := range proof {
		s.Proof = append(s.Proof, proof[i][:])
	}
	return s, h[:], err
}

func (l *Leaf) hash() (h tlog.Hash, err error) {
	data, err := sign.Marshal(l)
	if err != nil {
		return h, err
	}
	return tlog.LeafHash(data), nil
}

// Check reports whether the shown outputs are well-formed, looked at by
// themselves.
func (s *Shown) Check() error {
	switch {
	case !ValidMember(s.Agency) || s.Version == 0 || s.Size > MaxLeaves:
		return malformed("catalog: agency, version or size")
	case len(s.Outputs) == 0 || len(s.Outputs) > MaxItems || len(s.Proof) > MaxLeaves:
		return malformed("catalog: 1 to %d outputs are shown", MaxItems)
	}
	for i := range s.Outputs {
		o := &s.Outputs[i]
		if err := o.Leaf.Check(); err != nil {
			return err
		}
		if o.Index >= s.Size || i > 0 && (s.Outputs[i-1].Index >= o.Index || CompareLeaves(s.Outputs[i-1].Leaf, o.Leaf) >= 0) {
			return malformed("catalog: outputs are not ascending")
		}
		if i > 0 && !s.Outputs[i-1].Leaf.agrees(&o.Leaf) {
			return malformed("catalog: a dataset has two titles")
		}
	}
	for _, h := range s.Proof {
		if len(h) != len(tlog.Hash{}) {
			return malformed("catalog: proof")
		}
	}
	return s.checkSenses()
}

// checkSenses reports whether each sense is that of a shown output.
func (s *Shown) checkSenses() error {
	for i := range s.Senses {
		x := &s.Senses[i]
		if err := x.check(); err != nil {
			return err
		}
		leaf := s.Leaf(x.Dataset, x.Output)
		if i > 0 && compareSenses(&s.Senses[i-1], x) >= 0 || leaf == nil {
			return malformed("catalog: senses are not ascending, or not of shown outputs")
		}
		if d, err := x.Digest(); err != nil || !bytes.Equal(d, leaf.Meaning) {
			return malformed("catalog: %s.%s is shown with another meaning than it has", x.Dataset, x.Output)
		}
	}
	return nil
}

func compareSenses(a, b *Sense) int {
	return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Output, b.Output))
}

// Sense returns what is shown of an output beyond its leaf, or nil.
func (s *Shown) Sense(dataset, output string) *Sense {
	i := slices.IndexFunc(s.Senses, func(x Sense) bool { return x.Dataset == dataset && x.Output == output })
	if i < 0 {
		return nil
	}
	return &s.Senses[i]
}

// Under reports whether the shown outputs are in the catalog with this root: it
// returns nil or the reason against it. The receiver must have passed Check.
func (s *Shown) Under(root []byte) error {
	known := make([]tlog.Leaf, len(s.Outputs))
	for i := range s.Outputs {
		h, err := s.Outputs[i].Leaf.hash()
		if err != nil {
			return err
		}
		known[i] = tlog.Leaf{Index: s.Outputs[i].Index, Hash: h}
	}
	proof := make([]tlog.Hash, len(s.Proof))
	for i, h := range s.Proof {
		proof[i] = tlog.Hash(h)
	}
	got, err := tlog.SubsetRoot(s.Size, known, proof)
	if err == nil && !bytes.Equal(got[:], root) {
		err = malformed("it has another root")
	}
	if err != nil {
		return refuse(BadCatalog, "what is shown of the catalog of %s, version %d, is not what that catalog has: %v", s.Agency, s.Version, err)
	}
	return nil
}

// Leaf returns the shown output with these names, or nil.
func (s *Shown) Leaf(dataset, output string) *Leaf {
	i, found := slices.BinarySearchFunc(s.Outputs, Leaf{Dataset: dataset, Output: output}, func(o Output, l Leaf) int { return CompareLeaves(o.Leaf, l) })
	if !found {
		return nil
	}
	return &s.Outputs[i].Leaf
}

// CheckShown reports whether exactly the offered outputs are shown: one catalog
// for each agency that has any of them, ascending by agency, and the leaf of
// each item whose meaning is known. It returns nil, a [*Refusal], or an error
// that wraps [sign.ErrMalformed].
func CheckShown(shown []Shown, offers []Offer) error {
	for i := range shown {
		s := &shown[i]
		if err := s.Check(); err != nil {
			return err
		}
		if i > 0 && shown[i-1].Agency >= s.Agency {
			return malformed("catalogs are not ascending")
		}
		if !slices.ContainsFunc(offers, func(o Offer) bool { return o.Agency == s.Agency }) {
			return refuse(BadCatalog, "a catalog of %s is shown, of whom nothing is asked", s.Agency)
		}
	}
	for _, o := range offers {
		s := ShownOf(shown, o.Agency)
		for _, item := range o.Items {
			var leaf *Leaf
			if s != nil {
				leaf = s.Leaf(item.Dataset, item.Output)
			}
			switch {
			case leaf == nil && item.Meaning != Meaning{}:
				return refuse(BadCatalog, "%s.%s of %s is not shown", item.Dataset, item.Output, o.Agency)
			case leaf != nil && item.Meaning != leaf.Short():
				return refuse(BadCatalog, "%s.%s of %s means something else than the consent says", item.Dataset, item.Output, o.Agency)
			case leaf != nil && item.Disclosure == Verify && !s.asks(item):
				return refuse(BadCatalog, "with what %s.%s of %s is compared is not shown", item.Dataset, item.Output, o.Agency)
			case leaf != nil && item.Disclosure == Rows && ShownTable(shown, o.Agency, &item) == nil:
				return refuse(BadCatalog, "which columns the rows of %s.%s of %s have is not shown", item.Dataset, item.Output, o.Agency)
			}
		}
		if s != nil && !s.only(o.Items) {
			return refuse(BadCatalog, "outputs of %s are shown that are not asked", o.Agency)
		}
	}
	return nil
}

// asks reports whether the points of an item to be verified are shown.
func (s *Shown) asks(item Item) bool {
	x := s.Sense(item.Dataset, item.Output)
	return x != nil && len(x.More.Points) > 0
}

// only reports whether all shown outputs belong to these items.
func (s *Shown) only(items []Item) bool {
	return !slices.ContainsFunc(s.Outputs, func(o Output) bool {
		return !slices.ContainsFunc(items, func(i Item) bool { return i.Dataset == o.Leaf.Dataset && i.Output == o.Leaf.Output })
	})
}

// ShownOf returns what is shown of one agency's catalog, or nil.
func ShownOf(shown []Shown, agency string) *Shown {
	i := slices.IndexFunc(shown, func(s Shown) bool { return s.Agency == agency })
	if i < 0 {
		return nil
	}
	return &shown[i]
}

// ShownTitles returns the titles of datasets ("agency/dataset") and outputs
// ("agency/dataset.output") in a language.
func ShownTitles(language string, shown []Shown) Titles {
	titles := map[string]string{}
	for _, s := range shown {
		for _, o := range s.Outputs {
			dataset, output := o.Leaf.DatasetEnglish, o.Leaf.OutputEnglish
			if language == Chinese {
				dataset, output = o.Leaf.DatasetChinese, o.Leaf.OutputChinese
			}
			name := s.Agency + "/" + o.Leaf.Dataset
			titles[name], titles[name+"."+o.Leaf.Output] = dataset, output
		}
	}
	return func(name string) string { return titles[name] }
}

// ShownSenses returns the senses of outputs ("agency/dataset.output") that have
// more than titles to show.
func ShownSenses(shown []Shown) Senses {
	senses := map[string]*Sense{}
	for i := range shown {
		for j := range shown[i].Senses {
			s := &shown[i].Senses[j]
			senses[shown[i].Agency+"/"+s.Dataset+"."+s.Output] = s
		}
	}
	return func(name string) *Sense { return senses[name] }
}
