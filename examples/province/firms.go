package province

import (
	"math/rand/v2"
	"strings"
	"sync"
)

// seed makes the province: with the same seed it is the same, byte for byte.
const seed = 9

const (
	months = 36 // of rows that every monthly table has about a firm that was there
	older  = 3  // months of rows before them: a flow may end three months earlier
	span   = months + older
	anchor = 24 // months ago, a firm's numbers have the values from which they develop
)

// counts says how many firms there are of each kind: 500.
var counts = []struct {
	kind Kind
	many int
}{
	{Startup, 84}, {Growing, 128}, {Stable, 112}, {Troubled, 58}, {Shell, 12}, {Partial, 14}, {Repeated, 8}, {Outdated, 12}, {Seasonal, 32}, {Dormant, 22}, {Closed, 18},
}

// firm is an enterprise with the numbers from which the agencies' rows are
// made. Rates are in thousandths a year.
type firm struct {
	number                 int // from 1; with the seed it decides everything about the firm
	code, chinese, english string
	kind                   Kind
	trade                  trade
	age                    int    // months
	capital                int    // 10,000 CNY
	grades                 string // newest first
	sales, salesRate       int    // CNY a month, two years ago
	kwh, kwhRate           int
	staff, staffRate       int
	abroad                 int // thousandths of its sales that are exported
	reported               int // employees in the annual report; 0: as many as are insured
	rd, rdRate             int // CNY in the newest year
	inventions, pending    int
	utilities, lapsed      int
	software, marks        int
	sued, suing            int // open cases as defendant, closed ones as plaintiff
	executed, dishonest    int
	abnormal               int    // open entries on the list of abnormal operation
	unpaid                 int    // newest months without social contributions
	overdue                int    // newest months with unpaid power bills
	idle                   int    // newest months without sales
	closed                 int    // months since it was closed; 0: it is not
	arrears                int    // CNY of tax
	fined                  int    // penalties of the environment department that it has not served
	unknown                string // agencies without rows
	stopped                int    // months since the newest social security row
	late                   int    // newest months that the power company has not loaded
	repeats                bool   // whether tax rows repeat
	quarterly              bool   // whether it files its sales by quarter
	longOwed               bool   // whether its arrears are seven years old
	played                 bool   // whether the story, a test or a text names it
}

// dice makes numbers. Each firm has its own for each purpose, so that an
// agency's data can be made without that of the others.
type dice struct{ *rand.Rand }

func (f *firm) dice(purpose int) dice {
	return dice{rand.New(rand.NewPCG(seed, uint64(f.number)<<8|uint64(purpose)))}
}

// The purposes of dice; those of the agencies follow.
const (
	forTrade = iota
	forKind
	forPast
	forMess
	forAgencies
)

// in returns a number from low to high.
func (d dice) in(low, high int) int { return low + d.IntN(high-low+1) }

// one reports, once in so many times, true.
func (d dice) one(of int) bool { return d.IntN(of) == 0 }

// firms returns all firms, in the order of their numbers.
var firms = sync.OnceValue(func() []*firm {
	var list []*firm
	made := map[Kind]int{}
	for _, n := range names {
		for line := range strings.SplitSeq(strings.ReplaceAll(n.lines, "\n", ""), "|") {
			f := &firm{number: len(list) + 1, kind: n.kind}
			f.named(line)
			f.develop()
			f.direct()
			list = append(list, f)
			made[n.kind]++
		}
	}
	for _, c := range counts {
		for range c.many - made[c.kind] {
			f := &firm{number: len(list) + 1, kind: c.kind}
			f.trade = f.takes()
			f.titled()
			f.develop()
			list = append(list, f)
		}
	}
	return list
})

// takes returns the trade that a firm takes up.
func (f *firm) takes() trade {
	d := f.dice(forTrade)
	for {
		if t := trades[d.IntN(len(trades))]; f.kind != Seasonal || t.season {
			return t
		}
	}
}

