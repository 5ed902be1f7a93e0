package replica_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/raftlog/faulty"
	"atoll/consensus/replica"
)

// onLateDisks founds a network of voters, each with its own disk, and returns
// its leader too.
func onLateDisks(t *testing.T) (n *network, disks map[string]*faulty.Disk, leader string) {
	n = found(t, 0)
	disks = map[string]*faulty.Disk{}
	n.tune = func(c *replica.Config) {
		disk := faulty.New()
		disks[c.Name], c.Log.Files, c.Log.Meta = disk, disk, disk
		c.Tick, c.Publish = nil, time.Hour // only the test appends
		patient(c)                         // no next leader either, which would commit what this one has not written
	}
	n.start(n.names...)
	n.put("voter-a")
	leader = n.leader()
	for name, node := range n.nodes {
		n.check(node.WaitFor(n.ctx(), n.nodes[leader].Head().Size))
		n.until(name+" holds what the leader holds", func() bool { return node.Holds() == n.nodes[leader].Holds() })
	}
	return n, disks, leader
}

// I1 and I2: while a leader has not written what all its followers have on
// disk, the entry counts as committed nowhere: nobody applies it, and nobody is
// told.
func TestLeaderWritesLast(t *testing.T) {
	n, disks, leader := onLateDisks(t)
	release := disks[leader].Hang("sync")
	defer release()
	size, holds := n.nodes[leader].Head().Size, n.nodes[leader].Holds()
	statement := n.statement(leader, ledger.KindCredentialRevoke)
	answered := make(chan error, 1)
	go func() {
		_, err := n.nodes[leader].Submit(n.ctx(), statement)
		answered <- err
	}()
	n.until("the followers have it on disk", func() bool {
		for name, node := range n.nodes {
			if name != leader && node.Holds() == holds {
				return false
			}
		}
		return true
	})
	// Raft's next appends report commits, and there are several of them here.
	ctx, cancel := context.WithTimeout(n.ctx(), time.Second)
	defer cancel()
	for name, node := range n.nodes {
		if err := node.WaitFor(ctx, size+1); err == nil {
			t.Errorf("%s has applied what is on its leader's way to the disk", name)
		}
	}
	select {
	case err := <-answered:
		t.Fatalf("answered: %v", err)
	default:
	}
	release()
	n.check(<-answered)
	answer, err := n.nodes[leader].Submit(n.ctx(), statement)
	n.check(err)
	if !answer.Known {
		t.Errorf("%+v", answer)
	}
	n.agree(map[uint64][]byte{answer.Index: statement})
}

// A leader that cannot write what its followers have on disk stops. They go on
// and find the statement at its place, whoever asks again.
func TestLeaderFailsToWrite(t *testing.T) {
	n, disks, leader := onLateDisks(t)
	disks[leader].Arm("sync", false)
	statement := n.statement(leader, ledger.KindCredentialRevoke)
	failed := n.nodes[leader]
	if answer, err := failed.Submit(n.ctx(), statement); err == nil {
		t.Errorf("acknowledged on a broken disk: %+v", answer)
	}
	if err := <-failed.Fatal(); !errors.Is(err, faulty.ErrDisk) {
		t.Errorf("it stops with %v", err)
	}
	host := failed.host
	if err := failed.Close(); !errors.Is(err, faulty.ErrDisk) && err != nil {
		t.Error(err)
	}
	n.check(host.Close())
	delete(n.nodes, leader)
	var other string
	for name := range n.nodes {
		other = name
	}
	answer, err := n.nodes[other].Submit(n.ctx(), statement)
	n.check(err)
	if !answer.InLog() {
		t.Errorf("%+v", answer)
	}
	n.agree(map[uint64][]byte{answer.Index: statement})
	n.tune = nil
	n.start(leader)
	n.agree(map[uint64][]byte{answer.Index: statement})
}

// An unsigned statement reaches raft's log at most once: from then on a leader
// verifies before it proposes.
func TestUnsignedOnce(t *testing.T) {
	n, _, leader := onLateDisks(t)
	before := n.nodes[leader].Holds()
	for i := range 20 {
		junk := n.statement(leader, ledger.KindCredentialRevoke)
		junk[len(junk)-1] ^= 1
		want := ledger.Unverified
		if i%2 == 0 {
			junk, want = append(junk, 0), ledger.Malformed
		}
		answer, err := n.nodes[leader].Submit(n.ctx(), junk)
		n.check(err)
		if answer.Verdict != want || answer.InLog() {
			t.Fatalf("%+v", answer)
		}
	}
	if got := n.nodes[leader].Holds(); got > before+1 {
		t.Errorf("raft's log has grown by %d entries of junk", got-before)
	}
	n.put(leader)
	n.agree(nil)
}
