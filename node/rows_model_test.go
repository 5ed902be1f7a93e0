//go:build !race

package node

import (
	"cmp"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/table"
)

// What an agency offers, what a consent names, what a bank asks and what leaves,
// for the model: an item is "output disclosure months", and one that verifies is
// asked with a point behind it.
type modelled struct {
	columns map[string][]string // of outputs of rows
	order   map[string]string   // by which column their rows ascend
	months  map[string]int      // longest window of an output; 0 for a state
	rows    []map[string]string // of the firm: day, kind, amount, note; all whole numbers of one length, so that texts compare as they do
	group   int                 // least number of kinds, which are persons then; 0: they are not
	spent   map[string][]string // points that were compared with an output, with their windows
	today   time.Time
}

// cuts are the bounds of bands, and the points to verify by.
var cuts = []int{15_000, 30_000, 60_000, 90_000, 120_000, 150_000}

// leaves returns what may leave: what each asked item gives, or nothing where one
// of them is not in the consent. It is all that an agency's code is compared
// with.
func (m *modelled) leaves(slice, section []string) (out []string) {
	for _, asked := range section {
		var output, disclosure string
		var months, point, sum int
		fmt.Sscan(asked, &output, &disclosure, &months, &point)
		covered := false
		for _, named := range slice {
			var o, d string
			var most int
			fmt.Sscan(named, &o, &d, &most)
			covered = covered || o == output && d == disclosure && (most == 0) == (months == 0) && months <= most
		}
		if !covered {
			return []string{"refused"}
		}
		end := time.Date(m.today.Year(), m.today.Month(), 1, 0, 0, 0, 0, time.UTC)
		var rows []map[string]string
		kinds := map[string]bool{}
		for _, r := range m.rows {
			if months == 0 || r["day"] < end.Format(time.DateOnly) && r["day"] >= end.AddDate(0, -months, 0).Format(time.DateOnly) {
				rows, kinds[r["kind"]] = append(rows, r), true
				n, _ := strconv.Atoi(r["amount"])
				sum += n
			}
		}
		condition := fmt.Sprint(point, " ", months)
		switch i := sort.SearchInts(cuts, sum+1); {
		case disclosure == "verify" && len(m.spent[output]) == 4 && !slices.Contains(m.spent[output], condition):
			out = append(out, asked+": refused")
		case len(kinds) < m.group || m.group > 0 && months < m.months[output]:
			out = append(out, asked+": below_min_group")
		case disclosure == "count":
			out = append(out, fmt.Sprint(asked, ": ", len(rows)))
		case disclosure == "value":
			out = append(out, fmt.Sprint(asked, ": ", sum))
		case disclosure == "band":
			bounds := strings.Fields(strings.Trim(fmt.Sprint(cuts), "[]"))
			out = append(out, asked+": "+append([]string{""}, bounds...)[i]+".."+append(bounds, "")[i])
		case disclosure == "verify":
			if !slices.Contains(m.spent[output], condition) {
				m.spent[output] = append(m.spent[output], condition)
			}
			out = append(out, asked+": "+map[bool]string{true: "yes", false: "no"}[sum >= point])
		case disclosure == "rows":
			slices.SortStableFunc(rows, func(a, b map[string]string) int { return cmp.Compare(a[m.order[output]], b[m.order[output]]) })
			for i, r := range rows {
				line := []string{fmt.Sprint(asked, " ", i, " ", r[m.order[output]], ":")}
				for _, c := range m.columns[output] {
					line = append(line, r[c])
				}
				out = append(out, strings.Join(line, " "))
			}
		}
	}
	return out
}

