package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
	"atoll/node"
	"atoll/node/peer"
)

// demoMember is one organisation of the demo: its secrets, what others know of
// it, and its node.
type demoMember struct {
	*node.Node
	card ledger.Card
	seed sign.Secret
	keys ledger.Keys
	age  seal.Identity
	host *peer.Host
}

// demoNetwork is a network whose members share one process and nothing else:
// each has its own folder, keys, libp2p host and copy of the log.
type demoNetwork struct {
	ctx     context.Context
	genesis *ledger.Genesis
	id      sign.NetworkID
	members map[string]*demoMember
}

var demoMembers = []struct{ name, chinese, english, role string }{
	{"auditor", "省金融监管局", "Financial regulator", ledger.Auditor},
	{"bank-a", "甲银行", "Bank A", ledger.Bank},
	{"bank-b", "乙银行", "Bank B", ledger.Bank},
	{"court", "省高级法院", "High court", ledger.Agency},
	{"registrar", "省市场监管局", "Market regulator", ledger.Registrar},
	{"tax", "省税务局", "Tax bureau", ledger.Agency},
}

const (
	chinaOffset  = 8 * 60 // minutes from UTC
	demoElection = 500 * time.Millisecond
)

func nowMillis() uint64 { return uint64(time.Now().UnixMilli()) }

// foundDemo makes the members' keys and hosts, has all of them sign genesis,
// and starts their nodes in folders under dir.
func foundDemo(ctx context.Context, dir string) (*demoNetwork, error) {
	n := &demoNetwork{ctx: ctx, members: map[string]*demoMember{}}
	n.genesis = &ledger.Genesis{
		Version: 1, Name: "演示省 Demo Province", Origin: "log.demo.invalid/province/1", Suite: ledger.Suite, Time: nowMillis(), Offset: chinaOffset,
		Voters: []string{"auditor", "court", "tax"}, Cosigners: []string{"auditor", "court", "tax"}, Quorum: uint8(tlog.DefaultQuorum(3)), Faults: 1, Approvals: 4,
		Purposes: []consent.Purpose{{
			Code: "pre_loan", Chinese: "贷前调查", English: "Assessment before a loan", DPV: "dpv:CreditScoreEvaluation",
			MaxDays: 365, MaxUses: 24, MaxDataLife: 1095,
		}},
	}
	var signatures []sign.Signature
	for _, m := range demoMembers {
		if err := n.recruit(m.name, m.chinese, m.english, m.role); err != nil {
			return n, err
		}
	}
	for _, m := range n.members {
		s, err := ledger.SignGenesis(n.genesis, m.keys.Statement())
		if err != nil {
			return n, err
		}
		signatures = append(signatures, s)
	}
	founding, err := ledger.Found(n.genesis, signatures)
	if err != nil {
		return n, err
	}
	for name, m := range n.members {
		m.Node, err = node.Open(node.Config{
			Name: name, Dir: filepath.Join(dir, "members", name), Keys: m.keys, Genesis: founding, Host: m.host, Timeout: demoElection,
		})
		if err != nil {
			return n, fmt.Errorf("start %s: %w", name, err)
		}
		n.id = m.Network
	}
	return n, n.allAt(1)
}

// recruit makes a member: secrets, a host that listens on loopback, a card.
func (n *demoNetwork) recruit(name, chinese, english, role string) error {
	id, err := seal.NewIdentity()
	if err != nil {
		return err
	}
	m := &demoMember{seed: sign.NewSecret(), age: id}
	m.keys = ledger.NewKeys(m.seed, n.genesis.Origin, 0)
	m.host, err = peer.New(peer.Config{Name: name, Key: m.keys.Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		return err
	}
	n.members[name] = m
	today := consent.DayOf(n.genesis.Time, chinaOffset)
	recipient := id.Recipient()
	m.card = ledger.Card{
		Name: name, Chinese: chinese, English: english, Age: recipient[:], Addresses: m.host.Addrs(),
		Roles: []ledger.Role{{Name: role, NotBefore: today, NotAfter: today + 3650}},
	}
	m.keys.Fill(&m.card)
	n.genesis.Members = append(n.genesis.Members, m.card)
	return nil
}

// close stops all nodes.
func (n *demoNetwork) close() (err error) {
	for _, m := range n.members {
		if m.Node != nil {
			err = errors.Join(err, m.Close())
		} else {
			err = errors.Join(err, m.host.Close())
		}
	}
	return err
}

// allAt waits until every member has applied so many entries itself.
func (n *demoNetwork) allAt(size uint64) error {
	for name, m := range n.members {
		if err := m.WaitFor(n.ctx, size); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// accept is Say where anything but acceptance is a failure of the demo.
func (n *demoNetwork) accept(member, kind string, payload any) (ledger.Answer, error) {
	answer, err := n.members[member].Say(n.ctx, kind, payload)
	if err == nil && answer.Verdict != ledger.Accepted {
		err = fmt.Errorf("%s of %s: %s %s", kind, member, answer.Verdict, answer.Detail)
	}
	return answer, err
}

// day is the network's day, as a member has it.
func (n *demoNetwork) day(member string) (day consent.Day, err error) {
	err = n.members[member].View(func(v ledger.View) error {
		s, err := ledger.Read(v)
		if err == nil {
			day = s.Day()
		}
		return err
	})
	return day, err
}

// entries yields a member's log in order, as it is now.
func (m *demoMember) entries() iter.Seq2[[]byte, error] {
	size := m.Head().Size
	return func(yield func([]byte, error) bool) {
		for i := range size {
			if leaf, err := m.Entry(i); !yield(leaf, err) {
				return
			}
		}
	}
}

// bent is the same log with one bit of one entry flipped.
func bent(log iter.Seq2[[]byte, error], index int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		i := 0
		for leaf, err := range log {
			if i == index {
				leaf = bytes.Clone(leaf)
				leaf[len(leaf)/2] ^= 1
			}
			if !yield(leaf, err) {
				return
			}
			i++
		}
	}
}

// export writes a member's log as C2SP tlog-tiles lay it out, and the policy by
// which any verifier of that format checks it.
func (n *demoNetwork) export(dir, exporter string, head tlog.Head) error {
	m := n.members[exporter]
	signer, err := tlog.NewLogSigner(n.genesis.Origin, m.keys.Log())
	if err != nil {
		return err
	}
	checkpoint, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: n.genesis.Origin, Head: head}, signer)
	if err != nil {
		return err
	}
	for tile := range tlog.Tiles(head.Size) {
		data, err := m.resource(tile)
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
func (m *demoMember) resource(t tlog.Tile) (data []byte, err error) {
	if t.Level != tlog.Entries {
		return m.ReadTile(t)
	}
	for i := range t.Width {
		leaf, err := m.Entry(t.N*tlog.TileWidth + uint64(i))
		if err != nil {
			return nil, err
		}
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
	today, err := n.day("registrar")
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
		Head: node.NewHead(), Digest: consent.CredentialDigest(e.credential), Sealed: sealed,
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
	if _, err := n.accept(d.Bank, ledger.KindCarrier, ledger.Carrier{Head: node.NewHead(), Statement: statement, Sealed: sealed}); err != nil {
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
	today, err := n.day(bank)
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
