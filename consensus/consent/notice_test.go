package consent

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

var writeNotices = flag.Bool("notices", false, "write testdata/notices.jsonl anew")

const noticesFile = "testdata/notices.jsonl"

// noticeVector is a line of noticesFile: the input of a notice, and either the
// text with its digest or nothing.
type noticeVector struct {
	What    string            `json:"what"`
	Network string            `json:"network"`
	Members []Party           `json:"members"`
	Titles  map[string]string `json:"titles"`
	Senses  map[string]sensed `json:"senses,omitempty"`
	Draft   []byte            `json:"draft"` // its one encoding, or bytes that are not a draft
	Notice  string            `json:"notice,omitempty"`
	Digest  string            `json:"digest,omitempty"`
	Refused bool              `json:"refused,omitempty"`
}

// sensed is the part of an output's sense that a notice says.
type sensed struct {
	Unit     string   `json:"unit"`
	Ops      []Op     `json:"ops"`
	Points   []string `json:"points"`
	MinGroup uint32   `json:"min_group"`
	Table    *table   `json:"table,omitempty"`
}

// table is a [Table] in a vector.
type table struct {
	Columns   []column `json:"columns"`
	Order     []string `json:"order"`
	MostRows  uint64   `json:"most_rows"`
	MostBytes uint64   `json:"most_bytes"`
}

type column struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Unit    string `json:"unit"`
	Chinese string `json:"zh"`
	English string `json:"en"`
}

func (v *noticeVector) sense(name string) *Sense {
	s, ok := v.Senses[name]
	if !ok {
		return nil
	}
	sense := &Sense{Unit: s.Unit, More: More{Ops: s.Ops, Points: s.Points, MinGroup: s.MinGroup}}
	if t := s.Table; t != nil {
		sense.Type, sense.More.Table = TableType, &Table{Order: t.Order, MostRows: t.MostRows, MostBytes: t.MostBytes}
		for _, c := range t.Columns {
			sense.More.Table.Columns = append(sense.More.Table.Columns, Column{Name: c.Name, Type: c.Type, Unit: c.Unit, Chinese: c.Chinese, English: c.English})
		}
	}
	return sense
}

func (v *noticeVector) render() (string, error) {
	var d Draft
	if err := sign.Unmarshal(v.Draft, &d); err != nil {
		return "", err
	}
	return Notice(d, Words{Network: v.Network, Members: v.Members, Titles: func(name string) string { return v.Titles[name] }, Senses: v.sense})
}

// noticeCase is one case of the vectors, as a change to an ordinary one.
type noticeCase struct {
	what string
	edit func(d *Draft, v *noticeVector)
}

