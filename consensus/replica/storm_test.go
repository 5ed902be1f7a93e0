//go:build !race

//lint:file-ignore SA1019 a liar fills the deprecated fields too: the library still reads them

package replica_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/sign"
	"atoll/node/peer"

	"github.com/hashicorp/raft"
)

// fullStorm is -rpcs of a full run, which takes half an hour.
const fullStorm = 10_000

var rpcs = flag.Int("rpcs", 100, "how many messages of each of 64 kinds TestRandomMessages sends")

// A shape is a kind of message: its content, and how it is then altered.
type shape struct{ seed uint64 }

// draw returns a raft message, or an invalid one, as bytes. term and last are
// those of the attacked network.
func (s shape) draw(serial, term, last uint64) []byte {
	fixed := rand.New(rand.NewPCG(s.seed, 0))
	free := rand.New(rand.NewPCG(s.seed, serial+1))
	kind := byte(fixed.IntN(5))
	numbers := []uint64{0, 1, term, term + 1, term + 1<<20, 1<<62 - 1, 1 << 62, 1<<64 - 1, last, last + 1, free.Uint64()}
	number := func() uint64 { return numbers[free.IntN(len(numbers))] }
	names := []string{"voter-a", "voter-b", "voter-c", "wlearner-0", "eve", "", strings.Repeat("x", free.IntN(300))}
	name := func() []byte { return []byte(names[free.IntN(len(names))]) }
	h := raft.RPCHeader{ProtocolVersion: 3, ID: name(), Addr: name()}
	if fixed.IntN(4) == 0 {
		h.ProtocolVersion = raft.ProtocolVersion(free.IntN(9) - 2)
	}
	var m any
	var tail []byte
	switch kind {
	case 0:
		q := &raft.AppendEntriesRequest{RPCHeader: h, Term: number(), Leader: name(), PrevLogEntry: number(), PrevLogTerm: number(), LeaderCommitIndex: number()}
		for range fixed.IntN(4) {
			e := &raft.Log{Index: number(), Term: number(), Type: raft.LogType(free.IntN(9)), Data: make([]byte, free.IntN(200))}
			for i := range e.Data {
				e.Data[i] = byte(free.Uint32())
			}
			q.Entries = append(q.Entries, e)
		}
		if fixed.IntN(8) == 0 {
			q.Entries = append(q.Entries, nil)
		}
		m = q
	case 1:
		m = &raft.RequestVoteRequest{RPCHeader: h, Term: number(), Candidate: name(), LastLogIndex: number(), LastLogTerm: number(), LeadershipTransfer: free.IntN(2) == 0}
	case 2:
		tail = make([]byte, free.IntN(300))
		m = &raft.InstallSnapshotRequest{RPCHeader: h, SnapshotVersion: raft.SnapshotVersion(free.IntN(3)), Term: number(), Leader: name(), LastLogIndex: number(), LastLogTerm: number(),
			Configuration: name(), ConfigurationIndex: number(), Size: int64(len(tail)) + int64(free.IntN(3)-1)*int64(free.IntN(2)*1<<40)}
	case 3:
		m = &raft.TimeoutNowRequest{RPCHeader: h}
	case 4:
		m = &raft.RequestPreVoteRequest{RPCHeader: h, Term: number(), LastLogIndex: number(), LastLogTerm: number()}
	}
	var b bytes.Buffer
	b.WriteByte(kind)
	if err := replica.Answerer(&b).Encode(m); err != nil {
		panic(err)
	}
	b.Write(tail)
	return bend(fixed.IntN(6), free, b.Bytes())
}

// bend flips, cuts, repeats or replaces bytes of a message, or leaves it alone.
func bend(how int, free *rand.Rand, b []byte) []byte {
	at := free.IntN(len(b))
	switch how {
	case 0:
		for range 1 + free.IntN(8) {
			b[free.IntN(len(b))] ^= 1 << free.IntN(8)
		}
	case 1:
		b = b[:at]
	case 2:
		b = slices.Concat(b, b[at:], b)
	case 3:
		for i := range b[at:] {
			b[at+i] = byte(free.Uint32())
		}
	}
	return b
}

// storm sends messages to all voters in turn, at most a thousand each second.
func storm(count int, send func(to string, b []byte), draw func() []byte) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range count {
		<-tick.C
		send(voters[i%len(voters)], draw())
	}
}

