package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

const vectorFile = "testdata/verdicts.jsonl"

var updateVectors = flag.Bool("vectors", false, "write "+vectorFile+" anew")

// vector is one line of the file: a statement submitted to a log, and the
// answer. A line that names a log begins an empty one. Index and time are
// omitted if they are 0.
type vector struct {
	Log       string  `json:"log,omitempty"`
	Statement []byte  `json:"statement"`
	Verdict   Verdict `json:"verdict"`
	Index     uint64  `json:"index,omitempty"`
	Time      uint64  `json:"time,omitempty"`
	New       bool    `json:"new,omitempty"`
	Known     bool    `json:"known,omitempty"`
}

// stream is a world that records submitted statements and answers.
type stream struct {
	*world
	dice    *rand.Rand
	lines   []vector
	pacts   []*pact
	asked   []*asked
	said    [][]byte // statements that may be repeated
	digests [][]byte // of credentials
	ideas   []idea   // proposals

	versions uint64 // the highest that a catalog has named
}

// newStream founds a log. Edit may change newWorld's genesis.
func newStream(t testing.TB, log string, edit func(*stream, *Genesis)) *stream {
	s := &stream{world: newWorld(t)}
	s.random = rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32s", log))))
	s.dice = rand.New(s.random)
	g := *s.genesis
	if edit != nil {
		edit(s, &g)
	}
	s.genesis, s.state, s.leaves, s.now = &g, NewMemory(), nil, g.Time
	var sigs []sign.Signature
	for _, m := range g.Members {
		sig, err := SignGenesis(&g, s.keys[m.Name].Statement())
		check(t, err)
		sigs = append(sigs, sig)
	}
	raw, err := Found(&g, sigs)
	check(t, err)
	_, s.network, err = VerifyGenesis(raw)
	check(t, err)
	s.heard = s.record
	s.must(raw, Accepted)
	s.lines[0].Log = log
	return s
}

// join adds a member to a genesis in the making.
func (s *stream) join(g *Genesis, name string, roles ...Role) {
	s.keys[name] = NewKeys(sign.Secret{byte(len(g.Members) + 1)}, g.Origin, 0)
	c := Card{Name: name, Chinese: name, English: name, Roles: roles, Age: bytes.Repeat([]byte{byte(len(g.Members))}, ageRecipient)}
	s.keys[name].Fill(&c)
	g.Members = append(slices.Clone(g.Members), c)
	slices.SortFunc(g.Members, func(a, b Card) int { return strings.Compare(a.Name, b.Name) })
}

// say submits a statement to the log, and the answer is recorded.
func (s *stream) say(raw []byte) Answer {
	s.t.Helper()
	return s.submit(raw)
}

func (s *stream) record(raw []byte, a Answer) {
	s.lines = append(s.lines, vector{Statement: raw, Verdict: a.Verdict, Index: a.Index, Time: a.Time, New: a.New, Known: a.Known})
}

// must is say with an expected verdict.
func (s *stream) must(raw []byte, verdict Verdict) Answer {
	s.t.Helper()
	a := s.say(raw)
	if a.Verdict != verdict {
		s.t.Fatalf("line %d: verdict %s (%s), want %s", len(s.lines), a.Verdict, a.Detail, verdict)
	}
	return a
}

// pass lets all members state a time that is later by ms, in steps that network
// time can follow.
func (s *stream) pass(ms uint64) {
	s.t.Helper()
	for to := s.now + ms; s.now < to; {
		s.now = min(s.now+12*hour, to)
		for _, m := range s.genesis.Members {
			s.say(s.sign(m.Name, KindTick, Tick{Head{s.id()}}))
		}
	}
}

// at moves network time to exactly this value.
func (s *stream) at(ms uint64) {
	s.t.Helper()
	if s.pass(ms - s.now); s.head().Time != ms {
		s.t.Fatalf("network time is %d, want %d", s.head().Time, ms)
	}
}

