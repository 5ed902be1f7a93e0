//go:build !race

package replica_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
	"atoll/node/peer"
)

// A changeKill is a power failure of one member around a step by which raft follows
// the log.
type changeKill struct {
	what  string // the step
	when  moment
	whose victimOf
}

type moment string

const (
	before moment = "before"
	alone  moment = "when the leader's log alone has it" // of the voters' logs
	after  moment = "after"
)

type victimOf string

const (
	ofLeader    victimOf = "of the leader"
	ofConcerned victimOf = "of the one concerned"
)

// changeKills lists what is tried. A newcomer comes before it goes.
func changeKills() (list []changeKill) {
	both := []changeKill{
		{when: before, whose: ofLeader}, {when: before, whose: ofConcerned}, {when: alone, whose: ofLeader},
		{when: after, whose: ofLeader}, {when: after, whose: ofConcerned},
	}
	for _, whats := range [][]string{{learns, removed}, {votes, demoted}} {
		for _, k := range both {
			for _, what := range whats {
				list = append(list, changeKill{what, k.when, k.whose})
			}
		}
	}
	for _, what := range []string{handsOver, settles} {
		list = append(list, changeKill{what, before, ofLeader}, changeKill{what, after, ofLeader})
	}
	return list
}

// killed is a network of processes, each with a disk of its own that loses what is
// not synced when its power fails. One member is in this process: it observes, and
// a bank asks by it.
type killed struct {
	*children
	observer string
	disks    map[string]*lossyDisk
	unmount  map[string]func()
	checked  map[string]uint64 // up to where a process was found to have what the observer has
	voting   []string
	spare    string // of the first voters and the second learner, the one that does not vote

	arming sync.Mutex
	is     func(stage) bool // nil: no stage is waited for
	came   chan arrival
}

// arrival is a leader at a stage, where it waits if it has a process here.
type arrival struct {
	leader string
	proc   *process
	at     stage
}

func (a arrival) goOn() {
	if a.proc != nil {
		fmt.Fprintln(a.proc.orders, a.at)
	}
}

// killable founds the network. Newcomers have their keys and ports from the
// beginning.
func killable(t *testing.T, newcomers ...string) *killed {
	n := found(t, 2)
	n.tune = nil
	for i, name := range newcomers {
		n.keep(name, ledger.NewKeys(sign.Secret{byte(len(n.names) + 1 + i)}, "log.test/replica/1", 0))
	}
	founders := slices.Clone(n.names)
	n.names = append(n.names, newcomers...)
	k := &killed{
		children: recruit(n), observer: "wlearner-0", disks: map[string]*lossyDisk{}, unmount: map[string]func(){}, checked: map[string]uint64{},
		voting: slices.Clone(voters), spare: "wlearner-1", came: make(chan arrival, 1),
	}
	k.dir, n.away, n.ports = t.TempDir(), k.ports, k.ports
	k.follows = k.stage
	for _, name := range n.names {
		if name == k.observer {
			continue
		}
		k.disks[name] = newLossyDisk()
		n.check(os.Mkdir(filepath.Join(k.dir, name), 0o700))
		k.unmount[name] = k.disks[name].mount(t, filepath.Join(k.dir, name))
	}
	n.start(k.observer)
	for _, name := range founders {
		if name != k.observer {
			k.start(name)
		}
	}
	n.put(k.observer)
	return k
}

// stage lets a leader go on, unless the stage is waited for.
func (k *killed) stage(name string, p *process, s stage) {
	a := arrival{name, p, s}
	k.arming.Lock()
	waited := k.is != nil && k.is(s)
	if waited {
		k.is = nil
	}
	k.arming.Unlock()
	if waited {
		k.came <- a
	} else {
		a.goOn()
	}
}

// arm makes the next leader that comes to such a stage wait.
func (k *killed) arm(is func(stage) bool) {
	k.arming.Lock()
	defer k.arming.Unlock()
	k.is = is
}

func (k *killed) arrival() arrival {
	k.n.t.Helper()
	select {
	case a := <-k.came:
		return a
	case <-k.n.ctx().Done():
		k.n.t.Fatal("no leader comes to that stage")
	}
	panic("not reached")
}

// fail cuts the power of a member.
func (k *killed) fail(name string) {
	disk := k.disks[name]
	left := disk.cut(nil)
	k.kill(name)
	disk.release()
	k.awaitEnd("its power was cut", name)
	k.unmount[name]()
	k.disks[name] = left
	k.unmount[name] = left.mount(k.n.t, filepath.Join(k.dir, name))
	k.checked[name] = 0
}

// running returns the members in processes of their own, those of the log.
func (k *killed) running() (names []string) {
	for _, name := range k.n.nodes[k.observer].Roster().Names() {
		if name != k.observer {
			names = append(names, name)
		}
	}
	return names
}

