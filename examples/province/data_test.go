package province

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

var update = flag.Bool("update", false, "write the data that the generator makes")

// TestData: the committed data is what the generator makes, byte for byte.
// After a change of the generator: go test ./examples/province -run TestData
// -update
func TestData(t *testing.T) {
	made := generate()
	if len(made) == 0 {
		t.Fatal("the generator makes nothing")
	}
	if *update {
		if err := os.RemoveAll("data"); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for name, table := range made {
		text, err := table.csv()
		if err != nil {
			t.Fatal(err)
		}
		total += len(text)
		path := filepath.Join("data", filepath.FromSlash(name)+".csv")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if committed, err := os.ReadFile(path); err != nil || !bytes.Equal(committed, text) {
			t.Errorf("%s is not what the generator makes: run with -update (%v)", path, err)
		}
	}
	if total > 1_500_000 {
		t.Errorf("%d bytes of data", total)
	}
	files, err := filepath.Glob("data/*.csv")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob("data/*/*.csv")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(files) + len(deeper); n != len(made) {
		t.Errorf("%d files under data, the generator makes %d", n, len(made))
	}
}

// firm is an enterprise with the numbers from which the agencies' rows are
// made. Rates are in thousandths a year.
type firm struct {
	code, chinese, english string
	kind                   Kind
	age                    int // months
	capital                int // 10,000 CNY
	industry               string
	grades                 string // newest first
	sales, salesRate       int    // CNY a month, two years ago
	kwh, kwhRate           int
	staff, staffRate       int
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
	arrears                int    // CNY of tax
	unknown                string // agencies without rows
	stopped                int    // months since the newest social security row
	repeats                bool   // whether tax rows repeat
	quarterly              bool   // whether it files its sales by quarter
	longOwed               bool   // whether its arrears are seven years old
}

// names are made up, and so are the cities in them.
var names = map[Kind]string{
	Startup: `礁芯微电子 Jiaoxin Microelectronics 3973|汐算智能计算 Xisuan Computing 6513|珊医生物医药 Shanyi Biomedical 2761|屿感传感 Yugan Sensors 4014|
瑚材新材料 Hucai New Materials 3985|螺旋翼航空科技 Luoxuanyi Drones 3963|潟云软件 Xiyun Software 6513|砗能储能 Cheneng Energy Storage 3841|
浪谱仪器 Langpu Spectrum Instruments 4014|贝码数据 Beima Data 6531|鲎检诊断 Houjian Diagnostics 2770|星臂机器人 Xingbi Robotics 3491`,
	Growing: `礁联物联网 Jiaolian Internet of Things 6531|汐动电机 Xidong Motors 3812|珊包环保包装 Shanbao Packaging 2926|屿农农业科技 Yunong Agritech 0519|
瑚光光电 Huguang Optics 3976|螺泵流体 Luobeng Pumps 3441|潟水环境 Xishui Water Treatment 4620|砗铸精密 Chezhu Precision Casting 3391|
浪运供应链系统 Langyun Logistics Systems 6531|贝织智能纺织 Beizhi Smart Textiles 1761|鲎药制药 Houyao Pharmaceuticals 2720|曦礁软件 Xijiao Software 6513`,
	Stable: `老礁机械 Laojiao Machinery 3421|汐钢紧固件 Xigang Fasteners 3482|珊塑塑料 Shansu Plastics 2929|屿电电器 Yudian Electric 3823|瑚纸纸业 Huzhi Paper 2221|
螺丰食品 Luofeng Foods 1361|潟化精细化工 Xihua Fine Chemicals 2662|砗瓷陶瓷 Checi Ceramics 3074|浪船海洋装备 Langchuan Marine Equipment 3734|贝仪仪表 Beiyi Instruments 4011`,
	Troubled: `沉礁显示 Chenjiao Display 3974|退汐光伏 Tuixi Solar 3825|白珊电子 Baishan Electronics 3989|孤屿科贸 Guyu Technology Trading 5179|枯瑚生物 Kuhu Biotech 2761|
空螺智能装备 Kongluo Intelligent Equipment 3490|浅潟材料 Qianxi Materials 3985`,
	Shell:    `浮标信息 Fubiao Information 6550|幻贝供应链 Huanbei Supply Chain 7224`,
	Partial:  `新屿设计 Xinyu Design 7492|游礁咨询 Youjiao Consulting 7244|夜汐传媒 Yexi Media 8626|远珊研究 Yuanshan Research 7320`,
	Repeated: `叠浪数字 Dielang Digital 6513`,
	Outdated: `旧潮工具 Jiuchao Tools 3322|慢波声学 Manbo Acoustics 3963`,
}

var cities = []struct{ code, chinese, english string }{
	{"990100", "环礁市", "Ring Reef"}, {"990200", "潟湖市", "Lagoon"}, {"990300", "北屿市", "North Islet"}, {"990400", "南屿市", "South Islet"},
}

// generator makes the same province every time.
type generator struct {
	*rand.Rand
	tables map[string]*Table
}

func generate() map[string]*Table {
	g := &generator{Rand: rand.New(rand.NewPCG(9, 90)), tables: map[string]*Table{}}
	for name, columns := range map[string]string{
		"enterprises":      "uscc chinese english kind",
		"market/basicinfo": "uscc ENTNAME ESDATE REGCAP INDUSTRYCODE ENTSTATUS", "market/annual_reports": "uscc PUBLISHED EMPNUM",
		"market/abnormal": "uscc REASONIN DATEIN DATEOUT",
		"tax/vat_returns": "uscc START_DATE END_DATE TAX_CATEGORIES TAX_ITEMS TAXATION_BASIS TAX_AMOUNT", "tax/rd_deductions": "uscc FILED AMOUNT",
		"tax/credit_grades": "uscc ASSESSED GRADE", "tax/arrears": "uscc SINCE AMOUNT CLEARED",
		"social/insured": "uscc MONTH PERSONS DUE PAID",
		"court/cases":    "uscc CASE_NO FILED ROLE AMOUNT STATUS", "court/executed": "uscc CASE_NO FILED AMOUNT STATUS", "court/dishonest": "uscc CASE_NO PUBLISHED STATUS",
		"ip/patents": "uscc NO TYPE STATUS APPLIED GRANTED", "ip/trademarks": "uscc NO STATUS REGISTERED", "ip/software": "uscc NO REGISTERED",
		"power/usage": "uscc MONTH KWH OVERDUE",
	} {
		g.tables[name] = &Table{Name: name[strings.LastIndexByte(name, '/')+1:], Columns: strings.Fields(columns)}
	}
	n := 0
	for _, kind := range []Kind{Startup, Growing, Stable, Troubled, Shell, Partial, Repeated, Outdated} {
		for line := range strings.SplitSeq(strings.ReplaceAll(names[kind], "\n", ""), "|") {
			n++
			f := g.firm(kind)
			f.name(line, n)
			direct(&f)
			g.write(&f)
		}
	}
	for _, t := range g.tables {
		slices.SortStableFunc(t.Rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	}
	return g.tables
}

// name parses a line of names and makes the firm's code.
func (f *firm) name(line string, n int) {
	words := strings.Fields(line)
	city := cities[n%len(cities)]
	f.chinese = city.chinese + words[0] + "有限公司"
	f.english = strings.Join(words[1:len(words)-1], " ") + " (" + city.english + ") Co., Ltd."
	f.industry = words[len(words)-1]
	f.code = code(fmt.Sprintf("91%sMADEM%03d", city.code, 100+n*7))
}

// code completes the first 16 characters of a social credit code with the two
// check characters, by trying all with the product's own check.
func code(head string) string {
	for _, inner := range "0123456789X" {
		for _, outer := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
			c := head + string(inner) + string(outer)
			if _, pilot, err := consent.ParseSubject("uscc:" + c); err == nil && !pilot {
				return c
			}
		}
	}
	panic("no check characters for " + head)
}

// in returns a number from low to high.
func (g *generator) in(low, high int) int { return low + g.IntN(high-low+1) }

// firm makes a firm of one kind.
func (g *generator) firm(kind Kind) firm {
	f := firm{kind: kind}
	switch kind {
	case Startup:
		rate := g.in(-150, 600)
		f = firm{
			age: g.in(16, 33), capital: g.in(10, 60) * 10, grades: "M M", sales: g.in(30, 200) * 1000, salesRate: rate,
			kwh: g.in(30, 120) * 100, kwhRate: rate * g.in(60, 95) / 100, staff: g.in(8, 24), staffRate: g.in(-150, 300), rd: g.in(80, 400) * 10_000, rdRate: g.in(100, 500),
			inventions: g.in(0, 7), pending: g.in(0, 6), utilities: g.in(0, 5), software: g.in(0, 9), marks: g.in(1, 4),
		}
	case Growing, Partial, Repeated:
		rate := g.in(20, 280)
		f = firm{
			age: g.in(42, 92), capital: g.in(50, 300) * 10, grades: []string{"A A B", "A B B", "B B M", "B B B"}[g.IntN(4)], sales: g.in(50, 400) * 10_000, salesRate: rate,
			kwh: g.in(200, 900) * 100, kwhRate: rate * g.in(70, 110) / 100, staff: g.in(30, 150), staffRate: g.in(-60, 160), rd: g.in(50, 300) * 10_000, rdRate: g.in(0, 250),
			inventions: g.in(0, 4), pending: g.in(0, 4), utilities: g.in(2, 12), software: g.in(0, 6), marks: g.in(1, 6), sued: g.IntN(5) / 3, suing: g.in(0, 2),
		}
	case Stable, Outdated:
		rate := g.in(-90, 50)
		f = firm{
			age: g.in(130, 290), capital: g.in(200, 900) * 10, grades: []string{"A A A", "A A B", "B A A"}[g.IntN(3)], sales: g.in(300, 1500) * 10_000, salesRate: rate,
			kwh: g.in(1500, 6000) * 100, kwhRate: rate + g.in(-30, 30), staff: g.in(100, 420), staffRate: g.in(-20, 30), rd: g.in(0, 100) * 10_000, rdRate: g.in(-50, 100),
			inventions: g.in(0, 3), utilities: g.in(3, 15), lapsed: g.in(0, 6), marks: g.in(2, 9), sued: g.in(0, 2), suing: g.in(1, 4),
		}
	case Troubled:
		f = firm{
			age: g.in(60, 140), capital: g.in(50, 400) * 10, grades: []string{"C B B", "D C B", "D D C"}[g.IntN(3)], sales: g.in(100, 400) * 10_000, salesRate: g.in(-380, -200),
			kwh: g.in(600, 1800) * 100, kwhRate: g.in(-420, -260), staff: g.in(50, 160), staffRate: g.in(-300, -120), rd: g.in(0, 40) * 10_000, rdRate: g.in(-400, -100),
			inventions: g.in(0, 2), utilities: g.in(0, 6), lapsed: g.in(2, 8), software: g.in(0, 2), marks: g.in(0, 3), sued: g.in(2, 6), suing: g.in(0, 1),
			executed: g.in(1, 3), dishonest: g.IntN(2), abnormal: g.IntN(2), unpaid: g.in(2, 7), overdue: g.in(1, 5), idle: g.in(0, 3), arrears: g.in(20, 260) * 1000,
		}
	case Shell:
		f = firm{
			age: g.in(26, 34), capital: 5000, grades: "B M", sales: g.in(300, 500) * 10_000, salesRate: g.in(900, 1200),
			kwh: g.in(200, 500), kwhRate: g.in(-80, 20), staff: g.in(2, 3), reported: g.in(30, 45), marks: 1,
		}
	}
	f.kind = kind
	return f
}

// direct gives the main characters, and firms of rare kinds, the properties
// that the story needs.
func direct(f *firm) {
	switch {
	case strings.Contains(f.chinese, "礁芯"):
		f.age, f.capital, f.sales, f.salesRate, f.kwh, f.kwhRate = 30, 300, 90_000, 380, 8_400, 290
		f.staff, f.staffRate, f.rd, f.rdRate = 14, 240, 2_310_000, 320
		f.inventions, f.pending, f.utilities, f.software, f.marks, f.grades = 6, 4, 3, 8, 2, "M M"
	case strings.Contains(f.chinese, "礁联"):
		f.age, f.grades, f.salesRate, f.kwhRate, f.staffRate = 62, "A A B", 210, 180, 120
		f.sued, f.inventions, f.pending = 0, 4, 3
	case strings.Contains(f.chinese, "沉礁"):
		f.age, f.grades, f.dishonest, f.executed, f.sued, f.arrears, f.abnormal = 118, "D C B", 1, 2, 4, 186_400, 1
	case strings.Contains(f.chinese, "老礁"):
		f.age, f.grades, f.salesRate, f.kwhRate, f.staffRate = 264, "A A A", 20, 10, 5
		f.sued, f.inventions, f.pending = 0, 3, 1
	case strings.Contains(f.chinese, "贝织"):
		f.quarterly, f.grades = true, "B A A"
	case strings.Contains(f.chinese, "退汐"):
		f.longOwed = true
	case strings.Contains(f.chinese, "新屿"):
		f.age, f.capital, f.sales, f.staff, f.unknown = 3, 100, 20_000, 4, "tax power"
		f.inventions, f.pending, f.utilities, f.sued, f.suing = 0, 1, 0, 0, 0
	case strings.Contains(f.chinese, "游礁"):
		f.unknown = "power"
	case strings.Contains(f.chinese, "夜汐"):
		f.unknown = "social power"
	case strings.Contains(f.chinese, "远珊"):
		f.inventions, f.pending, f.utilities, f.software, f.marks, f.sued, f.suing = 0, 0, 0, 0, 0, 0, 0
		f.unknown = "tax social power"
	case f.kind == Repeated:
		f.repeats, f.staffRate, f.inventions, f.pending = true, 90, 3, 3
	case f.kind == Outdated:
		f.stopped, f.salesRate, f.kwhRate, f.sued = 7, -40, -50, 1
	}
}
