//go:build !race

package province

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/profile"
	"atoll/node/source"

	"github.com/shopspring/decimal"
)

// registers are the registers of the province with only a few firms, on disk
// and read by the connector that agencies use.
type registers struct {
	*province
	tpl     *profile.Template
	folders map[string]string
	facts   map[consent.Subject]*profile.Facts // true answers
}

func newRegisters(t *testing.T, who ...consent.Subject) *registers {
	r := &registers{province: open(t, day(t, "2026-11-28")), tpl: template(t), folders: map[string]string{}, facts: map[consent.Subject]*profile.Facts{}}
	for _, agency := range agencies {
		tables := Tables(agency, r.today)
		for i := range tables {
			somebody := tables[i].Rows[:1] // a register without any row is not answered from
			tables[i].Rows = slices.DeleteFunc(slices.Clone(tables[i].Rows), func(row []string) bool {
				return !slices.Contains(who, consent.Subject("uscc:"+row[0]))
			})
			if len(tables[i].Rows) == 0 {
				tables[i].Rows = somebody
			}
		}
		r.tables[agency] = tables
		r.folders[agency] = t.TempDir()
		r.write(t, agency, tables)
	}
	for _, subject := range who {
		f := &profile.Facts{Subject: subject, Bank: "bank-a", Purpose: r.tpl.Purpose, At: r.at().Time, Offset: 480, Entry: 9, Final: true}
		for _, agency := range agencies {
			f.Inputs = append(f.Inputs, r.inputs(t, agency, "", subject)...)
		}
		r.facts[subject] = f
	}
	return r
}

func (r *registers) write(t *testing.T, agency string, tables []Table) {
	t.Helper()
	if err := writeCSV(r.folders[agency], tables, r.today); err != nil {
		t.Fatal(err)
	}
}

// inputs asks an agency for everything that the template asks of one of its
// datasets, or of each, as the agency's node does.
func (r *registers) inputs(t *testing.T, agency, dataset string, who consent.Subject) (inputs []profile.Input) {
	t.Helper()
	s, err := source.Open(source.Config{Name: "main", Kind: "csv", Path: r.folders[agency]})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := r.catalogs[agency]
	for i := range c.Datasets {
		d := &c.Datasets[i]
		var items []consent.Item
		for _, n := range r.tpl.Needs {
			if n.Agency == agency && n.Dataset == d.Name && (dataset == "" || dataset == d.Name) {
				items = append(items, n.Item())
			}
		}
		if len(items) == 0 {
			continue
		}
		answers, _ := s.Answers(t.Context(), d, who, items, r.at())
		for i, a := range answers {
			inputs = append(inputs, profile.Input{Agency: agency, Item: items[i], Outcome: a.Outcome, Value: a.Value, Unit: a.Unit, Reason: a.Reason, Entry: 10})
		}
	}
	return inputs
}

