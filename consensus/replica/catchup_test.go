//go:build !race

package replica_test

import (
	"context"
	"io"
	"sync"
	"testing"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"

	"github.com/hashicorp/raft"
)

// fetching observes the requests by which one member catches up, and can hold
// them up.
type fetching struct {
	name string

	mu    sync.Mutex
	asked []asked
	stop  func(a []asked) bool // reports whether the newest of them is to wait; nil: none
	held  chan struct{}        // closed when one waits
}

type asked struct {
	member string
	first  uint64
}

// tune returns a tuning that watches, on top of another.
func (f *fetching) tune(t *testing.T, also func(*replica.Config)) func(*replica.Config) {
	return func(c *replica.Config) {
		also(c)
		if c.Name != f.name {
			return
		}
		fetch := c.Fetch
		c.Fetch = func(ctx context.Context, member string, request []byte) (io.ReadCloser, error) {
			q, err := readRequest(request)
			if err != nil { // not a request for entries, see placeRequest
				return fetch(ctx, member, request)
			}
			if f.note(asked{member, q.First}) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return fetch(ctx, member, request)
		}
	}
}

// note records a request and reports whether it is to wait.
func (f *fetching) note(a asked) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, a)
	if f.stop == nil || !f.stop(f.asked) {
		return false
	}
	select {
	case <-f.held:
	default:
		close(f.held)
	}
	return true
}

// holdUp begins a new list and has requests wait as stop says.
func (f *fetching) holdUp(stop func(a []asked) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked, f.stop, f.held = nil, stop, make(chan struct{})
}

func (f *fetching) list() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked{}, f.asked...)
}

// inPass reports whether the newest request belongs to the given pass and comes
// after that many others of it: a pass asks for everything once.
func inPass(pass, after int) func(a []asked) bool {
	return func(a []asked) bool {
		times := map[uint64]int{}
		of := 0
		for _, q := range a {
			if times[q.first]++; times[q.first] == pass {
				of++
			}
		}
		return of > after
	}
}

// wait returns when a request is held up.
func (f *fetching) wait(n *network) {
	n.t.Helper()
	select {
	case <-f.held:
	case <-n.ctx().Done():
		n.t.Fatalf("%s does not fetch", f.name)
	}
}

// A member is stopped in the first or the second pass of catching up and
// started again: it does not fetch again what it had applied.
func TestCatchUpInterrupted(t *testing.T) {
	n := found(t, 2)
	n.tune = small
	n.start(voters...)
	size := n.fill(2000)
	for name, pass := range map[string]int{"wlearner-0": 1, "wlearner-1": 2} {
		f := &fetching{name: name}
		n.tune = f.tune(t, small)
		f.holdUp(inPass(pass, 6))
		n.start(name)
		f.wait(n)
		if pass == 2 { // until it has applied some of what it has
			n.check(n.nodes[name].WaitFor(n.ctx(), 256))
		}
		n.stop(name)
		f.holdUp(nil)
		n.start(name)
		n.check(n.nodes[name].WaitFor(n.ctx(), size))
		list := f.list()
		if len(list) == 0 {
			t.Errorf("pass %d: nothing was left to fetch", pass)
		}
		for _, q := range list {
			if pass == 2 && q.first < 256 {
				t.Errorf("entries from %d on are fetched again", q.first)
			}
		}
		n.agree(nil)
	}
}