// develop gives a firm the properties of its kind. Electricity and staff follow
// from its sales, as far as its trade needs them.
func (f *firm) develop() {
	d := f.dice(forKind)
	switch f.kind {
	case Startup:
		f.age, f.capital, f.grades = d.in(16, 33), d.in(10, 60)*10, "M M"
		f.sales, f.salesRate = d.in(30, 200)*1000, d.in(-150, 600)
		f.rd, f.rdRate = d.in(80, 400)*10_000, d.in(100, 500)
		f.inventions, f.pending, f.utilities, f.software, f.marks = d.in(0, 7), d.in(0, 6), d.in(0, 5), d.in(0, 9), d.in(1, 4)
	case Growing, Partial, Repeated, Seasonal:
		f.age, f.capital, f.grades = d.in(42, 92), d.in(50, 300)*10, []string{"A A B", "A B B", "B B M", "B B B"}[d.IntN(4)]
		f.sales, f.salesRate = d.in(50, 400)*10_000, d.in(20, 280)
		f.rd, f.rdRate = d.in(50, 300)*10_000, d.in(0, 250)
		f.inventions, f.pending, f.utilities, f.software, f.marks = d.in(0, 4), d.in(0, 4), d.in(2, 12), d.in(0, 6), d.in(1, 6)
		f.sued, f.suing = d.IntN(5)/3, d.in(0, 2)
	case Stable, Outdated:
		f.age, f.capital, f.grades = d.in(130, 290), d.in(200, 900)*10, []string{"A A A", "A A B", "B A A"}[d.IntN(3)]
		f.sales, f.salesRate = d.in(300, 1500)*10_000, d.in(-90, 50)
		f.rd, f.rdRate = d.in(0, 100)*10_000, d.in(-50, 100)
		f.inventions, f.utilities, f.lapsed, f.marks = d.in(0, 3), d.in(3, 15), d.in(0, 6), d.in(2, 9)
		f.sued, f.suing = d.in(0, 2), d.in(1, 4)
	case Troubled:
		f.fails(d)
	case Shell:
		f.age, f.capital, f.grades = d.in(26, 34), 5000, "B M"
		f.sales, f.salesRate, f.reported, f.marks = d.in(300, 500)*10_000, d.in(900, 1200), d.in(30, 45), 1
	case Dormant:
		f.age, f.capital, f.grades = d.in(50, 200), d.in(10, 100)*10, "D C B"
		f.sales, f.salesRate, f.idle, f.utilities, f.abnormal = d.in(10, 60)*10_000, d.in(-300, -100), d.in(9, 30), d.in(0, 2), d.IntN(2)
	case Closed:
		f.age, f.capital, f.grades = d.in(60, 200), d.in(10, 200)*10, ""
		f.sales, f.salesRate, f.closed = d.in(20, 200)*10_000, d.in(-400, -200), d.in(4, 30)
		f.lapsed, f.sued, f.executed = d.in(0, 5), d.in(0, 3), d.IntN(2)
	}
	f.works(d)
}

// fails makes a firm that is in trouble.
func (f *firm) fails(d dice) {
	f.age, f.capital, f.grades = d.in(60, 140), d.in(50, 400)*10, []string{"C B B", "D C B", "D D C"}[d.IntN(3)]
	f.sales, f.salesRate, f.idle = d.in(100, 400)*10_000, d.in(-380, -200), d.in(0, 3)
	f.rd, f.rdRate = d.in(0, 40)*10_000, d.in(-400, -100)
	f.inventions, f.utilities, f.lapsed, f.software, f.marks = d.in(0, 2), d.in(0, 6), d.in(2, 8), d.in(0, 2), d.in(0, 3)
	f.sued, f.suing, f.executed, f.dishonest, f.abnormal = d.in(2, 6), d.in(0, 1), d.in(1, 3), d.IntN(2), d.IntN(2)
	f.unpaid, f.overdue, f.arrears = d.in(2, 7), d.in(1, 5), d.in(20, 260)*1000
}

