package replica_test

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
)

// The members that keep the log after all who did have left.
var successors = []string{"wlearner-0", "wlearner-1", "wlearner-2"}

// deserted returns a network of which wlearner-3 was away while others became
// voters and cosigners, and all former ones left. Then the log has so many more
// entries.
func deserted(t *testing.T, more int, tune func(*replica.Config)) *network {
	n := found(t, 4)
	n.tune = func(c *replica.Config) {
		c.Publish, c.Scout = 50*time.Millisecond, 200*time.Millisecond
		if tune != nil {
			tune(c)
		}
	}
	n.start(n.names...)
	n.finalAt("wlearner-3", n.put("wlearner-3")+1)
	n.stop("wlearner-3")
	n.succeed()
	for range more {
		n.put("wlearner-1")
	}
	n.finalAt("wlearner-0", n.put("wlearner-0")+1)
	return n
}

// succeed makes the successors voters and cosigners, and removes those before.
func (n *network) succeed() {
	n.t.Helper()
	n.revote()
	size := n.approve([]string{"wlearner-0", "voter-a", "voter-c"}, successors, 0, 2)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), size))
	at := n.submit("voter-a", ledger.KindHandover, n.handover(n.nodes["voter-a"].Final().Signed), ledger.Accepted)
	n.check(n.nodes["wlearner-0"].Finalise(n.ctx(), at+1))
	for i, by := range [][]string{append([]string{"voter-b"}, successors...), successors, successors} {
		n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: voters[i]}, by...)
	}
	for _, name := range voters {
		n.stop(name)
		n.names = slices.DeleteFunc(n.names, func(other string) bool { return other == name })
	}
}

// revote gives the votes to the successors, in two steps: most voters of a set are
// of the one before.
func (n *network) revote() {
	n.t.Helper()
	for _, names := range [][]string{append([]string{"wlearner-0", "wlearner-1"}, voters...), successors} {
		slices.Sort(names)
		n.amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: names}, "voter-a", "voter-b", "wlearner-0", "wlearner-1")
		n.settled(names...)
	}
}

// A member was away while all voters and cosigners became others, and those before
// left. It learns of them by itself and comes to the same log, by raft's entries
// or behind a snapshot.
func TestScout(t *testing.T) {
	for what, tune := range map[string]func(*replica.Config){"by entries": nil, "behind a snapshot": small} {
		t.Run(what, func(t *testing.T) {
			n := deserted(t, 20, tune)
			if tune != nil {
				n.fill(300)
			}
			size := n.put("wlearner-0") + 1
			n.start("wlearner-3")
			n.waitFor("wlearner-3", size)
			late := n.nodes["wlearner-3"]
			if late.Vouched() == 0 {
				t.Error("it has found no head")
			}
			n.until("its own log's roster is the known one", func() bool { return late.Known() == late.Roster() }) // that of the head that it found, until it is there
			if behind := late.LastSnapshot() > 0; behind != (tune != nil) {
				t.Errorf("it was behind a snapshot: %t", behind)
			}
			n.until("it does not scout any more", func() bool { return late.Scouting() == nil })
			n.put("wlearner-3")
			n.agree(nil)
			n.noAlarms()
		})
	}
}

// What a dishonest server shows to a member that scouts is refused, and that
// member goes on by another's log.
func TestScoutMeetsLiars(t *testing.T) {
	n := deserted(t, 300, func(c *replica.Config) { c.Scout = 100 * time.Millisecond })
	honest := n.nodes["wlearner-0"]
	head := honest.Final().Head
	early, err := honest.HeadAt(2)
	n.check(err)
	cut := func(bytes int) func(string, io.Writer) io.Writer {
		return func(_ string, w io.Writer) io.Writer { return &short{w, bytes} }
	}
	for what, lie := range map[string]struct {
		boast func(final []byte) []byte
		serve func(member string, w io.Writer) io.Writer
	}{
		"nothing":           {boast: func([]byte) []byte { return nil }},
		"no checkpoint":     {boast: func(final []byte) []byte { return final[:len(final)/2] }},
		"entries cut short": {serve: cut(1000)},
		"no entries":        {serve: cut(0)},
		"more entries than there are": {boast: func([]byte) []byte {
			return n.cosignedBy("wlearner-0", tlog.Head{Size: 1 << 40, Root: head.Root}, successors...)
		}},
		"a head of another history": {boast: func([]byte) []byte {
			return n.cosignedBy("wlearner-0", tlog.Head{Size: head.Size, Root: tlog.Hash{1}}, successors...)
		}},
		"a head that is not final":     {boast: func([]byte) []byte { return n.signedBy("wlearner-0", head) }},
		"one that one cosigner signed": {boast: func([]byte) []byte { return n.cosignedBy("wlearner-0", head, "wlearner-0") }},
		"one that former ones signed":  {boast: func([]byte) []byte { return n.cosignedBy("wlearner-0", head, voters...) }},
		"an older head than it has": {boast: func([]byte) []byte {
			return n.cosignedBy("wlearner-0", early, append([]string{"wlearner-0"}, voters...)...)
		}},
		"other entries than it has said": {serve: func(_ string, w io.Writer) io.Writer { return &flipped{w: w} }},
	} {
		t.Run(what, func(t *testing.T) {
			var asked rounds
			boast := func(member string, final []byte) []byte {
				asked.count(member)
				if lie.boast != nil {
					return lie.boast(final)
				}
				return final
			}
			n.boast.Store(&boast)
			n.lie.Store(nil)
			if lie.serve != nil {
				n.lie.Store(&lie.serve)
			}
			n.start("wlearner-3")
			late := n.nodes["wlearner-3"]
			// Who asks for the third time is through with all that it was told before.
			n.until("all were asked three times", func() bool { return asked.least(successors) >= 3 || late.Vouched() > 0 })
			if size := late.Vouched(); size != 0 || late.Head().Size >= head.Size || late.Leader() != "" {
				t.Errorf("it takes a head of %d entries; its log has %d, and %q leads", size, late.Head().Size, late.Leader())
			}
			if told := late.Scouting(); told == nil || told.State == replica.ScoutFound {
				t.Errorf("%+v", told)
			}
			n.noAlarms()
			n.stop("wlearner-3")
		})
	}
	// One of three is honest.
	boast := func(member string, final []byte) []byte {
		if member == "wlearner-1" {
			return final
		}
		return n.cosignedBy(member, tlog.Head{Size: head.Size + 1000, Root: head.Root}, successors...)
	}
	n.boast.Store(&boast)
	n.lie.Store(nil)
	n.start("wlearner-3")
	n.waitFor("wlearner-3", head.Size)
	n.agree(nil)
	n.noAlarms()
}

