package audit_test

import (
	"fmt"
	"strings"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// Edits of the tax agency's next catalog.
func formula(text string) func(*audittest.Defining) {
	return func(d *audittest.Defining) { d.Formula = text }
}

func number(n uint64) func(*audittest.Defining) {
	return func(d *audittest.Defining) { d.Sense.Number = n }
}

// newItem returns the item of the tax agency's sales in a catalog with that
// number.
func newItem(w *audittest.World) consent.Item {
	i := audittest.Sales
	for _, l := range w.Catalogs["tax"].Leaves {
		if l.Dataset == i.Dataset && l.Output == i.Output {
			i.Meaning = l.Short()
		}
	}
	return i
}

func salesOnly(w *audittest.World) func(*audittest.Consenting) {
	return func(c *audittest.Consenting) {
		c.Draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{newItem(w)}}}
	}
}

// withheld answers that the output has changed.
func withheld(a *audittest.Answering) {
	results := a.Detail.(*ledger.ReleaseDetail).Results
	for i := range results {
		results[i].Outcome, results[i].Reason = consent.NotConsented, "catalog.changed"
	}
}

func by(version uint64) func(*audittest.Answering) {
	return func(a *audittest.Answering) {
		results := a.Detail.(*ledger.ReleaseDetail).Results
		for i := range results {
			results[i].Version = version
		}
	}
}

func answered(w *audittest.World, d *audittest.Deal, edit func(*audittest.Answering)) {
	q := w.Ask(d, nil)
	w.Release("tax", q, edit)
	w.Receive(q, "tax")
}

// twice publishes a root over two leaves of one output, entry 4, and shows each
// of two consents a different one.
func twice(w *audittest.World, f *audittest.Firm, bend func(*consent.Leaf)) {
	leaves := []consent.Leaf{w.Catalogs["tax"].Leaves[2], w.Catalogs["tax"].Leaves[2]}
	bend(&leaves[1])
	root, err := consent.Tree(leaves)
	if err != nil {
		panic(err)
	}
	entry := w.SubmitAs("tax", ledger.KindCatalog, ledger.Catalog{Head: w.Head(), Digest: make([]byte, 32), Version: 2, Root: root}).Index
	for n := range leaves {
		w.Catalogs["tax"] = &audittest.Catalog{Version: 2, Entry: entry, Leaves: leaves[n : n+1]}
		w.Grant(f, func(c *audittest.Consenting) {
			salesOnly(w)(c)
			at := -1
			s, _, err := consent.Show("tax", entry, 2, leaves, func(*consent.Leaf) bool { at++; return at == n })
			if err != nil {
				panic(err)
			}
			c.Body = func(b *consent.Body) { b.Shown = []consent.Shown{*s} }
		})
	}
}

// catalogLies are logs in which a catalog does not match the answers and
// consents, and some in which it does. Information is in brackets.
var catalogLies = map[string]struct {
	want string
	tell func(w *audittest.World, f *audittest.Firm)
}{
	"a formula is corrected: old consents go on, and it shows": {"(5 audit.redefined@tax)", func(w *audittest.World, f *audittest.Firm) {
		old := w.Grant(f, salesOnly(w)) // entry 4
		w.Publish("tax", 2, formula("sum(rows) / 2"))
		answered(w, old, nil)
		w.Grant(f, salesOnly(w))
		answered(w, old, nil)
	}},
	"an output means something else: old consents end": {"(5 audit.redefined@tax)", func(w *audittest.World, f *audittest.Firm) {
		old := w.Grant(f, salesOnly(w))
		w.Publish("tax", 2, number(2))
		answered(w, old, withheld)
		answered(w, w.Grant(f, salesOnly(w)), nil)
		answered(w, old, withheld)
	}},
	"an old consent is answered by the new meaning": {"(5 audit.redefined@tax) 8 audit.meaning@tax", func(w *audittest.World, f *audittest.Firm) {
		old := w.Grant(f, salesOnly(w))
		w.Publish("tax", 2, number(2))
		w.Grant(f, salesOnly(w))
		answered(w, old, nil) // 7 to 9
	}},
	"withheld as changed, and nothing has": {"6 audit.meaning@tax", func(w *audittest.World, f *audittest.Firm) {
		answered(w, w.Grant(f, salesOnly(w)), withheld)
	}},
	"an item without a meaning is answered": {"6 audit.meaning@tax", func(w *audittest.World, f *audittest.Firm) {
		answered(w, w.Grant(f, func(c *audittest.Consenting) {
			c.Draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{{Dataset: "vat", Output: "unheard", Disclosure: consent.Value}}}}
		}), nil)
	}},
	"answered by no catalog of the log": {"6 audit.catalog@tax", func(w *audittest.World, f *audittest.Firm) {
		answered(w, w.Grant(f, salesOnly(w)), by(9))
	}},
	"answered by version 0": {"6 audit.catalog@tax", func(w *audittest.World, f *audittest.Firm) {
		answered(w, w.Grant(f, salesOnly(w)), by(0))
	}},
	"answered by a catalog long replaced": {"7 audit.catalog@tax", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, salesOnly(w))
		w.Publish("tax", 2, formula("other"))
		answered(w, d, by(1))
	}},
	"replaced while the answer was under way": {"", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, salesOnly(w)), nil)
		w.Publish("tax", 2)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"an old consent is answered by the new meaning before anybody is shown it": {"7 audit.meaning@tax (5 audit.redefined@tax)", func(w *audittest.World, f *audittest.Firm) {
		old := w.Grant(f, salesOnly(w))
		w.Publish("tax", 2, number(2))
		answered(w, old, nil) // 6 to 8; the next one is not reported again
		answered(w, old, nil)
		w.Grant(f, salesOnly(w))
	}},
	"withheld as changed before anybody is shown that nothing has": {"7 audit.meaning@tax", func(w *audittest.World, f *audittest.Firm) {
		old := w.Grant(f, salesOnly(w))
		w.Publish("tax", 2)
		answered(w, old, withheld)
		answered(w, old, nil)
		w.Grant(f, salesOnly(w))
	}},
	"an output is called otherwise": {"(5 audit.redefined@tax)", func(w *audittest.World, f *audittest.Firm) {
		old := w.Grant(f, salesOnly(w))
		w.Publish("tax", 2, func(d *audittest.Defining) { d.Title += "?" })
		answered(w, old, nil)
		w.Grant(f, salesOnly(w))
	}},
	"two titles for one output in one catalog": {"4 audit.catalog@tax", func(w *audittest.World, f *audittest.Firm) {
		twice(w, f, func(l *consent.Leaf) { l.OutputChinese = "无关" })
	}},
	"two meanings for one output in one catalog": {"4 audit.catalog@tax", func(w *audittest.World, f *audittest.Firm) {
		twice(w, f, func(l *consent.Leaf) { l.Meaning = l.Salt })
	}},
	"a title is another than the catalog's": {"4 audit.shown@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) {
			c.Body = func(b *consent.Body) { b.Shown[0].Outputs[0].Leaf.OutputChinese = "税额" }
		})
	}},
	"a catalog that the log does not have": {"4 audit.shown@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) { c.Body = func(b *consent.Body) { b.Shown[0].Version = 2 } })
	}},
	"a catalog of another entry": {"4 audit.shown@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) { c.Body = func(b *consent.Body) { b.Shown[0].Entry = 2 } })
	}},
	"nothing is shown": {"4 audit.shown@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) { c.Body = func(b *consent.Body) { b.Shown = nil } })
	}},
	"another meaning than the catalog's": {"4 audit.shown@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers[1].Items[0].Meaning[5] ^= 1 })
	}},
	"another notice was signed": {"4 audit.notice@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) { c.Notice = func(n string) string { return n + " " } })
	}},
	"the notice has another title": {"4 audit.notice@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) {
			c.Notice = func(n string) string { return strings.Replace(n, "sales", "nothing", 1) }
		})
	}},
}

