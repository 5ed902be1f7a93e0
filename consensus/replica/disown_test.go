package replica_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/replica"
	"atoll/node/peer"

	"github.com/hashicorp/raft"
)

// A voter sends a member that is behind a snapshot with true entries, and servers
// that the log does not say. The member can tell only once it has the entries; then
// it stops. It starts again with what it has, refuses such a snapshot before it
// replaces anything, and goes on with another leader.
func TestSnapshotWithFalseServers(t *testing.T) {
	n := found(t, 2)
	n.tune = func(c *replica.Config) { c.Tick, c.Publish = nil, time.Hour } // only the test appends
	n.start(n.names...)
	const victim, evil = "wlearner-0", "voter-c"
	n.waitFor(victim, n.put("voter-a")+1)
	n.stop(victim)
	size := n.put("voter-a") + 1
	a := n.nodes["voter-a"]
	n.check(a.Finalise(n.ctx(), size))
	final := a.Final()
	n.waitFor(evil, size)
	term, last := n.nodes[evil].Term(), n.nodes[evil].RaftLast()
	n.stop(evil)
	l := n.apart(evil, victim)
	marker := snapshotMarker{Raft: last, Term: term, Size: final.Size, Root: final.Root[:], Final: final.Signed}
	servers := n.servers()
	servers.Servers[4].Suffrage = raft.Voter
	n.check(l.install(victim, term, last, servers, marker))
	select {
	case err := <-n.nodes[victim].Fatal():
		if !strings.Contains(err.Error(), `"wlearner-1" is to vote, which the ledger does not say`) {
			t.Fatal(err)
		}
	case <-n.ctx().Done():
		t.Fatal("it goes on with false servers")
	}
	n.stop(victim)
	n.stop(evil)
	l = n.apart(evil, victim)
	node := n.nodes[victim]
	if node.Head().Size < final.Size || node.LastSnapshot() != 0 {
		t.Errorf("it starts with %d entries and a snapshot up to %d", node.Head().Size, node.LastSnapshot())
	}
	if files, err := os.ReadDir(filepath.Join(n.dir, victim, "snapshots")); err != nil || len(files) > 0 {
		t.Errorf("snapshots: %v, %v", files, err)
	}
	n.until("it names the voter", func() bool {
		if l.install(victim, term, last, servers, marker) == nil {
			t.Error("it takes the snapshot again")
		}
		return n.tells(victim, evil)
	})
	n.stop(victim)
	n.stop(evil)
	n.start(evil, victim)
	n.put(victim)
	n.agree(nil)
}

// apart starts a member that no voter reaches, and the host of a voter alone, by
// which a liar reaches it.
func (n *network) apart(evil, victim string) *liar {
	n.t.Helper()
	n.connect(evil)
	n.connect(victim)
	for _, name := range voters {
		if name == evil {
			continue
		}
		var known []peer.Member
		for _, m := range n.members() {
			if m.Name != victim {
				known = append(known, m)
			}
		}
		n.check(n.nodes[name].host.SetMembers(known))
	}
	n.check(n.open(victim))
	return n.liar(evil)
}

// A note that names anything but a snapshot stops the start, and nothing is
// removed.
func TestDamagedDisowned(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.waitFor("wlearner-0", n.put("voter-a")+1)
	n.stop("wlearner-0")
	note := filepath.Join(n.dir, "wlearner-0", "disowned")
	for _, name := range []string{"", ".", "..", "../voter-b", "a/b", "/"} {
		n.check(os.WriteFile(note, []byte(name), 0o600))
		if err := n.tryStart("wlearner-0"); err == nil || !strings.Contains(err.Error(), "does not name a snapshot") {
			t.Fatalf("%q: %v", name, err)
		}
	}
	n.check(errors.Join(os.Truncate(note, 1<<40), damaged(n, note)))
	n.check(errors.Join(os.Remove(note), os.Mkdir(note, 0o700), damaged(n, note)))

	// An old one, put back, names a snapshot that is gone. It removes nothing.
	raftLog := filepath.Join(n.dir, "wlearner-0", "raft")
	held, err := os.Open(raftLog) // so that nothing new takes its place in the file system
	n.check(err)
	defer held.Close()
	before, err := held.Stat()
	n.check(err)
	n.check(errors.Join(os.Remove(note), os.WriteFile(note, []byte("3-77-1700000000000"), 0o600)))
	n.start("wlearner-0")
	after, err := os.Stat(raftLog)
	n.check(err)
	if !os.SameFile(before, after) {
		t.Error("raft's log was removed for a snapshot that is not there")
	}
	if _, err := os.Lstat(note); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the note stays: %v", err)
	}
	n.agree(nil)
}

// damaged returns an error unless the start of wlearner-0 names its note as damaged.
func damaged(n *network, note string) error {
	if err := n.tryStart("wlearner-0"); !errors.Is(err, replica.ErrNote) || !strings.Contains(err.Error(), note) {
		return fmt.Errorf("with a damaged note it says %w", err)
	}
	return nil
}
