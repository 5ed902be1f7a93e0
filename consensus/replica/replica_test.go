package replica_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

func TestMembersAgree(t *testing.T) {
	n := found(t, 2)
	n.start(n.names...)
	acked := map[uint64][]byte{}
	for _, through := range n.names { // leader, followers and learners alike
		statement := n.statement(through, ledger.KindCredentialRevoke)
		answer, err := n.nodes[through].Submit(n.ctx(), statement)
		n.check(err)
		acked[answer.Index] = statement
		// The member that has the answer can read the entry itself.
		if _, err := n.nodes[through].Entry(answer.Index); err != nil {
			t.Errorf("%s: %v", through, err)
		}
	}
	n.agree(acked)
}

// The same bytes are submitted through every member, concurrently and again
// after all have restarted: there is one entry and one answer.
func TestRetryIsFree(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	statement := n.statement("voter-b", ledger.KindCredentialRevoke)
	var mu sync.Mutex
	indexes := map[uint64]int{}
	submit := func() {
		var wg sync.WaitGroup
		for _, through := range n.names {
			wg.Go(func() {
				answer, err := n.nodes[through].Submit(n.ctx(), statement)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				indexes[answer.Index]++
				mu.Unlock()
			})
		}
		wg.Wait()
	}
	submit()
	for _, name := range n.names {
		n.stop(name)
	}
	n.start(n.names...)
	submit()
	if len(indexes) != 1 {
		t.Errorf("indexes %v", indexes)
	}
	n.agree(nil)
}

func TestGarbageStaysOut(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	good := n.statement("voter-a", ledger.KindCredentialRevoke)
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	for _, through := range n.names {
		for want, statement := range map[ledger.Verdict][]byte{ledger.Malformed: []byte("hello"), ledger.Unverified: forged} {
			answer, err := n.nodes[through].Submit(n.ctx(), statement)
			n.check(err)
			if answer.Verdict != want || answer.InLog() {
				t.Errorf("%s: %+v, want %s", through, answer, want)
			}
		}
	}
	n.agree(nil)
}

// The leader goes, twice, under concurrent writers on all other members: what
// was acknowledged is at every member, once.
func TestLeaderChanges(t *testing.T) {
	n := found(t, 2)
	n.start(n.names...)
	n.put("wlearner-0")
	for range 2 {
		gone := n.leader()
		var mu sync.Mutex
		acked := map[uint64][]byte{}
		var wg sync.WaitGroup
		for w := range 8 {
			through := n.nodes[fmt.Sprintf("wlearner-%d", w%2)]
			wg.Go(func() {
				for range 10 {
					statement := n.statement("wlearner-0", ledger.KindCredentialRevoke)
					answer, err := through.Submit(n.ctx(), statement)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					acked[answer.Index] = statement
					mu.Unlock()
				}
			})
		}
		n.stop(gone)
		wg.Wait()
		n.start(gone)
		n.agree(acked)
	}
}

// A learner that was away while raft's log was truncated, and one that was
// never there, catch up from the entries of the others.
func TestCatchUpByEntries(t *testing.T) {
	n := found(t, 2)
	n.tune = func(c *replica.Config) { c.Snapshot, c.Trailing = 20, 5 }
	n.start("voter-a", "voter-b", "voter-c", "wlearner-0")
	n.put("wlearner-0")
	n.stop("wlearner-0")
	truncated(n)
	n.start("wlearner-0", "wlearner-1")
	for range 20 { // under load, and through the newcomers
		n.put("voter-a")
		n.put("wlearner-1")
	}
	n.agree(nil)
}

// truncated submits until raft's log no longer begins at its beginning.
func truncated(n *network) {
	n.t.Helper()
	ctx := n.ctx()
	for i := 0; ctx.Err() == nil; i++ {
		n.put(voters[i%3])
		if i >= 60 && i%20 == 0 {
			if n.nodes[n.leader()].FirstInRaft() > 40 {
				return
			}
			time.Sleep(50 * time.Millisecond) // raft looks for a snapshot only now and then
		}
	}
	n.t.Fatal("raft's log was not truncated")
}

