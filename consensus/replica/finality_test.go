package replica_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/consensus/state"
	"atoll/crypto/tlog"
	"atoll/node/peer"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// sameFinals checks that whatever a member knows to be final is final for a
// verifier who knows the log, and of the common history.
func (n *network) sameFinals() {
	n.t.Helper()
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	for name, node := range n.nodes {
		final := node.Final()
		if final.Size == 0 {
			continue
		}
		n.verifyFinal(g, name, final)
		for other, node := range n.nodes {
			n.waitFor(other, final.Size)
			root, err := tlog.RootAt(final.Size, node.Head(), node.ReadTile)
			n.check(err)
			if root != final.Root {
				n.t.Errorf("what is final for %s at size %d is not the history of %s", name, final.Size, other)
			}
		}
	}
}

// verifyFinal opens a member's final checkpoint with that member's log key and
// the keys of those who are cosigners at that size.
func (n *network) verifyFinal(g *ledger.Genesis, name string, final replica.Final) {
	n.t.Helper()
	signer, err := tlog.NewLogSigner(g.Origin, n.keys[name].Log())
	n.check(err)
	log := signer.Verifier
	keys := []tlog.Verifier{log}
	set := n.nodes[name].Cosigners(final.Size)
	cosigners, err := set.Verifiers()
	n.check(err)
	keys = append(keys, cosigners...)
	c, signatures, err := tlog.VerifyCheckpoint(final.Signed, g.Origin, keys...)
	n.check(err)
	if c.Head != final.Head || len(signatures) < 1+int(set.Quorum) || !slices.ContainsFunc(signatures, func(s tlog.Signature) bool { return s.Key == log }) {
		n.t.Errorf("%s: final checkpoint of size %d with %d signatures", name, c.Size, len(signatures))
	}
}

// finalAt waits until a member knows a final checkpoint of that many entries.
func (n *network) finalAt(name string, size uint64) {
	n.t.Helper()
	n.until(name+" knows a final checkpoint", func() bool { return n.nodes[name].Final().Size >= size })
}

// Everything becomes final at every member without being asked for, and without
// delay for a caller of Finalise.
func TestFinal(t *testing.T) {
	n := found(t, 2)
	n.start(n.names...)
	size := n.put("wlearner-1") + 1
	for _, name := range n.names {
		n.finalAt(name, size)
	}
	last := n.put("wlearner-1")
	n.check(n.nodes["wlearner-1"].Finalise(n.ctx(), last+1))
	if final := n.nodes["wlearner-1"].Final(); final.Size <= last {
		t.Errorf("final at %d, asked for %d", final.Size, last+1)
	}
	n.agree(nil)
	// The final checkpoint is remembered over a restart, before anybody is
	// asked.
	for _, name := range n.names {
		n.stop(name)
	}
	n.start("wlearner-1")
	if final := n.nodes["wlearner-1"].Final(); final.Size <= last {
		t.Errorf("after a restart: final at %d, was at %d", final.Size, last+1)
	}
	n.start(n.names[:4]...)
	n.agree(nil)
}

// With one cosigner too few nothing becomes final, though the log grows.
func TestOneCosignerTooFew(t *testing.T) {
	n := found(t, 1) // four cosigners, of which three are needed
	n.start("voter-a", "voter-b")
	size := n.put("voter-a") + 1
	ctx, cancel := context.WithTimeout(n.ctx(), 2*time.Second)
	defer cancel()
	if err := n.nodes["voter-a"].Finalise(ctx, size); err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("final with two of four: %v", err)
	}
	for _, name := range []string{"voter-a", "voter-b"} {
		if final := n.nodes[name].Final(); final.Size != 0 {
			t.Errorf("%s: final at %d", name, final.Size)
		}
	}
	n.start("wlearner-0") // a cosigner that does not vote
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), size))
	for _, name := range []string{"voter-a", "voter-b", "wlearner-0"} {
		n.finalAt(name, size)
	}
	n.agree(nil)
}

