package replica_test

import (
	"errors"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/raftlog"
	"atoll/consensus/raftlog/faulty"
	"atoll/consensus/replica"
)

// I1: a leader whose disk hangs reports that and stops, another leads, and what
// was acknowledged is there. Raft alone would keep it, see
// TestRaftKeepsALeaderWhoseDiskHangs of raftlog.
func TestLeaderWhoseDiskHangsGoes(t *testing.T) {
	n := found(t, 0)
	disks := map[string]*faulty.Disk{}
	n.tune = func(c *replica.Config) {
		disk := faulty.New()
		disks[c.Name], c.Log = disk, raftlog.Options{WriteLimit: 5 * time.Second, Files: disk, Meta: disk}
	}
	n.start(voters...)
	acked := map[uint64][]byte{}
	put := func(through string) {
		statement := n.statement(through, ledger.KindCredentialRevoke)
		answer, err := n.nodes[through].Submit(n.ctx(), statement)
		n.check(err)
		acked[answer.Index] = statement
	}
	put("voter-a")
	gone := n.leader()
	release := disks[gone].Hang("sync")
	other := "voter-a"
	if other == gone {
		other = "voter-b"
	}
	put(other)
	if leader := n.nodes[other].Leader(); leader == gone {
		t.Errorf("%s still leads", gone)
	}
	node := n.nodes[gone]
	select {
	case err := <-node.Fatal():
		if !errors.Is(err, raftlog.ErrStalled) {
			t.Errorf("%s ends with: %v", gone, err)
		}
	case <-n.ctx().Done():
		t.Fatalf("%s says nothing", gone)
	}
	delete(n.nodes, gone)
	if err := node.Close(); !errors.Is(err, raftlog.ErrStalled) { // at once, though the disk still hangs
		t.Errorf("closing %s: %v", gone, err)
	}
	n.check(node.host.Close())
	release()
	put(other)
	n.agree(acked)
}

// A leader that is stopped hands over first: here the others would not stand
// for election by themselves within a day.
func TestStoppedLeaderHandsOver(t *testing.T) {
	n := found(t, 0)
	n.tune = func(c *replica.Config) {
		c.Timeout = 24 * time.Hour
		if c.Name == "voter-b" {
			c.Timeout = 2 * time.Second
		}
	}
	n.start(voters...)
	n.put("voter-b")
	if leader := n.leader(); leader != "voter-b" {
		t.Fatalf("%s leads", leader)
	}
	n.stop("voter-b")
	n.put("voter-a")
	n.put("voter-c")
	n.start("voter-b") // the last to be stopped: it waits for less than a day for somebody to hand over to
	n.agree(nil)
	n.stop("voter-a")
	n.stop("voter-c")
}
