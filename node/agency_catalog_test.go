package node

import (
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/peer"
	"atoll/node/source"
)

// renew replaces an agency's catalog and starts the agency with it.
func (n *network) renew(agency string, replace ...string) {
	n.t.Helper()
	text := strings.NewReplacer(replace...).Replace(n.catalogs[agency])
	if text == n.catalogs[agency] {
		n.t.Fatal("nothing was replaced")
	}
	n.catalogs[agency] = text
	n.restart(agency)
	_, err := n.members[agency].Publish(n.ctx)
	n.must(err)
}

// reopen tries to start a member with another catalog, and closes it again.
func (n *network) reopen(name, text string) error {
	n.t.Helper()
	m := n.members[name]
	keys := ledger.NewKeys(m.seed, n.genesis.Origin, 0)
	host, err := peer.New(peer.Config{Name: name, Key: keys.Peer(), Listen: []string{m.addr}})
	n.must(err)
	c, err := catalog.Parse([]byte(text))
	n.must(err)
	s, err := source.Open(source.Config{Name: "main", Kind: "csv", Path: filepath.Join(n.dir, name, "data")})
	n.must(err)
	opened, err := Open(Config{
		Name: name, Dir: filepath.Join(n.dir, name), Keys: keys, Age: m.age, Genesis: n.raw, Host: host, Timeout: 300 * time.Millisecond,
		Catalog: c, Sources: map[string]*source.Source{"main": s},
	})
	if err == nil {
		n.must(opened.Close())
	}
	return err
}

// said returns tax's answer to vat.sales_12m: outcome, reason, value, version.
func said(t *testing.T, pieces []Piece) (consent.Outcome, string, string, uint64) {
	t.Helper()
	for _, p := range pieces {
		for _, a := range p.Answers {
			if a.Result.Item.Output == "sales_12m" {
				return a.Result.Outcome, a.Result.Reason, a.Value, a.Result.Version
			}
		}
	}
	t.Fatal("no answer")
	return 0, "", "", 0
}