// hold stops all that may be voters but one, as if they hung, until the returned function is called.
func (k *killed) hold(but string) (release func()) {
	var held []*process
	for _, name := range append(slices.Clone(k.voting), k.spare) {
		if name != but {
			held = append(held, k.procs[name])
			k.n.check(k.procs[name].Process.Signal(syscall.SIGSTOP))
		}
	}
	return func() {
		for _, p := range held {
			k.n.check(p.Process.Signal(syscall.SIGCONT))
		}
	}
}

// appended lets a leader go on while no other voter hears of what it does. It
// reports whether its log has the step then: otherwise it leads no more.
func (k *killed) appended(a arrival) (done bool) {
	k.n.t.Helper()
	of := func(m map[string]string) string {
		k.mu.Lock()
		defer k.mu.Unlock()
		return m[a.leader]
	}
	was := of(k.servers)
	release := k.hold(a.leader)
	a.goOn()
	k.n.until("the leader's log has the step, or it leads no more", func() bool {
		done = of(k.servers) != was
		return done || of(k.leaders) != a.leader
	})
	if done {
		k.fail(a.leader)
	}
	release()
	return done
}

// agreed puts a change on the log by way of the observer.
func (k *killed) agreed(a ledger.Amendment) {
	n := k.n
	n.t.Helper()
	electorate := slices.DeleteFunc(n.nodes[k.observer].Roster().Names(), func(name string) bool { return name == a.Name })
	head := n.newHead()
	for i, name := range electorate[:n.needed(len(electorate))] {
		statement := n.sign(name, ledger.KindApprove, ledger.Approve{Head: n.newHead(), Proposer: electorate[0], Proposal: head.ID})
		if i == 0 {
			statement = n.sign(name, ledger.KindPropose, ledger.Propose{Head: head, Amendment: a})
		}
		answer, err := n.nodes[k.observer].Submit(n.ctx(), statement)
		n.check(err)
		if answer.Verdict != ledger.Accepted {
			n.t.Fatalf("%s agrees: %+v", name, answer)
		}
	}
}

// leading returns who leads, by what the observer hears.
func (k *killed) leading() (name string) {
	k.n.t.Helper()
	k.n.until("a voter leads", func() bool {
		name = k.n.nodes[k.observer].Leader()
		return slices.Contains(k.voting, name)
	})
	return name
}

// change puts on the log what makes a leader take the step, and returns whom it
// concerns.
func (k *killed) change(what, newcomer string) (concerned string) {
	n := k.n
	n.t.Helper()
	switch what {
	case learns:
		anchor, err := n.anchor(k.observer).Encode(n.id)
		n.check(err)
		k.anchors[newcomer] = filepath.Join(n.t.TempDir(), "anchor")
		n.check(os.WriteFile(k.anchors[newcomer], anchor, 0o600))
		k.start(newcomer)
		k.agreed(n.joining(newcomer, byte(1+slices.Index(n.names, newcomer))))
		return newcomer
	case removed:
		k.agreed(ledger.Amendment{Action: ledger.RemoveMember, Name: newcomer})
		return newcomer
	}
	at := slices.Index(k.voting, k.leading())
	if what != handsOver {
		at = (at + 1) % len(k.voting)
	}
	comes, goes := k.spare, k.voting[at]
	k.voting[at], k.spare = comes, goes
	k.agreed(ledger.Amendment{Action: ledger.ChangeVoters, Names: slices.Sorted(slices.Values(k.voting))})
	if what == votes {
		return comes
	}
	return goes
}

// reach has a leader come to a step. A leader that is to vote no more may not lead
// any more when it is its turn: then another one is to. On a busy machine a leader may
// lose its office in the middle of a step, and never hears that it was made: who leads
// after that is taken for it.
func (k *killed) reach(c changeKill, newcomer string) (a arrival, concerned string) {
	k.n.t.Helper()
	for {
		k.arm(func(s stage) bool { return s.what == c.what && s.before == (c.when != after) })
		concerned = k.change(c.what, newcomer)
		rested := 0 // how often nothing was left to do
		k.n.until("a leader comes to the step", func() bool {
			select {
			case a = <-k.came:
				rested = 0
				return true
			default:
			}
			if rested++; k.settled() != nil {
				rested = 0
			}
			return rested > 200 && (c.what == handsOver || c.when == after)
		})
		if rested == 0 {
			return a, concerned
		}
		k.arm(nil)
		select {
		case a = <-k.came: // meanwhile
			return a, concerned
		default:
		}
		if c.when == after && c.what != handsOver {
			return arrival{leader: k.leading()}, concerned
		}
	}
}

