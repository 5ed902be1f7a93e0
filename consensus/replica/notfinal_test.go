package replica_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"atoll/consensus/replica"
)

// lacks checks what a member reports about a size that does not become final:
// which head must become final, and whose cosignatures are missing. On a busy
// machine a cosigner that signs may be silent for long enough to be named, once.
func (n *network) lacks(member string, size, head uint64, missing ...string) {
	n.t.Helper()
	var said string
	for whole := n.ctx(); whole.Err() == nil; {
		ctx, cancel := context.WithTimeout(whole, 2*time.Second)
		err := n.nodes[member].Finalise(ctx, size)
		cancel()
		var e *replica.NotFinalError
		if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
			n.t.Fatalf("%s: %v", member, err)
		}
		if e.Size != head || e.Handover != (head < size) {
			n.t.Fatalf("%s: head %d (handover: %t), want %d: %v", member, e.Size, e.Handover, head, err)
		}
		now := n.nodes[member].Lacks(size)
		if slices.Equal(e.Missing, missing) && now != nil && slices.Equal(now.Missing, missing) {
			return
		}
		said = fmt.Sprintf("missing %v, without asking %v, want %v: %v", e.Missing, now, missing, err)
	}
	n.t.Errorf("%s: %s", member, said)
}

// A caller that waits in vain learns whose cosignatures are missing: those of
// members that are away, that do not answer, or that sign wrongly, and nobody
// else's.
func TestMissingCosigners(t *testing.T) {
	n := found(t, 2)                                           // four cosigners, of which three are needed
	n.tune = func(c *replica.Config) { c.Publish = time.Hour } // a leader asks for itself, and its own cosignature is not modified
	n.start("voter-a", "voter-b", "wlearner-1")
	size := n.put("voter-a") + 1
	n.lacks("voter-a", size, size, "voter-c", "wlearner-0")
	n.check(n.nodes["wlearner-1"].WaitFor(n.ctx(), size))
	n.lacks("wlearner-1", size, size, "voter-c", "wlearner-0")
	if at := n.nodes["voter-a"].FinalSince(); !at.IsZero() {
		t.Errorf("final since %s", at)
	}

	n.start("wlearner-0")
	before := time.Now().Add(-time.Minute)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), size))
	if e := n.nodes["voter-a"].Lacks(size); e != nil {
		t.Errorf("final, and %v", e)
	}
	if at := n.nodes["voter-a"].FinalSince(); at.Before(before) || at.After(time.Now()) {
		t.Errorf("final since %s", at)
	}

	n.bend("voter-b")
	size = n.put("voter-a") + 1
	n.lacks("voter-a", size, size, "voter-b", "voter-c")
	silent := make(chan struct{})
	hang := func(member string, answer []byte) []byte {
		if member == "wlearner-0" {
			<-silent
		}
		return answer
	}
	n.perjure.Store(&hang)
	n.lacks("voter-a", size, size, "voter-c", "wlearner-0")
	close(silent)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), size))
	n.agree(nil)
	n.noAlarms()
}

// When a head became final is not told by a clock that is ahead.
func TestFinalAt(t *testing.T) {
	day := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(hours ...int) (list []time.Time) {
		for _, h := range hours {
			list = append(list, day.Add(time.Duration(h)*time.Hour))
		}
		return list
	}
	now, network := day.Add(3*time.Hour), day.Add(2*time.Hour)
	for _, c := range []struct {
		signed []time.Time
		want   time.Time
	}{
		{nil, time.Time{}},
		{at(0), day},
		{at(1, 0, 0), day.Add(time.Hour)},
		{at(48, 0, 0, 1), day.Add(time.Hour)}, // one is ahead, and the others suffice
		{at(48, 0, 0), network},               // the quorum counts the one that is ahead
		{at(48, 48, 48), network},
	} {
		if got := replica.FinalAt(c.signed, 3, now, network); !got.Equal(c.want) {
			t.Errorf("%v: %s, not %s", c.signed, got, c.want)
		}
	}
}
