package province

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

const (
	months = 24 // over which a firm's numbers develop
	older  = 3  // months of rows before them: a flow of 24 months may end three months earlier
)

// add adds a row about a firm to a table, unless the table's agency does not
// know the firm.
func (g *generator) add(table string, f *firm, cells ...any) {
	agency, _, _ := strings.Cut(table, "/")
	if strings.Contains(f.unknown, agency) {
		return
	}
	row := []string{f.code}
	for _, c := range cells {
		row = append(row, fmt.Sprint(c))
	}
	g.tables[table].Rows = append(g.tables[table].Rows, row)
}

// write writes the rows of every agency about a firm.
func (g *generator) write(f *firm) {
	g.add("enterprises", f, f.chinese, f.english, f.kind)
	g.market(f)
	before := &generator{Rand: rand.New(rand.NewPCG(90, uint64(f.age))), tables: g.tables}
	for ago := min(months+older, f.age) - 1; ago >= months; ago-- {
		before.month(f, ago)
	}
	for ago := min(months, f.age) - 1; ago >= 0; ago-- {
		g.month(f, ago)
	}
	for ago := (months+older)/3 - 1; f.quarterly && ago >= 0; ago-- {
		sales := 0
		for i := range 3 {
			sales += before.trend(f.sales, f.salesRate, 3*ago+i) * 100
		}
		g.add("tax/vat_returns", f, fmt.Sprintf("q-%d-first", ago), fmt.Sprintf("q-%d-last", ago), "增值税", "销售货物", yuan(sales), yuan(sales*3/100))
	}
	for ago := range 3 {
		if f.age >= 14+12*ago {
			g.year(f, ago)
		}
	}
	if f.arrears > 0 {
		since := g.in(5, 11)
		if f.longOwed {
			since = 84
		}
		g.add("tax/arrears", f, month(since, 15), yuan(f.arrears*100), "")
		g.add("tax/arrears", f, month(g.in(20, 30), 15), yuan(g.in(1, 9)*100_000), month(g.in(12, 18), 20))
	}
	g.court(f)
	g.property(f)
}

// month returns a relative date, see [resolve].
func month(ago, day int) string { return fmt.Sprintf("m-%d-%02d", ago, day) }

// yuan formats an amount given in fen.
func yuan(fen int) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// trend returns a number that was base two years ago and changes at a yearly
// rate, plus or minus a twentieth.
func (g *generator) trend(base, rate, ago int) int {
	return base * (12_000 + rate*(months-1-ago)) / 12_000 * g.in(950, 1050) / 1000
}

func (g *generator) market(f *firm) {
	g.add("market/basicinfo", f, f.chinese, month(f.age, g.in(1, 28)), f.capital, f.industry, "存续")
	if f.kind == Stable && g.IntN(2) == 0 {
		g.add("market/abnormal", f, "未按时公示年报", month(g.in(50, 90), 8), month(g.in(40, 49), 20))
	}
	for range f.abnormal {
		g.add("market/abnormal", f, "通过登记的住所无法联系", month(g.in(2, 9), 11), "")
	}
}

// heads returns how many persons were insured so many months ago. It has no
// noise: staff does not vary by a twentieth.
func (f *firm) heads(ago int) int {
	return max(1, f.staff*(12_000+f.staffRate*(months-1-ago))/12_000)
}

// month writes the rows of one month.
func (g *generator) month(f *firm, ago int) {
	sales := g.trend(f.sales, f.salesRate, ago)*100 + g.IntN(100)
	if ago < f.idle {
		sales = 0
	}
	if !f.quarterly {
		g.vat(f, ago, sales)
	}
	if persons := f.heads(ago); ago >= f.stopped {
		due := persons * g.in(190_000, 205_000)
		paid := due
		if ago < f.unpaid {
			paid = 0
		}
		g.add("social/insured", f, month(ago, 1), persons, yuan(due), yuan(paid))
	}
	kwh := g.trend(f.kwh, f.kwhRate, ago)
	overdue := 0
	if ago < f.overdue {
		overdue = kwh * g.in(60, 75)
	}
	g.add("power/usage", f, month(ago, 1), kwh, yuan(overdue))
}