// The database is behind raft's newest snapshot, here because it was removed:
// raft would go on as if everything had been applied.
func TestDatabaseBehindTheSnapshot(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Snapshot, c.Trailing = 20, 5 }
	n.start(n.names...)
	truncated(n)
	for n.nodes["wlearner-0"].FirstInRaft() <= 40 {
		n.put("voter-a")
	}
	for _, name := range []string{"wlearner-0", n.leader()} {
		n.stop(name)
		n.check(os.Remove(filepath.Join(n.dir, name, "state.db")))
		n.start(name)
		n.agree(nil)
	}
}

// While members serve another history than the network's, a newcomer believes
// none of it. It accepts the true one as soon as someone serves it.
func TestCatchUpFromLiars(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Snapshot, c.Trailing = 20, 5 }
	n.start(voters...)
	truncated(n)
	asked := make(chan string, 1000)
	lie := func(member string, w io.Writer) io.Writer {
		return flipper{w, func() {
			select {
			case asked <- member:
			default:
			}
		}}
	}
	n.lie.Store(&lie)
	n.start("wlearner-0")
	liars := map[string]bool{}
	for len(liars) < 2 {
		select {
		case m := <-asked:
			liars[m] = true
		case err := <-n.nodes["wlearner-0"].Fatal():
			t.Fatalf("a lie was believed: %v", err)
		case <-n.ctx().Done():
			t.Fatal("nobody was asked")
		}
	}
	if size := n.nodes["wlearner-0"].Head().Size; size != 0 {
		t.Fatalf("%d entries were believed", size)
	}
	n.lie.Store(nil)
	n.agree(nil)
}

// flipper alters entries on their way, and reports it. It does not alter the
// one-byte answer to whether a member has an entry of raft's log.
type flipper struct {
	w    io.Writer
	told func()
}

func (f flipper) Write(b []byte) (int, error) {
	if len(b) <= 8 {
		return f.w.Write(b)
	}
	defer f.told()
	bad := bytes.Clone(b)
	bad[len(bad)-1] ^= 1
	return f.w.Write(bad)
}

// A leader whose disk is tight refuses new queries without delay; statements
// that close things are still accepted. A member whose disk is full stops by
// itself, with intact files.
func TestDiskTight(t *testing.T) {
	n := found(t, 0)
	used := map[string]*atomic.Int64{}
	for _, name := range voters {
		used[name] = new(atomic.Int64)
	}
	n.tune = func(c *replica.Config) {
		percent := used[c.Name]
		c.DiskUsed = func() (int, error) { return int(percent.Load()), nil }
	}
	for _, v := range voters {
		used[v].Store(92)
	}
	n.start(voters...)
	acked := map[uint64][]byte{}
	tick := n.statement("voter-a", ledger.KindTick)
	answer, err := n.nodes["voter-a"].Submit(n.ctx(), tick)
	n.check(err)
	acked[answer.Index] = tick
	leader := n.leader()
	var list [][]byte
	for i := range 8 {
		list = append(list, bytes.Repeat([]byte{byte(i)}, 32))
	}
	query := n.sign(leader, ledger.KindQueryOpen, ledger.QueryOpen{
		Head: n.newHead(), Consent: make([]byte, 16), Deadline: 1, Slots: list, Sealed: []byte("sealed"),
	})
	if _, err := n.nodes[leader].Submit(n.ctx(), query); !errors.Is(err, replica.ErrNoRoom) {
		t.Errorf("a query: %v", err)
	}
	used[leader].Store(97)
	select {
	case err := <-n.nodes[leader].Fatal():
		if !errors.Is(err, replica.ErrDiskFull) {
			t.Error(err)
		}
	case <-n.ctx().Done():
		t.Fatal("a replica goes on with a full disk")
	}
	n.stop(leader)
	used[leader].Store(10)
	n.start(leader)
	n.agree(acked)
}
