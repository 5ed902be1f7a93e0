package catalog

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// edited is the tax catalog with one piece of its text replaced.
func edited(t testing.TB, old, now string) *Catalog {
	t.Helper()
	text := string(read(t, "tax.yaml"))
	if !strings.Contains(text, old) {
		t.Fatalf("the catalog has no %q", old)
	}
	c, err := Parse([]byte(strings.Replace(text, old, now, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// changes are changes of the tax catalog, with the kind of difference of
// vat.sales_12m or of the named output. SPEC.md section 11 gives the reasons.
var changes = []struct {
	old, now string
	output   string
	kind     string
	ends     bool // whether existing consents are not answered any more
}{
	{"version: 3", "version: 4", "vat.sales_12m", "", false},
	{"    sensitivity: 3\n    source", "    sensitivity: 4\n    source", "vat.sales_12m", Rehandled, false},
	{"map(r, r.base))", "map(r, 2 * r.base))", "vat.sales_12m", Redefined, false},
	{"lag: 15", "lag: 20", "vat.sales_12m", Redefined, false},
	{"column: START_DATE", "column: END_DATE", "vat.sales_12m", Redefined, false},
	{"column: 税目, type: text", "column: 税目, type: text, none: [无]", "vat.sales_12m", Redefined, false},
	{"column: START_DATE,", "column: START_DATE, date_format: [YYYY年M月D日],", "vat.sales_12m", Redefined, false},
	{"name: base, type: decimal", "name: base, type: decimal, thousands: ','", "vat.sales_12m", Redefined, false},
	{"name: base, type: decimal", "name: base, type: decimal, decimal: ','", "vat.sales_12m", Redefined, false},
	{"unique: [period, kind, base, tax]", "unique: [period, kind, base]", "vat.sales_12m", Redefined, false},
	{"scale: 2", "scale: 3", "vat.sales_12m", Redefined, false},
	{"在业: [存续,", "在业: [存续, 在册,", "registration.status", Redefined, false},
	{"近12个月销售额", "近12个月不含税销售额", "vat.sales_12m", Retitled, false},
	{"zh: 增值税申报", "zh: 增值税", "vat.sales_12m", Retitled, false},
	{"months: 120", "months: 60", "vat.filed", Narrowed, true},
	{"months: 36", "months: 60", "cases.any", Widened, true},
	{"disclose: [band, value, count]", "disclose: [band, count]", "vat.sales_12m", Narrowed, true},
	{"disclose: [value, count]", "disclose: [value]", "cases.open", Narrowed, true},
	{"disclose: [count]", "disclose: [count, value]\n        value: count(rows)", "cases.number", Widened, true},
	{"bands: [0, 1000000,", "bands: [0, 500000, 1000000,", "vat.sales_12m", Widened, true},
	{"bands: [0, 1000000,", "bands: [1000000,", "vat.sales_12m", Narrowed, true},
	{"bands: [0, 1000000,", "bands: [0, 2000000,", "vat.sales_12m", Rearranged, true},
	{"bands: [0, 1000000,", "bands: [0, 1000000.00,", "vat.sales_12m", Altered, true},
	{"unit: CNY\n        type: decimal\n        scale: 2\n        value: sum(rows", "unit: USD\n        type: decimal\n        scale: 2\n        value: 7 * sum(rows", "vat.sales_12m", Altered, true},
	{"scale: 2\n", "scale: 2\n        meaning: 2\n", "vat.sales_12m", Altered, true},
	{"scale: 2\n", "scale: 2\n        meaning: 1\n", "vat.sales_12m", "", false},
	{"measure: flow\n        months: 36", "measure: state", "cases.any", Altered, true},
	{"      - name: number\n", "      - name: numbers\n", "cases.number", Removed, true},
	{"      - name: number\n", "      - name: numbers\n", "cases.numbers", Added, false},
}

// TestDiff: each change of a catalog gets its kind, and a consent continues to
// be answered where the output means the same.
func TestDiff(t *testing.T) {
	for _, c := range changes {
		older, newer := tax(t), edited(t, c.old, c.now)
		list := Diff(older, newer)
		i := slices.IndexFunc(list, func(d Difference) bool { return d.Name == c.output })
		got := Difference{}
		if i >= 0 {
			got = list[i]
		}
		if got.Kind != c.kind || got.Ends != c.ends {
			t.Errorf("%q → %q: %s is %q, ends %v (%v); want %q, %v", c.old, c.now, c.output, got.Kind, got.Ends, got.Why, c.kind, c.ends)
		}
		name, output, _ := strings.Cut(c.output, ".")
		d := newer.Dataset(name)
		asked := consent.Item{Dataset: name, Output: output, Disclosure: consent.Value}
		if o := older.Dataset(name).Output(output); o != nil {
			asked.Meaning = o.Meaning()
			if d.Changed(asked) != (c.ends && c.kind != Removed) {
				t.Errorf("%q → %q: an item of before is changed: %v", c.old, c.now, d.Changed(asked))
			}
		}
	}
	if list := Diff(tax(t), tax(t)); len(list) != 0 {
		t.Errorf("nothing is different: %+v", list)
	}
}

// TestDefinitionHasEveryKey: a change of any key of the form changes the
// definition, so that no key added to the form can be forgotten here.
func TestDefinitionHasEveryKey(t *testing.T) {
	keys := 0
	for _, form := range []any{fileDataset{}, fileOutput{}, fileField{}, fileRule{}, filePeriods{}, fileTitle{}, fileTable{}, fileColumn{}} {
		v := reflect.New(reflect.TypeOf(form)).Elem()
		for i := range v.NumField() {
			field := reflect.New(v.Type()).Elem()
			fill(t, field.Field(i))
			key := v.Type().Field(i).Tag.Get("yaml")
			if said := plain(field).(map[string]any); key == "" || len(said) != 1 || said[key] == nil {
				t.Errorf("%T: %s is said as %v", form, v.Type().Field(i).Name, said)
			}
			keys++
		}
	}
	if keys < 40 {
		t.Errorf("%d keys", keys)
	}
}

// fill sets a value that is not empty.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32:
		v.SetInt(1)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem())) // 0 counts as a value too
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string][]string{"x": {"y"}}))
	case reflect.Struct:
		fill(t, v.Field(0))
	default:
		t.Fatalf("a form with %s", v.Kind())
	}
}

