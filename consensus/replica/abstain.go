package replica

import (
	"errors"

	"atoll/consensus/raftlog"

	"github.com/hashicorp/raft"
)

var errAbstains = errors.New("this voter's log ends before what it acknowledged; it does not stand before it has caught up")

// abstention stands between raft and the network of a voter. While the voter's
// state is not checked, it stands for no election and takes over no leadership.
//
// The same holds while its log ends before the entries that it promised to
// hold. It then votes as it would with the log that it had: for no candidate
// whose log ends before that. It accepts and acknowledges entries meanwhile:
// raft has its newest term again, so that it accepts none from an earlier
// leader, and what it acknowledges it has.
type abstention struct {
	self    raft.RPCHeader
	whole   whole
	forbids func(raftlog.End) bool
}

// newAbstention is for the voter of that name. Forbids reports whether a node whose
// log ends there must not lead for all that this one knows.
func newAbstention(name string, whole whole, forbids func(raftlog.End) bool) *abstention {
	return &abstention{
		whole: whole, forbids: forbids,
		self: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(name), Addr: []byte(name)},
	}
}

// refuse reports whether a request would make this voter lead while it must not, and
// answers it if so.
func (a *abstention) refuse(rpc raft.RPC) bool {
	if a == nil { // no voter
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

// held says why this voter must not lead, if so.
func (a *abstention) held() error {
	switch {
	case a == nil: // no voter
		return nil
	case a.whole.pending():
		return errUnchecked
	case a.forbids(raftlog.End{}):
		return errAbstains
	}
	return nil
}

// promise opens what this voter remembers of raft, and has it abstain until its
// state is checked, and where its log here is not what it was.
func (r *Replica) promise(dir string, snapshots raft.SnapshotStore) (err error) {
	at, _ := r.store.Position()
	if r.promises, err = raftlog.OpenPromises(dir, at.Size == 0, r.raftLog, snapshots, func(term uint64) error { return foreignTerm(dir, term) }); err != nil {
		return err
	}
	forbids := r.promises.Forbids
	rolledBack := forbids(raftlog.End{})
	if !rolledBack {
		if rolledBack, err = r.short(); err != nil {
			return err
		}
		// If so the promises were rolled back as well, and nothing says how far.
		forbids = func(raftlog.End) bool {
			size, _ := r.store.Ahead()
			return rolledBack && size > 0
		}
	}
	if rolledBack {
		r.log.Error("raft's log ends before what this voter acknowledged, it was replaced by an older one; the voter stands for no election before it has caught up")
	}
	r.transport.abstention = newAbstention(r.name, r.whole, forbids)
	return nil
}

// short reports whether database and raft's log together have fewer entries
// than the heads that this member remembers: then raft's log has lost some,
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
