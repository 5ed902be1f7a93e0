package replica_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
)

// submit submits a member's statement, checks its verdict, and returns its
// index.
func (n *network) submit(member, kind string, payload any, want ledger.Verdict) uint64 {
	n.t.Helper()
	answer, err := n.nodes[member].Submit(n.ctx(), n.sign(member, kind, payload))
	n.check(err)
	if answer.Verdict != want {
		n.t.Fatalf("%s by %s: %s (%s), want %s", kind, member, answer.Verdict, answer.Detail, want)
	}
	return answer.Index
}

// approve has the first of some cosigners propose a set and the others approve
// it, and returns the size of the log afterwards.
func (n *network) approve(by, set []string, f, k uint8) (size uint64) {
	n.t.Helper()
	head := n.newHead()
	size = 1 + n.submit(by[0], ledger.KindPropose, ledger.Propose{Head: head, Amendment: ledger.Amendment{Action: ledger.ChangeCosigners, Names: set, Faults: f, Quorum: k}}, ledger.Accepted)
	for _, name := range by[1:] {
		size = 1 + n.submit(name, ledger.KindApprove, ledger.Approve{Head: n.newHead(), Proposer: by[0], Proposal: head.ID}, ledger.Accepted)
	}
	return size
}

// handover returns the handover to the approved set.
func (n *network) handover(signed []byte) (h ledger.Handover) {
	n.t.Helper()
	for h.Checkpoint == nil {
		n.check(n.ctx().Err())
		for _, node := range n.nodes {
			n.check(node.View(func(v ledger.View) error {
				next, err := ledger.ReadNext(v)
				if next != nil {
					h = next.Handover(n.newHead(), signed)
				}
				return err
			}))
		}
	}
	return h
}

// notFinal checks that a member does not get a size final within a second.
func (n *network) notFinal(member string, size uint64) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.ctx(), time.Second)
	defer cancel()
	if err := n.nodes[member].Finalise(ctx, size); !errors.Is(err, context.DeadlineExceeded) {
		n.t.Fatalf("%s: %d entries are final (%v)", member, size, err)
	}
}

// headOf returns a member's head, signed by it in the name of the log.
func (n *network) headOf(member string) []byte {
	return n.signedBy(member, n.nodes[member].Head())
}

func (n *network) signedBy(member string, head tlog.Head) []byte {
	n.t.Helper()
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	s, err := tlog.NewLogSigner(g.Origin, n.keys[member].Log())
	n.check(err)
	signed, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: g.Origin, Head: head}, s)
	n.check(err)
	return signed
}

// bend makes some members answer with broken cosignatures.
func (n *network) bend(liars ...string) {
	bend := func(member string, answer []byte) []byte {
		bad := bytes.Clone(answer)
		if i := bytes.LastIndexByte(bad, '\n'); slices.Contains(liars, member) && i > 20 {
			bad[i-20] ^= 3
		}
		return bad
	}
	n.perjure.Store(&bend)
}

// The log is handed over from four cosigners to a set of four with one new
// member, which runs already; the other three stay.
func TestHandover(t *testing.T) {
	n := found(t, 3) // wlearner-0 cosigns, the other two do not
	n.tune = func(c *replica.Config) { c.Snapshot, c.Trailing, c.Publish = 20, 5, 50*time.Millisecond }
	n.start(n.names[:5]...)
	before := n.put("wlearner-1") + 1
	for _, name := range n.names[:5] {
		n.finalAt(name, before)
	}
	early := n.nodes["voter-a"].Final().Signed
	set := []string{"voter-a", "voter-b", "voter-c", "wlearner-1"}
	approved := n.approve([]string{"wlearner-0", "voter-a", "voter-c"}, set, 1, 3)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), approved))
	signed := n.nodes["voter-a"].Final().Signed
	// Forged handovers: without the approvals, by another member, with too few
	// cosignatures.
	handover := func(signed []byte) ledger.Handover { return n.handover(signed) }
	n.submit("voter-a", ledger.KindHandover, handover(early), ledger.CosignersCheckpoint)
	n.submit("wlearner-1", ledger.KindHandover, handover(signed), ledger.AuthorRole)
	n.submit("voter-a", ledger.KindHandover, handover(bytes.Join(bytes.SplitAfter(signed, []byte("\n"))[:6], nil)), ledger.CosignersCheckpoint)

	// While the old set has not made the handover final, the new one makes
	// nothing final, though it could: a leader might show each set its own log.
	n.stop("voter-c")
	n.bend("wlearner-0")
	at := n.submit("voter-a", ledger.KindHandover, handover(signed), ledger.Accepted)
	size := n.put("wlearner-1") + 1
	n.notFinal("wlearner-1", size)
	n.lacks("wlearner-1", size, at+1, "voter-c", "wlearner-0") // of the old set
	if _, err := n.nodes["wlearner-1"].ServeCosign(n.ctx(), "voter-b", n.headOf("voter-b")); !errors.Is(err, replica.ErrBehind) {
		t.Errorf("a new cosigner signs before the handover is final: %v", err)
	}
	for name, node := range n.nodes {
		if final := node.Final(); final.Size > at {
			t.Fatalf("%s: final at %d, the handover is entry %d", name, final.Size, at)
		}
	}
	n.bend()
	n.check(n.nodes["voter-b"].Finalise(n.ctx(), size))
	for name := range n.nodes {
		n.finalAt(name, size)
		if got := n.nodes[name].Cosigners(size).Members(); !slices.Equal(got, set) {
			t.Errorf("%s: cosigners are %v", name, got)
		}
	}
	// The cosigner that was left out does not count any more: two of the new
	// set run.
	n.stop("wlearner-1")
	size = n.put("voter-a") + 1
	n.notFinal("voter-a", size)
	n.check(n.nodes["wlearner-0"].WaitFor(n.ctx(), size))
	if _, err := n.nodes["wlearner-0"].ServeCosign(n.ctx(), "voter-b", n.headOf("voter-b")); err == nil {
		t.Error("one that was left out goes on signing")
	}
	n.start("wlearner-1")
	n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), size)) // it may still ask
	n.agree(nil)

	// All start again, with another one missing.
	for name := range n.nodes {
		n.stop(name)
	}
	n.start("voter-b", "voter-c", "wlearner-0", "wlearner-1")
	size = n.put("wlearner-0") + 1
	n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), size))
	n.start("voter-a")
	truncated(n)
	// A member that never ran catches up by entries, with a final checkpoint by
	// cosigners that genesis does not name.
	n.start("wlearner-2")
	size = n.put("wlearner-2") + 1
	n.check(n.nodes["wlearner-2"].Finalise(n.ctx(), size))
	if got := n.nodes["wlearner-2"].Cosigners(size).Members(); !slices.Equal(got, set) {
		t.Errorf("the newcomer has cosigners %v", got)
	}
	n.agree(nil)
	n.replays("wlearner-2", len(set))
	n.noAlarms()
}