// ordinary returns a draft in a language, with words for all of it.
func ordinary(language string) (Draft, noticeVector) {
	d := Draft{
		Subject: "uscc:914403001922038216", Bank: "bank-a", Purpose: "pre_loan", Product: "流动资金贷款", NotBefore: today, NotAfter: today + 29, MaxUses: 3,
		Frequency: Frequency{Days: 7, Uses: 2}, DataLife: 90, Language: language, Name: "深圳市某科技有限公司", Date: today - 1,
		Offers: []Offer{
			{Agency: "court", Items: []Item{{Dataset: "cases", Output: "open", Disclosure: Count}}},
			{Agency: "market", Items: []Item{{Dataset: "registration", Output: "name", Disclosure: Value}}},
			{Agency: "tax", Items: []Item{
				{Dataset: "vat", Output: "growth", Disclosure: Value, Months: 12}, {Dataset: "vat", Output: "sales", Disclosure: Band, Months: 24},
				{Dataset: "vat", Output: "sales", Disclosure: Verify, Months: 1},
			}},
		},
	}
	v := noticeVector{Network: "示例省企业数据网络"}
	chinese := map[string]string{"pre_loan": "贷前调查", "court/cases": "案件", "court/cases.open": "未结案件", "market/registration": "登记信息", "market/registration.name": "企业名称",
		"tax/vat": "增值税申报", "tax/vat.sales": "销售额", "tax/vat.growth": "销售额增长率"}
	english := map[string]string{"pre_loan": "Assessment before a loan", "court/cases": "Cases", "court/cases.open": "open cases", "market/registration": "Registration", "market/registration.name": "name of the enterprise",
		"tax/vat": "VAT returns", "tax/vat.sales": "sales", "tax/vat.growth": "growth of sales"}
	v.Members = []Party{
		{Name: "auditor", Title: "监管局"}, {Name: "bank-a", Title: "甲银行", URLs: []string{"https://atoll.bank-a.example"}}, {Name: "court", Title: "省法院"},
		{Name: "market", Title: "省市场监管局", Registrar: true, URLs: []string{"https://market.example:8443", "https://market.example.net"}}, {Name: "tax", Title: "省税务局", URLs: []string{"https://tax.example"}},
	}
	v.Titles = chinese
	if language == English {
		d.Product, d.Name, v.Network, v.Titles = "Working capital loan", "Shenzhen Some Technology Co., Ltd", "Enterprise data of a province", english
		for i, title := range []string{"Supervisor", "Bank A", "Court", "Market regulator", "Tax bureau"} {
			v.Members[i].Title = title
		}
	}
	return d, v
}

