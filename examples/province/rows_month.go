package province

import (
	"strings"
	"time"
)

// tax writes returns, what was assessed, and what is owed.
func (a *agency) tax(f *firm) {
	p := f.past(a.calendar)
	for ago := p.from; ago >= p.to; ago-- {
		if !f.quarterly {
			a.filed(f, ago, p.sales[ago])
		}
		a.invoiced(f, ago, p.sales[ago])
	}
	for ago := span/3 - 1; f.quarterly && ago >= 0; ago-- {
		first, last := a.quarter(ago)
		sales, oldest := 0, a.calendar.ago(first)
		if oldest > p.from || oldest-2 < p.to {
			continue
		}
		for i := range 3 {
			sales += p.sales[oldest-i]
		}
		a.add("vat_returns", f, first, last, "增值税", "销售货物", yuan(sales), yuan(sales*3/100))
	}
	for ago := range 3 {
		if f.age >= 14+12*ago && f.closed < 6+12*ago {
			a.assessed(f, p, ago)
		}
	}
	if f.arrears > 0 {
		since := a.dice.in(5, 11)
		if f.longOwed {
			since = 84
		}
		a.add("arrears", f, a.month(since, 15), yuan(f.arrears*100), "")
		a.add("arrears", f, a.month(a.dice.in(20, 30), 15), yuan(a.dice.in(1, 9)*100_000), a.month(a.dice.in(12, 18), 20))
	}
	if f.kind == Shell || f.kind == Troubled && a.dice.one(3) {
		a.add("inspections", f, "演税稽"+a.number(), a.recent(f, 2, 20), "", "在查")
	} else if a.dice.one(30) {
		opened := a.dice.in(14, 34)
		if opened < f.age {
			a.add("inspections", f, "演税稽"+a.number(), a.month(opened, 9), a.month(opened-a.dice.in(3, 9), 17), []string{"无问题", "补税", "处罚"}[a.dice.IntN(3)])
		}
	}
}

// filed writes a month's return. For a firm with the faulty join it writes the
// return many times under unrelated items.
func (a *agency) filed(f *firm, ago, sales int) {
	items := []string{"现代服务", "销售货物", "研发和技术服务", "信息技术服务", "房屋租赁", "印花", "地方教育附加", "土地使用"}
	rate := 13
	if strings.HasPrefix(f.trade.industry, "6") || strings.HasPrefix(f.trade.industry, "7") {
		rate = 6
	}
	times := 1
	if f.repeats {
		times = a.dice.in(7, 25)
	}
	first, last := a.month(ago, 1), a.month(ago, 31)
	for i := range times {
		a.add("vat_returns", f, first, last, "增值税", items[i%len(items)], yuan(sales), yuan(sales*rate/100*30/100))
	}
	if ago < f.unpaid { // the tables list a late fee like a tax
		a.add("vat_returns", f, first, last, "滞纳金", "增值税滞纳金", "", yuan(a.dice.in(500, 9000)*10))
	}
}

// invoiced writes what a firm has invoiced in a month: nearly its sales. A
// shell has few customers and cancels much.
func (a *agency) invoiced(f *firm, ago, sales int) {
	many := sales/100/(20_000+f.number*300) + 1
	void, top := many*a.dice.in(0, 4)/100, a.dice.in(20, 60)
	if f.kind == Shell {
		void, top = many*a.dice.in(20, 40)/100, a.dice.in(92, 100)
	}
	if sales == 0 {
		many, void, top = 0, 0, 0
	}
	a.add("invoices", f, a.month(ago, 1), yuan(sales/1000*a.dice.in(975, 1025)), many, void, many*a.dice.in(0, 3)/100, "0."+two(min(top, 99)))
}

