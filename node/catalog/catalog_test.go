package catalog

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"atoll/consensus/consent"
)

var update = flag.Bool("update", false, "write the golden files anew")

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tax(t testing.TB) *Catalog {
	t.Helper()
	c, err := Parse(read(t, "tax.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	c := tax(t)
	if c.Agency != "tax" || c.Version != 3 || len(c.Datasets) != 3 || len(c.Rules) != 3 {
		t.Fatalf("%+v", c)
	}
	d := c.Dataset("vat")
	if c.Dataset("none") != nil || d == nil || d.One || d.Personal || d.StaleDays != 62 || d.Fields[0].Column != "START_DATE" || d.Fields[1].Column != "kind" || d.Fields[3].Sensitivity != 3 {
		t.Errorf("%+v", d)
	}
	if got := d.Output("sales_12m").Bands; !slices.Equal(got, []string{"0", "1000000", "5000000.00"}) {
		t.Errorf("bands %q", got)
	}
	if got := c.Dataset("cases").Unique; len(got) != 0 {
		t.Errorf("unique %q", got)
	}
	if d := c.Dataset("registration"); !d.Personal || !d.One || !d.Output("age").State() {
		t.Errorf("%+v", d)
	}
	if zh, en := c.Titles(consent.Chinese), c.Titles(consent.English); zh["vat"] != "增值税申报" || en["vat.sales_12m"] != "sales of 12 months" || len(zh) != 17 {
		t.Errorf("%d titles, %v", len(zh), zh)
	}
}

// TestItems: the items of a catalog can be used in a slice unchanged.
func TestItems(t *testing.T) {
	var lines []string
	for _, i := range tax(t).Items() {
		lines = append(lines, fmt.Sprintf("%s.%s %s %d", i.Dataset, i.Output, i.Disclosure, i.Months))
	}
	want := `cases.any value 36
cases.number count 24
cases.open value 0
cases.open count 0
registration.age value 0
registration.capital value 0
registration.capital band 0
registration.established value 0
registration.status value 0
vat.broken value 12
vat.filed value 120
vat.growth value 24
vat.item value 0
vat.mean value 12
vat.newest value 0
vat.sales_12m value 12
vat.sales_12m band 12
vat.sales_12m count 12`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("items:\n%s", got)
	}
	s := consent.Slice{Salt: make([]byte, 32), Consent: make([]byte, 16), Agency: "tax", Items: tax(t).Items(), Commitment: make([]byte, 32)}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if got := tax(t).Sensitivity(s.Items[:4]); got != 2 {
		t.Errorf("sensitivity of cases %d", got)
	}
	if got := tax(t).Sensitivity(append(s.Items, consent.Item{Dataset: "none"})); got != 4 {
		t.Errorf("sensitivity of all %d", got)
	}
}

// TestLint: all problems of a file are reported together, each with its line.
func TestLint(t *testing.T) {
	_, err := Parse(read(t, "many_errors.yaml"))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%v", err)
	}
	got := strings.ReplaceAll(problems.Error(), "\u202e", "?") + "\n"
	if *update {
		if err := os.WriteFile("testdata/many_errors.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(read(t, "many_errors.txt")); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for _, p := range problems {
		if p.Line == 0 {
			t.Errorf("no line: %s", p.Text)
		}
		if strings.IndexFunc(p.Chinese, func(r rune) bool { return unicode.Is(unicode.Han, r) }) < 0 {
			t.Errorf("no Chinese: %s", p.Text)
		}
	}
}

// TestForm: texts that do not have the form of a catalog, with one problem
// each.
func TestForm(t *testing.T) {
	cases := []struct{ text, want string }{
		{"", "the file is empty"},
		{"# nothing\n", "the file is empty"},
		{"agency: x\nfoo: 1\n", `line 2: column 1: unknown key "foo": the keys here are agency, datasets, hours, rules, version`},
		{"agency: x\ndatasets:\n  - nam: y\n", `line 3: column 5: datasets[0]: unknown key "nam": did you mean "name"?`},
		{"agency: x\nagency: y\n", `line 2: column 1: the key "agency" is there twice, first at line 1`},
		{"agency: [", "line 1: column 9: the [ of this place is not closed"},
		{"agency: &a x\nversion: *a\n", "line 1: column 9: anchors"},
		{"agency: !!binary x\n", "line 1: column 9: anchors"},
		{"version: 1\ndatasets:\n  - <<: {}\n", "line 3"},
		{"a: b\n---\na: b\n", "one YAML document"},
		{"- a\n", "line 1: column 1: keys with their values are wanted"},
		{"version: -1\n", "line 1"},
		{"version: one\n", "line 1"},
		{"datasets: 7\n", "line 1"},
		{"agency: tax\nversion: 1\ndatasets: []\nrules: []\n", "line 4: rules: 1 to 50, not 0"},
		{strings.Repeat("[", 10_000), "nested too deep"},
		{strings.Repeat("[\n", 10_000), "nested too deep"},
		{strings.Repeat("- ", 10_000), "nested too deep"},
		{strings.Repeat("#", MaxText+1), "the limit is"},
	}
	for _, c := range cases {
		_, err := Parse([]byte(c.text))
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestAllow(t *testing.T) {
	c := tax(t)
	good := Ask{Bank: "bank-a", Purpose: "pre_loan", Product: "x", Hour: 9, Rates: Rates{Bank: Counts{Today: 1, Month: 1}}, Sensitivity: 4, Items: []consent.Item{{Months: 12}, {Months: 24}}}
	cases := []struct {
		change func(*Ask)
		rule   string
	}{
		{func(*Ask) {}, ""},
		{func(a *Ask) { a.Purpose = "marketing" }, "known_purposes"},
		{func(a *Ask) { a.Purpose = "" }, "known_purposes"},
		{func(a *Ask) { a.Hour = 22 }, "office_hours"},
		{func(a *Ask) { a.Hour, a.Sensitivity = 22, 3 }, ""},
		{func(a *Ask) { a.Rates.Bank.Today = 1001 }, "daily_limit"},
		{func(a *Ask) { a.Items = []consent.Item{{Months: 25}} }, "daily_limit"},
		{func(a *Ask) { a.Bank = "bank-x" }, "daily_limit"},
	}
	for i, k := range cases {
		a := good
		k.change(&a)
		if rule, ok := c.Allow(a); rule != k.rule || ok != (k.rule == "") {
			t.Errorf("case %d: %q, %v, want %q", i, rule, ok, k.rule)
		}
	}
	if _, ok := (&Catalog{}).Allow(good); ok {
		t.Error("a catalog without rules allows")
	}
	if _, ok := (&Catalog{Rules: []Rule{{Name: "made_by_hand"}}}).Allow(good); ok {
		t.Error("a rule that was never read allows")
	}
	text := strings.Replace(string(read(t, "tax.yaml")), "asks_today <= 1000", "1 / (asks_today - 1) > 0 && null", 1)
	broken, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, asks := range []uint64{1, 2} { // an error, then null
		a := good
		a.Rates.Bank.Today = asks
		if rule, ok := broken.Allow(a); ok || rule != "daily_limit" {
			t.Errorf("%d asks: %q, %v", asks, rule, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	seeds := []string{string(read(f, "tax.yaml")), string(read(f, "many_errors.yaml")), "agency: x\n", "a: [{", "? a\n: b", "datasets: [{outputs: [{bands: [1, '2', {}]}]}]", "agency: |\n  x", "- - a: &b"}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		var problems Problems
		if err != nil {
			if !errors.As(err, &problems) || len(problems) == 0 || c != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		if len(c.Rules) == 0 || len(c.Items()) == 0 {
			t.Fatal("an empty catalog")
		}
		for _, i := range c.Items() {
			c.Dataset(i.Dataset).Answer(nil, i, At{Day: 20_000})
		}
		c.Allow(Ask{})
	})
}
