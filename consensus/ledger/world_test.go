package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// world is a small network whose randomness and clock are controlled by the
// test.
type world struct {
	t       testing.TB
	genesis *Genesis
	network sign.NetworkID
	keys    map[string]Keys
	state   *Memory
	leaves  [][]byte
	now     uint64
	random  *rand.ChaCha8
	heard   func(raw []byte, a Answer) // of what is submitted; may be nil
}

const (
	start   = uint64(1_790_000_000_000) // 2026-09-21, Unix milliseconds
	minute  = 60_000
	dayMs   = 24 * hour
	subject = consent.Subject("uscc:914403001922038216")
)

var everyDay = func(names ...string) (roles []Role) {
	for _, n := range names {
		roles = append(roles, Role{Name: n, NotBefore: 0, NotAfter: 40_000})
	}
	return roles
}

func newWorld(t testing.TB) *world { return newWorldWith(t, DefaultBudget) }

// newWorldWith is newWorld with another budget for its members.
func newWorldWith(t testing.TB, b Budget) *world {
	w := &world{t: t, keys: map[string]Keys{}, now: start, random: rand.NewChaCha8([32]byte{1})}
	g := &Genesis{
		Version: FormatVersion, Name: "测试网", Origin: "log.test/ledger/1", Suite: Suite, Time: start, Offset: 480, Entries: b.Entries, Bytes: b.Bytes,
		Voters: []string{"auditor", "court", "tax"}, Cosigners: []string{"auditor", "court", "tax"}, Quorum: 2, Faults: 0, Approvals: 3,
		Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前", English: "Before a loan", MaxDays: 365, MaxUses: 100, MaxDataLife: 365}},
	}
	roles := map[string][]Role{
		"auditor": everyDay(Auditor), "bank-a": everyDay(Bank), "bank-b": everyDay(Bank), "court": everyDay(Agency),
		"registrar": everyDay(Registrar), "tax": everyDay(Agency),
	}
	names := []string{"auditor", "bank-a", "bank-b", "court", "registrar", "tax"}
	for i, name := range names {
		w.keys[name] = NewKeys(sign.Secret{byte(i + 1)}, g.Origin, 0)
		c := Card{Name: name, Chinese: name, English: name, Roles: roles[name], Age: bytes.Repeat([]byte{byte(i)}, ageRecipient), Addresses: []string{"/ip4/127.0.0.1/tcp/4001"}}
		w.keys[name].Fill(&c)
		g.Members = append(g.Members, c)
	}
	w.genesis = g
	var sigs []sign.Signature
	for _, name := range names {
		sig, err := SignGenesis(g, w.keys[name].Statement())
		check(t, err)
		sigs = append(sigs, sig)
	}
	raw, err := Found(g, sigs)
	check(t, err)
	_, w.network, err = VerifyGenesis(raw)
	check(t, err)
	w.state = NewMemory()
	w.want(raw, Accepted)
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// submit applies a statement as a replica would.
func (w *world) submit(raw []byte) Answer {
	w.t.Helper()
	answer, changes, err := Apply(w.state, raw)
	check(w.t, err)
	if (answer.Leaf == nil) != (changes == nil) {
		w.t.Fatalf("leaf %t with %d changes", answer.Leaf != nil, len(changes))
	}
	w.state.Apply(changes)
	if answer.Leaf != nil {
		w.leaves = append(w.leaves, answer.Leaf)
	}
	if w.heard != nil {
		w.heard(raw, answer)
	}
	return answer
}

func (w *world) want(raw []byte, verdict Verdict) Answer {
	w.t.Helper()
	a := w.submit(raw)
	if a.Verdict != verdict {
		w.t.Fatalf("verdict %s (%s), want %s", a.Verdict, a.Detail, verdict)
	}
	return a
}

// id returns a fresh statement id at the world's time.
func (w *world) id() []byte {
	var r [10]byte
	w.random.Read(r[:])
	id := NewStatementID(w.now, r)
	return id[:]
}

func (w *world) bytes32() []byte {
	b := make([]byte, 32)
	w.random.Read(b)
	return b
}

func (w *world) sign(member, kind string, payload any) []byte {
	w.t.Helper()
	raw, err := sign.Sign(w.keys[member].Statement(), w.network, kind, payload)
	check(w.t, err)
	return raw
}

// pass lets time pass: voters tick, and so do members that are behind.
func (w *world) pass(ms uint64) {
	w.t.Helper()
	for step := min(ms, 12*hour); ; step = min(ms, step) {
		w.now += step
		ms -= step
		for _, v := range w.genesis.Voters {
			w.tick(v)
		}
		for seat := range w.genesis.Members {
			if w.now >= w.head().Clocks.Time(seat)+CallAfter {
				w.tick(w.genesis.Members[seat].Name)
			}
		}
		if ms == 0 {
			return
		}
	}
}

// tick has a member state its time.
func (w *world) tick(member string) Answer {
	w.t.Helper()
	return w.want(w.sign(member, KindTick, Tick{Head{w.id()}}), Accepted)
}

func (w *world) head() *State {
	w.t.Helper()
	s, err := Read(w.state)
	check(w.t, err)
	return s
}

// deal is a consent as subject and bank store it.
type deal struct {
	draft    consent.Draft
	keyring  consent.Keyring
	number   uint64
	composed *consent.Composed
	header   consent.Header
	sealed   []byte
	grant    []byte // the subject's statement
}

func (d *deal) id() consent.ID { return d.header.Bounds.ConsentID() }

// compose makes consent number n; edit may change the draft.
func (w *world) compose(n uint64, edit func(*consent.Draft)) *deal {
	w.t.Helper()
	day := w.head().Day()
	d := &deal{keyring: consent.NewKeyring(sign.Secret{9}, w.network), number: n, sealed: []byte("sealed body")}
	d.draft = consent.Draft{
		Subject: subject, Bank: "bank-a", Purpose: "pre_loan", Product: "流动资金贷款", NotBefore: day, NotAfter: day + 29,
		MaxUses: 3, DataLife: 90, Language: consent.Chinese, Name: "某科技有限公司", Date: day,
		Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 24}}}},
	}
	if edit != nil {
		edit(&d.draft)
	}
	key := d.keyring.Credential(0).Public().(ed25519.PublicKey)
	credential := w.sign("registrar", consent.KindCredential, consent.Credential{Salt: w.bytes32(), Subject: d.draft.Subject, Key: key, NotBefore: day, NotAfter: day + 400})
	var err error
	d.composed, err = consent.Compose(d.draft, "notice", d.keyring, n, credential, w.random)
	check(w.t, err)
	check(w.t, d.composed.Countersign(d.keyring.Credential(0)))
	d.grant, err = d.composed.Grant(d.sealed)
	check(w.t, err)
	s, err := sign.Parse(d.grant)
	check(w.t, err)
	check(w.t, s.Decode(&d.header))
	return d
}

