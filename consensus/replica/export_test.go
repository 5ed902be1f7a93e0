package replica

import (
	"github.com/hashicorp/raft"
)

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

// Answerer encodes what raft answers.
var Answerer = answerer
