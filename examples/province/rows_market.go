package province

import (
	"fmt"
	"time"
)

// market writes what the market regulator has: the register, what firms report
// every year, and what it has against them.
func (a *agency) market(f *firm) {
	p := f.past(a.calendar)
	founded := a.month(f.age, a.dice.in(1, 28))
	a.register(f, founded)
	a.owners(f, founded)
	for range a.dice.in(0, 3) {
		if f.age < 8 {
			break
		}
		item := [][3]string{{"住所变更", "旧址", "新址"}, {"经营范围变更", "研发", "研发、生产和销售"}, {"注册资本变更", fmt.Sprint(f.capital / 2), fmt.Sprint(f.capital)}, {"法定代表人变更", "", ""}}[a.dice.IntN(4)]
		a.add("changes", f, item[0], item[1], item[2], a.recent(f, 1, 60))
	}
	for ago := range 3 {
		if f.age >= 14+12*ago && f.closed < 6+12*ago {
			a.report(f, p, ago)
		}
	}
	if f.kind == Stable && a.dice.IntN(2) == 0 {
		a.add("abnormal", f, "未按时公示年报", a.month(a.dice.in(50, 90), 8), a.month(a.dice.in(40, 49), 20))
	}
	for range f.abnormal {
		a.add("abnormal", f, "通过登记的住所无法联系", a.month(a.dice.in(2, 9), 11), "")
	}
	a.against(f)
	a.secured(f)
}

// register writes the firm's record. The name of its representative is in the
// table and in no catalog.
func (a *agency) register(f *firm, founded string) {
	status := "存续"
	switch {
	case f.kind == Closed:
		status = []string{"注销", "吊销"}[a.dice.IntN(2)]
	case !f.played && a.dice.one(6):
		status = []string{"存续（在营、开业、在册）", "在业", "开业", "在册"}[a.dice.IntN(4)]
	}
	city := cities[f.number%len(cities)].chinese
	until, old := "", ""
	if a.dice.one(3) {
		until = a.month(f.age-12*30, 28)
	}
	if a.dice.one(12) {
		old = city + stems[a.dice.IntN(len(stems)/2)*2] + f.trade.chinese + "厂"
	}
	kind := []string{"有限责任公司(自然人投资或控股)", "有限责任公司(自然人独资)", "有限责任公司(法人独资)", "其他有限责任公司"}[a.dice.IntN(4)]
	a.add("basicinfo", f, f.chinese, founded, f.capital, f.trade.industry, status, kind, a.person(), founded, until, a.recent(f, 0, 40),
		city+"市场监督管理局", fmt.Sprintf("%s海堤路%d号", city, a.dice.in(1, 900)), f.trade.chinese+"的研发、生产和销售", old)
}

// person returns the name of nobody.
func (a *agency) person() string {
	return stems[a.dice.IntN(len(stems)/2)*2] + "某" + []string{"甲", "乙", "丙", "丁"}[a.dice.IntN(4)]
}

// owners writes who owns the firm; the shares are 100 % together.
func (a *agency) owners(f *firm, founded string) {
	left := 10_000
	for i := a.dice.in(1, 4); i > 0; i-- {
		share := left
		if i > 1 {
			share = a.dice.in(1000, max(1000, left-1000*(i-1)))
		}
		left -= share
		kind, owner := "自然人股东", a.person()
		if a.dice.one(4) {
			kind, owner = "法人股东", stems[a.dice.IntN(len(stems)/2)*2]+"某投资有限公司"
		}
		a.add("shareholders", f, owner, kind, yuan(f.capital*share/100), yuan(share), founded)
	}
}

// report writes what the firm reported about the year before, so many years
// ago. Some firms report no amounts, as they may.
func (a *agency) report(f *firm, p *past, ago int) {
	published := a.yearly(ago, time.June, 20)
	about := a.calendar.ago(published)
	heads := p.heads[min(p.from, max(p.to, about))]
	if f.reported > 0 {
		heads = f.reported
	}
	heads += a.dice.in(-heads/20, heads/20)
	year, of := p.during(a.calendar, a.first(about).Year()-1, &p.sales)
	if of < 12 || a.dice.one(9) {
		a.add("annual_reports", f, published, heads, "", "", "", "", "", "", "", "")
		return
	}
	assets := year/100*a.dice.in(60, 180) + f.capital*1_000_000
	owed := assets / 100 * a.dice.in(25, 60)
	profit := year / 100 * a.dice.in(2, 14)
	if f.kind == Troubled {
		owed, profit = assets/100*a.dice.in(75, 120), -year/100*a.dice.in(3, 20)
	}
	main := year / 100 * a.dice.in(85, 100)
	a.add("annual_reports", f, published, heads, tenThousand(assets), tenThousand(owed), tenThousand(assets-owed), tenThousand(year), tenThousand(main),
		tenThousand(profit), tenThousand(profit*3/4), tenThousand(year/100*a.dice.in(2, 6)))
}

// against writes what the regulator has against a firm.
func (a *agency) against(f *firm) {
	if f.played && f.kind != Troubled {
		return
	}
	bad := f.kind == Troubled || f.kind == Shell || f.kind == Dormant
	if bad && a.dice.one(8) {
		a.add("dishonesty", f, a.recent(f, 2, 30), "")
	} else if a.dice.one(60) {
		a.add("dishonesty", f, a.month(a.dice.in(50, 60), 5), a.recent(f, 4, 12))
	}
	if bad && a.dice.one(3) || a.dice.one(25) {
		a.add("penalties", f, "演市监罚"+a.number(), []string{"虚假宣传", "未按规定公示", "产品质量不合格"}[a.dice.IntN(3)], yuan(a.dice.in(5, 400)*100_000), a.recent(f, 1, 34))
	}
	if a.dice.one(5) {
		result := "合格"
		if bad || a.dice.one(8) {
			result = "不合格"
		}
		a.add("spot_checks", f, a.recent(f, 1, 34), result)
	}
}

// secured writes what of the firm secures debts.
func (a *agency) secured(f *firm) {
	state := func() string { return []string{"有效", "注销"}[a.dice.IntN(2)] }
	if f.kind == Stable && a.dice.one(3) || f.kind == Growing && a.dice.one(6) || f.kind == Troubled {
		a.add("mortgages", f, "DY"+a.number(), yuan(f.capital*a.dice.in(20, 90)), a.recent(f, 2, 34), state())
	}
	if a.dice.one(14) {
		a.add("pledges", f, "ZQ"+a.number(), yuan(f.capital*a.dice.in(10, 60)), a.recent(f, 2, 34), state())
	}
}

// number returns a number that no other entry of the firm is likely to have.
func (a *agency) number() string { return fmt.Sprintf("%07d", a.dice.in(1, 9_999_999)) }
