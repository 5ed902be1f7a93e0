package replica

import (
	"errors"

	"atoll/consensus/raftlog"

	"github.com/hashicorp/raft"
)

var errAbstains = errors.New("this voter's log ends before what it acknowledged; it does not stand before it has caught up")

// abstention filters the requests of other members to a voter's raft. While the
// voter's state is not checked, the voter does not stand for election and does
// not take over leadership.
//
// The same holds while its log ends before the entries that it promised to
// hold. It then votes as if it still had that log: for no candidate whose log
// ends earlier. Meanwhile it accepts and acknowledges entries. That is safe:
// raft has its newest term again, so it accepts no entry from an earlier
// leader, and it has every entry that it acknowledges.
type abstention struct {
	self    raft.RPCHeader
	whole   whole
	forbids func(raftlog.End) bool
}

// newAbstention returns the abstention of the voter with that name. forbids
// reports whether, for all that this voter knows, a node whose log ends there
// must not lead.
func newAbstention(name string, whole whole, forbids func(raftlog.End) bool) *abstention {
	return &abstention{
		whole: whole, forbids: forbids,
		self: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(name), Addr: []byte(name)},
	}
}

// refuse reports whether a request would make this voter lead while it must not, and
// answers it if so.
func (a *abstention) refuse(rpc raft.RPC) bool {
	if a == nil { // not a voter
		return false
	}
	switch q := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		if !a.forbids(raftlog.End{Term: q.LastLogTerm, Index: q.LastLogIndex}) {
			return false
		}
		rpc.Respond(&raft.RequestVoteResponse{RPCHeader: a.self, Term: q.Term}, nil)
	case *raft.RequestPreVoteRequest:
		if !a.forbids(raftlog.End{Term: q.LastLogTerm, Index: q.LastLogIndex}) {
			return false
		}
		rpc.Respond(&raft.RequestPreVoteResponse{RPCHeader: a.self, Term: q.Term}, nil)
	case *raft.TimeoutNowRequest:
		err := a.held()
		if err == nil {
			return false
		}
		rpc.Respond(&raft.TimeoutNowResponse{RPCHeader: a.self}, err)
	default:
		return false
	}
	return true
}

// held returns the reason why this voter must not lead now, or nil.
func (a *abstention) held() error {
	switch {
	case a == nil: // not a voter
		return nil
	case a.whole.pending():
		return errUnchecked
	case a.forbids(raftlog.End{}):
		return errAbstains
	}
	return nil
}

// promise opens what this member remembers of raft. It makes the member abstain
// until its state is checked, and while its log lacks entries that it promised
// to hold.
func (r *Replica) promise(dir string, snapshots raft.SnapshotStore) (err error) {
	at, _ := r.store.Position()
	never, err := r.neverVoted()
	if err != nil {
		return err
	}
	if r.promises, err = raftlog.OpenPromises(dir, at.Size == 0 || never, r.raftLog, snapshots, func(term uint64) error { return foreignTerm(dir, term) }); err != nil {
		return err
	}
	forbids := r.promises.Forbids
	rolledBack := forbids(raftlog.End{})
	if !rolledBack {
		if rolledBack, err = r.short(); err != nil {
			return err
		}
		// In that case the promises were rolled back as well, and it is unknown
		// how far.
		forbids = func(raftlog.End) bool {
			size, _ := r.store.Ahead()
			return rolledBack && size > 0
		}
	}
	if rolledBack && r.roster.voter(r.name) { // a learner, or a newcomer, is behind and stands for nothing
		r.log.Error("raft's log on disk is older than what this voter has acknowledged: the voter is no candidate in elections until it has caught up")
	}
	r.transport.abstention = newAbstention(r.name, r.whole, forbids)
	return nil
}

// neverVoted reports whether this member cannot have promised anything in raft
// yet, so that it may have no file of it: genesis does not make it a voter, and
// raft has kept no vote of it. Whoever may vote one day has the file before.
func (r *Replica) neverVoted() (bool, error) {
	voted, err := r.raftLog.Voted()
	return voted == 0 && !r.roster.founds(r.name), err
}

// short reports whether database and raft's log together have fewer entries
// than the heads that this member remembers. Raft's log has then lost some,
// whatever the promises say.
func (r *Replica) short() (bool, error) {
	size, _ := r.store.Ahead()
	at, _ := r.store.Position()
	r.catchup.mu.Lock()
	if m := r.catchup.target; m != nil {
		at.Size, at.Raft = m.Size, m.Raft
	}
	r.catchup.mu.Unlock()
	first, err := r.raftLog.FirstIndex()
	if err != nil {
		return false, err
	}
	last, err := r.raftLog.LastIndex()
	if err != nil {
		return false, err
	}
	for i := max(first, at.Raft+1); i <= last && at.Size < size; i++ {
		var l raft.Log
		if err := r.raftLog.GetLog(i, &l); err != nil {
			return false, err
		}
		if l.Type == raft.LogCommand && len(l.Data) > 0 && l.Data[0] == commandStatement {
			at.Size++
		}
	}
	return at.Size < size, nil
}
