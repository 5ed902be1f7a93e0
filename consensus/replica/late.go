package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"atoll/consensus/raftlog"

	"github.com/hashicorp/raft"
)

// lateLog is raft's log. It lets a leader write while its followers write the
// same (Ongaro, Consensus: Bridging Theory and Practice, 10.2.1). The library
// sends entries only when they are on the leader's own disk. lateLog tells it
// so as soon as the write begins, and holds back all conclusions until that is
// true. No commit index beyond what is on this disk leaves this node (see cap),
// and nothing beyond it is applied (see await). So followers and authors learn
// that an entry is committed only when a majority has it on disk, as without
// lateLog.
//
// While entries are being written their signatures are verified.
//
// Raft appends and deletes suffixes in one goroutine.
type lateLog struct {
	logAndStable
	screening *screening
	raft      atomic.Pointer[raft.Raft] // nil until it runs

	mu      sync.Mutex
	writing chan struct{} // closed when the write in the background ends; nil when there is none
	first   uint64        // index of its first entry
	entries []*raft.Log   // the entries it writes
	failed  error         // error of the last such write that failed
}

// StoreLogs implements raft.LogStore. It returns early for commands that a
// leader appends. All other entries, such as changes of raft's configuration,
// take effect in ways that cannot be held back. An early-returned write that
// then fails ends this replica (see [raftlog.Log.Fatal]) and never counts as
// done.
func (l *lateLog) StoreLogs(entries []*raft.Log) error {
	l.drain()
	l.screening.ahead(entries)
	other := func(e *raft.Log) bool { return e.Type != raft.LogCommand }
	if r := l.raft.Load(); r == nil || r.State() != raft.Leader || slices.ContainsFunc(entries, other) {
		return l.logAndStable.StoreLogs(entries)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	l.writing, l.first, l.entries = make(chan struct{}), entries[0].Index, entries
	go l.behind(entries)
	return nil
}

// behind writes entries for which StoreLogs has returned already.
func (l *lateLog) behind(entries []*raft.Log) {
	err := l.logAndStable.StoreLogs(entries)
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.writing)
	l.writing, l.entries, l.failed = nil, nil, err
}

// StoreLog implements raft.LogStore.
func (l *lateLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// GetLog implements raft.LogStore. Entries still being written come from
// memory. They are in raft's cache too, but raft empties the cache when it
// truncates its log, in a separate goroutine.
func (l *lateLog) GetLog(index uint64, out *raft.Log) error {
	l.mu.Lock()
	if index >= l.first && index-l.first < uint64(len(l.entries)) {
		defer l.mu.Unlock()
		*out = *l.entries[index-l.first]
		return nil
	}
	l.mu.Unlock()
	err := l.logAndStable.GetLog(index, out)
	if r := l.raft.Load(); errors.Is(err, raft.ErrLogNotFound) && r != nil && r.State() == raft.Follower {
		if begin := l.begin(); index == begin.Index {
			*out, err = raft.Log{Index: begin.Index, Term: begin.Term, Type: standIn}, nil
		}
	}
	return err
}

// standIn is the type of an entry that represents the last one of a snapshot,
// when raft's log begins after it. A follower looks that entry up to check that
// its leader's entries follow it. The library knows it only while the log has
// no later entries. Without standIn a leader whose last message was stored, but
// whose answer was lost, would never find where to continue. It is never sent.
const standIn raft.LogType = 255

// begin returns the last entry that raft's newest snapshot here covers, or zero.
func (l *lateLog) begin() (end raftlog.End) {
	r := l.raft.Load()
	if r == nil {
		return end
	}
	stats := r.Stats()
	index, errIndex := strconv.ParseUint(stats["last_snapshot_index"], 10, 64)
	term, errTerm := strconv.ParseUint(stats["last_snapshot_term"], 10, 64)
	if errIndex != nil || errTerm != nil {
		return end
	}
	return raftlog.End{Term: term, Index: index}
}

// DeleteRange implements raft.LogStore.
func (l *lateLog) DeleteRange(min, max uint64) error {
	l.drain()
	if err := l.keeps(min, max); err != nil {
		return err
	}
	return l.logAndStable.DeleteRange(min, max)
}

// keeps returns an error if deleting the end of the log would delete what is
// committed. Raft deletes when a leader says that it has other entries there;
// but every later leader has the committed ones. When a snapshot replaces the
// log, raft deletes all of it.
func (l *lateLog) keeps(first, last uint64) error {
	r := l.raft.Load()
	if r == nil {
		return nil
	}
	end, err := l.LastIndex()
	if err != nil || last < end || first > r.CommitIndex() {
		return err
	}
	if l.begin().Index <= r.CommitIndex() {
		err = fmt.Errorf("entries from %d on are to be replaced, and those up to %d are committed", first, r.CommitIndex())
	}
	return err
}

// drain waits for the write under way.
func (l *lateLog) drain() {
	l.mu.Lock()
	writing := l.writing
	l.mu.Unlock()
	if writing != nil {
		<-writing
	}
}

// cap returns the smaller of the index and the last one that is on this disk.
func (l *lateLog) cap(index uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writing != nil || l.failed != nil {
		return min(index, l.first-1)
	}
	return index
}

// await waits until everything up to an index is on this disk.
func (l *lateLog) await(ctx context.Context, index uint64) error {
	for {
		l.mu.Lock()
		writing, first, failed := l.writing, l.first, l.failed
		l.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case writing == nil || index < first:
			return nil
		}
		select {
		case <-writing:
		case <-ctx.Done():
			return errStopped
		}
	}
}
