package replica_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/sign"
	"atoll/node/peer"
)

// network is a founded network whose members can be started and stopped, each
// with its own libp2p host, raft and database.
type network struct {
	t       testing.TB
	dir     string
	id      sign.NetworkID
	genesis []byte
	names   []string
	keys    map[string]ledger.Keys
	nodes   map[string]*node
	anchors map[string]*ledger.Anchor // of those that have joined, by member
	away    map[string]int            // ports of members in processes of their own, in addition to the nodes
	ports   map[string]int            // at which members in this process listen; 0: any
	tune    func(*replica.Config)
	lie     atomic.Pointer[func(member string, w io.Writer) io.Writer]                                           // modifies what members serve
	perjure atomic.Pointer[func(member string, answer []byte) []byte]                                            // modifies what cosigners answer
	deceive atomic.Pointer[func(member string, statement []byte, honest func() ([]byte, error)) ([]byte, error)] // answers in place of the leader
	boast   atomic.Pointer[func(member string, final []byte) []byte]                                             // modifies what members say is their newest final checkpoint
	serial  atomic.Uint64
	signers sync.Map               // ed25519.PrivateKey by member
	said    map[string]*complaints // by member: why it stopped, for instance; shown if the test fails
}

type node struct {
	*replica.Replica
	host *peer.Host
}

// Voters are a, b, c; learners are the rest.
var voters = []string{"voter-a", "voter-b", "voter-c"}

func found(t testing.TB, learners int) *network {
	t.Helper()
	n := &network{t: t, dir: t.TempDir(), keys: map[string]ledger.Keys{}, nodes: map[string]*node{}, said: map[string]*complaints{}, names: append([]string{}, voters...)}
	for i := range learners {
		n.names = append(n.names, fmt.Sprintf("wlearner-%d", i))
	}
	g := &ledger.Genesis{
		Version: ledger.FormatVersion, Name: "test", Origin: "log.test/replica/1", Suite: ledger.Suite, Time: uint64(time.Now().UnixMilli()), Offset: 480, Entries: ledger.DefaultBudget.Entries, Bytes: ledger.DefaultBudget.Bytes,
		Voters: voters, Cosigners: n.names[:min(4, len(n.names))], Approvals: 3,
		Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前", English: "Before a loan", MaxDays: 365, MaxUses: 100, MaxDataLife: 365}},
	}
	cosigners := len(g.Cosigners) // three of four sign, or two of three
	g.Quorum, g.Faults = uint8(cosigners-1), uint8(cosigners-3)
	for i, name := range n.names {
		n.keep(name, ledger.NewKeys(sign.Secret{byte(i + 1)}, g.Origin, 0))
		age := make([]byte, 1216)
		age[0] = byte(i)
		c := ledger.Card{Name: name, Chinese: name, English: name, Age: age, Roles: []ledger.Role{{Name: ledger.Agency, NotAfter: 40_000}, {Name: ledger.Bank, NotAfter: 40_000}}}
		n.keys[name].Fill(&c)
		g.Members = append(g.Members, c)
	}
	var sigs []sign.Signature
	for _, name := range n.names {
		s, err := ledger.SignGenesis(g, n.keys[name].Statement())
		n.check(err)
		sigs = append(sigs, s)
	}
	var err error
	n.genesis, err = ledger.Found(g, sigs)
	n.check(err)
	_, n.id, err = ledger.VerifyGenesis(n.genesis)
	n.check(err)
	t.Cleanup(func() {
		for name := range n.nodes {
			n.stop(name)
		}
		for name, said := range n.said {
			if list := said.take(); t.Failed() && len(list) > 0 {
				t.Logf("%s:\n%s", name, strings.Join(list, "\n"))
			}
		}
	})
	return n
}

func (n *network) check(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) start(names ...string) {
	n.t.Helper()
	n.connect(names...)
	for _, name := range names {
		n.check(n.open(name))
	}
}

// connect starts the hosts of members.
func (n *network) connect(names ...string) {
	n.t.Helper()
	for _, name := range names {
		host, err := peer.New(peer.Config{Name: name, Key: n.keys[name].Peer(), Listen: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", n.ports[name])}})
		n.check(err)
		n.nodes[name] = &node{host: host}
	}
	n.introduce()
}

// tryStart starts a member whose replica may refuse to open.
func (n *network) tryStart(name string) error {
	n.t.Helper()
	n.connect(name)
	err := n.open(name)
	if err != nil {
		n.stop(name)
	}
	return err
}

// members returns all of them, with the addresses of those that run.
func (n *network) members() (members []peer.Member) {
	for _, name := range n.names {
		m := peer.Member{Name: name, Key: n.keys[name].Peer().Public().(ed25519.PublicKey)}
		if node := n.nodes[name]; node != nil {
			m.Addrs = node.host.Addrs()
		} else if port := n.away[name]; port != 0 {
			m.Addrs = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)}
		}
		members = append(members, m)
	}
	return members
}

