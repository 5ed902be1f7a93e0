package replica_test

import (
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// Who is behind a handover does not take a head beyond it for final on the word of
// those who have handed over.
func TestRetiredCosigners(t *testing.T) {
	n := found(t, 4)                                                        // wlearner-0 cosigns
	n.tune = func(c *replica.Config) { c.Publish, c.Tick = time.Hour, nil } // no member is told
	n.start(n.names...)
	n.waitFor("wlearner-3", n.put("voter-a")+1)
	n.stop("wlearner-3")
	set := []string{"voter-c", "wlearner-0", "wlearner-1", "wlearner-2"}
	approved := n.approve([]string{"voter-a", "voter-b", "wlearner-0"}, set, 1, 3)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), approved))
	n.submit("voter-a", ledger.KindHandover, n.handover(n.nodes["voter-a"].Final().Signed), ledger.Accepted)
	size := n.put("voter-a") + 1
	n.waitFor("voter-a", size)
	head := n.nodes["voter-a"].Head()
	for _, name := range n.names[:6] {
		n.stop(name)
	}
	n.start("wlearner-3")
	late := n.nodes["wlearner-3"]
	if got, err := late.TakeFinal(n.cosignedBy("voter-a", head, "voter-a", "voter-b", "voter-c")); err != nil || got != head || late.Head().Size >= head.Size {
		t.Fatalf("it knows no other cosigners yet: %+v, %v", got, err)
	}
	n.start(n.names[:6]...)
	n.check(late.WaitFor(n.ctx(), size))
	if final := late.Final(); final.Size >= size {
		t.Fatalf("%d entries are final here by those who have handed over", final.Size)
	}
	n.check(late.Finalise(n.ctx(), size)) // by those whom the log names
	final := late.Final()
	if _, _, err := late.Cosigners(final.Size).Verify(final.Signed); err != nil {
		t.Error(err)
	}
}