// shownCases can be rendered in each language.
var shownCases = []noticeCase{
	{"an ordinary one", func(*Draft, *noticeVector) {}},
	{"no frequency", func(d *Draft, _ *noticeVector) { d.Frequency = Frequency{} }},
	{"by the day, one of each", func(d *Draft, _ *noticeVector) {
		d.MaxUses, d.Frequency, d.DataLife, d.NotAfter = 1, Frequency{Days: 1, Uses: 1}, 1, d.NotBefore
	}},
	{"monitoring", func(d *Draft, _ *noticeVector) { d.MaxAlerts = 12 }},
	{"the largest numbers", func(d *Draft, _ *noticeVector) {
		d.MaxUses, d.Frequency, d.DataLife, d.MaxAlerts = math.MaxUint32, Frequency{Days: math.MaxUint32, Uses: math.MaxUint32}, math.MaxUint32, math.MaxUint32
		d.Offers[2].Items[0].Months = MaxMonths
	}},
	{"the first and the last day", func(d *Draft, _ *noticeVector) { d.Date, d.NotBefore, d.NotAfter = 0, 0, lastDay }},
	{"a leap day", func(d *Draft, _ *noticeVector) { d.Date, d.NotBefore, d.NotAfter = 11_016, 19_782, 47_541 }},
	{"a legal entity identifier", func(d *Draft, _ *noticeVector) { d.Subject = "lei:HWUPKR0MPOU8FGXBT394" }},
	{"a code of the Fujian pilot", func(d *Draft, _ *noticeVector) { d.Subject = "uscc:91350100M0001TGQXM" }},
	{"no titles: codes", func(_ *Draft, v *noticeVector) { v.Titles = map[string]string{} }},
	{"a title of a dataset alone", func(_ *Draft, v *noticeVector) { v.Titles = map[string]string{"tax/vat": v.Titles["tax/vat"]} }},
	{"a bank that is no member: its code", func(d *Draft, _ *noticeVector) { d.Bank = "bank-z" }},
	{"no addresses", func(_ *Draft, v *noticeVector) {
		for i := range v.Members {
			v.Members[i].URLs = nil
		}
	}},
	{"no registrar", func(_ *Draft, v *noticeVector) { v.Members[3].Registrar = false }},
	{"two registrars", func(_ *Draft, v *noticeVector) { v.Members[2].Registrar = true }},
	{"all disclosures of one output", func(d *Draft, _ *noticeVector) {
		d.Offers = []Offer{{Agency: "tax", Items: []Item{
			{Dataset: "vat", Output: "sales", Disclosure: Value, Months: 12}, {Dataset: "vat", Output: "sales", Disclosure: Band}, {Dataset: "vat", Output: "sales", Disclosure: Verify, Months: 2},
			{Dataset: "vat", Output: "sales", Disclosure: Count, Months: 120},
		}}}
	}},
	{"many agencies and outputs", func(d *Draft, _ *noticeVector) {
		d.Offers = nil
		for _, a := range "abcdefghijklmnopqrstuvwxyz" {
			var items []Item
			for _, o := range "abcdefgh" {
				items = append(items, Item{Dataset: "set_" + string(a), Output: "out_" + string(o), Disclosure: Band, Months: uint32(o - 'a')})
			}
			d.Offers = append(d.Offers, Offer{Agency: "agency-" + string(a), Items: items})
		}
	}},
	{"signs that mean something elsewhere", func(d *Draft, v *noticeVector) {
		d.Product, d.Name = "100 %d {{.Name}} $& $1 <b> \\n", "A & B %s “C” $$ 'D'"
		v.Titles["tax/vat.sales"] = "%[1]s $` {name}\u3000销售额"
	}},
	{"one point to ask", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"tax/vat.sales": {Unit: "CNY", Ops: []Op{AtLeast}, Points: []string{"500000"}}}
	}},
	{"points to ask, every operator", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"tax/vat.sales": {Unit: "CNY", Ops: []Op{Less, AtMost, AtLeast, Above}, Points: []string{"-1", "0", "0.25", "1000000"}}}
	}},
	{"texts to ask, without a unit", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"tax/vat.sales": {Ops: []Op{Equal}, Points: []string{"A级", "%s {} $&"}}}
	}},
	{"nothing of few persons", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"court/cases.open": {MinGroup: 5}, "tax/vat.sales": {Unit: "CNY", Ops: []Op{AtLeast}, Points: []string{"1", "2"}, MinGroup: 1000}}
	}},
	{"points of an output that is not asked to be verified", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"tax/vat.growth": {Unit: "ratio", Ops: []Op{AtLeast}, Points: []string{"0"}}}
	}},
	{"rows", func(d *Draft, v *noticeVector) {
		d.Offers[0].Items[0].Disclosure = Rows
		v.Senses = map[string]sensed{"court/cases.open": {Table: &table{
			Columns: []column{{"filed", "date", "", "立案日期", "day of filing"}, {"amount", "decimal", "CNY", "标的额", "amount $& {}"}},
			Order:   []string{"amount", "filed"}, MostRows: 100_000, MostBytes: 1 << 26,
		}}}
	}},
	{"rows and their count, of some months", func(d *Draft, v *noticeVector) {
		d.Offers[2].Items[1] = Item{Dataset: "vat", Output: "invoices", Disclosure: Count, Months: 36}
		d.Offers[2].Items[2] = Item{Dataset: "vat", Output: "invoices", Disclosure: Rows, Months: 1}
		v.Senses = map[string]sensed{"tax/vat.invoices": {Table: &table{
			Columns: []column{{"issued", "date", "", "开票日期", "issue date"}}, Order: []string{"issued"}, MostRows: 1, MostBytes: 1,
		}}}
	}},
	{"texts of 200 bytes", func(d *Draft, v *noticeVector) {
		d.Product, d.Name = strings.Repeat("贷", 66)+"xy", strings.Repeat("n", 200)
		v.Titles["tax/vat"] = strings.Repeat("𠀀", 50)
	}},
}

