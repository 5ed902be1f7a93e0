package replica

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"atoll/consensus/scarce"
	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
	"golang.org/x/time/rate"
)

// walkOften reads all that lies on disk here, slowly, and then again from time
// to time: what rots and is not used would otherwise be noticed on the day when
// it is needed, or when no other member has it any more either. Before that it
// reads the state, as quickly as it can: this member waits for it, see [whole].
func (r *Replica) walkOften(every time.Duration, pace int) {
	err := r.checkState()
	limit := rate.NewLimiter(rate.Limit(pace), 2*stepSize)
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

// whole is closed when all of the state was read since the start, and found as
// it was written. Before that a member applies what is committed, and does
// nothing that others would rely on: it does not lead, vouch for a head, answer
// a query. (The only voter of a network leads whatever it does, and then takes
// nothing in.) A record of the state that is used is checked whenever it is; that
// none is missing is known only then.
type whole chan struct{}

var errUnchecked = errors.New("this member is still checking its state")

// yet says whether it is not closed yet.
func (w whole) yet() bool {
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
		r.log.Info("checking the state on disk: this member leads, cosigns and answers when that is done")
	})
	defer slow.Stop()
	if err := r.store.walkState(func(int) error { return r.ctx.Err() }); err != nil {
		return err
	}
	close(r.whole)
	r.log.Info("the state on disk is checked", "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// walk is one walk. After each step it waits for as long as it is told to.
func (r *Replica) walk(wait func(read int) error) error {
	if err := r.store.walkLog(wait); err != nil {
		return err
	}
	if err := r.store.walkState(wait); err != nil {
		return err
	}
	return r.raftLog.Verify(r.ctx)
}

// Walked returns when this member was last done with reading all of its entries,
// tiles, state and raft log, and found each as it was written; the zero time
// while it has not been since the start.
func (r *Replica) Walked() time.Time {
	ms := r.walked.Load()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// still runs f on the database while nothing is written to it: a writer that
// has to enlarge the file would wait for f, and all readers for the writer. So
// f is short, and nobody but a flush waits.
func (s *store) still(f func(*bbolt.Tx) error) error {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	return s.db.View(f)
}

// walkState checks each record of the state, and that none is missing, while
// the state changes.
func (s *store) walkState(wait func(read int) error) error {
	read := 0
	for from := []byte{}; from != nil; {
		err := s.still(func(tx *bbolt.Tx) (err error) {
			if len(from) == 0 {
				s.walked = tally{}
			}
			from, read, err = s.walked.step(tx, from)
			if err == nil && from == nil {
				err = s.walked.compare(tx)
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := wait(read); err != nil {
			return err
		}
	}
	return nil
}

// walkLog checks each entry and each tile, and that the tiles are made of the
// entries and lead to the root.
func (s *store) walkLog(wait func(read int) error) error {
	s.mu.RLock()
	end := s.saved
	s.mu.RUnlock()
	w := &logWalk{end: end.Size}
	w.tree = tlog.New(w.compare)
	for from := entryKey(0); w.tree.Size() < end.Size; {
		read := 0
		err := s.still(func(tx *bbolt.Tx) (err error) {
			w.tx = tx
			from, read, err = check(tx, entriesBucket, from, w.add)
			return err
		})
		if err == nil && from == nil && w.tree.Size() < end.Size {
			err = &CorruptStateError{string(entriesBucket), entryKey(w.tree.Size()), "missing"}
		}
		if err != nil {
			return err
		}
		if err := wait(read); err != nil {
			return err
		}
	}
	if end.Size > 0 && w.tree.Root() != end.Root {
		return &CorruptStateError{Bucket: string(entriesBucket), Reason: "the entries do not lead to the root that was written with them"}
	}
	return nil
}

// logWalk makes the tree again out of the entries.
type logWalk struct {
	tx   *bbolt.Tx // of the step under way
	end  uint64
	tree *tlog.Tree
	err  error // of a tile
}

// add takes in the next entry, up to the end.
func (w *logWalk) add(key, stored []byte) error {
	i := w.tree.Size()
	if i == w.end {
		return nil
	}
	if want := entryKey(i); !bytes.Equal(key, want) {
		return &CorruptStateError{string(entriesBucket), want, "missing"}
	}
	if err := w.tree.Append(stored[sumSize:]); err != nil {
		return &CorruptStateError{string(entriesBucket), bytes.Clone(key), err.Error()}
	}
	return w.err
}

// compare looks whether a tile that the entries fill is the one that is kept.
func (w *logWalk) compare(t tlog.Tile, hashes []byte) {
	stored, err := storedIn(w.tx, tilesBucket, tileKey(t))
	if err == nil && !bytes.Equal(stored, hashes) {
		err = &CorruptStateError{string(tilesBucket), tileKey(t), fmt.Sprintf("%s is not what the entries before entry %d lead to", t.Path(), w.tree.Size()+1)}
	}
	if w.err == nil {
		w.err = err
	}
}