// randomCatalog makes a catalog, its rows and the model of both. group is the
// least number of persons of a dataset that is about them, which has no rows.
func randomCatalog(r *mathrand.Rand, today time.Time, group int) (m *modelled, text string, items []string, csv string) {
	m = &modelled{columns: map[string][]string{}, order: map[string]string{}, months: map[string]int{}, group: group, spent: map[string][]string{}, today: today}
	text = `agency: tax
version: 3
datasets:
  - name: d
    title: {zh: 数据, en: data}
    sensitivity: 2
    source: main
    table: d
    key: uscc
    records: many
    date: day
    complete: true
    fields:
      - {name: day, type: date}
      - {name: kind, type: text}
      - {name: amount, type: integer}
      - {name: note, type: text}
    outputs:
`
	if group > 0 {
		text = strings.NewReplacer("sensitivity: 2\n", "sensitivity: 3\n", "    complete: true\n", fmt.Sprintf("    complete: true\n    personal: true\n    persons: kind\n    min_group: %d\n", group), "kind, type: text", "kind, type: text, personal: true, sensitivity: 3").Replace(text)
	}
	points := strings.ReplaceAll(fmt.Sprint(cuts), " ", ", ")
	for i := range 4 {
		name := fmt.Sprintf("o%d", i)
		text += "      - name: " + name + "\n        title: {zh: 输出, en: output}\n"
		if r.IntN(2) == 0 {
			m.months[name] = 1 + r.IntN(6)
			text += fmt.Sprintf("        measure: flow\n        months: %d\n", m.months[name])
		} else {
			text += "        measure: state\n"
		}
		var disclose []string
		if i%2 == 0 && group == 0 {
			fields := []string{"day", "kind", "amount", "note"}
			r.Shuffle(4, func(a, b int) { fields[a], fields[b] = fields[b], fields[a] })
			m.columns[name] = fields[:1+r.IntN(4)]
			m.order[name] = m.columns[name][r.IntN(len(m.columns[name]))]
			disclose = []string{"rows", "count"}
			text += "        table: {most_rows: 1000, most_bytes: 100000, order: [" + m.order[name] + "], columns: ["
			for _, c := range m.columns[name] {
				text += "{field: " + c + ", title: {zh: 栏, en: column}}, "
			}
			text += "]}\n"
		} else {
			disclose = []string{"value", "band", "verify", "count"}
			text += "        type: integer\n        value: sum(rows.map(r, r.amount))\n        bands: " + points + "\n        verify: {ops: [ge], points: " + points + "}\n"
		}
		text += "        disclose: [" + strings.Join(disclose, ", ") + "]\n"
		for _, x := range disclose {
			items = append(items, fmt.Sprint(name, " ", x, " ", m.months[name]))
		}
	}
	text += "rules:\n  - {name: any, allow: \"true\", reason: {zh: 任何, en: any}}\n"
	csv = "uscc,day,kind,amount,note\n"
	for i := range 40 {
		row := map[string]string{"day": today.AddDate(0, 0, -r.IntN(250)-1).Format(time.DateOnly), "kind": string(rune('a' + r.IntN(5))), "amount": fmt.Sprint(1000 + r.IntN(9000)), "note": fmt.Sprintf("n%02d", i)}
		who := firm
		if i%4 == 0 {
			who = "uscc:914403001922038216"
		} else {
			m.rows = append(m.rows, row)
		}
		csv += strings.Join([]string{string(who[5:]), row["day"], row["kind"], row["amount"], row["note"]}, ",") + "\n"
	}
	return m, text, items, csv
}

// itemOf is an item of the model as a consent has it.
func itemOf(name string) consent.Item {
	var output, disclosure string
	var months uint32
	fmt.Sscan(name, &output, &disclosure, &months)
	d, err := consent.ParseDisclosure(disclosure)
	if err != nil {
		panic(err)
	}
	return item("d", output, d, months)
}

