package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProblems: changes one thing in a valid template; the error names the line
// and the problem.
func TestProblems(t *testing.T) {
	if _, err := Parse([]byte(small)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"name: small", "nam: small", `unknown key "nam": did you mean "name"?`},
		{"version: 1", "version: 1\nversion: 2", "is there twice, first at line 3"},
		{"version: 1", "version: 0", "line 3: version: "},
		{"version: 1", "version: 1\n---\nname: more", "one YAML document"},
		{"name: small", "name: &a small", "anchor"},
		{"name: small", "name: !!str small", "tag"},
		{"author: test", `author: "te\u202est"`, "line 5: author"},
		{"purpose: pre_loan", "purpose: Pre Loan", "purpose"},
		{"disclosure: value", "disclosure: rows", "value, band, verify or count"},
		{"output: y, disclosure: value", "output: y, type: text, disclosure: band", "a band is a number"},
		{"months: 1, least: 0", "months: 121, least: 0", "months"},
		{"least: 0", "least: 1e3", "plain decimal"},
		{"least: 0", "least: .inf", "plain decimal"},
		{"least: 0", "least: 0x10", "plain decimal"},
		{"least: 0", "least: 5, most: 5", "not above least"},
		{"name: age,", "name: today,", "stands twice"},
		{"name: age,", "name: x,", "stands twice"},
		{"agency: market, dataset: reg, output: age", "agency: tax, dataset: vat, output: x", "asked twice"},
		{"when: age < 3", "when: age * age < 9", "steady: true"},
		{"when: age < 3", "when: age <", "stages[0].when"},
		{"when: age < 3", "when: age", "stages[0].when"},
		{"when: age < 3", `when: "orElse(age, 0) < 3"`, "does not decide on what is missing"},
		{"when: age < 3", "when: ages < 3", "is named ages, perhaps age"},
		{"when: age < 3", "when: 2 < 3", "the formula uses no input"},
		{"en: Old}", "en: Old}, when: age > 3", "no condition"},
		{"weights: {young: 40, old: 70}", "weights: {young: 40, old: 71}", "add up to 101"},
		{"weights: {young: 40, old: 70}", "weights: {young: 100}", "one for each stage"},
		{"weights: {young: 40, old: 70}", "weights: {young: 40, older: 70}", "no weight"},
		{"name: y, dimension: b", "name: y, dimension: z", "no such dimension"},
		{"{below: 10, points: 0}", "{below: 25, points: 0}", "not ascending"},
		{"{below: 10, points: 0}", "{is: [a], points: 0}", "every one says is"},
		{"{below: 10, points: 0}", "{below: 10, points: 101}", "0 to 100"},
		{"points: 60}]}", "points: 60}], missing: {points: [50, 60]}}", "holds every bin"},
		{"{points: 10}]}", "{below: 3, points: 10}]}", "the last bin"},
		{"weight: 1, value: y, bins", "weight: 0, value: y, bins", "shown and not scored"},
		{"when: y >= 5}", "when: 'y == null'}", "does not decide"},
		{"when: y >= 5}", "when: z >= 5}", "is named z"},
		{"weights: {young: 40, old: 70}", "weights: 100", "dimensions[0].weights: keys with their values are wanted"},
		{"least: 0", "least: a", "least: a plain decimal"},
		{"a: x, b: y", "a: y, b: y", "of one agency"},
		{"a: x, b: y", "a: x, b: y, deviation: a - b", "steady: true"},
		{"attention: 10, abnormal: 25", "attention: 30, abnormal: 25", "attention <= abnormal"},
		{"{from: 60, grade: A}, {from: 0, grade: B}", "{from: 60, grade: A}", "starts at 0"},
		{"value: y, bins", "value: x, bins", "vetoes"},
		{"inputs:\n", "inputs:\n  - {name: w, agency: tax, dataset: vat, output: w, disclosure: value, months: 1, title: {zh: w, en: W}}\n", "line 8: inputs[0]: w is used by nothing"},
	} {
		text := strings.Replace(small, c.old, c.new, 1)
		if text == small {
			t.Fatalf("%q is not in the template", c.old)
		}
		if c.want == "vetoes" { // x twice is no problem, and a veto still uses y
			if _, err := Parse([]byte(text)); err != nil {
				t.Errorf("%s: %v", c.new, err)
			}
			continue
		}
		_, err := Parse([]byte(text))
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.new, err, c.want)
		}
	}
}

func TestProblemsAreAll(t *testing.T) {
	text := strings.NewReplacer("version: 1", "version: 0", "months: 1", "months: 999", "grade: A", `grade: ""`).Replace(small)
	_, err := Parse([]byte(text))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 5 {
		t.Fatalf("want five problems: %v", err)
	}
	for i, p := range problems {
		if p.Line == 0 || p.Text == "" {
			t.Errorf("problem %d is %+v", i, p)
		}
	}
}

func TestLimitsOfText(t *testing.T) {
	for name, text := range map[string]string{
		"size":      small + strings.Repeat("#", MaxTemplate),
		"utf-8":     small + "# \xff",
		"empty":     "",
		"flow":      strings.Repeat("[", MaxTemplate-1),
		"map":       strings.Repeat("{a: ", MaxTemplate/4-1),
		"sequence":  strings.Repeat("- ", MaxTemplate/2-1),
		"text":      "template",
		"number":    "1",
		"null":      "~",
		"only head": "name: x",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(small))
	f.Add([]byte("name: [x]\ninputs: {}\nstages:\n- when: &a 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		tpl, err := Parse(text)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("not problems: %v", err)
			}
			return
		}
		p, err := tpl.Assemble(Facts{At: at})
		if err != nil {
			t.Fatal(err)
		}
		if p.Coverage.Answered != 0 || len(tpl.Offers()) == 0 {
			t.Fatal("a template that asks nobody")
		}
	})
}
