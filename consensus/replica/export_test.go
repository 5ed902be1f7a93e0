package replica

import (
	"context"
	"slices"
	"strconv"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"

	"github.com/hashicorp/raft"
)

// rosterOf returns the roster of a network whose log has not begun.
func rosterOf(suffrage map[string]raft.ServerSuffrage) *roster {
	return &roster{suffrage, func() []ledger.VoterSet { return nil }, func() []string { return nil }, func() raft.Configuration { return raft.Configuration{} }}
}

// Servers returns raft's newest configuration: the names of voters and learners.
func (r *Replica) Servers() (voters, learners []string) {
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters = append(voters, string(s.ID))
		} else {
			learners = append(learners, string(s.ID))
		}
	}
	slices.Sort(voters)
	slices.Sort(learners)
	return voters, learners
}

// Misconfigure makes a leader change raft's servers as the ledger does not say.
func (r *Replica) Misconfigure(name, how string) error {
	id, address := raft.ServerID(name), raft.ServerAddress(name)
	switch how {
	case "learns":
		return r.raft.AddNonvoter(id, address, 0, 0).Error()
	case "votes":
		return r.raft.AddVoter(id, address, 0, 0).Error()
	}
	return r.raft.RemoveServer(id, 0, 0).Error()
}

// RaftTerm returns the term of an entry of raft's log, 0 if it is not there.
func (r *Replica) RaftTerm(index uint64) uint64 {
	var l raft.Log
	if err := r.raftLog.GetLog(index, &l); err != nil {
		return 0
	}
	return l.Term
}

// Term returns raft's term.
func (r *Replica) Term() uint64 { return r.raft.CurrentTerm() }

// RaftEntry returns an entry of raft's log, if it is there.
func (r *Replica) RaftEntry(index uint64) (*raft.Log, bool) {
	var l raft.Log
	return &l, r.raftLog.GetLog(index, &l) == nil
}

// RaftLast returns the index of the last entry of raft's log.
func (r *Replica) RaftLast() uint64 { return r.raft.LastIndex() }

// RaftEnded reports whether raft runs no more here.
func (r *Replica) RaftEnded() bool { return r.raft.State() == raft.Shutdown }

// FirstInRaft returns the index of the oldest entry that raft's own log still
// has. A member that is further behind catches up by the entries of the access
// log.
func (r *Replica) FirstInRaft() uint64 {
	first, err := r.raftLog.FirstIndex()
	if err != nil {
		return 0
	}
	return first
}

// LastSnapshot returns the index of the last entry that raft's newest snapshot
// covers, 0 without a snapshot.
func (r *Replica) LastSnapshot() uint64 {
	last, _ := strconv.ParseUint(r.raft.Stats()["last_snapshot_index"], 10, 64)
	return last
}

// HeadAt returns the head that the log had at a size.
func (r *Replica) HeadAt(size uint64) (tlog.Head, error) { return r.store.HeadAt(size) }

// HandOver makes this member hand leadership to another.
func (r *Replica) HandOver() error { return r.raft.LeadershipTransfer().Error() }

// FinalAt returns when a quorum had signed.
var FinalAt = finalAt

// Answerer encodes what raft answers.
var Answerer = answerer

// SendFinal sends a final checkpoint to all members through raft.
func (r *Replica) SendFinal(ctx context.Context, final Final) error { return r.sendFinal(ctx, final) }

// Snapshot makes what raft stores as a snapshot.
func (r *Replica) Snapshot() (raft.FSMSnapshot, error) { return fsm{r}.Snapshot() }

// TakeFinal processes a checkpoint that is claimed to be final.
func (r *Replica) TakeFinal(signed []byte) (tlog.Head, error) {
	return r.takeFinal(signed, r.store.Expect, r.Head().Size)
}
