package replica

import (
	"errors"
	"time"

	"atoll/consensus/scarce"
	"atoll/consensus/state"

	"golang.org/x/time/rate"
)

// walkOften reads everything stored on disk here, slowly, and repeats that from
// time to time. Otherwise damage to data that is not in use would be noticed
// only when the data is needed, perhaps when no other member has it either.
// First it reads the state, as fast as it can: this member waits for that, see
// [whole].
func (r *Replica) walkOften(every time.Duration, pace int) {
	err := r.checkState()
	limit := rate.NewLimiter(rate.Limit(pace), 2*state.StepSize)
	wait := func(read int) error { return limit.WaitN(r.ctx, min(read, limit.Burst())) }
	for err == nil {
		pause := every
		err = r.walk(wait)
		r.want("read the log on disk again", scarce.Lack(err))
		if scarce.Is(err) {
			pause, err = r.patience, nil
		} else if err != nil {
			break
		} else {
			r.walked.Store(time.Now().UnixMilli())
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return
		}
	}
	if r.ctx.Err() == nil {
		r.fail(err)
	}
}

// whole is closed when the whole state has been read since the start and found
// as it was written. Until then a member applies what is committed, and does
// nothing that others would rely on: it does not lead, vouch for a head or
// answer a query. (The only voter of a network leads whatever it does, but then
// accepts no statements.) Each record of the state is checked when it is used;
// that none is missing is known only at the end.
type whole chan struct{}

var errUnchecked = errors.New("this member is still checking its state")

// pending reports whether the check is still running.
func (w whole) pending() bool {
	select {
	case <-w:
		return false
	default:
		return true
	}
}

// checkState reads all of the state without a pause, and closes whole.
func (r *Replica) checkState() error {
	start := time.Now()
	slow := time.AfterFunc(2*time.Second, func() {
		r.log.Info("the state on disk is being checked: this member leads, cosigns and answers after that")
	})
	defer slow.Stop()
	if err := r.store.WalkState(func(int) error { return r.ctx.Err() }); err != nil {
		return err
	}
	close(r.whole)
	r.log.Info("the state on disk was checked and is intact", "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// walk does one walk. After each step it waits for as long as wait does.
func (r *Replica) walk(wait func(read int) error) error {
	if err := r.store.WalkLog(wait); err != nil {
		return err
	}
	if err := r.store.WalkState(wait); err != nil {
		return err
	}
	return r.raftLog.Verify(r.ctx)
}

// Walked returns when this member last finished reading all its entries, tiles,
// state and raft log, and found each as it was written. It returns the zero
// time if it has not since the start.
func (r *Replica) Walked() time.Time {
	ms := r.walked.Load()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