// assessed writes what happens once a year, so many years ago.
func (a *agency) assessed(f *firm, p *past, ago int) {
	if f.rd > 0 {
		amount := f.rd
		for range ago {
			amount = amount * 1000 / (1000 + f.rdRate)
		}
		a.add("rd_deductions", f, a.yearly(ago, time.May, 25), yuan(amount*100))
	}
	if grades := strings.Fields(f.grades); ago < len(grades) {
		a.add("credit_grades", f, a.yearly(ago, time.April, 25), grades[ago])
	}
	filed := a.yearly(ago, time.May, 20)
	year := a.first(a.calendar.ago(filed)).Year() - 1
	if sales, of := p.during(a.calendar, year, &p.sales); of == 12 {
		taxable := sales / 100 * a.dice.in(2, 12)
		if f.kind == Troubled || f.kind == Dormant {
			taxable = 0
		}
		a.add("income_tax", f, dated(year, time.January, 1), dated(year, time.December, 31), filed, yuan(taxable), yuan(taxable/4))
	}
}

// social writes heads and contributions, and no person.
func (a *agency) social(f *firm) {
	p := f.past(a.calendar)
	for ago := p.from; ago >= max(p.to, f.stopped); ago-- {
		base := p.heads[ago] * a.dice.in(520_000, 560_000)
		due := base / 100 * 37
		paid := due
		if ago < f.unpaid {
			paid = 0
		}
		a.add("insured", f, a.month(ago, 1), p.heads[ago], yuan(due), yuan(paid), yuan(base))
	}
}

// power writes what a firm uses and pays.
func (a *agency) power(f *firm) {
	p := f.past(a.calendar)
	most := 0
	for ago := p.from; ago >= p.to; ago-- {
		most = max(most, p.kwh[ago])
	}
	capacity := (most/200/50 + 1) * 50
	for ago := p.from; ago >= max(p.to, f.late); ago-- {
		due := p.kwh[ago] * a.dice.in(60, 75)
		overdue := 0
		if ago < f.overdue {
			overdue = due
		}
		a.add("usage", f, a.month(ago, 1), p.kwh[ago], yuan(overdue), yuan(due), capacity)
	}
	if f.kind == Troubled && a.dice.one(6) || a.dice.one(80) {
		settled := ""
		if f.kind != Troubled {
			settled = a.month(0, a.dice.in(1, 28))
		}
		a.add("breaches", f, a.recent(f, 2, 30), []string{"窃电", "违约用电"}[a.dice.IntN(2)], yuan(a.dice.in(2, 90)*100_000), settled)
	}
}

// customs writes a firm's trade abroad, and what the customs have found.
func (a *agency) customs(f *firm) {
	if f.abroad == 0 {
		return
	}
	p := f.past(a.calendar)
	for ago := p.from; ago >= p.to; ago-- {
		declared := p.abroad[ago]/100/300_000 + 1
		if p.abroad[ago] == 0 {
			declared = 0
		}
		a.add("trade", f, a.month(ago, 1), yuan(p.abroad[ago]), yuan(p.abroad[ago]/100*a.dice.in(10, 40)), declared, declared*a.dice.in(0, 5)/100)
	}
	grade := "注册登记和备案企业"
	switch {
	case f.kind == Stable && a.dice.one(3):
		grade = "高级认证企业"
	case f.kind == Troubled && a.dice.one(5):
		grade = "失信企业"
	}
	a.add("ratings", f, a.recent(f, 3, 30), grade)
	if f.kind == Troubled && a.dice.one(2) || a.dice.one(20) {
		state := "paid"
		if f.kind == Troubled {
			state = "open"
		}
		a.add("penalties", f, "演关罚"+a.number(), a.recent(f, 1, 34), yuan(a.dice.in(10, 800)*100_000), state)
	}
}

// two formats a number below 100 with two digits.
func two(n int) string { return string(rune('0'+n/10)) + string(rune('0'+n%10)) }

// dated formats a day of the calendar.
func dated(year int, month time.Month, day int) string {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Format(dateForm)
}