// Answers, and what people signed, are checked against the catalogs on the log.
func TestCatalogs(t *testing.T) {
	for name, lie := range catalogLies {
		t.Run(name, func(t *testing.T) {
			w := audittest.New(t)
			lie.tell(w, w.Enrol(audittest.Subject, 1)) // entry 3
			var got []string
			for _, f := range inspect(t, w, auditor(w), false) {
				said := fmt.Sprintf("%d %s@%s", f.Index, f.Rule, f.Member)
				if f.Info {
					said = "(" + said + ")"
				}
				got = append(got, said)
			}
			if strings.Join(got, " ") != lie.want {
				t.Errorf("found %q, want %q", got, lie.want)
			}
		})
	}
}

// A notice must show catalogs that were in force when it was drawn up, close to
// the day of the consent: titles that an agency has corrected are not shown for
// ever. Changes between request and signature are nobody's fault. The world
// begins at 22:13 of its first day.
func TestShownWhenDrawnUp(t *testing.T) {
	const day = audittest.Day
	for name, c := range map[string]struct {
		renewed []uint64    // times since the beginning at which the agency publishes another catalog
		granted uint64      // time of the consent, which shows the first catalog
		drawn   consent.Day // day of the notice, counted from the first day
		want    string      // rule of the finding at the grant
	}{
		"changed before it was signed":              {[]uint64{day}, 3 * day, 0, ""},
		"changed twice before it was signed":        {[]uint64{day, 2 * day}, 3 * day, 0, ""},
		"changed on the day before it was drawn up": {[]uint64{0}, day, 1, ""},
		"changed two days before it was drawn up":   {[]uint64{0}, 2 * day, 2, "audit.shown"},
		"changed long before":                       {[]uint64{day}, 40 * day, 40, "audit.shown"},
		"changed long before, and again":            {[]uint64{day, 40 * day}, 40 * day, 40, "audit.shown"},
		"not changed for long":                      {nil, 40 * day, 40, ""},
		"drawn up tomorrow":                         {nil, day, 2, ""},
		"drawn up the day after tomorrow":           {nil, day, 3, "audit.notice"},
		"drawn up in eight years":                   {nil, 0, 3000, "audit.notice"},
		"drawn up 366 days ago":                     {nil, 0, -366, ""},
		"drawn up 367 days ago":                     {nil, 0, -367, "audit.notice"},
	} {
		t.Run(name, func(t *testing.T) {
			w := audittest.New(t)
			f := w.Enrol(audittest.Subject, 1)
			first, shown, now := w.Today(), w.Catalogs["tax"], uint64(0)
			for n, at := range c.renewed {
				w.Pass(at - now)
				now = at
				w.Publish("tax", uint64(2+n), func(d *audittest.Defining) { d.Title += "?" })
			}
			w.Pass(c.granted - now)
			w.Catalogs["tax"] = shown
			d := w.Grant(f, func(g *audittest.Consenting) {
				salesOnly(w)(g)
				g.Draft.Date = first + c.drawn
			})
			var got []string
			for _, f := range inspect(t, w, auditor(w), false) {
				got = append(got, fmt.Sprintf("%d %s@%s", f.Index, f.Rule, f.Member))
			}
			want := ""
			if c.want != "" {
				want = fmt.Sprintf("%d %s@bank-a", d.Index, c.want)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
}