// asks has bank-a ask the tax agency for items, whether or not the consent has
// them, and returns what left.
func (f *invoicing) asks(id consent.ID, section []string, meanings map[string]consent.Meaning) (left []string) {
	f.t.Helper()
	bank := f.members["bank-a"]
	c, err := bank.freshConsent(f.ctx, id)
	f.must(err)
	head := bank.NewHead()
	a := &Asked{Ref: ledger.QueryRef{Bank: "bank-a", ID: head.ID}, Consent: id[:], Operator: "Wang", Deadline: uint64(time.Now().Add(time.Minute).UnixMilli())}
	s := consent.Section{Salt: freshSalt(), Query: a.Ref.ID, Agency: "tax", Operator: consent.OperatorTag("bank-a", "tax", "Wang")}
	for _, name := range section {
		i := itemOf(name)
		i.Meaning = meanings[i.Output]
		want := consent.Want{Item: i}
		if words := strings.Fields(name); len(words) == 4 {
			want.Predicate = "ge " + words[3]
		}
		s.Wants = append(s.Wants, want)
	}
	a.Sections = []consent.Section{s}
	list, err := consent.SlotList(a.Sections, c.Body.Secret(), id, rand.Reader)
	f.must(err)
	open := ledger.QueryOpen{Head: head, Consent: a.Consent, Deadline: a.Deadline, Slots: list}
	public, err := open.Public()
	f.must(err)
	open.Sealed, err = bank.box(c.Body.Secret(), ledger.KindQueryOpen, head, public, ledger.QueryDetail{Operator: "Wang", Purpose: c.Terms.Purpose, Sections: a.Sections, Operators: make([]byte, 32)}, 0)
	f.must(err)
	a.Opened, err = bank.Sign(ledger.KindQueryOpen, open)
	f.must(err)
	f.must(bank.submitQuery(f.ctx, a))
	ask := askOf(a, c, &s)
	if s.Rows() != nil {
		if _, err := bank.tableOf(a, &ask.Section); err != nil {
			return f.insists(ask) // the bank's own code would not ask that
		}
	}
	p := bank.collect(f.ctx, a, c, &s, func() {}, nil)
	if len(p.Digest) == 0 {
		return []string{p.Answers[0].Result.Outcome.String()}
	}
	bank.acknowledge(a, c, []Piece{p})
	file, err := bank.Received(a, "tax")
	f.must(err)
	defer file.Close()
	about := fragment.About{Network: bank.Network[:], Query: a.Ref, Consent: a.Consent, Agency: "tax"}
	if s.Rows() == nil {
		i := 0
		f.must(fragment.Read(file, bank.age, about, fragment.Written{Digest: [32]byte(p.Digest)}, func(x fragment.Answer) error {
			told := x.Value
			if x.Result.Outcome != consent.Answered {
				told += x.Result.Outcome.String()
			}
			left = append(left, section[i]+": "+told)
			i++
			return nil
		}))
		return left
	}
	t, err := bank.tableOf(a, &ask.Section)
	f.must(err)
	d := table.NewDecoder(tableColumns(t))
	by := slices.IndexFunc(t.Columns, func(c consent.Column) bool { return c.Name == t.Order[0] })
	f.must(fragment.ReadTable(file, bank.age, about, fragment.Written{Digest: [32]byte(p.Digest)}, func(fragment.Answer) error { return nil }, func(chunk []byte) error {
		for row, err := range d.Chunk(chunk) {
			if err != nil {
				return err
			}
			line := []string{fmt.Sprint(section[0], " ", len(left), " ", string(row[by].Append(nil)), ":")}
			for i := range row {
				line = append(line, string(row[i].Append(nil)))
			}
			left = append(left, strings.Join(line, " "))
		}
		return nil
	}))
	return left
}

// insists sends an ask as it is, and returns how the agency ends it.
func (f *invoicing) insists(ask *consent.Ask) []string {
	f.t.Helper()
	request, err := f.members["bank-a"].sealAsk(ask)
	f.must(err)
	for {
		stream, err := f.members["bank-a"].host.Stream(f.ctx, "tax", peer.Ask, request)
		var e *peer.Error
		switch {
		case errors.As(err, &e) && e.Retryable && f.ctx.Err() == nil:
			time.Sleep(50 * time.Millisecond)
			continue
		case errors.As(err, &e) && e.Code == codeRefused:
			return []string{"refused"}
		}
		f.must(err)
		data, err := io.ReadAll(stream)
		f.must(errors.Join(err, stream.Close()))
		return []string{fmt.Sprint(len(data), " bytes")}
	}
}

