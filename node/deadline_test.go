//go:build !race

package node

import (
	"testing"
	"time"

	"atoll/consensus/ledger"
)

// I3: the log refuses a release that comes after the query's deadline, and no
// byte leaves, however often the bank asks; the use is given back.
func TestDeadlinePassedNoByte(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 1)
	a, _, _ := n.stranded(id, 15*time.Second) // within which tax has spooled its answer on a busy machine, too
	n.open("auditor", nil)
	n.open("court", nil)
	n.pastDeadline(a)
	n.open("tax", nil)
	n.noByte(a, "query_closed")
	bank := n.members["bank-a"]
	pieces, err := bank.Collect(n.ctx, a, 5*time.Second, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "unavailable", "unavailable")
	if o, err := bank.outcome(a.Ref, "tax"); err != nil || o != nil {
		t.Errorf("the log has an outcome: %+v, %v", o, err)
	}
	c, err := bank.Consent(id)
	n.must(err)
	if c.Used != 0 {
		t.Errorf("%d uses spent on nothing", c.Used)
	}
	n.agree()
}

// pastDeadline has the voters that run tick until network time is past it.
func (n *network) pastDeadline(a *Asked) {
	n.t.Helper()
	for n.ctx.Err() == nil {
		var now uint64
		n.must(n.members["bank-a"].replica.View(func(v ledger.View) error {
			s, err := ledger.Read(v)
			if err == nil {
				now = s.Time
			}
			return err
		}))
		if now > a.Deadline {
			return
		}
		for _, name := range []string{"auditor", "court"} {
			_, err := n.members[name].Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: n.members[name].NewHead()})
			n.must(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	n.t.Fatal("network time stands still")
}
