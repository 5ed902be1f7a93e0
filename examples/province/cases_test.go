package province

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"

	"github.com/shopspring/decimal"
)

// with adds rows to a table. The rows have commas between their cells and omit
// the code of Jiaoxin, which with inserts, and the last cells if these have no
// value.
func (p *province) with(t testing.TB, agency, table string, lines ...string) {
	t.Helper()
	i := slices.IndexFunc(p.tables[agency], func(x Table) bool { return x.Name == table })
	for _, line := range lines {
		row, columns := append([]string{string(Jiaoxin)[5:]}, strings.Split(line, ",")...), len(p.tables[agency][i].Columns)
		if len(row) > columns {
			t.Fatalf("%s has the columns %v", table, p.tables[agency][i].Columns)
		}
		row = append(row, make([]string, columns-len(row))...)
		p.tables[agency][i].Rows = append(p.tables[agency][i].Rows, row)
	}
}

// TestCases: registers that scorecards elsewhere have evaluated wrongly.
func TestCases(t *testing.T) {
	const missing, invalid = "no_record ", "invalid "
	for _, c := range []struct {
		name, agency, table, rows string // rows with "|" between them
		item                      string
		as                        consent.Disclosure
		want                      string
	}{
		{"a debt since five years and a day", "tax", "arrears", "2021-11-27,800000.00,", "tax.arrears.balance", consent.Band, "answered 100000..1000000"},
		{"a debt of seven years", "tax", "arrears", "2019-11-30,800000.00,", "tax.arrears.balance", consent.Band, "answered 100000..1000000"},
		{"enforcement since five years", "court", "executed", "演01执0001号,2021-11-30,900000.00,open", "court.executed.amount", consent.Band, "answered 100000..1000000"},
		{"a case of three years", "court", "cases", "演01民初0001号,2023-11-30,defendant,1.00,open", "court.cases.open", consent.Value, "answered 1"},
		{"an invention of ten years", "ip", "patents", "DP000001,invention,valid,2016-11-30,2018-01-01", "ip.patents.inventions", consent.Value, "answered 7"},
		{"a deduction corrected downwards", "tax", "rd_deductions", "2026-10-20,310000.00", "tax.rd.deduction", consent.Value, "answered 310000.00"},
		{"two deductions of one day", "tax", "rd_deductions", "2026-10-20,310000.00|2026-10-20,320000.00", "tax.rd.deduction", consent.Value, invalid},
		{"a lowered grade", "tax", "credit_grades", "2026-10-20,D", "tax.credit.grade", consent.Value, "answered D"},
		{"two debts of one sum and day", "tax", "arrears", "2026-03-01,60000.00,|2026-03-01,60000.00,", "tax.arrears.balance", consent.Band, "answered 100000..1000000"},
		{"listed with a blank", "court", "dishonest", "演02执0001号,2026-09-01,listed ", "court.dishonest.open", consent.Value, invalid},
		{"Listed", "court", "dishonest", "演02执0001号,2026-09-01,Listed", "court.dishonest.open", consent.Value, invalid},
		{"在列", "court", "dishonest", "演02执0001号,2026-09-01,在列", "court.dishonest.open", consent.Value, "answered 1"},
		{"one entry, said twice and otherwise", "court", "dishonest", "演02执0001号,2026-09-01,listed|演02执0001号,2026-09-01,removed", "court.dishonest.open", consent.Value, invalid},
		{"no amount in one row", "tax", "arrears", "2026-03-01,,", "tax.arrears.balance", consent.Value, missing},
		{"a value that no bank could read", "tax", "arrears", "2026-03-01,100000000000000000000,", "tax.arrears.balance", consent.Value, invalid},
		{"a return of the month that is not over", "tax", "vat_returns", "2026-11-01,2026-11-30,增值税,货物,99999999.00,1.00", "tax.vat.sales_12m", consent.Band, "answered 1000000..5000000"},
	} {
		p := open(t, day(t, "2026-11-28"))
		p.with(t, c.agency, c.table, strings.Split(c.rows, "|")...)
		a := p.answer(t, Jiaoxin, c.item, c.as)
		if got := a.Outcome.String() + " " + a.Value; got != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, got, a.Reason, c.want)
		}
	}
}

// TestByQuarter: sales filed by quarter give the same answers as the same sales
// filed by month.
func TestByQuarter(t *testing.T) {
	for _, today := range []string{"2026-11-28", "2026-12-31", "2027-01-15", "2027-01-16", "2027-02-28"} {
		p := open(t, day(t, today))
		want := map[string]catalog.Answer{}
		for _, output := range []string{"sales_12m", "sales_growth", "filed_12m"} {
			want[output] = p.answer(t, Jiaoxin, "tax.vat."+output, consent.Value)
		}
		returns := &p.tables["tax"][slices.IndexFunc(p.tables["tax"], func(x Table) bool { return x.Name == "vat_returns" })]
		sums := map[string]decimal.Decimal{}
		returns.Rows = slices.DeleteFunc(returns.Rows, func(row []string) bool {
			if row[0] != string(Jiaoxin)[5:] {
				return false
			}
			var year, month int
			if _, err := fmt.Sscanf(row[1], "%d-%d", &year, &month); err != nil {
				t.Fatal(err)
			}
			first := (month-1)/3*3 + 1
			span := fmt.Sprintf("%d-%02d-01,%d-%02d-%d", year, first, year, first+2, map[int]int{1: 31, 4: 30, 7: 30, 10: 31}[first])
			sums[span] = sums[span].Add(decimal.RequireFromString(row[5]))
			return true
		})
		for span, sum := range sums {
			p.with(t, "tax", "vat_returns", span+",增值税,货物,"+sum.String()+",0.00")
		}
		for output, monthly := range want {
			got := p.answer(t, Jiaoxin, "tax.vat."+output, consent.Value)
			if got.Outcome != consent.Answered || got.Value != monthly.Value || got.Covered != monthly.Covered {
				t.Errorf("%s on %s: %+v by quarter, %+v by month", output, today, got, monthly)
			}
		}
	}
}

// TestCatalogsWarnOfNothing: the catalogs, which people copy, cause no warning.
func TestCatalogsWarnOfNothing(t *testing.T) {
	p := open(t, day(t, "2026-11-28"))
	for _, agency := range agencies {
		if w := p.catalogs[agency].Warnings(); len(w) > 0 {
			t.Errorf("%s: %v", agency, w)
		}
	}
}