// rounds counts how often members were asked.
type rounds struct {
	mu    sync.Mutex
	asked map[string]int
}

func (r *rounds) count(member string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = map[string]int{}
	}
	r.asked[member]++
}

func (r *rounds) least(members []string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	least := r.asked[members[0]]
	for _, name := range members {
		least = min(least, r.asked[name])
	}
	return least
}

// short passes on so many bytes and swallows the rest.
type short struct {
	w    io.Writer
	left int
}

func (s *short) Write(b []byte) (int, error) {
	pass := b[:min(len(b), s.left)]
	s.left -= len(pass)
	if _, err := s.w.Write(pass); err != nil {
		return 0, err
	}
	return len(b), nil
}

// flipped changes a bit of the last byte of each write.
type flipped struct{ w io.Writer }

func (f *flipped) Write(b []byte) (int, error) {
	bad := bytes.Clone(b)
	if len(bad) > 0 {
		bad[len(bad)-1] ^= 1
	}
	return f.w.Write(bad)
}

// A member that only hears no leader, and is not behind the others, replays
// nothing.
func TestScoutOfNothing(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Publish, c.Tick, c.Scout = 50*time.Millisecond, nil, 50*time.Millisecond }
	n.start(n.names...)
	size := n.put("voter-a") + 1
	for _, name := range n.names {
		n.waitFor(name, size)
		n.finalAt(name, size)
	}
	var asked rounds
	boast := func(member string, final []byte) []byte {
		asked.count(member)
		return final
	}
	n.boast.Store(&boast)
	n.stop("voter-a")
	n.stop("voter-b")
	n.until("they are asked", func() bool { return asked.least([]string{"voter-c", "wlearner-0"}) >= 3 })
	for name, node := range n.nodes {
		if told := node.Scouting(); node.Vouched() != 0 || told == nil || told.State != replica.ScoutSeeking {
			t.Errorf("%s: %d, %+v", name, node.Vouched(), told)
		}
	}
	n.start("voter-a")
	n.put("voter-a")
	n.until("nobody scouts", func() bool {
		for _, node := range n.nodes {
			if node.Scouting() != nil {
				return false
			}
		}
		return true
	})
	n.agree(nil)
}

// A member that serves entries without end costs no more than the limit. Nothing is
// taken of what it served, and the next attempt starts from nothing.
func TestScoutIsBounded(t *testing.T) {
	limit := int64(2000)
	n := deserted(t, 300, func(c *replica.Config) { c.Scout, c.ScoutBytes = 100*time.Millisecond, limit })
	var asked rounds
	boast := func(member string, final []byte) []byte {
		asked.count(member)
		return final
	}
	n.boast.Store(&boast)
	n.start("wlearner-3")
	late := n.nodes["wlearner-3"]
	n.until("all were asked three times", func() bool { return asked.least(successors) >= 3 || late.Vouched() > 0 })
	if late.Vouched() != 0 {
		t.Error("it takes a head behind more bytes than the limit")
	}
	n.stop("wlearner-3")
	limit = 0 // what real networks have
	n.start("wlearner-3")
	n.waitFor("wlearner-3", n.nodes["wlearner-0"].Head().Size)
	n.agree(nil)
}
