package replica

import (
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Counts is what a replica has done since it was opened. The numbers tell what
// an entry costs, whatever the machine.
type Counts struct {
	Statements uint64 // signatures of statements verified, each by computation
	Heads      uint64 // signatures of heads verified, likewise

	LogSyncs      uint64 // of raft's log
	StateSyncs    uint64 // of the database
	CosignedSyncs uint64 // of the largest head cosigned
	FinalSyncs    uint64 // of the newest final checkpoint, with its folder

	Appends uint64 // messages with entries sent to followers
	Notices uint64 // messages without, which tell a follower of a commit
}

// traffic counts messages to followers.
type traffic struct{ appends, notices atomic.Uint64 }

func (t *traffic) count(q *raft.AppendEntriesRequest) {
	switch {
	case len(q.Entries) > 0:
		t.appends.Add(1)
	case !isHeartbeat(q):
		t.notices.Add(1)
	}
}

// Counts returns what this replica has done so far. Signatures are not counted
// with [Config.PlainSignatures].
func (r *Replica) Counts() Counts {
	return Counts{
		Statements: r.trust.statements.Count(), Heads: r.trust.heads.Count(),
		LogSyncs: r.raftLog.Syncs(), StateSyncs: r.store.Syncs(), CosignedSyncs: r.cosigner.file.syncs.Load(), FinalSyncs: r.finals.syncs.Load(),
		Appends: r.transport.appends.Load(), Notices: r.transport.notices.Load(),
	}
}
