package replica

import (
	"errors"

	"atoll/consensus/raftlog"
)

// Holds returns the last index in raft's log.
func (r *Replica) Holds() uint64 {
	last, err := r.raftLog.LastIndex()
	if err != nil && !errors.Is(err, raftlog.ErrClosed) {
		panic(err)
	}
	return last
}
