package node

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/peer"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

const benchRounds = 5

// BenchmarkQuery measures whole queries, from the bank's question to the opened
// answers. It compares them with two commits of bare raft, one after the other:
// the least that a query can take that opens and releases on a replicated log.
// Both run in alternating rounds of a second on as many replicas, over the same
// transport on loopback. CPU is that of the whole process, which runs all
// members. "crypto" is the part of it that signatures, verifications, seals and
// opens must cost.
func BenchmarkQuery(b *testing.B) {
	for agencies := 1; agencies <= 2; agencies++ {
		b.Run(fmt.Sprintf("agencies=%d", agencies), func(b *testing.B) {
			n := newNetwork(b)
			base := n.startBare(b)
			who := n.enrol(firm)
			var ours, theirs []time.Duration
			var cpu time.Duration
			for range benchRounds {
				for end := time.Now().Add(time.Second); time.Now().Before(end); {
					start := time.Now()
					if base.twice() != nil {
						base.lead(b) // another leads now
						continue
					}
					theirs = append(theirs, time.Since(start))
				}
				id := n.grant(who, 1000)
				before := cpuTime()
				for end := time.Now().Add(time.Second); time.Now().Before(end); {
					start := time.Now()
					n.answered(id, offers()[2-agencies:])
					ours = append(ours, time.Since(start))
				}
				cpu += cpuTime() - before
			}
			report(b, n, agencies, ours, theirs, cpu/time.Duration(len(ours)))
			n.agree()
		})
	}
}

// answered asks and insists that every agency answers.
func (n *network) answered(id consent.ID, offers []consent.Offer) {
	n.t.Helper()
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Offers: offers})
	n.must(err)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	for _, p := range pieces {
		for _, answer := range p.Answers {
			if answer.Result.Outcome != consent.Answered {
				n.t.Fatalf("%s: %+v", p.Agency, answer.Result)
			}
		}
	}
}

func report(b *testing.B, n *network, agencies int, ours, theirs []time.Duration, cpu time.Duration) {
	b.Helper()
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	quantile := func(list []time.Duration, q float64) time.Duration {
		slices.Sort(list)
		return list[int(q*float64(len(list)-1))]
	}
	must := n.cryptoOf(agencies)
	p50, two := quantile(ours, 0.5), quantile(theirs, 0.5)
	b.ReportMetric(micros(p50), "query-p50-µs")
	b.ReportMetric(micros(quantile(ours, 0.99)), "query-p99-µs")
	b.ReportMetric(micros(two), "two-bare-commits-p50-µs")
	b.ReportMetric(micros(p50)/micros(two), "p50-ratio")
	b.ReportMetric(micros(cpu), "query-cpu-µs")
	b.ReportMetric(micros(must), "crypto-cpu-µs")
	b.ReportMetric(micros(must)/micros(cpu), "crypto-share")
	b.ReportMetric(float64(len(n.members)), "replicas")
	b.ReportMetric(0, "ns/op")
}

// cryptoOf returns the CPU time that one query's signatures, verifications,
// seals and opens cost in the whole network. Each kind is counted and timed by
// itself.
func (n *network) cryptoOf(agencies int) time.Duration {
	entries := 2 + agencies // query.open, the releases, the receipt
	// One of the datasets requires that a release is final before anything
	// leaves: its agency signs a head, every cosigner signs it, and all who
	// receive a signature verify it.
	cosigners, quorum := len(n.genesis.Cosigners), int(n.genesis.Quorum)
	counts := []struct {
		times int
		what  func()
	}{
		{entries + 1 + cosigners, n.signOnce()},
		// Every replica verifies every entry and the final head; the bank opens the
		// consent twice and each agency an ask: terms and credential each time.
		{(entries+1+quorum)*len(n.members) + quorum + 2*(2+agencies), n.verifyOnce()},
		{2 * agencies, n.sealOnce()},                  // ask and fragment
		{2 * agencies, n.openOnce(1)},                 // by agency and bank
		{2, n.openOnce(ledger.Stanzas)},               // the consent's body
		{1 + agencies, func() { _, _ = n.boxOnce() }}, // details in query.open and in the releases
	}
	var sum time.Duration
	for _, c := range counts {
		const times = 200
		c.what()
		before := cpuTime()
		for range times {
			c.what()
		}
		sum += time.Duration(c.times) * (cpuTime() - before) / times
	}
	return sum
}