func (w *world) carry(member string, statement, sealed []byte) []byte {
	return w.sign(member, KindCarrier, Carrier{Head{w.id()}, statement, sealed})
}

// granted composes a consent and has it accepted.
func (w *world) granted(n uint64, edit func(*consent.Draft)) *deal {
	w.t.Helper()
	d := w.compose(n, edit)
	w.want(w.carry("bank-a", d.grant, d.sealed), Accepted)
	return d
}

func (w *world) open(d *deal) QueryOpen {
	list := make([][]byte, 8)
	for i := range list {
		list[i] = w.bytes32()
	}
	head := Head{w.id()}
	for i, agency := range []string{"court", "tax"} {
		slot := slotOf(head.ID)
		list[i] = slot.Digest(agency)
	}
	slices.SortFunc(list, bytes.Compare)
	id := d.id()
	return QueryOpen{head, id[:], w.now + minute, list, []byte("sealed")}
}

// slotOf returns the slot of court and tax in a query: to the rules, section
// and token are any 32 bytes.
func slotOf(query []byte) consent.Slot {
	sum := sha256.Sum256(append([]byte("slot"), query...))
	return consent.Slot{Section: sum[:], Token: sum[:]}
}

func (w *world) release(q QueryOpen) Release {
	sum := sha256.Sum256(q.ID)
	return Release{Head{w.id()}, QueryRef{Bank: "bank-a", ID: q.ID}, slotOf(q.ID), sum[:], 1024, []byte("sealed")}
}

func (w *world) refuse(q QueryOpen) Refuse {
	return Refuse{Head{w.id()}, QueryRef{Bank: "bank-a", ID: q.ID}, slotOf(q.ID), []byte("sealed")}
}

// receipt acknowledges fragments, in the order that a receipt requires.
func (w *world) receipt(bank string, query []byte, fragments ...Fragment) []byte {
	w.t.Helper()
	slices.SortStableFunc(fragments, func(a, b Fragment) int { return strings.Compare(a.Agency, b.Agency) })
	return w.sign(bank, KindReceipt, Receipt{Head{w.id()}, query, fragments})
}

// used returns the uses that a consent has spent.
func (w *world) used(d *deal) uint32 {
	w.t.Helper()
	c, err := LookupConsent(w.state, d.id())
	check(w.t, err)
	return c.Used
}

// catalog returns a new catalog statement of a version.
func (w *world) catalog(version uint64) Catalog {
	return Catalog{Head{w.id()}, w.bytes32(), version, w.bytes32()}
}
