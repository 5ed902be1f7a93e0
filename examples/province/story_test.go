package province

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"

	"github.com/shopspring/decimal"
)

// province is the example with the firms that tests name, opened once.
type province struct {
	catalogs map[string]*catalog.Catalog
	tables   map[string][]Table // by agency, as of today
	today    consent.Day
}

var agencies = []string{"court", "customs", "environment", "ip", "market", "power", "science", "social", "tax"}

func open(t testing.TB, today consent.Day) *province {
	t.Helper()
	p := &province{catalogs: map[string]*catalog.Catalog{}, tables: map[string][]Table{}, today: today}
	for _, agency := range agencies {
		var err error
		if p.catalogs[agency], err = parsed[agency](); err != nil {
			t.Fatalf("%s: %v", agency, err)
		}
		if c := p.catalogs[agency]; c.Agency != agency {
			t.Errorf("the catalog of %s says %s", agency, c.Agency)
		}
		p.tables[agency] = tables(agency, today, played())
	}
	return p
}

// parsed are the catalogs, each parsed once.
var parsed = func() map[string]func() (*catalog.Catalog, error) {
	all := map[string]func() (*catalog.Catalog, error){}
	for _, agency := range agencies {
		all[agency] = sync.OnceValues(func() (*catalog.Catalog, error) { return catalog.Parse(Catalog(agency)) })
	}
	return all
}()

// played are the firms that tests name.
func played() []*firm {
	return slices.DeleteFunc(slices.Clone(firms()), func(f *firm) bool { return !f.played })
}

// at is ten in the morning of the test's day.
func (p *province) at() catalog.At {
	return catalog.At{Day: p.today, Time: p.today.Start(480) + 36_000_000}
}

// rows reads a subject's rows of a dataset from its table.
func (p *province) rows(t testing.TB, agency string, d *catalog.Dataset, subject consent.Subject) (rows []catalog.Row) {
	t.Helper()
	i := slices.IndexFunc(p.tables[agency], func(table Table) bool { return table.Name == d.Table })
	if i < 0 {
		t.Fatalf("%s.%s: no table %s", agency, d.Name, d.Table)
	}
	table := &p.tables[agency][i]
	key := slices.Index(table.Columns, d.Key)
	for _, cells := range table.Rows {
		if "uscc:"+cells[key] != string(subject) {
			continue
		}
		var row catalog.Row
		for _, f := range d.Fields {
			column := f.Column
			if column == "" {
				column = f.Name
			}
			j := slices.Index(table.Columns, column)
			if j < 0 {
				t.Fatalf("%s.%s: no column %s", agency, d.Table, column)
			}
			row = append(row, value(t, f.Type, cells[j]))
		}
		rows = append(rows, row)
	}
	return rows
}