// unshownCases cannot be rendered.
var unshownCases = []noticeCase{
	{"another language", func(d *Draft, _ *noticeVector) { d.Language = "fr" }},
	{"a wrong check character", func(d *Draft, _ *noticeVector) { d.Subject = "uscc:914403001922038217" }},
	{"a wrong organisation code", func(d *Draft, _ *noticeVector) { d.Subject = "uscc:914403001922038316" }},
	{"a wrong identifier", func(d *Draft, _ *noticeVector) { d.Subject = "lei:HWUPKR0MPOU8FGXBT395" }},
	{"another scheme", func(d *Draft, _ *noticeVector) { d.Subject = "duns:914403001922038216" }},
	{"no name", func(d *Draft, _ *noticeVector) { d.Name = "" }},
	{"a name of two lines", func(d *Draft, _ *noticeVector) { d.Name = "A\nBank: B" }},
	{"a name of 201 bytes", func(d *Draft, _ *noticeVector) { d.Name = strings.Repeat("n", 201) }},
	{"a product that is read backwards", func(d *Draft, _ *noticeVector) { d.Product = "loan \u202eeerf" }},
	{"a bank with a line of its own", func(d *Draft, _ *noticeVector) { d.Bank = "bank\nPurpose: none" }},
	{"a purpose that is no item", func(d *Draft, _ *noticeVector) { d.Purpose = "Pre loan" }},
	{"a day after 9999", func(d *Draft, _ *noticeVector) { d.NotAfter = lastDay + 1 }},
	{"drawn up after 9999", func(d *Draft, _ *noticeVector) { d.Date = math.MaxInt32 }},
	{"over before it begins", func(d *Draft, _ *noticeVector) { d.NotAfter = d.NotBefore - 1 }},
	{"half a frequency", func(d *Draft, _ *noticeVector) { d.Frequency.Days = 0 }},
	{"nothing asked", func(d *Draft, _ *noticeVector) { d.Offers = nil }},
	{"nothing asked of one", func(d *Draft, _ *noticeVector) { d.Offers[0].Items = nil }},
	{"agencies in another order", func(d *Draft, _ *noticeVector) { d.Offers[0], d.Offers[1] = d.Offers[1], d.Offers[0] }},
	{"an agency twice", func(d *Draft, _ *noticeVector) { d.Offers[1].Agency = "court" }},
	{"items in another order", func(d *Draft, _ *noticeVector) { i := d.Offers[2].Items; i[0], i[1] = i[1], i[0] }},
	{"an item twice", func(d *Draft, _ *noticeVector) { d.Offers[2].Items[2] = d.Offers[2].Items[1] }},
	{"121 months", func(d *Draft, _ *noticeVector) { d.Offers[2].Items[0].Months = 121 }},
	{"no disclosure", func(d *Draft, _ *noticeVector) { d.Offers[0].Items[0].Disclosure = 0 }},
	{"a sixth disclosure", func(d *Draft, _ *noticeVector) { d.Offers[0].Items[0].Disclosure = 6 }},
	{"an output that is no item", func(d *Draft, _ *noticeVector) { d.Offers[0].Items[0].Output = "open cases" }},
	{"65 agencies", func(d *Draft, _ *noticeVector) {
		items := d.Offers[0].Items
		d.Offers = nil
		for i := range 65 {
			d.Offers = append(d.Offers, Offer{Agency: "a-" + string(rune('a'+i/26)) + string(rune('a'+i%26)), Items: items})
		}
	}},
	{"a title of two lines", func(_ *Draft, v *noticeVector) { v.Titles["tax/vat"] = "VAT\u2028Count" }},
	{"a title with a mark that nobody sees", func(_ *Draft, v *noticeVector) { v.Titles["tax/vat.sales"] = "sal\u200bes" }},
	{"a purpose called nothing that can be seen", func(_ *Draft, v *noticeVector) { v.Titles["pre_loan"] = "\u3164" }},
	{"a member whose title cannot be shown", func(_ *Draft, v *noticeVector) { v.Members[0].Title = "\u200f" }},
	{"a point of two lines", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"tax/vat.sales": {Ops: []Op{Equal}, Points: []string{"A\nB"}}}
	}},
	{"a unit that cannot be shown", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"tax/vat.sales": {Unit: "\u202e", Ops: []Op{AtLeast}, Points: []string{"1"}}}
	}},
	{"a column whose title cannot be shown", func(d *Draft, v *noticeVector) {
		d.Offers[0].Items[0].Disclosure = Rows
		v.Senses = map[string]sensed{"court/cases.open": {Table: &table{Columns: []column{{"filed", "date", "", "立案\n日期", "day\nof filing"}}, Order: []string{"filed"}, MostRows: 1, MostBytes: 1}}}
	}},
	{"a table in the order of what it does not show", func(d *Draft, v *noticeVector) {
		d.Offers[0].Items[0].Disclosure = Rows
		v.Senses = map[string]sensed{"court/cases.open": {Table: &table{Columns: []column{{"filed", "date", "", "立案日期", "day of filing"}}, Order: []string{"amount"}, MostRows: 1, MostBytes: 1}}}
	}},
	{"an address of two lines", func(_ *Draft, v *noticeVector) { v.Members[1].URLs[0] += "\n" }},
	{"a network whose name cannot be shown", func(_ *Draft, v *noticeVector) { v.Network = "\u0000" }},
	{"a product that reads like two lines", func(d *Draft, _ *noticeVector) {
		d.Product = "Loan" + strings.Repeat(" ", 100) + "Queries: at most 1"
	}},
	{"a product with a blank at its end", func(d *Draft, _ *noticeVector) { d.Product += " " }},
	{"a title with two blanks of two kinds", func(_ *Draft, v *noticeVector) { v.Titles["tax/vat"] = "VAT \u3000returns" }},
	{"a point with a blank that does not break", func(_ *Draft, v *noticeVector) {
		v.Senses = map[string]sensed{"tax/vat.sales": {Ops: []Op{Equal}, Points: []string{"A\u00a0B"}}}
	}},
	{"a product with dots of Braille that are none", func(d *Draft, _ *noticeVector) { d.Product = "Loan\u2800\u2800to" }},
}

