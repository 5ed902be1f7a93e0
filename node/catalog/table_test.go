package catalog

import (
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// rowsCatalog returns the catalog with outputs of rows, after edits: pairs of
// texts.
func rowsCatalog(t testing.TB, edits ...string) (*Catalog, error) {
	t.Helper()
	text := string(read(t, "rows.yaml"))
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the catalog has no %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return Parse([]byte(text))
}

// TestTable: an output of rows is an item like any other, and its meaning is
// all that its table shows.
func TestTable(t *testing.T) {
	c, err := rowsCatalog(t)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Dataset("invoices")
	o := d.Output("list")
	if got := o.Table.Columns[2]; got != (consent.Column{Name: "amount", Type: "decimal", Unit: "CNY", Scale: 2, Chinese: "金额", English: "Amount"}) || !slices.Equal(o.Table.Order, []string{"issued", "amount"}) {
		t.Errorf("%+v", o.Table)
	}
	var items []string
	for _, i := range c.Items() {
		items = append(items, i.Output+" "+i.Disclosure.String())
	}
	if got := strings.Join(items, ", "); got != "list count, list rows, numbers rows" {
		t.Error(got)
	}
	s := d.Sense(o)
	if s.Type != consent.TableType || s.Unit != "" || s.More.Table == nil || s.Months != 12 || !s.Shows() {
		t.Errorf("%+v", s)
	}
	meanings := []consent.Meaning{o.Meaning()}
	for _, edit := range [][]string{
		{"scale: 2", "scale: 3"}, {"Amount}", "Sum}"}, {"order: [issued, amount]", "order: [issued]"}, {"most_rows: 1000", "most_rows: 1001"}, {"most_bytes: 1048576", "most_bytes: 1048577"},
		{"            - {field: cancelled, title: {zh: 已作废, en: Cancelled}}\n", ""}, {"unit: CNY", "unit: USD"}, {"months: 12", "months: 24"},
	} {
		c, err := rowsCatalog(t, edit...)
		if err != nil {
			t.Fatal(edit, err)
		}
		m := c.Dataset("invoices").Output("list").Meaning()
		if slices.Contains(meanings, m) {
			t.Errorf("%q has the meaning of another", edit)
		}
		meanings = append(meanings, m)
	}
}

// TestTableProblems: every mistake in a table is named.
func TestTableProblems(t *testing.T) {
	for _, k := range []struct{ old, now, want string }{
		{"disclose: [rows, count]", "disclose: [count]", "belong together"},
		{"disclose: [rows, count]", "disclose: [rows, value]", "beside rows there is count"},
		{"measure: flow\n", "type: text\n        measure: flow\n", "has no value, field, type"},
		{"measure: flow\n", "value: count(rows)\n        measure: flow\n", "has no value, field, type"},
		{"measure: flow\n", "unit: CNY\n        measure: flow\n", "has no value, field, type"},
		{"field: kind, title", "field: colour, title", `no such field, or there twice: "colour"`},
		{"field: kind, title", "field: issued, title", `no such field, or there twice: "issued"`},
		{"field: kind, title", "field: clerk, title", "the field clerk is about persons"},
		{"{zh: 种类, en: Kind}", "{zh: 种类}", "zh and en are both needed"},
		{"scale: 2", "scale: 9", "how many digits a decimal has"},
		{"en: Kind}}", "en: Kind}, scale: 1}", "how many digits a decimal has"},
		{"order: [issued, amount]", "order: []", "by which columns the rows ascend"},
		{"order: [issued, amount]", "order: [number]", `no such column, or there twice: "number"`},
		{"order: [issued, amount]", "order: [issued, issued]", `no such column, or there twice: "issued"`},
		{"most_rows: 1000", "most_rows: 0", "most_rows: 1 to 100000000"},
		{"most_rows: 1000", "most_rows: 100000001", "most_rows: 1 to 100000000"},
		{"most_bytes: 1048576", "most_bytes: 1073741825", "most_bytes: 1 to 1073741824"},
		{"records: many", "records: one", "disclose: rows belongs to datasets of many records"},
		{"    unique: [number]\n", "    unique: [number]\n    persons: clerk\n", "no rows leave a dataset that names persons"},
		{"most_rows: 1000", "most: 1000", "most"},
	} {
		_, err := rowsCatalog(t, k.old, k.now)
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: %v, want %q", k.now, err, k.want)
		}
	}
}

// TestTableDiff: more columns and more rows tell more.
func TestTableDiff(t *testing.T) {
	old, err := rowsCatalog(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		old, now string
		kind     string
		why      string
	}{
		{"            - {field: cancelled, title: {zh: 已作废, en: Cancelled}}\n", "", Narrowed, "columns issued kind amount cancelled → issued kind amount"},
		{"          order: [issued, amount]", "            - {field: number, title: {zh: 号码, en: Number}}\n          order: [issued, amount]", Widened, "columns issued kind amount cancelled → issued kind amount cancelled number"},
		{"most_rows: 1000", "most_rows: 2000", Widened, "most_rows 1000 → 2000"},
		{"most_bytes: 1048576", "most_bytes: 1000", Narrowed, "most_bytes 1048576 → 1000"},
		{"order: [issued, amount]", "order: [amount]", Altered, "order issued amount → amount"},
		{"en: Amount}", "en: Sum}", Altered, "columns (zh, en, unit, type, scale)"},
	} {
		now, err := rowsCatalog(t, k.old, k.now, "version: 1", "version: 2")
		if err != nil {
			t.Fatal(err)
		}
		diff := Diff(old, now)
		if len(diff) != 1 || diff[0].Kind != k.kind || !slices.Contains(diff[0].Why, k.why) || !diff[0].Ends {
			t.Errorf("%s: %+v", k.now, diff)
		}
	}
}

// TestRowsOutcomes: rows have the outcome that any other output over the same
// rows would have.
func TestRowsOutcomes(t *testing.T) {
	c, err := rowsCatalog(t)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Dataset("invoices")
	for _, k := range []struct {
		name, rows string
		outcome    consent.Outcome
		reason     string
		count      uint64
	}{
		{"none", "", consent.NoRecord, "", 0},
		{"two, and one that is too old", "a|2025-03-02|1|special|false|x\nb|2025-04-02|1|普通|false|x\nc|2020-04-02|1|普通|false|x\n", consent.Answered, "", 2},
		{"one twice", "a|2025-03-02|1|special|false|x\na|2025-03-02|1|special|false|x\n", consent.Answered, "", 1},
		{"one twice, differing in a column", "a|2025-03-02|1|special|false|x\na|2025-03-02|2|special|false|x\n", consent.Invalid, rowsDiffer, 0},
		{"one twice, differing in no column", "a|2025-03-02|1|special|false|x\na|2025-03-02|1|special|false|y\n", consent.Answered, "", 1},
		{"one without a date", "a|2025-03-02|1|special|false|x\nb|-|2|special|false|x\n", consent.Invalid, rowsUndated, 0},
		{"a value not declared", "a|2025-03-02|1|other|false|x\n", consent.Invalid, valueUndeclared + ": kind", 0},
		{"none in the window", "a|2020-03-02|1|special|false|x\n", consent.NoRecord, "rows.none", 0},
	} {
		item := consent.Item{Dataset: "invoices", Output: "list", Disclosure: consent.Rows, Months: 12}
		a := d.Answer(table(t, d, k.rows), item, At{Day: day(t, today)})
		if a.Outcome != k.outcome || a.Reason != k.reason || a.Rows != k.count || a.Value != "" {
			t.Errorf("%s: %+v", k.name, a)
		}
	}
}
