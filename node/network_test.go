package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/peer"
	"atoll/node/source"
	"atoll/node/witness"
)

// network is six members in one process, each with its own folder, host, vault
// and replica, over loopback.
type network struct {
	t       testing.TB
	dir     string
	ctx     context.Context
	genesis *ledger.Genesis
	raw     []byte
	members map[string]*member

	catalogs map[string]string                         // of agencies, as YAML
	outside  map[string][]witness.Witness              // by member
	logger   func(member string) *slog.Logger          // nil: nothing is logged
	sources  map[string]source.Config                  // of agencies whose tables are not in files
	further  []source.Config                           // sources of tax beside its main one
	roles    [][2]string                               // members with their roles, ascending
	scout    time.Duration                             // see Config
	public   func(member, path string) ([]byte, error) // what members serve to everybody; nil: nothing, and no card has an address for that
}

type member struct {
	*Node
	name string
	seed sign.Secret
	age  seal.Identity
	addr string

	anchor *ledger.Anchor // of one that has joined
}

const (
	firm    consent.Subject = "uscc:91440300MA5DEM0Q7L"
	unknown consent.Subject = "uscc:91110000600037341L" // no agency has it
)

const taxCatalog = `agency: tax
version: 3
datasets:
  - name: vat
    title: {zh: 增值税申报, en: VAT returns}
    sensitivity: 3
    source: main
    table: vat
    key: uscc
    records: many
    date: period
    unique: [period, sales]
    fields:
      - {name: period, type: date}
      - {name: sales, type: decimal, unit: CNY, sensitivity: 3}
    outputs:
      - {name: sales_12m, title: {zh: 销售额, en: sales}, unit: CNY, type: decimal, scale: 2, value: "sum(rows.months(0, 12).map(r, r.sales))", measure: flow, months: 24, disclose: [value, band], bands: [0, 1000, 1000000]}
      - {name: returns, title: {zh: 申报次数, en: returns}, type: decimal, scale: 0, value: "count(rows)", measure: flow, months: 24, disclose: [count]}
rules:
  - {name: known_purposes, allow: 'purpose in ["pre_loan"] && product != "forbidden"', reason: {zh: 用途, en: purpose}}
`

const courtCatalog = `agency: court
version: 1
datasets:
  - name: cases
    title: {zh: 司法案件, en: court cases}
    sensitivity: 2
    source: main
    table: cases
    key: uscc
    records: many
    date: filed
    unique: [number]
    complete: true
    may_be_empty: true
    fields:
      - {name: number, type: text}
      - {name: filed, type: date}
    outputs:
      - {name: open, title: {zh: 未结案件, en: open cases}, type: decimal, scale: 0, value: "count(rows)", measure: state, disclose: [value, count]}
rules:
  - {name: any, allow: "true", reason: {zh: 任何, en: any}}
`

func item(dataset, output string, d consent.Disclosure, months uint32) consent.Item {
	return consent.Item{Dataset: dataset, Output: output, Disclosure: d, Months: months}
}

// offers returns what the tests' consents cover.
func offers() []consent.Offer {
	return []consent.Offer{
		{Agency: "court", Items: []consent.Item{item("cases", "open", consent.Value, 0)}},
		{Agency: "tax", Items: []consent.Item{item("vat", "returns", consent.Count, 24), item("vat", "sales_12m", consent.Value, 24)}},
	}
}

// newNetwork founds and starts the members. At the end of the test the logs of
// all running members must agree and pass Check.
func newNetwork(t testing.TB) *network {
	t.Helper()
	return newNetworkWith(t, func(*network) {})
}

