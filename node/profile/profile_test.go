package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/consensus/reason"
	"atoll/node/formula"
)

// TestOutcomes: assembly preserves every outcome. Only answered gives a value,
// and no other outcome is scored as clean.
func TestOutcomes(t *testing.T) {
	tpl := sme(t)
	clean := assemble(t, tpl, facts(tpl, values()))
	tested := 0
	for o := consent.NoRecord; o.Valid(); o++ {
		f := facts(tpl, values())
		f.become(tpl, "enforced", o, "why")
		f.become(tpl, "dishonest", o, "why")
		n := slices.IndexFunc(f.Inputs, func(in Input) bool { return in.Item.Output == "open_cases" })
		f.Inputs[n].Value = "0" // a value with another outcome does not count
		p := assemble(t, tpl, f)
		e := p.evidence([]string{"enforced"})[0]
		if e.Outcome != o.String() || e.Reason != "why" || e.Value != "" || e.Answered() {
			t.Errorf("%s: evidence is %+v", o, e)
		}
		if len(p.Coverage.Missing) != 2 || p.Coverage.Missing[0].Outcome != o.String() || p.Coverage.Answered != clean.Coverage.Answered-2 {
			t.Errorf("%s: coverage is %+v", o, p.Coverage)
		}
		if x := p.figureOf("enforced"); x.State != Missing || x.Worst != "0" || x.Best != "100" {
			t.Errorf("%s: scored as %+v", o, x)
		}
		if p.Vetoes[0].Result != Unknown {
			t.Errorf("%s: veto %s", o, p.Vetoes[0].Result)
		}
		for _, language := range []string{consent.Chinese, consent.English} {
			var b bytes.Buffer
			if err := p.Text(&b, language); err != nil || !strings.Contains(b.String(), said(o.String()).In(language)) {
				t.Errorf("%s is not in the text (%v)", o, err)
			}
		}
		tested++
	}
	if tested != 11 {
		t.Fatalf("%d outcomes", tested)
	}
	v := values()
	delete(v, "enforced")
	p := assemble(t, tpl, facts(tpl, v))
	if m := p.Coverage.Missing; len(m) != 1 || m[0].Outcome != NotAsked {
		t.Errorf("not asked: %+v", m)
	}
	words := map[string]bool{}
	for o := consent.Answered; o.Valid(); o++ {
		words[said(o.String()).Chinese] = true
		words[said(o.String()).English] = true
	}
	words[said(NotAsked).Chinese], words[said(NotAsked).English] = true, true
	if len(words) != 26 {
		t.Errorf("two outcomes share words, or one has none: %v", words)
	}
}

