package replica_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// anchor returns what a newcomer keeps of the log of a member now, final up to
// there.
func (n *network) anchor(from string) *ledger.Anchor {
	n.t.Helper()
	node := n.nodes[from]
	n.check(node.Finalise(n.ctx(), node.Head().Size))
	for final := node.Final(); ; final = node.Final() {
		var a *ledger.Anchor
		n.check(node.View(func(v ledger.View) error {
			state, err := ledger.Read(v)
			if err == nil && state.Size == final.Size {
				a, err = ledger.AnchorAt(v, final.Signed)
			}
			return err
		}))
		if a != nil {
			return a
		}
		n.check(node.Finalise(n.ctx(), node.Head().Size)) // a tick came between
	}
}

// abreast waits until a member has all that its leader has.
func (n *network) abreast(name string) {
	n.t.Helper()
	n.check(n.nodes[name].WaitFor(n.ctx(), n.nodes[n.leader()].Head().Size))
}

// A member that genesis does not name starts with what it verified when it
// joined. Until its own log is as long it knows the members of then; it found
// no network, says nothing and is no member.
func TestNewcomerOpens(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	n.amend(n.joining("water", 90), "voter-a", "voter-b", "voter-c")
	n.abreast("voter-b")
	anchor := n.anchor("voter-b")
	for _, name := range n.names {
		n.stop(name)
	}
	n.names = append(n.names, "fire")
	n.joining("fire", 91)
	if err := n.tryStart("fire"); err == nil {
		t.Error("a stranger's replica opens without anything that it verified")
	}
	n.anchors = map[string]*ledger.Anchor{"fire": anchor, "water": anchor}
	n.check(n.tryStart("fire"))
	fire := n.nodes["fire"]
	if names := fire.Known().Names(); !slices.Equal(names, []string{"voter-a", "voter-b", "voter-c", "water", "wlearner-0"}) {
		t.Errorf("it knows %q", names)
	}
	time.Sleep(2 * time.Second) // several elections
	if fire.Admitted() || fire.Head().Size != 0 || fire.RaftLast() != 0 || fire.Leader() != "" {
		t.Errorf("before anybody has answered it: admitted %t, %d entries, %d in raft's log, %q leads", fire.Admitted(), fire.Head().Size, fire.RaftLast(), fire.Leader())
	}
	n.stop("fire")
	n.names = append(n.names, "water")
	n.keep("water", ledger.NewKeys(sign.Secret{92}, "log.test/replica/1", 0))
	if err := n.tryStart("water"); err == nil {
		t.Error("a replica opens with other keys than its card has")
	}
}

// A head that is final and that the log here has not come to takes nothing from
// what was final here before: by that a node that catches up keeps its peers.
func TestSettledDoesNotFall(t *testing.T) {
	n, head := unpublished(t)
	a := n.nodes["voter-a"]
	n.check(a.Finalise(n.ctx(), head.Size))
	if size := a.Settled(); size != head.Size {
		t.Fatalf("%d entries of %d", size, head.Size)
	}
	ahead := n.cosignedBy("voter-b", tlog.Head{Size: head.Size + 1000, Root: tlog.Hash{1}}, voters...)
	if got, err := a.TakeFinal(ahead); err != nil || got.Size != head.Size+1000 {
		t.Fatalf("%+v, %v", got, err)
	}
	if a.Final().Size != 0 || a.Settled() != head.Size {
		t.Errorf("final %d, settled %d, want %d", a.Final().Size, a.Settled(), head.Size)
	}
}

// While its newest final checkpoint is beyond its log, a leader publishes none: an
// empty one proves nothing. Its snapshots wait, since others would take one without
// a final checkpoint for a lie.
func TestNoEmptyCheckpoint(t *testing.T) {
	n, head := unpublished(t)
	leader := n.nodes[n.leader()]
	n.check(leader.Finalise(n.ctx(), head.Size))
	if _, err := leader.Snapshot(); err != nil {
		t.Fatal(err)
	}
	_, err := leader.TakeFinal(n.cosignedBy("voter-b", tlog.Head{Size: head.Size + 1000, Root: tlog.Hash{1}}, voters...))
	n.check(err)
	if leader.SendFinal(n.ctx(), leader.Final()) == nil {
		t.Error("it publishes an empty checkpoint")
	}
	if _, err := leader.Snapshot(); err == nil {
		t.Error("a snapshot without a final checkpoint")
	}
}

// A member that has lost its log, or is in the middle of catching up, knows after a
// start the members that were settled before: it neither forgets who came since
// genesis nor goes back to who left. A damaged file is named.
func TestSettledMembersOutlastAStart(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Publish = 50 * time.Millisecond }
	n.start(n.names...)
	n.put("voter-a")
	n.amend(n.joining("water", 90), "voter-a", "voter-b", "voter-c")
	n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "wlearner-0"}, "voter-a", "voter-b", "voter-c")
	want := []string{"voter-a", "voter-b", "voter-c", "water"}
	file := filepath.Join(n.dir, "voter-a", "settled")
	n.until("the members are kept", func() bool {
		n.put("voter-a")
		raw, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		a, err := ledger.ParseAnchor(raw, n.id)
		n.check(err)
		return slices.Equal(a.Roster().Names(), want)
	})
	for _, name := range n.names {
		n.stop(name)
	}
	for _, lost := range []string{"raft", "snapshots", "state.db"} {
		n.check(os.RemoveAll(filepath.Join(n.dir, "voter-a", lost)))
	}
	n.start("voter-a")
	a := n.nodes["voter-a"]
	if a.Head().Size != 0 || !slices.Equal(a.Known().Names(), want) || a.Settled() == 0 {
		t.Errorf("%d entries, settled %d, members %q", a.Head().Size, a.Settled(), a.Known().Names())
	}
	n.start("voter-b", "voter-c")
	n.put("voter-a")
	n.agree(nil)
	n.stop("voter-a")
	n.settledIsDamaged(file)
	n.start("voter-a")
	n.agree(nil)
}

