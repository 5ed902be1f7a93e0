package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// demoMember is one organisation of the demo: its seed, its age identity and
// what others know of it.
type demoMember struct {
	card ledger.Card
	seed sign.Secret
	keys ledger.Keys
	age  seal.Identity
}

// demoNetwork is a network of members that share one process and one copy of
// the log: the rules, the statements and the seals are the real ones, what is
// missing is that each member keeps its own copy.
type demoNetwork struct {
	genesis *ledger.Genesis
	id      sign.NetworkID
	members map[string]*demoMember
	state   *ledger.Memory
	tree    *tlog.Tree
	tiles   map[tlog.Tile][]byte
	leaves  [][]byte
}

var demoMembers = []struct{ name, chinese, english, role string }{
	{"auditor", "省金融监管局", "Financial regulator", ledger.Auditor},
	{"bank-a", "甲银行", "Bank A", ledger.Bank},
	{"bank-b", "乙银行", "Bank B", ledger.Bank},
	{"court", "省高级法院", "High court", ledger.Agency},
	{"registrar", "省市场监管局", "Market regulator", ledger.Registrar},
	{"tax", "省税务局", "Tax bureau", ledger.Agency},
}

const chinaOffset = 8 * 60 // minutes from UTC

func nowMillis() uint64 { return uint64(time.Now().UnixMilli()) }

// foundDemo makes the members' keys, has all of them sign genesis, and makes
// that the first entry of the log.
func foundDemo() (*demoNetwork, error) {
	n := &demoNetwork{members: map[string]*demoMember{}, state: ledger.NewMemory(), tiles: map[tlog.Tile][]byte{}}
	n.tree = tlog.New(func(t tlog.Tile, hashes []byte) { n.tiles[t] = hashes })
	today := consent.DayOf(nowMillis(), chinaOffset)
	n.genesis = &ledger.Genesis{
		Version: 1, Name: "演示省 Demo Province", Origin: "log.demo.invalid/province/1", Suite: ledger.Suite, Time: nowMillis(), Offset: chinaOffset,
		Voters: []string{"auditor", "court", "tax"}, Cosigners: []string{"auditor", "court", "tax"}, Quorum: 3, Faults: 1, Approvals: 4,
		Purposes: []consent.Purpose{{
			Code: "pre_loan", Chinese: "贷前调查", English: "Assessment before a loan", DPV: "dpv:CreditScoreEvaluation",
			MaxDays: 365, MaxUses: 24, MaxDataLife: 1095,
		}},
	}
	for _, m := range demoMembers {
		id, err := seal.NewIdentity()
		if err != nil {
			return nil, err
		}
		member := &demoMember{seed: sign.NewSecret(), age: id}
		member.keys = ledger.NewKeys(member.seed, n.genesis.Origin, 0)
		recipient := id.Recipient()
		member.card = ledger.Card{
			Name: m.name, Chinese: m.chinese, English: m.english, Age: recipient[:],
			Roles: []ledger.Role{{Name: m.role, NotBefore: today, NotAfter: today + 3650}},
		}
		member.keys.Fill(&member.card)
		n.members[m.name] = member
		n.genesis.Members = append(n.genesis.Members, member.card)
	}
	var signatures []sign.Signature
	for _, m := range n.members {
		s, err := ledger.SignGenesis(n.genesis, m.keys.Statement())
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, s)
	}
	founding, err := ledger.Found(n.genesis, signatures)
	if err != nil {
		return nil, err
	}
	if _, n.id, err = ledger.OpenGenesis(founding); err != nil {
		return nil, err
	}
	_, err = n.submit(founding)
	return n, err
}

// submit applies a statement and appends its leaf, as every replica will.
func (n *demoNetwork) submit(statement []byte) (ledger.Answer, error) {
	answer, changes, err := ledger.Apply(n.state, statement)
	if err != nil || answer.Leaf == nil {
		return answer, err
	}
	n.state.Apply(changes)
	n.leaves = append(n.leaves, answer.Leaf)
	return answer, n.tree.Append(answer.Leaf)
}

// say signs a member's statement and submits it.
func (n *demoNetwork) say(member, kind string, payload any) (ledger.Answer, error) {
	raw, err := sign.Sign(n.members[member].keys.Statement(), n.id, kind, payload)
	if err != nil {
		return ledger.Answer{}, err
	}
	return n.submit(raw)
}

// accept is say where anything but acceptance is a failure of the demo.
func (n *demoNetwork) accept(member, kind string, payload any) (ledger.Answer, error) {
	answer, err := n.say(member, kind, payload)
	if err == nil && answer.Verdict != ledger.Accepted {
		err = fmt.Errorf("%s of %s: %s %s", kind, member, answer.Verdict, answer.Detail)
	}
	return answer, err
}

func (n *demoNetwork) newID() ledger.Head {
	var random [10]byte
	rand.Read(random[:])
	id := ledger.NewStatementID(nowMillis(), random)
	return ledger.Head{ID: id[:]}
}

// day is the network's day.
func (n *demoNetwork) day() (consent.Day, error) {
	s, err := ledger.Read(n.state)
	if err != nil {
		return 0, err
	}
	return s.Day(), nil
}

// all yields the leaves in order.
func (n *demoNetwork) all() iter.Seq2[[]byte, error] { return leaves(n.leaves) }

func leaves(list [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, leaf := range list {
			if !yield(leaf, nil) {
				return
			}
		}
	}
}

