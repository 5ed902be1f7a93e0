package replica_test

import (
	"bytes"
	"strconv"
	"sync"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
)

// counts is the sum of all running members' counts.
type counts replica.Counts

func (n *network) counts() (sum counts) {
	for _, node := range n.nodes {
		c := node.Counts()
		sum.Statements += c.Statements
		sum.Heads += c.Heads
		sum.LogSyncs += c.LogSyncs
		sum.StateSyncs += c.StateSyncs
		sum.CosignedSyncs += c.CosignedSyncs
		sum.FinalSyncs += c.FinalSyncs
		sum.Appends += c.Appends
		sum.Notices += c.Notices
	}
	return sum
}

// since returns what has been added to an earlier sum of the same members.
func (c counts) since(before counts) counts {
	return counts{
		c.Statements - before.Statements, c.Heads - before.Heads,
		c.LogSyncs - before.LogSyncs, c.StateSyncs - before.StateSyncs, c.CosignedSyncs - before.CosignedSyncs, c.FinalSyncs - before.FinalSyncs,
		c.Appends - before.Appends, c.Notices - before.Notices,
	}
}

// report reports them per entry; verifications of statements also per replica.
func (c counts) report(b *testing.B, entries float64, replicas int) {
	for name, count := range map[string]uint64{
		"head-verifications": c.Heads, "log-syncs": c.LogSyncs, "state-syncs": c.StateSyncs, "cosigned-syncs": c.CosignedSyncs, "final-syncs": c.FinalSyncs,
		"appends": c.Appends, "notices": c.Notices,
	} {
		b.ReportMetric(float64(count)/entries, name+"/entry")
	}
	b.ReportMetric(float64(c.Statements)/entries/float64(replicas), "verifications/entry/replica")
}

// Every replica verifies each statement of the log once: the leader, a follower
// and a learner, though it comes through several members at the same time, again
// afterwards, and to the next leader.
func TestVerifiedOnce(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Silence = time.Hour }
	n.start(n.names...)
	n.put("voter-a")
	first := n.leader()
	var statements [][]byte
	for range 40 {
		statements = append(statements, n.statement("wlearner-0", ledger.KindCredentialRevoke))
	}
	all := func(list [][]byte, through []string) {
		t.Helper()
		var clients sync.WaitGroup
		for _, statement := range list {
			for _, name := range through {
				clients.Go(func() {
					if answer, err := n.nodes[name].Submit(n.ctx(), statement); err != nil || !answer.InLog() {
						t.Errorf("%s: %+v, %v", name, answer, err)
					}
				})
			}
		}
		clients.Wait()
	}
	// Genesis is verified before it is a statement of the log. A member's tick
	// may be verified and not yet on the log.
	once := func() {
		t.Helper()
		for name, node := range n.nodes {
			var got, want uint64
			deadline := n.ctx()
			for got, want = 1, 0; got != want && deadline.Err() == nil; time.Sleep(10 * time.Millisecond) {
				size := uint64(0)
				for _, other := range n.nodes {
					size = max(size, other.Head().Size)
				}
				n.waitFor(name, size)
				got, want = node.Counts().Statements, size-1
			}
			if got != want {
				t.Errorf("%s has verified %d signatures for %d statements", name, got, want)
			}
		}
	}
	all(statements[:20], n.names)
	once()
	all(statements[:20], n.names)
	once()
	n.stop(first)
	rest := voters
	for i, name := range voters {
		if name == first {
			rest = append(append([]string{}, voters[:i]...), voters[i+1:]...)
		}
	}
	all(statements, append(rest, "wlearner-0"))
	once()
	all(statements, rest)
	once()
	n.agree(nil)
}

// A final checkpoint is verified once, however often it comes. One of other bytes
// with the same signatures is not believed.
func TestCheckpointOnce(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Silence, c.Publish = time.Hour, time.Hour }
	n.start(n.names...)
	size := n.put("voter-a") + 1
	for name := range n.nodes {
		n.waitFor(name, size)
	}
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), size))
	final := n.nodes["voter-a"].Final()
	other := n.nodes["voter-b"]
	forged := bytes.Replace(final.Signed, []byte("\n"+strconv.FormatUint(final.Size, 10)+"\n"), []byte("\n"+strconv.FormatUint(final.Size-1, 10)+"\n"), 1)
	if bytes.Equal(forged, final.Signed) {
		t.Fatalf("no size in %s", final.Signed)
	}
	take := func(signed []byte, want tlog.Head, verified bool) {
		t.Helper()
		before := other.Counts().Heads
		head, err := other.TakeFinal(signed)
		if err != nil || head != want {
			t.Errorf("it takes %d entries as final, %v; want %d", head.Size, err, want.Size)
		}
		if got := other.Counts().Heads - before; (got > 0) != verified {
			t.Errorf("it verified %d signatures", got)
		}
	}
	take(forged, tlog.Head{}, true)
	take(final.Signed, final.Head, true)
	take(forged, tlog.Head{}, true)
	take(final.Signed, final.Head, false)
	if got := other.Final().Head; got != final.Head {
		t.Errorf("%d entries are final, want %d", got.Size, final.Size)
	}
}

// A statement that does not verify is refused however often it comes.
func TestUnsignedTwice(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	junk := n.statement("wlearner-0", ledger.KindCredentialRevoke)
	junk[len(junk)-1] ^= 1
	for range 3 {
		for _, name := range n.names {
			answer, err := n.nodes[name].Submit(n.ctx(), junk)
			n.check(err)
			if answer.Verdict != ledger.Unverified || answer.InLog() {
				t.Errorf("%s: %+v", name, answer)
			}
		}
	}
	n.agree(nil)
}