// settledIsDamaged starts voter-a with whatever may have become of its file of
// settled members. The error names the file and is of a note that may be moved away;
// without the file it starts.
func (n *network) settledIsDamaged(file string) {
	n.t.Helper()
	raw, err := os.ReadFile(file)
	n.check(err)
	n.check(os.Remove(file))
	a, err := ledger.ParseAnchor(raw, n.id)
	n.check(err)
	foreign, err := a.Encode(sign.NetworkID{1})
	n.check(err)
	flipped := bytes.Clone(raw)
	flipped[len(raw)/2] ^= 1
	write := func(raw []byte) func() error { return func() error { return os.WriteFile(file, raw, 0o600) } }
	for what, damage := range map[string]func() error{
		"a bit": write(flipped), "cut off": write(raw[:len(raw)-1]), "empty": write(nil), "a byte more": write(append(bytes.Clone(raw), 0)),
		"another network's":    write(foreign),
		"endless":              func() error { return errors.Join(write(nil)(), os.Truncate(file, 1<<40)) },
		"a folder":             func() error { return os.Mkdir(file, 0o700) },
		"a link to a device":   func() error { return os.Symlink("/dev/zero", file) },
		"a link to a terminal": func() error { return os.Symlink("/dev/ptmx", file) },
	} {
		n.check(damage())
		if err := n.tryStart("voter-a"); !errors.Is(err, replica.ErrNote) || !strings.Contains(err.Error(), file) {
			n.t.Errorf("%s: %v", what, err)
		}
		n.check(os.Remove(file))
	}
	n.check(os.Symlink("nowhere", file)) // and what a link leads to that is not there is missing
}

// What a member verified of another log is refused by its name: otherwise it would
// wait for ever for strangers.
func TestAnchorOfAnotherLog(t *testing.T) {
	n := found(t, 0)
	n.start(n.names...)
	n.put("voter-a")
	anchor := n.anchor("voter-b")
	n.stop("voter-c")
	signer, err := tlog.NewLogSigner("another.test/log", n.keys["voter-b"].Log())
	n.check(err)
	anchor.Checkpoint, err = tlog.SignCheckpoint(tlog.Checkpoint{Origin: "another.test/log", Head: anchor.Head()}, signer)
	n.check(err)
	n.anchors = map[string]*ledger.Anchor{"voter-c": anchor}
	if err := n.tryStart("voter-c"); err == nil || !strings.Contains(err.Error(), "another.test/log") {
		t.Errorf("%v", err)
	}
}

// A founding voter that has lost raft's files, and remembers a head of the log,
// does not bring back the configuration of genesis. It waits for the others.
func TestFoundsNothingAgain(t *testing.T) {
	n := found(t, 0)
	n.start(n.names...)
	index := n.put("voter-a")
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), index+1))
	for _, name := range n.names {
		n.stop(name)
	}
	for _, lost := range []string{"raft", "snapshots", "state.db", "promised"} {
		n.check(os.RemoveAll(filepath.Join(n.dir, "voter-a", lost)))
	}
	n.start("voter-a")
	if last := n.nodes["voter-a"].RaftLast(); last != 0 {
		t.Errorf("it begins raft's log again: %d entries", last)
	}
	n.start("voter-b", "voter-c")
	n.put("voter-b")
	n.agree(nil)
}

// A newcomer that verified one history is served another when it is admitted. It
// keeps both heads as evidence and goes no further.
func TestNewcomerIsShownAnotherHistory(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	n.amend(n.joining("fire", 91), "voter-a", "voter-b", "voter-c")
	n.put("voter-a")
	n.abreast("voter-b")
	anchor := n.anchor("voter-b")
	signer, err := tlog.NewLogSigner(anchor.Origin(), n.keys["voter-b"].Log())
	n.check(err)
	anchor.Checkpoint, err = tlog.SignCheckpoint(tlog.Checkpoint{Origin: anchor.Origin(), Head: tlog.Head{Size: anchor.Head().Size, Root: tlog.Hash{1}}}, signer)
	n.check(err)
	n.put("voter-a")
	n.join("fire", anchor)
	fire := n.nodes["fire"]
	n.until("it stops, or goes on", func() bool {
		select {
		case err := <-fire.Fatal():
			if !strings.Contains(err.Error(), "verified before") {
				t.Error(err)
			}
			return true
		default:
			return fire.Head().Size > anchor.Head().Size
		}
	})
	if fire.Head().Size > anchor.Head().Size || len(fire.Alarms()) == 0 {
		t.Errorf("it has applied %d entries, and keeps %d alarms", fire.Head().Size, len(fire.Alarms()))
	}
	n.stop("fire")
}