// works derives from a firm's sales what it needs to make them: electricity,
// staff and customers abroad.
func (f *firm) works(d dice) {
	wattage, yield := d.in(15, 40), d.in(25, 60)*1000 // Wh for each CNY, CNY a month for each person
	if f.trade.industry >= "6" || f.trade.industry < "1" {
		wattage, yield = d.in(4, 9), d.in(20, 40)*1000
	}
	f.kwh, f.staff = f.sales*wattage/1000, max(3, f.sales/yield)
	f.kwhRate, f.staffRate = f.salesRate*d.in(70, 110)/100+d.in(-30, 30), f.salesRate*d.in(30, 70)/100
	switch f.kind {
	case Startup:
		f.kwh, f.staff = f.kwh*3, d.in(8, 24)
	case Shell:
		f.kwh, f.kwhRate, f.staff, f.staffRate = d.in(200, 500), d.in(-80, 20), d.in(2, 3), 0
	case Outdated:
		f.stopped = d.in(5, 12)
	case Repeated:
		f.repeats = true
	case Partial:
		f.unknown = []string{"power", "tax power", "social power", "tax social power"}[d.IntN(4)]
	}
	if f.trade.abroad > 0 && d.IntN(3) > 0 && f.kind != Shell {
		f.abroad = f.trade.abroad * d.in(40, 160) / 100
	}
	if f.trade.dirty && (f.kind == Troubled || d.one(9)) {
		f.fined = d.in(1, 2)
	}
	if f.kind == Growing && d.one(25) {
		f.late = d.in(1, 2)
	}
	f.quarterly = f.kind == Growing && d.one(12)
}

// direct gives the main characters, and firms of rare kinds, the properties
// that the story needs.
func (f *firm) direct() {
	f.late, f.quarterly = 0, false // what happens to some firms is not what these are to show
	plays := func(name string) bool {
		f.played = f.played || strings.Contains(f.chinese, name)
		return strings.Contains(f.chinese, name)
	}
	switch {
	case plays("礁芯"):
		f.age, f.capital, f.sales, f.salesRate, f.kwh, f.kwhRate = 30, 300, 90_000, 380, 8_400, 290
		f.staff, f.staffRate, f.rd, f.rdRate, f.abroad = 14, 240, 2_310_000, 320, 120
		f.inventions, f.pending, f.utilities, f.software, f.marks, f.grades = 6, 4, 3, 8, 2, "M M"
	case plays("礁联"):
		f.age, f.grades, f.salesRate, f.kwhRate, f.staffRate = 62, "A A B", 210, 180, 120
		f.sued, f.inventions, f.pending = 0, 4, 3
	case plays("沉礁"):
		f.age, f.grades, f.dishonest, f.executed, f.sued, f.arrears, f.abnormal, f.fined = 118, "D C B", 1, 2, 4, 186_400, 1, 2
	case plays("老礁"):
		f.age, f.grades, f.salesRate, f.kwhRate, f.staffRate, f.abroad = 264, "A A A", 20, 10, 5, 220
		f.sued, f.inventions, f.pending = 0, 3, 1
	case plays("贝织"):
		f.quarterly, f.grades, f.salesRate, f.kwhRate, f.staffRate, f.abroad, f.sued = true, "B A A", 160, 150, 60, 300, 0
	case plays("退汐"):
		f.longOwed, f.dishonest = true, 1
	case plays("浮标"):
		f.age = 32
	case plays("新屿"):
		f.age, f.capital, f.sales, f.staff, f.unknown = 3, 100, 20_000, 4, "tax power"
		f.inventions, f.pending, f.utilities, f.sued, f.suing = 0, 1, 0, 0, 0
	case plays("游礁"):
		f.unknown = "power"
	case plays("夜汐"):
		f.unknown = "social power"
	case plays("远珊"):
		f.inventions, f.pending, f.utilities, f.software, f.marks, f.sued, f.suing, f.rd = 0, 0, 0, 0, 0, 0, 0, 0
		f.unknown, f.abroad = "tax social power", 0
	case plays("叠浪"):
		f.staffRate, f.inventions, f.pending, f.sued, f.salesRate, f.kwhRate, f.grades = 90, 3, 3, 0, 160, 150, "A A B"
	case plays("旧潮"):
		f.stopped, f.salesRate, f.kwhRate, f.sued, f.inventions = 7, -40, -50, 1, 0
	}
}
