package node

import (
	"slices"
	"testing"
	"time"

	"atoll/consensus/ledger"
)

// Two of three voters are replaced, one after the other, while a bank goes on
// asking. Each change is settled, and no query is lost.
func TestVotersReplaced(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 900)
	for _, names := range [][]string{{"auditor", "bank-a", "court"}, {"auditor", "bank-a", "registrar"}} {
		n.amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: names})
		for settled := false; !settled; {
			n.ask(id)
			sets, err := n.members["bank-a"].VoterSets()
			n.must(err)
			newest := sets[len(sets)-1]
			settled = newest.Settled && slices.Equal(newest.Names, names)
			n.must(n.ctx.Err())
			time.Sleep(20 * time.Millisecond)
		}
	}
	n.stop("court") // no voter any more, and the log goes on without it
	n.grant(n.enrol(unknown), 1)
	n.agree()
}
