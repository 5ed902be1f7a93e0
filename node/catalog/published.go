package catalog

import (
	"reflect"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Changed is the reason for an output that means something else than the item
// that asks for it.
const Changed = "catalog.changed"

// Meaning returns what an enterprise consents to with the output.
func (o *Output) Meaning() (m consent.Meaning) {
	copy(m[:], o.meaning)
	return m
}

// Sense returns all that an enterprise consents to with an output.
func (d *Dataset) Sense(o *Output) consent.Sense {
	return consent.Sense{
		Dataset: d.Name, Output: o.Name, Type: o.Type.String(), Unit: o.Unit, Months: o.Months,
		Disclosures: o.Disclose, Bands: o.Bands, Number: o.Number, More: consent.More{Ops: o.Ops, Points: o.Points, MinGroup: d.MinGroup, Table: o.Table},
	}
}

// Changed reports whether the item's output exists but means something else
// than the item: what was consented to is not what would be answered.
func (d *Dataset) Changed(item consent.Item) bool {
	o := d.Output(item.Output)
	return o != nil && o.Meaning() != item.Meaning
}

// Leaves returns the catalog's outputs as they are published, ascending. The
// salt is known only to those who may have the catalog.
func (c *Catalog) Leaves(salt sign.Secret) (leaves []consent.Leaf) {
	for i := range c.Datasets {
		d := &c.Datasets[i]
		for _, o := range d.Outputs {
			leaves = append(leaves, consent.Leaf{
				Salt: consent.LeafSalt(salt, d.Name, o.Name), Dataset: d.Name, Output: o.Name,
				DatasetChinese: d.Title.Chinese, DatasetEnglish: d.Title.English, OutputChinese: o.Title.Chinese, OutputEnglish: o.Title.English,
				Meaning: o.meaning, Definition: o.definition,
			})
		}
	}
	slices.SortFunc(leaves, consent.CompareLeaves)
	return leaves
}

// definition is everything an author wrote about how an output is computed.
type definition struct {
	_       struct{} `cbor:",toarray"`
	Meaning []byte
	Dataset any
	Output  any
	Rules   any
}

// define computes each output's digests of its meaning and of its definition.
func define(f *file, c *Catalog) error {
	rules := plain(reflect.ValueOf(f.Rules))
	for i := range c.Datasets {
		d := &c.Datasets[i]
		dataset := byKey(f.Datasets[i], "title", "outputs")
		d.form, d.rules = dataset, rules
		for j := range d.Outputs {
			o := &d.Outputs[j]
			sense := d.Sense(o)
			var err error
			if o.meaning, err = sense.Digest(); err != nil {
				return err
			}
			output := byKey(f.Datasets[i].Outputs[j], "title", "meaning")
			o.form = output
			if o.definition, err = consent.DefinitionDigest(definition{Meaning: o.meaning, Dataset: dataset, Output: output, Rules: rules}); err != nil {
				return err
			}
		}
	}
	return nil
}

// byKey returns a part of the parsed file by its keys, see plain.
func byKey[T fileDataset | fileOutput](part T, without ...string) map[string]any {
	return plain(reflect.ValueOf(part), without...).(map[string]any)
}

// plain returns part of the parsed file without Go's types: maps by the keys of
// the file, without the keys named in without and those that have no value. It
// covers every key, so that a key added to the form cannot be left out by
// oversight.
func plain(v reflect.Value, without ...string) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int32:
		return v.Int()
	case reflect.Uint32, reflect.Uint64:
		return v.Uint()
	case reflect.Pointer:
		return plain(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	case reflect.Map:
		words := map[string]any{}
		for _, k := range v.MapKeys() {
			words[k.String()] = plain(v.MapIndex(k))
		}
		return words
	case reflect.Struct:
		said := map[string]any{}
		for i := range v.NumField() {
			key, value := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
			empty := value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0 || value.Kind() == reflect.Map && value.Len() == 0
			if !empty && !slices.Contains(without, key) {
				said[key] = plain(value)
			}
		}
		return said
	}
	panic("a catalog's form has no " + v.Kind().String()) // cannot occur: every test parses the form
}
