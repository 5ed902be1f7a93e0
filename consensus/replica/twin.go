package replica

import (
	"crypto/sha256"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// twinAlarm is the kind of the alarm about another node with this member's keys.
const twinAlarm = "twin"

// meetTwin raises an alarm, once in a run, if an entry has a statement of this
// member that this node did not make: another node runs with its keys, such as one
// on a copy of its folder, or somebody has stolen them. The node goes on. Which of
// the two has to stop is for people to say, and a node that stopped by itself would
// let whoever has the keys end a member for good.
func (r *Replica) meetTwin(s *ledger.Statement, a ledger.Answer) {
	if !a.New || r.foreign == nil || r.met.Load() || !r.foreign(s) || r.met.Swap(true) {
		return
	}
	why := fmt.Sprintf("entry %d (%s) has this member's signature, and this node did not make it: another node runs with its keys", a.Index, s.Kind)
	r.begin(func() {
		r.alarm(Alarm{Kind: twinAlarm, Member: r.name, Size: a.Index + 1, Why: why}, tlog.Hash(sha256.Sum256(a.Leaf)))
	})
}