// introduce tells every host of every other's address.
func (n *network) introduce() {
	n.t.Helper()
	for _, node := range n.nodes {
		n.check(node.host.SetMembers(n.members()))
	}
}

func (n *network) open(name string) error {
	host := n.nodes[name].host
	c := replica.Config{
		Dir: filepath.Join(n.dir, name), Name: name, Genesis: n.genesis, Anchor: n.anchors[name],
		Listener: host.Listener(peer.Raft),
		Dial: func(member string, timeout time.Duration) (net.Conn, error) {
			return host.Dial(member, peer.Raft, timeout)
		},
		Submit: func(ctx context.Context, member string, statement []byte) ([]byte, error) {
			return host.Call(ctx, member, peer.Submit, statement)
		},
		Fetch: func(ctx context.Context, member string, request []byte) (io.ReadCloser, error) {
			return host.Stream(ctx, member, peer.Bundles, request)
		},
		Cosign: func(ctx context.Context, member string, request []byte) ([]byte, error) {
			return host.Call(ctx, member, peer.Cosign, request)
		},
		Newest: func(ctx context.Context, member string) ([]byte, error) {
			return host.Call(ctx, member, peer.Head, nil)
		},
		LogKey: n.keys[name].Log(), CosignKey: n.keys[name].Cosign(),
		Settle: func(from uint64) ([]byte, error) {
			return n.sign(name, ledger.KindSettled, ledger.Settled{Head: n.newHead(), From: from}), nil
		},
		Tick:    func(at uint64) ([]byte, error) { return n.tickAt(name, at), nil },
		Timeout: 300 * time.Millisecond,
	}
	if n.tune != nil {
		n.tune(&c)
	}
	if c.Logger == nil {
		if n.said == nil { // a network that is not of found
			n.said = map[string]*complaints{}
		}
		if n.said[name] == nil {
			n.said[name] = new(complaints)
		}
		c.Logger = slog.New(n.said[name])
	}
	r, err := replica.Open(c)
	if err != nil {
		return err
	}
	n.nodes[name].Replica = r
	host.Handle(peer.Submit, func(ctx context.Context, _ string, statement []byte) ([]byte, error) {
		honest := func() ([]byte, error) { return r.ServeSubmit(ctx, statement) }
		if lie := n.deceive.Load(); lie != nil {
			return (*lie)(name, statement, honest)
		}
		return honest()
	})
	host.Handle(peer.Cosign, func(ctx context.Context, from string, request []byte) ([]byte, error) {
		answer, err := r.ServeCosign(ctx, from, request)
		if bend := n.perjure.Load(); bend != nil && err == nil {
			return (*bend)(name, answer), nil
		}
		return answer, err
	})
	host.Handle(peer.Head, func(context.Context, string, []byte) ([]byte, error) {
		final := r.Final().Signed
		if bend := n.boast.Load(); bend != nil {
			final = (*bend)(name, final)
		}
		return final, nil
	})
	host.HandleStream(peer.Bundles, func(_ context.Context, _ string, request []byte, w io.Writer) error {
		if bend := n.lie.Load(); bend != nil {
			w = (*bend)(name, w)
		}
		return r.ServeEntries(request, w)
	})
	return nil
}

func (n *network) stop(name string) {
	n.t.Helper()
	node := n.nodes[name]
	delete(n.nodes, name)
	if node.Replica != nil {
		if err := node.Close(); err != nil {
			n.t.Errorf("close %s: %v", name, err)
		}
	}
	if err := node.host.Close(); err != nil {
		n.t.Errorf("close %s: %v", name, err)
	}
}

// newHead returns a fresh statement id.
func (n *network) newHead() ledger.Head { return n.headAt(uint64(time.Now().UnixMilli())) }

func (n *network) headAt(ms uint64) ledger.Head {
	serial := n.serial.Add(1)
	id := ledger.NewStatementID(ms, [10]byte{2: byte(serial >> 40), 3: byte(serial >> 32), 4: byte(serial >> 24), 5: byte(serial >> 16), 6: byte(serial >> 8), 7: byte(serial), 8: byte(os.Getpid()), 9: byte(os.Getpid() >> 8)})
	return ledger.Head{ID: id[:]}
}

