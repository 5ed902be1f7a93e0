package replica_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// proves asks a member for a proof until it has one, and verifies it.
func (n *network) proves(member string, seen *ledger.Seen, index uint64) *ledger.Proven {
	n.t.Helper()
	for {
		n.check(n.ctx().Err())
		p, err := n.nodes[member].Prove(index, seen.Head.Size)
		if errors.Is(err, replica.ErrNotFinal) {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		n.check(err)
		proven, err := seen.Verify(p)
		n.check(err)
		return proven
	}
}

// A verifier that has only genesis can follow any member's proof over a
// handover: that of a member who was there, of one that started again without
// its files, and of one that came later. The cosigners who handed over need not
// be there any more.
func TestProveOverHandover(t *testing.T) {
	n := found(t, 3) // wlearner-0 cosigns, the other two do not
	n.start(n.names[:5]...)
	set := []string{"voter-a", "voter-b", "voter-c", "wlearner-1"}
	approved := n.approve([]string{"wlearner-0", "voter-a", "voter-c"}, set, 1, 3)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), approved))
	at := n.submit("voter-a", ledger.KindHandover, n.handover(n.nodes["voter-a"].Final().Signed), ledger.Accepted)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), at+1))
	index := n.put("voter-b")
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), index+1))

	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	for name := range n.nodes {
		p := n.proves(name, ledger.NewSeen(g), index)
		if len(p.Seen.Sets) != 2 || p.Set.Members()[3] != "wlearner-1" || p.Entry.Index != index {
			t.Errorf("%s proves %+v", name, p)
		}
		if again := n.proves(name, p.Seen, at); again.Entry.Index != at {
			t.Errorf("%s proves %+v", name, again)
		}
	}
	n.stop("wlearner-0") // which signed the handover, and will not again
	n.stop("wlearner-1")
	n.check(os.RemoveAll(filepath.Join(n.dir, "wlearner-1", "handovers")))
	n.start("wlearner-1", "wlearner-2")
	for _, name := range []string{"wlearner-1", "wlearner-2"} {
		n.check(n.nodes[name].WaitFor(n.ctx(), index+1))
		n.proves(name, ledger.NewSeen(g), index)
	}
}