// A cosigner's bad line is not attached: the checkpoint stays valid, and if the
// line is needed nothing becomes final.
func TestBadCosignature(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	lie := func(liars ...string) {
		bend := func(member string, answer []byte) []byte {
			if !slices.Contains(liars, member) {
				return answer
			}
			bad := bytes.Clone(answer)
			if i := bytes.LastIndexByte(bad, '\n'); i > 20 {
				bad[i-20] ^= 3 // a letter of the base64 signature becomes another byte
			}
			return bad
		}
		n.perjure.Store(&bend)
	}
	lie("voter-b")
	size := n.put("wlearner-0") + 1
	n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), size))
	lie("voter-a", "voter-b", "voter-c")
	time.Sleep(time.Second) // rounds that began before
	ctx, cancel := context.WithTimeout(n.ctx(), time.Second)
	defer cancel()
	size = n.put("wlearner-0") + 1
	if err := n.nodes["wlearner-0"].Finalise(ctx, size); err == nil {
		t.Error("final with bad signatures")
	}
	lie()
	n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), size))
	n.agree(nil)
}

// A member that asks for a cosignature must have signed the head itself. A head
// that nobody has is waited for, not signed.
func TestCosignRequests(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	node := n.nodes["voter-a"]
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	signed := func(by string, head tlog.Head) []byte {
		s, err := tlog.NewLogSigner(g.Origin, n.keys[by].Log())
		n.check(err)
		text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: g.Origin, Head: head}, s)
		n.check(err)
		return text
	}
	head := node.Head()
	if _, err := node.ServeCosign(n.ctx(), "voter-b", signed("voter-b", head)); err != nil {
		t.Errorf("a true head: %v", err)
	}
	other := tlog.Head{Size: head.Size} // without the asker's signature it is no evidence
	for what, c := range map[string]struct {
		from    string
		request []byte
	}{
		"signed by another": {"voter-b", signed("voter-c", other)},
		"of a stranger":     {"eve", signed("voter-b", other)},
		"garbage":           {"voter-b", []byte("hello")},
		"empty":             {"voter-b", nil},
		"an empty log":      {"voter-b", signed("voter-b", tlog.New(nil).Head())},
	} {
		if _, err := node.ServeCosign(n.ctx(), c.from, c.request); err == nil || errors.Is(err, replica.ErrBehind) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := node.ServeCosign(n.ctx(), "voter-b", signed("voter-b", tlog.Head{Size: 1 << 40, Root: head.Root})); !errors.Is(err, replica.ErrBehind) {
		t.Errorf("a head far away: %v", err)
	}
	if len(node.Alarms()) != 0 {
		t.Errorf("alarms: %+v", node.Alarms())
	}
	// Only as much evidence is stored about a member as convicts it.
	for i := range 20 {
		if _, err := node.ServeCosign(n.ctx(), "voter-b", signed("voter-b", tlog.Head{Size: 1, Root: tlog.Hash{byte(i)}})); err != nil {
			t.Error(err)
		}
	}
	if got := len(node.Alarms()); got == 0 || got > 10 {
		t.Errorf("%d alarms", got)
	}
	n.agree(nil)
}

