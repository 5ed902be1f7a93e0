//go:build !race

package replica_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"atoll/crypto/tlog"
)

// onLossyDisk founds a network whose members, each in its own process, have all
// their files on a disk that can fail.
func onLossyDisk(t *testing.T, learners int, step func(operation) bool) (*children, *lossyDisk, func()) {
	n := found(t, learners)
	n.dir = filepath.Join(n.dir, "disk")
	n.check(os.Mkdir(n.dir, 0o700))
	disk := newLossyDisk()
	disk.step = step
	unmount := disk.mount(t, n.dir)
	c := recruit(n)
	c.small = true
	return c, disk, unmount
}

// agreeOn ends a test: members in this process, on a reliable disk, continue
// from the files, and have what was acknowledged.
func (c *children) agreeOn(disk *lossyDisk) {
	n := c.n
	n.t.Helper()
	n.dir = n.t.TempDir()
	n.check(disk.copyTo(n.dir))
	n.start(n.names...)
	n.put("voter-a")
	n.agree(c.acked)
	n.noAlarms()
}

// cosigned returns the largest head that a member remembers to have cosigned.
func (c *children) cosigned(disk *lossyDisk, name string) (head tlog.Head) {
	c.n.t.Helper()
	b := disk.read(name, "cosigned")
	if len(b) != 88 {
		c.n.t.Fatalf("%s: cosigned has %d bytes", name, len(b))
	}
	head.Size = binary.BigEndian.Uint64(b[8:])
	copy(head.Root[:], b[16:])
	return head
}

// A step is one on the way to an entry, a flush or a final checkpoint. The
// process dies right before or right after one operation on one of its files.
type step struct {
	name  string
	kind  string
	file  string // in the member's folder, a pattern
	page  string // of a database: "meta" or "data"; "" for any
	after bool
}

var killSteps = []step{
	{"before the append", "write", "raft/*.wal", "", false},
	{"append written", "write", "raft/*.wal", "", true},
	{"append synced", "sync", "raft/*.wal", "", true},
	{"before the mark", "write", "raft/acknowledged", "", false},
	{"mark written", "write", "raft/acknowledged", "", true},
	{"before a vote or a new segment", "write", "raft/wal-meta.db", "data", false},
	{"vote or new segment half saved", "write", "raft/wal-meta.db", "meta", false},
	{"vote or new segment saved", "write", "raft/wal-meta.db", "meta", true},
	{"before the flush", "write", "state.db", "data", false},
	{"flush half written", "write", "state.db", "data", true},
	{"flush written, without its meta page", "write", "state.db", "meta", false},
	{"flush with its meta page", "write", "state.db", "meta", true},
	{"before the cosigned head", "write", "cosigned", "", false},
	{"cosigned head written", "write", "cosigned", "", true},
	{"cosigned head synced", "sync", "cosigned", "", true},
	{"before the final head", "create", "final.new", "", false},
	{"final head half made", "create", "final.new", "", true},
	{"final head written", "write", "final.new", "", true},
	{"final head synced", "sync", "final.new", "", true},
	{"final head in place", "rename", "final", "", true},
}

// snapshotSteps take seconds to come, so they are tested on a learner, in
// parallel.
var snapshotSteps = []step{
	{"before the snapshot is in place", "rename", "snapshots/*", "", false},
	{"snapshot in place", "rename", "snapshots/*", "", true},
	{"truncation of raft's log half saved", "write", "raft/wal-meta.db", "meta", false},
}

func (s step) is(op operation) bool {
	name, file, _ := strings.Cut(op.path, "/")
	if ok, err := path.Match(s.file, file); err != nil || !ok || name == "" {
		return false
	}
	page := ""
	if s.page != "" {
		page = "data"
		if op.off < 2*int64(os.Getpagesize()) {
			page = "meta"
		}
	}
	return op.kind == s.kind && op.after == s.after && page == s.page
}

// An aim kills each member at a step that the member itself takes.
type aim struct {
	mu      sync.Mutex
	victims map[string]*victim
}

type victim struct {
	step step
	left int // how often it takes the step and lives
	proc *process
}

// hits is the disk's step function.
func (a *aim) hits(op operation) bool {
	name, _, _ := strings.Cut(op.path, "/")
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.victims[name]
	if v == nil || !v.step.is(op) {
		return false
	}
	if v.left > 0 {
		v.left--
		return false
	}
	delete(a.victims, name)
	v.proc.Process.Kill()
	return true
}

func (a *aim) at(name string, v *victim) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.victims[name] = v
}

