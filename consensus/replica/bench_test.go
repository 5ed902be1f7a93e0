package replica_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// bare is the baseline for the replica: the same raft with the same settings
// over the same libp2p streams, its log on raft-wal as released, and a state
// machine that does nothing.
type bare struct {
	nodes []*raft.Raft
	stops []func()
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

func startBare(b *testing.B) *bare {
	b.Helper()
	ok := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	var hosts []*peer.Host
	var members []peer.Member
	var servers []raft.Server
	for i, name := range voters {
		key := sign.Secret{byte(100 + i)}.Key("peer")
		host, err := peer.New(peer.Config{Name: name, Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
		ok(err)
		hosts = append(hosts, host)
		members = append(members, peer.Member{Name: name, Key: key.Public().(ed25519.PublicKey), Addrs: host.Addrs()})
		servers = append(servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name)})
	}
	g := &bare{}
	for i, host := range hosts {
		ok(host.SetMembers(members))
		store, err := wal.Open(b.TempDir(), wal.WithSegmentSize(8<<20))
		ok(err)
		cache, err := raft.NewLogCache(512, store)
		ok(err)
		transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: bareStreams{host.Listener(peer.Raft), host}, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
		})
		c := raft.DefaultConfig()
		c.LocalID, c.Logger = raft.ServerID(voters[i]), hclog.NewNullLogger()
		c.MaxAppendEntries = 256
		snapshots := raft.NewInmemSnapshotStore()
		ok(raft.BootstrapCluster(c, cache, store, snapshots, transport, raft.Configuration{Servers: servers}))
		node, err := raft.NewRaft(c, nothing{}, cache, store, snapshots, transport)
		ok(err)
		g.nodes = append(g.nodes, node)
		g.stops = append(g.stops, func() { node.Shutdown().Error(); transport.Close(); store.Close(); host.Close() })
	}
	b.Cleanup(func() {
		for _, stop := range g.stops {
			stop()
		}
	})
	return g
}

func (g *bare) leader(b *testing.B) *raft.Raft {
	for range 1000 {
		for _, n := range g.nodes {
			if n.State() == raft.Leader && n.VerifyLeader().Error() == nil {
				return n
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("nobody leads")
	return nil
}

// load runs clients for a while. Each calls make, which is not timed but costs
// CPU, and commit, which is timed.
type load struct {
	times []time.Duration
	cpu   time.Duration
}

func (l *load) run(b *testing.B, clients int, commit func() (time.Duration, error)) {
	b.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	before, end := cpuTime(), time.Now().Add(benchRound)
	for range clients {
		wg.Go(func() {
			var mine []time.Duration
			for time.Now().Before(end) {
				d, err := commit()
				if err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, d)
			}
			mu.Lock()
			l.times = append(l.times, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	l.cpu += cpuTime() - before
}

func (l *load) p50() time.Duration {
	slices.Sort(l.times)
	return l.times[len(l.times)/2]
}

func (l *load) perEntry() time.Duration { return l.cpu / time.Duration(len(l.times)) }

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Many short rounds, so that other load on this machine affects both alike.
const (
	benchRounds = 25
	benchRound  = 200 * time.Millisecond
)

// BenchmarkCommit compares commits of the access log with those of bare raft,
// in short alternating rounds, with three voters and clients at the leader. CPU
// is that of the whole process: all replicas, and the clients' signatures.
func BenchmarkCommit(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			base := startBare(b).leader(b)
			n := found(b, 0)
			n.tune = nil
			n.dir = filepath.Join(n.dir, "log")
			n.start(n.names...)
			n.put("voter-a")
			author := n.leader()
			leader := n.nodes[author]
			var ours, theirs load
			for range benchRounds {
				theirs.run(b, clients, func() (time.Duration, error) {
					command := make([]byte, 300)
					start := time.Now()
					err := base.Apply(command, time.Minute).Error()
					return time.Since(start), err
				})
				ours.run(b, clients, func() (time.Duration, error) {
					statement := n.statement(author, ledger.KindCredentialRevoke)
					start := time.Now()
					answer, err := leader.Submit(context.Background(), statement)
					if err == nil && !answer.InLog() { // known: tried again across a change of leader
						err = fmt.Errorf("%+v", answer)
					}
					return time.Since(start), err
				})
			}
			signing, verifying := ed25519Cost()
			micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
			b.ReportMetric(micros(theirs.p50()), "bare-p50-µs")
			b.ReportMetric(micros(ours.p50()), "atoll-p50-µs")
			b.ReportMetric(micros(ours.p50())/micros(theirs.p50()), "p50-ratio")
			b.ReportMetric(micros(theirs.perEntry()), "bare-cpu-µs")
			b.ReportMetric(micros(ours.perEntry()), "atoll-cpu-µs")
			must := theirs.perEntry() + signing + time.Duration(len(voters)+1)*verifying
			b.ReportMetric(micros(ours.perEntry())/micros(must), "cpu-ratio")
			b.ReportMetric(float64(len(ours.times))/(benchRounds*benchRound).Seconds(), "atoll-entries/s")
			b.ReportMetric(float64(len(theirs.times))/(benchRounds*benchRound).Seconds(), "bare-entries/s")
			b.ReportMetric(0, "ns/op")
			n.agree(nil)
		})
	}
}

// ed25519Cost measures one signature and one verification of 300 bytes.
func ed25519Cost() (signing, verifying time.Duration) {
	key := sign.Secret{1}.Key("bench")
	message := make([]byte, 300)
	const times = 2000
	start := cpuTime()
	var sig []byte
	for range times {
		sig = ed25519.Sign(key, message)
	}
	signing = (cpuTime() - start) / times
	start = cpuTime()
	for range times {
		ed25519.Verify(key.Public().(ed25519.PublicKey), message, sig)
	}
	return signing, (cpuTime() - start) / times
}