// pact is a consent for the rules only: nobody opens its body.
type pact struct {
	consent, revoke, other ed25519.PrivateKey // two of the revocation keys belong to somebody
	header                 consent.Header
	sealed                 []byte
}

func (s *stream) pact(edit func(*consent.Bounds)) *pact {
	s.t.Helper()
	p := &pact{sealed: s.bytes32()[:8]}
	var ids [][]byte
	for _, key := range []*ed25519.PrivateKey{&p.consent, &p.revoke, &p.other} {
		*key = ed25519.NewKeyFromSeed(s.bytes32())
		id := sign.KeyIDOf(key.Public().(ed25519.PublicKey))
		ids = append(ids, id[:])
	}
	keys := [][]byte{ids[1], ids[2], s.bytes32()[:16], s.bytes32()[:16]}
	slices.SortFunc(keys, bytes.Compare)
	day := s.head().Day()
	p.header = consent.Header{
		Key: p.consent.Public().(ed25519.PublicKey), Terms: s.bytes32(), Body: consent.BodyDigest(p.sealed),
		Bounds: consent.Bounds{ID: ids[0], Bank: "bank-a", NotBefore: day, NotAfter: day + 3, MaxUses: 2, Revocation: keys},
	}
	if edit != nil {
		edit(&p.header.Bounds)
	}
	s.pacts = append(s.pacts, p)
	return p
}

func (s *stream) signed(key ed25519.PrivateKey, kind string, payload any) []byte {
	s.t.Helper()
	raw, err := sign.Sign(key, s.network, kind, payload)
	check(s.t, err)
	return raw
}

func (s *stream) grant(p *pact, carrier string) []byte {
	return s.carry(carrier, s.signed(p.consent, KindGrant, p.header), p.sealed)
}

func (s *stream) revocation(p *pact, key ed25519.PrivateKey, carrier string) []byte {
	return s.carry(carrier, s.signed(key, KindRevoke, consent.Revocation{Consent: p.header.Bounds.ID, Key: key.Public().(ed25519.PublicKey)}), nil)
}

// asked is a query, with the agencies that have slots in it and what they
// released.
type asked struct {
	bank     string
	open     QueryOpen
	slots    map[string]consent.Slot
	released []Fragment // by any agency, accepted or not
}

func (s *stream) query(p *pact, bank string, deadline uint64, agencies ...string) *asked {
	q := &asked{bank: bank, open: QueryOpen{Head: Head{s.id()}, Consent: p.header.Bounds.ID, Deadline: deadline, Sealed: []byte("b")}, slots: map[string]consent.Slot{}}
	for _, agency := range agencies {
		slot := consent.Slot{Section: s.bytes32(), Token: s.bytes32()}
		q.slots[agency] = slot
		q.open.Slots = append(q.open.Slots, slot.Digest(agency))
	}
	for len(q.open.Slots) < 8 {
		q.open.Slots = append(q.open.Slots, s.bytes32())
	}
	slices.SortFunc(q.open.Slots, bytes.Compare)
	s.asked = append(s.asked, q)
	return q
}

func (s *stream) ask(q *asked) []byte { return s.sign(q.bank, KindQueryOpen, q.open) }

// slot returns the agency's slot, or one that no query has.
func (s *stream) slot(q *asked, agency string) consent.Slot {
	if slot, ok := q.slots[agency]; ok {
		return slot
	}
	return consent.Slot{Section: s.bytes32(), Token: s.bytes32()}
}

func (s *stream) releases(q *asked, agency string, digest []byte) []byte {
	return s.sign(agency, KindRelease, Release{Head: Head{s.id()}, Query: QueryRef{Bank: q.bank, ID: q.open.ID}, Slot: s.slot(q, agency), Digest: digest, Bucket: 1024, Sealed: []byte("b")})
}