// export writes the log as C2SP tlog-tiles lay it out, and the policy by which
// any verifier of that format checks it.
func (n *demoNetwork) export(dir, exporter string) error {
	signer, err := tlog.NewLogSigner(n.genesis.Origin, n.members[exporter].keys.Log())
	if err != nil {
		return err
	}
	head := n.tree.Head()
	checkpoint, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: n.genesis.Origin, Head: head}, signer)
	if err != nil {
		return err
	}
	stored := func(t tlog.Tile) ([]byte, error) { return n.tiles[t], nil }
	for tile := range tlog.Tiles(head.Size) {
		data, err := n.resource(tile, stored)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(dir, "log", filepath.FromSlash(tile.Path())), data, 0o644); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(dir, "log", "checkpoint"), checkpoint, 0o644); err != nil {
		return err
	}
	policy := fmt.Sprintf("log %s\nquorum none\n", signer.Verifier)
	return write(filepath.Join(dir, "policy"), []byte(policy), 0o644)
}

// resource returns a hash tile or an entry bundle.
func (n *demoNetwork) resource(t tlog.Tile, stored tlog.ReadTile) (data []byte, err error) {
	if t.Level != tlog.Entries {
		return n.tree.ReadTile(t, stored)
	}
	first := int(t.N) * tlog.TileWidth
	for _, leaf := range n.leaves[first : first+t.Width] {
		if data, err = tlog.AppendEntry(data, leaf); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// saveKeys writes what each member must keep to itself.
func (n *demoNetwork) saveKeys(dir string) error {
	for name, m := range n.members {
		home := filepath.Join(dir, "members", name)
		if err := write(filepath.Join(home, "seed.key"), []byte(m.seed.Reveal()+"\n"), 0o600); err != nil {
			return err
		}
		key := fmt.Sprintf("# public key: %s\n%s\n", m.age.Recipient(), m.age.Reveal())
		if err := write(filepath.Join(home, "age.key"), []byte(key), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// write makes a file that was not there, with its folders.
func write(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// enterprise is the subject of the demo.
type enterprise struct {
	subject    consent.Subject
	keyring    consent.Keyring
	age        seal.Identity
	credential []byte // statement
	next       uint64 // number of its next consent
}

// enrol makes an enterprise's seed and has the registrar vouch for its key:
// the log learns a salted digest, the auditors the name.
func (n *demoNetwork) enrol(subject consent.Subject) (*enterprise, error) {
	e := &enterprise{subject: subject, keyring: consent.NewKeyring(sign.NewSecret(), n.id)}
	var err error
	if e.age, err = seal.IdentityFrom(e.keyring.Age()); err != nil {
		return nil, err
	}
	today, err := n.day()
	if err != nil {
		return nil, err
	}
	salt := sign.NewSecret()
	c := consent.Credential{
		Salt: salt[:], Subject: subject, Key: e.keyring.Credential(0).Public().(ed25519.PublicKey),
		NotBefore: today, NotAfter: today + 365,
	}
	registrar := n.members["registrar"]
	if e.credential, err = sign.Sign(registrar.keys.Statement(), n.id, consent.KindCredential, c); err != nil {
		return nil, err
	}
	sealed, err := seal.EncryptBytes(e.credential, 1, n.members["auditor"].age.Recipient())
	if err != nil {
		return nil, err
	}
	_, err = n.accept("registrar", ledger.KindCredentialIssue, ledger.CredentialIssue{
		Head: n.newID(), Digest: consent.CredentialDigest(e.credential), Sealed: sealed,
	})
	return e, err
}

// granted is a consent as its bank holds it.
type granted struct {
	header consent.Header
	body   consent.Body
	number uint64
}

// grant has the enterprise sign a draft and the bank countersign it.
func (n *demoNetwork) grant(e *enterprise, d consent.Draft, notice string) (*granted, error) {
	number := e.next
	e.next++
	c, err := consent.Compose(d, notice, e.keyring, 0, number, e.credential, rand.Reader)
	if err != nil {
		return nil, err
	}
	body, err := sign.Marshal(c.Body)
	if err != nil {
		return nil, err
	}
	sealed, err := seal.EncryptBytes(body, 4, n.members[d.Bank].age.Recipient(), n.members["auditor"].age.Recipient(), e.age.Recipient())
	if err != nil {
		return nil, err
	}
	statement, err := c.Grant(sealed)
	if err != nil {
		return nil, err
	}
	if _, err := n.accept(d.Bank, ledger.KindCarrier, ledger.Carrier{Head: n.newID(), Statement: statement, Sealed: sealed}); err != nil {
		return nil, err
	}
	return n.receive(d.Bank, statement, sealed, number)
}

// receive is the bank's own reading of a consent: it opens the body and checks
// that it is what the header commits to, before it relies on any of it.
func (n *demoNetwork) receive(bank string, statement, sealed []byte, number uint64) (*granted, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	g := &granted{number: number}
	if err := s.Decode(&g.header); err != nil {
		return nil, err
	}
	body, err := seal.DecryptBytes(sealed, n.members[bank].age)
	if err != nil {
		return nil, err
	}
	if err := sign.Unmarshal(body, &g.body); err != nil {
		return nil, err
	}
	today, err := n.day()
	if err != nil {
		return nil, err
	}
	_, err = consent.OpenBody(&g.header, &g.body, n.issuer(), today)
	return g, err
}

// issuer is what the ledger says of who vouches for subjects.
func (n *demoNetwork) issuer() consent.Authority {
	return consent.Authority{Network: n.id, Registrar: n.members["registrar"].card.Statement}
}

// flipped returns the log with one bit of one entry changed.
func (n *demoNetwork) flipped(index int) [][]byte {
	copied := slices.Clone(n.leaves)
	copied[index] = bytes.Clone(copied[index])
	copied[index][len(copied[index])/2] ^= 1
	return copied
}