// statement signs a fresh statement of a member: a tick, or one that is refused
// and costs its author an entry.
func (n *network) statement(member, kind string) []byte {
	if kind == ledger.KindCredentialRevoke {
		return n.sign(member, kind, ledger.CredentialRevoke{Head: n.newHead(), Digest: make([]byte, 32)})
	}
	return n.sign(member, kind, ledger.Tick{Head: n.newHead()})
}

// tickAt signs a tick of a member, dated at a time in Unix milliseconds.
func (n *network) tickAt(member string, ms uint64) []byte {
	return n.sign(member, ledger.KindTick, ledger.Tick{Head: n.headAt(ms)})
}

func (n *network) sign(member, kind string, payload any) []byte {
	raw, err := sign.Sign(n.signer(member), n.id, kind, payload)
	if err != nil {
		panic(err)
	}
	return raw
}

// keep sets the keys of a member. Members sign while others join, so the key by
// which it signs is not read from the map of all.
func (n *network) keep(name string, keys ledger.Keys) {
	n.keys[name] = keys
	n.signers.Store(name, keys.Statement())
}

// signer derives a member's statement key once.
func (n *network) signer(member string) ed25519.PrivateKey {
	key, ok := n.signers.Load(member)
	if !ok {
		key, _ = n.signers.LoadOrStore(member, n.keys[member].Statement())
	}
	return key.(ed25519.PrivateKey)
}

func (n *network) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	n.t.Cleanup(cancel)
	return ctx
}

// put submits a fresh statement through a member and returns its index.
func (n *network) put(through string) uint64 {
	n.t.Helper()
	answer, err := n.nodes[through].Submit(n.ctx(), n.statement(through, ledger.KindCredentialRevoke))
	n.check(err)
	if !answer.InLog() {
		n.t.Fatalf("%s: %+v", through, answer)
	}
	return answer.Index
}

// agree is the check at the end of every test: all running members come to the
// same log, each entry is what the rules make of it, and every acknowledged
// statement is at its index, once.
func (n *network) agree(acked map[uint64][]byte) {
	n.t.Helper()
	var size uint64
	for _, node := range n.nodes {
		size = max(size, node.Head().Size)
	}
	roots := map[string]bool{}
	for name, node := range n.nodes {
		n.waitFor(name, size)
		for {
			head, err := node.Check(n.ctx())
			if err != nil {
				n.t.Fatalf("%s: %v", name, err)
			}
			if head.Size >= size { // ticks may have been added
				size = max(size, head.Size)
				break
			}
		}
	}
	for name, node := range n.nodes {
		n.waitFor(name, size)
		seen := map[string]uint64{}
		for i := range size {
			leaf, err := node.Entry(i)
			n.check(err)
			e, err := ledger.ParseEntry(leaf)
			n.check(err)
			if at, twice := seen[string(e.Statement)]; twice {
				n.t.Errorf("%s: entry %d is entry %d again", name, i, at)
			}
			seen[string(e.Statement)] = i
		}
		for index, statement := range acked {
			if at, ok := seen[string(statement)]; !ok || at != index {
				n.t.Errorf("%s: the statement acknowledged as entry %d is at %d (%t)", name, index, at, ok)
			}
		}
		leaf, err := node.Entry(size - 1)
		n.check(err)
		roots[string(leaf)] = true
	}
	if len(roots) != 1 {
		n.t.Errorf("%d histories", len(roots))
	}
	n.sameFinals()
}

// waitFor waits until a member has that many entries, or reports how far all
// are.
func (n *network) waitFor(name string, size uint64) {
	n.t.Helper()
	err := n.nodes[name].WaitFor(n.ctx(), size)
	if err == nil {
		return
	}
	for other, node := range n.nodes {
		n.t.Logf("%s: %d entries, raft in term %d at %d, %q leads", other, node.Head().Size, node.Term(), node.RaftLast(), node.Leader())
	}
	n.t.Fatalf("%s is not at %d entries: %v", name, size, err)
}

// leader waits until some member knows who leads.
func (n *network) leader() string {
	n.t.Helper()
	for ctx := n.ctx(); ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		for _, node := range n.nodes {
			if l := node.Leader(); l != "" && n.nodes[l] != nil {
				return l
			}
		}
	}
	n.t.Fatal("nobody leads")
	return ""
}

// small has members take snapshots often and keep few entries.
func small(c *replica.Config) { c.Snapshot, c.Trailing = 100, 20 }