// The cosigners who handed over do not answer any more, and a member does not
// know that they made the handover final: it asks the new ones for the newest
// head. They sign it once they have seen the handover final, and not before.
func TestOldCosignersAreGone(t *testing.T) {
	n := found(t, 4)                                           // wlearner-0 cosigns
	n.tune = func(c *replica.Config) { c.Publish = time.Hour } // no member is told
	set, late := []string{"wlearner-1", "wlearner-2", "wlearner-3"}, "voter-c"
	n.start(n.names...)
	approved := n.approve([]string{"voter-a", "voter-b", "wlearner-0"}, set, 0, 2)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), approved))
	signed := n.nodes["voter-a"].Final().Signed
	n.stop("wlearner-0")
	n.bend("voter-b")
	n.submit("voter-a", ledger.KindHandover, n.handover(signed), ledger.Accepted)
	size := n.put("voter-a") + 1
	after := n.nodes["voter-a"].Cosigners(size).After
	for _, name := range append([]string{late}, set...) {
		n.check(n.nodes[name].WaitFor(n.ctx(), size))
	}
	n.notFinal(late, size)

	// One of the new set asks the old ones, while they answer; so does each
	// that it asks.
	n.bend()
	n.check(n.nodes[set[0]].Finalise(n.ctx(), size))
	if final := n.nodes[late].Final(); final.Size >= after {
		t.Fatalf("%s has been told that %d entries are final", late, final.Size)
	}
	n.stop("voter-a")
	n.stop("voter-b")
	n.check(n.nodes[late].Finalise(n.ctx(), size))
	final := n.nodes[late].Final()
	if _, _, err := n.nodes[late].Cosigners(size).Verify(final.Signed); err != nil || final.Size < size {
		t.Errorf("%d entries, not final by the new set: %v", final.Size, err)
	}
	n.start("voter-a", "voter-b", "wlearner-0")
	n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), n.put("voter-a")+1))
	n.agree(nil)
	n.noAlarms()
}

// replays has an auditor replay a member's log and follow its handovers.
func (n *network) replays(member string, cosigners int) {
	n.t.Helper()
	node := n.nodes[member]
	final := node.Final()
	r := audit.NewReplayer()
	for i := range final.Size {
		leaf, err := node.Entry(i)
		n.check(err)
		if _, err := r.Add(leaf); err != nil {
			n.t.Fatal(err)
		}
	}
	if r.Summary().Head != final.Head {
		n.t.Errorf("replayed to another head")
	}
	if ok, err := r.CheckFinal(final.Signed); !ok || err != nil {
		n.t.Errorf("the auditor does not find it final: %v", err)
	}
	sets, err := r.Cosigners()
	n.check(err)
	if len(sets) != 2 || len(sets[1].Keys) != cosigners {
		n.t.Errorf("the auditor finds %+v", sets)
	}
}

