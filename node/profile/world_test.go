package profile

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

var update = flag.Bool("update", false, "rewrite testdata")

const at = 1763778660000 // 2025-11-22 02:31 UTC

// sme parses the template of testdata.
func sme(t testing.TB) *Template {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "sme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// values returns answers to the template of testdata.
func values() map[string]string {
	return map[string]string{
		"company": "云帆智能科技有限公司", "founded": "2021-05-06", "status": "存续", "annual_staff": "60",
		"sales": "5000000..20000000", "sales_growth": "0.12", "tax_grade": "B", "tax_owed": "0.00",
		"insured": "42", "insured_before": "45", "dishonest": "0", "enforced": "1", "patents": "6",
		"power_growth": "0.16", "power_late": "0",
	}
}

// facts makes facts in which the needs with a value are answered and the others
// are not asked.
func facts(t *Template, values map[string]string) Facts {
	f := Facts{
		Network: strings.Repeat("ab", 32), Query: "0199f3c1-7a10-7cc0-8000-000000000001", Consent: strings.Repeat("cd", 16),
		Subject: "uscc:91440300MA5EQXL17P", Bank: "bank-a", Operator: "张三", Purpose: "pre_loan", Product: "科技信用贷",
		At: at, Offset: 480, Deadline: at + 600_000, Entry: 1041, Final: true,
		Titles: map[string]Title{
			"bank-a": {"甲银行", "Bank A"}, "market": {"市场监管局", "Market Regulation"}, "tax": {"税务局", "Tax Bureau"},
			"social": {"人社局", "Social Security"}, "court": {"法院", "Court"}, "ip": {"知识产权局", "IP Office"}, "power": {"电力公司", "Power Grid"},
			"pre_loan": {"贷前调查", "Before lending"},
		},
	}
	for i := range t.Needs {
		n := &t.Needs[i]
		v, ok := values[n.Name]
		if !ok {
			continue
		}
		f.Inputs = append(f.Inputs, Input{
			Agency: n.Agency, Item: n.Item(), Outcome: consent.Answered, Value: v, Unit: n.Unit, Version: 4, Rows: 24, AsOf: at - 20*86400_000,
			Fetched: at + 900, Entry: 1042 + uint64(len(n.Agency)),
		})
	}
	return f
}

// become gives one input another outcome.
func (f *Facts) become(t *Template, name string, o consent.Outcome, reason string) {
	n := t.Needs[t.need(name)]
	i := slices.IndexFunc(f.Inputs, func(in Input) bool { return in.Agency == n.Agency && in.Item == n.Item() })
	f.Inputs[i] = Input{Agency: n.Agency, Item: n.Item(), Outcome: o, Reason: reason, Entry: f.Inputs[i].Entry}
}

func assemble(t testing.TB, tpl *Template, f Facts) *Profile {
	t.Helper()
	p, err := tpl.Assemble(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// gappy is a profile in which every part occurs.
func gappy(t testing.TB) *Profile {
	tpl := sme(t)
	v := values()
	delete(v, "patents")
	f := facts(tpl, v)
	f.become(tpl, "dishonest", consent.Unavailable, WaitsFor(NotFinal, []string{"court", "tax"}))
	f.become(tpl, "enforced", consent.Unavailable, "timeout")
	f.become(tpl, "power_late", consent.NoRecord, "periods.missing")
	f.become(tpl, "tax_owed", consent.Refused, "agency.rules: night | 仅限工作时间 | in office hours alone")
	f.Inputs[6].Dropped, f.Inputs[6].Aside = 3, 12
	f.Inputs[4].Repeats, f.Inputs[4].Across, f.Inputs[5].Repeats, f.Inputs[5].Across, f.Inputs[5].Covered = 2, 1, 2, 1, 21
	return assemble(t, tpl, f)
}

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; look at it and run with -update if it is right:\n%s", name, got)
	}
}

func TestGoldenText(t *testing.T) {
	p := gappy(t)
	for language, name := range map[string]string{consent.Chinese: "profile.zh.txt", consent.English: "profile.en.txt"} {
		var b bytes.Buffer
		if err := p.Text(&b, language); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

func TestGoldenHTML(t *testing.T) {
	p := gappy(t)
	for language, name := range map[string]string{consent.Chinese: "profile.zh.html", consent.English: "profile.en.html"} {
		var b bytes.Buffer
		if err := p.HTML(&b, language); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}