// noticeVectors returns the cases in both languages, and inputs that are not
// drafts.
func noticeVectors(t *testing.T) (list []noticeVector) {
	t.Helper()
	for _, language := range []string{Chinese, English} {
		for _, c := range slices.Concat(shownCases, unshownCases) {
			d, v := ordinary(language)
			c.edit(&d, &v)
			v.What = c.what
			var err error
			if v.Draft, err = sign.Marshal(d); err != nil {
				t.Fatal(err)
			}
			list = append(list, v)
		}
		d, v := ordinary(language)
		whole, err := sign.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for what, draft := range map[string][]byte{"a draft cut off": whole[:len(whole)-1], "bytes behind a draft": append(slices.Clone(whole), 0), "no draft": {0xa0}} {
			v := v
			v.What, v.Draft = what, draft
			list = append(list, v)
		}
	}
	return list
}

// The text of each case equals that of the file, whose digests are signed: a
// change here is a change of the format. The flag -notices rewrites the file.
func TestNotices(t *testing.T) {
	if *writeNotices {
		writeNoticeVectors(t)
	}
	vectors := readNoticeVectors(t)
	if cases := noticeVectors(t); len(vectors) != len(cases) {
		t.Fatalf("%d vectors, %d cases: run with -notices", len(vectors), len(cases))
	}
	shown := 0
	for _, v := range vectors {
		got, err := v.render()
		switch {
		case v.Refused:
			if !errors.Is(err, sign.ErrMalformed) || got != "" {
				t.Errorf("%s: %v\n%s", v.What, err, got)
			}
		case err != nil || got != v.Notice || hex.EncodeToString(NoticeDigest(got)) != v.Digest:
			t.Errorf("%s: %v\n%s", v.What, err, got)
		default:
			shown++
		}
	}
	if shown != 2*len(shownCases) {
		t.Errorf("%d of %d are shown", shown, len(vectors))
	}
}