// with returns the profile of a subject with other answers of one dataset.
func (r *registers) with(t *testing.T, who consent.Subject, others []profile.Input) *profile.Profile {
	t.Helper()
	f := *r.facts[who]
	f.Inputs = slices.Clone(f.Inputs)
	for _, o := range others {
		i := slices.IndexFunc(f.Inputs, func(x profile.Input) bool { return x.Agency == o.Agency && x.Item == o.Item })
		f.Inputs[i] = o
	}
	p, err := r.tpl.Assemble(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mutation changes the form of one cell of a subject's row, removes or doubles
// rows, or renames a column. It returns what it did.
type mutation func(t *Table, row int, r *rand.Rand) string

var mutationsOfRows = []mutation{
	func(t *Table, row int, r *rand.Rand) string {
		i := r.IntN(len(t.Columns))
		t.Rows[row][i] = []string{" %s", "%s ", "\u3000%s", "%s\u200b", "'%s", `="%s"`, "\ufeff%s"}[r.IntN(7)]
		return "decorated " + t.Columns[i]
	},
	func(t *Table, row int, r *rand.Rand) string {
		i := r.IntN(len(t.Columns))
		t.Rows[row][i] = "wide %s"
		return "full width " + t.Columns[i]
	},
	func(t *Table, row int, r *rand.Rand) string {
		i := r.IntN(len(t.Columns))
		t.Rows[row][i] = "case %s"
		return "case of " + t.Columns[i]
	},
	func(t *Table, row int, r *rand.Rand) string {
		i := r.IntN(len(t.Columns))
		t.Rows[row][i] = []string{"", "NULL", "null", "-", "N/A", "无"}[r.IntN(6)]
		return "nothing in " + t.Columns[i]
	},
	func(t *Table, row int, r *rand.Rand) string {
		i := r.IntN(len(t.Columns))
		t.Rows[row][i] = []string{"1900-01-01", "1899-12-30", "1970-01-01", "2099-12-31", "9999-12-31", "0000-00-00"}[r.IntN(6)]
		return "a default date in " + t.Columns[i]
	},
	func(t *Table, row int, r *rand.Rand) string {
		i := r.IntN(len(t.Columns))
		t.Rows[row][i] = []string{"¥%s", "%s元", "%s.", "+%s", "%se0", "(%s)", "1,%s", "%s%%"}[r.IntN(8)]
		return "a mark in " + t.Columns[i]
	},
	func(t *Table, row int, r *rand.Rand) string {
		t.Rows = slices.Delete(t.Rows, row, row+1)
		return "a row lost"
	},
	func(t *Table, row int, r *rand.Rand) string {
		t.Rows = append(t.Rows, t.Rows[row])
		return "a row twice"
	},
	func(t *Table, row int, r *rand.Rand) string { t.Rows = nil; return "no rows" },
	func(t *Table, row int, r *rand.Rand) string {
		t.Columns[r.IntN(len(t.Columns))] += "2"
		return "a column renamed"
	},
}

// TestRowsToScore: a change in the form of a register never improves a score.
// An answer is not better than the truth. A veto that is hit stays hit or
// becomes unknown. The worst score and the worst points of every indicator are
// at most the true ones. Other plausible values cannot be detected: nothing in
// a register distinguishes 1.00 from 10.00.
func TestRowsToScore(t *testing.T) {
	const n = 10_000
	who := []consent.Subject{Chenjiao, Tuixi, Jiaoxin}
	r := newRegisters(t, who...)
	truth := map[consent.Subject]*profile.Profile{}
	for _, subject := range who {
		truth[subject] = r.with(t, subject, nil)
		if c := truth[subject].Coverage; c.Answered != c.Of {
			t.Fatalf("of %s not all is answered: %+v", subject, c.Missing)
		}
	}
	random := rand.New(rand.NewPCG(9, 2026))
	hidden, unchanged := 0, 0
	for i := 0; i < n; {
		subject := who[random.IntN(len(who))]
		agency := agencies[random.IntN(len(agencies))]
		table := r.tables[agency][random.IntN(len(r.tables[agency]))]
		dataset := r.datasetOf(agency, table.Name)
		if dataset == "" {
			continue
		}
		what := r.mutate(t, agency, table, subject, random)
		if what == "" {
			continue
		}
		i++
		got := r.with(t, subject, r.inputs(t, agency, dataset, subject))
		r.write(t, agency, []Table{table})
		if problem := cleaner(truth[subject], got); problem != "" {
			t.Errorf("mutation %d, %s of %s, %s: %s", i, what, agency+"/"+table.Name, subject, problem)
		}
		switch {
		case got.Coverage.Answered < got.Coverage.Of:
			hidden++
		case got.Score.Worst == truth[subject].Score.Worst:
			unchanged++
		}
		if t.Failed() {
			return
		}
	}
	if hidden < n/20 || unchanged < n/20 {
		t.Errorf("%d mutations hid something, %d changed nothing: they say little", hidden, unchanged)
	}
}

// datasetOf returns the dataset that is read from a table and that the template
// asks for, or "".
func (r *registers) datasetOf(agency, table string) string {
	for _, d := range r.catalogs[agency].Datasets {
		asked := slices.ContainsFunc(r.tpl.Needs, func(n profile.Need) bool { return n.Agency == agency && n.Dataset == d.Name })
		if d.Table == table && asked {
			return d.Name
		}
	}
	return ""
}

// mutate writes a mutated copy of a table with its true marker, and returns
// what it did; "" if the subject has no row in the table.
func (r *registers) mutate(t *testing.T, agency string, table Table, who consent.Subject, random *rand.Rand) string {
	t.Helper()
	var mine []int
	for i, row := range table.Rows {
		if "uscc:"+row[0] == string(who) {
			mine = append(mine, i)
		}
	}
	if len(mine) == 0 {
		return ""
	}
	row := mine[random.IntN(len(mine))]
	m := Table{Name: table.Name, Columns: slices.Clone(table.Columns)}
	for _, cells := range table.Rows {
		m.Rows = append(m.Rows, slices.Clone(cells))
	}
	what := mutationsOfRows[random.IntN(len(mutationsOfRows))](&m, row, random)
	if row < len(m.Rows) {
		for i, cell := range m.Rows[row] {
			m.Rows[row][i] = mutated(cell, table.Rows[row][i])
		}
	}
	text, err := m.csv()
	if err != nil {
		t.Fatal(err)
	}
	if random.IntN(12) == 0 {
		text = text[:random.IntN(len(text))]
		what += ", cut off"
	}
	if err := os.WriteFile(filepath.Join(r.folders[agency], m.Name+".csv"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return what
}

// mutated inserts the true cell into the form of a mutation.
func mutated(form, cell string) string {
	switch {
	case form == "wide %s":
		return strings.Map(func(c rune) rune {
			if c > ' ' && c < 127 {
				return c + 0xFEE0
			}
			return c
		}, cell)
	case form == "case %s":
		if lower := strings.ToLower(cell); lower != cell {
			return lower
		}
		return strings.ToUpper(cell)
	case strings.Contains(form, "%s"):
		return fmt.Sprintf(form, cell)
	}
	return form
}

// cleaner returns in which respect a profile is cleaner than the true one, or
// "".
func cleaner(truth, got *profile.Profile) string {
	worse := func(a, b string) bool { return decimal.RequireFromString(a).GreaterThan(decimal.RequireFromString(b)) }
	for i, v := range got.Vetoes {
		if truth.Vetoes[i].Result == profile.Hit && v.Result == profile.Passed {
			return "the veto " + v.Name + " passes"
		}
	}
	for i, d := range got.Dimensions {
		for j, x := range d.Indicators {
			if x.Worst != "" && worse(x.Worst, truth.Dimensions[i].Indicators[j].Worst) {
				return fmt.Sprintf("%s is %s with %s points at least, in truth %s with %s", x.Name, x.Value, x.Worst, truth.Dimensions[i].Indicators[j].Value, truth.Dimensions[i].Indicators[j].Worst)
			}
		}
	}
	if worse(got.Score.Worst, truth.Score.Worst) {
		return "the worst score is " + got.Score.Worst + ", in truth " + truth.Score.Worst
	}
	return ""
}