// equivocate has a voter, whose replica is stopped, claim to lead and send two
// others different entries for one index.
func (n *network) equivocate(evil string, to [2]string, entries [2][]byte) {
	n.t.Helper()
	host, err := peer.New(peer.Config{Name: evil, Key: n.keys[evil].Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	n.check(err)
	defer host.Close()
	n.nodes[evil] = &node{host: host}
	n.introduce()
	delete(n.nodes, evil)
	transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: bareStreams{host.Listener(peer.Raft), host}, MaxPool: 1, Timeout: 5 * time.Second, Logger: hclog.NewNullLogger(),
	})
	defer transport.Close()
	for i, victim := range to {
		request := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(evil), Addr: []byte(evil)}, Term: 100}
		var response raft.AppendEntriesResponse
		n.check(transport.AppendEntries(raft.ServerID(victim), raft.ServerAddress(victim), request, &response))
		last := response.LastLog + 1
		request.PrevLogEntry, request.PrevLogTerm = response.LastLog, n.nodes[victim].RaftTerm(response.LastLog)
		request.Entries = []*raft.Log{{Index: last, Term: 100, Type: raft.LogCommand, Data: slices.Concat([]byte{1}, entries[i])}}
		request.LeaderCommitIndex = last
		n.check(transport.AppendEntries(raft.ServerID(victim), raft.ServerAddress(victim), request, &response))
		if !response.Success {
			n.t.Fatalf("%s did not take the entry", victim)
		}
	}
}

