package replica

import (
	"time"

	"atoll/consensus/scarce"
	"atoll/consensus/state"

	"github.com/hashicorp/raft"
)

// begin runs f as a task that Close waits for, or not at all once Close waits:
// requests of other members come until the host is closed, which is later.
// Whoever waits for what f does must wait for r.ctx too.
func (r *Replica) begin(f func()) {
	r.beginning.Lock()
	defer r.beginning.Unlock()
	if !r.ended {
		r.running.Go(f)
	}
}

func (r *Replica) watchDisk() {
	select {
	case err := <-r.raftLog.Fatal():
		r.fail(err)
	case <-r.ctx.Done():
	}
}

func (r *Replica) flushOften() {
	t := time.NewTicker(state.FlushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			err := r.store.Flush()
			if err != nil && !scarce.Refused(err) {
				r.fail(err)
				return
			}
			r.want("write state.db", err)
		case <-r.ctx.Done():
			return
		}
	}
}

// foundWhenLeading makes genesis the first entry of an empty log. If two
// leaders both try, the second is answered that the statement is known.
func (r *Replica) foundWhenLeading() {
	t := time.NewTicker(r.patience / 100)
	defer t.Stop()
	for {
		if at, _ := r.store.Position(); at.Size > 0 {
			return
		}
		select {
		case <-t.C:
			if r.raft.State() != raft.Leader {
				continue
			}
			if _, err := r.propose(r.ctx, r.genesis); err != nil {
				r.warn("the log could not be founded yet", "error", err)
			}
		case <-r.ctx.Done():
			return
		}
	}
}

// pause is how long to wait after some failed attempts.
func (r *Replica) pause(attempt int) time.Duration {
	return min(r.patience, 50*time.Millisecond<<min(attempt, 6))
}

// want records that something cannot be done now because the machine lacks a
// resource, or can be done again.
func (r *Replica) want(what string, err error) {
	if !r.wants.Note(what, err) {
		return
	}
	if err != nil {
		r.log.Error("a task needs a resource that this machine lacks: it is tried again", "task", what, "error", err)
	} else {
		r.log.Info("a task that needed a resource which this machine lacked works again", "task", what)
	}
}