func (s *stream) refuses(q *asked, agency string) []byte {
	return s.sign(agency, KindRefuse, Refuse{Head: Head{s.id()}, Query: QueryRef{Bank: q.bank, ID: q.open.ID}, Slot: s.slot(q, agency), Sealed: []byte("b")})
}

func vectors(t testing.TB) (lines []vector) {
	for _, log := range writtenLogs {
		s := newStream(t, log.name, log.genesis)
		log.script(s)
		lines = append(lines, s.lines...)
	}
	for _, name := range slices.Sorted(maps.Keys(proposals)) {
		s := newStream(t, "proposal: "+name, nil)
		s.want(proposals[name].make(s.world), proposals[name].verdict)
		lines = append(lines, s.lines...)
	}
	for _, name := range slices.Sorted(maps.Keys(approvals)) {
		s := newStream(t, "approval: "+name, nil)
		s.want(approvals[name].make(proposed(s.world)), approvals[name].verdict)
		lines = append(lines, s.lines...)
	}
	s := newStream(t, "cosigners at random", nil)
	s.cosignersWalk(400)
	lines = append(lines, s.lines...)
	s = newStream(t, "members at random", membersGenesis)
	s.membersWalk(1500)
	lines = append(lines, s.lines...)
	s = newStream(t, "at random", walkGenesis)
	s.walk(3600)
	return append(lines, s.lines...)
}

// The answers in the file are those of the rules. Other implementations are
// compared with this file.
func TestVectors(t *testing.T) {
	lines := vectors(t)
	var file bytes.Buffer
	counts := map[Verdict]int{}
	for _, l := range lines {
		text, err := json.Marshal(l)
		check(t, err)
		file.Write(append(text, '\n'))
		counts[l.Verdict]++
	}
	if len(lines) < 5000 {
		t.Errorf("%d statements", len(lines))
	}
	for verdict := range specified(t) {
		if n := counts[verdict]; n < 5 && verdict != CosignersKeys {
			t.Errorf("the file has %d times %s", n, verdict)
		}
		delete(counts, verdict)
	}
	for verdict := range counts {
		t.Errorf("SPEC.md does not know %s", verdict)
	}
	if *updateVectors {
		check(t, os.WriteFile(vectorFile, file.Bytes(), 0o644))
		t.Logf("%d statements in %d bytes", len(lines), file.Len())
	}
	want, err := os.ReadFile(vectorFile)
	check(t, err)
	if !bytes.Equal(want, file.Bytes()) {
		n := 0
		for a, b := range zipLines(want, file.Bytes()) {
			if n++; a != b {
				t.Fatalf("line %d of %s is not what the rules say; if they were meant to change, go test -run TestVectors -vectors\nfile  %.300s\nrules %.300s", n, vectorFile, a, b)
			}
		}
		t.Fatalf("%s has more lines, or fewer", vectorFile)
	}
}

func zipLines(a, b []byte) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
		for i := range min(len(x), len(y)) {
			if !yield(x[i], y[i]) {
				return
			}
		}
	}
}

// specified returns all verdicts that section 8 of SPEC.md names.
func specified(t testing.TB) map[Verdict]bool {
	text, err := os.ReadFile("../../SPEC.md")
	check(t, err)
	_, section, found := strings.Cut(string(text), "\n## 8. ")
	section, _, found2 := strings.Cut(section, "\n## 9. ")
	if !found || !found2 {
		t.Fatal("SPEC.md has no section 8")
	}
	list := map[Verdict]bool{}
	for _, m := range regexp.MustCompile("`(accepted|unsupported|(?:statement|author|consent|query|fragment|credential|catalog|proposal|cosigners|member|voters|roster)\\.[a-z_]+)`").FindAllStringSubmatch(section, -1) {
		list[Verdict(m[1])] = true
	}
	if len(list) < 30 {
		t.Fatalf("SPEC.md names %d verdicts", len(list))
	}
	return list
}
