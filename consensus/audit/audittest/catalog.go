package audittest

import (
	"cmp"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// Sales and Cases are outputs in the first catalogs of the tax agency and the
// court.
var (
	Sales  = itemOf(sense("vat", "sales"), consent.Band)
	Growth = itemOf(sense("vat", "growth"), consent.Value)
	Cases  = itemOf(sense("cases", "open"), consent.Count)
)

func sense(dataset, output string) consent.Sense {
	return consent.Sense{
		Dataset: dataset, Output: output, Type: "decimal", Unit: "CNY", Months: 36,
		Disclosures: []consent.Disclosure{consent.Value, consent.Band, consent.Count}, Bands: []string{"0", "1000000"}, Number: 1,
	}
}

func itemOf(s consent.Sense, x consent.Disclosure) consent.Item {
	i := consent.Item{Dataset: s.Dataset, Output: s.Output, Disclosure: x, Months: 24}
	meaning, err := s.Digest()
	if err != nil {
		panic(err) // constant input
	}
	copy(i.Meaning[:], meaning)
	return i
}

// Verifiable has the tax agency publish a catalog whose growth can be verified,
// to be at least one of these points, and returns the item.
func (w *World) Verifiable(version uint64, points ...string) consent.Item {
	w.t.Helper()
	var item consent.Item
	w.Publish("tax", version, func(d *Defining) {
		if d.Sense.Output == "growth" {
			d.Sense.Disclosures = []consent.Disclosure{consent.Verify}
			d.Sense.More = consent.More{Ops: []consent.Op{consent.AtLeast}, Points: points}
			item = itemOf(d.Sense, consent.Verify)
		}
	})
	return item
}

// Tabular has the tax agency publish a catalog whose growth is rows, and returns
// the item.
func (w *World) Tabular(version uint64, table consent.Table) consent.Item {
	w.t.Helper()
	var item consent.Item
	w.Publish("tax", version, func(d *Defining) {
		if d.Sense.Output == "growth" {
			d.Sense.Type, d.Sense.Unit, d.Sense.Disclosures = consent.TableType, "", []consent.Disclosure{consent.Rows}
			d.Sense.More = consent.More{Table: &table}
			item = itemOf(d.Sense, consent.Rows)
		}
	})
	return item
}

// Catalog is a catalog that an agency has published.
type Catalog struct {
	Version uint64
	Entry   uint64
	Leaves  []consent.Leaf
	Senses  []consent.Sense // of outputs that show more than their titles
}

// Defining is what a test may change of an output before it is published: its
// meaning and its computation.
type Defining struct {
	Sense   consent.Sense
	Formula string
	Title   string
}

// Publish has an agency publish its catalog, after the test's edits.
func (w *World) Publish(agency string, version uint64, edit ...func(*Defining)) *Catalog {
	w.t.Helper()
	c := &Catalog{Version: version}
	for _, s := range []consent.Sense{sense("cases", "open"), sense("vat", "growth"), sense("vat", "sales")} {
		d := Defining{Sense: s, Formula: "sum(rows)", Title: s.Output}
		for _, e := range edit {
			e(&d)
		}
		meaning, err := d.Sense.Digest()
		w.check(err)
		if d.Sense.Shows() {
			c.Senses = append(c.Senses, d.Sense)
		}
		definition, err := consent.DefinitionDigest(d.Formula)
		w.check(err)
		c.Leaves = append(c.Leaves, consent.Leaf{
			Salt: consent.LeafSalt(sign.Secret{byte(version)}, s.Dataset, s.Output), Dataset: s.Dataset, Output: s.Output,
			DatasetChinese: s.Dataset, DatasetEnglish: s.Dataset, OutputChinese: d.Title, OutputEnglish: d.Title, Meaning: meaning, Definition: definition,
		})
	}
	root, err := consent.Tree(c.Leaves)
	w.check(err)
	digest := make([]byte, 32)
	w.random.Read(digest)
	c.Entry = w.SubmitAs(agency, ledger.KindCatalog, ledger.Catalog{Head: w.Head(), Digest: digest, Version: version, Root: root}).Index
	w.Catalogs[agency] = c
	return c
}

// Shown returns what a bank shows of the catalogs in force for these offers.
func (w *World) Shown(offers []consent.Offer) (list []consent.Shown) {
	w.t.Helper()
	for _, o := range sorted(offers) {
		c := w.Catalogs[o.Agency]
		if c == nil || consent.ShownOf(list, o.Agency) != nil {
			continue
		}
		s, _, err := consent.Show(o.Agency, c.Entry, c.Version, c.Leaves, func(l *consent.Leaf) bool {
			return slices.ContainsFunc(o.Items, func(i consent.Item) bool {
				return i.Dataset == l.Dataset && i.Output == l.Output && i.Meaning != consent.Meaning{}
			})
		})
		w.check(err)
		for _, x := range c.Senses {
			if s.Leaf(x.Dataset, x.Output) != nil {
				s.Senses = append(s.Senses, x)
			}
		}
		if len(s.Outputs) > 0 {
			list = append(list, *s)
		}
	}
	return list
}

func sorted(offers []consent.Offer) []consent.Offer {
	return slices.SortedStableFunc(slices.Values(offers), func(a, b consent.Offer) int { return cmp.Compare(a.Agency, b.Agency) })
}