// TestLeaves: leaves can be published and opened one by one, and a leaf's salt
// reveals nothing about another leaf.
func TestLeaves(t *testing.T) {
	c := tax(t)
	leaves := c.Leaves(sign.Secret{1})
	if len(leaves) != len(Diff(&Catalog{}, c)) {
		t.Fatalf("%d leaves", len(leaves))
	}
	other := c.Leaves(sign.Secret{2})
	for i := range leaves {
		if err := leaves[i].Check(); err != nil {
			t.Fatal(err)
		}
		if i > 0 && consent.CompareLeaves(leaves[i-1], leaves[i]) >= 0 || bytes.Equal(leaves[i].Salt, other[i].Salt) {
			t.Fatal("leaves ascend, each under its salt")
		}
	}
	for _, item := range c.Items() {
		i := slices.IndexFunc(leaves, func(l consent.Leaf) bool { return l.Dataset == item.Dataset && l.Output == item.Output })
		if i < 0 || leaves[i].Short() != item.Meaning || item.Meaning == (consent.Meaning{}) {
			t.Errorf("%s.%s: item and leaf have another meaning", item.Dataset, item.Output)
		}
	}
}

// TestDigestsAreFixed: the digests of the example are fixed, so that another
// program that follows SPEC.md computes the same.
func TestDigestsAreFixed(t *testing.T) {
	leaf := tax(t).Leaves(sign.Secret{})[0]
	root, err := consent.Tree(tax(t).Leaves(sign.Secret{}))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join([]string{leaf.Dataset + "." + leaf.Output, hexOf(leaf.Salt), hexOf(leaf.Meaning), hexOf(leaf.Definition), hexOf(root)}, "\n") + "\n"
	if want := string(read(t, "digests.txt")); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