// A handover whose head has a quorum of cosignatures but is not of this log
// shows two histories: a member that applies it stops, with the evidence.
func TestHandoverOfAnotherHistory(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	approved := n.approve([]string{"voter-a", "voter-b", "voter-c"}, voters, 0, 2)
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	c := tlog.Checkpoint{Origin: g.Origin, Head: tlog.Head{Size: approved, Root: tlog.Hash{1}}}
	log, err := tlog.NewLogSigner(g.Origin, n.keys["voter-a"].Log())
	n.check(err)
	signed, err := tlog.SignCheckpoint(c, log)
	n.check(err)
	for _, name := range voters {
		s, err := tlog.NewCosigner(g.Origin+"/"+name, n.keys[name].Cosign())
		n.check(err)
		line, err := s.Cosign(c, uint64(time.Now().Unix()))
		n.check(err)
		signed = append(signed, line...)
	}
	ctx, cancel := context.WithCancel(n.ctx())
	node, statement := n.nodes["voter-a"], n.sign("voter-a", ledger.KindHandover, n.handover(signed))
	var submitting sync.WaitGroup
	submitting.Go(func() { _, _ = node.Submit(ctx, statement) }) // which nobody answers
	defer submitting.Wait()
	defer cancel()
	// The leader applies it first and stops; so does the next leader.
	stopped := 0
	n.until("two voters stop", func() bool {
		for name, node := range n.nodes {
			select {
			case err := <-node.Fatal():
				wantFork(t, err)
				// Its own line is under the forged head, which may raise one
				// more alarm.
				forks := slices.DeleteFunc(node.Alarms(), func(a replica.Alarm) bool { return a.Member == name })
				if len(forks) != 1 {
					t.Errorf("%s: %+v", name, node.Alarms())
				}
				stopped++
			default:
			}
		}
		return stopped >= 2
	})
	for name, node := range n.nodes {
		if node.Final().Size > approved {
			t.Errorf("%s: final at %d", name, node.Final().Size)
		}
	}
}

// A cosigner that has signed a larger head, and does not remember when, shows
// the final checkpoint instead. That suffices for the member that asked.
func TestSupersededCosignerShowsWhatIsFinal(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Publish = time.Hour } // no member is told
	n.start(n.names...)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), n.put("voter-a")+1))
	old := n.nodes["voter-a"].Final().Head
	size := n.put("voter-a") + 1
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), size))
	n.check(n.nodes["wlearner-0"].WaitFor(n.ctx(), size))
	if final := n.nodes["wlearner-0"].Final(); final.Size >= size {
		t.Fatalf("wlearner-0 was told that %d entries are final", final.Size)
	}
	shown := n.nodes["voter-a"].Final().Signed
	n.stop("voter-a") // it forgets its raises
	n.start("voter-a")
	n.check(n.nodes["voter-a"].Ready(n.ctx()))
	answer, err := n.nodes["voter-a"].ServeCosign(n.ctx(), "voter-b", n.signedBy("voter-b", old))
	n.check(err)
	if !bytes.Contains(answer, shown) {
		t.Errorf("it answers %q", answer)
	}
	bend := func(string, []byte) []byte { return answer }
	n.perjure.Store(&bend)
	n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), size))
	n.bend()
	n.agree(nil)
}

// A member whose files were rolled back to before a handover knows a final
// checkpoint by cosigners that its log does not know yet. The checkpoint is
// believed once the log has reached it.
func TestRolledBackOverHandover(t *testing.T) {
	n := found(t, 2)
	n.start(n.names...)
	n.check(n.nodes["wlearner-1"].WaitFor(n.ctx(), n.put("voter-a")+1))
	n.stop("wlearner-1")
	old, now := filepath.Join(n.dir, "old"), filepath.Join(n.dir, "wlearner-1")
	n.check(os.CopyFS(old, os.DirFS(now)))
	n.start("wlearner-1")
	approved := n.approve(voters, []string{"voter-b", "voter-c", "wlearner-0", "wlearner-1"}, 1, 3)
	n.check(n.nodes["voter-b"].Finalise(n.ctx(), approved))
	n.submit("voter-b", ledger.KindHandover, n.handover(n.nodes["voter-b"].Final().Signed), ledger.Accepted)
	size := n.put("wlearner-1") + 1
	n.check(n.nodes["wlearner-1"].Finalise(n.ctx(), size))
	for name := range n.nodes {
		n.stop(name)
	}
	for _, file := range remembered {
		n.check(os.Rename(filepath.Join(now, file), filepath.Join(old, file)))
	}
	n.check(os.RemoveAll(now))
	n.check(os.Rename(old, now))
	n.start("wlearner-1")
	if back := n.nodes["wlearner-1"]; back.Head().Size >= approved || back.Final().Size != 0 {
		t.Errorf("%d entries, final at %d: it was not rolled back", back.Head().Size, back.Final().Size)
	}
	n.start("voter-a", "voter-b", "voter-c")
	n.check(n.nodes["wlearner-1"].Ready(n.ctx()))
	n.finalAt("wlearner-1", size)
	// It is one of the three that are needed.
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), n.put("voter-a")+1))
	n.agree(nil)
}
