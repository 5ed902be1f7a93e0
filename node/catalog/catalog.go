// Package catalog says what an agency offers: its datasets, the outputs that
// may leave and in how much detail, and the agency's own rules.
//
// Use [Parse] to read a catalog (YAML; every problem is listed with its line),
// [Dataset.Answer] to compute one output from the rows of one subject, and
// [Catalog.Allow] to apply the rules. The package is pure: rows come from
// package source, and the day of the question from the caller.
//
// What never happens: a window longer than the item asks, a sum over fewer
// months than it claims, an open vocabulary tested by equality; a number that
// went through floating point, an error that shows a value, an unreadable rule
// that allows. Not promised: that the data is true, nor that an output reveals
// no more than its author meant.
package catalog

import (
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Catalog is what one agency offers.
type Catalog struct {
	Agency   string // member name
	Version  uint64 // above 0, higher with each change
	Datasets []Dataset
	Rules    []Rule // one at least

	text     []byte
	warnings Problems
}

// Warnings returns what is no error and likely a mistake, by line.
func (c *Catalog) Warnings() Problems { return c.warnings }

// Bytes returns the catalog as it was written and parsed, to be shown to
// others. The caller must not change it.
func (c *Catalog) Bytes() []byte { return c.text }

// Title is what people read.
type Title struct{ Chinese, English string }

// In returns the title in a language of package consent.
func (t Title) In(language string) string {
	if language == consent.Chinese {
		return t.Chinese
	}
	return t.English
}

// Dataset is one register or table about subjects.
type Dataset struct {
	Name        string
	Title       Title
	Sensitivity int      // 1 to 5 after JR/T 0197; that of its most sensitive field
	Personal    bool     // holds data on persons
	Source      string   // name of a source in the node's configuration
	Table, Key  string   // in the source; Key is the column of the subject
	One         bool     // one record for each subject, or none; otherwise many
	Date        string   // the field of the day that a row is about, or empty
	Periods     Periods  // in place of Date where rows are about stretches of time
	Series      []string // fields that tell apart what periods are about; within one series they do not overlap
	Closes      uint32   // months that are closed together: 1, 3 or 12
	Lag         uint32   // days after which the rows of a closed month are there
	Unique      []string // rows equal in these fields are one row; empty: no row is left out
	Complete    bool     // no rows means that there is nothing to know; of one record, nothing known
	StaleDays   uint32   // how old the newest row may be; 0: any age
	Also        []string // kinds of keys in the table beside social credit codes
	MaxAge      uint32   // of a complete dataset: how old its load may be, in days
	MayBeEmpty  bool     // no row of anybody is no sign of a load that failed
	Fields      []Field
	Outputs     []Output
}

// Field is one column.
type Field struct {
	Name        string
	Column      string // in the source
	Type        Type
	Unit        string   // such as "CNY", or empty
	Sensitivity int      // 1 to 5
	Personal    bool     // on a person
	None        []string // texts in the source that mean no value
	Asked       bool     // a date that a formula reads: it may ask whether it has a value
	Writing     Writing  // of its column, over that of the source

	// Values maps each spelling that a text may have to the one that formulas and
	// banks see; nil where any text may stand. Anything else is invalid.
	Values map[string]string
}

// Type is what a field or output holds.
type Type uint8

const (
	TypeText    Type = iota + 1 // string
	TypeInteger                 // decimal.Decimal, whole
	TypeDecimal                 // decimal.Decimal
	TypeDate                    // consent.Day
	TypeBool                    // bool
)

var typeNames = [...]string{TypeText: "text", TypeInteger: "integer", TypeDecimal: "decimal", TypeDate: "date", TypeBool: "bool"}

func (t Type) String() string {
	if t < TypeText || t > TypeBool {
		return "type?"
	}
	return typeNames[t]
}

func (t Type) numeric() bool { return t == TypeInteger || t == TypeDecimal }

func (t Type) kind() formula.Kind {
	switch t {
	case TypeInteger, TypeDecimal:
		return formula.Number
	case TypeDate:
		return formula.Date
	case TypeBool:
		return formula.Bool
	}
	return formula.Text
}

// Output is one thing that can be asked.
type Output struct {
	Name     string
	Title    Title
	Unit     string // of the value and the bands
	Type     Type
	Scale    int32                // digits after the point, for TypeDecimal
	Months   uint32               // of a flow; 0 for a state
	Partial  bool                 // a flow that is answered from fewer months, too
	Disclose []consent.Disclosure // ascending
	Bands    []string             // cut points as written, ascending
	Number   uint64               // of the meaning: higher when the computation measures something else

	cuts       []decimal.Decimal
	compute    *formula.Formula
	meaning    []byte // digest of what an enterprise consents to
	definition []byte // digest of that, and of how it is computed
}

// State says whether the output is what stands on the day of the question,
// rather than what was in past months.
func (o *Output) State() bool { return o.Months == 0 }

// Reach is how many months back the output's formula looks, as far as its text
// says so, see [formula.Formula.Reach].
func (o *Output) Reach() int {
	if o.compute == nil {
		return 0
	}
	return o.compute.Reach()
}

// Texts returns the texts that an output of type text can have, sorted: the
// declared values of the one field that it is made of. It returns nil where any
// text may come.
func (d *Dataset) Texts(o *Output) (texts []string) {
	if o.Type != TypeText || o.compute == nil || len(o.compute.TextTests()) > 0 {
		return nil
	}
	read := 0
	for _, f := range d.Fields {
		if f.Type == TypeText && o.compute.Reads(f.Name) {
			read++
			texts = slices.Compact(slices.Sorted(maps.Values(f.Values)))
		}
	}
	if read != 1 {
		return nil
	}
	return texts
}

// Takes says whether any text in a field is taken for a value where it matters
// that there is none: a formula reads it that asks whether there is a value, or
// rows are told apart by it, and no values are declared.
func (d *Dataset) Takes(f Field) bool {
	if f.Type != TypeText || f.Values != nil {
		return false
	}
	reads := func(o Output) bool { return o.compute != nil && o.compute.Reads(f.Name) && o.compute.Doubts() }
	return slices.Contains(d.Unique, f.Name) || slices.ContainsFunc(d.Outputs, reads)
}

// Dataset returns the dataset of that name, or nil.
func (c *Catalog) Dataset(name string) *Dataset {
	for i := range c.Datasets {
		if c.Datasets[i].Name == name {
			return &c.Datasets[i]
		}
	}
	return nil
}

// Output returns the output of that name, or nil.
func (d *Dataset) Output(name string) *Output {
	for i := range d.Outputs {
		if d.Outputs[i].Name == name {
			return &d.Outputs[i]
		}
	}
	return nil
}

func (d *Dataset) field(name string) int {
	return slices.IndexFunc(d.Fields, func(f Field) bool { return f.Name == name })
}

// Titles returns what people read in place of the names: "vat" for a dataset
// and "vat.sales_12m" for an output.
func (c *Catalog) Titles(language string) map[string]string {
	titles := map[string]string{}
	for _, d := range c.Datasets {
		titles[d.Name] = d.Title.In(language)
		for _, o := range d.Outputs {
			titles[d.Name+"."+o.Name] = o.Title.In(language)
		}
	}
	return titles
}

// Items returns everything that can be asked, in the order that slices and
// sections have, each with the longest window its output has.
func (c *Catalog) Items() []consent.Item {
	var items []consent.Item
	for _, d := range c.Datasets {
		for _, o := range d.Outputs {
			for _, x := range o.Disclose {
				items = append(items, consent.Item{Dataset: d.Name, Output: o.Name, Disclosure: x, Months: o.Months, Meaning: o.Meaning()})
			}
		}
	}
	slices.SortFunc(items, consent.CompareItems)
	return items
}

// Sensitivity returns the highest sensitivity of the datasets that the items
// name, 0 where there are none of this catalog's.
func (c *Catalog) Sensitivity(items []consent.Item) int {
	highest := 0
	for _, i := range items {
		if d := c.Dataset(i.Dataset); d != nil {
			highest = max(highest, d.Sensitivity)
		}
	}
	return highest
}
