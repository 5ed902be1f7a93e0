package consent

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

func invoices() Sense {
	return Sense{
		Dataset: "vat", Output: "invoices", Type: TableType, Months: 12, Disclosures: []Disclosure{Count, Rows}, Bands: []string{}, Number: 1,
		More: More{Table: &Table{
			Columns: []Column{
				{Name: "issued", Type: "date", Chinese: "开票日期", English: "issue date"},
				{Name: "amount", Type: "decimal", Unit: "CNY", Chinese: "金额", English: "amount"},
			},
			Order: []string{"issued"}, MostRows: 1000, MostBytes: 1 << 20,
		}},
	}
}

// TestTableIsMeant: each part of a table is part of what is consented to, and a
// table that cannot be shown is none.
func TestTableIsMeant(t *testing.T) {
	var seen [][]byte
	for name, edit := range map[string]func(*Table){
		"as it is": func(*Table) {}, "a column less": func(m *Table) { m.Columns = m.Columns[:1] }, "another column": func(m *Table) { m.Columns[1].Name = "tax" },
		"another type": func(m *Table) { m.Columns[1].Type = "text" }, "another unit": func(m *Table) { m.Columns[1].Unit = "" }, "another scale": func(m *Table) { m.Columns[1].Scale = 2 },
		"another title": func(m *Table) { m.Columns[0].English = "day" }, "another Chinese title": func(m *Table) { m.Columns[0].Chinese = "日期" },
		"another order": func(m *Table) { m.Order = []string{"amount"} }, "columns in another order": func(m *Table) { slices.Reverse(m.Columns) },
		"more rows": func(m *Table) { m.MostRows++ }, "more bytes": func(m *Table) { m.MostBytes++ },
	} {
		s := invoices()
		edit(s.More.Table)
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		d, err := s.Digest()
		if err != nil || slices.ContainsFunc(seen, func(o []byte) bool { return bytes.Equal(o, d) }) {
			t.Errorf("%s: the same meaning as another, %v", name, err)
		}
		seen = append(seen, d)
	}
	for name, edit := range map[string]func(*Sense){
		"no columns": func(s *Sense) { s.More.Table.Columns = nil }, "no order": func(s *Sense) { s.More.Table.Order = nil },
		"too many columns": func(s *Sense) {
			for i := range MaxColumns {
				s.More.Table.Columns = append(s.More.Table.Columns, Column{Name: "c" + strings.Repeat("x", i), Type: "text", Chinese: "列", English: "c"})
			}
		},
		"a column twice":        func(s *Sense) { s.More.Table.Columns[1].Name = "issued" },
		"a column of no type":   func(s *Sense) { s.More.Table.Columns[1].Type = "table" },
		"a title nobody sees":   func(s *Sense) { s.More.Table.Columns[1].English = "\u200b" },
		"a unit nobody sees":    func(s *Sense) { s.More.Table.Columns[1].Unit = "\u200b" },
		"a scale of days":       func(s *Sense) { s.More.Table.Columns[0].Scale = 1 },
		"too fine a scale":      func(s *Sense) { s.More.Table.Columns[1].Scale = MaxColumnScale + 1 },
		"an order by no column": func(s *Sense) { s.More.Table.Order[0] = "number" },
		"an order by one twice": func(s *Sense) { s.More.Table.Order = []string{"issued", "issued"} },
		"no rows":               func(s *Sense) { s.More.Table.MostRows = 0 },
		"too many rows":         func(s *Sense) { s.More.Table.MostRows = MaxTableRows + 1 },
		"no bytes":              func(s *Sense) { s.More.Table.MostBytes = 0 },
		"too many bytes":        func(s *Sense) { s.More.Table.MostBytes = MaxTableBytes + 1 },
		"of another type":       func(s *Sense) { s.Type = "decimal" },
		"with a unit":           func(s *Sense) { s.Unit = "CNY" },
		"with points":           func(s *Sense) { s.More.Ops, s.More.Points = []Op{Equal}, []string{"1"} },
		"of persons":            func(s *Sense) { s.More.MinGroup = 5 },
		"no table":              func(s *Sense) { s.More = More{MinGroup: 5} },
	} {
		s := invoices()
		edit(&s)
		if err := s.check(); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRowsAreShown: nobody consents to rows without being shown their columns.
func TestRowsAreShown(t *testing.T) {
	sense := invoices()
	meaning, err := sense.Digest()
	if err != nil {
		t.Fatal(err)
	}
	leaf := Leaf{Salt: make([]byte, 32), Dataset: "vat", Output: "invoices", DatasetChinese: "税", DatasetEnglish: "tax", OutputChinese: "发票", OutputEnglish: "invoices", Meaning: meaning, Definition: make([]byte, 32)}
	rows := Item{Dataset: "vat", Output: "invoices", Disclosure: Rows, Months: 12, Meaning: leaf.Short()}
	count := rows
	count.Disclosure = Count
	for name, c := range map[string]struct {
		items  []Item
		senses []Sense
		ok     bool
	}{
		"with the table": {[]Item{rows}, []Sense{sense}, true}, "both with the table": {[]Item{count, rows}, []Sense{sense}, true},
		"without": {[]Item{rows}, nil, false}, "both without": {[]Item{count, rows}, nil, false},
	} {
		s, _, err := Show("tax", 7, 1, []Leaf{leaf}, func(*Leaf) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		s.Senses = c.senses
		data, err := sign.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var read Shown
		if err := sign.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		if err := CheckShown([]Shown{read}, []Offer{{Agency: "tax", Items: c.items}}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if got := ShownTable([]Shown{read}, "tax", &rows); (got != nil) != c.ok {
			t.Errorf("%s: the table is %v", name, got)
		}
		if ShownTable([]Shown{read}, "tax", &count) != nil || ShownTable([]Shown{read}, "court", &rows) != nil {
			t.Errorf("%s: a table for another item", name)
		}
	}
}