func readNoticeVectors(t *testing.T) (list []noticeVector) {
	t.Helper()
	text, err := os.ReadFile(noticesFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var v noticeVector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func writeNoticeVectors(t *testing.T) {
	t.Helper()
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	for _, v := range noticeVectors(t) {
		notice, err := v.render()
		if v.Refused = err != nil; err == nil {
			v.Notice, v.Digest = notice, hex.EncodeToString(NoticeDigest(notice))
		}
		if err := out.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(noticesFile, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rulesJS is the other program that implements the formats, from SPEC.md alone.
var rulesJS = filepath.Join("..", "..", "examples", "rules-js", "main.js")

// inJavaScript runs rulesJS with Node 20.
func inJavaScript(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		t.Fatal("node is not on the PATH, and ATOLL_TEST_REQUIRE=all: ", err)
	}
	if err != nil {
		t.Skip("SKIP: needs Node 20 to run examples/rules-js: ", err)
	}
	text, err := exec.CommandContext(t.Context(), node, append([]string{rulesJS}, args...)...).CombinedOutput()
	return string(text), err == nil
}

// A program that shares no code with this one renders exactly the same text.
func TestNoticesInJavaScript(t *testing.T) {
	out, ok := inJavaScript(t, "notices", noticesFile)
	if !ok || strings.Count(out, "\n") != 1 {
		t.Fatal(out)
	}
	t.Log(out)
}

// The other program renders its own text: if a letter of a vector is changed,
// or a refused draft is given a text, it names that line.
func TestNoticesInJavaScriptAreCompared(t *testing.T) {
	for what, change := range map[string]func(*noticeVector){
		"a letter":     func(v *noticeVector) { v.Notice = strings.Replace(v.Notice, "24", "25", 1) },
		"a line end":   func(v *noticeVector) { v.Notice += "\n" },
		"the digest":   func(v *noticeVector) { v.Digest = strings.Repeat("0", 64) },
		"refused":      func(v *noticeVector) { v.Notice, v.Digest, v.Refused = "", "", true },
		"an address":   func(v *noticeVector) { v.Members[1].URLs[0] = "https://elsewhere.example" },
		"another word": func(v *noticeVector) { v.Titles["tax/vat"] = "other" },
	} {
		v := readNoticeVectors(t)[0]
		before, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		change(&v)
		line, err := json.Marshal(v)
		if err != nil || bytes.Equal(line, before) {
			t.Fatalf("%s: %v", what, err)
		}
		file := filepath.Join(t.TempDir(), "notices.jsonl")
		if err := os.WriteFile(file, append(append(before, '\n'), line...), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, ok := inJavaScript(t, "notices", file); ok || !strings.Contains(out, file+":2 ") {
			t.Errorf("%s: %s", what, out)
		}
	}
}

// A missing title is no error: the code is shown in its place.
func TestNoticeWithoutTitles(t *testing.T) {
	d, _ := ordinary(English)
	got, err := Notice(d, Words{Network: "N"})
	if err != nil || !strings.Contains(got, "  - vat: growth (in full, last 12 months)\n") || !strings.Contains(got, "  - registration: name (in full)\n") {
		t.Errorf("%v\n%s", err, got)
	}
}

// For random drafts and words, many of which cannot be shown, both programs
// render the same text or none.
func TestNoticesInJavaScriptAtRandom(t *testing.T) {
	r := rand.New(rand.NewChaCha8([32]byte{9}))
	texts := []string{
		"", "贷款", "A & B", "%d %s", "{name}", "𠀀", "é", "e\u0301", "a\nb", "\u200b", "\u2028", "\ufeffx", "$&", "`${x}`", "\u3000", " ", "x\u00ad", "a  b", "a\u2007b", "a b\u3000c", "a\u3000 ",
		strings.Repeat("長", 67), strings.Repeat("y", 200), "\ufffd", "__proto__", "constructor",
	}
	text := func() string { return texts[r.IntN(len(texts))] }
	names := []string{"tax", "court", "bank-a", "a", "ip", "x-", "Tax", "market", "constructor"}
	days := []Day{0, 1, 59, 20_717, lastDay - 1, lastDay, lastDay + 1, -1, math.MaxInt32}
	var file bytes.Buffer
	shown, refused := 0, 0
	for range 1500 {
		d, v := ordinary([]string{Chinese, English}[r.IntN(2)])
		for range r.IntN(3) {
			switch r.IntN(11) {
			case 0:
				d.Name = text()
			case 1:
				d.Product = text()
			case 2:
				d.Bank = names[r.IntN(len(names))]
			case 3:
				d.NotBefore, d.NotAfter, d.Date = days[r.IntN(len(days))], days[r.IntN(len(days))], days[r.IntN(len(days))]
			case 4:
				d.Frequency = Frequency{Days: r.Uint32N(3), Uses: r.Uint32N(3)}
			case 5:
				d.MaxUses, d.MaxAlerts, d.DataLife = r.Uint32N(3), r.Uint32N(3), r.Uint32N(3)
			case 6:
				v.Titles[[]string{"tax/vat", "tax/vat.sales", "pre_loan", "court/cases", "tax"}[r.IntN(5)]] = text()
			case 7:
				v.Members[r.IntN(len(v.Members))].Title = text()
			case 8:
				v.Members[r.IntN(len(v.Members))].URLs = []string{text(), "https://x.example"}[r.IntN(2):]
			case 9:
				d.Offers[r.IntN(3)] = Offer{Agency: names[r.IntN(len(names))], Items: []Item{{Dataset: names[r.IntN(len(names))], Output: "o", Disclosure: Disclosure(r.IntN(6)), Months: r.Uint32N(123)}}}
			case 10:
				v.Network = text()
			}
		}
		var err error
		if v.Draft, err = sign.Marshal(d); err != nil {
			t.Fatal(err)
		}
		if v.Notice, err = v.render(); err == nil {
			v.Digest = hex.EncodeToString(NoticeDigest(v.Notice))
			shown++
		} else {
			v.Notice, v.Refused = "", true
			refused++
		}
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(append(line, '\n'))
	}
	if shown < 200 || refused < 200 {
		t.Errorf("%d shown, %d refused", shown, refused)
	}
	path := filepath.Join(t.TempDir(), "notices.jsonl")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, ok := inJavaScript(t, "notices", path); !ok {
		t.Fatal(out)
	}
}

// SPEC.md has the sentences of both languages: each line of each vector matches
// a line of SPEC.md, and each such line occurs in some vector.
func TestNoticesAreSpecified(t *testing.T) {
	spec, err := os.ReadFile(filepath.Join("..", "..", "SPEC.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{Chinese, English} {
		_, rest, found := strings.Cut(string(spec), "\n```"+language+"\n")
		block, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("no words in %s", language)
		}
		var lines []*regexp.Regexp
		for line := range strings.Lines(block) {
			text := regexp.QuoteMeta(strings.TrimSuffix(line, "\n")[2:])
			text = strings.ReplaceAll(text, `\(s\)`, "s?")
			lines = append(lines, regexp.MustCompile("^"+regexp.MustCompile(`\\\{[^}]*\\\}`).ReplaceAllString(text, ".+")+"$"))
		}
		used := make([]bool, len(lines))
		for _, v := range readNoticeVectors(t) {
			if v.Refused || !strings.HasPrefix(v.Notice, languages[language].heading+"\n") {
				continue
			}
			for line := range strings.Lines(v.Notice) {
				known := false
				for i, l := range lines {
					if l.MatchString(strings.TrimSuffix(line, "\n")) {
						used[i], known = true, true
					}
				}
				if !known {
					t.Errorf("%s: SPEC.md has no line for %s", v.What, line)
				}
			}
		}
		if i := slices.Index(used, false); i >= 0 || len(used) < 30 {
			t.Errorf("%s: %d lines, and none is like %v", language, len(used), lines[max(i, 0)])
		}
	}
}