func (n *network) signOnce() func() {
	key, message := sign.Secret{1}.Key("bench"), make([]byte, 700)
	return func() { ed25519.Sign(key, message) }
}

func (n *network) verifyOnce() func() {
	key, message := sign.Secret{1}.Key("bench"), make([]byte, 700)
	public, signature := key.Public().(ed25519.PublicKey), ed25519.Sign(key, message)
	return func() { ed25519.Verify(public, message, signature) }
}

func (n *network) sealOnce() func() {
	to := n.members["tax"].age.Recipient()
	return func() {
		if _, err := seal.EncryptBytes(make([]byte, 900), 1, to); err != nil {
			n.t.Error(err)
		}
	}
}

func (n *network) openOnce(stanzas int) func() {
	age := n.members["bank-a"].age
	sealed, err := seal.EncryptBytes(make([]byte, 900), stanzas, age.Recipient())
	n.must(err)
	return func() {
		if _, err := seal.DecryptBytes(sealed, age); err != nil {
			n.t.Error(err)
		}
	}
}

func (n *network) boxOnce() ([]byte, error) {
	return seal.Box(sign.Secret{1}, seal.Place{Kind: "bench"}, make([]byte, 400), make([]byte, 500))
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type nothing struct{}

func (nothing) Apply(*raft.Log) any                 { return nil }
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }
func (nothing) Restore(io.ReadCloser) error         { return nil }

type bareStreams struct {
	net.Listener
	host *peer.Host
}

func (s bareStreams) Dial(a raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.host.Dial(string(a), peer.Raft, timeout)
}

// bare is raft alone on as many replicas and voters, with the settings of
// package replica, raft-wal as released and a state machine that does nothing.
type bare struct {
	nodes  []*raft.Raft
	leader *raft.Raft
}

// twice commits two commands of the size of a release, one after the other.
func (g *bare) twice() error {
	err := g.leader.Apply(make([]byte, 700), time.Minute).Error()
	if err == nil {
		err = g.leader.Apply(make([]byte, 700), time.Minute).Error()
	}
	return err
}

// lead finds the leader.
func (g *bare) lead(b *testing.B) {
	b.Helper()
	for range 1000 {
		for _, node := range g.nodes {
			if node.State() == raft.Leader && node.VerifyLeader().Error() == nil {
				g.leader = node
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("nobody leads")
}

func (n *network) startBare(b *testing.B) *bare {
	b.Helper()
	var hosts []*peer.Host
	var members []peer.Member
	var servers []raft.Server
	for i, m := range n.genesis.Members {
		key := sign.Secret{byte(100 + i)}.Key("peer")
		host, err := peer.New(peer.Config{Name: m.Name, Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
		n.must(err)
		hosts = append(hosts, host)
		members = append(members, peer.Member{Name: m.Name, Key: key.Public().(ed25519.PublicKey), Addrs: host.Addrs()})
		s := raft.Server{ID: raft.ServerID(m.Name), Address: raft.ServerAddress(m.Name), Suffrage: raft.Nonvoter}
		if slices.Contains(n.genesis.Voters, m.Name) {
			s.Suffrage = raft.Voter
		}
		servers = append(servers, s)
	}
	g := &bare{}
	for i, host := range hosts {
		n.must(host.SetMembers(members))
		store, err := wal.Open(b.TempDir(), wal.WithSegmentSize(8<<20), wal.WithLogger(hclog.NewNullLogger()))
		n.must(err)
		cache, err := raft.NewLogCache(512, store)
		n.must(err)
		transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: bareStreams{host.Listener(peer.Raft), host}, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
		})
		c := raft.DefaultConfig()
		c.LocalID, c.Logger, c.MaxAppendEntries = servers[i].ID, hclog.NewNullLogger(), 256
		snapshots := raft.NewInmemSnapshotStore()
		if servers[i].Suffrage == raft.Voter {
			n.must(raft.BootstrapCluster(c, cache, store, snapshots, transport, raft.Configuration{Servers: servers}))
		}
		node, err := raft.NewRaft(c, nothing{}, cache, store, snapshots, transport)
		n.must(err)
		g.nodes = append(g.nodes, node)
		b.Cleanup(func() { node.Shutdown().Error(); transport.Close(); store.Close(); host.Close() })
	}
	g.lead(b)
	return g
}