// newNetworkWith calls prepare before the network is founded.
func newNetworkWith(t testing.TB, prepare func(*network)) *network {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // measures nothing: only a test that fails waits for it
	t.Cleanup(cancel)
	n := &network{t: t, dir: t.TempDir(), ctx: ctx, members: map[string]*member{}, catalogs: map[string]string{"tax": taxCatalog, "court": courtCatalog}}
	n.roles = [][2]string{{"auditor", ledger.Auditor}, {"bank-a", ledger.Bank}, {"bank-b", ledger.Bank}, {"court", ledger.Agency}, {"registrar", ledger.Registrar}, {"tax", ledger.Agency}}
	n.genesis = &ledger.Genesis{
		Version: ledger.FormatVersion, Name: "test", Origin: "log.test.invalid/1", Suite: ledger.Suite, Time: uint64(time.Now().UnixMilli()), Offset: 480, Entries: ledger.DefaultBudget.Entries, Bytes: ledger.DefaultBudget.Bytes,
		Voters: []string{"auditor", "court", "tax"}, Cosigners: []string{"auditor", "court", "registrar", "tax"}, Quorum: 3, Faults: 1, Approvals: 4,
		Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前", English: "before a loan", MaxDays: 365, MaxUses: 1000, MaxDataLife: 365}},
	}
	prepare(n)
	var hosts []*peer.Host
	for _, who := range n.roles {
		hosts = append(hosts, n.recruit(who[0], who[1]))
	}
	var signatures []sign.Signature
	for _, m := range n.members {
		s, err := ledger.SignGenesis(n.genesis, ledger.NewKeys(m.seed, n.genesis.Origin, 0).Statement())
		n.must(err)
		signatures = append(signatures, s)
	}
	var err error
	n.raw, err = ledger.Found(n.genesis, signatures)
	n.must(err)
	n.writeSources()
	for i, c := range n.genesis.Members {
		n.open(c.Name, hosts[i])
	}
	t.Cleanup(func() {
		for _, m := range n.members {
			if m.Node != nil {
				if err := m.Close(); err != nil {
					t.Errorf("close %s: %v", m.name, err)
				}
			}
		}
	})
	for _, m := range n.members {
		n.must(m.WaitFor(ctx, 1))
	}
	return n
}

func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) log(member string) *slog.Logger {
	if n.logger == nil {
		return nil
	}
	return n.logger(member)
}

// ports are those of members, one after another. They are below those that the system
// gives to connections, and beside those of other packages' tests, which run meanwhile
// (10,000 to 20,000, 25,000 to 30,000): a member that starts again finds its own free.
var ports atomic.Int64

func init() { ports.Store(20_000 + mathrand.Int64N(2_000)) }

// enlist makes a member's keys and card, and a host that listens for it.
func (n *network) enlist(name, role string) (*peer.Host, ledger.Card) {
	n.t.Helper()
	id, err := seal.NewIdentity()
	n.must(err)
	m := &member{name: name, seed: sign.NewSecret(), age: id}
	keys := ledger.NewKeys(m.seed, n.genesis.Origin, 0)
	var host *peer.Host
	for range 100 { // another program may have a port
		m.addr = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", ports.Add(1))
		if host, err = peer.New(peer.Config{Name: name, Key: keys.Peer(), Listen: []string{m.addr}, Logger: n.log(name)}); err == nil {
			break
		}
	}
	n.must(err)
	today := consent.DayOf(n.genesis.Time, n.genesis.Offset)
	recipient := id.Recipient()
	card := ledger.Card{
		Name: name, Chinese: name, English: name, Age: recipient[:], Addresses: host.Addrs(),
		Roles: []ledger.Role{{Name: role, NotBefore: today, NotAfter: today + 100}},
	}
	if n.public != nil {
		card.Addresses = append(card.Addresses, "https://"+name+".test.invalid")
	}
	keys.Fill(&card)
	n.members[name] = m
	return host, card
}

// recruit enlists a founder.
func (n *network) recruit(name, role string) *peer.Host {
	n.t.Helper()
	host, card := n.enlist(name, role)
	n.genesis.Members = append(n.genesis.Members, card)
	return host
}

// join starts a newcomer that has verified the log as bank-a has it, before it is
// admitted. It returns its card.
func (n *network) join(name, role string) ledger.Card {
	n.t.Helper()
	bank := n.members["bank-a"]
	n.must(bank.replica.Finalise(n.ctx, bank.replica.Head().Size))
	final := bank.replica.Final()
	known, err := bank.rosterAt(final.Size)
	n.must(err)
	host, card := n.enlist(name, role)
	n.members[name].anchor = &ledger.Anchor{Checkpoint: final.Signed, Members: known.Members(), Voters: known.Voters()}
	n.open(name, host)
	return card
}

// peersOf returns members as a host knows them.
func peersOf(r *ledger.Roster) (members []peer.Member) {
	for _, c := range r.Members() {
		members = append(members, peer.Member{Name: c.Name, Key: c.Peer, Addrs: c.Multiaddrs(), Roles: c.RoleNames()})
	}
	return members
}