// I1, I2, I10: 64 kinds of random raft messages, from a learner and from a
// stranger, are sent to three voters under load. Nobody panics, no term
// changes, and nothing is lost. How much longer an honest client waits is logged:
// it depends on what else the machine does, so that only a full run insists on
// twice as long at most.
func TestRandomMessages(t *testing.T) {
	n := found(t, 1)
	// With a shorter timeout, voters that wait for a busy core would elect
	// another leader.
	n.tune = func(c *replica.Config) { c.Timeout = 5 * time.Second }
	n.start(n.names...)
	acked := n.several(200) // this also warms up
	terms := n.quiet()
	learner, stranger := n.byLearner("wlearner-0"), n.byStranger()
	last := n.nodes["voter-a"].RaftLast()
	drawn := 0
	draw := func() []byte {
		drawn++
		return shape{uint64(drawn % 64)}.draw(uint64(drawn/64), terms["voter-a"], last)
	}
	const parts = 4 // each of both: first undisturbed, then in the storm
	count := 64 * *rpcs / parts / 2
	span := max(time.Second, time.Duration(count)*time.Millisecond)
	best := [2]float64{1e9, 1e9}
	for part := range parts {
		for i, send := range []func(string, []byte){learner, stranger} {
			before := n.waits(min(span, 20*time.Second), acked)
			var attack sync.WaitGroup
			attack.Go(func() { storm(count, send, draw) })
			during := n.waits(span, acked)
			attack.Wait()
			best[i] = min(best[i], float64(during)/float64(before))
			t.Logf("part %d: p99 %v undisturbed, %v in the storm; %d messages so far", part, before, during, drawn)
		}
	}
	if *rpcs >= fullStorm && (best[0] > 2 || best[1] > 2) {
		t.Errorf("an honest client's p99 is %.1f × as long while a learner storms, at best, and %.1f × while a stranger does", best[0], best[1])
	}
	for name, node := range n.nodes {
		select {
		case err := <-node.Fatal():
			t.Errorf("%s stopped: %v", name, err)
		default:
		}
	}
	for _, v := range voters {
		n.accused(v, "wlearner-0")
	}
	n.unmoved(terms, acked)
}

// waits submits statements one after another for a while and returns the 99th
// percentile of how long that took.
func (n *network) waits(span time.Duration, acked map[uint64][]byte) time.Duration {
	n.t.Helper()
	var took []time.Duration
	for end := time.Now().Add(span); time.Now().Before(end) || len(took) < 200; {
		statement := n.statement("voter-b", ledger.KindCredentialRevoke)
		at := time.Now()
		answer, err := n.nodes["voter-b"].Submit(n.ctx(), statement)
		n.check(err)
		took = append(took, time.Since(at))
		acked[answer.Index] = statement
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// byLearner returns a sender on streams of a member.
func (n *network) byLearner(name string) func(to string, b []byte) {
	host := n.nodes[name].host
	return func(to string, b []byte) {
		conn, err := host.Dial(to, peer.Raft, time.Minute)
		if err != nil {
			n.t.Error(err)
			return
		}
		defer conn.Close()
		say(conn, b)
	}
}

// byStranger returns a sender with a key that nobody knows, on streams that
// nobody accepts, and without streams.
func (n *network) byStranger() func(to string, b []byte) {
	key := ledger.NewKeys(sign.Secret{99}, "log.test/replica/1", 0).Peer()
	host, err := peer.New(peer.Config{Name: "eve", Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	n.check(err)
	n.t.Cleanup(func() { host.Close() })
	n.check(host.SetMembers(append(n.members(), peer.Member{Name: "eve", Key: key.Public().(ed25519.PublicKey)})))
	ports := map[string]string{}
	for _, v := range voters {
		parts := strings.Split(n.nodes[v].host.Addrs()[0], "/")
		ports[v] = net.JoinHostPort(parts[2], parts[4])
	}
	serial := 0
	return func(to string, b []byte) {
		if serial++; serial%16 == 0 {
			conn, err := host.Dial(to, peer.Raft, time.Second)
			if err == nil {
				if say(conn, b) == nil {
					n.t.Error("a stranger is answered")
				}
				conn.Close()
			}
			return
		}
		conn, err := net.DialTimeout("tcp", ports[to], time.Minute)
		if err != nil {
			n.t.Error(err)
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Second))
		conn.Write(b) // it may be cut off by then
	}
}

// say writes and waits a moment for an answer.
func say(conn net.Conn, b []byte) error {
	conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conn.Write(b); err != nil {
		return err
	}
	if k, err := conn.Read(make([]byte, 100)); k == 0 {
		return errors.Join(err, errors.New("no answer"))
	}
	return nil
}
