package replica_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

var catchUpEntries = flag.Int("catchup", 50_000, "entries that BenchmarkCatchUp has a newcomer fetch")

// BenchmarkCatchUp has new members, one after another, fetch a log of small
// entries from another member over libp2p, with raft's log truncated. In turn
// with that it measures the minimum: as many ed25519 verifications of messages
// as long as the statements, on all cores. "%" compares the two. CPU is that of
// the whole process, the serving member's included. "hash-entries/s" is the
// first pass, which only hashes.
func BenchmarkCatchUp(b *testing.B) {
	n := found(b, 1)
	n.dir = filepath.Join(n.dir, "log")
	n.tune = func(c *replica.Config) { c.Snapshot, c.Trailing = 1000, 5 }
	n.start(voters...)
	size := n.fill(*catchUpEntries)
	alone := n.signatures(int(size))
	var hashing, whole, cpu, verifying, verifyingCPU time.Duration
	rounds := 0
	for b.Loop() {
		w := &passes{}
		n.tune = w.tune
		before := cpuTime()
		n.start("wlearner-0")
		n.check(n.nodes["wlearner-0"].WaitFor(context.Background(), size))
		end := time.Now()
		cpu += cpuTime() - before
		hashing += w.second.Sub(w.first)
		whole += end.Sub(w.first)
		n.sameLeaf(size-1, "wlearner-0", "voter-a")
		n.stop("wlearner-0")
		n.check(os.RemoveAll(filepath.Join(n.dir, "wlearner-0")))
		before, start := cpuTime(), time.Now()
		if !alone.verify() {
			b.Fatal("a signature does not verify")
		}
		verifying += time.Since(start)
		verifyingCPU += cpuTime() - before
		rounds++
	}
	total := float64(rounds) * float64(size)
	rate := func(d time.Duration) float64 { return total / d.Seconds() }
	b.ReportMetric(rate(whole), "entries/s")
	b.ReportMetric(rate(hashing), "hash-entries/s")
	b.ReportMetric(rate(whole-hashing), "apply-entries/s")
	b.ReportMetric(rate(verifying), "ed25519/s")
	b.ReportMetric(100*rate(whole)/rate(verifying), "%")
	b.ReportMetric(100*rate(whole-hashing)/rate(verifying), "apply-%")
	b.ReportMetric(float64(cpu.Microseconds())/total, "cpu-µs")
	b.ReportMetric(float64(verifyingCPU.Microseconds())/total, "ed25519-cpu-µs")
	b.ReportMetric(0, "ns/op")
}

// passes records when a newcomer begins each pass of fetching.
type passes struct {
	mu            sync.Mutex
	request       []byte
	first, second time.Time
}

func (p *passes) tune(c *replica.Config) {
	fetch := c.Fetch
	c.Fetch = func(ctx context.Context, member string, request []byte) (io.ReadCloser, error) {
		p.mu.Lock()
		switch {
		case p.request == nil:
			p.request, p.first = request, time.Now()
		case bytes.Equal(request, p.request):
			p.second = time.Now()
		}
		p.mu.Unlock()
		return fetch(ctx, member, request)
	}
}

// fill makes the log grow to a size, and has raft's log truncated behind a snapshot
// of all of that: a newcomer has to fetch it. It returns the log's size afterwards.
func (n *network) fill(size int) uint64 {
	n.t.Helper()
	leader := n.leader()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for next.Add(1) <= int64(size) {
				if _, err := n.nodes[leader].Submit(context.Background(), n.statement(leader, ledger.KindCredentialRevoke)); err != nil {
					n.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	n.until("raft's log is truncated", func() bool {
		n.put(leader)
		return n.nodes[leader].FirstInRaft() > 40 && n.nodes[leader].LastSnapshot() >= uint64(size)
	})
	return n.nodes[leader].Head().Size
}

func (n *network) sameLeaf(index uint64, names ...string) {
	n.t.Helper()
	want, err := n.nodes[names[0]].Entry(index)
	n.check(err)
	for _, name := range names[1:] {
		if got, err := n.nodes[name].Entry(index); err != nil || !bytes.Equal(got, want) {
			n.t.Errorf("entry %d differs between %s and %s (%v)", index, names[0], name, err)
		}
	}
}

// signatures are messages as long as statements, signed with one key.
type signatures struct {
	key            ed25519.PublicKey
	messages, sigs [][]byte
}

func (n *network) signatures(count int) *signatures {
	s := &signatures{key: n.signer("voter-a").Public().(ed25519.PublicKey)}
	for range count {
		message := n.statement("voter-a", ledger.KindCredentialRevoke)
		s.messages, s.sigs = append(s.messages, message), append(s.sigs, ed25519.Sign(n.signer("voter-a"), message))
	}
	return s
}

// verify verifies all of them, divided among the cores, and reports whether
// they are right.
func (s *signatures) verify() bool {
	cores := runtime.GOMAXPROCS(0)
	var wrong atomic.Int64
	var wg sync.WaitGroup
	for core := range cores {
		wg.Go(func() {
			for i := core; i < len(s.sigs); i += cores {
				if !ed25519.Verify(s.key, s.messages[i], s.sigs[i]) {
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return wrong.Load() == 0
}