// A corrected formula is a new version with the same meaning: old consents go
// on. An output with a new meaning is not answered under an old consent, and
// none of its data is read; it needs a new consent. An agency does not start
// with a catalog that changed under the same version, or with an older one.
func TestCatalogVersions(t *testing.T) {
	n := newNetwork(t)
	n.writeSources()
	s := n.enrol(firm)
	old := n.grant(s, 9)
	_, pieces := n.ask(old)
	_, _, before, version := said(t, pieces)
	if version != 3 || before == "" {
		t.Fatalf("version %d: %q", version, before)
	}
	n.renew("tax", "version: 3", "version: 4", "map(r, r.sales)", "map(r, 2 * r.sales)")
	_, pieces = n.ask(old)
	if o, _, v, version := said(t, pieces); o != consent.Answered || v == before || version != 4 {
		t.Fatalf("a corrected formula: %s %q, version %d", o, v, version)
	}
	meanwhile, err := n.members["bank-a"].Published("tax")
	n.must(err)
	n.renew("tax", "version: 4", "version: 7", "sales_12m, title: {zh: 销售额, en: sales}", "sales_12m, meaning: 2, title: {zh: 订单额, en: orders}")
	_, pieces = n.ask(old)
	if o, reason, v, version := said(t, pieces); o != consent.NotConsented || reason != catalog.Changed || v != "" || version != 7 {
		t.Fatalf("something else: %s %s %q, version %d", o, reason, v, version)
	}
	// A bank that began to look before that has the new catalog, and knows that
	// it is the new one.
	if o, p, _, err := n.members["bank-a"].fetchCatalog(n.ctx, "tax", meanwhile); err != nil || meanwhile.Version != 4 || o.Version != 7 || !o.is(p) {
		t.Errorf("published meanwhile: %v", err)
	}
	if got := outcomes(pieces, "tax"); strings.Join(got, " ") != "answered not_consented" {
		t.Errorf("beside what has changed: %v", got)
	}
	_, pieces = n.ask(n.grant(s, 9))
	if o, _, _, _ := said(t, pieces); o != consent.Answered {
		t.Errorf("a new consent: %s", o)
	}

	n.replacedBy(meanwhile)

	now := n.catalogs["tax"]
	n.stop("tax")
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"changed":           {strings.Replace(now, "2 * r.sales", "3 * r.sales", 1), ErrCatalogChanged},
		"a comment more":    {now + "# a word\n", ErrCatalogChanged},
		"older":             {strings.Replace(now, "version: 7", "version: 6", 1), ErrCatalogOlder},
		"older and changed": {strings.Replace(strings.Replace(now, "version: 7", "version: 6", 1), "2 * r", "3 * r", 1), ErrCatalogOlder},
	} {
		if err := n.reopen("tax", c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.open("tax", nil)
}

// replacedBy checks that bank-a knows when versions 3 and 4 of a catalog were
// replaced. The second of them is published here. The newest version, 7, was
// not replaced.
func (n *network) replacedBy(fourth *ledger.Published) {
	n.t.Helper()
	bank := n.members["bank-a"]
	newest, err := bank.Published("tax")
	n.must(err)
	var entries []uint64
	var times []uint64
	for i := uint64(1); i < bank.replica.Head().Size; i++ {
		e, p, err := bank.publication(i)
		n.must(err)
		if p != nil && p.Author == "tax" {
			entries, times = append(entries, i), append(times, e.Time)
		}
	}
	if len(entries) != 3 || entries[1] != fourth.Index || entries[2] != newest.Index {
		n.t.Fatalf("catalogs at %v", entries)
	}
	for i, c := range []struct {
		entry, before uint64
		want          bool
	}{
		{entries[0], times[1], false}, {entries[0], times[1] + 1, true}, {entries[0], times[1], false}, {entries[0], times[2] + 1, true},
		{entries[1], times[2], false}, {entries[1], times[2] + 1, true}, {entries[2], math.MaxUint64, false},
	} {
		if p, err := bank.publishedAt(c.entry, c.before); err != nil || p == nil || p.Replaced != c.want {
			n.t.Errorf("%d: entry %d, before %d: %+v, %v", i, c.entry, c.before, p, err)
		}
	}
}

// A bank refuses a consent that shows what its agency's catalog does not have,
// or that was signed for another notice than the bank's.
func TestConsentShowsCatalogs(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	bank := n.members["bank-a"]
	for name, c := range map[string]struct {
		bend func(*consent.Body)
		text func(string) string
		days consent.Day // from today to the day when it was drawn up
		want consent.Code
	}{
		"a title":         {bend: func(b *consent.Body) { b.Shown[1].Outputs[0].Leaf.OutputEnglish = "a courtesy" }, want: consent.BadCatalog},
		"another entry":   {bend: func(b *consent.Body) { b.Shown[1].Entry = 0 }, want: consent.BadCatalog},
		"a later entry":   {bend: func(b *consent.Body) { b.Shown[1].Entry = 1 << 40 }, want: consent.BadCatalog},
		"another version": {bend: func(b *consent.Body) { b.Shown[0].Version++ }, want: consent.BadCatalog},
		"nothing":         {bend: func(b *consent.Body) { b.Shown = nil }, want: consent.BadCatalog},
		"one left out":    {bend: func(b *consent.Body) { b.Shown = b.Shown[:1] }, want: consent.BadCatalog},
		"the notice":      {text: func(s string) string { return strings.Replace(s, "sales", "nothing", 1) }, want: consent.BadNotice},
		"to come":         {days: 3, want: consent.BadNotice},
		"a year old":      {days: -366, want: consent.BadNotice}, // it is too old tomorrow
		"nearly so old":   {days: -364},
		"of today":        {},
	} {
		d := n.draft(s, 3)
		d.Date += c.days
		found := n.offering(d)
		statement, sealed := n.signAs(s, d, found, c.text, c.bend)
		var refusal *consent.Refusal
		_, err := bank.Accept(n.ctx, statement, sealed)
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refusal) || refusal.Code != c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A bank finds the next catalog of an agency on the log, and does not search a
// part of the log twice.
func TestSuccessors(t *testing.T) {
	const size, versions = 300, 7
	r := rand.New(rand.NewPCG(1, 2))
	next := map[uint64]bool{}
	for len(next) < versions {
		next[uint64(1+r.IntN(size-1))] = true
	}
	next[size-1] = true // the newest
	var s successors
	reads, enough := 0, 0
	look := func(i uint64) (uint64, bool, error) {
		reads++
		return i / 3 * 10, next[i], nil
	}
	for index := range uint64(size - 1) {
		for i := index + 1; i == index+1 || !next[i-1]; i++ {
			enough++
		}
		for range 20 {
			before := uint64(r.IntN(size / 3 * 10))
			want := false
			for i := index + 1; i < size; i++ {
				want = want || next[i] && i/3*10 < before
			}
			if got, err := s.before(index, before, look); err != nil || got != want {
				t.Fatalf("entry %d before %d: %v, %v", index, before, got, err)
			}
			enough++
		}
	}
	if reads > enough {
		t.Errorf("%d entries read, where %d would do", reads, enough)
	}
}

// A bank accepts as an agency's catalog only the one on the log. For an
// unreachable agency it uses what it got before.
func TestCatalogIsTheOneOnTheLog(t *testing.T) {
	n := newNetwork(t)
	bank, tax := n.members["bank-a"], n.members["tax"]
	_, err := tax.Publish(n.ctx)
	n.must(err)
	bank.Fresh(n.ctx)
	p, err := bank.Published("tax")
	n.must(err)
	send := func(text string, salt sign.Secret) []byte {
		data, err := sign.Marshal(sentCatalog{Text: []byte(text), Salt: salt[:]})
		n.must(err)
		return data
	}
	salt := tax.keys.CatalogSalt(3)
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"as published":     {send(taxCatalog, salt), true},
		"another text":     {send(strings.Replace(taxCatalog, "sales}", "profit}", 1), salt), false},
		"another salt":     {send(taxCatalog, sign.Secret{1}), false},
		"another agency's": {send(courtCatalog, salt), false},
		"no catalog":       {send("hello", salt), false},
		"nothing":          {nil, false},
		"the text alone":   {[]byte(taxCatalog), false},
	} {
		if _, err := verifySent("tax", c.data, p); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrNoCatalog) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = bank.CatalogOf(n.ctx, "tax")
	n.must(err)
	d := n.draft(n.enrol(firm), 3)
	d.Offers = n.offering(d).Offers
	n.must(bank.Requested(&d)) // who only reads keeps nothing
	n.stop("tax")
	n.restart("bank-a")
	if c, err := n.members["bank-a"].CatalogOf(n.ctx, "tax"); err != nil || c.Version != 3 {
		t.Errorf("of an agency that is away: %v", err)
	}
	n.open("tax", nil)
}
