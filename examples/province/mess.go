package province

import (
	"fmt"
	"strings"
)

// mess gives an agency's tables what real ones have. The catalogs declare what
// has to be declared: rows that two loads have brought, keys as clerks type
// them, and rows about whoever is no enterprise of today's register.
func (a *agency) mess(about []*firm) {
	for _, f := range about {
		d := f.dice(forMess)
		if f.played {
			continue
		}
		switch {
		case a.name == "social" && d.one(20):
			a.tables["insured"].again(f.code)
		case a.name == "power" && d.one(25):
			a.tables["usage"].again(f.code)
		case a.name == "court" && d.one(15):
			a.tables["cases"].rekey(f.code, strings.ToLower(f.code))
		case a.name == "customs" && d.one(10):
			a.tables["trade"].rekey(f.code, wide(f.code))
		case a.name == "environment" && d.one(10):
			a.tables["permits"].rekey(f.code, " "+f.code)
		case a.name == "ip" && d.one(12):
			a.tables["trademarks"].rekey(f.code, "USCC:"+f.code)
		}
	}
	if a.name != "court" || len(about) < len(firms()) {
		return
	}
	d := about[0].dice(forMess)
	for i := range 40 { // old cases have the numbers of the register before 2015; persons are sued too
		number := fmt.Sprintf("演01民初%d号", 20_000+i)
		a.tables["cases"].add(registered(fmt.Sprintf("9901002%07d", d.in(0, 9_999_999))), number, a.month(d.in(130, 200), d.in(1, 28)), "被告", yuan(d.in(5, 90)*1_000_000), "已结", "买卖合同纠纷")
		a.tables["dishonest"].add(identity(fmt.Sprintf("9901%02d19%02d%02d%02d%03d", d.in(1, 4), d.in(60, 99), d.in(1, 12), d.in(1, 28), d.in(1, 999))), number, a.month(d.in(2, 40), d.in(1, 28)), "在列", yuan(d.in(1, 50)*1_000_000), "部分未履行")
	}
}

// again adds the newest three of a firm's rows once more, as a load does that
// was run again.
func (t *Table) again(code string) {
	var mine [][]string
	for _, row := range t.Rows {
		if row[0] == code {
			mine = append(mine, row)
		}
	}
	t.Rows = append(t.Rows, mine[max(0, len(mine)-3):]...)
}

// rekey writes a firm's key otherwise, in half of its rows.
func (t *Table) rekey(code, as string) {
	for i, row := range t.Rows {
		if row[0] == code && i%2 == 0 {
			row[0] = as
		}
	}
}

// wide writes letters and digits as the input method for Chinese does.
func wide(text string) string {
	return strings.Map(func(c rune) rune { return c + 0xFEE0 }, text)
}

// registered completes an old registration number of 14 digits with its check
// digit (ISO 7064, MOD 11,10).
func registered(number string) string {
	p := 10
	for _, c := range number {
		if p = (p + int(c-'0')) % 10; p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	return number + fmt.Sprint((11-p)%10)
}

// identity completes a person's number of 17 digits with its check character
// (GB 11643). Region 99 has no persons.
func identity(number string) string {
	sum := 0
	for i, weight := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += weight * int(number[i]-'0')
	}
	return number + "10X98765432"[sum%11:][:1]
}