// settled returns an error unless raft, as the observer has it, is as the log says.
func (k *killed) settled() error {
	node := k.n.nodes[k.observer]
	var sets []ledger.VoterSet
	err := node.View(func(v ledger.View) (err error) {
		sets, err = ledger.VoterSets(v)
		return err
	})
	if err != nil {
		return err
	}
	newest, live := sets[len(sets)-1], node.Roster().Names()
	learners := slices.DeleteFunc(slices.Clone(live), func(name string) bool { return slices.Contains(newest.Names, name) })
	v, l := node.Servers()
	if !newest.Settled || !slices.Equal(v, newest.Names) || !slices.Equal(l, learners) {
		return fmt.Errorf("raft has %q, and %q learn; the log has %+v of %q", v, l, newest, live)
	}
	return nil
}

// sound is the check after a failure.
func (k *killed) sound(acked map[uint64][]byte) {
	n := k.n
	n.t.Helper()
	n.until("raft is as the log says", func() bool { return k.settled() == nil })
	node := n.nodes[k.observer]
	size := node.Head().Size
	for _, name := range k.running() {
		for first := k.checked[name]; first < size; first += tlog.TileWidth {
			n.sameEntries(k.observer, name, first, min(tlog.TileWidth, size-first))
		}
		k.checked[name] = size
	}
	for index, statement := range acked {
		if index >= size {
			continue
		}
		leaf, err := node.Entry(index)
		n.check(err)
		if e, err := ledger.ParseEntry(leaf); err != nil || !bytes.Equal(e.Statement, statement) {
			n.t.Errorf("what was acknowledged as entry %d is not there: %v", index, err)
		}
	}
	n.audited(k.observer, nil)
}

// sameEntries waits until a member in a process of its own serves entries, and
// checks that they are those of a member in this one.
func (n *network) sameEntries(here, there string, first, count uint64) {
	n.t.Helper()
	request, err := sign.Marshal(struct {
		_            struct{} `cbor:",toarray"`
		First, Count uint64
	}{First: first, Count: count})
	n.check(err)
	var served []byte
	n.until(there+" has the entries", func() bool {
		from, err := n.nodes[here].host.Stream(n.ctx(), there, peer.Bundles, request)
		if err != nil {
			return false
		}
		defer from.Close()
		served, err = io.ReadAll(from)
		return err == nil && len(served) > 0
	})
	var own []byte
	for i := range count {
		leaf, err := n.nodes[here].Entry(first + i)
		n.check(err)
		own, err = tlog.AppendEntry(own, leaf)
		n.check(err)
	}
	if !bytes.Equal(served, own) {
		n.t.Errorf("%s has other entries from %d on than %s", there, first, here)
	}
}

// try cuts the power of the victim, starts it again, and checks what is there.
func (k *killed) try(c changeKill, newcomer string, busy *traffic) {
	k.n.t.Helper()
	a, concerned := k.reach(c, newcomer)
	victim := a.leader
	if c.whose == ofConcerned {
		victim = concerned
	}
	switch {
	case c.when == alone:
		for !k.appended(a) {
			k.arm(func(s stage) bool { return s.before && s.what == c.what })
			a = k.arrival()
		}
		victim = a.leader
	default:
		k.fail(victim)
		if victim != a.leader {
			a.goOn()
		}
	}
	k.start(victim)
	busy.mu.Lock()
	acked := maps.Clone(busy.acked)
	busy.mu.Unlock()
	k.sound(acked)
	if c.what == removed { // it is no member any more
		k.kill(newcomer)
		k.awaitEnd("it is removed", newcomer)
	}
}

// I1, I2, I4: the leader, and the member concerned, lose power before and after each
// step by which raft follows the log, and the leader when its own log alone has the
// step. Each time the next leader goes on, nothing acknowledged is missing, all have
// one history, and uses are exact.
func TestKillAroundChanges(t *testing.T) {
	const uses = 100
	kills := changeKills()
	var newcomers []string
	for _, c := range kills {
		if c.what == learns {
			newcomers = append(newcomers, fmt.Sprintf("newcomer-%d", len(newcomers)))
		}
	}
	k := killable(t, newcomers...)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	busy, running := k.n.ask(ctx, k.observer, k.observer, k.n.granted(k.observer, uses))
	done := map[string]int{}
	for _, c := range kills {
		newcomer := ""
		if c.what == learns || c.what == removed {
			newcomer = newcomers[done[c.what]]
		}
		done[c.what]++
		t.Logf("%s, %s, the power %s fails", c.what, c.when, c.whose)
		k.try(c, newcomer, busy)
	}
	stop()
	running.Wait()
	if len(done) != 6 || busy.accepted != uses {
		t.Errorf("%d queries of a consent with %d uses were accepted, in failures at %v", busy.accepted, uses, done)
	}
	names := k.running()
	k.kill(names...)
	k.children.done.Wait()
	for _, name := range names {
		k.n.check(k.disks[name].copyTo(filepath.Join(k.n.dir, name)))
	}
	k.n.start(names...)
	k.n.sound(busy.acked)
	k.n.noAlarms()
}
