package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

// Kinds of difference of an output between two versions of a catalog.
const (
	Added      = "added"
	Removed    = "removed"
	Widened    = "widened"    // more can be learned of an enterprise than before
	Narrowed   = "narrowed"   // less can be learned
	Altered    = "altered"    // it means something else, neither more nor less
	Redefined  = "redefined"  // it means the same but is computed in another way
	Relocated  = "relocated"  // it is computed the same from another place, or from a load of another age
	Rehandled  = "rehandled"  // what is answered is the same, and whether or after what it is answered is not: approval, rules, sensitivity
	Retitled   = "retitled"   // its title changed
	Rearranged = "rearranged" // more can be learned in one respect, less in another
)

// Difference is how one output differs.
type Difference struct {
	Name string   // dataset.output
	Kind string   // the first of the kinds above that fits
	Why  []string // such as "months 12 → 24"; Kind follows from these

	// Ends reports that existing consents to the output are not answered any
	// more under the newer catalog.
	Ends bool
}

// Diff compares an older catalog with a newer one, output by output, ascending
// by name. The list is empty if nothing differs.
func Diff(older, newer *Catalog) (list []Difference) {
	old, now := older.byName(), newer.byName()
	for name, o := range old {
		switch n, still := now[name]; {
		case !still:
			list = append(list, Difference{Name: name, Kind: Removed, Ends: true})
		default:
			if d := compare(o, n); d.Kind != "" {
				d.Name = name
				list = append(list, d)
			}
		}
	}
	for name := range now {
		if _, known := old[name]; !known {
			list = append(list, Difference{Name: name, Kind: Added})
		}
	}
	slices.SortFunc(list, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// offered is an output with its dataset.
type offered struct {
	*Output
	of *Dataset
}

func (c *Catalog) byName() map[string]offered {
	all := map[string]offered{}
	for i := range c.Datasets {
		d := &c.Datasets[i]
		for j := range d.Outputs {
			all[d.Name+"."+d.Outputs[j].Name] = offered{&d.Outputs[j], d}
		}
	}
	return all
}

func compare(o, n offered) Difference {
	d := Difference{Ends: o.Meaning() != n.Meaning()}
	wider, narrower := d.window(o, n), false
	if wider < 0 {
		wider, narrower = 0, true
	}
	more, less := d.disclosures(o, n)
	finer, coarser := d.bands(o, n)
	asked, unasked := d.predicates(o, n)
	smaller, larger := d.groups(o, n)
	longer, shorter := d.tables(o, n)
	widened, narrowed := wider > 0 || more || finer || asked || smaller || longer, narrower || less || coarser || unasked || larger || shorter
	same := d.sense(o, n)
	if title, was := n.of.Title, o.of.Title; title != was || n.Title != o.Title {
		d.Why = append(d.Why, "title")
	}
	switch {
	case !same || d.Ends && !widened && !narrowed:
		d.Kind = Altered
	case widened && narrowed:
		d.Kind = Rearranged
	case widened:
		d.Kind = Widened
	case narrowed:
		d.Kind = Narrowed
	case !bytes.Equal(o.definition, n.definition):
		d.Kind = d.redefined(o, n)
	case len(d.Why) > 0:
		d.Kind = Retitled
	}
	return d
}

// Keys of the file by what a change of them alone is. Every other key is about how
// an output is computed.
var (
	relocating = []string{"source", "table", "key", "also", "max_age", "stale_after", "may_be_empty"}
	rehandling = []string{"approval", "approve_within", "sensitivity", "personal", "rules"}
)

// redefined returns the kind of a difference in the definition alone, and names the
// keys that differ.
func (d *Difference) redefined(o, n offered) string {
	keys := map[string][2]any{}
	for _, form := range [][2]map[string]any{{o.of.form, n.of.form}, {o.form, n.form}, {{"rules": o.of.rules}, {"rules": n.of.rules}}} {
		for key := range form[0] {
			keys[key] = [2]any{form[0][key], form[1][key]}
		}
		for key := range form[1] {
			keys[key] = [2]any{form[0][key], form[1][key]}
		}
	}
	kind := Rehandled
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, is := keys[key][0], keys[key][1]
		if reflect.DeepEqual(was, is) {
			continue
		}
		d.Why = append(d.Why, key+between(was, is))
		switch {
		case slices.Contains(rehandling, key):
		case slices.Contains(relocating, key) && kind != Redefined:
			kind = Relocated
		default:
			kind = Redefined
		}
	}
	return kind
}

// between writes two values of a key where both are short.
func between(was, is any) string {
	text := func(v any) string {
		switch v := v.(type) {
		case nil:
			return "none"
		case string:
			return visible(v)
		case bool, int64, uint64:
			return fmt.Sprint(v)
		}
		return ""
	}
	before, after := text(was), text(is)
	if before == "" || after == "" || len(before)+len(after) > 60 {
		return ""
	}
	return " " + before + " → " + after
}

// window returns 1 if more months can be asked, -1 if fewer, 0 if as many.
func (d *Difference) window(o, n offered) int {
	if o.State() || n.State() || o.Months == n.Months {
		return 0
	}
	d.Why = append(d.Why, fmt.Sprintf("months %d → %d", o.Months, n.Months))
	if n.Months > o.Months {
		return 1
	}
	return -1
}

func (d *Difference) disclosures(o, n offered) (more, less bool) {
	for _, x := range n.Disclose {
		if !slices.Contains(o.Disclose, x) {
			more = true
			d.Why = append(d.Why, "disclose + "+x.String())
		}
	}
	for _, x := range o.Disclose {
		if !slices.Contains(n.Disclose, x) {
			less = true
			d.Why = append(d.Why, "disclose - "+x.String())
		}
	}
	return more, less
}

// bands compares cut points: an additional one reveals more of a value, a
// removed one less.
func (d *Difference) bands(o, n offered) (finer, coarser bool) {
	if len(o.Bands) == 0 || len(n.Bands) == 0 {
		return false, false // the disclosure band already says so
	}
	has := func(list offered, i int, of offered) bool {
		_, found := slices.BinarySearchFunc(list.cuts, of.cuts[i], decimal.Decimal.Cmp)
		return found
	}
	for i := range n.cuts {
		finer = finer || !has(o, i, n)
	}
	for i := range o.cuts {
		coarser = coarser || !has(n, i, o)
	}
	if finer || coarser || !slices.Equal(o.Bands, n.Bands) {
		d.Why = append(d.Why, "bands "+strings.Join(o.Bands, " ")+" → "+strings.Join(n.Bands, " "))
	}
	return finer, coarser
}

// predicates compares what can be asked of an output: an additional operator or
// point reveals more.
func (d *Difference) predicates(o, n offered) (more, less bool) {
	if len(o.Points) == 0 || len(n.Points) == 0 {
		return false, false // the disclosure verify already says so
	}
	before, after := o.Predicates(), n.Predicates()
	for _, p := range after {
		more = more || !slices.Contains(before, p)
	}
	for _, p := range before {
		less = less || !slices.Contains(after, p)
	}
	if more || less {
		d.Why = append(d.Why, "verify "+asksOf(o)+" → "+asksOf(n))
	}
	return more, less
}

func asksOf(o offered) string {
	var ops []string
	for _, op := range o.Ops {
		ops = append(ops, string(op))
	}
	return visible(strings.Join(ops, "/") + " " + strings.Join(o.Points, " "))
}

// groups compares of how few persons something may be told.
func (d *Difference) groups(o, n offered) (smaller, larger bool) {
	before, after := o.of.MinGroup, n.of.MinGroup
	if before != after {
		d.Why = append(d.Why, fmt.Sprintf("min_group %d → %d", before, after))
	}
	return after < before, after > before
}

// tables compares what rows show: an additional column, or more of them, reveals
// more.
func (d *Difference) tables(o, n offered) (more, less bool) {
	a, b := o.Table, n.Table
	if a == nil || b == nil {
		return false, false // the disclosure rows already says so
	}
	name := func(c consent.Column) string { return c.Name }
	before, after := names(a.Columns, name), names(b.Columns, name)
	for _, x := range after {
		more = more || !slices.Contains(before, x)
	}
	for _, x := range before {
		less = less || !slices.Contains(after, x)
	}
	if before, after := strings.Join(before, " "), strings.Join(after, " "); before != after {
		d.Why = append(d.Why, "columns "+before+" → "+after)
	} else if !slices.Equal(a.Columns, b.Columns) {
		d.Why = append(d.Why, "columns (zh, en, unit, type, scale)")
	}
	if a.MostRows != b.MostRows {
		d.Why = append(d.Why, fmt.Sprintf("most_rows %d → %d", a.MostRows, b.MostRows))
	}
	if a.MostBytes != b.MostBytes {
		d.Why = append(d.Why, fmt.Sprintf("most_bytes %d → %d", a.MostBytes, b.MostBytes))
	}
	if before, after := strings.Join(a.Order, " "), strings.Join(b.Order, " "); before != after {
		d.Why = append(d.Why, "order "+before+" → "+after)
	}
	return more || b.MostRows > a.MostRows || b.MostBytes > a.MostBytes, less || b.MostRows < a.MostRows || b.MostBytes < a.MostBytes
}

func names[T any](list []T, name func(T) string) (names []string) {
	for _, x := range list {
		names = append(names, name(x))
	}
	return names
}

// sense reports whether both outputs measure the same.
func (d *Difference) sense(o, n offered) bool {
	before := len(d.Why)
	if o.Type != n.Type {
		d.Why = append(d.Why, "type "+o.Type.String()+" → "+n.Type.String())
	}
	if o.Unit != n.Unit {
		d.Why = append(d.Why, "unit "+visibleUnit(o.Unit)+" → "+visibleUnit(n.Unit))
	}
	if o.State() != n.State() {
		d.Why = append(d.Why, "measure "+measureOf(o)+" → "+measureOf(n))
	}
	if o.Number != n.Number {
		d.Why = append(d.Why, fmt.Sprintf("meaning %d → %d", o.Number, n.Number))
	}
	return len(d.Why) == before
}

func measureOf(o offered) string {
	if o.State() {
		return "state"
	}
	return "flow"
}

func visibleUnit(unit string) string {
	if unit == "" {
		return "none"
	}
	return visible(unit)
}