func value(t testing.TB, kind catalog.Type, cell string) any {
	t.Helper()
	switch {
	case cell == "":
		return nil
	case kind == catalog.TypeDate:
		return day(t, cell)
	case kind == catalog.TypeText:
		return cell
	}
	n, err := decimal.NewFromString(cell)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// answer asks for one output, over its longest window.
func (p *province) answer(t testing.TB, subject consent.Subject, item string, disclosure consent.Disclosure) catalog.Answer {
	t.Helper()
	parts := strings.Split(item, ".")
	c := p.catalogs[parts[0]]
	for _, i := range c.Items() {
		if i.Dataset == parts[1] && i.Output == parts[2] && i.Disclosure == disclosure {
			d := c.Dataset(i.Dataset)
			return d.Answer(p.rows(t, parts[0], d, subject), i, p.at())
		}
	}
	t.Fatalf("no catalog offers %s as %s", item, disclosure)
	return catalog.Answer{}
}

// TestStory: on any day, the agencies give the answers that each main character
// is meant to show.
func TestStory(t *testing.T) {
	stories := []struct {
		who     consent.Subject
		item    string
		as      consent.Disclosure
		outcome consent.Outcome
		value   string
	}{
		{Jiaoxin, "tax.vat.sales_12m", consent.Band, consent.Answered, "1000000..5000000"},
		{Jiaoxin, "tax.vat.filed_12m", consent.Value, consent.Answered, "12"},
		{Jiaoxin, "tax.rd.deduction", consent.Value, consent.Answered, "2310000.00"},
		{Jiaoxin, "tax.credit.grade", consent.Value, consent.Answered, "M"},
		{Jiaoxin, "tax.arrears.balance", consent.Band, consent.Answered, "0..1"},
		{Jiaoxin, "ip.patents.inventions", consent.Value, consent.Answered, "6"},
		{Jiaoxin, "court.cases.open", consent.Value, consent.Answered, "0"},
		{Jiaoxin, "court.dishonest.open", consent.Value, consent.Answered, "0"},
		{Jiaoxin, "social.insured.unpaid_12m", consent.Value, consent.Answered, "0"},
		{Laojiao, "tax.credit.grade", consent.Value, consent.Answered, "A"},
		{Chenjiao, "court.dishonest.open", consent.Value, consent.Answered, "1"},
		{Chenjiao, "court.cases.open", consent.Value, consent.Answered, "4"},
		{Chenjiao, "tax.arrears.balance", consent.Value, consent.Answered, "186400.00"},
		{Chenjiao, "tax.credit.grade", consent.Value, consent.Answered, "D"},
		{Chenjiao, "market.abnormal.open", consent.Value, consent.Answered, "1"},
		{Fubiao, "power.usage.use_12m", consent.Band, consent.Answered, "0..10000"},
		{Yuanshan, "tax.vat.sales_12m", consent.Band, consent.NoRecord, ""},
		{Yuanshan, "power.usage.growth", consent.Value, consent.NoRecord, ""},
		{Yuanshan, "court.cases.open", consent.Value, consent.Answered, "0"},
		{Jiuchao, "social.insured.persons", consent.Value, consent.Stale, ""},
		{Jiuchao, "tax.vat.filed_12m", consent.Value, consent.Answered, "12"},
	}
	first := day(t, "2026-01-01")
	for today := first; today < first+400; today += 13 {
		p := open(t, today)
		for _, s := range stories {
			a := p.answer(t, s.who, s.item, s.as)
			if a.Outcome != s.outcome || a.Value != s.value {
				t.Errorf("day %d: %s of %s: %s %q (%s), want %s %q", today-first, s.item, s.who, a.Outcome, a.Value, a.Reason, s.outcome, s.value)
			}
		}
		if t.Failed() {
			break
		}
	}
}

// TestRepeated: rows repeated by the faulty join of the tax tables are counted
// but not summed.
func TestRepeated(t *testing.T) {
	p := open(t, day(t, "2026-07-15"))
	a := p.answer(t, Dielang, "tax.vat.sales_12m", consent.Value)
	if a.Outcome != consent.Answered || a.Dropped < months*6 || a.Rows != 12 {
		t.Fatalf("%s, %d rows, %d dropped", a.Outcome, a.Rows, a.Dropped)
	}
	naive := decimal.Zero
	d := p.catalogs["tax"].Dataset("vat")
	base := slices.IndexFunc(d.Fields, func(f catalog.Field) bool { return f.Name == "base" })
	for _, row := range p.rows(t, "tax", d, Dielang) {
		naive = naive.Add(row[base].(decimal.Decimal))
	}
	if told := decimal.RequireFromString(a.Value); naive.LessThan(told.Mul(decimal.NewFromInt(14))) {
		t.Error("a sum of all rows of two years is less than 14 times that of one: the trap is gone")
	}
	if b := p.answer(t, Jiaoxin, "tax.vat.sales_12m", consent.Value); b.Dropped != 0 {
		t.Errorf("%d rows of another firm dropped", b.Dropped)
	}
}

// TestSources: an agency's CSV folder passes the connector's own test against
// its catalog, and gives the same rows that these tests read without the
// connector.
func TestSources(t *testing.T) {
	p := open(t, day(t, "2026-07-15"))
	for _, agency := range agencies {
		dir := filepath.Join(t.TempDir(), agency)
		p.tables[agency] = Tables(agency, p.today)
		if err := writeCSV(dir, p.tables[agency], p.today); err != nil {
			t.Fatal(err)
		}
		s, err := source.Open(source.Config{Name: "main", Kind: "csv", Path: dir})
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.catalogs[agency].Datasets {
			d := &p.catalogs[agency].Datasets[i]
			if report, err := s.Test(t.Context(), d, source.Try{At: p.at()}, nil); err != nil || !report.OK() {
				t.Errorf("%s.%s: %+v, %v", agency, d.Name, report, err)
			}
			for _, who := range []consent.Subject{Jiaoxin, Chenjiao, Dielang, Yuanshan} {
				found, err := s.Rows(t.Context(), d, who)
				if err != nil {
					t.Fatal(err)
				}
				got := found.Rows
				want := p.rows(t, agency, d, who)
				if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(texts(got), texts(want)) {
					t.Errorf("%s.%s: %d rows of %s, want %d, or others", agency, d.Name, len(got), who, len(want))
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// texts makes rows comparable: a source promises no order, and a decimal can be
// represented in several ways.
func texts(rows []catalog.Row) (all [][]string) {
	for _, row := range rows {
		var cells []string
		for _, v := range row {
			cells = append(cells, fmt.Sprint(v))
		}
		all = append(all, cells)
	}
	slices.SortFunc(all, slices.Compare)
	return all
}