// month returns the first day of a month of the network, so many before this one. A
// day of another month that has not so many days would be in the month after it.
func (n *network) month(before int) string {
	now := time.Now().In(consent.Zone(n.genesis.Offset))
	return time.Date(now.Year(), now.Month()-time.Month(before), 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// writeSources writes rows for the agencies, those of tax with repetitions.
func (n *network) writeSources() {
	var vat strings.Builder
	vat.WriteString("uscc,period,sales\n")
	for i := range 12 {
		line := fmt.Sprintf("%s,%s,%d.50\n", firm[5:], n.month(1+i), 100+i)
		vat.WriteString(strings.Repeat(line, 1+i%3))
	}
	for _, who := range n.roles {
		if who[1] == ledger.Agency && who[0] != "court" {
			n.write(who[0]+"/data/vat.csv", vat.String())
		}
	}
	n.write("court/data/cases.csv", "uscc,number,filed\n")
}

func (n *network) write(name, text string) {
	path := filepath.Join(n.dir, name)
	n.must(os.MkdirAll(filepath.Dir(path), 0o700))
	n.must(os.WriteFile(path, []byte(text), 0o600))
	if strings.HasSuffix(name, ".csv") {
		rows := int64(strings.Count(text, "\n")) - 1
		n.must(source.WriteMarker(path, rows, consent.DayOf(uint64(time.Now().UnixMilli()), n.genesis.Offset)))
	}
}

// open starts a member, on a host that listens already or on a new one.
func (n *network) open(name string, host *peer.Host) {
	n.t.Helper()
	m := n.members[name]
	keys := ledger.NewKeys(m.seed, n.genesis.Origin, 0)
	var err error
	if host == nil {
		host, err = peer.New(peer.Config{Name: name, Key: keys.Peer(), Listen: []string{m.addr}, Logger: n.log(name)})
		n.must(err)
	}
	c := Config{Name: name, Dir: filepath.Join(n.dir, name), Keys: keys, Age: m.age, Genesis: n.raw, Anchor: m.anchor, Host: host, Timeout: 300 * time.Millisecond, Scout: n.scout, Logger: n.log(name), Witnesses: n.outside[name], Tests: []consent.Subject{firm}}
	if n.public != nil {
		c.Public = func(_ context.Context, url, path string) ([]byte, error) {
			name, _, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ".")
			return n.public(name, path)
		}
	}
	if text := n.catalogs[name]; text != "" {
		c.Catalog, err = catalog.Parse([]byte(text))
		n.must(err)
		s := n.source(name)
		c.Sources = map[string]*source.Source{"main": s}
		for _, further := range n.further {
			if name == "tax" {
				c.Sources[further.Name] = n.openSource(name, further)
			}
		}
	}
	m.Node, err = Open(c)
	n.must(err)
}

// source opens an agency's data, as its node or a command on its machine does.
func (n *network) source(name string) *source.Source {
	n.t.Helper()
	c, ok := n.sources[name]
	if !ok {
		c = source.Config{Name: "main", Kind: "csv", Path: filepath.Join(n.dir, name, "data")}
	}
	return n.openSource(name, c)
}

func (n *network) openSource(name string, c source.Config) *source.Source {
	n.t.Helper()
	secret := ledger.NewKeys(n.members[name].seed, n.genesis.Origin, 0).Rows()
	c.Own = source.Own{Folder: filepath.Join(n.dir, name), Secret: secret[:], Offset: n.genesis.Offset}
	s, err := source.Open(c)
	n.must(err)
	return s
}

// stop ends a member, restart brings it back on its old address.
func (n *network) stop(name string) {
	n.t.Helper()
	n.must(n.members[name].Close())
	n.members[name].Node = nil
}

func (n *network) restart(name string) { n.stop(name); n.open(name, nil) }

// abreast waits until members have all that bank-a has on its copy of the log.
func (n *network) abreast(names ...string) {
	n.t.Helper()
	for _, name := range names {
		n.must(n.members[name].WaitFor(n.ctx, n.members["bank-a"].replica.Head().Size))
	}
}

// until repeats a check, of what other members have to notice first, until it
// returns no error.
func (n *network) until(check func() error) {
	n.t.Helper()
	for {
		err := check()
		if err == nil {
			return
		}
		if n.ctx.Err() != nil {
			n.t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// agree checks that all running members come to the same root independently,
// and that each one's state follows from its entries.
func (n *network) agree() {
	n.t.Helper()
	var size uint64
	for _, m := range n.members {
		if m.Node != nil {
			size = max(size, m.replica.Head().Size)
		}
	}
	roots := map[string][]string{}
	for _, m := range n.members {
		if m.Node == nil {
			continue
		}
		n.must(m.WaitFor(n.ctx, size))
		head, err := m.Check(n.ctx)
		n.must(err)
		if head.Size == size {
			roots[head.Root.String()] = append(roots[head.Root.String()], m.name)
		}
	}
	n.sameFinals()
	if len(roots) > 1 {
		n.t.Errorf("several histories: %v", roots)
	}
}

// subject is an enterprise with a credential.
type subject struct {
	id         consent.Subject
	keys       consent.Keyring
	credential []byte
	next       uint64
}

func (n *network) enrol(id consent.Subject) *subject {
	n.t.Helper()
	s := &subject{id: id, keys: consent.NewKeyring(sign.NewSecret(), n.members["bank-a"].Network)}
	var err error
	s.credential, _, err = n.members["registrar"].Issue(n.ctx, id, s.keys.Credential(0).Public().(ed25519.PublicKey), 30, "")
	n.must(err)
	return s
}

func (n *network) draft(s *subject, uses uint32) consent.Draft {
	at, err := n.members["bank-a"].At()
	n.must(err)
	return consent.Draft{
		Subject: s.id, Bank: "bank-a", Purpose: "pre_loan", Product: "loan", NotBefore: at.Day, NotAfter: at.Day + 9,
		MaxUses: uses, DataLife: 30, Language: consent.English, Offers: offers(), Name: "Firm Ltd", Date: at.Day,
	}
}

// sign returns what the subject gives to its bank.
func (n *network) sign(s *subject, d consent.Draft) (statement, sealed []byte) {
	n.t.Helper()
	return n.signAs(s, d, n.offering(d), nil, nil)
}

// offering returns what a draft can ask, once the running agencies have
// published their catalogs.
func (n *network) offering(d consent.Draft) *Offering {
	n.t.Helper()
	for _, o := range d.Offers {
		if m := n.members[o.Agency]; m != nil && m.Node != nil && m.catalog != nil {
			_, err := m.Publish(n.ctx)
			n.must(err)
		}
	}
	n.members[d.Bank].Fresh(n.ctx)
	found, err := n.members[d.Bank].Offering(n.ctx, d.Offers)
	n.must(err)
	return found
}

// signAs is sign with a notice changed by text and a body changed by bend,
// unless nil.
func (n *network) signAs(s *subject, d consent.Draft, found *Offering, text func(string) string, bend func(*consent.Body)) (statement, sealed []byte) {
	n.t.Helper()
	d.Offers = found.Offers
	notice, err := consent.Notice(d, n.genesis.Words(n.genesis.Known(), d.Language, consent.ShownTitles(d.Language, found.Shown), consent.ShownSenses(found.Shown)))
	n.must(err)
	if text != nil {
		notice = text(notice)
	}
	c, err := consent.Compose(d, notice, s.keys, s.next, s.credential, rand.Reader)
	n.must(err)
	n.must(c.Countersign(s.keys.Credential(0)))
	if c.Body.Shown = found.Shown; bend != nil {
		bend(&c.Body)
	}
	s.next++
	body, err := sign.Marshal(c.Body)
	n.must(err)
	own, err := seal.IdentityFrom(s.keys.Age())
	n.must(err)
	sealed, err = seal.EncryptShared(body, c.Body.Secret(), ledger.Stanzas, n.members[d.Bank].age.Recipient(), n.members["auditor"].age.Recipient(), own.Recipient())
	n.must(err)
	statement, err = c.Grant(sealed)
	n.must(err)
	return statement, sealed
}

// grant has bank-a accept a consent with so many uses.
func (n *network) grant(s *subject, uses uint32) consent.ID {
	n.t.Helper()
	statement, sealed := n.sign(s, n.draft(s, uses))
	c, err := n.members["bank-a"].Accept(n.ctx, statement, sealed)
	n.must(err)
	return c.Header.Bounds.ConsentID()
}

// ask asks and collects as bank-a.
func (n *network) ask(id consent.ID) (*Asked, []Piece) {
	n.t.Helper()
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	return a, pieces
}

// outcomes returns the outcomes of all answers of an agency's piece.
func outcomes(pieces []Piece, agency string) (list []string) {
	for _, p := range pieces {
		if p.Agency == agency {
			for _, a := range p.Answers {
				list = append(list, a.Result.Outcome.String())
			}
		}
	}
	return list
}

func wantOutcomes(t testing.TB, pieces []Piece, agency string, want ...string) {
	t.Helper()
	if got := outcomes(pieces, agency); !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", agency, got, want)
	}
}