// vat writes a month's return. For the firm with the faulty join it writes the
// return many times under unrelated items.
func (g *generator) vat(f *firm, ago, sales int) {
	items := []string{"现代服务", "销售货物", "研发和技术服务", "信息技术服务", "房屋租赁", "印花", "地方教育附加", "土地使用"}
	rate := 13
	if strings.HasPrefix(f.industry, "6") || strings.HasPrefix(f.industry, "7") {
		rate = 6
	}
	times := 1
	if f.repeats {
		times = g.in(7, 25)
	}
	for i := range times {
		g.add("tax/vat_returns", f, month(ago, 1), month(ago, 31), "增值税", items[i%len(items)], yuan(sales), yuan(sales*rate/100*30/100))
	}
	if ago < f.unpaid { // the tables list a late fee like a tax
		g.add("tax/vat_returns", f, month(ago, 1), month(ago, 31), "滞纳金", "增值税滞纳金", "", yuan(g.in(500, 9000)*10))
	}
}

// year writes the rows that occur once a year.
func (g *generator) year(f *firm, ago int) {
	employees := f.heads(min(months-1, 12*ago+6))
	if f.reported > 0 {
		employees = f.reported
	}
	g.add("market/annual_reports", f, fmt.Sprintf("y-%d-06-20", ago), employees+g.in(-employees/20, employees/20))
	if f.rd > 0 {
		amount := f.rd
		for range ago {
			amount = amount * 1000 / (1000 + f.rdRate)
		}
		g.add("tax/rd_deductions", f, fmt.Sprintf("y-%d-05-25", ago), yuan(amount*100))
	}
	if grades := strings.Fields(f.grades); ago < len(grades) {
		g.add("tax/credit_grades", f, fmt.Sprintf("y-%d-04-25", ago), grades[ago])
	}
}

func (g *generator) number(word string) string { return word + strconv.Itoa(g.in(1000, 9999)) + "号" }

func (g *generator) court(f *firm) {
	for range f.sued {
		g.add("court/cases", f, g.number("演01民初"), month(g.in(1, 11), g.in(1, 28)), "defendant", yuan(g.in(8, 240)*1_000_000), "open")
	}
	for range f.suing {
		g.add("court/cases", f, g.number("演02民初"), month(g.in(14, min(f.age, 60)), g.in(1, 28)), "plaintiff", yuan(g.in(5, 90)*1_000_000), "closed")
	}
	for range f.executed {
		g.add("court/executed", f, g.number("演01执"), month(g.in(1, 9), g.in(1, 28)), yuan(g.in(10, 300)*1_000_000), "open")
	}
	for range f.dishonest {
		g.add("court/dishonest", f, g.number("演01执"), month(g.in(0, 5), g.in(1, 28)), "listed")
	}
}

// property writes patents, trademarks and software. The founders of a young
// firm bring patents that are older than the firm.
func (g *generator) property(f *firm) {
	patent := func(kind, status string, applied int, granted string) {
		g.add("ip/patents", f, "DP"+strconv.Itoa(g.in(100_000, 999_999)), kind, status, month(applied, g.in(1, 28)), granted)
	}
	for range f.inventions {
		ago := g.in(20, 70)
		patent("invention", "valid", ago, month(ago-g.in(12, 19), 12))
	}
	for range f.pending {
		patent("invention", "pending", g.in(0, 18), "")
	}
	for range f.utilities {
		ago := g.in(12, 90)
		patent("utility", "valid", ago, month(ago-g.in(6, 10), 18))
	}
	for range f.lapsed {
		ago := g.in(80, 110)
		patent("utility", "lapsed", ago, month(ago-9, 18))
	}
	for range f.software {
		g.add("ip/software", f, "DS"+strconv.Itoa(g.in(100_000, 999_999)), month(g.in(0, min(f.age, 40)), g.in(1, 28)))
	}
	for range f.marks {
		g.add("ip/trademarks", f, "DT"+strconv.Itoa(g.in(100_000, 999_999)), "valid", month(g.in(0, min(f.age, 100)), g.in(1, 28)))
	}
}
