package replica

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// herald tells followers without delay that an entry is committed. Raft tells
// them with its next entry or, if none comes, 50 to 100 ms later. Members
// decide by what they have applied themselves, so a query on a quiet log would
// wait for that twice.
//
// It is raft's transport. From the appends that pass through it, it knows which
// entries each follower has. It sends a follower that does not know of the
// commit yet one more append. That append is empty and says what raft's next
// one would: up to this entry, which the follower has, the log is committed. It
// is sent in the term in which this node led and committed the entry, so it is
// true whenever it arrives.
type herald struct {
	*transport
	name  string
	begin func(serve func(ctx context.Context, last func() uint64)) // runs what notifies a follower

	mu        sync.Mutex
	committed notice
	followers map[raft.ServerID]*follower // whom this member has sent entries, in this run
}

// notice says that raft's log is committed up to an index, whose entry is of
// this term, and that this node has led in it.
type notice struct{ index, term uint64 }

type follower struct {
	has      uint64        // index of the last entry it has said it holds
	at       time.Time     // when it said so
	notified uint64        // how far it was notified that the log is committed
	news     chan notice   // holds one
	urge     chan struct{} // holds one
}

// pauseForMore is how long a notice waits for the next entry, which would carry
// it: on a busy log the herald sends nothing.
const pauseForMore = 300 * time.Microsecond

func newHerald(name string, t *transport, begin func(serve func(context.Context, func() uint64))) *herald {
	return &herald{transport: t, name: name, begin: begin, followers: map[raft.ServerID]*follower{}}
}

// follower returns what is known of a member that raft sends entries to, and
// begins to notify it. Held: mu.
func (h *herald) follower(id raft.ServerID) *follower {
	f := h.followers[id]
	if f == nil {
		f = &follower{news: make(chan notice, 1), urge: make(chan struct{}, 1)}
		h.followers[id] = f
		h.begin(func(ctx context.Context, last func() uint64) { h.serve(ctx, string(id), f, last) })
	}
	return f
}

// AppendEntries implements raft.Transport and records what the follower has.
func (h *herald) AppendEntries(id raft.ServerID, target raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	err := h.transport.AppendEntries(id, target, req, resp)
	heartbeat := req.PrevLogEntry == 0 && len(req.Entries) == 0
	if err != nil || !resp.Success || heartbeat {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.follower(id)
	f.has, f.at = req.PrevLogEntry+uint64(len(req.Entries)), time.Now()
	f.notified = max(f.notified, req.LeaderCommitIndex)
	h.wake(f)
	return nil
}

// progress returns the last entry that a member has said it holds, and when.
func (h *herald) progress(name string) (has uint64, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.followers[raft.ServerID(name)]; f != nil {
		return f.has, f.at
	}
	return 0, time.Time{}
}

// commit records that raft's log is committed up to an index.
func (h *herald) commit(n notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.index <= h.committed.index {
		return
	}
	h.committed = n
	for _, f := range h.followers {
		h.wake(f)
	}
}

// wake gives the newest notice to the goroutine that notifies a follower, if
// the follower has the entry and does not know of its commit. Held: mu.
func (h *herald) wake(f *follower) {
	if f.has < h.committed.index || f.notified >= h.committed.index {
		return
	}
	select {
	case <-f.news: // replaced by the newer one
	default:
	}
	f.news <- h.committed
}

// hurry has the newest notice sent without waiting for more entries: a member
// waits for it.
func (h *herald) hurry() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.followers {
		select {
		case f.urge <- struct{}{}:
		default:
		}
	}
}

// serve notifies one follower, one notice after another, until ctx ends. last
// returns the index of the last entry in raft's log.
func (h *herald) serve(ctx context.Context, name string, f *follower, last func() uint64) {
	for {
		select {
		case n := <-f.news:
			select {
			case <-f.urge:
			case <-time.After(pauseForMore):
			}
			if last() == n.index { // otherwise the next entry says so too
				h.notify(name, f, n)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (h *herald) notify(name string, f *follower, n notice) {
	self := h.EncodePeer(raft.ServerID(h.name), raft.ServerAddress(h.name))
	req := &raft.AppendEntriesRequest{
		RPCHeader:    raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(h.name), Addr: self},
		Term:         n.term,
		PrevLogEntry: n.index, PrevLogTerm: n.term, LeaderCommitIndex: n.index,
	}
	var resp raft.AppendEntriesResponse
	err := h.transport.AppendEntries(raft.ServerID(name), raft.ServerAddress(name), req, &resp)
	if err != nil || !resp.Success {
		return // raft's own will come
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f.notified = max(f.notified, n.index)
}

// announce notifies followers of an entry that this node proposed and has just
// applied.
func (r *Replica) announce() {
	at, _ := r.store.Position()
	// While a node leads its term does not change. So this node itself has
	// committed an entry of this term that is applied here.
	term := r.raft.CurrentTerm()
	if r.raft.State() == raft.Leader && r.raft.CurrentTerm() == term && at.Term == term {
		r.transport.commit(notice{at.Raft, at.Term})
	}
}