// I2, I4: a lying leader shows two voters two histories, which raft does not
// notice. The cosigners notice: neither becomes final, and both sides store the
// two signed heads. When one history gets its quorum, the replica with the
// other stops.
func TestTwoHistories(t *testing.T) {
	n := found(t, 1)
	n.tune = patient // nobody stands for election between the liar's two messages
	n.start(n.names...)
	n.put("wlearner-0")
	evil := voters[slices.IndexFunc(voters, func(v string) bool { return v != n.leader() })]
	var honest [2]string
	copy(honest[:], slices.DeleteFunc(slices.Clone(voters), func(v string) bool { return v == evil }))
	for _, name := range n.names {
		n.finalAt(name, n.nodes[name].Head().Size)
	}
	n.stop(evil)
	n.until("the other voters hold the same log", func() bool { return n.nodes[honest[0]].Holds() == n.nodes[honest[1]].Holds() })
	size := n.nodes["wlearner-0"].Head().Size
	n.equivocate(evil, honest, [2][]byte{n.statement(evil, ledger.KindCredentialRevoke), n.statement(evil, ledger.KindCredentialRevoke)})
	for _, name := range honest {
		n.until(name+" has evidence", func() bool { return len(n.nodes[name].Alarms()) > 0 })
		alarm := n.nodes[name].Alarms()[0]
		theirs, ours := n.opened(alarm.Member, alarm.Theirs), n.opened(name, alarm.Ours)
		if theirs.Size != ours.Size || theirs.Root == ours.Root || theirs.Size <= size {
			t.Errorf("%s: %+v is no evidence", name, alarm)
		}
		if _, err := os.Stat(alarm.File); err != nil || !strings.HasPrefix(alarm.File, filepath.Join(n.dir, name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{honest[0], honest[1], "wlearner-0"} {
		if final := n.nodes[name].Final(); final.Size > size {
			t.Errorf("%s: final at %d, beyond the fork at %d", name, final.Size, size)
		}
	}
	// The liar returns and is honest: three of four have one history, of which
	// the fourth then learns.
	n.start(evil)
	var stopped string
	select {
	case err := <-n.nodes[honest[0]].Fatal():
		stopped = honest[0]
		wantFork(t, err)
	case err := <-n.nodes[honest[1]].Fatal():
		stopped = honest[1]
		wantFork(t, err)
	case <-n.ctx().Done():
		t.Fatal("two histories go on side by side")
	}
	n.stop(stopped)
	n.put("wlearner-0")
	n.agree(nil)
}

func wantFork(t *testing.T, err error) {
	t.Helper()
	var fork *state.ForkError
	if !errors.As(err, &fork) || fork.Own.Size != fork.Other.Size || fork.Own.Root == fork.Other.Root {
		t.Errorf("stopped by %v", err)
	}
}

// opened returns the head of a checkpoint that a member signed.
func (n *network) opened(member, signed string) tlog.Head {
	n.t.Helper()
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	key, err := tlog.NewLogVerifier(g.Origin, g.Roster().Member(member).Log)
	n.check(err)
	c, _, err := tlog.VerifyCheckpoint([]byte(signed), g.Origin, key)
	n.check(err)
	return c.Head
}

// remembered are the files that outlast raft's log and the database.
var remembered = []string{"cosigned", "final"}

// A member's files were rolled back, but not its memory of heads: it answers
// nothing before it has caught up with that memory.
func TestRolledBack(t *testing.T) {
	for _, name := range []string{"voter-c", "wlearner-0"} {
		t.Run(name, func(t *testing.T) {
			n := found(t, 1)
			n.start(n.names...)
			n.check(n.nodes[name].WaitFor(n.ctx(), n.put("voter-a")+1))
			n.stop(name)
			old := filepath.Join(n.dir, "old")
			n.check(os.CopyFS(old, os.DirFS(filepath.Join(n.dir, name))))
			n.start(name)
			for range 5 {
				n.put("voter-a")
			}
			size := n.put(name) + 1
			n.check(n.nodes[name].Finalise(n.ctx(), size))
			for _, name := range n.names {
				n.stop(name)
			}
			for _, file := range remembered {
				n.check(os.Rename(filepath.Join(n.dir, name, file), filepath.Join(old, file)))
			}
			n.check(os.RemoveAll(filepath.Join(n.dir, name)))
			n.check(os.Rename(old, filepath.Join(n.dir, name)))
			n.start(name)
			back := n.nodes[name]
			if back.Head().Size >= size || back.Final().Size != 0 {
				t.Errorf("%d entries, final at %d: it was not rolled back", back.Head().Size, back.Final().Size)
			}
			ctx, cancel := context.WithTimeout(n.ctx(), 300*time.Millisecond)
			defer cancel()
			if err := back.Ready(ctx); err == nil {
				t.Error("ready, alone and of the past")
			}
			g, _, err := ledger.VerifyGenesis(n.genesis)
			n.check(err)
			s, err := tlog.NewLogSigner(g.Origin, n.keys["voter-a"].Log())
			n.check(err)
			request, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: g.Origin, Head: back.Head()}, s)
			n.check(err)
			if _, err := back.ServeCosign(n.ctx(), "voter-a", request); !errors.Is(err, replica.ErrBehind) {
				t.Errorf("it cosigns the past: %v", err)
			}
			n.start(slices.DeleteFunc(slices.Clone(n.names), func(other string) bool { return other == name })...)
			n.check(back.Ready(n.ctx()))
			n.finalAt(name, size)
			n.put("voter-a")
			n.agree(nil)
		})
	}
}

// another returns a copy of the founded network in another folder, with the
// same members and genesis, where another history can happen.
func (n *network) another() *network {
	other := &network{t: n.t, dir: n.t.TempDir(), id: n.id, genesis: n.genesis, names: n.names, keys: n.keys, nodes: map[string]*node{}}
	other.serial.Store(1 << 32)
	n.t.Cleanup(func() {
		for name := range other.nodes {
			other.stop(name)
		}
	})
	return other
}

// A member whose memory is of another history than its files stops, either at
// the start or when its log gets there, and stores evidence.
func TestOtherHistory(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	other := n.another()
	other.start(other.names...)
	for range 30 { // beyond what this network has by then
		other.put("voter-b")
	}
	swap := func(from, to *network, name string) {
		for _, file := range remembered {
			data, err := os.ReadFile(filepath.Join(from.dir, name, file))
			n.check(err)
			n.check(os.WriteFile(filepath.Join(to.dir, name, file), data, 0o600))
		}
	}
	size := other.put("voter-b") + 1
	for _, name := range []string{"voter-c", "wlearner-0"} {
		n.check(other.nodes[name].Finalise(n.ctx(), size))
		n.stop(name)
		other.stop(name)
	}
	size += 20 // the other network may have ticked and signed a later head
	// The head is beyond its log: it stops when it gets there.
	swap(other, n, "voter-c")
	n.start("voter-c")
	late := n.nodes["voter-c"]
	for n.nodes["voter-a"].Head().Size < size {
		n.put("voter-a")
	}
	select {
	case err := <-late.Fatal():
		wantFork(t, err)
	case <-n.ctx().Done():
		t.Fatal("it goes on with another history than it cosigned")
	}
	if len(late.Alarms()) != 1 {
		t.Errorf("alarms: %+v", late.Alarms())
	}
	n.stop("voter-c")
	// The head is within its log: it does not start.
	n.check(n.nodes["voter-a"].WaitFor(n.ctx(), size))
	n.start("wlearner-0")
	n.check(n.nodes["wlearner-0"].WaitFor(n.ctx(), size))
	n.stop("wlearner-0")
	swap(other, n, "wlearner-0")
	n.refused("wlearner-0", func(err error) { wantFork(t, err) })
	// Evidence of earlier runs is still there.
	files, err := filepath.Glob(filepath.Join(n.dir, "wlearner-0", "evidence", "*.json"))
	n.check(err)
	if len(files) == 0 {
		t.Error("no evidence")
	}
}

// refused starts a member that must not start.
func (n *network) refused(name string, why func(error)) {
	n.t.Helper()
	host, err := peer.New(peer.Config{Name: name, Key: n.keys[name].Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	n.check(err)
	defer host.Close()
	n.nodes[name] = &node{host: host}
	defer delete(n.nodes, name)
	if err := n.open(name); err != nil {
		why(err)
		return
	}
	n.check(n.nodes[name].Close())
	n.t.Errorf("%s starts", name)
}

// What a member must remember is not accepted if it is missing, empty or altered in
// any byte.
func TestAlteredMemory(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	size := n.put("voter-c") + 1
	n.check(n.nodes["voter-c"].Finalise(n.ctx(), size))
	n.stop("voter-c")
	want := func(err error) {
		t.Helper()
		var forgotten *durable.ForgottenError
		if !errors.As(err, &forgotten) {
			t.Errorf("%v", err)
		}
	}
	for _, file := range remembered {
		path := filepath.Join(n.dir, "voter-c", file)
		whole, err := os.ReadFile(path)
		n.check(err)
		if len(whole) < 80 {
			t.Fatalf("%s has %d bytes", file, len(whole))
		}
		for i := 0; i < len(whole); i += 1 + len(whole)/16 {
			bad := bytes.Clone(whole)
			bad[i] ^= 1
			n.check(os.WriteFile(path, bad, 0o600))
			n.refused("voter-c", want)
		}
		for _, size := range []int{0, len(whole) / 2} {
			n.check(os.WriteFile(path, whole[:size], 0o600))
			n.refused("voter-c", want)
		}
		n.check(os.Remove(path))
		n.refused("voter-c", want)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made anew (%v)", file, err)
		}
		n.check(os.WriteFile(path, whole, 0o600))
	}
	n.start("voter-c")
	n.agree(nil)
}

// A newcomer that catches up by entries gets the final checkpoint with the
// marker, and checks the entries against it.
func TestMarkerCarriesFinal(t *testing.T) {
	n := found(t, 2)
	n.tune = func(c *replica.Config) { c.Snapshot, c.Trailing, c.Publish = 20, 5, 50*time.Millisecond }
	n.start("voter-a", "voter-b", "voter-c", "wlearner-0")
	truncated(n)
	n.start("wlearner-1")
	n.finalAt("wlearner-1", 20)
	n.agree(nil)
}

// The leader is killed at any moment, also between completing a checkpoint and
// sending it through raft: the next leader goes on from there.
func TestLeaderGoesWhileFinalising(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Publish = 20 * time.Millisecond }
	n.start(n.names...)
	var size uint64
	for range 3 {
		size = n.put("wlearner-0") + 1
		gone := n.leader()
		n.check(n.nodes[gone].Finalise(n.ctx(), size))
		n.stop(gone)
		n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), n.put("wlearner-0")+1))
		n.start(gone)
		n.finalAt(gone, size+1)
	}
	n.agree(nil)
}