// TestUnreadable: an answer that cannot be read as the template expects is
// invalid, and the reason does not repeat it.
func TestUnreadable(t *testing.T) {
	tpl := sme(t)
	for name, value := range map[string]string{
		"tax_owed": "1e9", "insured": "forty two", "founded": "2021-13-01", "sales": "5000000", "dishonest": "NaN",
		"patents": "0x10", "company": strings.Repeat("x", maxText+1), "sales_growth": "1.123456789",
		"power_growth": "999999999999999999999", "enforced": "", "annual_staff": "\u0661",
	} {
		v := values()
		v[name] = value
		p := assemble(t, tpl, facts(tpl, v))
		e := p.evidence([]string{name})[0]
		if e.Outcome != "invalid" || e.Value != "" || e.Reason == "" || value != "" && strings.Contains(e.Reason, value) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	f := facts(tpl, values())
	f.Inputs[7].Unit = "10k CNY"
	if e := assemble(t, tpl, f).Inputs[7]; e.Outcome != "invalid" {
		t.Errorf("a value in another unit is %s", e.Outcome)
	}
	for _, band := range []string{"..", "a..b", "5..4", "5..5", "..-1", "1...2"} {
		v := values()
		v["sales"] = band
		if e := assemble(t, tpl, facts(tpl, v)).evidence([]string{"sales"})[0]; e.Outcome != "invalid" {
			t.Errorf("band %q is %s", band, e.Outcome)
		}
	}
}

func TestFactsThatDoNotFit(t *testing.T) {
	tpl := sme(t)
	for name, change := range map[string]func(*Facts){
		"twice":      func(f *Facts) { f.Inputs = append(f.Inputs, f.Inputs[0]) },
		"agency":     func(f *Facts) { f.Inputs[0].Agency = "tax" },
		"months":     func(f *Facts) { f.Inputs[4].Item.Months = 12 },
		"disclosure": func(f *Facts) { f.Inputs[4].Item.Disclosure = consent.Value },
		"outcome":    func(f *Facts) { f.Inputs[4].Outcome = 0 },
	} {
		f := facts(tpl, values())
		change(&f)
		if _, err := tpl.Assemble(f); !errors.Is(err, ErrFacts) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const small = `
name: small
version: 1
title: {zh: 小, en: Small}
author: test
purpose: pre_loan
inputs:
  - {name: age, agency: market, dataset: reg, output: age, disclosure: band, months: 1, title: {zh: 年, en: Age}}
  - {name: x, agency: tax, dataset: vat, output: x, disclosure: band, months: 1, least: 0, title: {zh: x, en: X}}
  - {name: y, agency: court, dataset: c, output: y, disclosure: value, months: 1, title: {zh: y, en: Y}}
stages:
  - {name: young, title: {zh: 初, en: Young}, when: age < 3}
  - {name: old, title: {zh: 老, en: Old}}
dimensions:
  - {name: a, title: {zh: 甲, en: A}, weights: {young: 40, old: 70}}
  - {name: b, title: {zh: 乙, en: B}, weights: {young: 60, old: 30}}
indicators:
  - {name: x, dimension: a, title: {zh: x, en: X}, weight: 2, value: x, bins: [{below: 10, points: 0}, {below: 20, points: 90}, {below: 30, points: 30}, {points: 60}]}
  - {name: square, dimension: a, title: {zh: xx, en: XX}, weight: 1, value: "x * x", steady: true, bins: [{below: 400, points: 0}, {points: 100}]}
  - {name: y, dimension: b, title: {zh: y, en: Y}, weight: 1, value: y, bins: [{below: 1, points: 100}, {below: 2, points: 50}, {points: 10}]}
vetoes:
  - {name: y, title: {zh: y, en: Y}, when: y >= 5}
  - {name: any, title: {zh: any, en: Any}, when: y >= 5 || x >= 30, steady: true}
checks:
  - {name: c, title: {zh: c, en: C}, a: x, b: y, attention: 10, abnormal: 25}
grades: [{from: 60, grade: A}, {from: 0, grade: B}]
`

// TestScoreByHand: the expected values in the table are computed by hand.
func TestScoreByHand(t *testing.T) {
	tpl, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ age, x, y, worst, best, grades, stage, vetoes, check string }{
		// young: 40·(2·90+0)/300 + 60·50/100 = 24 + 30
		{"1..3", "10..20", "1", "54", "54", "BB", "young", "passed passed", "unknown"},
		// old: 70·(2·90+0)/300 + 30·50/100 = 42 + 15
		{"3..5", "10..20", "1", "57", "57", "BB", "old", "passed passed", "unknown"},
		// the band of age covers both stages, and y decides
		{"2..5", "10..20", "1", "54", "57", "BB", "young old", "passed passed", "unknown"},
		// y missing: young 24 + 6 … 24 + 60, and the vetoes are unknown
		{"1..3", "10..20", "", "30", "84", "BA", "young", "unknown unknown", "unknown"},
		// x open above: bins 30 and 60, square 100: young 40·(2·30+100)/300 = 21.33… to 40·220/300 = 29.33…
		{"1..3", "20..", "0", "81.3", "89.3", "AA", "young", "passed unknown", "unknown"},
		{"1..3", "30..", "0", "89.3", "89.3", "AA", "young", "passed hit", "abnormal"},
		// x open below ends at its least: bin 0, square 0
		{"1..3", "..10", "0", "60", "60", "AA", "young", "passed passed", "normal"},
		{"1..3", "..10", "4", "6", "6", "BB", "young", "passed passed", "normal"},
		// a veto that is hit is hit, whatever else is missing
		{"1..3", "", "7", "6", "43.3", "BB", "young", "hit hit", "unknown"},
		// no input at all: young 60·10 … 40·(180+100)/3 + 60·100, old 30·10 …
		// 70·280/3 + 30·100
		{"", "", "", "3", "97.3", "BA", "young old", "unknown unknown", "unknown"},
	} {
		v := map[string]string{"age": c.age, "x": c.x, "y": c.y}
		for name, value := range v {
			if value == "" {
				delete(v, name)
			}
		}
		p := assemble(t, tpl, facts(tpl, v))
		var stages, vetoes []string
		for _, s := range p.Stage.Possible {
			stages = append(stages, s.Name)
		}
		for _, x := range p.Vetoes {
			vetoes = append(vetoes, x.Result)
		}
		got := [...]string{p.Score.Worst, p.Score.Best, p.Score.WorstGrade + p.Score.BestGrade, strings.Join(stages, " "), strings.Join(vetoes, " "), p.Checks[0].Result}
		if want := [...]string{c.worst, c.best, c.grades, c.stage, c.vetoes, c.check}; got != want {
			t.Errorf("age %q, x %q, y %q:\n got %q\nwant %q", c.age, c.x, c.y, got, want)
		}
	}
}

func TestReasonsAndGaps(t *testing.T) {
	tpl, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	p := assemble(t, tpl, facts(tpl, map[string]string{"x": "20..", "y": "1"}))
	// y: 50 of 100 lost, 60 in the young stage; x: 30 of 90, 2/3 of 70 in the old one
	got := fmt.Sprint(p.Reasons)
	want := fmt.Sprint([]Reason{{"y", Title{"y", "Y"}, "30"}, {"x", Title{"x", "X"}, "14"}})
	if got != want {
		t.Errorf("reasons:\n got %s\nwant %s", got, want)
	}
	// x: 30 points wide, 2/3 of 70; stage: young 51.3–59.3, old 52.3–66.3: 15
	// in total, 14 in the widest stage
	got = fmt.Sprint(p.Gaps)
	want = fmt.Sprint([]Gap{{"x", Title{"x", "X"}, "14", Banded, []string{"x"}}, {"", stageTitle, "1", Unknown, []string{"age"}}})
	if got != want {
		t.Errorf("gaps:\n got %s\nwant %s", got, want)
	}
}

// TestRange: whatever values the missing inputs get later, the score is in the
// range, the stage is one of the possible ones, and every earlier result stays
// true.
func TestRange(t *testing.T) {
	tpl := sme(t)
	r := rand.New(rand.NewPCG(1, 2))
	banded := []string{"sales", "sales_growth", "power_growth", "tax_owed", "enforced", "dishonest", "patents", "insured_before"}
	wide := 0
	for round := range 2000 {
		full, partial := random(tpl, r), world{}
		for name, ends := range full {
			switch d, number := ends[0].(decimal.Decimal); {
			case name != today && r.IntN(3) == 0:
			case number && slices.Contains(banded, name) && r.IntN(2) == 0:
				low := d.Sub(decimal.New(r.Int64N(40), -1))
				if !slices.Contains([]string{"sales_growth", "power_growth"}, name) {
					low = decimal.Max(low, decimal.New(1, -1), decimal.Zero)
					low = decimal.Min(low, d)
				}
				partial[name] = []any{low, d.Add(decimal.New(r.Int64N(40), -1))}
			default:
				partial[name] = ends
			}
		}
		exact, whole := tpl.scores(full), tpl.scores(partial)
		one, stage := tpl.stage(full)
		_, possible := tpl.stage(partial)
		if len(stage) != 1 || !slices.Contains(possible, stage[0]) {
			t.Fatalf("round %d: stage %v of %v is not possible: %v", round, stage, possible, one)
		}
		score := total(exact, stage[0])
		span, unsure := overall(whole, possible)
		if score.worst.Cmp(span.worst) < 0 || score.best.Cmp(span.best) > 0 || unsure.Sign() < 0 {
			t.Fatalf("round %d: %v is not in %v\nfull %v\npartial %v", round, score, span, full, partial)
		}
		if span.width().Sign() > 0 {
			wide++
		}
		for i, v := range tpl.vetoes(partial) {
			if truth := tpl.vetoes(full)[i].Result; v.Result != Unknown && v.Result != truth {
				t.Fatalf("round %d: veto %s said %s, is %s", round, v.Name, v.Result, truth)
			}
		}
		for i, c := range tpl.checks(partial) {
			if truth := tpl.checks(full)[i].Result; c.Result != Unknown && c.Result != truth {
				t.Fatalf("round %d: check %s said %s, is %s", round, c.Name, c.Result, truth)
			}
		}
	}
	if wide == 0 {
		t.Fatal("no range was ever wider than a point")
	}
}

// random gives every input a random value.
func random(tpl *Template, r *rand.Rand) world {
	w := world{today: []any{consent.DayOf(at, 480)}}
	for _, n := range tpl.Needs {
		switch n.kind {
		case formula.Date:
			w[n.Name] = []any{consent.DayOf(at, 480) - consent.Day(r.UintN(4000))}
		case formula.Text:
			w[n.Name] = []any{[]string{"A", "B", "C", "D", "active", "revoked", ""}[r.IntN(7)]}
		default:
			d := decimal.New(r.Int64N(30), 0)
			switch n.Name {
			case "sales_growth", "power_growth":
				d = decimal.New(r.Int64N(2000)-1000, -3)
			case "sales", "tax_owed":
				d = decimal.New(r.Int64N(3_000_000_000), -2)
			case "insured_before", "insured", "annual_staff":
				d = decimal.New(r.Int64N(90)+1, 0)
			}
			w[n.Name] = []any{d}
		}
	}
	return w
}

func TestDeterministic(t *testing.T) {
	first, err := gappy(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		tpl := sme(t)
		f := facts(tpl, values())
		rand.Shuffle(len(f.Inputs), func(i, j int) { f.Inputs[i], f.Inputs[j] = f.Inputs[j], f.Inputs[i] })
		a, err := assemble(t, tpl, f).Encode()
		if err != nil {
			t.Fatal(err)
		}
		b, err := assemble(t, sme(t), facts(tpl, values())).Encode()
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("same facts, other bytes (%v)", err)
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, first, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "profile.json", append(indented.Bytes(), '\n'))
	var back Profile
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := back.Encode(); err != nil || !bytes.Equal(again, first) {
		t.Errorf("a profile that is read is not the one that was written (%v)", err)
	}
}

func TestOffers(t *testing.T) {
	tpl := sme(t)
	offers, items := tpl.Offers(), 0
	for i, o := range offers {
		if i > 0 && offers[i-1].Agency >= o.Agency {
			t.Errorf("agencies are not ascending at %s", o.Agency)
		}
		if !slices.IsSortedFunc(o.Items, consent.CompareItems) {
			t.Errorf("items of %s are not ascending", o.Agency)
		}
		items += len(o.Items)
	}
	if len(offers) != 6 || items != len(tpl.Needs) {
		t.Errorf("%d offers with %d items", len(offers), items)
	}
}

// said returns the words for an outcome.
func said(outcome string) reason.Text {
	words, _ := reason.Outcome(outcome)
	return words
}
