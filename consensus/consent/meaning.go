package consent

import (
	"bytes"
	"cmp"
	"encoding/hex"

	"atoll/crypto/sign"
)

// Meaning identifies what the output of an item means: it is the first bytes of
// the digest of all that an enterprise consents to with the item. An agency
// answers an item only while its output has exactly this meaning, see [Leaf].
// The zero Meaning stands for an output that no catalog had when the consent
// was drawn up; such an item is never answered.
type Meaning [16]byte

func (m Meaning) String() string { return hex.EncodeToString(m[:]) }

// Leaf is one output of a published catalog: its titles for people, and digests
// of its meaning and of its computation. It reveals nothing about other
// outputs.
type Leaf struct {
	_              struct{} `cbor:",toarray"`
	Salt           []byte   // 32 bytes, so that the hash reveals nothing
	Dataset        string
	Output         string
	DatasetChinese string
	DatasetEnglish string
	OutputChinese  string
	OutputEnglish  string
	Meaning        []byte // MeaningDigest
	Definition     []byte // DefinitionDigest: covers the meaning, the formula, the fields and the rules
}

// Labels of digests of catalogs, see [sign.Digest].
const (
	labelCatalog    = "atoll/v1/catalog"
	labelMeaning    = "atoll/v1/catalog/meaning"
	labelDefinition = "atoll/v1/catalog/definition"
	labelLeaf       = "atoll/v1/catalog/leaf"
)

// Sense is all that an enterprise consents to with an output, except for its
// titles.
type Sense struct {
	_           struct{} `cbor:",toarray"`
	Dataset     string
	Output      string
	Type        string
	Unit        string
	Months      uint32       // the longest window of a flow; 0 for a state
	Disclosures []Disclosure // ascending
	Bands       []string     // cut points as written
	Number      uint64       // raised by the author when the computation measures something else
	More        More
}

// brief is the encoding of a sense without More. Outputs had that form before
// there was anything more, and their consents go on.
type brief struct {
	_           struct{} `cbor:",toarray"`
	Dataset     string
	Output      string
	Type        string
	Unit        string
	Months      uint32
	Disclosures []Disclosure
	Bands       []string
	Number      uint64
}

// Digest returns the digest that a leaf has as its Meaning.
func (s *Sense) Digest() ([]byte, error) {
	if s.More.empty() {
		return digestOf(labelMeaning, brief{
			Dataset: s.Dataset, Output: s.Output, Type: s.Type, Unit: s.Unit, Months: s.Months, Disclosures: s.Disclosures, Bands: s.Bands, Number: s.Number,
		})
	}
	return digestOf(labelMeaning, s)
}

// Shows reports whether a notice says more of the output than its title and how
// it is disclosed. Its sense is then shown, see [Shown].
func (s *Sense) Shows() bool { return !s.More.empty() }

// check reports whether a sense is one that has to be shown, and can be.
func (s *Sense) check() error {
	if s.More.empty() || s.Unit != "" && !ValidText(s.Unit) {
		return malformed("sense: it has nothing to show, or its unit cannot be shown")
	}
	if (s.More.Table != nil) != (s.Type == TableType) || s.More.Table != nil && (s.Unit != "" || len(s.More.Ops) > 0 || s.More.MinGroup > 0) {
		return malformed("sense: a table has no type of a value, no unit, no points and no persons")
	}
	return s.More.check()
}

// DefinitionDigest returns the digest that a leaf has as its Definition: over
// the digest of its meaning and all that the catalog's author wrote about the
// computation. See SPEC.md section 11.
func DefinitionDigest(definition any) ([]byte, error) { return digestOf(labelDefinition, definition) }

// CatalogDigest returns the salted digest of a catalog's text that
// catalog.publish carries.
func CatalogDigest(salt sign.Secret, text []byte) ([]byte, error) {
	return digestOf(labelCatalog, struct {
		_    struct{} `cbor:",toarray"`
		Salt []byte
		Text []byte
	}{Salt: salt[:], Text: text})
}

// LeafSalt derives the salt of an output's leaf from the salt of its catalog.
// Whoever is shown one leaf learns nothing about the others.
func LeafSalt(salt sign.Secret, dataset, output string) []byte {
	s := salt.Derive(labelLeaf, []byte(dataset), []byte(output))
	return s[:]
}

// Short returns the leaf's meaning in the short form that items use.
func (l *Leaf) Short() (m Meaning) {
	copy(m[:], l.Meaning)
	return m
}

// CompareLeaves compares leaves by their order in the tree of a catalog: by
// dataset, then output.
func CompareLeaves(a, b Leaf) int {
	return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Output, b.Output))
}

// agrees reports whether the titles of two leaves allow them to be of one
// catalog: all leaves of a dataset have the same title for it.
func (l *Leaf) agrees(o *Leaf) bool {
	return l.Dataset != o.Dataset || l.DatasetChinese == o.DatasetChinese && l.DatasetEnglish == o.DatasetEnglish
}

// Check reports whether the leaf is well-formed, looked at by itself.
func (l *Leaf) Check() error {
	if len(l.Salt) != 32 || len(l.Meaning) != 32 || len(l.Definition) != 32 || bytes.Equal(l.Meaning[:len(Meaning{})], make([]byte, len(Meaning{}))) {
		return malformed("leaf: field length, or no meaning")
	}
	if !ValidItem(l.Dataset) || !ValidItem(l.Output) {
		return malformed("leaf: names")
	}
	for _, title := range []string{l.DatasetChinese, l.DatasetEnglish, l.OutputChinese, l.OutputEnglish} {
		if !ValidText(title) {
			return malformed("leaf: a title has 1 to %d bytes, and no character that cannot be seen", maxText)
		}
	}
	return nil
}
