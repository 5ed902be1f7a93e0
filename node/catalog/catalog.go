// Package catalog describes what an agency offers: its datasets, the outputs
// that may leave and in how much detail, and the agency's own rules.
//
// Use [Parse] to read a catalog (YAML; every problem is listed with its line),
// [Dataset.Answer] to compute one output from the rows of one subject, and
// [Catalog.Allow] to apply the rules. The package is pure: rows come from
// package source, and the day of the question from the caller.
//
// No window is longer than the item asks, and no sum covers fewer months than
// it claims. No formula tests a text for equality without declared values, and
// no number goes through floating point. No error shows a value, and an
// unreadable rule does not allow anything. Not promised: that the data is true,
// nor that an output reveals no more than its author meant.
package catalog

import (
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Catalog is what one agency offers.
type Catalog struct {
	Agency   string // member name
	Version  uint64 // above 0, increases with each change
	Datasets []Dataset
	Rules    []Rule // at least one
	Hours    Hours  // at which the agency answers

	text     []byte
	warnings Problems
}

// Warnings returns what is probably a mistake but no error, by line.
func (c *Catalog) Warnings() Problems { return c.warnings }

// Bytes returns the catalog's text as it was parsed, for showing it to others.
// The caller must not change it.
func (c *Catalog) Bytes() []byte { return c.text }

// Title is a name for people, in two languages.
type Title struct{ Chinese, English string }

// In returns the title in a language of package consent.
func (t Title) In(language string) string {
	if language == consent.Chinese {
		return t.Chinese
	}
	return t.English
}

// Dataset is one register or table with rows about subjects.
type Dataset struct {
	Name        string
	Title       Title
	Sensitivity int           // 1 to 5 according to JR/T 0197; that of its most sensitive field
	Personal    bool          // holds data on persons
	Source      string        // name of a source in the node's configuration
	Table, Key  string        // in the source; Key is the column of the subject
	One         bool          // one record for each subject, or none; otherwise many
	Date        string        // the field with the day that a row is about, or empty
	Periods     Periods       // used instead of Date where rows are about stretches of time
	Series      []string      // fields that identify what periods are about; within one series periods do not overlap
	Closes      uint32        // months that close together: 1, 3 or 12
	Lag         uint32        // days after the end of a closed month until its rows are complete
	Unique      []string      // rows equal in these fields are one row; empty: no row is left out
	Complete    bool          // no rows means that nothing happened; in a dataset of one record, that nothing is known
	StaleDays   uint32        // maximum age of the newest row in days; 0: any age
	Also        []string      // kinds of keys in the table besides social credit codes
	MaxAge      uint32        // maximum age of a complete dataset's load, in days
	MayBeEmpty  bool          // a table without any row is not taken for a failed load
	Approve     time.Duration // how long a person may take to approve an answer; 0: nobody has to
	Persons     string        // the field that identifies persons, or empty
	MinGroup    uint32        // of a dataset with Persons: the least number of persons that an answer rests on
	Fields      []Field
	Outputs     []Output

	form  map[string]any // the dataset as its author wrote it, by key, titles and outputs aside; see plain
	rules any            // likewise the rules, which are the same for all datasets of a catalog
}

// Field is one column.
type Field struct {
	Name        string
	Column      string // in the source
	Type        Type
	Unit        string   // such as "CNY", or empty
	Sensitivity int      // 1 to 5
	Personal    bool     // on a person
	None        []string // texts in the source that mean that there is no value
	Asked       bool     // whether a formula reads this date, and so may ask if it has a value
	Writing     Writing  // how this column is written, if not as the rest of the source

	// Values maps each accepted spelling of a text to the spelling that
	// formulas and banks see; nil accepts any text. Any other text is invalid.
	Values map[string]string
}

// Type is the kind of value that a field or output holds.
type Type uint8

const (
	TypeText    Type = iota + 1 // string
	TypeInteger                 // decimal.Decimal, whole
	TypeDecimal                 // decimal.Decimal
	TypeDate                    // consent.Day
	TypeBool                    // bool
	typeTable                   // of outputs of rows alone: no value
)

var typeNames = [...]string{TypeText: "text", TypeInteger: "integer", TypeDecimal: "decimal", TypeDate: "date", TypeBool: "bool"}

func (t Type) String() string {
	if t == typeTable {
		return consent.TableType
	}
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

// Output is one thing that a bank can ask for.
type Output struct {
	Name     string
	Title    Title
	Unit     string // of the value and the bands
	Type     Type
	Scale    int32                // digits after the point, for TypeDecimal
	Months   uint32               // number of months of a flow; 0 for a state
	Partial  bool                 // whether a flow is also answered from fewer months
	Disclose []consent.Disclosure // ascending
	Bands    []string             // cut points as written, ascending
	Ops      []consent.Op         // of the disclosure verify, in the order of [consent.Ops]
	Points   []string             // likewise: as written, ascending
	Table    *consent.Table       // of the disclosure rows, or nil
	Number   uint64               // of the meaning: increases when the computation measures something else

	cuts       []decimal.Decimal
	points     []any // as Points: decimal.Decimal, consent.Day or string
	compute    *formula.Formula
	meaning    []byte         // digest of what an enterprise consents to
	form       map[string]any // the output as its author wrote it, by key, title and meaning aside
	definition []byte         // digest of the meaning and of how the output is computed
}

// State reports whether the output describes the situation on the day of the
// question rather than past months.
func (o *Output) State() bool { return o.Months == 0 }

// Reach returns how many months back the output's formula looks, as far as its
// text shows, see [formula.Formula.Reach].
func (o *Output) Reach() int {
	if o.compute == nil {
		return 0
	}
	return o.compute.Reach()
}

// Texts returns the texts that an output of type text can have, sorted: the
// declared values of the one field that its formula returns. It returns nil
// where any text is possible.
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

// Takes reports whether any text in a field counts as a value where the absence
// of a value matters. The field then has no declared values, and either a
// formula asks whether it has a value or rows are told apart by it.
func (d *Dataset) Takes(f Field) bool {
	if f.Type != TypeText || f.Values != nil {
		return false
	}
	reads := func(o Output) bool { return o.compute != nil && o.compute.Reads(f.Name) && o.compute.Doubts() }
	return slices.Contains(d.Unique, f.Name) || slices.ContainsFunc(d.Outputs, reads)
}

// Dataset returns the dataset with that name, or nil.
func (c *Catalog) Dataset(name string) *Dataset {
	for i := range c.Datasets {
		if c.Datasets[i].Name == name {
			return &c.Datasets[i]
		}
	}
	return nil
}

// Output returns the output with that name, or nil.
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

// Titles returns the titles for people by name: "vat" for a dataset and
// "vat.sales_12m" for an output.
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

// Items returns everything that can be asked, in the order of slices and
// sections, each with the longest window of its output.
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
// name, 0 where none of them is in this catalog.
func (c *Catalog) Sensitivity(items []consent.Item) int {
	highest := 0
	for _, i := range items {
		if d := c.Dataset(i.Dataset); d != nil {
			highest = max(highest, d.Sensitivity)
		}
	}
	return highest
}
