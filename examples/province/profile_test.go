package province

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/profile"
)

var update = flag.Bool("update", false, "write what the tests compare with")

func template(t testing.TB) *profile.Template {
	t.Helper()
	tpl, err := profile.Parse(Template())
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// TestTemplateAsksWhatIsOffered: every need is in an agency's catalog, in that
// disclosure, and does not go back further than the catalog allows; the purpose
// is one of the network's.
func TestTemplateAsksWhatIsOffered(t *testing.T) {
	tpl, n, p := template(t), load(t), open(t, day(t, "2026-07-15"))
	if !slices.ContainsFunc(n.Purposes, func(x consent.Purpose) bool { return x.Code == tpl.Purpose }) {
		t.Errorf("the network has no purpose %s", tpl.Purpose)
	}
	if len(tpl.Needs) < 12 {
		t.Errorf("%d needs", len(tpl.Needs))
	}
	for _, need := range tpl.Needs {
		m := n.Member(need.Agency)
		if m == nil || !slices.Contains(m.Roles, "agency") {
			t.Errorf("%s is no agency", need.Agency)
			continue
		}
		items := p.catalogs[need.Agency].Items()
		i := slices.IndexFunc(items, func(i consent.Item) bool {
			return i.Dataset == need.Dataset && i.Output == need.Output && i.Disclosure == need.Disclosure
		})
		if i < 0 || need.Months > items[i].Months {
			t.Errorf("%s does not offer %s.%s as %s over %d months", need.Agency, need.Dataset, need.Output, need.Disclosure, need.Months)
		}
		if unit := p.catalogs[need.Agency].Dataset(need.Dataset).Output(need.Output).Unit; need.Disclosure != consent.Count && need.Unit != unit {
			t.Errorf("%s: the unit is %q, not %q", need.Name, unit, need.Unit)
		}
	}
	if offers := tpl.Offers(); len(offers) != len(agencies) {
		t.Errorf("%d of %d agencies are asked", len(offers), len(agencies))
	}
}

// profile has every agency answer about a subject and assembles the answers.
func (p *province) profile(t testing.TB, tpl *profile.Template, who consent.Subject) *profile.Profile {
	t.Helper()
	f := profile.Facts{
		Subject: who, Bank: "bank-a", Operator: "王经办 Wang", Purpose: tpl.Purpose, Product: "科技信用贷 Tech credit loan",
		At: p.today.Start(480) + 36_000_000, Offset: 480, Entry: 9, Final: true, Deadline: p.today.Start(480) + 36_600_000,
		Query: "0199f3c1-7a10-7cc0-8000-000000000001", Consent: strings.Repeat("cd", 16), Network: strings.Repeat("ab", 32), Titles: titles(t),
	}
	for _, need := range tpl.Needs {
		d := p.catalogs[need.Agency].Dataset(need.Dataset)
		a := d.Answer(p.rows(t, need.Agency, d, who), need.Item(), p.at())
		f.Inputs = append(f.Inputs, profile.Input{
			Agency: need.Agency, Item: need.Item(), Outcome: a.Outcome, Value: a.Value, Unit: a.Unit, Reason: a.Reason,
			Version: p.catalogs[need.Agency].Version, Rows: a.Rows, AsOf: a.AsOf, Fetched: f.At, Dropped: a.Dropped, Entry: 10,
			Repeats: a.Repeats, Covered: a.Covered, Across: a.Across,
		})
	}
	made, err := tpl.Assemble(f)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// titles returns the titles of members and purposes.
func titles(t testing.TB) map[string]profile.Title {
	n, words := load(t), map[string]profile.Title{}
	for _, m := range n.Members {
		words[m.Name] = profile.Title{Chinese: m.Chinese, English: m.English}
	}
	for _, x := range n.Purposes {
		words[x.Code] = profile.Title{Chinese: x.Chinese, English: x.English}
	}
	return words
}

// TestGoldenProfiles: what a loan officer reads about five firms, in both
// languages. Review each change: a loan is decided on these words.
func TestGoldenProfiles(t *testing.T) {
	p, tpl := open(t, day(t, "2026-11-28")), template(t)
	for name, who := range map[string]consent.Subject{"jiaoxin": Jiaoxin, "chenjiao": Chenjiao, "tuixi": Tuixi, "beizhi": Beizhi, "yuanshan": Yuanshan} {
		made := p.profile(t, tpl, who)
		for language, end := range map[string]string{consent.Chinese: ".zh.txt", consent.English: ".en.txt"} {
			var text bytes.Buffer
			if err := made.Text(&text, language); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+end)
			if *update {
				if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text.Bytes(), want) {
				t.Errorf("%s differs; look at it and run with -update if it is right:\n%s", path, text.Bytes())
			}
		}
	}
}

// TestProfiles: the profiles of the main characters show what they are meant to
// show, on any day.
func TestProfiles(t *testing.T) {
	tpl := template(t)
	for who, want := range map[consent.Subject]struct {
		stage, worst, best              string // grades
		dishonest, taxPower, socialBook string
		missing                         int
	}{
		Jiaoxin:  {"startup", "A", "A", profile.Passed, profile.Normal, profile.Normal, 0},
		Jiaolian: {"growth", "A", "A", profile.Passed, profile.Normal, profile.Normal, 0},
		Laojiao:  {"stable", "A", "A", profile.Passed, profile.Normal, profile.Normal, 0},
		Chenjiao: {"stable", "D", "D", profile.Hit, profile.Normal, profile.Normal, 0},
		Fubiao:   {"startup", "C", "B", profile.Passed, profile.Abnormal, profile.Abnormal, 1},
		Yuanshan: {"growth", "D", "A", profile.Passed, profile.Unknown, profile.Unknown, 10},
		Dielang:  {"growth", "A", "A", profile.Passed, profile.Normal, profile.Normal, 0},
		Tuixi:    {"stable", "D", "D", profile.Hit, profile.Normal, profile.Normal, 0},
		Beizhi:   {"growth", "A", "A", profile.Passed, profile.Normal, profile.Normal, 0},
		Jiuchao:  {"stable", "C", "B", profile.Passed, profile.Normal, profile.Unknown, 3},
	} {
		for _, today := range []string{"2026-01-31", "2026-05-01", "2026-07-15", "2027-02-28"} {
			made := open(t, day(t, today)).profile(t, tpl, who)
			var stages []string
			for _, s := range made.Stage.Possible {
				stages = append(stages, s.Name)
			}
			got := want
			got.worst, got.best = made.Score.WorstGrade, made.Score.BestGrade
			got.dishonest, got.taxPower, got.socialBook = made.Vetoes[0].Result, made.Checks[0].Result, made.Checks[1].Result
			got.missing = len(made.Coverage.Missing)
			if !slices.Equal(stages, []string{want.stage}) || got != want {
				t.Errorf("%s on %s: stages %v, score %s..%s, %+v, want %+v", made.Name, today, stages, made.Score.Worst, made.Score.Best, got, want)
				var text bytes.Buffer
				if err := made.Text(&text, consent.English); err == nil && testing.Verbose() {
					t.Log(text.String())
				}
			}
		}
	}
}