var models = flag.Int("models", 3, "random catalogs of TestNothingElseLeaves")

// TestNothingElseLeaves: for random catalogs, consents and questions, what leaves
// an agency is what the model says, to the last column and row. The bank is a
// liar: it asks what the consent has not.
func TestNothingElseLeaves(t *testing.T) {
	refused, rows, others, few, spent := 0, 0, 0, 0, 0
	for seed := range *models {
		r := mathrand.New(mathrand.NewPCG(uint64(seed), 19))
		m, text, items, csv := randomCatalog(r, time.Now().UTC().Add(8*time.Hour), map[bool]int{true: 4}[seed%3 == 2])
		f := &invoicing{}
		f.network = newNetworkWith(t, func(n *network) { n.catalogs["tax"] = text; f.network = n })
		f.write("tax/data/d.csv", csv)
		s := f.enrol(firm)
		meanings := map[string]consent.Meaning{}
		for range 4 {
			d := f.draft(s, 50)
			slice := slices.Clone(items)
			r.Shuffle(len(slice), func(i, j int) { slice[i], slice[j] = slice[j], slice[i] })
			slice = slice[:1+r.IntN(len(slice)-2)]
			d.Offers = []consent.Offer{{Agency: "tax"}}
			slices.SortFunc(slice, func(a, b string) int { return consent.CompareItems(itemOf(a), itemOf(b)) })
			for _, name := range slice {
				d.Offers[0].Items = append(d.Offers[0].Items, itemOf(name))
			}
			statement, sealed := f.sign(s, d)
			c, err := f.members["bank-a"].Accept(f.ctx, statement, sealed)
			f.must(err)
			for i := range f.members["tax"].catalog.Datasets[0].Outputs {
				o := &f.members["tax"].catalog.Datasets[0].Outputs[i]
				meanings[o.Name] = o.Meaning()
			}
			for range 9 {
				section := m.section(r, items, slice)
				got, want := f.asks(c.Header.Bounds.ConsentID(), section, meanings), m.leaves(slice, section)
				few += strings.Count(fmt.Sprint(want), ": below_min_group")
				spent += strings.Count(fmt.Sprint(want), ": refused")
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("%s\nof %q\nasked %q\nleft %q\nwant %q", text, slice, section, got, want)
				}
				switch {
				case slices.Equal(want, []string{"refused"}):
					refused++
				case strings.Contains(section[0], "rows"):
					rows++
				default:
					others++
				}
			}
		}
	}
	if refused < 5 || rows < 5 || others < 5 || few < 5 || spent < 1 {
		t.Errorf("%d refused, %d of rows, %d others, %d of few persons, %d predicates spent: the test tells too little", refused, rows, others, few, spent)
	}
}

// section returns what is asked: mostly of the consent, with fewer or more
// months, and sometimes of the catalog alone.
func (m *modelled) section(r *mathrand.Rand, items, slice []string) (section []string) {
	from := slice
	if r.IntN(4) == 0 {
		from = items
	}
	for _, name := range from { // often enough that they get spent
		if strings.Contains(name, "verify") {
			from = append(slices.Clone(from), name, name, name)
		}
	}
	seen := map[string]bool{}
	for range 1 + r.IntN(3) {
		var output, disclosure string
		var months int
		fmt.Sscan(from[r.IntN(len(from))], &output, &disclosure, &months)
		if months > 0 {
			months = max(1, months-r.IntN(3)+r.IntN(2))
		}
		if seen[output+disclosure] {
			continue
		}
		seen[output+disclosure] = true
		name := fmt.Sprint(output, " ", disclosure, " ", months)
		if disclosure == "verify" {
			name += fmt.Sprint(" ", cuts[r.IntN(len(cuts))])
		}
		if disclosure == "rows" {
			return []string{name}
		}
		section = append(section, name)
	}
	slices.SortFunc(section, func(a, b string) int { return consent.CompareItems(itemOf(a), itemOf(b)) })
	return section
}
