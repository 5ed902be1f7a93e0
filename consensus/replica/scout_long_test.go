//go:build !race

package replica_test

import (
	"fmt"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// An honest voter was away for a thousand elections and fifty changes of members,
// the last of which took away its vote and gave it to others.
func TestVoterAwayForLong(t *testing.T) {
	n := found(t, 4)
	n.tune = func(c *replica.Config) { c.Scout = 200 * time.Millisecond }
	n.start(n.names...)
	n.put("voter-a")
	n.stop("voter-c")
	before := n.nodes["voter-a"].Term()
	n.until("a thousand elections", func() bool {
		n.nodes[n.leader()].HandOver() // a failure only costs a round
		return n.nodes["voter-a"].Term() >= before+1000
	})
	for i := range 25 {
		name := fmt.Sprintf("water-%d", i)
		n.amend(n.joining(name, byte(100+i)), "voter-a", "voter-b", "wlearner-0", "wlearner-1")
		n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: name}, "voter-a", "voter-b", "wlearner-0", "wlearner-1")
	}
	n.revote()
	size := n.put("wlearner-2") + 1
	n.start("voter-c")
	n.waitFor("voter-c", size)
	n.put("voter-c")
	n.agree(nil)
	n.noAlarms()
}