// After a member installed a snapshot, its answer to the leader gets lost: the
// leader sends the same once more, and goes on.
func TestAnswerLostBehindSnapshot(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Snapshot, c.Trailing = 100, 60 }
	n.start(voters...)
	n.fill(300)
	leader := n.leader()
	// Entries that came while the snapshot was being written leave fewer of those
	// before it, or none.
	n.until("the leader keeps entries from before its snapshot, and the next one is not near", func() bool {
		n.put(leader)
		l := n.nodes[leader]
		return l.FirstInRaft()+3 <= l.LastSnapshot() && l.RaftLast() < l.LastSnapshot()+40
	})
	n.tune = nil // its own log stays as the snapshot left it
	n.start("wlearner-0")
	learner := n.nodes["wlearner-0"]
	n.check(learner.WaitFor(n.ctx(), n.put(leader)+1))
	installed := learner.FirstInRaft() - 1
	if installed < 1 || learner.RaftLast() <= installed {
		t.Fatalf("its log goes from %d to %d: no snapshot was installed", installed+1, learner.RaftLast())
	}
	again := n.liar(leader)
	for _, from := range []uint64{installed, installed - 1, installed - 3} {
		before, ok := n.nodes[leader].RaftEntry(from)
		q := &raft.AppendEntriesRequest{Term: n.nodes[leader].Term(), PrevLogEntry: from, PrevLogTerm: before.Term}
		for i := from + 1; ok && i <= installed+1; i++ {
			var e *raft.Log
			e, ok = n.nodes[leader].RaftEntry(i)
			q.Entries = append(q.Entries, e)
		}
		if !ok {
			t.Fatalf("the leader has no entries from %d on any more", from)
		}
		if err := again.append("wlearner-0", q); err != nil {
			t.Errorf("entries from %d on, where the log begins behind %d: %v", from+1, installed, err)
		}
	}
	n.put(leader)
	n.agree(nil)
	n.noAlarms()
}

// The serving member goes away in the first or the second pass: another one
// serves the rest.
func TestCatchUpSourceGoes(t *testing.T) {
	n := found(t, 2)
	n.tune = small
	n.start(voters...)
	size := n.fill(2000)
	for name, pass := range map[string]int{"wlearner-0": 1, "wlearner-1": 2} {
		f := &fetching{name: name}
		n.tune = f.tune(t, small)
		gone := ""
		last := inPass(pass, 6)
		f.holdUp(func(a []asked) bool { // all requests to the first member, once it is gone
			q := a[len(a)-1]
			if gone == "" && last(a) {
				gone = q.member
			}
			return q.member == gone
		})
		n.start(name)
		f.wait(n)
		source := gone
		n.stop(source)
		n.check(n.nodes[name].WaitFor(n.ctx(), size))
		others := map[string]bool{}
		for _, q := range f.list() {
			others[q.member] = true
		}
		if len(others) < 2 {
			t.Errorf("pass %d: only %v were asked", pass, others)
		}
		n.start(source)
		n.put(name)
		n.agree(nil)
	}
}

// A learner and a voter that were away for longer than raft's log reaches catch
// up while clients go on, through these members too.
func TestCatchUpUnderLoad(t *testing.T) {
	n := found(t, 1)
	n.tune = small
	n.start(n.names...)
	n.put("wlearner-0")
	away := []string{"wlearner-0", "voter-a"}
	if n.leader() == "voter-a" {
		away[1] = "voter-b"
	}
	for _, name := range away {
		n.stop(name)
	}
	n.fill(1500)
	var mu sync.Mutex
	acked := map[uint64][]byte{}
	ctx, cancel := context.WithCancel(n.ctx())
	defer cancel()
	var writers sync.WaitGroup
	write := func(name string) {
		node := n.nodes[name]
		writers.Go(func() {
			for ctx.Err() == nil {
				statement := n.statement(name, ledger.KindCredentialRevoke)
				answer, err := node.Submit(n.ctx(), statement)
				if err != nil || !answer.InLog() {
					t.Errorf("%s: %+v, %v", name, answer, err)
					return
				}
				mu.Lock()
				acked[answer.Index] = statement
				mu.Unlock()
			}
		})
	}
	for range 8 {
		write("voter-c")
	}
	n.start(away...)
	for _, name := range away {
		write(name) // what it submits it must have applied itself
		n.until(name+" keeps up", func() bool {
			return n.nodes[name].Head().Size+200 > n.nodes["voter-c"].Head().Size
		})
	}
	n.until("clients have got on", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acked) > 100
	})
	cancel()
	writers.Wait()
	n.agree(acked)
}