// I1, I2, I3: the leader and a follower are killed at each step of the commit
// path, each when it gets there. Nothing acknowledged is missing, all have one
// history, and each cosigner of a head remembers it.
func TestKillAtEachStep(t *testing.T) {
	const learner = "wlearner-1" // no cosigner: nobody waits for it
	a := &aim{victims: map[string]*victim{}}
	c, disk, _ := onLossyDisk(t, 2, a.hits)
	c.start(c.n.names...)
	c.await(20)
	left := snapshotSteps
	a.at(learner, &victim{left[0], 0, c.procs[learner]})
	cosigned := map[string][]tlog.Head{}
	chance := rand.New(rand.NewPCG(1, 1))
	for _, s := range killSteps {
		victims := c.leaderAndFollower(chance)
		for _, name := range victims {
			a.at(name, &victim{s, chance.IntN(4), c.procs[name]})
		}
		c.awaitEnd(s.name, victims...)
		for _, name := range victims {
			cosigned[name] = append(cosigned[name], c.cosigned(disk, name))
		}
		c.start(victims...)
		c.await(5)
		select {
		case <-c.procs[learner].gone:
			c.start(learner)
			if left = left[1:]; len(left) > 0 {
				a.at(learner, &victim{left[0], 0, c.procs[learner]})
			}
		default:
		}
	}
	for _, place := range []string{whenProposed, whenAcknowledged, whenApplied, whenCosigned} {
		if place != whenCosigned {
			c.start(c.dieAt(place, c.leads))
			c.await(5)
		}
		if place != whenProposed { // which one that does not lead does not come to
			c.start(c.dieAt(place, func() string {
				if leader := c.leads(); leader != "" { // which asks for cosignatures, and nobody asks it
					return other(leader, "")
				}
				return ""
			}))
		}
		c.await(5)
	}
	if len(left) == len(snapshotSteps) {
		t.Error("no snapshot was taken")
	}
	c.kill(c.n.names...)
	c.done.Wait()
	c.agreeOn(disk)
	c.n.remembers(cosigned)
}

// leaderAndFollower waits until all know the leader.
func (c *children) leaderAndFollower(chance *rand.Rand) []string {
	c.n.t.Helper()
	var leader string
	c.n.until("all voters know the leader", func() bool { leader = c.leads(); return leader != "" })
	followers := slices.DeleteFunc(slices.Clone(voters), func(v string) bool { return v == leader })
	return []string{leader, followers[chance.IntN(len(followers))]}
}

// remembers checks that heads read from each member's memory, one after
// another, only grow, and are of the history that all have come to.
func (n *network) remembers(heads map[string][]tlog.Head) {
	n.t.Helper()
	for name, heads := range heads {
		for i, head := range heads {
			if i > 0 && head.Size < heads[i-1].Size {
				n.t.Errorf("%s forgot that it had cosigned %d entries, and remembers %d", name, heads[i-1].Size, head.Size)
			}
			if head.Size == 0 {
				continue
			}
			node := n.nodes[name]
			root, err := tlog.RootAt(head.Size, node.Head(), node.ReadTile)
			n.check(err)
			if root != head.Root {
				n.t.Errorf("%s cosigned a head of %d entries that is not the history's", name, head.Size)
			}
		}
	}
}

// I1, I2, I3: all members lose power at the same time, under load, again and
// again. Of unsynced data nothing survives, or random sectors do.
func TestPowerLoss(t *testing.T) {
	c, disk, unmount := onLossyDisk(t, 1, nil)
	c.start(c.n.names...)
	for round := range uint64(8) {
		var chance *rand.Rand
		if round%2 == 1 {
			chance = rand.New(rand.NewPCG(round, 0))
		}
		c.await(30)
		c.mu.Lock()
		final := c.final
		c.mu.Unlock()
		left := disk.cut(chance)
		c.kill(c.n.names...)
		disk.release()
		c.done.Wait()
		unmount()
		disk = left
		unmount = disk.mount(t, c.n.dir)
		know := 0
		for _, name := range c.n.names {
			if c.cosigned(disk, name).Size >= final {
				know++
			}
		}
		if know < 3 {
			t.Errorf("round %d: %d entries are final, and %d cosigners remember that", round, final, know)
		}
		c.start(c.n.names...)
	}
	c.await(30)
	c.kill(c.n.names...)
	c.done.Wait()
	if c.final == 0 {
		t.Error("nothing became final")
	}
	c.agreeOn(disk)
}
