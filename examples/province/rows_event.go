package province

import (
	"strconv"
	"time"
)

// court writes cases, and what followed from those that were lost.
func (a *agency) court(f *firm) {
	d := a.dice
	number := func(word string) string { return word + strconv.Itoa(d.in(1000, 9999)) + "号" }
	cause := func() string {
		return []string{"买卖合同纠纷", "劳动争议", "借款合同纠纷", "知识产权纠纷"}[d.IntN(4)]
	}
	for range f.sued {
		a.add("cases", f, number("演01民初"), a.month(d.in(1, min(11, f.age-1)), d.in(1, 28)), "defendant", yuan(d.in(8, 240)*1_000_000), "open", cause())
	}
	for range f.suing {
		a.add("cases", f, number("演02民初"), a.month(d.in(14, max(14, min(f.age-1, 60))), d.in(1, 28)), "plaintiff", yuan(d.in(5, 90)*1_000_000), "closed", cause())
	}
	for range f.executed {
		a.add("executed", f, number("演01执"), a.month(d.in(1, 9), d.in(1, 28)), yuan(d.in(10, 300)*1_000_000), "open")
	}
	for range f.dishonest {
		number := number("演01执")
		a.add("dishonest", f, number, a.month(d.in(0, 5), d.in(1, 28)), "listed", yuan(d.in(10, 300)*1_000_000), "全部未履行")
		a.add("restricted", f, number, a.month(d.in(0, 5), d.in(1, 28)), "限制中")
	}
	if f.executed > 0 && d.one(3) {
		a.add("freezes", f, "演冻"+a.number(), a.month(d.in(1, 9), 12), a.month(-d.in(12, 30), 11), yuan(d.in(10, 200)*1_000_000), "冻结")
	}
	if f.kind == Closed && d.one(5) {
		a.add("bankruptcies", f, number("演01破"), a.month(f.closed+d.in(2, 9), 6), "终结")
	}
}

// ip writes patents, trademarks, software, and patents that secure a loan. The
// founders of a young firm bring patents that are older than the firm.
func (a *agency) ip(f *firm) {
	d := a.dice
	classes := []string{"G06F", "H01L", "A61K", "C08L", "B65D", "G01N", "F16B", "H02K"}
	patent := func(kind, status string, applied int, granted string) string {
		number := "DP" + strconv.Itoa(d.in(100_000, 999_999))
		a.add("patents", f, number, kind, status, a.month(applied, d.in(1, 28)), granted, classes[f.number%len(classes)])
		return number
	}
	var valid []string
	for range f.inventions {
		ago := d.in(20, 70)
		valid = append(valid, patent("invention", "valid", ago, a.month(ago-d.in(12, 19), 12)))
	}
	for range f.pending {
		patent("invention", "pending", d.in(0, 18), "")
	}
	for range f.utilities {
		ago := d.in(12, 90)
		patent("utility", "valid", ago, a.month(ago-d.in(6, 10), 18))
	}
	for range f.lapsed {
		ago := d.in(80, 110)
		patent("utility", "lapsed", ago, a.month(ago-9, 18))
	}
	for range f.software {
		a.add("software", f, "DS"+strconv.Itoa(d.in(100_000, 999_999)), a.month(d.in(0, min(f.age, 40)), d.in(1, 28)))
	}
	for range f.marks {
		a.add("trademarks", f, "DT"+strconv.Itoa(d.in(100_000, 999_999)), "valid", a.month(d.in(0, min(f.age, 100)), d.in(1, 28)))
	}
	if len(valid) > 1 && f.kind != Closed && d.one(4) {
		a.add("pledges", f, "ZY"+a.number(), valid[0], a.month(d.in(0, 5), 22), yuan(d.in(100, 900)*1_000_000), []string{"有效", "注销"}[d.IntN(2)])
	}
}

// science writes certificates, and what a firm is paid for research. Only a
// firm with research has any.
func (a *agency) science(f *firm) {
	d := a.dice
	if f.rd == 0 || f.kind == Closed {
		return
	}
	certified := func(kind string, since int) {
		a.add("certificates", f, "GR"+a.number(), kind, a.month(since, 1), a.month(since-36, 1))
	}
	if f.age > 24 && (f.inventions > 1 || d.one(3)) {
		certified("高新技术企业", d.in(2, min(f.age-1, 30)))
		if f.age > 70 {
			certified("高新技术企业", d.in(40, 60)) // the one before has ended
		}
	}
	if f.age > 12 && d.one(2) {
		certified("科技型中小企业", d.in(1, 11))
	}
	if f.kind == Growing && d.one(5) {
		certified("专精特新中小企业", d.in(2, 30))
	}
	for range d.in(0, 2) {
		a.add("projects", f, "演科"+a.number(), []string{"省级", "国家级", "市级"}[d.IntN(3)], a.recent(f, 1, 34), yuan(d.in(20, 300)*1_000_000))
	}
	for range d.in(0, 3) {
		a.add("contracts", f, "演技合"+a.number(), a.recent(f, 1, 34), yuan(d.in(5, 200)*1_000_000))
	}
	stage := map[bool]string{true: "初创期", false: "成长期"}[f.age < 36]
	if f.age >= 96 {
		stage = "稳定期"
	}
	for ago := range 3 {
		if f.age > 14+12*ago {
			a.add("points", f, a.yearly(ago, time.March, 31), stage, min(99, 30+f.inventions*6+f.pending*3+f.software*2+d.in(0, 12)))
		}
	}
}

// environment writes permits, ratings and penalties of those that discharge.
func (a *agency) environment(f *firm) {
	d := a.dice
	for range f.fined {
		a.add("penalties", f, "演环罚"+a.number(), a.recent(f, 1, 20), yuan(d.in(20, 600)*100_000), "open")
	}
	if !f.trade.dirty {
		return
	}
	if d.one(6) {
		a.add("penalties", f, "演环罚"+a.number(), a.recent(f, 6, 34), yuan(d.in(20, 300)*100_000), "served")
	}
	since := d.in(2, max(2, min(f.age-1, 50)))
	state := "有效"
	if f.kind == Closed {
		state = "注销"
	}
	a.add("permits", f, "PW"+a.number(), a.month(since, 1), a.month(since-60, 1), state)
	for ago := range 3 {
		if f.age < 14+12*ago || f.closed >= 6+12*ago {
			continue
		}
		grade := []string{"绿", "绿", "蓝", "蓝", "蓝", "黄"}[d.IntN(6)]
		if f.fined > 0 {
			grade = []string{"黄", "红"}[d.IntN(2)]
		}
		a.add("ratings", f, a.yearly(ago, time.June, 5), grade)
	}
}
