package province

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
)

// agency makes the rows of one agency.
type agency struct {
	calendar
	name   string
	dice   dice // of the agency's own, about the firm at hand
	tables map[string]*Table
}

// writers make what an agency has about a firm.
var writers = map[string]func(*agency, *firm){
	"court": (*agency).court, "customs": (*agency).customs, "environment": (*agency).environment, "ip": (*agency).ip, "market": (*agency).market,
	"power": (*agency).power, "science": (*agency).science, "social": (*agency).social, "tax": (*agency).tax,
}

// agencyNames are in the order of their dice.
var agencyNames = slices.Sorted(maps.Keys(writers))

// Tables returns an agency's database on a day of the network, by ascending
// table name: what 36 months have left there about 500 firms, in the order in
// which it came. It returns nothing for a member that is no agency.
func Tables(name string, today consent.Day) []Table {
	return tables(name, today, firms())
}

// TableNames returns the names of an agency's tables, ascending; none of a
// member that is no agency.
func TableNames(agency string) (list []string) {
	for _, line := range schema[agency] {
		name, _, _ := strings.Cut(line, ":")
		list = append(list, name)
	}
	return list
}

func tables(name string, today consent.Day, about []*firm) (list []Table) {
	a := &agency{calendar: calendarOf(today), name: name, tables: map[string]*Table{}}
	for _, line := range schema[name] {
		t := declared(line)
		a.tables[t.Name] = t
	}
	write := writers[name]
	if write == nil {
		return nil
	}
	for _, f := range about {
		if slices.Contains(strings.Fields(f.unknown), name) {
			continue
		}
		a.dice = f.dice(forAgencies + slices.Index(agencyNames, name))
		write(a, f)
	}
	a.mess(about)
	for _, table := range TableNames(name) {
		list = append(list, *a.tables[table])
	}
	return list
}

// add adds a row about a firm.
func (a *agency) add(table string, f *firm, cells ...any) { a.tables[table].add(f.code, cells...) }

// recent returns a day from low to high months ago, after the firm was founded.
func (a *agency) recent(f *firm, low, high int) string {
	return a.month(a.dice.in(low, max(low, min(high, f.age-1))), a.dice.in(1, 28))
}

// past is how a firm has done, by months ago. A month before it was founded, or
// after it was closed, is not part of it.
type past struct {
	from, to   int       // first and newest month
	sales      [span]int // fen
	kwh, heads [span]int
	abroad     [span]int // exports, fen
}

// season is the weight of each month of the calendar for a firm that sells by
// the season, in hundredths.
var season = [12]int{55, 45, 70, 85, 95, 90, 80, 95, 150, 190, 145, 100}

// past returns how a firm has done. The noise of a month is the same for all
// that is made of it: a month with few sales needs less electricity.
func (f *firm) past(c calendar) *past {
	d := f.dice(forPast)
	p := &past{from: min(span, f.age) - 1, to: f.closed}
	for ago := span - 1; ago >= 0; ago-- { // as many dice for a firm of any age
		noise, own := d.in(950, 1050), d.in(985, 1015)
		cents := d.IntN(100)
		if ago > p.from || ago < p.to {
			continue
		}
		weight := 100
		if f.kind == Seasonal {
			weight = season[c.first(ago).Month()-1]
		}
		p.sales[ago] = trend(f.sales, f.salesRate, ago)*noise/1000*weight + cents
		p.kwh[ago] = max(1, trend(f.kwh, f.kwhRate, ago)*noise/1000*own/1000*(100+weight)/200)
		p.heads[ago] = max(1, trend(f.staff, f.staffRate, ago))
		if ago < f.idle {
			p.sales[ago] = 0
			if f.kind == Dormant {
				p.kwh[ago], p.heads[ago] = max(1, p.kwh[ago]/30), 1
			}
		}
		p.abroad[ago] = p.sales[ago] / 1000 * f.abroad * own / 1000
	}
	return p
}

// trend returns a number that was base two years ago and changes at a yearly
// rate.
func trend(base, rate, ago int) int {
	return max(base/10, base*(12_000+rate*(anchor-1-ago))/12_000)
}

// during returns the sum of a series over the months of a calendar year that
// the firm's past has, and the number of these months.
func (p *past) during(c calendar, year int, series *[span]int) (sum, of int) {
	for ago := p.to; ago <= p.from; ago++ {
		if c.first(ago).Year() == year {
			sum, of = sum+series[ago], of+1
		}
	}
	return sum, of
}

// yuan formats an amount given in fen.
func yuan(fen int) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// tenThousand formats an amount given in fen as 10,000 CNY.
func tenThousand(fen int) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/1_000_000, fen/10_000%100)
}

// ago returns how many months before month 0 a day is.
func (c calendar) ago(day string) int {
	d, err := time.Parse(dateForm, day)
	if err != nil {
		return 0
	}
	return (c.newest.Year()-d.Year())*12 + int(c.newest.Month()-d.Month())
}
